"""Strict DER: what is written is read back, and no other encoding of it is."""

from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvmproof_formats import der
from cvmproof_formats.errors import Malformed

CONTENTS = (0, 1, 0x7F, 0x80, 0xFF, 0x100, 0xFFFF, 0x10000)


def read_octets(data: bytes, offset: int, end: int) -> tuple[int, int]:
    return der.expect(data, offset, end, der.OCTET_STRING, "octets")


either_way = pytest.mark.parametrize("read", [der.read, read_octets])


@pytest.mark.parametrize("size", CONTENTS)
def test_what_is_written_is_read_back_at_any_length(size: int) -> None:
    data = der.octet_string(b"x" * size)
    assert der.read(data, 0, len(data)) == (der.OCTET_STRING, len(data) - size, len(data))


@pytest.mark.parametrize("size", CONTENTS)
def test_an_element_that_is_expected_is_found_behind_others_and_before_more(size: int) -> None:
    data = der.octet_string(b"x" * size)
    assert read_octets(b"ab" + data + b"cd", 2, 4 + len(data)) == (2 + len(data) - size, 2 + len(data))


@either_way
@pytest.mark.parametrize("size", CONTENTS)
def test_an_element_cut_short_anywhere_near_its_ends_is_refused(size: int, read: Callable[..., object]) -> None:
    data = der.octet_string(b"x" * size)
    for end in {*range(min(6, len(data))), len(data) - 1}:
        with pytest.raises(Malformed, match="DER at offset"):
            read(data, 0, end)


@either_way
@pytest.mark.parametrize(
    "data",
    [
        b"\x04\x81\x7f" + bytes(127),  # fits one byte
        b"\x04\x82\x00\x80" + bytes(128),  # leading zero
        b"\x04\x83\x00\x01\x00" + bytes(256),
    ],
)
def test_a_length_that_is_not_the_shortest_is_refused(data: bytes, read: Callable[..., object]) -> None:
    with pytest.raises(Malformed, match="not in its shortest form"):
        read(data, 0, len(data))


@either_way
@pytest.mark.parametrize(
    "data", [b"\x04\x80\x00\x00", b"\x04\x84\x01\x00\x00\x00", b"\x04\xff" + b"\1" * 127, b"\x04\x82\x01"]
)
def test_a_length_that_is_indefinite_too_long_or_cut_off_is_refused(data: bytes, read: Callable[..., object]) -> None:
    with pytest.raises(Malformed, match="definite length of up to 3 bytes"):
        read(data, 0, len(data))


def test_a_high_tag_number_is_refused() -> None:
    with pytest.raises(Malformed, match="tag number below 31, got tag 0x1f"):
        der.read(b"\x1f\x01\x00", 0, 3)


def test_another_tag_is_refused_with_the_name_of_what_was_expected() -> None:
    with pytest.raises(Malformed, match="serial at offset 0: expected tag 0x02, got 0x04"):
        der.expect(der.octet_string(b"\x01"), 0, 3, der.INTEGER, "serial")


def test_bytes_behind_the_only_element_are_refused() -> None:
    data = der.null()
    assert der.only(data, 0, 2, der.NULL, "null") == (2, 2)
    with pytest.raises(Malformed, match="null: expected 2 bytes, got 1 more"):
        der.only(data + b"\0", 0, 3, der.NULL, "null")


@given(st.integers(min_value=0, max_value=1 << 200))
def test_integers_come_back(value: int) -> None:
    assert der.read_integer(der.integer(value)[2:], "number") == value


@given(st.integers(min_value=-(1 << 64), max_value=-1))
def test_negative_integers_are_refused(value: int) -> None:
    data = der.integer(value)
    assert int.from_bytes(data[2:], "big", signed=True) == value
    with pytest.raises(Malformed, match="non-negative"):
        der.read_integer(data[2:], "number")


@pytest.mark.parametrize(
    ("content", "why"),
    [(b"", "no content"), (b"\x00\x00", "shortest"), (b"\x00\x7f", "shortest"), (b"\x80", "negative")],
)
def test_integers_in_another_form_are_refused(content: bytes, why: str) -> None:
    with pytest.raises(Malformed, match=why):
        der.read_integer(content, "number")


@pytest.mark.parametrize(("value", "content"), [(0, b"\0"), (127, b"\x7f"), (128, b"\0\x80"), (-1, b"\xff")])
def test_integers_are_written_in_their_shortest_form(value: int, content: bytes) -> None:
    assert der.integer(value) == der.tlv(der.INTEGER, content)
    assert der.integer(-128) == b"\x02\x01\x80"


def test_booleans_are_00_or_ff_and_nothing_else() -> None:
    for value in (True, False):
        assert der.read_boolean(der.boolean(value)[2:], "flag") is value
    for content in (b"", b"\x01", b"\xff\xff", b"\xfe"):
        with pytest.raises(Malformed, match="flag: expected a BOOLEAN"):
            der.read_boolean(content, "flag")


def test_bit_strings_have_whole_bytes() -> None:
    assert der.read_bit_string(der.bit_string(b"ab")[2:], "key") == b"ab"
    for content in (b"", b"\x01a", b"\x08a"):
        with pytest.raises(Malformed, match="key: expected a BIT STRING of whole bytes"):
            der.read_bit_string(content, "key")


@pytest.mark.parametrize(
    "dotted", ["0.0", "0.39", "1.2.840.113549.1.1.10", "2.5.29.19", "2.999.3", "1.3.6.1.4.1.3704.1.3.9", "2.47.127.128"]
)
def test_object_identifiers_come_back(dotted: str) -> None:
    assert der.read_oid(der.oid(dotted)[2:]) == dotted


@pytest.mark.parametrize("content", [b"", b"\x80\x01", b"\x2a\x80\x01", b"\x2a\x86", bytes(33)])
def test_object_identifiers_in_another_form_are_refused(content: bytes) -> None:
    with pytest.raises(Malformed, match="OBJECT IDENTIFIER"):
        der.read_oid(content)


@pytest.mark.parametrize(
    ("moment", "text"),
    [
        (datetime(1950, 1, 1, tzinfo=UTC), b"500101000000Z"),
        (datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC), b"491231235959Z"),
        (datetime(2050, 1, 1, tzinfo=UTC), b"20500101000000Z"),
        (datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC), b"99991231235959Z"),
    ],
)
def test_times_take_the_type_of_their_year(moment: datetime, text: bytes) -> None:
    data = der.time(moment)
    assert data[2:] == text
    assert der.read_time(data[0], data[2:], "time") == moment


def test_times_are_written_in_utc() -> None:
    east = timezone(timedelta(hours=2))
    assert der.time(datetime(2026, 1, 1, 1, 30, tzinfo=east)) == der.tlv(der.UTC_TIME, b"251231233000Z")


@pytest.mark.parametrize(
    ("tag", "text"),
    [
        (der.UTC_TIME, b"2601010000Z"),
        (der.UTC_TIME, b"260101000000"),
        (der.UTC_TIME, b"2601010000000"),
        (der.UTC_TIME, b"260101000000z"),
        (der.UTC_TIME, b"260101000000+0000"),
        (der.UTC_TIME, b"-60101000000Z"),
        (der.UTC_TIME, b"260230000000Z"),
        (der.UTC_TIME, b"260101000060Z"),
        (der.UTC_TIME, b"261301000000Z"),
        (der.UTC_TIME, b"20500101000000Z"),
        (der.UTC_TIME, b""),
        (der.GENERALIZED_TIME, b"20260101000000Z"),
        (der.GENERALIZED_TIME, b"20500101000000.5Z"),
        (der.GENERALIZED_TIME, b"500101000000Z"),
        (der.OCTET_STRING, b"260101000000Z"),
    ],
)
def test_times_in_another_form_are_refused(tag: int, text: bytes) -> None:
    with pytest.raises(Malformed, match="notAfter"):
        der.read_time(tag, text, "notAfter")


def test_sets_are_sorted_and_structures_nest() -> None:
    assert der.set_of(b"\x02\x01\x02", b"\x02\x01\x01") == bytes.fromhex("3106020101020102")
    assert der.explicit(3, der.sequence(der.utf8("é"), der.printable("US"), der.ia5_string("a"))) == bytes.fromhex(
        "a30d300b0c02c3a9130255531601" + "61"
    )


@pytest.mark.parametrize(
    "reader",
    [
        lambda data: der.read(data, 0, len(data)),
        lambda data: der.read_integer(data, "x"),
        lambda data: der.read_boolean(data, "x"),
        lambda data: der.read_bit_string(data, "x"),
        der.read_oid,
        lambda data: der.read_time(der.UTC_TIME, data, "x"),
        lambda data: der.read_time(der.GENERALIZED_TIME, data, "x"),
    ],
)
@given(data=st.binary(max_size=40))
def test_any_bytes_give_a_value_or_malformed(reader: Callable[[bytes], object], data: bytes) -> None:
    with suppress(Malformed):
        reader(data)
