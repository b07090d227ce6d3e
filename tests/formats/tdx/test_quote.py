"""Quotes: read and built again, every length held to the byte, and everything else refused by name."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.formats.at_once import outcome
from tests.formats.tdx.quotes import (
    AUTHENTICATION_DATA,
    BODY,
    BODY_15,
    CHAIN,
    KEY,
    KINDS,
    QE_REPORT,
    QE_SIGNATURE,
    SIGNATURE,
    USER_DATA,
    certification,
    patched,
    quote,
)

from cvmproof_formats.errors import Category, Malformed
from cvmproof_formats.tdx import certification_data
from cvmproof_formats.tdx import quote as quote_module
from cvmproof_formats.tdx.body import BodyType, TdBody, TdBody15
from cvmproof_formats.tdx.certification_data import build_qe_certification, read_pck_chain
from cvmproof_formats.tdx.quote import (
    QUOTE_LIMIT,
    Quote,
    build_quote,
    build_signed,
    read_padded_quote,
    read_quote,
)
from cvmproof_formats.tdx.resemblance import resembles_quote
from cvmproof_simulator.tdx.td import SoftwareTd

READERS = (read_quote, read_padded_quote)
V4, V5, V5_15 = (quote(version, body) for version, body in KINDS)
PADDED = {"00b2526ab190_plus3065.bin": 3065, "03364ee77147_plus70.bin": 70, "a8a60419ccc6_plus1.bin": 1}
GARBAGE_BEHIND = "3507b5f7e612_plus39.bin"
SHORT = "01a66cc18d14"  # two bytes short of what it declares

each_kind = pytest.mark.parametrize(("version", "body"), KINDS, ids=["v4", "v5 with 1.0", "v5 with 1.5"])
each_reader = pytest.mark.parametrize("read", READERS)


def refused(data: bytes, message: str, category: Category = Category.MALFORMED) -> None:
    for read in READERS:
        with pytest.raises(Malformed, match=message) as caught:
            read(data)
        assert caught.value.category is category


def rebuilt(found: Quote) -> bytes:
    """The quote from its parsed parts alone: no slice of what was received but keys, signatures and the chain."""
    certified = build_qe_certification(
        qe_report=found.qe.report.build(),
        signature=found.qe.signature,
        authentication_data=found.qe.authentication_data,
        pck_chain=found.qe.pck_chain,
    )
    signed = build_signed(found.body, version=found.header.version, user_data=found.header.user_data)
    key, signature = found.attestation_key, found.signature
    return build_quote(signed=signed, signature=signature, attestation_key=key, certification=certified)


# --- what is read ----------------------------------------------------------------------------------------------------


@each_kind
@each_reader
def test_a_quote_is_read_and_built_again(version: int, body: TdBody, read: Callable[[bytes], Quote]) -> None:
    data = quote(version, body)
    found = read(data)
    assert found.body == body
    assert (found.header.version, found.header.user_data) == (version, USER_DATA)
    assert (found.signature, found.attestation_key) == (SIGNATURE, KEY)
    assert (found.qe.report, found.qe.signature) == (QE_REPORT, QE_SIGNATURE)
    assert (found.qe.authentication_data, found.qe.pck_chain) == (AUTHENTICATION_DATA, CHAIN)
    assert found.padding == 0
    assert rebuilt(found) == data


def test_each_part_stands_where_the_specification_has_it() -> None:
    # Offsets of the parts in the whole: version 4, then version 5 with a TD 1.5 body.
    for data, body_at, length_at in ((V4, 48, 632), (V5, 54, 638), (V5_15, 54, 702)):
        found = read_quote(data)
        assert found.signed == data[:length_at]
        assert data[body_at : body_at + 16] == found.body.tee_tcb_svn
        assert int.from_bytes(data[length_at : length_at + 4], "little") == len(data) - length_at - 4
        signature_data = data[length_at + 4 :]
        assert signature_data[:64] == SIGNATURE
        assert signature_data[64:128] == KEY
        assert signature_data[128:134] == b"\x06\0" + (len(signature_data) - 134).to_bytes(4, "little")
        assert signature_data[134:518] == found.qe.signed == QE_REPORT.build()
        assert signature_data[518:582] == QE_SIGNATURE
        assert signature_data[582:584] == b"\x20\0"
        assert signature_data[584:616] == AUTHENTICATION_DATA
        assert signature_data[616:622] == b"\x05\0" + len(CHAIN).to_bytes(4, "little")
        assert signature_data[622:] == CHAIN
    assert V4.index(CHAIN) == 1258
    assert V5_15.index(CHAIN) == 1328


@pytest.mark.parametrize(
    ("data", "kind", "layout"),
    [(V4, BodyType.TD_1_0, TdBody), (V5, BodyType.TD_1_0, TdBody), (V5_15, BodyType.TD_1_5, TdBody15)],
)
def test_the_body_has_the_type_that_was_declared(data: bytes, kind: BodyType, layout: type[TdBody]) -> None:
    found = read_quote(data)
    assert found.body_type is kind
    assert type(found.body) is layout


def test_only_a_1_5_body_tells_the_module_of_now() -> None:
    assert read_quote(V4).current_tee_tcb_svn is None
    assert read_quote(V5).current_tee_tcb_svn is None
    assert read_quote(V5_15).current_tee_tcb_svn == BODY_15.tee_tcb_svn2


def test_version_4_has_no_place_for_a_1_5_body() -> None:
    with pytest.raises(Malformed, match=r"expected a TD 1\.0 body in version 4, got TD 1\.5 report body"):
        build_signed(BODY_15, version=4)


@pytest.mark.parametrize(
    ("signature", "key", "message"),
    [
        (SIGNATURE + b"\0", KEY, "signature: expected 64 bytes, got 65"),
        (SIGNATURE, KEY[:-1], "key: expected 64 bytes, got 63"),
    ],
)
def test_what_is_built_has_its_lengths(signature: bytes, key: bytes, message: str) -> None:
    with pytest.raises(Malformed, match=message):
        build_quote(signed=b"", signature=signature, attestation_key=key, certification=b"")


# --- lengths ---------------------------------------------------------------------------------------------------------


@each_kind
def test_ac_033_a_quote_cut_at_any_length_is_malformed(version: int, body: TdBody) -> None:
    data = quote(version, body)
    for length in range(len(data)):
        refused(data[:length], "expected")


@each_kind
@pytest.mark.parametrize("behind", [b"\1", b"\0\1", b"\0" * 4096 + b"\x80", b"\n", V4])
def test_ac_033_anything_but_zeros_behind_a_quote_is_malformed(version: int, body: TdBody, behind: bytes) -> None:
    refused(quote(version, body) + behind, "expected")


@each_kind
@pytest.mark.parametrize("count", [1, 70, 3065])
def test_ac_033_zeros_behind_a_quote_are_cut_off_and_counted_where_padding_may_be(
    version: int, body: TdBody, count: int
) -> None:
    data = quote(version, body)
    found = read_padded_quote(data + bytes(count))
    assert found.padding == count
    assert rebuilt(found) == data
    with pytest.raises(Malformed, match=rf"expected its end at offset {len(data)}, got {count} more bytes"):
        read_quote(data + bytes(count))


def test_the_first_byte_that_is_no_padding_is_named() -> None:
    with pytest.raises(Malformed, match=rf"zero bytes behind its end at offset {len(V4)}, got 0x7f at {len(V4) + 2}"):
        read_padded_quote(V4 + b"\0\0\x7f\0")


def test_ac_033_more_than_64_kib_are_not_looked_at() -> None:
    full = V4 + bytes(QUOTE_LIMIT - len(V4))
    assert read_padded_quote(full).padding == QUOTE_LIMIT - len(V4)
    for data in (full + b"\0", V4 + bytes(1 << 20), b"\xff" * (1 << 20)):
        refused(data, "expected at most 65536 bytes", Category.SIZE_LIMIT)


def size_fields(data: bytes, start: int) -> dict[str, tuple[int, int]]:
    """Offset and width of each size behind the signed part."""
    return {"signature data": (start, 4), "outer": (start + 4 + 130, 4), "inner": (start + 4 + 618, 4)}


@pytest.mark.parametrize(("data", "start"), [(V4, 632), (V5, 638), (V5_15, 702)])
@pytest.mark.parametrize("name", ["signature data", "outer", "inner"])
def test_a_size_that_is_off_by_anything_is_malformed(data: bytes, start: int, name: str) -> None:
    offset, width = size_fields(data, start)[name]
    declared = int.from_bytes(data[offset : offset + width], "little")
    for wrong in (0, 1, declared - 1, declared + 1, (1 << 31) - 1, 1 << 31, (1 << 32) - 1):
        refused(patched(data, offset, wrong.to_bytes(width, "little")), "expected")


@pytest.mark.parametrize("length", [0, 1, 31, 33, 400])
def test_authentication_data_may_have_any_length(length: int) -> None:
    data = quote(certified=certification(authentication_data=b"\x20" * length))
    assert read_quote(data).qe.authentication_data == b"\x20" * length


@pytest.mark.parametrize("wrong", [0, 1, 31, 33, 0xFFFF])
def test_authentication_data_of_another_length_than_declared_is_refused(wrong: int) -> None:
    # What follows then is read as a type: one that is not known is "unsupported".
    for read in READERS:
        with pytest.raises(Malformed):
            read(patched(V4, 636 + 582, wrong.to_bytes(2, "little")))


# --- kinds -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [0, 1, 2, 6, 7, 0x0104, 0xFFFF])
def test_ac_034_a_version_that_is_not_known_is_unsupported(version: int) -> None:
    refused(patched(V4, 0, version.to_bytes(2, "little")), rf"expected 4 or 5, got {version}\Z", Category.UNSUPPORTED)


def test_ac_034_version_3_is_unsupported_and_said_to_be_of_sgx() -> None:
    refused(patched(V4, 0, b"\3\0"), r"got 3 \(quotes of SGX enclaves only\)", Category.UNSUPPORTED)


def test_a_version_that_is_not_known_may_use_what_ours_reserve_and_is_unsupported_all_the_same() -> None:
    refused(patched(patched(V4, 8, b"\1"), 0, b"\6"), "expected 4 or 5, got 6", Category.UNSUPPORTED)


def test_a_version_4_quote_that_says_5_is_not_read() -> None:
    # Its body begins where version 5 has a type: here a security version of 3, elsewhere any.
    refused(patched(V4, 0, b"\5"), "size of a body of type 3: expected 648, got 5")
    refused(patched(patched(V4, 0, b"\5"), 48, b"\7"), "body type: expected 2 .*, got 7", Category.UNSUPPORTED)


def test_a_version_5_quote_that_says_4_is_malformed() -> None:
    refused(patched(V5, 0, b"\4"), "expected")
    refused(patched(V5_15, 0, b"\4"), "expected")


@pytest.mark.parametrize(("kind", "name"), [(0, "0"), (1, "1"), (3, r"3 \(ECDSA P-384\)"), (4, "4"), (0xFFFF, "65535")])
def test_ac_034_another_kind_of_attestation_key_is_unsupported(kind: int, name: str) -> None:
    for data in (V4, V5, V5_15):
        refused(
            patched(data, 2, kind.to_bytes(2, "little")),
            rf"attestation key type: expected 2 \(ECDSA P-256\), got {name}\Z",
            Category.UNSUPPORTED,
        )


@pytest.mark.parametrize("version", [4, 5])
def test_ac_059_a_quote_of_an_sgx_enclave_is_unsupported(version: int) -> None:
    header = patched(patched(V4[:48], 0, version.to_bytes(2, "little")), 4, bytes(4))
    descriptor = b"\1\0" + (384).to_bytes(4, "little") if version == 5 else b""
    data = header + descriptor + bytes(384) + V4[632:]
    refused(data, r"TEE type: expected 0x00000081 \(TDX\), got 0x00000000 \(SGX\)", Category.UNSUPPORTED)


@pytest.mark.parametrize("tee", [1, 0x80, 0x82, 0x81000000, 0xFFFFFFFF])
def test_ac_034_another_tee_is_unsupported(tee: int) -> None:
    refused(patched(V4, 4, tee.to_bytes(4, "little")), f"got {tee:#010x}\\Z", Category.UNSUPPORTED)


@pytest.mark.parametrize("offset", range(12, 28))
def test_ac_034_a_quoting_enclave_that_is_not_intels_is_unsupported(offset: int) -> None:
    wrong = patched(V4, offset, bytes([V4[offset] ^ 1]))
    refused(wrong, f"QE vendor id: expected Intel's .*, got {wrong[12:28].hex()}", Category.UNSUPPORTED)


@pytest.mark.parametrize("offset", range(8, 12))
def test_reserved_bytes_of_the_header_are_zero(offset: int) -> None:
    refused(patched(V4, offset, b"\1"), f"quote header: reserved byte at {offset:#x}")


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (0, "0"),
        (1, r"1 \(an SGX enclave's report\)"),
        (4, r"4 \(a TD 1\.5 report with the service TD extension\)"),
        (5, "5"),
        (0x0102, "258"),
        (0xFFFF, "65535"),
    ],
)
def test_ac_057_another_type_of_body_is_unsupported(kind: int, name: str) -> None:
    refused(patched(V5, 48, kind.to_bytes(2, "little")), f"body type: .* got {name}\\Z", Category.UNSUPPORTED)


def test_ac_057_a_whole_quote_with_an_extended_body_is_unsupported() -> None:
    header = V5_15[:48] + b"\4\0" + (885).to_bytes(4, "little")
    refused(header + bytes(885) + V5_15[702:], "expected 2 .* or 3 .*, got 4", Category.UNSUPPORTED)


@pytest.mark.parametrize("size", [0, 384, 583, 585, 648, 885, 0xFFFFFFFF])
def test_ac_057_a_size_that_is_not_that_of_the_type_is_malformed(size: int) -> None:
    refused(patched(V5, 50, size.to_bytes(4, "little")), f"body of type 2: expected 584, got {size}")


@pytest.mark.parametrize("size", [0, 584, 647, 649, 885])
def test_ac_057_a_size_that_is_not_that_of_type_3_is_malformed(size: int) -> None:
    refused(patched(V5_15, 50, size.to_bytes(4, "little")), f"body of type 3: expected 648, got {size}")


@pytest.mark.parametrize(("data", "other"), [(V5, b"\3"), (V5_15, b"\2")])
def test_ac_057_a_type_that_is_not_that_of_the_body_is_malformed(data: bytes, other: bytes) -> None:
    refused(patched(data, 48, other), "size of a body of type")


# --- any bytes -------------------------------------------------------------------------------------------------------


@settings(max_examples=300)
@given(st.binary(max_size=1500))
def test_any_bytes_are_a_quote_or_malformed(data: bytes) -> None:
    for read in READERS:
        with pytest.raises(Malformed):
            read(data)
    assert resembles_quote(data) in (True, False)


@settings(max_examples=500)
@given(
    data=st.sampled_from((V4, V5, V5_15)),
    places=st.lists(st.tuples(st.integers(0, len(V4) - 1), st.binary(min_size=1, max_size=8)), min_size=1, max_size=4),
    cut=st.integers(-2, 2),
)
def test_whatever_is_read_is_what_was_received(data: bytes, places: list[tuple[int, bytes]], cut: int) -> None:
    for offset, new in places:
        data = patched(data, offset, new)
    data = data[:cut] if cut < 0 else data + bytes(cut)
    try:
        found = read_padded_quote(data)
    except Malformed:
        return
    assert rebuilt(found) + bytes(found.padding) == data
    assert data.startswith(found.signed)
    assert found.qe.signed in data


# --- telling a quote from a report ----------------------------------------------------------------------------------


def test_ac_058_a_quote_is_told_from_a_report_by_its_bytes() -> None:
    for data in (V4, V5, V5_15, patched(V4, 0, b"\3"), patched(V4, 12, bytes(16)), patched(V4, 2, bytes(2))):
        assert resembles_quote(data)
    for version in range(6):
        report = version.to_bytes(4, "little") + b"\xff" * 8 + bytes(1172)  # VERSION, GUEST_SVN, GUEST_POLICY
        assert not resembles_quote(report)
    assert not resembles_quote(b"")


# --- recorded on real machines --------------------------------------------------------------------------------------


def test_every_recorded_quote_is_read_and_built_again(recorded: Path) -> None:
    files = sorted((recorded / "tdx" / "quotes").glob("*.bin"))
    whole = [file for file in files if file.stem != SHORT]
    assert len(whole) == len(files) - 1 >= 70
    for file in whole:
        data = file.read_bytes()
        found = read_quote(data)
        assert rebuilt(found) == data, file.name
        assert found.signed + data[len(found.signed) :] == data
        assert len(read_pck_chain(found.qe.pck_chain)) == 3


def test_ac_033_a_recorded_quote_that_lacks_two_bytes_is_malformed(recorded: Path) -> None:
    refused(
        (recorded / "tdx" / "quotes" / f"{SHORT}.bin").read_bytes(),
        "signature data: expected 4300 bytes at offset 706, got 4298",
    )


def test_recorded_quotes_with_padding_are_read_where_padding_may_be(recorded: Path) -> None:
    for name, count in PADDED.items():
        data = (recorded / "tdx" / "padded" / name).read_bytes()
        found = read_padded_quote(data)
        assert found.padding == count
        assert rebuilt(found) == data[:-count]
        with pytest.raises(Malformed, match=f"got {count} more bytes"):
            read_quote(data)


def test_ac_033_a_recorded_quote_with_other_bytes_behind_it_is_malformed(recorded: Path) -> None:
    refused((recorded / "tdx" / "padded" / GARBAGE_BEHIND).read_bytes(), "expected")


def test_recorded_bad_quotes_whose_form_is_wrong_are_malformed(recorded: Path) -> None:
    bad = recorded / "tdx" / "bad"
    refused((bad / "f46afeb53826.bin").read_bytes(), "signature data: expected 4300 bytes at offset 636, got 3460")
    # These two declare a PEM chain and carry something else: a zero in place of a line's end, and certificates in DER.
    for name, why in (
        ("a15cfbbeef31.bin", "expected lines of 64 base64 characters"),
        ("intel-qvl-synthetic-tdx/quote.dat", "expected a CERTIFICATE block"),
    ):
        chain = read_quote((bad / name).read_bytes()).qe.pck_chain
        with pytest.raises(Malformed, match=why):
            read_pck_chain(chain)


def test_the_body_of_a_1_0_quote_is_the_head_of_a_1_5_one() -> None:
    assert BODY_15.build()[16:520] == BODY.build()[16:520]


# --- read at once -----------------------------------------------------------------------------------------------------


def reading(data: bytes, *, padded: bool) -> object:
    return quote_module._read(data, padded=padded)


def step_by_step(data: bytes, *, padded: bool) -> object:
    return quote_module._read_step_by_step(data, padded=padded)


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("version", [4, 5])
def test_a_quote_is_read_at_once_as_step_by_step(version: int, padded: bool) -> None:
    data = SoftwareTd().quote(bytes(64), version=version)
    start = 48 + 6 * (version == 5)
    ends = (0, 1, 2, 48, 49, 50, 52, 54, start + 583, start + 584, start + 648, len(data) - 1)
    changed = [data[:end] for end in ends] + [data + b"\0", data + b"\1", data + bytes(40)]
    for index in (*range(start + 4), *range(start + 580, start + 660), *range(start + 716, start + 730), len(data) - 1):
        changed += [data[:index] + bytes((data[index] ^ bit,)) + data[index + 1 :] for bit in (1, 2, 4, 0x80)]
    at_once, slowly = partial(reading, padded=padded), partial(step_by_step, padded=padded)
    for each in (data, *changed):
        assert outcome(at_once, each) == outcome(slowly, each)


def test_certification_data_is_read_at_once_as_step_by_step() -> None:
    data = SoftwareTd().quote(bytes(64))[636 + 128 :]
    changed = [data[:end] for end in (0, 5, 6, 7, 455, 456, 457, 480, 494, 495, len(data) - 1)] + [data + b"\0"]
    for index in (*range(10), *range(384, 500), len(data) - 1):
        changed += [data[:index] + bytes((data[index] ^ bit,)) + data[index + 1 :] for bit in (1, 2, 0x80)]
    for each in (data, *changed):
        expected = outcome(certification_data._read_step_by_step, each)
        assert outcome(certification_data.read_qe_certification, each) == expected
