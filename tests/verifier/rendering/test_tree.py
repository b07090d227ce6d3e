"""The tree shows each group, every reason, and what to do."""

from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache

import pytest
from tests.verifier.report_data.faults import bound_to_channel
from tests.verifier.snp.situation import Situation as SnpSituation
from tests.verifier.tdx.situation import Situation

import cvmproof
from cvmproof.appraisal import Verdict
from cvmproof.document import AppraisalDocument, appraisal_document
from cvmproof.rendering.terminal import Terminal
from cvmproof.rendering.tree import GROUPS, draw, group_of, shorten
from cvmproof.snp.questions import SNP_QUESTIONS
from cvmproof.tdx.questions import TDX_QUESTIONS
from cvmproof_formats.snp.product import KeyKind, ProductLine
from cvmproof_simulator.psp import ReportFields, SoftwarePsp

NOW = datetime(2026, 9, 1, tzinfo=UTC)
PLAIN, FANCY = Terminal(fancy=False), Terminal(fancy=True)


@lru_cache
def machine(key: KeyKind = KeyKind.VCEK) -> SoftwarePsp:
    return SoftwarePsp(ProductLine.GENOA, key)


def document(
    *, with_crl: bool = True, with_certificates: bool = True, twice: bool = False, psp: SoftwarePsp | None = None,
    changes: ReportFields | None = None,
) -> AppraisalDocument:  # fmt: skip
    psp = psp or machine()
    policies = [cvmproof.builtin_policy("genuine")] * (2 if twice else 1)
    appraisal = cvmproof.appraise(
        cvmproof.read_evidence(psp.report(bytes(64), **(changes or {}))),
        policies=policies,
        trust=cvmproof.TrustRoots.simulated(),
        freshness=cvmproof.NoFreshness(),
        now=NOW,
        collateral=cvmproof.Collateral(
            certificates=psp.certificates() if with_certificates else (),
            crls=(cvmproof.Crl(der=psp.authorities.crl(NOW)),) if with_crl else (),
        ),
    )
    return appraisal_document(appraisal, policies)


def test_every_check_belongs_to_a_group() -> None:
    for questions in (SNP_QUESTIONS, TDX_QUESTIONS):
        assert {group_of(question.id) for question in questions} == set(GROUPS)
    # Only what a policy says of the guest belongs to none of the others.
    others = ("policy.tee", "tdx.attributes.", "tdx.xfam.", "tdx.mr_", "tdx.rtmr", "tdx.fmspc", "tdx.p")
    rest = [question.id for question in TDX_QUESTIONS if group_of(question.id) == "policy"]
    assert [id_ for id_ in rest if not id_.startswith(others)] == []
    assert [id_ for id_ in rest if id_.startswith("tdx.pck")] == []


def test_what_passed_takes_a_line_each() -> None:
    lines = draw(document(), "good.bin", PLAIN).splitlines()
    assert lines[0] == "good.bin   SEV-SNP · Genoa · VCEK · report v5"
    assert lines[1].startswith("├─ ok   chain      ARK pinned → ASK → VCEK, none revoked")
    assert lines[-1] == (
        "ACCEPTED (simulated)   evidence-only · no machine pinned · valid until 2026-09-01T00:10:00Z · exit 0"
    )


def test_a_terminal_gets_marks_and_colours() -> None:
    text = draw(document(), "good.bin", FANCY)
    assert "\x1b[32;1m✔\x1b[0m chain" in text
    assert "\x1b[32;1mACCEPTED\x1b[0m (simulated)" in text


def test_unknown_revocation_is_not_called_none_revoked() -> None:
    assert "revocation unknown" in draw(document(with_crl=False), "x", PLAIN)


def test_a_providers_key_has_the_other_chain() -> None:
    assert "ASVK → VLEK" in draw(document(psp=machine(KeyKind.VLEK)), "x", PLAIN)


def test_a_failed_check_shows_both_values_why_and_what_next() -> None:
    text = draw(document(changes={"policy": 0xB0000}), "x", PLAIN)
    assert "FAIL snp.guest_policy.debug   expected 0   got 1" in text
    assert "DEBUG: the host can read" in text
    assert "next: launch the guest without debugging" in text
    assert text.splitlines()[-1].startswith("REJECTED (simulated)   1 of ")
    assert text.endswith("not to be trusted · exit 3\n")


def test_the_same_reason_from_two_policies_is_given_once() -> None:
    text = draw(document(changes={"policy": 0xB0000}, twice=True), "x", PLAIN)
    assert text.count("FAIL snp.guest_policy.debug") == 1
    assert "asked by builtin:genuine and builtin:genuine" in text
    # It is counted as often as it was asked, so that the sum below is that of the lines.
    assert "FAIL policy     2 failed" in text
    assert text.splitlines()[-1].startswith("REJECTED (simulated)   2 of ")


@pytest.mark.parametrize(
    ("rules", "words"), [({}, "this nonce, this TLS session"), ({"vmpls": [3]}, "this nonce, this connection")]
)
def test_evidence_over_a_connection_is_said_to_be_bound_to_it(rules: dict[str, object], words: str) -> None:
    appraisal = replace(bound_to_channel(SnpSituation()), rules=rules).appraise()
    assert appraisal.verdict is (Verdict.REJECTED if rules else Verdict.ACCEPTED)
    text = draw(appraisal_document(appraisal, [cvmproof.builtin_policy("genuine")]), "x", PLAIN)
    assert words in text
    assert "REPORT_DATA as expected" not in text


def test_what_waits_for_the_same_thing_is_put_together() -> None:
    text = draw(document(with_certificates=False), "x", PLAIN)
    assert "snp.vek.profile and " in text
    assert "UNAVAILABLE   next: cvmproof collateral fetch" in text
    assert "UNDECIDED (simulated: no vendor root at hand)" in text


def test_a_fetch_that_failed_is_told() -> None:
    found = document(with_certificates=False)
    found["error"] = {
        "class": "CollateralError",
        "category": cvmproof.Category.UNAVAILABLE,
        "message": "m",
        "hint": "h",
    }
    assert draw(found, "x", PLAIN).endswith("could not be fetched: m\nnext: h\n")


def test_a_genuine_result_is_not_called_simulated() -> None:
    found = document()
    found["simulated"] = False
    assert "(simulated" not in draw(found, "x", PLAIN)


def test_pins_and_notes_are_shown() -> None:
    found = document()
    found["identity_pinned"], found["identity_pin_source"] = cvmproof.Pin.MACHINE, "operator"
    found["notes"] = ["a list was ignored"]
    text = draw(found, "x", PLAIN)
    assert "machine pinned by operator" in text
    assert "note       a list was ignored" in text


def tdx_document(situation: Situation) -> AppraisalDocument:
    return appraisal_document(situation.appraise(), [situation.policy])


def test_what_passed_of_a_td_takes_a_line_each() -> None:
    lines = draw(tdx_document(Situation(version=5)), "quote.bin", PLAIN).splitlines()
    assert lines[0] == "quote.bin   TDX · 51d000000000 · quote v5"
    assert lines[1].startswith("├─ ok   chain      Intel's root pinned → CA → PCK, none revoked")
    assert lines[2].startswith("├─ ok   signature  ECDSA P-256 over the bytes received")
    assert lines[3].startswith("├─ ok   tcb        UpToDate, tdx1/svn13/late4, evaluation number 20")
    assert lines[-1].startswith("ACCEPTED (simulated)")


def test_a_failed_check_of_a_td_shows_both_values_why_and_what_next() -> None:
    text = draw(tdx_document(Situation(quote={"td_attributes": 0x10000001})), "x", PLAIN)
    assert "FAIL tdx.attributes.debug   expected 0   got 1" in text
    assert "next: launch the guest without debugging" in text
    assert text.endswith("not to be trusted · exit 3\n")


def test_what_waits_for_intels_word_is_put_together() -> None:
    text = draw(tdx_document(Situation(without=frozenset({"tcb_info"}))), "x", PLAIN)
    assert "tdx.tcb_info.signature and " in text
    assert "UNAVAILABLE   next: cvmproof collateral fetch" in text
    assert "AMD" not in text


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("ab" * 48, "abababab…abababab"),
        ("ab" * 8, "ab" * 8),
        (f"one of {'ab' * 48}, {'cd' * 48}", "one of abababab…abababab, cdcdcdcd…cdcdcdcd"),
        ("x " * 200, "x " * 80 + "…"),
    ],
)
def test_long_values_are_shortened(text: str, short: str) -> None:
    assert shorten(text) == short
