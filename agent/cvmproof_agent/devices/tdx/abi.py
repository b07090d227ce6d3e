"""The ioctls of TDX guest drivers: Linux include/uapi/linux/tdx-guest.h, and those of kernels before it.

    TDX_CMD_GET_REPORT0         mainline, Linux 6.2 and newer: /dev/tdx_guest
    GET_QUOTE, three numbers    vendors' kernels, on the same node: GHCI's GetQuote behind an ioctl
    MVP_GET_REPORT, _GET_QUOTE  Intel's kernels before mainline had any: /dev/tdx-guest, /dev/tdx-attest

GetQuote's buffer is that of Intel 348552 (Guest-Hypervisor Communication Interface), TDG.VP.VMCALL<GetQuote>.
"""

import ctypes
from typing import Final

from cvmproof_agent.devices.node import ior, iowr, sized

REPORT_DATA_SIZE: Final = 64  # bytes, TDX_REPORTDATA_LEN
TDREPORT_SIZE: Final = 1024  # bytes, TDX_REPORT_LEN
QUOTE_BUFFER_SIZE: Final = 4 * 4096  # bytes: what drivers before configfs-tsm take
_HEADER_SIZE: Final = 24  # bytes of GetQuote's buffer before its data

GET_QUOTE_SUCCESS: Final = 0
QUOTE_STATUS: Final = {
    0xFFFFFFFFFFFFFFFF: "still under way",
    0x8000000000000000: "error",
    0x8000000000000001: "the quote generation service is not available",
}


@sized(1088)
class ReportRequest(ctypes.Structure):
    """struct tdx_report_req."""

    _fields_ = (
        ("reportdata", ctypes.c_uint8 * REPORT_DATA_SIZE),
        ("tdreport", ctypes.c_uint8 * TDREPORT_SIZE),
    )


@sized(16)
class QuoteRequest(ctypes.Structure):
    """struct tdx_quote_req of vendors' kernels."""

    _fields_ = (("buf", ctypes.c_uint64), ("len", ctypes.c_uint64))


@sized(40)
class MvpReportRequest(ctypes.Structure):
    """struct tdx_report_req of Intel's kernel 5.19."""

    _fields_ = (
        ("subtype", ctypes.c_uint8),
        ("reportdata", ctypes.c_uint64),
        ("rpd_len", ctypes.c_uint32),
        ("tdreport", ctypes.c_uint64),
        ("tdr_len", ctypes.c_uint32),
    )


@sized(32)
class LaterMvpReportRequest(ctypes.Structure):
    """The same with its holes closed, as patches posted later have it."""

    _fields_ = (
        ("reportdata", ctypes.c_uint64),
        ("tdreport", ctypes.c_uint64),
        ("rpd_len", ctypes.c_uint32),
        ("tdr_len", ctypes.c_uint32),
        ("subtype", ctypes.c_uint8),
        ("reserved", ctypes.c_uint8 * 7),
    )


@sized(QUOTE_BUFFER_SIZE)
class QuoteBuffer(ctypes.Structure):
    """struct tdx_quote_hdr, with its data."""

    _fields_ = (
        ("version", ctypes.c_uint64),
        ("status", ctypes.c_uint64),
        ("in_len", ctypes.c_uint32),
        ("out_len", ctypes.c_uint32),
        ("data", ctypes.c_uint8 * (QUOTE_BUFFER_SIZE - _HEADER_SIZE)),
    )


GET_REPORT0: Final = iowr("T", 1, ctypes.sizeof(ReportRequest))
GET_QUOTE: Final = ior("T", 4, ctypes.sizeof(QuoteRequest))
GET_QUOTE_V3: Final = iowr("T", 4, ctypes.sizeof(QuoteRequest))
GET_QUOTE_BARE: Final = iowr("T", 2, ctypes.sizeof(QuoteRequest))
MVP_GET_REPORT: Final = iowr("T", 1, 8)
MVP_GET_QUOTE: Final = ior("T", 2, 8)
