"""The log that a TD's firmware leaves of its boot: the ACPI table CCEL says that there is one, and what it is of.

Follows UEFI 2.11 section 38 and ACPI 6.5 section 5.2.34 (CC Event Log). Clouds fill a log area of 64 KiB to 1 MiB up
with 0xFF or zeros; what is behind the last event is left out here.
"""

import errno
import logging
import os
from typing import Final

from cvmproof_agent.devices.refusal import Reason, Reasons, refused
from cvmproof_formats.errors import Category, DeviceError, Malformed
from cvmproof_formats.evidence_fields import EVENT_LOG_LIMIT
from cvmproof_formats.layout import Layout, raw, structure, uint

_log = logging.getLogger(__name__)

# Linux Documentation/ABI/testing/sysfs-firmware-acpi
TABLE: Final = "/sys/firmware/acpi/tables/CCEL"
DATA: Final = "/sys/firmware/acpi/tables/data/CCEL"
_SIGNATURE: Final = b"CCEL"
_TDX: Final = 2  # UEFI 2.11 section 38.2.2, EFI_CC_TYPE_TDX
_ROOT_ONLY = "run as root: the kernel lets nobody else read it"
REASONS: Final[Reasons] = {
    errno.EACCES: Reason("it is not ours to read", _ROOT_ONLY),
    errno.EPERM: Reason("it is not ours to read", _ROOT_ONLY),
}


@structure(name="CCEL", size=56)
class _Table(Layout):
    signature: bytes = raw(0, 4)
    rest_of_header: bytes = raw(4, 32)
    cc_type: int = uint(36, 1)
    cc_subtype: int = uint(37, 1)
    reserved: bytes = raw(38, 2)
    log_area_minimum_length: int = uint(40, 8)
    log_area_start_address: int = uint(48, 8)


def read_boot_log(table: str = TABLE, data: str = DATA) -> bytes | None:
    """Read it, at most 4 MiB, without what it was filled up with; None where firmware left none.

    A log that can't be read as one stays as it is. Raises DeviceError; at other places for tests only.
    """
    found = _read(table, limit=_Table.layout_size)
    if found is None:
        return None
    try:
        parsed = _Table.parse(found)
    except Malformed as error:
        raise DeviceError(f"{table}: expected an ACPI table CCEL: {error}", path=table) from error
    if (parsed.signature, parsed.cc_type) != (_SIGNATURE, _TDX):
        raise DeviceError(
            f"{table}: expected {_SIGNATURE!r} of type {_TDX} (TDX), got {parsed.signature!r} of type {parsed.cc_type}",
            path=table,
            category=Category.UNSUPPORTED,
        )
    log = _read(data, limit=EVENT_LOG_LIMIT)
    return None if log is None else _without_filler(log)


def _without_filler(log: bytes) -> bytes:
    from cvmproof_formats.tdx.event_log import end_of_events  # noqa: PLC0415 -- only where a log is asked for

    try:
        return log[: end_of_events(log)]
    except Malformed as error:
        _log.warning("%s: passed on as it is, though it can't be read: %s", DATA, error)
        return log


def _read(path: str, *, limit: int) -> bytes | None:
    try:
        # Never a symbolic link's target, and never waiting: sysfs has neither.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        with open(descriptor, "rb", buffering=0) as file:  # noqa: PTH123 -- what was opened is what is read
            found = bytearray()
            while part := file.read(limit + 1 - len(found)):
                found += part
                if len(found) > limit:
                    raise DeviceError(f"{path}: expected at most {limit} bytes, got more", path=path, call="read")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise refused(error, path=path, call="read", reasons=REASONS) from error
    return bytes(found)
