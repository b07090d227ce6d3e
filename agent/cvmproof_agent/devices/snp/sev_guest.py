"""SNP reports through /dev/sev-guest: Linux Documentation/virt/coco/sev-guest.rst, Linux 5.19 and newer.

The driver talks to firmware under a key (VMPCK) whose counter must never repeat. Where it can't tell whether a number
was used it destroys the key, and answers ENOTTY from then on: no evidence until the guest restarts. So nothing is asked
again here but what the driver is known to survive, and that after a pause.
"""

import ctypes
import errno
from typing import Final

from cvmproof_agent.device import Device, DeviceLost
from cvmproof_agent.devices.node import Node
from cvmproof_agent.devices.patience import Patience
from cvmproof_agent.devices.refusal import PASSING, Reason, Reasons, refused, spell
from cvmproof_agent.devices.snp import abi
from cvmproof_agent.devices.snp.error_words import spell_error
from cvmproof_agent.devices.snp.host_certificates import certificates_in
from cvmproof_agent.devices.snp.level import VMPL_FILE, current_vmpl
from cvmproof_formats.binding import Tee
from cvmproof_formats.errors import DeviceError

PATH: Final = "/dev/sev-guest"
# Linux drivers/virt/coco/sev-guest: SEV_FW_BLOB_MAX_SIZE; a buffer of this size is never too small for that driver.
CERTIFICATES_SIZE: Final = 0x4000
CERTIFICATES_LIMIT: Final = 0x10000  # design section 8.5: report with its certificates
_GROWTH: Final = 3  # times that a larger buffer is tried
_HOST_BUSY: Final = Patience(first=2.0)  # as SNP_REQ_RETRY_DELAY
_REPORT_SIZE: Final = 0x4A0  # AMD 56860, ATTESTATION_REPORT

_LOAD = "is this an SNP guest (dmesg | grep SEV-SNP)? then: modprobe sev-guest (Linux 5.19 or newer, CONFIG_SEV_GUEST)"
_RESTART = "restart the guest: nothing else brings the key back; the kernel's log says what happened before"
REASONS: Final[Reasons] = {
    errno.ENOENT: Reason("no such device node", _LOAD),
    errno.ENODEV: Reason("no driver behind this device node", _LOAD),
    errno.ENXIO: Reason("no driver behind this device node", _LOAD),
    errno.EACCES: Reason(
        "it is not ours to open", "run as root, or as a member of the group that a udev rule gave it to"
    ),
    errno.EPERM: Reason(
        "it is not ours to open",
        "run as root; in a container or a unit, allow the device (DeviceAllow=/dev/sev-guest rw)",
    ),
    errno.EINVAL: Reason(
        "the driver takes no such request", "is the kernel older than Linux 5.19, or the VMPL not its own?"
    ),
    errno.EFAULT: Reason("the driver could not reach our memory"),
    errno.ENOTTY: Reason("the driver has given up its key (VMPCK)", _RESTART, lost=True),
    errno.EBADMSG: Reason("firmware's answer was not authentic, and the driver gives up its key", _RESTART, lost=True),
    errno.ENOSR: Reason("the counter of messages is used up", _RESTART, lost=True),
    errno.ETIMEDOUT: Reason(
        "the host was busy for longer than the driver waits", "ask less often, or ask the host why"
    ),
    errno.ENOSPC: Reason("the certificates do not fit"),
    errno.ENOMEM: Reason("the kernel has no memory for it"),
}


class _Busy(Exception):
    """What may pass; never leaves this module."""

    def __init__(self, error: DeviceError) -> None:
        super().__init__()
        self.error = error


class _TooSmall(Exception):
    """The certificate buffer; `needed` is in bytes. Never leaves this module either."""

    def __init__(self, needed: int) -> None:
        super().__init__()
        self.needed = needed


class SevGuest:
    """The device of an SNP guest."""

    tee = Tee.SEV_SNP
    name = "sev-guest"

    def __init__(
        self,
        path: str = PATH,
        *,
        vmpl_file: str = VMPL_FILE,
        patience: Patience = _HOST_BUSY,
        certificates_size: int = CERTIFICATES_SIZE,
    ) -> None:
        """Open it, at other places and with other waits for tests only; raises DeviceError."""
        self.vmpl: int = current_vmpl(vmpl_file)
        self._node = Node(path, REASONS)
        self._patience, self._room = patience, certificates_size
        self._certificates: tuple[bytes, ...] = ()
        self._lost: DeviceLost | None = None

    def report(self, report_data: bytes) -> bytes:
        """Get a report of 1184 bytes over 64 bytes of report data, with the host's certificates kept for the next call.

        Blocks for as long as the driver does, a minute; raises DeviceError, DeviceLost where the driver's key is gone.
        """
        self._certificates = ()
        report, table = self._with_certificates(_request_of(report_data, self.vmpl))
        self._certificates = certificates_in(table, source=self.name)
        return report

    def certificates(self) -> tuple[bytes, ...]:
        """Those that came with the last report."""
        return self._certificates

    def event_log(self) -> bytes | None:
        """SNP has no registers that a log would explain."""
        return None

    def close(self) -> None:
        """Close the device node."""
        self._node.close()

    def _with_certificates(self, wanted: abi.ReportRequest) -> tuple[bytes, bytes]:
        for _ in range(_GROWTH):
            try:
                return self._extended(wanted, self._room)
            except _TooSmall as small:
                if not self._room < small.needed <= CERTIFICATES_LIMIT or small.needed % abi.PAGE_SIZE:
                    break
                self._room = small.needed
            except DeviceError as error:
                # Larger than the driver's own limit, though the host asked for it.
                if error.errno != errno.EINVAL or self._room <= CERTIFICATES_SIZE:
                    raise
                break
        self._room = min(self._room, CERTIFICATES_SIZE)
        return self._plain(wanted), b""

    def _extended(self, wanted: abi.ReportRequest, size: int) -> tuple[bytes, bytes]:
        """Get a report and the certificate table beside it; raises _TooSmall, DeviceError."""
        table = ctypes.create_string_buffer(size)
        request = abi.ExtendedReportRequest(data=wanted, certs_address=ctypes.addressof(table), certs_len=size)
        response = abi.ReportResponse()
        try:
            self._ask(abi.GET_EXTENDED_REPORT, "SNP_GET_EXT_REPORT", request, response)
        except _TooSmall:
            raise _TooSmall(request.certs_len) from None
        return self._report_in(response), table.raw if request.certs_len else b""

    def _plain(self, wanted: abi.ReportRequest) -> bytes:
        response = abi.ReportResponse()
        try:
            self._ask(abi.GET_REPORT, "SNP_GET_REPORT", wanted, response)
        except _TooSmall:
            raise DeviceError(f"{self._node.path}: SNP_GET_REPORT: the VMM wants room that was not asked for") from None
        return self._report_in(response)

    def _report_in(self, response: abi.ReportResponse) -> bytes:
        return abi.report_in(bytes(response), path=self._node.path, size=_REPORT_SIZE)

    def _ask(self, request: int, call: str, wanted: ctypes.Structure, response: ctypes.Structure) -> None:
        """Ask until there is an answer or a no that will not pass; raises _TooSmall, DeviceError, DeviceLost."""
        if self._lost is not None:
            raise DeviceLost(str(self._lost), path=self._lost.path, call=self._lost.call, hint=self._lost.hint)
        busy = DeviceError(f"{self._node.path}: {call}: no time to ask")
        for _ in self._patience.tries():
            try:
                return ask_once(self._node, request, call, wanted, response)
            except _Busy as found:
                busy = found.error
            except DeviceLost as lost:
                self._lost = lost
                raise
        raise busy


def ask_once(node: Node, request: int, call: str, wanted: ctypes.Structure, response: ctypes.Structure) -> None:
    """Ask the driver once; raises DeviceError, and inside this module what `_Busy` and `_TooSmall` say."""
    argument = abi.GuestRequest(
        msg_version=abi.MESSAGE_VERSION, req_data=ctypes.addressof(wanted), resp_data=ctypes.addressof(response)
    )
    try:
        node.ask(request, argument)
    except OSError as error:
        raise _judge(error, argument, node.path, call) from error


def _judge(error: OSError, argument: abi.GuestRequest, path: str, call: str) -> Exception:
    if error.errno == errno.EIO:
        # Only here do the error words mean anything: early drivers copied back what they never set.
        if argument.vmm_error == abi.VMM_INVALID_LENGTH:
            return _TooSmall(0)
        why = spell_error(firmware=argument.fw_error, vmm=argument.vmm_error)
        failure = DeviceError(f"{path}: {call}: {spell(errno.EIO)}: {why}", path=path, call=call, errno=errno.EIO)
        return _Busy(failure) if argument.vmm_error == abi.VMM_BUSY else failure
    failure = refused(error, path=path, call=call, reasons=REASONS)
    return _Busy(failure) if error.errno in PASSING else failure


def _request_of(report_data: bytes, vmpl: int) -> abi.ReportRequest:
    if len(report_data) != abi.REPORT_DATA_SIZE:
        raise DeviceError(f"sev-guest: expected {abi.REPORT_DATA_SIZE} bytes of report data, got {len(report_data)}")
    data = (ctypes.c_uint8 * abi.REPORT_DATA_SIZE).from_buffer_copy(report_data)
    return abi.ReportRequest(user_data=data, vmpl=vmpl)


def open_it() -> Device:
    """Open /dev/sev-guest; raises DeviceError."""
    return SevGuest()
