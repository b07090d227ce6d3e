"""AMD's extensions of a VCEK or VLEK: the exact set for its structure version, or Malformed."""

from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvmproof_formats import der
from cvmproof_formats.errors import Malformed
from cvmproof_formats.snp import vek
from cvmproof_formats.snp.product import KeyKind, ProductLine
from cvmproof_formats.snp.tcb import Tcb
from cvmproof_formats.snp.vek import VekIdentity, build_extensions, read_vek
from cvmproof_formats.x509 import Extension, read_certificate

GENOA = VekIdentity(
    product=ProductLine.GENOA,
    product_name="Genoa",
    struct_version=0,
    kind=KeyKind.VCEK,
    tcb=Tcb(boot_loader=10, tee=1, snp=27, microcode=200),
    hwid=bytes(range(64)),
)
GENOA_VLEK = replace(GENOA, kind=KeyKind.VLEK, hwid=None, csp_id="CN=cc-us-east-2.example.com")
TURIN = VekIdentity(
    product=ProductLine.TURIN,
    product_name="Turin",
    struct_version=1,
    kind=KeyKind.VCEK,
    tcb=Tcb(fmc=1, boot_loader=2, tee=3, snp=4, microcode=81),
    hwid=bytes(range(8)),
)
EVERY = (GENOA, GENOA_VLEK, TURIN, replace(GENOA, product=ProductLine.MILAN, product_name="Milan-B0"))
LEVELS = [(identity, oid) for identity in (GENOA, TURIN) for oid in vek.PROFILES[identity.struct_version].patch_levels]


def with_value(identity: VekIdentity, oid: str, value: bytes) -> list[Extension]:
    extensions = build_extensions(identity)
    assert oid in {extension.oid for extension in extensions}
    return [extension._replace(value=value) if extension.oid == oid else extension for extension in extensions]


@pytest.mark.parametrize("identity", EVERY)
def test_what_is_written_is_read_back_in_any_order(identity: VekIdentity) -> None:
    assert read_vek(build_extensions(identity)) == identity
    assert read_vek(reversed(build_extensions(identity))) == identity


@pytest.mark.parametrize("identity", EVERY)
def test_ac16_every_extension_is_needed_once_and_not_critical(identity: VekIdentity) -> None:
    extensions = build_extensions(identity)
    for extension in extensions:
        with pytest.raises(Malformed, match="expected it"):
            read_vek(e for e in extensions if e is not extension)
        with pytest.raises(Malformed, match="expected it once"):
            read_vek([*extensions, extension])
        with pytest.raises(Malformed, match="non-critical"):
            read_vek(e._replace(critical=e is extension) for e in extensions)


@pytest.mark.parametrize("identity", EVERY)
@pytest.mark.parametrize("oid", ["2.5.29.35", "2.5.29.15", vek.AMD_ARC + ".3.10", vek.AMD_ARC + ".6", vek.AMD_ARC])
def test_ac16_an_extension_from_elsewhere_is_refused(identity: VekIdentity, oid: str) -> None:
    with pytest.raises(Malformed, match="do not belong there"):
        read_vek([*build_extensions(identity), Extension(oid=oid, value=der.integer(0))])


@pytest.mark.parametrize(("identity", "other"), [(GENOA, vek.FMC_SPL), (TURIN, vek.SPL_4)])
def test_an_extension_of_the_other_structure_version_is_refused(identity: VekIdentity, other: str) -> None:
    with pytest.raises(Malformed, match="do not belong there"):
        read_vek([*build_extensions(identity), Extension(oid=other, value=der.integer(0))])


def test_a_certificate_is_a_vceks_or_a_vleks_never_both_or_neither() -> None:
    with pytest.raises(Malformed, match="do not belong there"):
        read_vek(build_extensions(replace(GENOA, csp_id="CN=x")))
    with pytest.raises(Malformed, match=r"3704\.1\.4: expected it"):
        read_vek(build_extensions(replace(GENOA, hwid=None)))


@pytest.mark.parametrize(("identity", "oid"), LEVELS)
def test_a_patch_level_stays_in_its_range(identity: VekIdentity, oid: str) -> None:
    name = vek.PROFILES[identity.struct_version].patch_levels[oid]
    highest = 0 if name is None else 255 if name == "microcode" else 127
    tcb = read_vek(with_value(identity, oid, der.integer(highest))).tcb
    assert name is None or getattr(tcb, name) == highest
    with pytest.raises(Malformed, match=rf"expected 0\.\.{highest}, got {highest + 1}"):
        read_vek(with_value(identity, oid, der.integer(highest + 1)))


@pytest.mark.parametrize(("identity", "oid"), [*LEVELS, (GENOA, vek.STRUCT_VERSION)])
@pytest.mark.parametrize(
    "value",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\x02\x00", id="no content"),
        pytest.param(b"\x02\x02\x00\x00", id="not the shortest"),
        pytest.param(b"\x02\x01\xff", id="negative"),
        pytest.param(b"\x02\x01\x00\x00", id="bytes behind"),
        pytest.param(b"\x02\x81\x01\x00", id="long length"),
        pytest.param(b"\x04\x01\x00", id="OCTET STRING"),
        pytest.param(b"\x01\x01\x00", id="BOOLEAN"),
        pytest.param(b"\x00", id="raw byte"),
    ],
)
def test_ac16_a_patch_level_of_another_type_is_refused(identity: VekIdentity, oid: str, value: bytes) -> None:
    with pytest.raises(Malformed, match=r"3704\.1|DER at offset"):
        read_vek(with_value(identity, oid, value))


@pytest.mark.parametrize(
    ("name", "product"),
    [
        ("Milan", ProductLine.MILAN),
        ("Milan-B0", ProductLine.MILAN),
        ("Milan-A0", ProductLine.MILAN),
        ("Genoa", ProductLine.GENOA),
        ("Genoa-B1", ProductLine.GENOA),
    ],
)
def test_the_product_line_stands_before_the_dash(name: str, product: ProductLine) -> None:
    identity = read_vek(build_extensions(replace(GENOA, product_name=name)))
    assert (identity.product, identity.product_name) == (product, name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "milan",
        "MILAN",
        "Milan-",
        "Milan-B",
        "Milan-B00",
        "Milan-b0",
        "Milan B0",
        "Milan-B0\n",
        "Milano",
        "-B0",
        "Venice",
    ],
)
def test_any_other_product_name_is_refused(name: str) -> None:
    with pytest.raises(Malformed, match=r"productName|3704\.1\.2"):
        read_vek(build_extensions(replace(GENOA, product_name=name)))


@pytest.mark.parametrize(
    "value", [b"\x16\x05Gen\xe9a", b"\x0c\x05Genoa", b"\x16\x05Genoa\0", b"Genoa", b"\x16\x05Gen\0a"]
)
def test_a_product_name_that_is_not_an_ia5_string_is_refused(value: bytes) -> None:
    with pytest.raises(Malformed, match=r"3704\.1\.2|DER at"):
        read_vek(with_value(GENOA, vek.PRODUCT_NAME, value))


@pytest.mark.parametrize(("identity", "name"), [(GENOA, "Turin"), (TURIN, "Genoa"), (TURIN, "Milan-B0")])
def test_a_structure_version_of_another_product_line_is_refused(identity: VekIdentity, name: str) -> None:
    with pytest.raises(Malformed, match="structVersion: expected"):
        read_vek(build_extensions(replace(identity, product_name=name)))


def test_an_unknown_structure_version_is_refused() -> None:
    with pytest.raises(Malformed, match=r"expected 0\.\.1, got 2"):
        read_vek(with_value(GENOA, vek.STRUCT_VERSION, der.integer(2)))


@pytest.mark.parametrize("identity", [GENOA, TURIN])
@pytest.mark.parametrize("start", [b"\x04\x40", b"\x04\x08", b"\x02\x06", b"\x04\x06", b"\0\0", b"\xff\xff"])
def test_a_raw_hwid_is_taken_as_it_is_whatever_it_starts_with(identity: VekIdentity, start: bytes) -> None:
    size = vek.PROFILES[identity.struct_version].hwid_size
    hwid = start + bytes(range(size - 2))
    assert read_vek(with_value(identity, vek.HWID, hwid)).hwid == hwid


@pytest.mark.parametrize("identity", [GENOA, TURIN])
def test_a_hwid_may_be_wrapped_in_an_octet_string(identity: VekIdentity) -> None:
    assert identity.hwid is not None
    assert read_vek(with_value(identity, vek.HWID, der.octet_string(identity.hwid))) == identity


@pytest.mark.parametrize("identity", [GENOA, TURIN])
def test_a_hwid_of_another_length_or_type_is_refused(identity: VekIdentity) -> None:
    size = vek.PROFILES[identity.struct_version].hwid_size
    wrong = [bytes(n) for n in (0, size - 1, size + 1, size + 2, 2 * size, 64 + 8 - size)]
    wrong += [der.tlv(tag, bytes(size)) for tag in (der.INTEGER, der.BIT_STRING, 0x24)]
    wrong += [der.octet_string(bytes(size)) + b"\0", der.octet_string(bytes(size - 1)), b"\x04\x81" + bytes(size)]
    for value in wrong:
        with pytest.raises(Malformed, match=f"hwID: expected {size} bytes"):
            read_vek(with_value(identity, vek.HWID, value))


@pytest.mark.parametrize("csp_id", ["", "x" * 129, "CN=\x1b[31m", "a\0b"])
def test_a_csp_id_is_short_and_printable(csp_id: str) -> None:
    for size in (1, 128):
        assert read_vek(build_extensions(replace(GENOA_VLEK, csp_id="x" * size))).csp_id == "x" * size
    with pytest.raises(Malformed, match=r"cspID|3704\.1\.5"):
        read_vek(build_extensions(replace(GENOA_VLEK, csp_id=csp_id)))


@given(data=st.data(), value=st.binary(max_size=70))
def test_any_value_in_any_extension_gives_an_identity_or_malformed(data: st.DataObject, value: bytes) -> None:
    identity = data.draw(st.sampled_from(EVERY))
    extension = data.draw(st.sampled_from(build_extensions(identity)))
    with suppress(Malformed):
        read_vek(with_value(identity, extension.oid, value))


def test_every_recorded_certificate_is_read_and_written_again_exactly(recorded: Path) -> None:
    files = [path for folder in ("veks", "vek-only") for path in (recorded / "snp" / folder).glob("*.der")]
    wrapped = []
    for path in files:
        extensions = read_certificate(path.read_bytes()).extensions
        identity = read_vek(extensions)
        assert path.stem.split("_")[1].upper() == identity.kind
        if build_extensions(identity) != extensions:
            wrapped.append(path)
    # One redacted certificate wraps its hwID in an OCTET STRING.
    assert len(files) > len(wrapped)
    assert all("BADCHAIN" in path.name for path in wrapped)
