"""From a statement to evidence: ask the device, check what it returned, add what came with it."""

import logging

from cvmproof_agent.device import Device
from cvmproof_agent.report_check import what_was_asked
from cvmproof_agent.statement import Statement
from cvmproof_formats.errors import DeviceError
from cvmproof_formats.evidence_fields import CERTIFICATE_COUNT_LIMIT, EVENT_LOG_LIMIT, REPORT_LIMIT, Evidence

_log = logging.getLogger(__name__)


def gather(device: Device, statement: Statement, *, event_log: bool = False) -> Evidence:
    """Get evidence whose report or quote says this.

    Raises DeviceError where the device can't, or returns something else than it was asked for.
    """
    report_data = statement.report_data(device.tee)
    report = what_was_asked(device, device.report(report_data), report_data)
    log = read_event_log(device) if event_log else None
    return statement.evidence(device.tee, report=report, certificates=_certificates(device, report), event_log=log)


def read_event_log(device: Device) -> bytes | None:
    """Read the event log, at most 4 MiB; raises DeviceError."""
    log = device.event_log()
    if log is not None and len(log) > EVENT_LOG_LIMIT:
        raise DeviceError(f"{device.name}: expected at most {EVENT_LOG_LIMIT} bytes of event log, got {len(log)}")
    return log


def _certificates(device: Device, report: bytes) -> tuple[bytes, ...]:
    found = device.certificates()
    if len(found) > CERTIFICATE_COUNT_LIMIT or sum(map(len, found)) + len(report) > REPORT_LIMIT:
        # From the host, and clients can get their own: no reason to give no evidence.
        _log.warning("%s: left out the certificates of the host, too many or too large: %d", device.name, len(found))
        return ()
    return found
