"""The host's quote generation service may refuse, hang and lie; each is a clear error, within its time."""

import errno
import os
import socket
import threading
import time
from pathlib import Path

import pytest
from tests.agent.devices.tdx.quoting import Answering, dribbles, hangs, says, sends, service
from tests.agent.devices.tdx.test_qgs_message import answer
from tests.agent.machine import SOON

from cvmproof_agent.devices.tdx.qgs_message import MESSAGE_LIMIT, write_frame, write_quote_request
from cvmproof_agent.devices.tdx.quote_service import QuoteService, Unreachable, read_port
from cvmproof_formats.errors import DeviceError

TDREPORT = bytes(range(256)) * 4


def test_a_tdreport_goes_out_and_a_quote_comes_back(tmp_path: Path) -> None:
    with service(says(answer(b"q" * 9000))) as host:
        assert QuoteService(host.connect, configuration=str(tmp_path / "none")).quote(TDREPORT) == b"q" * 9000
    assert host.requests == [write_quote_request(TDREPORT)]
    assert host.ports == [4050]


def test_an_answer_may_come_byte_by_byte() -> None:
    gate = threading.Event()
    gate.set()
    with service(dribbles(write_frame(answer()), gate)) as host:
        assert QuoteService(host.connect).quote(TDREPORT) == b"quote"


@pytest.mark.parametrize(
    ("answering", "why"),
    [
        (sends(b""), "expected 4 bytes, got 0 before it hung up"),
        (sends(b"\0\0"), "expected 4 bytes, got 2 before it hung up"),
        (sends(write_frame(answer())[:-1]), "expected 29 bytes, got 28 before it hung up"),
        (sends(b"\xff" * 4), f"expected at most {MESSAGE_LIMIT} bytes, got 4294967295"),
        (sends(bytes(4)), "at least 16 bytes, got one of 0"),
        (says(answer(kind=0)), "got type 0"),
        (says(answer(quote_size=0xFFFFFFFF)), "quote: expected 4294967295 bytes"),
        (says(answer(b"", error=0x11001)), "it refused, with error 0x11001"),
    ],
)
def test_ac_120_a_service_that_refuses_or_lies_is_a_clear_error(answering: Answering, why: str) -> None:
    with service(answering) as host, pytest.raises(DeviceError, match=why):
        QuoteService(host.connect).quote(TDREPORT)


@pytest.mark.parametrize("data", [b"", b"\0\0", write_frame(answer())[:-1]])
def test_ac_120_a_service_that_hangs_costs_its_time_and_no_more(data: bytes) -> None:
    started = time.monotonic()
    with service(hangs(data)) as host, pytest.raises(DeviceError, match="no answer in time"):
        QuoteService(host.connect, seconds=0.2).quote(TDREPORT)
    assert time.monotonic() - started < SOON


def test_ac_120_a_service_that_dribbles_has_one_deadline_for_all_of_it() -> None:
    slow = dribbles(write_frame(answer(bytes(1000))), threading.Event())
    with service(slow) as host, pytest.raises(DeviceError, match="no answer in time"):
        QuoteService(host.connect, seconds=0.3).quote(TDREPORT)


@pytest.mark.parametrize("number", [errno.ECONNREFUSED, errno.ENODEV, errno.ECONNRESET, errno.EAFNOSUPPORT])
def test_nobody_there_says_where_and_what_to_do(number: int) -> None:
    def connect(port: int, *, seconds: float) -> socket.socket:
        raise OSError(number, os.strerror(number))

    with pytest.raises(Unreachable, match="vsock 2:4050: connect: ") as caught:
        QuoteService(connect).quote(TDREPORT)
    assert (caught.value.call, caught.value.errno) == ("connect", number)
    assert "qgsd" in caught.value.hint


def test_no_connection_in_time_is_nobody_there() -> None:
    def connect(port: int, *, seconds: float) -> socket.socket:
        raise TimeoutError

    with pytest.raises(Unreachable, match="connect: no answer in time"):
        QuoteService(connect).quote(TDREPORT)


def test_ac_118_nothing_stays_open_whatever_the_service_does() -> None:
    def count() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    before = count()
    for answering in (sends(b""), hangs(), says(answer(kind=7)), says(answer())):
        with service(answering) as host:
            try:
                QuoteService(host.connect, seconds=0.1).quote(TDREPORT)
            except DeviceError:
                continue
    assert count() == before


@pytest.mark.parametrize(
    ("text", "port"),
    [
        ("port=4050\n", 4050),
        ("# port=1\n port = 5000 \n", 5000),
        ("port=6000 # the host's\nport=7000\n", 6000),
        ("", 4050),
        ("host=2\n", 4050),
        ("port=65535", 65535),
    ],
)
def test_the_port_is_read_as_intels_library_does(tmp_path: Path, text: str, port: int) -> None:
    (tmp_path / "conf").write_text(text)
    assert read_port(str(tmp_path / "conf")) == port


@pytest.mark.parametrize(
    "text", ["port=0", "port=65536", "port=", "port=-1", "port=x", "port=4 0", "port=\xff", "port=0x10"]
)
def test_a_port_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "conf").write_text(text, "latin-1")
    with pytest.raises(DeviceError, match="port: expected a number from 1 to 65535"):
        read_port(str(tmp_path / "conf"))


def test_a_configuration_that_can_not_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DeviceError) as caught:
        read_port(str(tmp_path))
    assert caught.value.errno == errno.EISDIR
