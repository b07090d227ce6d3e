"""Quotes without configfs-tsm: a TDREPORT from the driver, and the host's quote generation service makes a quote of it.

Follows Linux Documentation/virt/coco/tdx-guest.rst (Linux 6.2 and newer) and Intel's DCAP sources. Where nobody listens
at the service's vsock port, the ioctls are tried by which vendors' kernels get quotes. The service is the host's: a
quote counts only if it says of this TD what the TDREPORT does.
"""

import errno
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from cvmproof_agent.device import Device
from cvmproof_agent.devices.node import Node
from cvmproof_agent.devices.patience import Patience
from cvmproof_agent.devices.refusal import PASSING, Reason, Reasons, refused
from cvmproof_agent.devices.tdx.boot_log import read_boot_log
from cvmproof_agent.devices.tdx.quote_ioctl import MVP, VENDORS, QuoteCall, quote_by_ioctl
from cvmproof_agent.devices.tdx.quote_service import QuoteService, Unreachable
from cvmproof_agent.devices.tdx.tdreport_ioctl import mainline_tdreport, mvp_tdreport
from cvmproof_formats.binding import REPORT_DATA_SIZE, Tee
from cvmproof_formats.errors import DeviceError

_Answer = TypeVar("_Answer")

PATH: Final = "/dev/tdx_guest"
_LOAD = "is this a TD (dmesg | grep 'tdx: Guest detected')? then: modprobe tdx-guest (Linux 6.2 or newer)"
_UNIT = "run as root; in a container or a unit, allow the device (DeviceAllow=/dev/tdx_guest rw)"
REASONS: Final[Reasons] = {
    errno.ENOENT: Reason("no such device node", _LOAD),
    errno.ENODEV: Reason("no driver behind this device node", _LOAD),
    errno.ENXIO: Reason("no driver behind this device node", _LOAD),
    errno.EACCES: Reason(
        "it is not ours to open", "run as root, or as a member of the group that a udev rule gave it to"
    ),
    errno.EPERM: Reason("it is not ours to open", _UNIT),
    errno.EINVAL: Reason("the TDX module takes no such request"),
    errno.EFAULT: Reason("the driver could not reach our memory"),
    errno.EIO: Reason("the TDX module or the host failed", "the kernel's log says more: dmesg"),
    errno.EBUSY: Reason("an earlier request is still under way"),
    errno.ENOTTY: Reason("the driver knows no such request", "a newer kernel: Linux 6.7 has configfs-tsm"),
    errno.EFBIG: Reason("a quote larger than drivers without configfs-tsm take", "a newer kernel: Linux 6.7"),
    errno.ETIMEDOUT: Reason("the host did not answer in time", "ask later; if it stays so, ask the host"),
}


@dataclass(frozen=True, slots=True)
class Interface:
    """A device node, how to get a TDREPORT from it, and by which ioctls a quote, if by any."""

    path: str
    tdreport: Callable[[Node, bytes], bytes]
    quotes: tuple[QuoteCall, ...]


MAINLINE: Final = Interface(PATH, mainline_tdreport, VENDORS)
# Intel's kernels 5.15 to 5.19 for TDX 1.0, still met at clouds that began with them.
OLDER: Final = (Interface("/dev/tdx-guest", mvp_tdreport, MVP), Interface("/dev/tdx-attest", mvp_tdreport, MVP))


class TdxGuest:
    """The device of a TD whose kernel has no configfs-tsm."""

    tee = Tee.TDX
    vmpl = None
    name = "tdx-guest"

    def __init__(
        self,
        interface: Interface = MAINLINE,
        *,
        service: QuoteService | None = None,
        patience: Patience | None = None,
    ) -> None:
        """Open it; with another service and other waits for tests only. Raises DeviceError."""
        self._interface = interface
        self._node = Node(interface.path, REASONS)
        self._service, self._patience = service or QuoteService(), patience or Patience()

    def report(self, report_data: bytes) -> bytes:
        """Get a quote over 64 bytes of report data, perhaps with zeros behind; raises DeviceError."""
        if len(report_data) != REPORT_DATA_SIZE:
            raise DeviceError(f"{self.name}: expected {REPORT_DATA_SIZE} bytes of report data, got {len(report_data)}")
        # With the first request: a guest that nobody asks stays small.
        from cvmproof_agent.devices.tdx.quote_check import require_quote_of, require_tdreport  # noqa: PLC0415 -- so

        tdreport = self._tdreport(report_data)
        expected = require_tdreport(tdreport, report_data, source=self.name)
        quote = self._quote(tdreport)
        require_quote_of(expected, quote, source=self.name)
        return quote

    def certificates(self) -> tuple[bytes, ...]:
        """None: a quote brings its own."""
        return ()

    def event_log(self) -> bytes | None:
        """Read the log of the boot."""
        return read_boot_log()

    def close(self) -> None:
        """Close the device node."""
        self._node.close()

    def _tdreport(self, report_data: bytes) -> bytes:
        return self._asking("GET_REPORT", lambda: self._interface.tdreport(self._node, report_data))

    def _quote(self, tdreport: bytes) -> bytes:
        try:
            return self._service.quote(tdreport)
        except Unreachable:
            quotes = self._interface.quotes
            found = self._asking("GET_QUOTE", lambda: quote_by_ioctl(self._node, quotes, tdreport))
            if found is None:
                raise
            return found

    def _asking(self, call: str, ask: Callable[[], _Answer]) -> _Answer:
        """Ask until there is an answer or a no that will not pass; raises DeviceError."""
        last = DeviceError(f"{self._node.path}: {call}: no time to ask")
        for _ in self._patience.tries():
            try:
                return ask()
            except OSError as error:
                last = refused(error, path=self._node.path, call=call, reasons=REASONS)
                if error.errno not in PASSING:
                    raise last from error
        raise last


def open_it() -> Device:
    """Open the first of the TDX device nodes that is there; raises DeviceError, about the mainline one if none is."""
    missing: DeviceError | None = None
    for interface in (MAINLINE, *OLDER):
        try:
            return TdxGuest(interface)
        except DeviceError as error:
            if error.errno != errno.ENOENT:
                raise
            missing = missing or error
    raise missing or DeviceError("tdx-guest: no device node is known")
