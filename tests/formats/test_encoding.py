"""Text forms of bytes: one spelling for each value, and everything else refused."""

import base64
import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvmproof_formats.encoding import read_base64, read_hex, read_json, require_size, write_base64
from cvmproof_formats.errors import Category, Malformed


def json_of(data: bytes) -> object:
    return read_json(data, what="it", limit=10_000_000)


@given(st.binary(max_size=100))
def test_what_is_written_is_read(data: bytes) -> None:
    assert read_base64(write_base64(data), what="it", size=len(data)) == data
    assert read_hex(data.hex(), what="it", size=len(data)) == data
    assert read_hex(data.hex().upper(), what="it") == data


@given(st.text(max_size=24))
def test_base64_has_one_spelling(text: str) -> None:
    try:
        data = read_base64(text, what="it")
    except Malformed:
        return
    assert write_base64(data) == text


@given(st.text(alphabet="0123456789abcdefABCDEFxX _:\u0663\uff11", max_size=12))
def test_hexadecimal_is_digits_and_nothing_else(text: str) -> None:
    try:
        data = read_hex(text, what="it")
    except Malformed:
        return
    assert data.hex() == text.lower()


@pytest.mark.parametrize(
    "text",
    ["QUJDRA", "QUJDRA=", "QUJDRB==", "QUJDRF==", "QUJDRA===", "QUJD RA==", "QUJD\nRA==", " QUJDRA==", "QUJDRA==\n",
     "-_-_", "QUJDRA==QUJD", "=", "Q", "QUJ\u0663", "\u00ff", "QUJDRA%3D", "Q=JD"],
)  # fmt: skip
def test_ac_087_base64_with_junk_or_other_bits_behind_the_last_byte_is_refused(text: str) -> None:
    assert read_base64("QUJDRA==", what="it") == b"ABCD"
    with pytest.raises(Malformed, match=r"it: expected .*base64") as caught:
        read_base64(text, what="it")
    assert caught.value.category is Category.MALFORMED


@pytest.mark.parametrize("text", ["a", "0x0a", "0a 0b", " 0a", "0a\n", "0a:0b", "0g", "\uff10\uff11", "_0a", "+a"])
def test_ac_087_hexadecimal_with_anything_else_is_refused(text: str) -> None:
    with pytest.raises(Malformed, match="it: expected an even number of hexadecimal digits"):
        read_hex(text, what="it")


def test_a_size_is_exact() -> None:
    with pytest.raises(Malformed, match=r"expected 2 bytes \(4 hexadecimal digits\), got 1"):
        read_hex("0a", what="it", size=2)
    with pytest.raises(Malformed, match="expected 3 bytes, got 4"):
        read_base64("QUJDRA==", what="it", size=3)


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"{}x", b"{} {}", b"[1,]", b"{'a':1}", b"NaN", b"Infinity", b"-Infinity", b"[NaN]", b"\xef\xbb\xbf{}",
     b'{"a":1,"a":1}', b'[{"b":{"a":1,"b":2,"a":3}}]', b"\xff", b"{}\x00", b"// x\n{}", b"nul", b"01", b"0x1", b"+1",
     b'"\n"', b'"\\x41"', b"[" * 100_000, b'{"a":' * 100_000, b"9" * 5000, b"\xed\xa0\x80"],
    ids=range(26),
)  # fmt: skip
def test_json_is_strict(data: bytes) -> None:
    with pytest.raises(Malformed, match="it: expected strict JSON") as caught:
        json_of(data)
    assert caught.value.category is Category.MALFORMED


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(), lambda x: st.lists(x) | st.dictionaries(st.text(), x)
    )
)
def test_json_is_read_as_it_was_written(value: object) -> None:
    assert json_of(json.dumps(value).encode()) == value


@given(st.binary(max_size=60))
def test_any_bytes_are_json_or_malformed(data: bytes) -> None:
    try:
        json_of(data)
    except Malformed:
        return


def test_a_repeated_name_among_very_many_is_found_soon() -> None:
    names = [f'"{i}":0' for i in range(200_000)]
    start = time.process_time()
    with pytest.raises(Malformed, match="'199999' stands twice"):
        json_of(("{" + ",".join([*names, names[-1]]) + "}").encode())
    assert time.process_time() - start < 5


def test_a_limit_holds_before_anything_is_read() -> None:
    require_size(b"1234", what="it", limit=4)
    with pytest.raises(Malformed, match="it: expected at most 4 bytes, got 5") as caught:
        require_size(b"12345", what="it", limit=4)
    assert caught.value.category is Category.SIZE_LIMIT
    with pytest.raises(Malformed, match="at most 1 bytes") as caught:
        read_json(b"{{{{", what="it", limit=1)
    assert caught.value.category is Category.SIZE_LIMIT


def test_base64_is_written_in_the_standard_alphabet_with_padding() -> None:
    assert write_base64(b"\xfb\xff\xfe\x00") == base64.b64encode(b"\xfb\xff\xfe\x00").decode() == "+//+AA=="
