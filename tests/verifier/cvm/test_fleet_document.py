"""A fleet's document: what each CVM came to, counted, with nothing of an appraisal kept and remote text escaped."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from tests.verifier.channel.fake_agent import collateral
from tests.verifier.cvm.scene import OTHER_SOFTWARE, TRUST, Scene, policy_bytes, scene

from cvmproof.channel.judging import Terms
from cvmproof.cvm.examining import Outcome, examine
from cvmproof.cvm.fleet_document import SCHEMA, entry_document, fleet_document
from cvmproof.errors import Category, EndpointError
from cvmproof.policy.reading import read_policy
from cvmproof.prism.cvm import Cvm
from cvmproof.spelling import spell_time


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    with scene(Path(tmp_path_factory.mktemp("fleet"))) as found:
        yield found


def examined(there: Scene, *, software: bytes | None = None, revocation: bool = True) -> Outcome:
    """What becomes of the honest CVM, under a floor that takes other software, or without a revocation list."""
    floors = there.demands.floors if software is None else (read_policy(policy_bytes(software), name="other"),)
    have = collateral() if revocation else replace(collateral(), crls=())
    return examine(
        there.client,
        there.client.view(there.cvm),
        replace(there.demands, floors=floors),
        trust=TRUST,
        judge_under=lambda policies: Terms(policies=tuple(policies), trust=TRUST, collateral=have, offline=True).judge,
    )


def test_an_accepted_one_says_what_it_is_worth(there: Scene) -> None:
    outcome = examined(there)
    assert outcome.appraisal is not None
    assert outcome.appraisal.expires_at is not None
    assert outcome.appraisal.expires_at - outcome.appraisal.appraised_at <= timedelta(days=7)
    assert entry_document(outcome) == {
        "id": there.cvm,
        "name": "cvm-good",
        "agent_url": there.agent.url,
        "verdict": "accepted",
        "assurance": "channel-bound",
        "identity_pinned": "none",
        "policy_authority": "operator",
        "simulated": True,
        "expires_at": spell_time(outcome.appraisal.expires_at),
        "reasons": [],
        "findings": [],
    }


def test_a_rejected_one_names_what_failed(there: Scene) -> None:
    entry = entry_document(examined(there, software=OTHER_SOFTWARE))
    assert (entry["verdict"], entry["assurance"], entry["expires_at"]) == ("rejected", "evidence-only", None)
    assert entry["reasons"] == [{"id": "snp.measurement", "category": Category.MEASUREMENT}]
    assert [finding["id"] for finding in entry["findings"]] == ["cvm.policy.looser"]
    assert "error" not in entry


def test_an_undecided_one_names_what_is_missing(there: Scene) -> None:
    entry = entry_document(examined(there, revocation=False))
    assert entry["verdict"] == "undecided"
    assert {reason["category"] for reason in entry["reasons"]} == {Category.UNAVAILABLE}


def test_one_without_a_verdict_says_why_and_nothing_more() -> None:
    error = EndpointError("nobody answers", category=Category.UNAVAILABLE)
    entry = entry_document(Outcome(cvm=Cvm(id="cvm-1", name="one"), error=error))
    assert entry["error"]["message"] == "nobody answers"
    assert entry["agent_url"] == ""
    assert (entry["verdict"], entry["assurance"], entry["identity_pinned"]) == (None, None, None)
    assert (entry["policy_authority"], entry["simulated"], entry["expires_at"]) == (None, None, None)
    assert (entry["reasons"], entry["findings"]) == ([], [])


def test_what_a_control_plane_writes_is_escaped() -> None:
    cvm = Cvm(id="cvm\x1b[2J", name="a\nACCEPTED", agent_url="https://\u202egood")
    entry = entry_document(Outcome(cvm=cvm, error=EndpointError("no")))
    for text in (entry["id"], entry["name"], entry["agent_url"]):
        assert text.isascii()
        assert text.isprintable()


def test_a_fleet_counts_what_became_of_each(there: Scene) -> None:
    outcomes = [examined(there), examined(there, software=OTHER_SOFTWARE), examined(there, revocation=False)]
    failed = Outcome(cvm=Cvm(id="cvm-2"), error=EndpointError("no"))
    entries = [entry_document(outcome) for outcome in (*outcomes, failed, failed)]
    document = fleet_document(entries, None)
    assert document["schema"] == SCHEMA
    sums = (document["accepted"], document["rejected"], document["undecided"], document["failed"])
    assert sums == (1, 1, 1, 2)
    assert document["cvms"] == entries
    assert "error" not in document


def test_a_list_that_ended_before_its_time_is_an_error_beside_what_was_verified(there: Scene) -> None:
    entry = entry_document(examined(there))
    document = fleet_document([entry], EndpointError("it broke off", category=Category.UNAVAILABLE))
    assert document["cvms"] == [entry]
    assert (document["error"]["category"], document["error"]["message"]) == (Category.UNAVAILABLE, "it broke off")
