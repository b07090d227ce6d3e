"""Whether a quote is of the TDREPORT that was handed in: the service that made it is the host's.

Follows Intel 348551, TDREPORT_STRUCT, and the DCAP quote format, whose body repeats it field by field.
"""

from typing import Final

from cvmproof_formats.errors import DeviceError, Malformed
from cvmproof_formats.tdx.quote import read_padded_quote
from cvmproof_formats.tdx.tdreport import TdReport, read_tdreport

_OF_THE_TD: Final = (
    "td_attributes",
    "xfam",
    "mr_td",
    "mr_config_id",
    "mr_owner",
    "mr_owner_config",
    "rtmr0",
    "rtmr1",
    "rtmr2",
    "rtmr3",
)


def require_tdreport(tdreport: bytes, report_data: bytes, *, source: str) -> TdReport:
    """Refuse a TDREPORT that is none, or over other than these 64 bytes; raises DeviceError."""
    try:
        found = read_tdreport(tdreport)
    except Malformed as error:
        raise DeviceError(f"{source}: what it returned is no TDREPORT: {error}") from error
    if found.mac.report_data != report_data:
        raise DeviceError(f"{source}: expected a TDREPORT over the REPORTDATA that was asked for, got other bytes")
    return found


def require_quote_of(report: TdReport, quote: bytes, *, source: str) -> None:
    """Refuse a quote that is none, or of another TDREPORT; raises DeviceError."""
    try:
        body = read_padded_quote(quote).body
    except Malformed as error:
        raise DeviceError(f"{source}: what it returned is no quote: {error}") from error
    if body.report_data != report.mac.report_data:
        raise DeviceError(f"{source}: expected a quote over the REPORTDATA that was asked for, got other bytes")
    other = [name for name in _OF_THE_TD if getattr(body, name) != getattr(report.td_info, name)]
    if other:
        raise DeviceError(f"{source}: expected a quote of this TD, got one that differs in {', '.join(other)}")
