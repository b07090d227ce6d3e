"""The table of questions: ids are unique and stable, categories and rules exist."""

from dataclasses import fields

from cvmproof.policy.snp_rules import SnpRules
from cvmproof.report_data.questions import FRESHNESS_QUESTIONS
from cvmproof.snp.questions import SNP_QUESTIONS
from cvmproof_formats.snp.guest_policy import GUEST_POLICY_BITS
from cvmproof_formats.snp.platform_info import PLATFORM_INFO_BITS

IDS = [question.id for question in SNP_QUESTIONS]


def test_an_id_is_used_once() -> None:
    assert len(set(IDS)) == len(IDS)


def test_ids_once_used_for_another_question_are_not_used_again() -> None:
    assert "snp.tcb.floor.current" not in IDS  # asked what snp.tcb.reported and snp.tcb.floor.reported decide together


def test_every_rule_that_a_question_names_is_a_field_of_the_policy() -> None:
    bits = {f"guest_policy.{bit.name}" for bit in GUEST_POLICY_BITS}
    bits |= {f"platform_info.{bit.name}" for bit in PLATFORM_INFO_BITS}
    known = (
        {field.name for field in fields(SnpRules)} - {"guest_policy", "platform_info"} | bits | {"revocation", "tee"}
    )
    asked = {question.rule for question in SNP_QUESTIONS if question.rule}
    assert asked == known


def test_every_question_says_why_and_where_that_is_written() -> None:
    for question in SNP_QUESTIONS:
        assert question.why, question.id
        assert question.spec, question.id
        assert len(question.why) < 120


def test_every_bit_has_its_question() -> None:
    for table, bits in (("guest_policy", GUEST_POLICY_BITS), ("platform_info", PLATFORM_INFO_BITS)):
        for bit in bits:
            (question,) = (q for q in SNP_QUESTIONS if q.id == f"snp.{table}.{bit.name}")
            assert question.spec.endswith(f"bit {bit.index}")


def test_freshness_is_asked_without_a_rule_of_the_policy() -> None:
    assert [question.rule for question in FRESHNESS_QUESTIONS] == [None, None]
