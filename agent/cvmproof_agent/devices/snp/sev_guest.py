"""SNP reports through /dev/sev-guest: Linux Documentation/virt/coco/sev-guest.rst, Linux 5.19 and newer.

Each report comes with the host's certificates, in one request. Nothing is asked again but where driver or host are
busy, and that after a pause: what else fails may already have cost the driver its key.
"""

import ctypes
import errno
import logging
from typing import Final

from cvmproof_agent.device import Device, DeviceLost
from cvmproof_agent.devices.node import Node
from cvmproof_agent.devices.patience import Patience
from cvmproof_agent.devices.refusal import once_more
from cvmproof_agent.devices.snp import abi
from cvmproof_agent.devices.snp.guest_request import PATH, REASONS, BufferTooSmall, Busy, ask_once
from cvmproof_agent.devices.snp.host_certificates import certificates_in
from cvmproof_agent.devices.snp.level import VMPL_FILE, current_vmpl
from cvmproof_formats.binding import Tee
from cvmproof_formats.errors import DeviceError

_log = logging.getLogger(__name__)

# Linux drivers/virt/coco/sev-guest: SEV_FW_BLOB_MAX_SIZE; a buffer of this size is never too small for that driver.
CERTIFICATES_SIZE: Final = 0x4000
CERTIFICATES_LIMIT: Final = 0x10000  # design section 8.5: report with its certificates
_GROWTH: Final = 3  # times that a larger buffer is tried
_HOST_BUSY: Final = Patience(first=2.0)  # as SNP_REQ_RETRY_DELAY
_REPORT_SIZE: Final = 0x4A0  # AMD 56860, ATTESTATION_REPORT


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
        """Get a report and the host's table; without the table where that can't be had in reasonable room."""
        room = self._room
        for _ in range(_GROWTH):
            table = ctypes.create_string_buffer(room)
            request = abi.ExtendedReportRequest(data=wanted, certs_address=ctypes.addressof(table), certs_len=room)
            try:
                report = self._report(abi.GET_EXTENDED_REPORT, "SNP_GET_EXT_REPORT", request)
            except BufferTooSmall:
                if not room < request.certs_len <= CERTIFICATES_LIMIT or request.certs_len % abi.PAGE_SIZE:
                    break
                room = request.certs_len
            except DeviceError as error:
                if error.errno != errno.EINVAL or room <= CERTIFICATES_SIZE:
                    raise
                break  # more than the driver has room for, though the host asked for it
            else:
                self._room = room
                return report, table.raw if request.certs_len else b""
        _log.warning("%s: left out the host's certificates: they take more than %d bytes", self.name, room)
        return self._report(abi.GET_REPORT, "SNP_GET_REPORT", wanted), b""

    def _report(self, request: int, call: str, wanted: ctypes.Structure) -> bytes:
        response = abi.ReportResponse()
        self._ask(request, call, wanted, response)
        return abi.report_in(bytes(response), path=self._node.path, size=_REPORT_SIZE)

    def _ask(self, request: int, call: str, wanted: ctypes.Structure, response: ctypes.Structure) -> None:
        """Ask until there is an answer or a no that will not pass; raises DeviceError, DeviceLost."""
        if self._lost is not None:
            raise once_more(self._lost)
        busy = DeviceError(f"{self._node.path}: {call}: no time to ask")
        for _ in self._patience.tries():
            try:
                return ask_once(self._node, request, call, wanted, response)
            except Busy as found:
                busy = found
            except DeviceLost as lost:
                self._lost = lost
                raise
        raise busy


def _request_of(report_data: bytes, vmpl: int) -> abi.ReportRequest:
    if len(report_data) != abi.REPORT_DATA_SIZE:
        raise DeviceError(f"sev-guest: expected {abi.REPORT_DATA_SIZE} bytes of report data, got {len(report_data)}")
    data = (ctypes.c_uint8 * abi.REPORT_DATA_SIZE).from_buffer_copy(report_data)
    return abi.ReportRequest(user_data=data, vmpl=vmpl)


def open_it() -> Device:
    """Open /dev/sev-guest; raises DeviceError."""
    return SevGuest()
