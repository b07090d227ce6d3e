from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvmproof.collateral.keys import ChainKey, CrlKey, VcekKey, Wanted, key_at, wanted_for
from cvmproof_formats.errors import Category, Malformed
from cvmproof_formats.snp.product import KeyKind, ProductLine
from cvmproof_formats.snp.tcb import Tcb

TCB = Tcb(boot_loader=4, tee=0, snp=24, microcode=219)
TURIN_TCB = Tcb(fmc=1, boot_loader=1, tee=1, snp=4, microcode=81)
HWID = bytes(range(64))

KEYS: list[Wanted] = [
    *(ChainKey(product=product, kind=kind) for product in ProductLine for kind in KeyKind),
    *(CrlKey(product=product, kind=kind) for product in ProductLine for kind in (*KeyKind, None)),
    VcekKey(product=ProductLine.MILAN, hwid=HWID, tcb=TCB),
    VcekKey(product=ProductLine.GENOA, hwid=HWID, tcb=TCB),
    VcekKey(product=ProductLine.TURIN, hwid=HWID[:8], tcb=TURIN_TCB),
]


def test_a_milan_vcek_is_asked_for_as_amd_spells_it() -> None:
    expected = f"/vcek/v1/Milan/{HWID.hex()}?blSPL=4&teeSPL=0&snpSPL=24&ucodeSPL=219"
    assert VcekKey(product=ProductLine.MILAN, hwid=HWID, tcb=TCB).url_path == expected


def test_a_turin_vcek_is_asked_for_by_eight_bytes_and_fmc() -> None:
    expected = "/vcek/v1/Turin/0001020304050607?fmcSPL=1&blSPL=1&teeSPL=1&snpSPL=4&ucodeSPL=81"
    assert VcekKey(product=ProductLine.TURIN, hwid=HWID[:8], tcb=TURIN_TCB).url_path == expected


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (ChainKey(product=ProductLine.GENOA, kind=KeyKind.VCEK), "/vcek/v1/Genoa/cert_chain"),
        (ChainKey(product=ProductLine.GENOA, kind=KeyKind.VLEK), "/vlek/v1/Genoa/cert_chain"),
        (CrlKey(product=ProductLine.TURIN, kind=KeyKind.VCEK), "/vcek/v1/Turin/crl"),
        (CrlKey(product=ProductLine.TURIN, kind=KeyKind.VLEK), "/vlek/v1/Turin/crl"),
    ],
    ids=str,
)
def test_chains_and_lists_are_asked_for_by_kind(key: ChainKey | CrlKey, expected: str) -> None:
    assert key.url_path == expected


def test_each_is_called_by_what_it_is() -> None:
    assert str(ChainKey(product=ProductLine.GENOA, kind=KeyKind.VLEK)) == "Genoa VLEK certificate chain"
    assert str(CrlKey(product=ProductLine.GENOA, kind=KeyKind.VCEK)) == "Genoa VCEK revocation list"
    assert str(CrlKey(product=ProductLine.GENOA, kind=None)) == "Genoa imported revocation list"
    vcek = VcekKey(product=ProductLine.MILAN, hwid=HWID, tcb=TCB)
    assert str(vcek) == f"VCEK of Milan chip 0001020304050607 at {TCB}"


def test_a_list_of_no_kind_has_no_url() -> None:
    with pytest.raises(Malformed, match="no kind"):
        _ = CrlKey(product=ProductLine.MILAN, kind=None).url_path


def test_the_store_spells_a_vcek_by_hardware_id_and_tcb() -> None:
    key = VcekKey(product=ProductLine.MILAN, hwid=HWID, tcb=TCB)
    assert key.path == PurePosixPath(f"amd/Milan/vcek/{HWID.hex()}-04000000000018db.der")


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_a_path_tells_its_key(key: Wanted) -> None:
    assert key_at(key.path) == key


def test_ac_116_no_two_keys_share_a_path() -> None:
    assert len({key.path for key in KEYS}) == len(KEYS)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "amd",
        "amd/Milan/crl.der/..",
        "amd/../vcek/crl.der",
        "amd/milan/vcek/crl.der",
        "amd/Milan/VCEK/crl.der",
        "amd/Milan/vcek/crl.pem",
        "intel/Milan/vcek/crl.der",
        "/amd/Milan/vcek/crl.der",
        "amd/Milan/vcek/\0.der",
        "amd/Milan/vcek/" + "0" * 10_000 + ".der",
        f"amd/Milan/vcek/{HWID.hex().upper()}-04000000000018db.der",
        f"amd/Milan/vcek/{HWID.hex()}-04000000000018db",
        f"amd/Milan/vcek/{HWID.hex()}-04000100000018db.der",
        f"amd/Milan/vlek/{HWID.hex()}-04000000000018db.der",
        f"amd/Turin/vcek/{HWID.hex()}-04000000000018db.der",
    ],
)
def test_ac_116_a_path_spelled_otherwise_is_no_name(path: str) -> None:
    assert key_at(PurePosixPath(path)) is None


@pytest.mark.parametrize("product", ["../../etc", "Mil\0an", "M" * 10_000, "Milan", None])
@pytest.mark.parametrize("kind", [ChainKey, CrlKey, VcekKey])
def test_ac_116_a_product_that_is_text_is_malformed(product: object, kind: type) -> None:
    rest = {"hwid": HWID, "tcb": TCB} if kind is VcekKey else {"kind": KeyKind.VCEK}
    with pytest.raises(Malformed, match=f"product line: expected one of .*, got {type(product).__name__}") as caught:
        kind(product=product, **rest)
    assert caught.value.category is Category.MALFORMED


@pytest.mark.parametrize("kind", [ChainKey, CrlKey])
def test_ac_116_a_kind_that_is_text_is_malformed(kind: type) -> None:
    with pytest.raises(Malformed, match="key kind: expected VCEK or VLEK, got str") as caught:
        kind(product=ProductLine.MILAN, kind="../vcek")
    assert caught.value.category is Category.MALFORMED


@pytest.mark.parametrize("hwid", [b"", bytes(63), bytes(65), bytes(8), b"../" * 3_000, "../" * 20, None])
def test_ac_116_a_hardware_id_of_another_length_or_type_is_malformed(hwid: object) -> None:
    got = f"{len(hwid)} bytes" if isinstance(hwid, bytes) else type(hwid).__name__
    with pytest.raises(Malformed, match=f"hardware id of a Milan chip: expected 64 bytes, got {got}") as caught:
        VcekKey(product=ProductLine.MILAN, hwid=hwid, tcb=TCB)  # type: ignore[arg-type]  # wrong types are the point
    assert caught.value.category is Category.MALFORMED


def test_a_turin_hardware_id_of_64_bytes_is_malformed() -> None:
    with pytest.raises(Malformed, match="expected 8 bytes, got 64"):
        VcekKey(product=ProductLine.TURIN, hwid=HWID, tcb=TURIN_TCB)


@pytest.mark.parametrize(("product", "tcb"), [(ProductLine.MILAN, TURIN_TCB), (ProductLine.TURIN, TCB)])
def test_a_tcb_of_another_product_line_is_malformed(product: ProductLine, tcb: Tcb) -> None:
    hwid = HWID[:8] if product is ProductLine.TURIN else HWID
    with pytest.raises(Malformed, match="fmc"):
        VcekKey(product=product, hwid=hwid, tcb=tcb)


def test_a_vcek_report_wants_chain_list_and_certificate() -> None:
    wanted = wanted_for(product=ProductLine.TURIN, kind=KeyKind.VCEK, chip_id=HWID, tcb=TURIN_TCB)
    assert [type(key) for key in wanted] == [ChainKey, CrlKey, VcekKey]
    assert wanted[2] == VcekKey(product=ProductLine.TURIN, hwid=HWID[:8], tcb=TURIN_TCB)


@pytest.mark.parametrize(("kind", "chip_id"), [(KeyKind.VLEK, HWID), (KeyKind.VCEK, bytes(64))])
def test_no_certificate_is_wanted_of_a_provider_or_a_masked_chip(kind: KeyKind, chip_id: bytes) -> None:
    wanted = wanted_for(product=ProductLine.MILAN, kind=kind, chip_id=chip_id, tcb=TCB)
    assert wanted == (ChainKey(product=ProductLine.MILAN, kind=kind), CrlKey(product=ProductLine.MILAN, kind=kind))


@given(st.text())
def test_any_text_is_a_key_s_path_or_none(text: str) -> None:
    path = PurePosixPath("amd/Milan/vcek") / text.replace("\0", "")
    key = key_at(path)
    assert key is None or key.path == path
