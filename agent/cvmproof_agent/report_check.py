"""What the agent asks of a report before anybody else sees it: that it is the one it asked for.

The device sits behind the host. A report over other data, of another kind or of another privilege level is a fault of
the guest or of the host, and would cost every client an appraisal to find out.
"""

from cvmproof_agent.device import Device
from cvmproof_formats.binding import Tee
from cvmproof_formats.errors import DeviceError, Malformed
from cvmproof_formats.snp.report import GUEST_VMPLS, AttestationReport, read_report


def require_what_was_asked(device: Device, report: bytes, report_data: bytes) -> None:
    """Refuse a report of the device that is not over these 64 bytes, or not this guest's.

    Raises DeviceError; its message contains nothing of the report but its privilege level.
    """
    if device.tee is not Tee.SEV_SNP:
        raise DeviceError(f"{device.name}: reports of {device.tee} are not understood here")
    try:
        found = read_report(report)
    except Malformed as error:
        raise DeviceError(f"{device.name}: what it returned is no report: {error}") from error
    if found.report_data != report_data:
        raise DeviceError(f"{device.name}: expected the REPORT_DATA that was asked for, got other bytes")
    _require_vmpl(device, found)


def _require_vmpl(device: Device, report: AttestationReport) -> None:
    allowed = GUEST_VMPLS if device.vmpl is None else (device.vmpl,)
    if report.vmpl not in allowed:
        expected = " or ".join(map(str, allowed))
        raise DeviceError(f"{device.name}: expected a report of VMPL {expected}, got {report.vmpl}")
