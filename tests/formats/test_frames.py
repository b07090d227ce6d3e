"""Frames: a length, a message, and not a byte more."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvmproof_formats.errors import Category, Malformed
from cvmproof_formats.frames import message_size, read_frame, write_frame


@given(st.binary(max_size=300), st.binary(max_size=10), st.integers(1, 7))
def test_a_message_comes_back_and_nothing_behind_it_is_read(message: bytes, behind: bytes, step: int) -> None:
    stream = io.BytesIO(write_frame(message, limit=300) + behind)
    assert read_frame(lambda size: stream.read(min(size, step)), limit=300) == message
    assert stream.read() == behind


def test_a_frame_is_a_length_of_four_bytes_and_the_message() -> None:
    assert write_frame(b"abc", limit=3) == b"\0\0\0\x03abc"
    assert write_frame(b"", limit=0) == b"\0\0\0\0"


def test_a_message_of_the_limit_passes_and_one_more_byte_does_not() -> None:
    assert len(write_frame(bytes(256), limit=256)) == 260
    with pytest.raises(Malformed, match="at most 256 bytes of message, got 257") as caught:
        write_frame(bytes(257), limit=256)
    assert caught.value.category is Category.SIZE_LIMIT


@pytest.mark.parametrize("size", [257, 65536, 2**31, 2**32 - 1])
def test_ac_111_too_much_is_refused_before_any_of_it_is_read(size: int) -> None:
    stream = io.BytesIO(size.to_bytes(4, "big") + bytes(300))
    with pytest.raises(Malformed, match=f"got {size}") as caught:
        read_frame(stream.read, limit=256)
    assert caught.value.category is Category.SIZE_LIMIT
    assert stream.tell() == 4


@pytest.mark.parametrize("cut", range(7))
def test_a_stream_that_ends_too_early_is_malformed(cut: int) -> None:
    with pytest.raises(Malformed, match="before the connection ended"):
        read_frame(io.BytesIO(write_frame(b"abc", limit=3)[:cut]).read, limit=3)


@pytest.mark.parametrize("header", [b"", b"\0\0\0", b"\0\0\0\0\0"])
def test_a_header_has_four_bytes(header: bytes) -> None:
    with pytest.raises(Malformed, match="expected a header of 4 bytes"):
        message_size(header, limit=10)
