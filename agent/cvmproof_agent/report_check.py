"""What the agent asks of a report or quote before anybody else sees it: that it is the one it asked for.

The device sits behind the host. A report over other data, of another kind or of another privilege level is a fault of
the guest or of the host, and would cost every client an appraisal to find out.
"""

from cvmproof_agent.device import Device
from cvmproof_formats.binding import Tee
from cvmproof_formats.errors import DeviceError, Malformed


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


# Each guest loads the format of its own technology, with the first request: an agent that nobody asks stays small.
def _quoted(returned: bytes) -> tuple[bytes, bytes]:
    from cvmproof_formats.tdx.quote import read_padded_quote  # noqa: PLC0415 -- said above

    quote = read_padded_quote(returned)
    return returned[: len(returned) - quote.padding], quote.body.report_data


def _reported(device: Device, returned: bytes) -> tuple[bytes, bytes]:
    from cvmproof_formats.snp.report import GUEST_VMPLS, read_report  # noqa: PLC0415 -- said above

    report = read_report(returned)
    allowed = GUEST_VMPLS if device.vmpl is None else (device.vmpl,)
    if report.vmpl not in allowed:
        expected = " or ".join(map(str, allowed))
        raise DeviceError(f"{device.name}: expected a report of VMPL {expected}, got {report.vmpl}")
    return returned, report.report_data
