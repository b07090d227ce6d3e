"""TDX as the appraisal knows it."""

from tests.verifier.tdx.situation import Situation, policy_of, policy_without_tdx

from cvmproof.appraisal import Pin
from cvmproof.tdx.answering import ANSWERS, HOST_ANSWERS, TD_ANSWERS
from cvmproof.tdx.case import read_case
from cvmproof.tdx.questions import TDX_QUESTIONS
from cvmproof.tdx.technology import TDX, pin_of, rules_of
from cvmproof_formats.binding import Tee

PPID = Situation().platform.ppid.hex()


def test_it_has_the_questions_and_whoever_answers_them() -> None:
    assert (TDX.tee, TDX.questions, TDX.answers, TDX.read_case) == (Tee.TDX, TDX_QUESTIONS, ANSWERS, read_case)
    assert [lasting.answers for lasting in TDX.lasting] == [HOST_ANSWERS, TD_ANSWERS]


def test_rules_are_those_of_the_tdx_table_or_none() -> None:
    policy = policy_of("genuine", "required", {})
    assert rules_of(policy) is policy.tdx
    assert rules_of(policy_without_tdx()) is None


def test_a_policy_pins_a_machine_by_processor_or_platform_and_an_instance_by_nothing() -> None:
    assert pin_of(policy_without_tdx()) is Pin.NONE
    assert pin_of(policy_of("genuine", "required", {})) is Pin.NONE
    assert pin_of(policy_of("genuine", "required", {"denied_ppids": [PPID]})) is Pin.NONE
    for rules in (
        {"ppids": [PPID]},
        {"platform_instance_ids": [PPID]},
        {"ppids": [PPID], "platform_instance_ids": [PPID]},
    ):
        assert pin_of(policy_of("genuine", "required", rules)) is Pin.MACHINE
