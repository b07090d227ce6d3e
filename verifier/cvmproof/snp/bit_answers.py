"""Answers about single bits of GUEST_POLICY and PLATFORM_INFO, all of one shape: required, or forbidden."""

from functools import partial

from cvmproof.check import Answer, require
from cvmproof.policy.values import Demand
from cvmproof.snp.answering import answers
from cvmproof.snp.case import SnpCase
from cvmproof_formats.bitfield import Bit
from cvmproof_formats.snp.guest_policy import GUEST_POLICY_BITS
from cvmproof_formats.snp.platform_info import PLATFORM_INFO_BITS

_DEMANDED = {Demand.REQUIRED: 1, Demand.FORBIDDEN: 0}


def guest_policy_bit(bit: Bit, case: SnpCase) -> Answer:
    """A bit of GUEST_POLICY must be as demanded."""
    found, demanded = case.report.policy >> bit.index & 1, _DEMANDED.get(case.rules.guest_policy[bit.name])
    return require(found == demanded, demanded, found)


def platform_info_bit(bit: Bit, case: SnpCase) -> Answer:
    """A bit of PLATFORM_INFO must be as demanded."""
    found, demanded = case.report.platform_info >> bit.index & 1, _DEMANDED.get(case.rules.platform_info[bit.name])
    return require(found == demanded, demanded, found)


for _bit in GUEST_POLICY_BITS:
    answers(f"snp.guest_policy.{_bit.name}")(partial(guest_policy_bit, _bit))
for _bit in PLATFORM_INFO_BITS:
    answers(f"snp.platform_info.{_bit.name}")(partial(platform_info_bit, _bit))
