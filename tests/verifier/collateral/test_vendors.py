from datetime import datetime
from pathlib import Path

import pytest

from cvmproof.collateral.endpoint import Services
from cvmproof.collateral.intel_keys import IntelKey
from cvmproof.collateral.keys import ChainKey, CrlKey, Wanted
from cvmproof.collateral.store import CollateralStore
from cvmproof.collateral.vendors import fetch_wanted
from cvmproof_formats.errors import CollateralError, Misuse
from cvmproof_simulator.kds import FakeKds
from cvmproof_simulator.tdx.collateral import Collateral as Knowledge
from cvmproof_simulator.tdx.pcs import FakePcs


def test_each_vendor_is_asked_for_its_own(
    store: CollateralStore,
    kds: FakeKds,
    knowledge: Knowledge,
    intels: tuple[IntelKey, ...],
    chain: ChainKey,
    crl: CrlKey,
    now: datetime,
) -> None:
    told: list[Wanted] = []
    with FakePcs(knowledge, caching=True) as pccs:
        services = Services(kds=kds.url, pccs=pccs.url)
        fetched = fetch_wanted(
            store, (*intels, chain, crl), now, services=services, progress=lambda key, _: told.append(key)
        )
        assert len(pccs.requests) == 4
    assert kds.requests == (chain.url_path, crl.url_path)
    assert {one.key for one in fetched} == {chain, crl, *intels[1:]} == set(told)


def test_who_has_nothing_that_is_wanted_is_not_asked(
    store: CollateralStore, kds: FakeKds, knowledge: Knowledge, intels: tuple[IntelKey, ...], now: datetime
) -> None:
    assert fetch_wanted(store, (), now) == ()
    with FakePcs(knowledge, caching=True) as pccs:
        fetch_wanted(store, intels, now, services=Services(kds=kds.url, pccs=pccs.url))
    assert kds.requests == ()


def test_the_authority_of_a_caching_service_is_for_that_service(
    store: CollateralStore, kds: FakeKds, intels: tuple[IntelKey, ...], chain: ChainKey, now: datetime, tmp_path: Path
) -> None:
    services = Services(kds=kds.url, pccs="https://127.0.0.1:1", pccs_ca=tmp_path / "none.pem")
    assert len(fetch_wanted(store, (chain,), now, services=services)) == 1
    with pytest.raises(Misuse, match="CA certificates"):
        fetch_wanted(store, intels, now, services=services)


def test_a_failure_is_the_clients(store: CollateralStore, intels: tuple[IntelKey, ...], now: datetime) -> None:
    with FakePcs(caching=True) as pccs, pytest.raises(CollateralError, match="no such object"):
        fetch_wanted(store, intels, now, services=Services(pccs=pccs.url))
