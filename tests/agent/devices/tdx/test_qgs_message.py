"""Messages of the quote generation service: ours are Intel's, and any answer gives a quote or one of our errors."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvmproof_agent.devices.tdx.qgs_message import (
    MESSAGE_LIMIT,
    message_size,
    read_quote_response,
    write_frame,
    write_quote_request,
)
from cvmproof_formats.errors import Category, CvmproofError, DeviceError, Malformed


def answer(
    quote: bytes = b"quote",
    *,
    major: int = 1,
    minor: int = 1,
    kind: int = 1,
    error: int = 0,
    selected: bytes = b"",
    size: int | None = None,
    quote_size: int | None = None,
) -> bytes:
    body = b"".join(
        (
            len(selected).to_bytes(4, "little"),
            (len(quote) if quote_size is None else quote_size).to_bytes(4, "little"),
            selected,
            quote,
        )
    )
    head = major.to_bytes(2, "little") + minor.to_bytes(2, "little") + kind.to_bytes(4, "little")
    return head + (16 + len(body) if size is None else size).to_bytes(4, "little") + error.to_bytes(4, "little") + body


def test_a_request_is_the_one_of_intels_library() -> None:
    message = write_quote_request(bytes(range(256)) * 4)
    assert len(message) == 1048
    assert message[:24].hex() == "0100010000000000180400000000000000040000" + "00000000"
    assert message[24:] == bytes(range(256)) * 4
    assert write_frame(message)[:4] == bytes.fromhex("00000418")


@pytest.mark.parametrize("minor", [0, 1])
@pytest.mark.parametrize("selected", [b"", b"\xe8\x6c" * 8])
def test_the_quote_stands_behind_the_id(minor: int, selected: bytes) -> None:
    assert read_quote_response(answer(minor=minor, selected=selected)) == b"quote"


@pytest.mark.parametrize(
    ("message", "why"),
    [
        (answer(kind=0), "expected message type 1 .* got type 0"),
        (answer(kind=3), "got type 3"),
        (answer(major=2), "of version 2.1"),
        (answer(minor=2), "of version 1.2"),
        (answer(size=28), "expected a message of 28 bytes, got 29"),
        (answer(size=0xFFFFFFFF), "expected a message of 4294967295 bytes"),
        (answer(quote_size=6), "quote: expected 6 bytes"),
        (answer(quote_size=4), "expected its end"),
        (answer(quote_size=0xFFFFFFFF), "quote: expected 4294967295 bytes"),
        (answer()[:15], "header: expected 16 bytes"),
        (answer()[:18], "expected a message of"),
        (b"", "header: expected 16 bytes"),
    ],
)
def test_another_answer_is_malformed(message: bytes, why: str) -> None:
    with pytest.raises(Malformed, match=why):
        read_quote_response(message)


def test_a_refusal_is_the_services_and_says_its_code() -> None:
    with pytest.raises(DeviceError, match="it refused, with error 0x12001"):
        read_quote_response(answer(b"", error=0x12001))


@pytest.mark.parametrize("size", [16, MESSAGE_LIMIT])
def test_a_frame_may_be_as_long_as_a_message(size: int) -> None:
    assert message_size(size.to_bytes(4, "big")) == size


@pytest.mark.parametrize(
    ("header", "category"),
    [
        ((15).to_bytes(4, "big"), Category.MALFORMED),
        (bytes(4), Category.MALFORMED),
        (b"\0\0\1", Category.MALFORMED),
        ((MESSAGE_LIMIT + 1).to_bytes(4, "big"), Category.SIZE_LIMIT),
        (b"\xff" * 4, Category.SIZE_LIMIT),
        ((1048).to_bytes(4, "little"), Category.SIZE_LIMIT),
    ],
)
def test_a_frame_of_another_length_is_refused_before_it_is_read(header: bytes, category: Category) -> None:
    with pytest.raises(Malformed) as caught:
        message_size(header)
    assert caught.value.category is category


@given(st.binary(max_size=200) | st.binary(max_size=60).map(lambda tail: answer()[:20] + tail))
def test_any_bytes_are_a_quote_or_our_error(data: bytes) -> None:
    with contextlib.suppress(CvmproofError):
        assert read_quote_response(data) in data
