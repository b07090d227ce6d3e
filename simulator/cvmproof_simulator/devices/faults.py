"""Every way in which the kernel, the host and the quoting service can fail a program, on request.

    Fault.read("sev-busy*3")            the next three requests find a busy host
    Fault.read("sev-errno=EBADMSG*1")   the next one fails like this
    Fault.read("delay=50")              everything takes 50 ms, from now on

NAME[=VALUE][*TIMES]: a value is a number or the name of one of errno(3); without TIMES it is for good. The latest fault
of a kind is the one that counts. What is not asked for never happens.
"""

import errno
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Self

from cvmproof_formats.errors import Misuse


class FaultKind(StrEnum):
    """What goes wrong; [N] is the value. Kernel behaviour: Linux drivers/virt/coco."""

    DELAY = "delay"
    """[milliseconds] Every request to a device takes so long, one after the other."""

    SEV_BUSY = "sev-busy"
    """EIO with the VMM's BUSY (2) in exitinfo2, as drivers do that don't retry themselves; the key survives."""
    SEV_THROTTLED = "sev-throttled"
    """[milliseconds] Retried by the driver for so long, then ETIMEDOUT; the driver wipes its key."""
    SEV_INVALID_LENGTH = "sev-invalid-length"
    """EIO with the VMM's INVALID_LEN (1) although nothing was too short; the key survives."""
    SEV_FIRMWARE = "sev-firmware"
    """[sev_ret_code] EIO with this firmware error in exitinfo2; the driver wipes its key."""
    SEV_VMM = "sev-vmm"
    """[code] EIO with this word of the VMM in exitinfo2; the driver wipes its key."""
    SEV_KEY_WIPED = "sev-key-wiped"
    """The driver has lost its key: ENOTTY, from now on."""
    SEV_ERRNO = "sev-errno"
    """[errno] Fails so after the request was sent, with exitinfo2 0; the driver wipes its key, except after EAGAIN."""
    SEV_STATUS = "sev-status"
    """[status] The response holds this status and no report; the ioctl succeeds."""
    SEV_REPORT_DATA = "sev-report-data"
    """A report over other REPORT_DATA."""
    SEV_VMPL = "sev-vmpl"
    """[level] A report of another VMPL."""
    SEV_REPORT_SIZE = "sev-report-size"
    """[bytes] The response says that its report has this size, and has no more of it."""
    SEV_CERTS_SIZE = "sev-certs-size"
    """[bytes] The host asks for a buffer of this size."""
    SEV_CERTS_GROW = "sev-certs-grow"
    """The host asks for one page more than it was given."""
    SEV_CERTS_NONE = "sev-certs-none"
    """The host has no certificates."""
    SEV_CERTS_GARBAGE = "sev-certs-garbage"
    """The certificate table points outside itself."""

    TDX_ERRNO = "tdx-errno"
    """[errno] TDREPORTs, register writes and quotes by ioctl fail so."""
    TDX_REPORT_DATA = "tdx-report-data"
    """A TDREPORT, or a quote by ioctl, over other REPORTDATA."""
    TDX_REPORT_TYPE = "tdx-report-type"
    """A TDREPORT whose type is none of TDX."""
    TDX_QUOTE_STATUS = "tdx-quote-status"
    """[status] Quotes by ioctl come with this status in their buffer, in flight for one."""

    TSM_MKDIR_ERRNO = "tsm-mkdir-errno"
    """[errno] No entry can be made; ENXIO is a kernel without a provider."""
    TSM_RMDIR_ERRNO = "tsm-rmdir-errno"
    """[errno] Entries can't be removed."""
    TSM_WRITE_ERRNO = "tsm-write-errno"
    """[errno] Writing an attribute fails so: EBUSY, EFBIG, EINVAL; generation stays as it was."""
    TSM_COMMIT_LOST = "tsm-commit-lost"
    """inblob is not taken when it is closed, and nobody is told."""
    TSM_READ_ERRNO = "tsm-read-errno"
    """[errno] Reading a blob fails so: EWOULDBLOCK, EBUSY, EFBIG, EINVAL, ENXIO, ETIMEDOUT, ENOTTY."""
    TSM_GENERATION_JUMPS = "tsm-generation-jumps"
    """generation is another one at each read."""
    TSM_GENERATION_STUCK = "tsm-generation-stuck"
    """generation never changes."""
    TSM_OTHER_WRITER = "tsm-other-writer"
    """Somebody else writes inblob before a blob is read, which is then over theirs."""
    TSM_OTHER_WRITER_LATER = "tsm-other-writer-later"
    """Somebody else writes inblob after outblob was read: auxblob is of another report."""
    TSM_STALE = "tsm-stale"
    """A blob is the one from before the last write, where there was one."""
    TSM_TRUNCATED = "tsm-truncated"
    """[bytes] outblob is cut to so many."""
    TSM_PADDED = "tsm-padded"
    """[bytes] so many zeros stand behind outblob."""
    TSM_AUXBLOB_EMPTY = "tsm-auxblob-empty"
    """auxblob is empty."""
    TSM_AUXBLOB_GARBAGE = "tsm-auxblob-garbage"
    """The certificate table points outside itself."""
    TSM_PROVIDER = "tsm-provider"
    """provider names one that nobody knows."""
    TSM_REPORT_DATA = "tsm-report-data"
    """outblob is over another inblob, while generation says nothing."""

    RTMR_ERRNO = "rtmr-errno"
    """[errno] Writing a measurement register fails so."""
    RTMR_LOST = "rtmr-lost"
    """Writing a measurement register succeeds and changes nothing."""

    QGS_REFUSES = "qgs-refuses"
    """Connections are refused."""
    QGS_HANGS = "qgs-hangs"
    """Connections are taken, requests are never answered."""
    QGS_HANGS_HALFWAY = "qgs-hangs-halfway"
    """Half an answer, and then nothing."""
    QGS_CLOSES = "qgs-closes"
    """The connection is closed instead of an answer."""
    QGS_ERROR = "qgs-error"
    """[code] The answer holds this error code and no quote."""
    QGS_OTHER_QUOTE = "qgs-other-quote"
    """The quote is over other REPORTDATA."""
    QGS_WRONG_TYPE = "qgs-wrong-type"
    """The answer is of another type."""
    QGS_WRONG_VERSION = "qgs-wrong-version"
    """The answer is of major version 2."""
    QGS_WRONG_SIZE = "qgs-wrong-size"
    """[bytes] The message says that it has this size."""
    QGS_WRONG_QUOTE_SIZE = "qgs-wrong-quote-size"
    """[bytes] The answer says that its quote has this size."""
    QGS_WRONG_FRAME = "qgs-wrong-frame"
    """[bytes] The frame says that so many bytes follow."""
    QGS_TRUNCATED = "qgs-truncated"
    """[bytes] The connection is closed after so many bytes."""
    QGS_TRAILING = "qgs-trailing"
    """[bytes] so many zeros follow the answer."""
    QGS_SLOW = "qgs-slow"
    """One byte at a time, each in a packet of its own."""


_K = FaultKind
NEEDS_VALUE: Final = frozenset(
    {_K.DELAY, _K.SEV_THROTTLED, _K.SEV_FIRMWARE, _K.SEV_VMM, _K.SEV_ERRNO, _K.SEV_STATUS, _K.SEV_VMPL}
    | {_K.SEV_REPORT_SIZE, _K.SEV_CERTS_SIZE, _K.TDX_ERRNO, _K.TDX_QUOTE_STATUS}
    | {_K.TSM_MKDIR_ERRNO, _K.TSM_RMDIR_ERRNO, _K.TSM_WRITE_ERRNO, _K.TSM_READ_ERRNO, _K.TSM_TRUNCATED, _K.TSM_PADDED}
    | {_K.RTMR_ERRNO, _K.QGS_ERROR, _K.QGS_WRONG_SIZE, _K.QGS_WRONG_QUOTE_SIZE, _K.QGS_WRONG_FRAME}
    | {_K.QGS_TRUNCATED, _K.QGS_TRAILING}
)
_LARGEST = (1 << 64) - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault, so many times."""

    kind: FaultKind
    value: int = 0
    times: int | None = None
    """None: for good."""

    @classmethod
    def read(cls, text: str) -> Self:
        """Read NAME[=VALUE][*TIMES]; raises Misuse."""
        rest, star, times = text.partition("*")
        name, equals, value = rest.partition("=")
        if name not in tuple(FaultKind):
            raise Misuse(f"fault: expected one of {', '.join(FaultKind)}, got {name!r:.60}")
        kind = FaultKind(name)
        if bool(equals) != (kind in NEEDS_VALUE):
            raise Misuse(f"fault {kind}: expected {'a' if kind in NEEDS_VALUE else 'no'} value, got {text!r:.60}")
        return cls(
            kind=kind,
            value=_read_value(text, value) if equals else 0,
            times=_read_number(text, times) if star else None,
        )

    def __str__(self) -> str:
        value = f"={self.value}" if self.kind in NEEDS_VALUE else ""
        return f"{self.kind}{value}" + ("" if self.times is None else f"*{self.times}")


def _read_value(text: str, value: str) -> int:
    number = getattr(errno, value, None) if value.startswith("E") else None
    return number if isinstance(number, int) else _read_number(text, value)


def _read_number(text: str, value: str) -> int:
    try:
        number = int(value, 0)
    except ValueError:
        number = -1
    if not 0 <= number <= _LARGEST:
        raise Misuse(f"fault {text!r:.60}: expected a number like 5 or 0x5, or a name of errno, got {value!r:.60}")
    return number


class Faults:
    """What was asked for and is still to come; and the time that requests still have to take."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        """Take the first ones."""
        self._pending: dict[FaultKind, tuple[Fault, int | None]] = {}
        self._owed = 0.0
        for fault in faults:
            self.add(fault)

    def add(self, fault: Fault) -> None:
        """Ask for one, instead of what was left of its kind."""
        self._pending[fault.kind] = fault, fault.times

    def clear(self) -> None:
        """Let nothing happen any more; what a fault has changed stays changed."""
        self._pending.clear()

    def take(self, kind: FaultKind) -> Fault | None:
        """Give the fault, which counts, where one of this kind is to happen now."""
        fault, left = self._pending.get(kind, (None, 0))
        if fault is None or left == 0:
            return None
        if left is not None:
            self._pending[kind] = fault, left - 1
        return fault

    def number(self, kind: FaultKind) -> int | None:
        """Give the value of such a fault, which counts."""
        fault = self.take(kind)
        return None if fault is None else fault.value

    def spend(self, milliseconds: int | None = None) -> None:
        """Let the request at hand take time: what DELAY says, or so many milliseconds."""
        value = self.number(FaultKind.DELAY) if milliseconds is None else milliseconds
        self._owed += (value or 0) / 1000

    def owed(self) -> float:
        """Give the seconds that the request at hand still has to take, once."""
        owed, self._owed = self._owed, 0.0
        return owed
