"""What patterns over DER are put together from."""

import re
from datetime import UTC, datetime

import pytest

from cvmproof_formats import der
from cvmproof_formats.der_pattern import UTC_TIME, explicit_start, extension_start, one_of, utc_time


@pytest.mark.parametrize(
    "digits", [b"260230000000", b"261301000000", b"260101006000", b"260101000060", b"260100000000"]
)
def test_a_day_that_does_not_exist_is_no_time(digits: bytes) -> None:
    assert utc_time(digits[:6], digits[6:]) is None
    assert utc_time(b"260101", b"123456") == datetime(2026, 1, 1, 12, 34, 56, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        (b"260101235959Z", True),
        (b"490101000000Z", True),
        (b"500101000000Z", False),
        (b"260101240000Z", False),
        (b"2601012359590", False),
    ],
)
def test_the_pattern_of_times_counts_hours_and_takes_this_half_of_the_century(text: bytes, fits: bool) -> None:
    assert (re.fullmatch(UTC_TIME, der.tlv(der.UTC_TIME, text)) is not None) is fits


def test_one_of_what_was_written_is_a_group() -> None:
    found = re.fullmatch(one_of((b"a.", b"b|c"), "it") + b"(?P=it)", b"b|cb|c")
    assert found is not None
    assert found["it"] == found[1] == b"b|c"
    assert re.fullmatch(one_of((b"a.", b"b|c")), b"ab") is None


@pytest.mark.parametrize("size", [*range(128, 253), *range(256, 300), 65000])
def test_extensions_begin_as_der_writes_them(size: int) -> None:
    whole = der.explicit(3, der.tlv(der.SEQUENCE, bytes(size)))
    assert explicit_start(size) + bytes(size) == whole


@pytest.mark.parametrize("size", [0, 127, 253, 255])
def test_no_extensions_of_a_size_in_between_are_taken(size: int) -> None:
    assert explicit_start(size) == b""


def test_an_extension_begins_with_its_oid() -> None:
    assert extension_start("2.5.29.15") == bytes.fromhex("0603551d0f")
    assert extension_start("2.5.29.15", critical=True) == bytes.fromhex("0603551d0f0101ff")
