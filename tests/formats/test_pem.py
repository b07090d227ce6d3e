"""Strict PEM: blocks of one label, and nothing a reader would have to guess at."""

import base64
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.formats.at_once import changes

from cvmproof_formats import pem
from cvmproof_formats.errors import Category, Malformed
from cvmproof_formats.pem import MAXIMUM_BLOCKS, MAXIMUM_PEM, certificates, read_pem, write_pem
from cvmproof_formats.x509 import read_certificate

DER = b"\x30\x03\x02\x01\x07"
ONE = write_pem(DER)
LONG = write_pem(bytes(range(256)))


@given(st.lists(st.binary(min_size=1, max_size=200), min_size=1, max_size=5))
def test_blocks_come_back_in_order(ders: list[bytes]) -> None:
    assert read_pem(b"".join(write_pem(der) for der in ders)) == tuple(ders)


@pytest.mark.parametrize("size", [1, 47, 48, 49, 96, 97, 1700])
def test_bodies_of_any_length_come_back_in_lines_of_64_columns(size: int) -> None:
    text = write_pem(bytes(size))
    assert read_pem(text) == (bytes(size),)
    assert {len(line) for line in text.split(b"\n")[1:-3]} <= {64}


@pytest.mark.parametrize("text", [ONE + b"\n" + ONE, ONE + b"\n\n", b"\n" + ONE, ONE.rstrip(b"\n")])
def test_empty_lines_around_blocks_and_a_missing_last_newline_are_fine(text: bytes) -> None:
    assert set(read_pem(text)) == {DER}


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\n", id="only an empty line"),
        pytest.param(b"Bag attributes\n" + ONE, id="text before"),
        pytest.param(ONE + b"text\n" + ONE, id="text between"),
        pytest.param(ONE + b"text", id="text behind"),
        pytest.param(ONE + b" ", id="space behind"),
        pytest.param(ONE + b"\0", id="zero behind"),
        pytest.param(ONE.replace(b"\n", b"\r\n"), id="carriage returns"),
        pytest.param(ONE.replace(b"CERTIFICATE", b"X509 CRL"), id="another label"),
        pytest.param(ONE + write_pem(DER, "PRIVATE KEY"), id="a second block with another label"),
        pytest.param(ONE.replace(b"END CERTIFICATE", b"END CERT"), id="labels that differ"),
        pytest.param(ONE[:-10], id="cut off"),
        pytest.param(LONG.replace(b"\n", b"", 1), id="no line break behind BEGIN"),
        pytest.param(LONG.replace(b"AAECAwQF", b"AAEC\nAwQF"), id="a short line in the middle"),
        pytest.param(LONG.replace(b"AAECAwQF", b"AAEC AwQF"), id="a space in the body"),
        pytest.param(b"-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n", id="an empty body"),
    ],
)
def test_ac56_anything_but_blocks_is_refused(text: bytes) -> None:
    with pytest.raises(Malformed, match="PEM") as refused:
        read_pem(text)
    assert refused.value.category is Category.MALFORMED


@pytest.mark.parametrize("body", [b"MAMCAQd=", b"MAMCAQ==c", b"MAMCAQ=", b"=", b"MAMCAQc", b"A==="])
def test_ac87_base64_in_another_form_is_refused(body: bytes) -> None:
    with pytest.raises(Malformed, match="base64"):
        read_pem(b"-----BEGIN CERTIFICATE-----\n" + body + b"\n-----END CERTIFICATE-----\n")


def test_too_much_is_refused_before_it_is_read() -> None:
    assert read_pem(ONE.ljust(64 * 1024, b"\n")) == (DER,)
    with pytest.raises(Malformed, match="at most 65536 bytes, got 65537") as refused:
        read_pem(bytes(MAXIMUM_PEM + 1))
    assert refused.value.category is Category.SIZE_LIMIT


def test_too_many_blocks_are_refused() -> None:
    assert len(read_pem(ONE * MAXIMUM_BLOCKS)) == MAXIMUM_BLOCKS
    with pytest.raises(Malformed, match="1 to 16 CERTIFICATE blocks, got 17") as refused:
        read_pem(ONE * (MAXIMUM_BLOCKS + 1))
    assert refused.value.category is Category.SIZE_LIMIT


def test_a_private_key_given_by_mistake_is_not_repeated_in_the_message() -> None:
    with pytest.raises(Malformed, match=r"got b'-----BEGIN PRIVATE KEY-----'$"):
        read_pem(write_pem(DER, "PRIVATE KEY"))


@pytest.mark.parametrize("block", [LONG.replace(b"\n-----END", b"-----END"), LONG[:-30]])
def test_a_block_that_is_damaged_inside_is_said_to_be_so(block: bytes) -> None:
    with pytest.raises(
        Malformed, match=f"^PEM at offset {len(ONE)}: expected lines of 64 base64 characters, .* got others$"
    ):
        read_pem(ONE + block)


def test_a_certificate_comes_as_der_or_pem() -> None:
    assert certificates(DER) == (DER,)
    assert certificates(ONE + ONE) == (DER, DER)
    with pytest.raises(Malformed, match="expected a CERTIFICATE block"):
        certificates(b"neither")


@given(st.binary(max_size=200))
def test_any_bytes_give_blocks_or_malformed(data: bytes) -> None:
    for text in (data, b"-----BEGIN CERTIFICATE-----\n" + data + b"\n-----END CERTIFICATE-----\n"):
        with suppress(Malformed):
            assert certificates(text)


@given(data=st.data())
def test_one_changed_byte_is_refused_or_changes_what_is_read_or_is_an_empty_line(data: st.DataObject) -> None:
    changed = bytearray(LONG + ONE)
    at = data.draw(st.integers(0, len(changed) - 1))
    changed[at] ^= 1 << data.draw(st.integers(0, 7))
    try:
        found = read_pem(bytes(changed))
    except Malformed:
        return
    assert found != (bytes(range(256)), DER)


def test_the_files_that_clouds_hand_out_are_read(recorded: Path) -> None:
    files = [path for path in recorded.glob("cloud/*/**/*.pem") if path.name != "akpub.pem"]
    for path in files:
        for der in certificates(path.read_bytes()):
            assert base64.b64encode(read_certificate(der).der)
    assert files


# --- cut apart at once ------------------------------------------------------------------------------------------------

CHAIN = write_pem(bytes(range(256)) * 2) + write_pem(bytes(144)) + write_pem(DER)


def decoded(texts: list[bytes] | None) -> list[bytes] | None:
    """What the blocks hold; None where there is none, or one that is no base64."""
    try:
        return None if texts is None else [pem._decode(text) for text in texts]
    except Malformed:
        return None


def block_by_block(data: bytes) -> list[bytes] | None:
    try:
        return decoded(pem._texts(data, "CERTIFICATE"))
    except Malformed:
        return None


def test_blocks_without_anything_between_them_are_cut_apart_at_once() -> None:
    for text in (ONE, LONG, CHAIN):
        found = decoded(pem._texts_at_once(text, b"CERTIFICATE"))
        assert found
        assert found == block_by_block(text)


@pytest.mark.parametrize("text", [ONE, CHAIN], ids=["one", "a chain"])
def test_nothing_is_read_at_once_that_is_refused_or_read_otherwise_block_by_block(text: bytes) -> None:
    at_once = 0
    for changed in changes(text):
        found = decoded(pem._texts_at_once(changed, b"CERTIFICATE"))
        if found:
            at_once += 1
            assert found == block_by_block(changed)
    assert at_once > 0


@pytest.mark.parametrize(
    "text", [b"", b"\n" + ONE, ONE + b"\n" + ONE, ONE.rstrip(b"\n"), b"-----BEGIN CERTIFICATE-----\n"]
)
def test_what_is_written_otherwise_is_left_to_the_reader_of_blocks(text: bytes) -> None:
    assert not pem._texts_at_once(text, b"CERTIFICATE")
