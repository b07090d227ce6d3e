"""The quote generation service answers as Intel's does, and fails, hangs and lies on request."""

import socket
import struct
from collections.abc import Iterator

import pytest
from tests.simulator.devices.asking import DATA

from cvmproof_formats.tdx.quote import read_quote
from cvmproof_simulator.devices.harness import Devices
from cvmproof_simulator.devices.qgs_messages import FRAME, Header, build_request
from cvmproof_simulator.machines.tdx import read_tdx

REPORT = read_tdx([]).tdreport(DATA)
REQUEST = build_request(REPORT)
SHORT = 0.2  # seconds to be sure that nothing comes


@pytest.fixture(scope="module")
def server() -> Iterator[Devices]:
    with Devices("tdx") as devices:
        yield devices


@pytest.fixture
def devices(server: Devices) -> Devices:
    server.renew("tdx")
    return server


def exchange(devices: Devices, message: bytes = REQUEST, *, patience: float = 10) -> bytes:
    """Everything that comes until the whole frame is there, the service closes, or patience ends."""
    with devices.connect_to_the_quoting_service() as end:
        end.settimeout(patience)
        end.sendall(FRAME.pack(len(message)) + message)
        found = b""
        while len(found) < 4 or len(found) < 4 + FRAME.unpack(found[:4])[0]:
            try:
                data = end.recv(65536)
            except TimeoutError:
                break
            if not data:
                break
            found += data
        return found


def header(answer: bytes) -> Header:
    return Header.parse(answer[4:20])


def quote(answer: bytes) -> bytes:
    return answer[28:]


def test_a_quote_is_of_the_report_that_was_sent(devices: Devices) -> None:
    answer = exchange(devices)
    assert FRAME.unpack(answer[:4]) == (len(answer) - 4,)
    found = header(answer)
    assert (found.major, found.minor, found.type, found.size, found.error_code) == (1, 1, 1, len(answer) - 4, 0)
    assert struct.unpack("<II", answer[20:28]) == (0, len(quote(answer)))
    assert read_quote(quote(answer)).body.report_data == DATA
    assert devices.calls() == {"qgs.quote": 1}


def test_one_connection_may_ask_more_than_once(devices: Devices) -> None:
    with devices.connect_to_the_quoting_service() as end:
        for _ in range(2):
            end.sendall(FRAME.pack(len(REQUEST)) + REQUEST)
            (size,) = FRAME.unpack(end.recv(4, socket.MSG_WAITALL))
            assert len(end.recv(size, socket.MSG_WAITALL)) == size


@pytest.mark.parametrize(
    "message",
    [
        b"",
        REQUEST[:10],
        REQUEST[:-1],
        REQUEST + b"\0",
        b"\x02" + REQUEST[1:],
        REQUEST[:4] + b"\x02" + REQUEST[5:],
        REQUEST[:12] + b"\x01" + REQUEST[13:],
        build_request(REPORT[:-1]),
        build_request(read_tdx(["machine=other"]).tdreport(DATA)),
        build_request(REPORT[:600] + b"\x01" + REPORT[601:]),
    ],
)
def test_what_is_no_request_or_no_report_of_here_is_an_error_code(devices: Devices, message: bytes) -> None:
    answer = exchange(devices, message)
    assert header(answer).error_code == 0x12001
    assert quote(answer) == b""


def test_a_frame_that_is_too_large_ends_the_connection(devices: Devices) -> None:
    with devices.connect_to_the_quoting_service() as end:
        end.sendall(FRAME.pack(1 << 30))
        assert end.recv(1) == b""


def test_it_refuses(devices: Devices) -> None:
    devices.fault("qgs-refuses*1")
    with pytest.raises(ConnectionRefusedError):
        exchange(devices)
    assert exchange(devices)


@pytest.mark.parametrize("interfaces", [["tdx-guest"], ["tsm"]])
def test_where_there_is_none_nothing_answers(devices: Devices, interfaces: list[str]) -> None:
    devices.renew("tdx", interfaces=interfaces)
    with pytest.raises(ConnectionRefusedError):
        devices.connect_to_the_quoting_service()


def test_it_hangs_from_the_start_or_halfway(devices: Devices) -> None:
    devices.fault("qgs-hangs*1")
    assert exchange(devices, patience=SHORT) == b""
    devices.fault("qgs-hangs-halfway*1")
    half = exchange(devices, patience=SHORT)
    whole = exchange(devices)
    assert half == whole[: len(whole) // 2]


def test_it_closes_without_or_within_an_answer(devices: Devices) -> None:
    devices.fault("qgs-closes*1")
    assert exchange(devices) == b""
    devices.fault("qgs-truncated=100*1")
    assert len(exchange(devices)) == 100


def test_it_may_be_slow(devices: Devices) -> None:
    whole = exchange(devices)
    devices.fault("qgs-slow*1")
    assert exchange(devices) == whole


def test_it_lies_about_what_it_sends(devices: Devices) -> None:
    right = exchange(devices)
    for fault, place, value in (
        ("qgs-wrong-type*1", slice(8, 12), 3),
        ("qgs-wrong-version*1", slice(4, 6), 2),
        ("qgs-wrong-size=7*1", slice(12, 16), 7),
        ("qgs-wrong-quote-size=0xFFFFFFFF*1", slice(24, 28), 0xFFFFFFFF),
    ):
        devices.fault(fault)
        found = exchange(devices)
        assert int.from_bytes(found[place], "little") == value
        assert found[: place.start] + right[place] + found[place.stop :] == right


def test_it_lies_about_the_frame(devices: Devices) -> None:
    devices.fault("qgs-wrong-frame=0xFFFFFFFF*1")
    assert exchange(devices, patience=SHORT)[:4] == b"\xff" * 4
    devices.fault("qgs-trailing=16*1")
    assert exchange(devices)[-16:] == bytes(16)


def test_it_gives_another_quote_or_an_error(devices: Devices) -> None:
    devices.fault("qgs-other-quote*1")
    assert read_quote(quote(exchange(devices))).body.report_data != DATA
    devices.fault("qgs-error=0x12345*1")
    answer = exchange(devices)
    assert (header(answer).error_code, quote(answer)) == (0x12345, b"")
