"""TDREPORTs through a driver: mainline Linux (include/uapi/linux/tdx-guest.h), and Intel's kernels before it."""

import ctypes
import errno

from cvmproof_agent.devices.node import Node
from cvmproof_agent.devices.tdx import abi


def mainline_tdreport(node: Node, report_data: bytes) -> bytes:
    """Get a TDREPORT of 1024 bytes over 64 bytes, TDX_CMD_GET_REPORT0; raises OSError."""
    argument = abi.ReportRequest(reportdata=_array(report_data))
    node.ask(abi.GET_REPORT0, argument)
    return bytes(argument.tdreport)


def mvp_tdreport(node: Node, report_data: bytes) -> bytes:
    """The same by the ioctl of Intel's kernels, in either of the two forms that its argument had; raises OSError."""
    given, got = _array(report_data), (ctypes.c_uint8 * abi.TDREPORT_SIZE)()
    values = {
        "reportdata": ctypes.addressof(given),
        "rpd_len": len(given),
        "tdreport": ctypes.addressof(got),
        "tdr_len": len(got),
    }
    try:
        node.ask(abi.MVP_GET_REPORT, abi.MvpReportRequest(**values))
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.EFAULT):
            raise
        node.ask(abi.MVP_GET_REPORT, abi.LaterMvpReportRequest(**values))
    return bytes(got)


def _array(report_data: bytes) -> "ctypes.Array[ctypes.c_uint8]":
    return (ctypes.c_uint8 * abi.REPORT_DATA_SIZE).from_buffer_copy(report_data)
