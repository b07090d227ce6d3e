"""/dev/tdx_guest and its forerunners, as ioctls see them.

Follows Linux include/uapi/linux/tdx-guest.h; Intel DCAP libtdx_attest for what vendors' kernels add; the first kernels
for TDX (intel-tdx "MVP") for /dev/tdx-guest and /dev/tdx-attest; Intel 348552 (GHCI) 3.3 for the quote's buffer.
"""

import errno
from collections.abc import Callable
from typing import Final

from cvmproof_formats.errors import Malformed
from cvmproof_formats.layout import Layout, raw, structure, uint
from cvmproof_formats.tdx.tdreport import TDREPORT_SIZE
from cvmproof_simulator.devices.faults import FaultKind, Faults
from cvmproof_simulator.devices.memory import LONGEST, Memory
from cvmproof_simulator.devices.nodes import Opened, refusal
from cvmproof_simulator.devices.qgs_messages import FRAME, build_response, read_request
from cvmproof_simulator.devices.td_guest import TdGuest

GET_REPORT0: Final = 0xC4405401
EXTEND_RTMR: Final = (0x80315403, 0x40315403)
"""_IOR and, in later drivers, _IOW."""
GET_QUOTE: Final = (0x80105404, 0xC0105404, 0xC0105402)
"""_IOR, _IOWR, and number 2 as a client library has it."""
MVP_GET_REPORT: Final = 0xC0085401
MVP_GET_QUOTE: Final = 0x80085402
REPORT_DATA_SIZE: Final = 64
_DIGEST_SIZE: Final = 48
QUOTE_VERSION: Final = 1
# Intel 348552 table 3-10.
STATUS_SUCCESS: Final = 0
STATUS_ERROR: Final = 0x8000000000000000


@structure(name="tdx_report_req of MVP kernels", size=40)
class MvpReportRequest(Layout):
    """Pointers to report data and report, and their lengths."""

    subtype: int = uint(0, 1)
    padding: bytes = raw(1, 7)
    reportdata: int = uint(8, 8)
    rpd_len: int = uint(16, 4)
    padding2: int = uint(20, 4)
    tdreport: int = uint(24, 8)
    tdr_len: int = uint(32, 4)
    padding3: int = uint(36, 4)


@structure(name="tdx_quote_req", size=16)
class QuoteRequest(Layout):
    """Where the buffer is, and how long."""

    buffer: int = uint(0, 8)
    length: int = uint(8, 8)


@structure(name="tdx_quote_hdr", size=24)
class QuoteHeader(Layout):
    """What stands at the start of the buffer."""

    version: int = uint(0, 8)
    status: int = uint(8, 8)
    in_len: int = uint(16, 4)
    out_len: int = uint(20, 4)


Command = Callable[[int, Memory], None]


class TdxGuest(Opened):
    """/dev/tdx_guest while somebody has it open; `vendor` adds what vendors' kernels do."""

    def __init__(self, td: TdGuest, faults: Faults, *, vendor: bool) -> None:
        """Take the TD, what is to fail, and whether vendors' commands are there too."""
        self._td, self._faults = td, faults
        self._commands: dict[int, Command] = {GET_REPORT0: self._report}
        if vendor:
            self._commands |= dict.fromkeys(EXTEND_RTMR, self._extend) | dict.fromkeys(GET_QUOTE, self._quote)

    def control(self, command: int, argument: int, memory: Memory) -> int:
        """Answer an ioctl."""
        if command not in self._commands:
            raise refusal(errno.ENOTTY)
        self._commands[command](argument, memory)
        return 0

    def _report(self, argument: int, memory: Memory) -> None:
        report = self._td.tdreport(memory.read(argument, REPORT_DATA_SIZE))
        memory.write(argument + REPORT_DATA_SIZE, report)

    def _extend(self, argument: int, memory: Memory) -> None:
        data = memory.read(argument, _DIGEST_SIZE + 1)
        self._td.extend(data[-1], data[:_DIGEST_SIZE])

    def _quote(self, argument: int, memory: Memory) -> None:
        request = QuoteRequest.parse(memory.read(argument, QuoteRequest.layout_size))
        serve_quote(self._td, self._faults, request, memory)


class MvpTdxGuest(Opened):
    """/dev/tdx-guest and /dev/tdx-attest of the first kernels."""

    def __init__(self, td: TdGuest, faults: Faults) -> None:
        """Take the TD and what is to fail."""
        self._td, self._faults = td, faults

    def control(self, command: int, argument: int, memory: Memory) -> int:
        """Answer an ioctl."""
        if command == MVP_GET_REPORT:
            self._report(argument, memory)
        elif command == MVP_GET_QUOTE:
            request = QuoteRequest.parse(memory.read(argument, QuoteRequest.layout_size))
            serve_quote(self._td, self._faults, request, memory)
        else:
            raise refusal(errno.ENOTTY)
        return 0

    def _report(self, argument: int, memory: Memory) -> None:
        request = MvpReportRequest.parse(memory.read(argument, MvpReportRequest.layout_size))
        if (request.rpd_len, request.tdr_len, request.subtype) != (REPORT_DATA_SIZE, TDREPORT_SIZE, 0):
            raise refusal(errno.EINVAL)
        memory.write(request.tdreport, self._td.tdreport(memory.read(request.reportdata, REPORT_DATA_SIZE)))


def serve_quote(td: TdGuest, faults: Faults, request: QuoteRequest, memory: Memory) -> None:
    """Answer in the buffer of a request: framed QGS messages as Intel's library has them, or a bare TDREPORT.

    Raises OSError.
    """
    header_size = QuoteHeader.layout_size
    if not header_size <= request.length <= LONGEST:
        raise refusal(errno.EINVAL)
    header = QuoteHeader.parse(memory.read(request.buffer, header_size))
    if header.version != QUOTE_VERSION or header.in_len > request.length - header_size:
        raise refusal(errno.EINVAL)
    asked = memory.read(request.buffer + header_size, header.in_len)
    status = faults.number(FaultKind.TDX_QUOTE_STATUS)
    answer = b"" if status else _answer(td, asked)
    if header_size + len(answer) > request.length:
        raise refusal(errno.EFBIG)
    if status is None:
        status = STATUS_SUCCESS if answer else STATUS_ERROR
    filled = QuoteHeader(version=QUOTE_VERSION, status=status, in_len=header.in_len, out_len=len(answer))
    memory.write(request.buffer, filled.build() + answer)


def _answer(td: TdGuest, asked: bytes) -> bytes:
    """Give what belongs into the buffer; empty where the host can make no quote of it."""
    try:
        if len(asked) == TDREPORT_SIZE:
            return td.quote_report(asked)
        (size,) = FRAME.unpack(asked[: FRAME.size].ljust(FRAME.size, b"\0"))
        response = build_response(td.quote_report(read_request(asked[FRAME.size : FRAME.size + size])))
    except Malformed:
        return b""
    return FRAME.pack(len(response)) + response
