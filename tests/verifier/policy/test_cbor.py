"""CBOR as RFC 8949 has it: what we read, and that nothing else is read, cut off, filled in or waited for."""

import time
from collections.abc import Mapping

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvmproof.policy.cbor import DEEPEST, CborItem, CborReader
from cvmproof_formats.errors import Category, Malformed

KEYS = st.integers(-(2**64), 2**64 - 1) | st.text(max_size=9) | st.binary(max_size=9)
ITEMS = st.recursive(
    KEYS | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)


def read(data: bytes) -> CborItem:
    reader = CborReader(data, what="item")
    item = reader.item()
    reader.end()
    return item


def plain(item: CborItem) -> object:
    if isinstance(item, Mapping):
        return {key: plain(value) for key, value in item.items()}
    return [plain(value) for value in item] if isinstance(item, tuple) else item


@given(ITEMS)
def test_what_another_library_writes_is_read_as_it_was_meant(item: object) -> None:
    assert plain(read(cbor2.dumps(item))) == item


@given(st.binary(max_size=64))
def test_ac_106_any_bytes_are_read_as_another_library_reads_and_writes_them_or_refused(data: bytes) -> None:
    try:
        item = read(data)
    except Malformed:
        return
    assert cbor2.dumps(plain(item)) == data
    assert cbor2.loads(data) == plain(item)


@pytest.mark.parametrize(
    "spelling",
    [
        "1817",  # 23 in two bytes
        "190001",
        "190017",
        "1a0000ffff",
        "1b00000000ffffffff",
        "3817",
        "5801ff",
        "780161",
        "980100",
        "b8010000",
        "590001ff",
        "5b0000000000000001ff",
    ],
)
def test_ac_106_a_number_or_length_that_is_not_the_shortest_is_refused(spelling: str) -> None:
    with pytest.raises(Malformed, match="shortest form"):
        read(bytes.fromhex(spelling))


@pytest.mark.parametrize("spelling", ["5f40ff", "7f60ff", "9f00ff", "bf0000ff", "ff", "1c", "3d", "5e", "fc"])
def test_ac_106_indefinite_lengths_and_reserved_bytes_are_refused(spelling: str) -> None:
    with pytest.raises(Malformed):
        read(bytes.fromhex(spelling))


@pytest.mark.parametrize("spelling", ["a200000001", "a2616100616101", "a2404040f6", "a3000001010002"])
def test_ac_106_a_key_that_stands_twice_is_refused(spelling: str) -> None:
    with pytest.raises(Malformed, match="each key of a map once"):
        read(bytes.fromhex(spelling))


@pytest.mark.parametrize(
    "spelling", ["a1f500", "a1f600", "a1f97e0000", "a1800000", "a1a000", "a1c00000", "a1fb7ff800000000000000"]
)
def test_ac_106_a_key_is_an_integer_or_a_string(spelling: str) -> None:
    with pytest.raises(Malformed):
        read(bytes.fromhex(spelling))


@pytest.mark.parametrize("spelling", ["d81c80", "d81d00", "c11a00000000", "c240", "d9d9f700", "d8238161", "d9010280"])
def test_ac_106_tags_are_refused_where_none_is_asked_for(spelling: str) -> None:
    with pytest.raises(Malformed, match="got tag"):
        read(bytes.fromhex(spelling))


@pytest.mark.parametrize("spelling", ["f97e00", "fa00000000", "fb3ff0000000000000", "f7", "f800", "f8ff", "e0", "f0"])
def test_floating_point_numbers_and_other_simple_values_are_refused(spelling: str) -> None:
    with pytest.raises(Malformed):
        read(bytes.fromhex(spelling))


@pytest.mark.parametrize("head", ["5b", "7b", "9b", "bb"])
@pytest.mark.parametrize("length", ["7fffffffffffffff", "8000000000000000", "ffffffffffffffff", "0000000100000000"])
def test_ac_106_a_length_beyond_the_data_is_refused_at_once(head: str, length: str) -> None:
    started = time.monotonic()
    with pytest.raises(Malformed, match="bytes more"):
        read(bytes.fromhex(head + length) + bytes(100))
    assert time.monotonic() - started < 10


@pytest.mark.parametrize("opening", [b"\x81", b"\xa1\x00", b"\x82\x00"])
def test_ac_106_containers_a_hundred_thousand_deep_are_refused(opening: bytes) -> None:
    with pytest.raises(Malformed, match="in each other") as caught:
        read(opening * 100_000)
    assert caught.value.category is Category.SIZE_LIMIT


def test_containers_may_stand_in_each_other_so_deep_and_no_deeper() -> None:
    assert read(b"\x81" * DEEPEST + b"\0") == ((((((((0,),),),),),),),)
    with pytest.raises(Malformed, match="in each other"):
        read(b"\x81" * (DEEPEST + 1) + b"\0")


@given(ITEMS, st.binary(min_size=1, max_size=3))
def test_ac_106_trailing_bytes_are_refused(item: object, more: bytes) -> None:
    with pytest.raises(Malformed, match="expected its end"):
        read(cbor2.dumps(item) + more)


@given(ITEMS)
def test_ac_106_an_item_cut_short_is_refused(item: object) -> None:
    data = cbor2.dumps(item)
    for size in range(len(data)):
        with pytest.raises(Malformed):
            read(data[:size])


def test_text_is_utf_8() -> None:
    with pytest.raises(Malformed, match="UTF-8"):
        read(b"\x62\xc3\x28")
