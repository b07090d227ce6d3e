"""GetQuote's buffer: what drivers before configfs-tsm take and give back, and nothing that a host wrote is believed."""

import contextlib
import ctypes
import errno

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.agent.devices.tdx.test_qgs_message import answer

from cvmproof_agent.devices.tdx.abi import QuoteBuffer, QuoteRequest
from cvmproof_agent.devices.tdx.qgs_message import write_frame
from cvmproof_agent.devices.tdx.quote_ioctl import VENDORS, buffer_with, quote_by_ioctl, quote_in
from cvmproof_formats.errors import CvmproofError, DeviceError, Malformed


def filled(content: bytes, *, status: int = 0, size: int | None = None) -> QuoteBuffer:
    buffer = buffer_with(content)
    buffer.status, buffer.out_len = status, len(content) if size is None else size
    return buffer


def test_a_request_says_its_version_and_length() -> None:
    buffer = buffer_with(b"abc")
    assert (buffer.version, buffer.status, buffer.in_len, buffer.out_len) == (1, 0, 3, 0)
    assert bytes(buffer.data)[:4] == b"abc\0"


def test_a_quote_is_bare_or_in_a_message() -> None:
    assert quote_in(filled(b"quote"), framed=False) == b"quote"
    assert quote_in(filled(write_frame(answer())), framed=True) == b"quote"


@pytest.mark.parametrize(
    ("status", "why"),
    [
        (0xFFFFFFFFFFFFFFFF, "0xffffffffffffffff, still under way"),
        (0x8000000000000000, "0x8000000000000000, error"),
        (0x8000000000000001, "quote generation service is not available"),
        (5, "0x5, which is unknown here"),
    ],
)
def test_a_status_is_the_hosts_and_spelled_out(status: int, why: str) -> None:
    with pytest.raises(DeviceError, match=why):
        quote_in(filled(b"quote", status=status), framed=False)


@pytest.mark.parametrize(
    "wrong",
    [
        filled(b"quote", size=16361),
        filled(b"quote", size=0xFFFFFFFF),
        filled(b""),
        filled(b"\0\0"),
        filled(write_frame(answer())[:-1]),
        filled(b"\xff" * 64),
    ],
)
def test_a_buffer_that_lies_is_malformed(wrong: QuoteBuffer) -> None:
    with pytest.raises(Malformed):
        quote_in(wrong, framed=True)


@given(st.binary(max_size=100), st.integers(0, 0xFFFFFFFF), st.booleans())
def test_any_buffer_gives_a_quote_or_our_error(content: bytes, size: int, framed: bool) -> None:
    with contextlib.suppress(CvmproofError):
        quote_in(filled(content, size=size), framed=framed)


class Driver:
    """Refuses what it doesn't know, and answers with a buffer that a test made."""

    path = "/dev/x"

    def __init__(self, knows: int, answers: QuoteBuffer | None = None, number: int = errno.ENOTTY) -> None:
        self.knows, self.answers, self.number, self.asked = knows, answers, number, list[int]()

    def ask(self, request: int, argument: ctypes.Structure) -> None:
        assert isinstance(argument, QuoteRequest)
        self.asked.append(request)
        if request != self.knows or self.answers is None:
            raise OSError(self.number, "no")
        ctypes.memmove(argument.buf, ctypes.addressof(self.answers), ctypes.sizeof(self.answers))


@pytest.mark.parametrize("number", [errno.ENOTTY, errno.EINVAL])
@pytest.mark.parametrize("at", [0, 1, 2])
def test_the_first_call_that_the_driver_knows_is_taken(number: int, at: int) -> None:
    framed = VENDORS[at].framed
    driver = Driver(VENDORS[at].request, filled(write_frame(answer()) if framed else b"quote"), number)
    assert quote_by_ioctl(driver, VENDORS, bytes(1024)) == b"quote"  # type: ignore[arg-type]  # as good as a node
    assert driver.asked == [call.request for call in VENDORS[: at + 1]]


def test_a_driver_that_knows_none_has_none() -> None:
    assert quote_by_ioctl(Driver(0), VENDORS, bytes(1024)) is None  # type: ignore[arg-type]  # as above


def test_another_refusal_ends_it() -> None:
    driver = Driver(0, number=errno.EBUSY)
    with pytest.raises(OSError, match="no"):
        quote_by_ioctl(driver, VENDORS, bytes(1024))  # type: ignore[arg-type]  # as above
    assert len(driver.asked) == 1


def test_an_answer_that_is_no_message_is_the_devices_fault() -> None:
    driver = Driver(VENDORS[0].request, filled(b"\xff" * 64))
    with pytest.raises(DeviceError, match="/dev/x: GET_QUOTE: what it returned is no quote"):
        quote_by_ioctl(driver, VENDORS, bytes(1024))  # type: ignore[arg-type]  # as above
