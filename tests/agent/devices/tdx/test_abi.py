"""The ioctls of TDX guest drivers have the numbers that their kernels know, and the layouts."""

import ctypes

import pytest

from cvmproof_agent.devices.tdx import abi


@pytest.mark.parametrize(
    ("request_number", "expected"),
    [
        (abi.GET_REPORT0, 0xC4405401),
        (abi.GET_QUOTE, 0x80105404),
        (abi.GET_QUOTE_V3, 0xC0105404),
        (abi.GET_QUOTE_BARE, 0xC0105402),
        (abi.MVP_GET_REPORT, 0xC0085401),
        (abi.MVP_GET_QUOTE, 0x80085402),
    ],
)
def test_requests_have_the_numbers_of_their_kernels(request_number: int, expected: int) -> None:
    assert request_number == expected


@pytest.mark.parametrize(
    ("structure", "field", "offset"),
    [
        (abi.ReportRequest, "tdreport", 64),
        (abi.QuoteRequest, "len", 8),
        (abi.QuoteBuffer, "status", 8),
        (abi.QuoteBuffer, "in_len", 16),
        (abi.QuoteBuffer, "out_len", 20),
        (abi.QuoteBuffer, "data", 24),
        (abi.MvpReportRequest, "reportdata", 8),
        (abi.MvpReportRequest, "rpd_len", 16),
        (abi.MvpReportRequest, "tdreport", 24),
        (abi.MvpReportRequest, "tdr_len", 32),
        (abi.LaterMvpReportRequest, "tdreport", 8),
        (abi.LaterMvpReportRequest, "subtype", 24),
    ],
)
def test_fields_lie_where_their_kernels_have_them(structure: type[ctypes.Structure], field: str, offset: int) -> None:
    assert getattr(structure, field).offset == offset
