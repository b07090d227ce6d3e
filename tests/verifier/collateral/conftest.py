"""A store in a temporary folder and the SIMULATED service that fills it."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cvmproof.collateral.intel_keys import (
    Authority,
    IntelCertificatesKey,
    IntelCrlKey,
    IntelKey,
    QeIdentityKey,
    TcbInfoKey,
    wanted_for_platform,
)
from cvmproof.collateral.kds import KdsClient, Limits
from cvmproof.collateral.keys import ChainKey, CrlKey, VcekKey
from cvmproof.collateral.store import CollateralStore
from cvmproof.trust import TrustRoots
from cvmproof_formats.pem import write_pem
from cvmproof_formats.snp.product import KeyKind, ProductLine
from cvmproof_simulator.ca import AmdCa
from cvmproof_simulator.kds import FakeKds
from cvmproof_simulator.psp import SoftwarePsp
from cvmproof_simulator.tdx.collateral import Collateral as Knowledge
from cvmproof_simulator.tdx.platform import SoftwarePlatform

# Waits short enough for a test, long enough for a machine of two busy cores.
QUICK = Limits(connect=2.0, read=1.0, deadline=5.0, first_wait=0.001, longest_wait=0.002, limited_wait=0.001)


@pytest.fixture
def now() -> datetime:
    return datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture
def psp() -> SoftwarePsp:
    return SoftwarePsp(ProductLine.MILAN)


@pytest.fixture
def ca(psp: SoftwarePsp) -> AmdCa:
    return psp.authorities


@pytest.fixture
def vcek(psp: SoftwarePsp) -> VcekKey:
    return VcekKey(product=psp.product, hwid=psp.chip_id, tcb=psp.reported_tcb)


@pytest.fixture
def chain() -> ChainKey:
    return ChainKey(product=ProductLine.MILAN, kind=KeyKind.VCEK)


@pytest.fixture
def crl() -> CrlKey:
    return CrlKey(product=ProductLine.MILAN, kind=KeyKind.VCEK)


@pytest.fixture
def store(tmp_path: Path) -> CollateralStore:
    return CollateralStore(folder=tmp_path / "collateral", trust=TrustRoots.simulated())


@pytest.fixture
def filled(
    store: CollateralStore, ca: AmdCa, psp: SoftwarePsp, chain: ChainKey, crl: CrlKey, vcek: VcekKey, now: datetime
) -> CollateralStore:
    """A store that has everything for one chip, the list issued ten days ago."""
    store.put(chain, write_pem(ca.ask) + write_pem(ca.ark), now)
    store.put(crl, ca.crl(now - timedelta(days=10)), now)
    store.put(vcek, psp.vek(), now)
    return store


@pytest.fixture
def kds(psp: SoftwarePsp, now: datetime) -> Iterator[FakeKds]:
    with FakeKds(psp, issued=now - timedelta(days=1)) as service:
        yield service


@pytest.fixture
def client(store: CollateralStore, kds: FakeKds) -> KdsClient:
    return KdsClient(store, kds.url, limits=QUICK)


@pytest.fixture
def client_with(store: CollateralStore, kds: FakeKds) -> Callable[[Limits], KdsClient]:
    return lambda limits: KdsClient(store, kds.url, limits=limits)


# Intel's


@pytest.fixture
def platform() -> SoftwarePlatform:
    return SoftwarePlatform()


@pytest.fixture
def knowledge(platform: SoftwarePlatform, now: datetime) -> Knowledge:
    """What the SIMULATED Intel says about that platform, issued ten days ago."""
    return Knowledge.of(platform, now - timedelta(days=10))


@pytest.fixture
def signer() -> IntelCertificatesKey:
    return IntelCertificatesKey(authority=Authority.TCB_SIGNING)


@pytest.fixture
def root_crl() -> IntelCrlKey:
    return IntelCrlKey(authority=Authority.ROOT)


@pytest.fixture
def pck_crl() -> IntelCrlKey:
    return IntelCrlKey(authority=Authority.PLATFORM)


@pytest.fixture
def tcb_info(platform: SoftwarePlatform) -> TcbInfoKey:
    return TcbInfoKey(fmspc=platform.fmspc)


@pytest.fixture
def qe_identity() -> QeIdentityKey:
    return QeIdentityKey()


@pytest.fixture
def intels(platform: SoftwarePlatform) -> tuple[IntelKey, ...]:
    """What a quote of that platform wants."""
    return wanted_for_platform(fmspc=platform.fmspc, ca=platform.ca)


@pytest.fixture
def intel_store(store: CollateralStore, knowledge: Knowledge, now: datetime) -> CollateralStore:
    """A store that has everything for quotes of one platform."""
    ca = Authority(knowledge.ca.value)
    store.put(IntelCertificatesKey(authority=Authority.TCB_SIGNING), knowledge.signing_chain, now)
    store.put(IntelCertificatesKey(authority=ca), knowledge.pck_crl_chain, now)
    store.put(IntelCrlKey(authority=Authority.ROOT), knowledge.root_crl, now)
    store.put(IntelCrlKey(authority=ca), knowledge.pck_crl, now)
    store.put(TcbInfoKey(fmspc=knowledge.tcb_info.fmspc), knowledge.tcb_info_response, now)
    store.put(QeIdentityKey(), knowledge.qe_identity_response, now)
    return store
