"""What the agent asks of a report or quote before anybody else sees it: that it is the one it asked for.

The device sits behind the host. A report over other data, of another kind or of another privilege level is a fault of
the guest or of the host, and would cost every client an appraisal to find out.
"""

from cvmproof_agent.device import Device
from cvmproof_formats.binding import Tee
from cvmproof_formats.errors import DeviceError, Malformed
from cvmproof_formats.snp.report import GUEST_VMPLS, AttestationReport, read_report


def what_was_asked(device: Device, returned: bytes, report_data: bytes) -> bytes:
    """Give the report or quote in what the device returned: one over these 64 bytes, and this guest's.

    Zeros behind a quote, as real buffers have them, are cut off. Raises DeviceError; its message contains nothing of
    the report but its privilege level.
    """
    try:
        found = _quoted(returned) if device.tee is Tee.TDX else _reported(device, returned)
    except Malformed as error:
        kind = "quote" if device.tee is Tee.TDX else "report"
        raise DeviceError(f"{device.name}: what it returned is no {kind}: {error}") from error
    if found[1] != report_data:
        raise DeviceError(f"{device.name}: expected the REPORT_DATA that was asked for, got other bytes")
    return found[0]


def _quoted(returned: bytes) -> tuple[bytes, bytes]:
    from cvmproof_formats.tdx.quote import read_padded_quote  # noqa: PLC0415 -- SNP guests load nothing of TDX

    quote = read_padded_quote(returned)
    return returned[: len(returned) - quote.padding], quote.body.report_data


def _reported(device: Device, returned: bytes) -> tuple[bytes, bytes]:
    report = read_report(returned)
    _require_vmpl(device, report)
    return returned, report.report_data


def _require_vmpl(device: Device, report: AttestationReport) -> None:
    allowed = GUEST_VMPLS if device.vmpl is None else (device.vmpl,)
    if report.vmpl not in allowed:
        expected = " or ".join(map(str, allowed))
        raise DeviceError(f"{device.name}: expected a report of VMPL {expected}, got {report.vmpl}")
