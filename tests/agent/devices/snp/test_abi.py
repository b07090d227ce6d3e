"""The ioctls of /dev/sev-guest are those of the kernel's header, byte for byte, and any response is read or refused."""

import contextlib
import ctypes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvmproof_agent.devices.node import sized
from cvmproof_agent.devices.snp import abi
from cvmproof_formats.errors import DeviceError


@pytest.mark.parametrize(
    ("request_number", "expected"),
    [
        (abi.GET_REPORT, 0xC0205300),
        (abi.GET_DERIVED_KEY, 0xC0205301),
        (abi.GET_EXTENDED_REPORT, 0xC0205302),
    ],
)
def test_requests_have_the_numbers_of_the_header(request_number: int, expected: int) -> None:
    assert request_number == expected


@pytest.mark.parametrize(
    ("structure", "field", "offset"),
    [
        (abi.GuestRequest, "req_data", 8),
        (abi.GuestRequest, "resp_data", 16),
        (abi.GuestRequest, "fw_error", 24),
        (abi.GuestRequest, "vmm_error", 28),
        (abi.ReportRequest, "vmpl", 64),
        (abi.ReportRequest, "rsvd", 68),
        (abi.ExtendedReportRequest, "certs_address", 96),
        (abi.ExtendedReportRequest, "certs_len", 104),
        (abi.DerivedKeyRequest, "guest_field_select", 8),
        (abi.DerivedKeyRequest, "vmpl", 16),
        (abi.DerivedKeyRequest, "guest_svn", 20),
        (abi.DerivedKeyRequest, "tcb_version", 24),
    ],
)
def test_fields_lie_where_the_header_has_them(structure: type[ctypes.Structure], field: str, offset: int) -> None:
    assert getattr(structure, field).offset == offset


def test_a_structure_of_another_size_than_declared_is_refused_at_import() -> None:
    class Short(ctypes.Structure):
        _fields_ = (("one", ctypes.c_uint32),)

    assert sized(4)(Short) is Short
    with pytest.raises(TypeError, match="Short: expected 8 bytes, declared 4"):
        sized(8)(Short)


def response(status: int = 0, size: int = 1184) -> bytes:
    head = status.to_bytes(4, "little") + size.to_bytes(4, "little") + bytes(24)
    return (head + b"\xab" * 1184).ljust(abi.RESPONSE_SIZE, b"\0")


def test_the_report_stands_behind_the_head_of_the_response() -> None:
    assert abi.report_in(response(), path="p", size=1184) == b"\xab" * 1184


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (response(status=0x16), "status 0x16: invalid parameters"),
        (response(status=0x27), "status 0x27: invalid key"),
        (response(status=0x99), "status 0x99: unknown"),
        (response(size=1183), "expected a report of 1184 bytes, got one of 1183"),
        (response(size=0xFFFFFFFF), "got one of 4294967295"),
        (response()[:1000], "in 1000"),
        (b"", "status 0x0"),
    ],
)
def test_a_response_without_a_report_is_refused(wrong: bytes, why: str) -> None:
    with pytest.raises(DeviceError, match=why):
        abi.report_in(wrong, path="p", size=1184)


@given(st.binary(max_size=5000))
def test_any_response_is_a_report_or_our_error(data: bytes) -> None:
    with contextlib.suppress(DeviceError):
        assert len(abi.report_in(data, path="p", size=1184)) == 1184
