from datetime import datetime, timedelta
from pathlib import Path

import pytest

from cvmproof.collateral.bundle import Imported, Refused
from cvmproof.collateral.keys import ChainKey, CrlKey, VcekKey
from cvmproof.collateral.store import CollateralStore, State
from cvmproof.trust import TrustRoots
from cvmproof_formats.errors import Category, CollateralError
from cvmproof_formats.pem import write_pem
from cvmproof_formats.snp.product import KeyKind, ProductLine
from cvmproof_simulator.ca import AmdCa
from cvmproof_simulator.keys import checked_in_keys
from cvmproof_simulator.psp import SoftwarePsp


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    folder = tmp_path / "bundle"
    folder.mkdir()
    return folder


def test_loose_files_of_every_form_are_taken_in_any_order(
    bundle: Path,
    store: CollateralStore,
    ca: AmdCa,
    psp: SoftwarePsp,
    chain: ChainKey,
    vcek: VcekKey,
    now: datetime,
) -> None:
    (bundle / "1-vcek.der").write_bytes(psp.vek())
    (bundle / "2-list.pem").write_bytes(write_pem(ca.crl(now), "X509 CRL"))
    (bundle / "3-ask.der").write_bytes(ca.ask)
    (bundle / "4-asvk.pem").write_bytes(write_pem(ca.asvk))
    (bundle / "5-ark.pem").write_bytes(write_pem(ca.ark))
    imported = store.import_(bundle, now)
    assert imported.refused == ()
    vlek_chain = ChainKey(product=ProductLine.MILAN, kind=KeyKind.VLEK)
    assert {taken.source.name: taken.key for taken in imported.taken} == {
        "1-vcek.der": vcek,
        "2-list.pem": CrlKey(product=ProductLine.MILAN, kind=None),
        "3-ask.der": chain,
        "4-asvk.pem": vlek_chain,
    }
    assert {found.state for found in store.show(now)} == {State.FRESH}
    assert len(store.show(now)) == 4


def test_a_store_is_a_bundle(
    filled: CollateralStore, tmp_path: Path, chain: ChainKey, crl: CrlKey, vcek: VcekKey, now: datetime
) -> None:
    other = CollateralStore(folder=tmp_path / "other", trust=TrustRoots.simulated())
    imported = other.import_(filled.folder, now)
    assert imported.refused == ()
    assert {taken.key for taken in imported.taken} == {chain, crl, vcek}
    wanted = (chain, crl, vcek)
    assert other.load(wanted, now) == filled.load(wanted, now)


def test_a_store_of_vlek_collateral_is_a_bundle(
    store: CollateralStore, ca: AmdCa, tmp_path: Path, now: datetime
) -> None:
    chain, crl = (kind(product=ProductLine.MILAN, kind=KeyKind.VLEK) for kind in (ChainKey, CrlKey))
    store.put(chain, write_pem(ca.asvk) + write_pem(ca.ark), now)
    store.put(crl, ca.crl(now), now)
    other = CollateralStore(folder=tmp_path / "other", trust=TrustRoots.simulated())
    assert {taken.key for taken in other.import_(store.folder, now).taken} == {chain, crl}


def test_single_files_are_taken_under_a_chain_that_is_there(
    tmp_path: Path, filled: CollateralStore, ca: AmdCa, now: datetime
) -> None:
    second = SoftwarePsp(ProductLine.MILAN, chip_secret=b"second")
    (tmp_path / "second.der").write_bytes(second.vek())
    (tmp_path / "asvk.der").write_bytes(ca.asvk)
    imported = filled.import_([tmp_path / "second.der", tmp_path / "asvk.der"], now)
    assert [type(taken.key) for taken in imported.taken] == [ChainKey, VcekKey]
    assert imported.refused == ()


def test_of_two_intermediates_the_newer_stays(
    bundle: Path, store: CollateralStore, ca: AmdCa, chain: ChainKey, now: datetime
) -> None:
    newer = ca.with_ask(not_before=now - timedelta(days=1), serial=0x10002)
    (bundle / "1.pem").write_bytes(write_pem(newer.ask))
    (bundle / "2.pem").write_bytes(write_pem(ca.ask) + write_pem(ca.ark))
    assert store.import_(bundle, now).refused == ()
    assert store.chain(chain).intermediate.der == newer.ask


@pytest.mark.parametrize(
    ("name", "data", "category", "why"),
    [
        ("notes.txt", b"hello", Category.MALFORMED, "neither a certificate"),
        ("empty", b"", Category.MALFORMED, "neither a certificate"),
        ("long.der", bytes(100_000), Category.MALFORMED, "at most 65536 bytes"),
        ("genoa-ask.der", AmdCa(ProductLine.GENOA).ask, Category.UNAVAILABLE, "not in the store"),
        (
            "forged-ark.der",
            AmdCa(ProductLine.MILAN, checked_in_keys(ProductLine.GENOA)).ark,
            Category.CHAIN,
            "pinned in the simulated trust set",
        ),
        (
            "forged-ask.der",
            AmdCa(ProductLine.MILAN, checked_in_keys(ProductLine.GENOA)).ask,
            Category.SIGNATURE,
            "signature by the key above it",
        ),
        ("vlek.der", SoftwarePsp(ProductLine.MILAN, KeyKind.VLEK).vek(), Category.UNAVAILABLE, "--certs"),
        (
            "forged-vcek.der",
            SoftwarePsp(ProductLine.MILAN).vek(signed_by=checked_in_keys(ProductLine.GENOA).ask),
            Category.SIGNATURE,
            "signature by the key above it",
        ),
        (
            "vlek-named-vcek.der",
            SoftwarePsp(ProductLine.MILAN, KeyKind.VLEK).vek(common_name="SEV-VCEK"),
            Category.MALFORMED,
            "VCEK: expected a hardware id, got none",
        ),
        ("server.der", AmdCa(ProductLine.MILAN).with_ask(common_name="server").ask, Category.CHAIN, "Intel's names"),
    ],
)
def test_ac_117_what_is_refused_is_named_with_the_reason(
    name: str,
    data: bytes,
    category: Category,
    why: str,
    bundle: Path,
    filled: CollateralStore,
    now: datetime,
) -> None:
    (bundle / name).write_bytes(data)
    before = filled.show(now)
    imported = filled.import_(bundle, now)
    assert imported.taken == ()
    [refused] = imported.refused
    assert (refused.source.name, refused.category) == (name, category)
    assert why in refused.reason
    assert filled.show(now) == before


@pytest.mark.parametrize(
    ("issuer", "category", "why"),
    [
        ("ARK-Milan", Category.CHAIN, "Milan imported revocation list: "),
        ("ARK-Genoa", Category.UNAVAILABLE, "Genoa VCEK certificate chain: not in the store"),
        ("x", Category.CHAIN, "revocation list: expected a root of AMD's, or an authority of Intel's, as its issuer"),
    ],
)
def test_ac_117_a_forged_list_is_refused(
    issuer: str, category: Category, why: str, bundle: Path, filled: CollateralStore, ca: AmdCa, now: datetime
) -> None:
    forged = ca.crl(now, issuer=issuer, signed_by=checked_in_keys(ProductLine.GENOA).ark)
    (bundle / "list.crl").write_bytes(forged)
    imported = filled.import_(bundle, now)
    assert imported.taken == ()
    [refused] = imported.refused
    assert refused.category is category
    assert refused.reason.startswith(why)


def test_a_list_older_than_the_stored_is_refused(
    tmp_path: Path, filled: CollateralStore, ca: AmdCa, crl: CrlKey, now: datetime
) -> None:
    other = tmp_path / "other" / crl.path
    other.parent.mkdir(parents=True)
    other.write_bytes(ca.crl(now - timedelta(days=30)))
    imported = filled.import_(other, now)
    assert [refused.category for refused in imported.refused] == [Category.ROLLBACK]


def test_simulated_objects_are_refused_by_a_production_store(
    tmp_path: Path, filled: CollateralStore, ca: AmdCa, now: datetime
) -> None:
    production = CollateralStore(folder=tmp_path / "production", trust=TrustRoots.production())
    assert production.import_(filled.folder, now) == Imported(taken=(), refused=())
    (tmp_path / "chain.pem").write_bytes(write_pem(ca.ask) + write_pem(ca.ark))
    imported = production.import_(tmp_path / "chain.pem", now)
    assert imported.taken == ()
    assert {refused.category for refused in imported.refused} == {Category.CHAIN, Category.UNAVAILABLE}


def test_a_source_that_is_not_there_is_our_error(tmp_path: Path, store: CollateralStore, now: datetime) -> None:
    with pytest.raises(CollateralError, match="got nothing there"):
        store.import_(tmp_path / "missing", now)


def test_amds_recorded_certificates_are_taken(recorded: Path, tmp_path: Path) -> None:
    store = CollateralStore(folder=tmp_path / "collateral", trust=TrustRoots.production())
    at = datetime.fromisoformat("2024-01-01T00:00:00Z")
    imported = store.import_([recorded / "snp" / "roots", recorded / "snp" / "crl"], at)
    assert {type(taken.key) for taken in imported.taken} == {ChainKey, CrlKey}
    assert {refused.source.name for refused in imported.refused} == {"SEV-Milan_10001_0903a395_BADSIG.der"}
    assert {refused.category for refused in imported.refused} == {Category.SIGNATURE}
    assert [found.state for found in store.show(at)] == [State.FRESH] * 7


def test_a_refusal_is_a_value() -> None:
    one = Refused(source=Path("x"), reason="why", category=Category.CHAIN)
    assert one == Refused(source=Path("x"), reason="why", category=Category.CHAIN)
