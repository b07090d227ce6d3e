"""/dev/tdx_guest, and what came before it, answer real ioctls as kernels do."""

import ctypes
import errno
import struct
from pathlib import Path

import pytest
from tests.simulator.devices.asking import DATA, GET_REPORT0, control, tdreport
from tests.simulator.devices.conftest import Serving

from cvmproof_formats.errors import Malformed
from cvmproof_formats.tdx.quote import read_quote
from cvmproof_formats.tdx.tdreport import read_tdreport
from cvmproof_simulator.devices.qgs_messages import FRAME, Header, build_request
from cvmproof_simulator.machines.tdx import read_tdx

VENDOR = {"machine": "tdx", "interfaces": ["tdx-guest-vendor", "tdx-guest-mvp", "tdx-attest"]}
BUFFER = 16 * 1024
DIGEST = bytes(range(48))


def device(serving: Serving, **options: object) -> Path:
    return serving(**({"machine": "tdx"} | options)).path("/dev/tdx_guest")


def ask_quote(path: Path, command: int, content: bytes, size: int = BUFFER) -> tuple[int, int, bytes]:
    """Gives errno, status, and what came."""
    buffer = ctypes.create_string_buffer(struct.pack("<QQII", 1, 0, len(content), 0) + content, size)
    number = control(path, command, bytearray(struct.pack("<QQ", ctypes.addressof(buffer), size)))
    _, status, _, length = struct.unpack_from("<QQII", buffer.raw)
    return number, status, buffer.raw[24 : 24 + length]


def test_a_tdreport_is_the_simulated_modules_own(serving: Serving) -> None:
    number, found = tdreport(device(serving, machine=f"tdx,mr_owner={'ab' * 48}"))
    assert number == 0
    assert found == read_tdx([f"mr_owner={'ab' * 48}"]).tdreport(DATA)
    assert read_tdreport(found).td_info.mr_owner == b"\xab" * 48


def test_commands_that_only_vendors_have_are_refused_by_the_mainline_driver(serving: Serving) -> None:
    path = device(serving)
    for command in (0x80315403, 0x40315403, 0x80105404, 0xC0105404, 0xC0105402, 0xC0085401, 0xC4405402):
        assert control(path, command, bytearray(2048)) == errno.ENOTTY


@pytest.mark.parametrize("number", [errno.EBUSY, errno.EIO, errno.EINVAL])
def test_a_module_that_refuses_is_an_error(serving: Serving, number: int) -> None:
    path = device(serving, faults=[f"tdx-errno={number}*1"])
    assert [tdreport(path)[0] for _ in range(2)] == [number, 0]


def test_a_tdreport_can_be_wrong(serving: Serving) -> None:
    path = device(serving, faults=["tdx-report-data*1", "tdx-report-type*2"])
    with pytest.raises(Malformed, match="expected type 0x81"):
        read_tdreport(tdreport(path)[1])
    with pytest.raises(Malformed, match="expected type 0x81"):
        read_tdreport(tdreport(path)[1])
    assert read_tdreport(tdreport(path)[1]).mac.report_data == DATA


def test_a_tdreport_may_be_over_something_else(serving: Serving) -> None:
    assert read_tdreport(tdreport(device(serving, faults=["tdx-report-data*1"]))[1]).mac.report_data != DATA


@pytest.mark.parametrize("command", [0x80105404, 0xC0105404, 0xC0105402])
def test_a_vendors_driver_makes_quotes_of_a_framed_request(serving: Serving, command: int) -> None:
    path = device(serving, **VENDOR)
    message = build_request(tdreport(path)[1])
    number, status, found = ask_quote(path, command, FRAME.pack(len(message)) + message)
    (size,) = FRAME.unpack(found[:4])
    header = Header.parse(found[4:20])
    assert (number, status, size, header.size, header.type) == (0, 0, len(found) - 4, len(found) - 4, 1)
    assert read_quote(found[28:]).body.report_data == DATA


def test_a_vendors_driver_makes_quotes_of_a_bare_report_too(serving: Serving) -> None:
    path = device(serving, **VENDOR)
    number, status, found = ask_quote(path, 0xC0105404, tdreport(path)[1])
    assert (number, status, read_quote(found).body.report_data) == (0, 0, DATA)


def test_a_report_of_another_machine_gets_no_quote(serving: Serving) -> None:
    path = device(serving, **VENDOR)
    assert ask_quote(path, 0xC0105404, read_tdx(["machine=other"]).tdreport(DATA)) == (0, 1 << 63, b"")


@pytest.mark.parametrize("status", [0x8000000000000001, 0xFFFFFFFFFFFFFFFF])
def test_a_quote_can_fail_by_its_status(serving: Serving, status: int) -> None:
    path = device(serving, **VENDOR, faults=[f"tdx-quote-status={status}*1"])
    assert ask_quote(path, 0xC0105404, tdreport(path)[1]) == (0, status, b"")


@pytest.mark.parametrize(("size", "number"), [(8, errno.EINVAL), (2048, errno.EFBIG), (1 << 21, errno.EINVAL)])
def test_a_buffer_of_another_size_is_refused(serving: Serving, size: int, number: int) -> None:
    path = device(serving, **VENDOR)
    report = tdreport(path)[1]
    buffer = ctypes.create_string_buffer(struct.pack("<QQII", 1, 0, 1024, 0) + report, BUFFER)
    assert control(path, 0xC0105404, bytearray(struct.pack("<QQ", ctypes.addressof(buffer), size))) == number


@pytest.mark.parametrize("command", [0x80315403, 0x40315403])
def test_a_vendors_driver_extends_registers(serving: Serving, command: int) -> None:
    devices = serving(**VENDOR)
    path = devices.path("/dev/tdx_guest")
    assert control(path, command, bytearray(DIGEST + b"\x03")) == 0
    assert control(path, command, bytearray(DIGEST + b"\x04")) == errno.EINVAL
    expected = read_tdx([]).td.extend(3, DIGEST).rtmrs
    assert devices.rtmr(3) == expected[3] == read_tdreport(tdreport(path)[1]).td_info.rtmr3


@pytest.mark.parametrize("path", ["/dev/tdx-guest", "/dev/tdx-attest"])
def test_the_first_kernels_had_structures_of_pointers(serving: Serving, path: str) -> None:
    place = serving(**VENDOR).path(path)
    asked, answer = ctypes.create_string_buffer(DATA, 64), ctypes.create_string_buffer(1024)
    fields = (0, ctypes.addressof(asked), 64, ctypes.addressof(answer), 1024)
    assert control(place, 0xC0085401, bytearray(struct.pack("<B7xQI4xQI4x", *fields))) == 0
    assert answer.raw == read_tdx([]).tdreport(DATA)
    assert control(place, 0xC0085401, bytearray(struct.pack("<B7xQI4xQI4x", *fields[:4], 1023))) == errno.EINVAL
    assert control(place, GET_REPORT0, bytearray(1088)) == errno.ENOTTY
    assert ask_quote(place, 0x80085402, answer.raw)[:2] == (0, 0)
