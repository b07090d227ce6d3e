"""The layout mechanism: one declaration that parses and builds, and refuses what it does not cover."""

from dataclasses import FrozenInstanceError, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvmproof_formats.errors import Malformed
from cvmproof_formats.layout import Layout, raw, structure, uint


@structure(name="SAMPLE", size=32)
class Sample(Layout):
    version: int = uint(0, 1)
    small: int = uint(2, 2)
    word: int = uint(4, 4)
    long: int = uint(8, 8)
    name: bytes = raw(16, 5)
    late: int = uint(24, 2, since=3)
    later: bytes = raw(26, 2, since=4, default=b"\1\1")


BLANK = Sample.parse(bytes(32))

samples = st.builds(
    Sample,
    version=st.integers(4, 255),
    small=st.integers(0, 0xFFFF),
    word=st.integers(0, 0xFFFFFFFF),
    long=st.integers(0, (1 << 64) - 1),
    name=st.binary(min_size=5, max_size=5),
    late=st.integers(0, 0xFFFF),
    later=st.binary(min_size=2, max_size=2),
)


@given(samples)
def test_what_is_built_is_parsed_and_the_reverse(sample: Sample) -> None:
    data = sample.build()
    assert len(data) == 32
    assert Sample.parse(data) == sample
    assert Sample.parse(data).build() == data


@given(st.binary(min_size=30, max_size=34))
def test_any_bytes_are_a_structure_that_builds_them_again_or_malformed(data: bytes) -> None:
    try:
        sample = Sample.parse(data)
    except Malformed:
        return
    assert sample.build() == data


def test_integers_are_little_endian_and_fields_stand_where_they_were_declared() -> None:
    data = Sample(
        version=9, small=0x0102, word=0x03040506, long=0x0708, name=b"abcde", late=0x0A0B, later=b"xy"
    ).build()
    assert data == bytes.fromhex("09 00 0201 06050403 0807000000000000 6162636465 000000 0b0a 7879 00000000")


@pytest.mark.parametrize("offset", [1, 21, 22, 23, 28, 31])
def test_every_byte_that_no_field_covers_is_reserved(offset: int) -> None:
    data = bytearray(replace(BLANK, version=4).build())
    assert Sample.parse(bytes(data))
    data[offset] = 0x80
    with pytest.raises(Malformed, match=f"SAMPLE: reserved byte at {offset:#x}: expected 0, got 0x80"):
        Sample.parse(bytes(data))


@pytest.mark.parametrize(
    ("version", "late", "later", "good"),
    [(2, 0, b"\0\0", True), (2, 1, b"\0\0", False), (2, 0, b"\0\1", False), (3, 1, b"\0\0", True),
     (3, 1, b"\1\0", False), (4, 1, b"\1\1", True), (255, 1, b"\1\1", True)],
)  # fmt: skip
def test_a_field_that_came_later_is_reserved_before(version: int, late: int, later: bytes, good: bool) -> None:
    data = replace(BLANK, version=version, late=late, later=later).build()
    if good:
        assert Sample.parse(data).late == late
    else:
        with pytest.raises(Malformed, match=f"SAMPLE version {version} .*came with"):
            Sample.parse(data)


@pytest.mark.parametrize("size", [0, 31, 33, 64])
def test_the_length_is_exact(size: int) -> None:
    with pytest.raises(Malformed, match=f"SAMPLE: expected 32 bytes, got {size}"):
        Sample.parse(bytes(size))


def test_a_value_that_does_not_fit_is_not_written() -> None:
    for wrong in (replace(BLANK, small=1 << 16), replace(BLANK, word=-1), replace(BLANK, long=1 << 64)):
        with pytest.raises(Malformed, match="SAMPLE"):
            wrong.build()
    for name in (b"", b"abcd", b"abcdef"):
        with pytest.raises(Malformed, match=r"SAMPLE.name: expected 5 bytes"):
            replace(BLANK, name=name).build()


def test_a_structure_is_a_value() -> None:
    sample = replace(BLANK, version=4)
    assert sample == replace(BLANK, version=4)
    assert replace(sample, small=1) != sample
    assert Sample(version=0, small=0, word=0, long=0, name=bytes(5), late=0, later=b"").later == b""
    with pytest.raises(FrozenInstanceError):
        sample.small = 1  # type: ignore[misc]  # that is the point


def test_fields_are_listed_in_order_of_offset() -> None:
    offsets = [place.offset for _, place in Sample.fields()]
    assert offsets == sorted(offsets) == [0, 2, 4, 8, 16, 24, 26]
    assert (Sample.layout_name, Sample.layout_size) == ("SAMPLE", 32)


def test_overlap_and_overrun_are_refused_when_the_class_is_made() -> None:
    with pytest.raises(ValueError, match=r"BAD.second at 0x3 overlaps"):

        @structure(name="BAD", size=8)
        class Overlap(Layout):
            first: int = uint(0, 4)
            second: int = uint(3, 1)

    with pytest.raises(ValueError, match="fields end at 0x9, the structure at 0x8"):

        @structure(name="BAD", size=8)
        class Overrun(Layout):
            first: bytes = raw(4, 5)

    with pytest.raises(ValueError, match="`since` needs a field called version"):

        @structure(name="BAD", size=8)
        class Versionless(Layout):
            first: int = uint(0, 4, since=2)


def test_a_structure_may_be_covered_whole() -> None:
    @structure(name="WHOLE", size=4)
    class Whole(Layout):
        number: int = uint(0, 4)

    assert Whole.parse(b"\xff" * 4).number == 0xFFFFFFFF
