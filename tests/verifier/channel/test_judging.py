from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.verifier.channel.fake_agent import EITHER, PSP, TD, FakeAgent, collateral, policy

from cvmproof import clock
from cvmproof.appraisal import Appraisal, Verdict
from cvmproof.channel.connect import open_accepted
from cvmproof.channel.judging import Terms
from cvmproof.collateral import kds, pcs
from cvmproof.collateral.collateral import Collateral
from cvmproof.collateral.endpoint import AMD_KDS, INTEL_PCS
from cvmproof.collateral.kds import KdsClient
from cvmproof.collateral.pcs import PcsClient
from cvmproof.collateral.store import CollateralStore
from cvmproof.errors import CollateralError, Rejected, Undecided
from cvmproof.trust import TrustRoots
from cvmproof_formats.errors import Category
from cvmproof_simulator.kds import FakeKds
from cvmproof_simulator.tdx.collateral import Collateral as IntelCollateral
from cvmproof_simulator.tdx.pcs import FakePcs
from cvmproof_simulator.tdx.td import SoftwareTd


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


@pytest.fixture
def fetching_from_intel(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], list[int]]:
    """The same of Intel's service."""

    def to(url: str) -> list[int]:
        asked: list[int] = []

        class Client(PcsClient):
            def __init__(
                self, store: CollateralStore, base_url: str, *, ca_file: Path | None, progress: object
            ) -> None:
                assert (base_url, ca_file, progress) == (INTEL_PCS, None, None)
                asked.append(1)
                super().__init__(
                    store, url, root_crl="/IntelSGXRootCA.der", limits=kds.Limits(deadline=2.0, attempts=1)
                )

        monkeypatch.setattr(pcs, "PcsClient", Client)
        return asked

    return to


def judged(terms: Terms, td: SoftwareTd | None = None) -> Appraisal:
    with FakeAgent(td=td) as agent:
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


def test_what_a_verdict_on_a_td_still_needs_is_fetched_from_intel(
    store: CollateralStore, fetching_from_intel: Callable[[str], list[int]], fetching_from: Callable[[str], list[int]]
) -> None:
    issued = datetime.now(UTC).replace(microsecond=0) - timedelta(days=1)
    with FakePcs(IntelCollateral.of(TD.platform, issued)) as fake:
        asked, of_amd = fetching_from_intel(fake.url), fetching_from("http://127.0.0.1:1")
        terms = Terms(policies=(policy(),), trust=TrustRoots.simulated(), collateral=store)
        assert judged(terms, TD).verdict is Verdict.ACCEPTED
        assert judged(terms, TD).verdict is Verdict.ACCEPTED
    assert (asked, of_amd) == ([1], [])  # the second time everything was there


def test_for_a_td_that_fails_a_check_nothing_is_fetched(
    store: CollateralStore, fetching_from_intel: Callable[[str], list[int]]
) -> None:
    asked = fetching_from_intel("http://127.0.0.1:1")
    terms = Terms(policies=(policy(mr_td=b"\1" * 48),), trust=TrustRoots.simulated(), collateral=store)
    with pytest.raises(Rejected, match=r"tdx\.mr_td"):
        judged(terms, TD)
    assert asked == []


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


@pytest.mark.parametrize("td", EITHER.values(), ids=EITHER)
def test_collateral_at_hand_needs_no_store(td: SoftwareTd | None) -> None:
    terms = Terms(policies=(policy(),), trust=TrustRoots.simulated(), collateral=collateral())
    assert judged(terms, td).verdict is Verdict.ACCEPTED
    without = Terms(policies=(policy(),), trust=TrustRoots.simulated(), collateral=Collateral())
    with pytest.raises(Undecided, match="revocation list"):
        judged(without, td)


def test_ac_051_by_a_clock_from_before_the_release_nothing_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "RELEASED", datetime(2100, 1, 1, tzinfo=UTC))
    terms = Terms(policies=(policy(),), trust=TrustRoots.simulated(), collateral=collateral())
    with pytest.raises(CollateralError, match="before cvmproof was released") as caught:
        judged(terms)
    assert caught.value.category is Category.EXPIRED
