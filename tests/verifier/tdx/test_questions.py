"""The table of questions: ids are unique and stable, categories and rules exist."""

from dataclasses import fields

from cvmproof.policy.tdx_rules import PLATFORM_FACTS, TdxRules
from cvmproof.tdx.questions import TDX_QUESTIONS
from cvmproof_formats.errors import Category
from cvmproof_formats.tdx.td_attributes import TD_ATTRIBUTE_BITS, UNDER_DEBUG
from cvmproof_formats.tdx.xfam import XFAM_BITS

IDS = [question.id for question in TDX_QUESTIONS]
TABLES = {"attributes", "xfam", "platform"}


def test_an_id_is_used_once() -> None:
    assert len(set(IDS)) == len(IDS)


def test_every_rule_that_a_question_names_is_a_field_of_the_policy_and_the_reverse() -> None:
    entries = {f"attributes.{bit.name}" for bit in TD_ATTRIBUTE_BITS}
    entries |= {f"xfam.{bit.name}" for bit in XFAM_BITS} | {f"platform.{name}" for name in PLATFORM_FACTS}
    known = {field.name for field in fields(TdxRules)} - TABLES | entries | {"revocation", "tee"}
    assert {question.rule for question in TDX_QUESTIONS if question.rule} == known


def test_every_question_says_why_and_where_that_is_written() -> None:
    for question in TDX_QUESTIONS:
        assert question.why, question.id
        assert question.spec, question.id
        assert len(question.why) < 120


def test_every_bit_has_its_question() -> None:
    for table, bits in (("attributes", TD_ATTRIBUTE_BITS), ("xfam", XFAM_BITS)):
        for bit in bits:
            (question,) = (q for q in TDX_QUESTIONS if q.id == f"tdx.{table}.{bit.name}")
            assert question.spec.endswith(f"bit {bit.index}")
            debug = table == "attributes" and bit.mask & UNDER_DEBUG
            assert question.category is (Category.DEBUG if debug else Category.POLICY_MISMATCH)


def test_what_intel_decides_is_asked_without_a_rule_of_the_policy() -> None:
    always = {question.id for question in TDX_QUESTIONS if question.rule is None}
    assert {"tdx.chain.root", "tdx.tcb.level", "tdx.tcb.revoked", "tdx.qe.debug", "tdx.signature.quote"} <= always
