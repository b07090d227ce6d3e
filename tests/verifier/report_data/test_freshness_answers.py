"""REPORT_DATA against what the verifier expects, and labels that can't be checked from a file."""

from dataclasses import replace

import pytest
from tests.verifier.snp.situation import REPORT_DATA, Labels, Situation, categories, ids_of_no
from tests.verifier.snp.test_case import case_of

from cvmproof.appraisal import Verdict
from cvmproof.check import Outcome
from cvmproof.claims import SnpClaims
from cvmproof.freshness import ExpectedNonce, ExpectedReportData, NoFreshness
from cvmproof.snp.answering import ANSWERS
from cvmproof_formats.binding import (
    SPKI_PREFIX,
    BindingKind,
    Role,
    Tee,
    channel_report_data,
    key_report_data,
    nonce_report_data,
    user_report_data,
)
from cvmproof_formats.errors import Category
from cvmproof_simulator.psp import P384_ORDER

NONCE = bytes(range(32))
SPKI = SPKI_PREFIX + bytes(64)
OF_NONCE = nonce_report_data(role=Role.SERVER, tee=Tee.SEV_SNP, nonce=NONCE)
OF_KEY = key_report_data(role=Role.SERVER, tee=Tee.SEV_SNP, nonce=NONCE, spki=SPKI)
BY_NONCE = Situation(freshness=ExpectedNonce(NONCE))
NONCE_LABELS: Labels = {"binding": BindingKind.NONCE, "role": Role.SERVER, "nonce": NONCE}
KEY_LABELS: Labels = {"binding": BindingKind.KEY, "role": Role.SERVER, "nonce": NONCE, "spki": SPKI}


def refused_as_stale(situation: Situation) -> None:
    appraisal = situation.appraise()
    assert appraisal.verdict is Verdict.REJECTED
    assert "freshness.report_data" in ids_of_no(appraisal)
    assert Category.FRESHNESS in categories(appraisal)


@pytest.mark.parametrize(
    ("report_data", "labels"),
    [(OF_NONCE, NONCE_LABELS), (OF_KEY, KEY_LABELS), (OF_NONCE, Labels())],
    ids=["nonce", "key", "raw report"],
)
def test_evidence_made_for_this_nonce_is_fresh(report_data: bytes, labels: Labels) -> None:
    bound = replace(BY_NONCE, report_data=report_data, labels=labels)
    assert bound.appraise().verdict is Verdict.ACCEPTED
    refused_as_stale(replace(bound, freshness=ExpectedNonce(NONCE[::-1])))


def test_the_label_of_a_nonce_is_not_believed() -> None:
    other: Labels = {**NONCE_LABELS, "nonce": NONCE[::-1]}
    assert replace(BY_NONCE, report_data=OF_NONCE, labels=other).appraise().verdict is Verdict.ACCEPTED
    refused_as_stale(replace(BY_NONCE, report_data=OF_NONCE, labels=other, freshness=ExpectedNonce(NONCE[::-1])))


@pytest.mark.parametrize("bit", range(0, 512, 63))
def test_report_data_one_bit_off_is_refused(bit: int) -> None:
    off = (int.from_bytes(OF_NONCE, "big") ^ 1 << bit).to_bytes(64, "big")
    refused_as_stale(replace(BY_NONCE, report_data=off, labels=NONCE_LABELS))
    refused_as_stale(replace(BY_NONCE, report_data=off, freshness=ExpectedReportData(OF_NONCE)))


@pytest.mark.parametrize(
    "report_data",
    [
        NONCE + bytes(32),
        NONCE + NONCE,
        nonce_report_data(role=Role.CLIENT, tee=Tee.SEV_SNP, nonce=NONCE),
        nonce_report_data(role=Role.SERVER, tee=Tee.TDX, nonce=NONCE),
        channel_report_data(role=Role.SERVER, tee=Tee.SEV_SNP, nonce=NONCE, spki=SPKI, ekm=bytes(32)),
        user_report_data(tee=Tee.SEV_SNP, uid=0, user_data=NONCE),
        OF_KEY,
    ],
)
def test_a_value_of_another_domain_role_or_tee_is_refused(report_data: bytes) -> None:
    refused_as_stale(replace(BY_NONCE, report_data=report_data, labels=NONCE_LABELS))


def test_a_key_bound_report_is_for_the_key_beside_it() -> None:
    other: Labels = {**KEY_LABELS, "spki": SPKI[:-1] + b"\x01"}
    refused_as_stale(replace(BY_NONCE, report_data=OF_KEY, labels=other))
    nothing: Labels = {"binding": BindingKind.KEY, "role": Role.SERVER}
    refused_as_stale(replace(BY_NONCE, report_data=OF_KEY, labels=nothing))
    checks = replace(BY_NONCE, report_data=OF_KEY, labels=nothing).appraise().checks
    [check] = [check for check in checks if check.id == "freshness.report_data"]
    assert check.expected == "evidence bound to the nonce"
    assert "got 0" in check.got


@pytest.mark.parametrize("kind", [BindingKind.CHANNEL, BindingKind.USER])
def test_a_label_that_a_nonce_can_not_answer_is_refused_even_where_the_value_is_right(kind: BindingKind) -> None:
    appraisal = replace(BY_NONCE, report_data=OF_NONCE, labels={"binding": kind, "role": Role.SERVER}).appraise()
    assert ids_of_no(appraisal) == ["binding.domain"]
    assert categories(appraisal) == {Category.BINDING}
    as_given = replace(BY_NONCE, labels={"binding": kind}, freshness=ExpectedReportData(REPORT_DATA))
    assert as_given.appraise().verdict is Verdict.ACCEPTED


def test_without_freshness_the_verdict_says_that_it_was_left_open() -> None:
    appraisal = Situation(freshness=NoFreshness(), report_data=bytes(64)).appraise()
    assert appraisal.verdict is Verdict.ACCEPTED
    assert "freshness.report_data" in {check.id for check in appraisal.unconstrained}


def test_ac_009_a_second_valid_signature_makes_no_second_evidence() -> None:
    # (r, n - s) verifies wherever (r, s) does: whoever recognises evidence by its bytes sees two, and its nonce one.
    first = replace(BY_NONCE, report_data=OF_NONCE, labels=NONCE_LABELS)
    claims = first.appraise().claims
    assert isinstance(claims, SnpClaims)
    report = claims.report
    r, s = (int.from_bytes(part, "little") for part in (report.signature_r, report.signature_s))
    second = replace(first, signature=(r, P384_ORDER - s))
    assert first.signed_report != second.signed_report
    assert first.signed_report[:0x2A0] == second.signed_report[:0x2A0]
    for situation in (first, second):
        assert situation.appraise().verdict is Verdict.ACCEPTED
        # A nonce is used once: presented again, both are judged against the next one.
        refused_as_stale(replace(situation, freshness=ExpectedNonce(NONCE[::-1])))


def test_a_question_about_report_data_that_nobody_expects_anything_of_is_a_no() -> None:
    case = case_of(Situation(freshness=NoFreshness()))
    assert ANSWERS["freshness.report_data"](case) == (Outcome.FAIL, "a nonce or report data", "neither")
