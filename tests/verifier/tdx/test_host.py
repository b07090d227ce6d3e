"""What is answered once for a host: for this one, under this policy and trust set, and never beyond its validity."""

from dataclasses import replace
from datetime import timedelta
from importlib import import_module

import pytest
from tests.verifier.snp.situation import ids_of_no
from tests.verifier.tdx.situation import NOW, Situation, assert_accepted, policy_of, policy_without_tdx

from cvmproof.appraisal import Verdict
from cvmproof.check import Outcome, passed
from cvmproof.tdx.answering import HOST_ANSWERS, TD_ANSWERS
from cvmproof.tdx.backing import Backing, choose_backing
from cvmproof.tdx.host import Host, ask_host, host_of
from cvmproof_formats.errors import Category
from cvmproof_formats.tdx.qe_report import ENCLAVE_DEBUG, REPORT_DATA_SIZE
from cvmproof_formats.tdx.quote import Quote, read_quote
from cvmproof_simulator.tdx.td import SoftwareModule

APPRAISE = import_module("cvmproof.appraise")  # by its name in the package it is the function
GOOD = Situation()
FIFTH = Situation(version=5)


def read(situation: Situation) -> tuple[Backing, Quote]:
    quote = read_quote(situation.signed_quote)
    return choose_backing(quote.qe.pck_chain, situation.collateral, NOW), quote


def host(situation: Situation, trust: str = "simulated") -> Host:
    return host_of(*read(situation), trust)


def test_a_host_is_what_the_quote_says_of_enclave_and_module() -> None:
    for situation in (GOOD, FIFTH):
        quote, found = read_quote(situation.signed_quote), host(situation)
        assert found.module.launched_by.tee_tcb_svn == quote.body.tee_tcb_svn
        assert found.module.launched_by.mr_signer_seam == quote.body.mr_signer_seam
        assert found.module.launched_by.seam_attributes == quote.body.seam_attributes
        assert found.module.current == quote.current_tee_tcb_svn
        assert found.enclave == replace(quote.qe.report, report_data=bytes(REPORT_DATA_SIZE))
        assert found.rating is not None
    assert (host(GOOD).module.current is None, host(FIFTH).module.current is None) == (True, False)


def test_a_policy_without_rules_for_tdx_gives_none_to_ask_by() -> None:
    policy = policy_of("genuine", "required", {})
    assert ask_host(host(GOOD), policy).rules is policy.tdx
    with pytest.raises(AttributeError):
        _ = ask_host(host(GOOD), policy_without_tdx()).rules


def test_ac_091_the_same_host_is_the_same_object_whatever_its_td_and_attestation_key() -> None:
    known = host(GOOD)
    other_td = replace(GOOD, quote={"mr_td": bytes(48), "authentication_data": b"another"}, report_data=bytes(64))
    assert other_td.signed_quote != GOOD.signed_quote
    assert host(other_td) is known


def test_ac_091_anything_else_is_another_host() -> None:
    known = host(GOOD)
    others = {
        "enclave": host(replace(GOOD, machine={"qe_svn": 3})),
        "module": host(replace(GOOD, module=SoftwareModule(svn=2))),
        "signer of the module": host(replace(GOOD, quote={"mr_signer_seam": b"\1" * 48})),
        "attributes of the module": host(replace(GOOD, quote={"seam_attributes": 1})),
        "trust set": host(GOOD, "production"),
        "collateral": host(replace(GOOD, without=frozenset({"pck_crl"}))),
        "chain": host(replace(GOOD, machine={"secret": b"another"})),
    }
    assert all(other is not known for other in others.values())
    assert len(set(map(id, others.values()))) == len(others)
    launched_by = SoftwareModule(svn=6)
    assert host(replace(FIFTH, launched_by=launched_by)) is not host(FIFTH)


def test_ac_091_what_a_host_decides_is_decided_for_the_policy_that_asks() -> None:
    fmspc = GOOD.platform.identity.fmspc.hex()
    taking, refusing = (replace(GOOD, rules={"fmspcs": [name]}) for name in (fmspc, "000000000000"))
    for _ in range(2):
        assert_accepted(taking)
        assert ids_of_no(refusing.appraise()) == ["tdx.fmspc"]
        assert ids_of_no(taking.appraise(refusing.policy)) == ["tdx.fmspc"]


def test_ac_091_an_accepted_host_is_not_accepted_once_its_collateral_has_ended() -> None:
    for _ in range(2):
        assert_accepted(GOOD)
        assert replace(GOOD, now=NOW + timedelta(days=40)).appraise().verdict is not Verdict.ACCEPTED


def test_ac_091_a_known_host_vouches_for_no_other_signature() -> None:
    for _ in range(2):
        assert_accepted(GOOD)
        forged = replace(GOOD, quote={"signature": bytes(64)})
        assert ids_of_no(forged.appraise()) == ["tdx.signature.quote"]
        debugged = replace(GOOD, quote={"qe_attributes": ENCLAVE_DEBUG.to_bytes(16, "little")})
        assert "tdx.qe.debug" in ids_of_no(debugged.appraise())


NO_ANSWERS: tuple[object, ...] = None, ["list", "", ""], ("pass", "", ""), (Outcome.ERROR, "", "")


@pytest.mark.parametrize(("question", "rule", "size"), [("tdx.fmspc", "fmspcs", 6), ("tdx.mr_td", "mr_tds", 48)])
@pytest.mark.parametrize("first", range(len(NO_ANSWERS)))
def test_ac_091_an_answer_that_is_our_own_error_is_not_remembered(
    first: int, question: str, rule: str, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [NO_ANSWERS[first], passed("", "")]
    answers = HOST_ANSWERS if question in HOST_ANSWERS else TD_ANSWERS
    monkeypatch.setitem(answers, question, lambda _: found.pop(0))
    # A policy that nobody has asked under before.
    situation = replace(GOOD, rules={rule: [(first + 9).to_bytes(size, "big").hex()]})
    broken = situation.appraise()
    assert ids_of_no(broken) == [question]
    assert [check.category for check in broken.failed] == [Category.INTERNAL]
    for _ in range(2):
        assert situation.appraise().verdict is Verdict.ACCEPTED
    assert found == []


def test_neither_time_nor_signatures_nor_report_data_are_asked_about_once() -> None:
    lasting = HOST_ANSWERS.keys() | TD_ANSWERS.keys()
    ending = {question for question in lasting if question.endswith((".current", ".validity", ".rollback"))}
    assert ending == set()
    assert not lasting & {"tdx.qe.signature", "tdx.qe.binding", "tdx.signature.quote", "freshness.report_data"}
    assert not {question for question in lasting if question.startswith(("freshness.", "binding."))}
    assert Outcome.ERROR is APPRAISE._NOT_ASKED[0]
