import re
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvmproof.collateral import loose
from cvmproof.collateral.collateral import Crl
from cvmproof.collateral.keys import ChainKey, CrlKey, VcekKey, Wanted
from cvmproof.collateral.loose import (
    MAXIMUM_FILES,
    MAXIMUM_SIZE,
    Objects,
    identify,
    load_loose,
    loose_files,
    read_objects,
)
from cvmproof.collateral.store import CollateralStore
from cvmproof_formats.errors import Category, CollateralError
from cvmproof_formats.pem import write_pem
from cvmproof_formats.snp import vek
from cvmproof_formats.snp.product import KeyKind, ProductLine
from cvmproof_formats.snp.tcb import Tcb
from cvmproof_simulator.ca import AmdCa
from cvmproof_simulator.psp import SoftwarePsp


@pytest.fixture
def wanted(chain: ChainKey, crl: CrlKey, vcek: VcekKey) -> tuple[Wanted, ...]:
    return chain, crl, vcek


def test_certificates_and_lists_count_by_what_they_contain(
    tmp_path: Path, wanted: tuple[Wanted, ...], ca: AmdCa, psp: SoftwarePsp, now: datetime
) -> None:
    (tmp_path / "1").write_bytes(psp.vek())
    (tmp_path / "2.txt").write_bytes(write_pem(ca.ask) + write_pem(ca.ark))
    (tmp_path / "3.bin").write_bytes(ca.crl(now))
    (tmp_path / "4.pem").write_bytes(write_pem(ca.crl(now, number=2), "X509 CRL"))
    (tmp_path / "README").write_text("nothing of interest")
    loaded = load_loose(tmp_path, wanted)
    assert loaded.certificates == (psp.vek(), ca.ask, ca.ark)
    assert loaded.crls == (Crl(der=ca.crl(now)), Crl(der=ca.crl(now, number=2)))


def test_a_store_counts_what_lies_loose_in_its_folder(
    store: CollateralStore, wanted: tuple[Wanted, ...], psp: SoftwarePsp, now: datetime
) -> None:
    store.folder.mkdir()
    (store.folder / "vcek.der").write_bytes(psp.vek())
    assert store.load(wanted, now).certificates == (psp.vek(),)


def test_what_is_not_wanted_is_left_out(
    tmp_path: Path, wanted: tuple[Wanted, ...], ca: AmdCa, psp: SoftwarePsp, now: datetime
) -> None:
    genoa = AmdCa(ProductLine.GENOA)
    older = SoftwarePsp(psp.product, tcb=Tcb(boot_loader=3, tee=0, snp=8, microcode=115))
    others = (
        SoftwarePsp(psp.product, chip_secret=b"another").vek(),
        older.vek(),
        SoftwarePsp(psp.product, KeyKind.VLEK).vek(),
        ca.asvk,
        genoa.ark,
        genoa.ask,
        genoa.crl(now),
    )
    for number, der in enumerate(others):
        (tmp_path / str(number)).write_bytes(der)
    assert load_loose(tmp_path, wanted).certificates == ()
    assert load_loose(tmp_path, wanted).crls == ()


def test_a_vlek_comes_with_the_chain_above_it(tmp_path: Path, ca: AmdCa) -> None:
    vlek = SoftwarePsp(ProductLine.MILAN, KeyKind.VLEK).vek()
    (tmp_path / "vlek.pem").write_bytes(write_pem(vlek) + write_pem(ca.asvk) + write_pem(ca.ark))
    loaded = load_loose(tmp_path, [ChainKey(product=ProductLine.MILAN, kind=KeyKind.VLEK)])
    assert loaded.certificates == (vlek, ca.asvk, ca.ark)


def test_a_bad_list_is_not_absent(tmp_path: Path, wanted: tuple[Wanted, ...], ca: AmdCa, now: datetime) -> None:
    cut = ca.crl(now)[:-1]
    text = write_pem(ca.crl(now), "X509 CRL")[:-9]
    (tmp_path / "1.CRL").write_bytes(cut)
    (tmp_path / "2.pem").write_bytes(text)
    (tmp_path / "3.crl").write_bytes(ca.crl(now) + bytes(100_000))
    loaded = load_loose(tmp_path, wanted)
    assert [len(crl.der) for crl in loaded.crls] == [len(cut), len(text), 64 * 1024 + 1]
    assert loaded.intel_crls == ()


def test_a_leaf_outside_amds_profile_is_left_out(tmp_path: Path, wanted: tuple[Wanted, ...], psp: SoftwarePsp) -> None:
    (tmp_path / "leaf.der").write_bytes(psp.vek(drop=(vek.HWID,)))
    assert load_loose(tmp_path, wanted).certificates == ()


def test_folders_and_hidden_files_are_passed_over(tmp_path: Path, wanted: tuple[Wanted, ...], psp: SoftwarePsp) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "vcek.der").write_bytes(psp.vek())
    (tmp_path / ".hidden").write_bytes(psp.vek())
    assert load_loose(tmp_path, wanted).certificates == ()


@pytest.mark.parametrize("data", [b"", b"\x30", b"-----BEGIN CERTIFICATE-----\n", b"\x30\x82\xff\xff", bytes(100_000)])
def test_what_is_neither_is_passed_over(data: bytes, tmp_path: Path, wanted: tuple[Wanted, ...]) -> None:
    (tmp_path / "file.der").write_bytes(data)
    loaded = load_loose(tmp_path, wanted)
    assert (loaded.certificates, loaded.crls) == ((), ())


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"hello", r"neither a certificate \(PEM .*\) nor a revocation list \(DER .*\)"),
        (b"{}", "signed JSON: expected tcbInfo, enclaveIdentity, .*"),
        (b"{" + bytes(MAXIMUM_SIZE), "expected at most 65536 bytes, got more"),
    ],
)
def test_what_is_neither_is_said_to_be_so(data: bytes, why: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(data)
    assert re.fullmatch(why, read_objects(tmp_path / "file").reason)


def test_a_file_may_be_as_long_as_that(tmp_path: Path, psp: SoftwarePsp) -> None:
    pem = write_pem(psp.vek())
    (tmp_path / "file").write_bytes(pem + b"\n" * (MAXIMUM_SIZE - len(pem)))
    assert read_objects(tmp_path / "file") == Objects(certificates=(psp.vek(),))


def test_a_file_that_goes_away_is_no_object(tmp_path: Path) -> None:
    assert read_objects(tmp_path / "gone") == Objects(reason="it is no longer there")


def test_a_folder_of_too_many_files_is_refused(tmp_path: Path) -> None:
    for number in range(MAXIMUM_FILES):
        (tmp_path / str(number)).touch()
    assert len(loose_files(tmp_path)) == MAXIMUM_FILES
    (tmp_path / "one more").touch()
    with pytest.raises(CollateralError, match="expected at most 1000 loose files, got more") as caught:
        loose_files(tmp_path)
    assert caught.value.category is Category.SIZE_LIMIT


def test_more_objects_than_one_report_can_need_are_refused(
    tmp_path: Path, wanted: tuple[Wanted, ...], ca: AmdCa, now: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loose, "MAXIMUM_OBJECTS", 3)
    for number in range(3):
        (tmp_path / str(number)).write_bytes(ca.crl(now, number=number))
    assert len(load_loose(tmp_path, wanted).crls) == 3
    (tmp_path / "one more").write_bytes(ca.ask)
    with pytest.raises(CollateralError, match="expected at most 3 loose objects for one report") as caught:
        load_loose(tmp_path, wanted)
    assert caught.value.category is Category.SIZE_LIMIT


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CollateralError, match="cannot be listed") as caught:
        loose_files(tmp_path / "file")
    assert caught.value.category is Category.UNAVAILABLE


@given(st.binary() | st.binary().map(b"\x30".__add__) | st.binary().map(b"-----BEGIN CERTIFICATE-----\n".__add__))
def test_any_bytes_are_objects_or_a_reason(data: bytes) -> None:
    found = identify(data)
    assert bool(found.reason) != bool(found.certificates or found.crls)


@given(st.integers(min_value=0), st.integers(min_value=1, max_value=255))
def test_a_changed_byte_gives_objects_or_a_reason(at: int, mask: int) -> None:
    data = bytearray(SoftwarePsp(ProductLine.MILAN).vek())
    data[at % len(data)] ^= mask
    found = identify(bytes(data))
    assert bool(found.reason) != bool(found.certificates)
