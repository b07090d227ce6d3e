"""Messages of the quote generation service are built and read as Intel's library does."""

import pytest

from cvmproof_formats.errors import Malformed
from cvmproof_simulator.devices.qgs_messages import Header, build_error, build_request, build_response, read_request

REPORT = bytes(range(256)) * 4


def test_a_request_has_1048_bytes() -> None:
    message = build_request(REPORT)
    assert message[:24] == bytes.fromhex("01000100 00000000 18040000 00000000 00040000 00000000")
    assert len(message) == 1048
    assert read_request(message) == REPORT


@pytest.mark.parametrize("size", [*range(24), 24, 1047])
def test_a_request_cut_short_is_refused(size: int) -> None:
    with pytest.raises(Malformed):
        read_request(build_request(REPORT)[:size])


def test_a_response_says_how_long_it_and_its_quote_are() -> None:
    message = build_response(b"quote")
    assert Header.parse(message[:16]) == Header(major=1, minor=1, type=1, size=29, error_code=0)
    assert message[16:] == bytes.fromhex("00000000 05000000") + b"quote"


def test_an_error_has_a_code_and_no_quote() -> None:
    message = build_error(7)
    assert (Header.parse(message[:16]).error_code, message[16:]) == (7, bytes(8))
