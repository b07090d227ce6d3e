from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.verifier.channel.fake_agent import PSP, FakeAgent, collateral, policy

from cvmproof import clock
from cvmproof.appraisal import Appraisal, Verdict
from cvmproof.channel.connect import open_accepted
from cvmproof.channel.judging import Terms
from cvmproof.collateral import kds
from cvmproof.collateral.collateral import Collateral
from cvmproof.collateral.endpoint import AMD_KDS
from cvmproof.collateral.kds import KdsClient
from cvmproof.collateral.store import CollateralStore
from cvmproof.errors import CollateralError, Rejected, Undecided
from cvmproof.trust import TrustRoots
from cvmproof_formats.errors import Category
from cvmproof_simulator.kds import FakeKds


@pytest.fixture
def store(tmp_path: Path) -> CollateralStore:
    return CollateralStore(folder=tmp_path, trust=TrustRoots.simulated())


@pytest.fixture
def fetching_from(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], list[int]]:
    """Sends fetches to a fake service; gives the list of what was fetched."""

    def to(url: str) -> list[int]:
        asked: list[int] = []

        class Client(KdsClient):
            def __init__(self, store: CollateralStore, base_url: str, *, progress: object) -> None:
                assert (base_url, progress) == (AMD_KDS, None)
                asked.append(1)
                super().__init__(store, url, limits=kds.Limits(deadline=2.0, attempts=1))

        monkeypatch.setattr(kds, "KdsClient", Client)
        return asked

    return to


def judged(terms: Terms) -> Appraisal:
    with FakeAgent() as agent:
        accepted = open_accepted(agent.url, terms.judge)
        accepted.connection.close()
        return accepted.appraisal


def test_what_a_verdict_still_needs_is_fetched_into_the_store(
    store: CollateralStore, fetching_from: Callable[[str], list[int]]
) -> None:
    with FakeKds(PSP) as fake:
        asked = fetching_from(fake.url)
        terms = Terms(policies=(policy(),), trust=TrustRoots.simulated(), collateral=store)
        assert judged(terms).verdict is Verdict.ACCEPTED
        assert judged(terms).verdict is Verdict.ACCEPTED
    assert asked == [1]  # the second time everything was there


def test_offline_nothing_is_fetched(store: CollateralStore, fetching_from: Callable[[str], list[int]]) -> None:
    asked = fetching_from("http://127.0.0.1:1")
    terms = Terms(policies=(policy(),), trust=TrustRoots.simulated(), collateral=store, offline=True)
    with pytest.raises(Undecided, match="revocation list"):
        judged(terms)
    assert asked == []


def test_for_evidence_that_fails_a_check_nothing_is_fetched(
    store: CollateralStore, fetching_from: Callable[[str], list[int]]
) -> None:
    asked = fetching_from("http://127.0.0.1:1")
    terms = Terms(policies=(policy(measurement=b"\1" * 48),), trust=TrustRoots.simulated(), collateral=store)
    with pytest.raises(Rejected, match=r"snp\.measurement"):
        judged(terms)
    assert asked == []


def test_a_fetch_that_fails_leaves_it_open_and_says_why(
    store: CollateralStore, fetching_from: Callable[[str], list[int]]
) -> None:
    fetching_from("http://127.0.0.1:1")
    terms = Terms(policies=(policy(),), trust=TrustRoots.simulated(), collateral=store)
    with pytest.raises(Undecided, match="revocation list") as caught:
        judged(terms)
    assert caught.value.category is Category.UNAVAILABLE
    assert "127.0.0.1:1" in caught.value.hint


def test_a_list_at_hand_needs_no_store() -> None:
    terms = Terms(policies=(policy(),), trust=TrustRoots.simulated(), collateral=collateral())
    assert judged(terms).verdict is Verdict.ACCEPTED
    without = Terms(policies=(policy(),), trust=TrustRoots.simulated(), collateral=Collateral())
    with pytest.raises(Undecided, match="revocation list"):
        judged(without)


def test_ac_051_by_a_clock_from_before_the_release_nothing_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "RELEASED", datetime(2100, 1, 1, tzinfo=UTC))
    terms = Terms(policies=(policy(),), trust=TrustRoots.simulated(), collateral=collateral())
    with pytest.raises(CollateralError, match="before cvmproof was released") as caught:
        judged(terms)
    assert caught.value.category is Category.EXPIRED
