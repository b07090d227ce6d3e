"""Answers about single bits of GUEST_POLICY and PLATFORM_INFO, all of one shape: required, or forbidden."""

from cvmproof.check import Answer, require
from cvmproof.policy.values import Demand
from cvmproof.snp.answering import Answering, answers
from cvmproof.snp.case import SnpCase
from cvmproof_formats.snp.bitfield import Bit
from cvmproof_formats.snp.guest_policy import GUEST_POLICY_BITS
from cvmproof_formats.snp.platform_info import PLATFORM_INFO_BITS

_DEMANDED = {Demand.REQUIRED: 1, Demand.FORBIDDEN: 0}


def _guest_policy_answer(bit: Bit) -> Answering:
    name, index = bit.name, bit.index

    def answer(case: SnpCase) -> Answer:
        found, demanded = case.report.policy >> index & 1, _DEMANDED.get(case.policy.snp.guest_policy[name])
        return require(found == demanded, demanded, found)

    return answer


def _platform_info_answer(bit: Bit) -> Answering:
    name, index = bit.name, bit.index

    def answer(case: SnpCase) -> Answer:
        found, demanded = case.report.platform_info >> index & 1, _DEMANDED.get(case.policy.snp.platform_info[name])
        return require(found == demanded, demanded, found)

    return answer


for _bit in GUEST_POLICY_BITS:
    answers(f"snp.guest_policy.{_bit.name}")(_guest_policy_answer(_bit))
for _bit in PLATFORM_INFO_BITS:
    answers(f"snp.platform_info.{_bit.name}")(_platform_info_answer(_bit))
