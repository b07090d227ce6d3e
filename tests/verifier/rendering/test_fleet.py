"""Many verdicts as lines: one for each CVM, its findings below, the sum last."""

import io

from cvmproof.appraisal import Assurance, Pin, Verdict
from cvmproof.cvm.examining import Outcome
from cvmproof.cvm.fleet_document import EntryDocument, entry_document, fleet_document
from cvmproof.errors import Category, EndpointError
from cvmproof.prism.cvm import Cvm
from cvmproof.rendering.fleet import draw_fleet
from cvmproof.rendering.terminal import Terminal

PLAIN = Terminal.of(io.StringIO())


def entry(name: str, verdict: Verdict, *failed: str, title: str = "") -> EntryDocument:
    accepted = verdict is Verdict.ACCEPTED
    return {
        "id": name,
        "name": title or name,
        "agent_url": "https://agent.example",
        "verdict": verdict,
        "assurance": Assurance.CHANNEL_BOUND if accepted else Assurance.EVIDENCE_ONLY,
        "identity_pinned": Pin.NONE,
        "policy_authority": "operator",
        "simulated": False,
        "expires_at": "2026-11-22T01:04:24Z" if accepted else None,
        "reasons": [{"id": each, "category": Category.POLICY_MISMATCH} for each in failed],
        "findings": [],
    }


def drawn(*entries: EntryDocument, error: EndpointError | None = None) -> list[str]:
    return draw_fleet(fleet_document(entries, error), PLAIN).splitlines()


def test_each_has_a_line_and_the_sum_is_last() -> None:
    good, bad = entry("cvm-1", Verdict.ACCEPTED), entry("cvm-22", Verdict.REJECTED, "snp.measurement")
    unclear = entry("cvm-3", Verdict.UNDECIDED, "snp.revocation")
    first, second, third, last = drawn(good, bad, unclear)
    assert first.endswith("cvm-1   ACCEPTED   channel-bound · valid until 2026-11-22T01:04:24Z")
    assert second.endswith("cvm-22  REJECTED   snp.measurement")
    assert third.endswith("cvm-3   UNDECIDED   snp.revocation")
    assert first.split()[0] != second.split()[0] != third.split()[0]
    assert last == "1 accepted, 1 rejected, 1 undecided, 0 without a verdict"


def test_a_simulated_verdict_says_so() -> None:
    simulated = entry("cvm-1", Verdict.ACCEPTED)
    simulated["simulated"] = True
    assert "ACCEPTED (simulated)" in drawn(simulated)[0]


def test_a_name_stands_before_its_id_where_there_is_one() -> None:
    assert "web (cvm-1)" in drawn(entry("cvm-1", Verdict.ACCEPTED, title="web"))[0]
    assert "()" not in drawn(entry("cvm-1", Verdict.ACCEPTED))[0]


def test_many_reasons_are_cut_to_four_and_a_number() -> None:
    line, _ = drawn(entry("cvm-1", Verdict.REJECTED, *"abcdef"))
    assert line.endswith("REJECTED   a, b, c, d and 2 more")


def test_findings_stand_below_their_cvm() -> None:
    one = entry("cvm-1", Verdict.ACCEPTED)
    one["findings"].append(
        {"id": "cvm.platform", "category": Category.PLATFORM, "expected": "tdx", "got": "sev-snp", "why": "x"}
    )
    _, below, _ = drawn(one)
    assert below == "     cvm.platform: expected tdx, got sev-snp"


def test_one_without_a_verdict_says_why_and_counts_as_such() -> None:
    failed = entry_document(Outcome(cvm=Cvm(id="cvm-1"), error=EndpointError("nobody answers")))
    line, last = drawn(failed)
    assert line.endswith("cvm-1  ENDPOINT: nobody answers")
    assert last == "0 accepted, 0 rejected, 0 undecided, 1 without a verdict"


def test_what_ended_the_list_stands_at_the_end() -> None:
    *_, sums, why = drawn(error=EndpointError("it broke off", category=Category.UNAVAILABLE))
    assert sums.startswith("0 accepted")
    assert why == "UNAVAILABLE: it broke off"
