"""The boot event log of a TD (CCEL): what firmware and boot loader measured, and the registers that follow from it.

Follows "TCG PC Client Platform Firmware Profile" 1.06 section 10.2 (crypto agile log) and UEFI 2.11 section 38.4
(registers of a TD). Every event has one digest per algorithm that the first event lists, SHA-384 among them, which is
what extends a register. Behind the last event there is filler, 0xFF or 0x00 to the end, or nothing.

A log proves nothing: replayed, it explains register values that a quote has. And a digest says nothing about the data
beside it, unless it is a digest of that data: `covered` and `contradicted` tell.
"""

import hashlib
import struct
from dataclasses import dataclass, field
from typing import Final

from cvmproof_formats.encoding import require_size
from cvmproof_formats.errors import Category, Malformed
from cvmproof_formats.evidence import EVENT_LOG_LIMIT

_UNSUPPORTED = Category.UNSUPPORTED
REGISTER_SIZE: Final = 48  # bytes, SHA-384
RTMRS: Final = 4

EV_NO_ACTION: Final = 0x00000003
EV_SEPARATOR: Final = 0x00000004
EV_IPL: Final = 0x0000000D
EV_EFI_VARIABLE_DRIVER_CONFIG: Final = 0x80000001
EV_EFI_VARIABLE_BOOT: Final = 0x80000002
EV_EFI_GPT_EVENT: Final = 0x80000006
EV_EFI_ACTION: Final = 0x80000007
EV_EFI_VARIABLE_BOOT2: Final = 0x8000000C
EV_EFI_VARIABLE_AUTHORITY: Final = 0x800000E0

SHA384: Final = 0x000C
# TCG algorithm registry, table 3: hash algorithms and the lengths of their digests in bytes.
ALGORITHMS: Final = {0x0004: 20, 0x000B: 32, SHA384: REGISTER_SIZE, 0x000D: 64}

# UEFI 2.11 table 38.4: index 0 is MRTD, 1 to 4 are RTMR0 to RTMR3.
_HIGHEST_INDEX = RTMRS
_SPEC_ID = b"Spec ID Event03\0"
_SHA1_SIZE = 20
# TCG profile 10.2.1: PCR index, event type, SHA-1 digest, size; then what TCG_EfiSpecIDEvent starts with.
_FIRST = struct.Struct("<II20sI")
_SPEC = struct.Struct("<16sI4BI")
_EVENT = struct.Struct("<III")
_ALGORITHM = struct.Struct("<HH")
_CLIENT = 0  # platformClass
_MINOR, _MAJOR, _ERRATA, _UINTN_64 = 0, 2, 0, 2  # specification 2.0; UINTN in 32-bit words
_MAXIMUM_ALGORITHMS = len(ALGORITHMS)
# UEFI_VARIABLE_DATA: GUID, lengths of name (16-bit characters) and data in bytes.
_VARIABLE = struct.Struct("<16sQQ")
# TCG profile 10.4.1: the digest of these is of all of their data.
_WHOLE: Final = frozenset(
    {
        EV_SEPARATOR,
        EV_EFI_VARIABLE_DRIVER_CONFIG,
        EV_EFI_GPT_EVENT,
        EV_EFI_ACTION,
        EV_EFI_VARIABLE_BOOT2,
        EV_EFI_VARIABLE_AUTHORITY,
    }
)
_SEPARATORS = (bytes(4), b"\xff" * 4)  # any other value says that firmware failed, TCG profile 10.4.1
# RTMR0 (PCR 1 and 7) and RTMR1 (PCR 2 to 6) are firmware's, which separates before it hands over.
_SEPARATED = (0, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event."""

    index: int
    """0 is MRTD, 1 to 4 are RTMR0 to RTMR3."""
    type: int
    digest: bytes
    """SHA-384, 48 bytes."""
    data: bytes = field(repr=False)
    other_digests: tuple[tuple[int, bytes], ...] = field(default=(), repr=False)
    """Algorithm and digest of each further one, in the order of the first event."""

    @property
    def rtmr(self) -> int | None:
        """The RTMR that this event extended; None where it extended nothing."""
        return None if self.type == EV_NO_ACTION else self.index - 1

    @property
    def covered(self) -> bytes | None:
        """The part of the data that the digest is of; None where it is of something that is not in the log."""
        return next((part for part in _parts(self) if hashlib.sha384(part).digest() == self.digest), None)

    @property
    def contradicted(self) -> bool:
        """The digest is by its type one of the data, but not of this data: the data was exchanged."""
        return (self.type in _WHOLE or self.type == EV_EFI_VARIABLE_BOOT) and self.covered is None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventLog:
    """The events in order, without the first one, which only says what the others look like."""

    events: tuple[Event, ...]

    def of(self, rtmr: int) -> tuple[Event, ...]:
        """Give the events that extended one RTMR."""
        return tuple(event for event in self.events if event.rtmr == rtmr)

    def replay(self) -> tuple[bytes, bytes, bytes, bytes]:
        """Compute RTMR0 to RTMR3, 48 bytes each, from zero: SHA-384(old || digest) for each event."""
        registers = [bytes(REGISTER_SIZE)] * RTMRS
        for event in self.events:
            if (rtmr := event.rtmr) is not None:
                registers[rtmr] = hashlib.sha384(registers[rtmr] + event.digest).digest()
        first, second, third, fourth = registers
        return first, second, third, fourth

    def contradicted(self) -> tuple[Event, ...]:
        """Give the events whose data can't be what was measured."""
        return tuple(event for event in self.events if event.contradicted)

    def unseparated(self) -> tuple[int, ...]:
        """Give the RTMRs of firmware that have events but no separator: what came later could pass for firmware's."""
        return tuple(rtmr for rtmr in _SEPARATED if (events := self.of(rtmr)) and not any(map(_is_separator, events)))


def read_event_log(data: bytes) -> EventLog:
    """Read a log, whatever filler it ends with.

    Raises Malformed for anything that runs over the end, is not an event or filler, lacks a digest of a listed
    algorithm or has one twice, or extends a register that no event can extend (MRTD, or none at all); with category
    UNSUPPORTED for another format or hash algorithm, SIZE_LIMIT above 4 MiB.
    """
    return EventLog(events=_read(data)[0])


def end_of_events(data: bytes) -> int:
    """Tell how many bytes a log takes without its filler; raises as `read_event_log` does."""
    return _read(data)[1]


def build_event_log(log: EventLog, *, size: int = 0, filler: bytes = b"\xff") -> bytes:
    """Write a log of SHA-384 digests, filled up to `size` bytes.

    Values are not checked, so that a test can state wrong ones.
    """
    algorithm = SHA384.to_bytes(2, "little")
    spec = _SPEC.pack(_SPEC_ID, _CLIENT, _MINOR, _MAJOR, _ERRATA, _UINTN_64, 1)
    body = spec + _ALGORITHM.pack(SHA384, REGISTER_SIZE) + b"\0"
    parts = [_FIRST.pack(1, EV_NO_ACTION, bytes(_SHA1_SIZE), len(body)), body]
    for event in log.events:
        parts += (_EVENT.pack(event.index, event.type, 1), algorithm, event.digest)
        parts += (len(event.data).to_bytes(4, "little"), event.data)
    written = b"".join(parts)
    return written + filler * max(0, size - len(written))


def _read(data: bytes) -> tuple[tuple[Event, ...], int]:
    """Read the events, and where what is no event begins."""
    require_size(data, what="event log", limit=EVENT_LOG_LIMIT)
    algorithms, at = _first_event(data)
    events = []
    while not _is_filler(data, at):
        event, at = _event(data, at, algorithms)
        events.append(event)
    return tuple(events), at


def _first_event(data: bytes) -> tuple[tuple[int, ...], int]:
    """Read the event that says which digests the others have; give the algorithms and where the next event starts."""
    head, at = _take(data, 0, _FIRST.size, "first event")
    _, kind, digest, size = _FIRST.unpack(head)
    body, end = _take(data, at, size, "first event")
    if kind != EV_NO_ACTION or not body.startswith(_SPEC_ID):
        raise Malformed(f"event log: expected it to start with {_SPEC_ID!r}, got another format", category=_UNSUPPORTED)
    if digest != bytes(_SHA1_SIZE):
        raise Malformed("first event: expected a digest of zeros, got another")
    fixed, at = _take(body, 0, _SPEC.size, "Spec ID event")
    _, _, minor, major, _, _, count = _SPEC.unpack(fixed)
    if (major, minor) != (_MAJOR, _MINOR):
        raise Malformed(f"event log: expected version {_MAJOR}.{_MINOR}, got {major}.{minor}", category=_UNSUPPORTED)
    algorithms, at = _algorithms(body, at, count)
    vendor, at = _take(body, at, 1, "Spec ID event")
    if at + vendor[0] != size:
        raise Malformed(f"Spec ID event: expected {at + vendor[0]} bytes, got {size}")
    return algorithms, end


def _algorithms(body: bytes, at: int, count: int) -> tuple[tuple[int, ...], int]:
    if not 1 <= count <= _MAXIMUM_ALGORITHMS:
        raise Malformed(f"Spec ID event: expected 1 to {_MAXIMUM_ALGORITHMS} algorithms, got {count}")
    found = []
    for _ in range(count):
        entry, at = _take(body, at, _ALGORITHM.size, "Spec ID event")
        algorithm, size = _ALGORITHM.unpack(entry)
        if algorithm not in ALGORITHMS:
            raise Malformed(f"event log: hash algorithm {algorithm:#06x} is not known here", category=_UNSUPPORTED)
        if size != ALGORITHMS[algorithm] or algorithm in found:
            raise Malformed(f"Spec ID event: algorithm {algorithm:#06x} twice, or with {size} bytes")
        found.append(algorithm)
    if SHA384 not in found:
        raise Malformed("event log: expected SHA-384, which extends the registers of a TD", category=_UNSUPPORTED)
    return tuple(found), at


def _is_filler(data: bytes, at: int) -> bool:
    """Tell whether the log ends here; a filler that has something in it is refused."""
    rest = len(data) - at
    head = data[at : at + _EVENT.size]
    if head.startswith(b"\xff" * min(4, rest)) and rest:
        filler = b"\xff"
    elif not head.strip(b"\0"):
        filler = b"\0"
    else:
        return False
    # No event has index 0xFFFFFFFF, or no digest: from here on there is only filler.
    if data.count(filler, at) != rest:
        raise Malformed(f"event log: expected nothing but {filler.hex()} from offset {at} on, got something behind it")
    return True


def _event(data: bytes, at: int, algorithms: tuple[int, ...]) -> tuple[Event, int]:
    offset = at
    head, at = _take(data, at, _EVENT.size, "event")
    index, kind, count = _EVENT.unpack(head)
    if index > _HIGHEST_INDEX or (index == 0 and kind != EV_NO_ACTION):
        raise Malformed(f"event at {offset:#x}: expected register 1 to {_HIGHEST_INDEX} (RTMR0 to RTMR3), got {index}")
    if count != len(algorithms):
        raise Malformed(f"event at {offset:#x}: expected {len(algorithms)} digests, got {count}")
    digests: dict[int, bytes] = {}
    for _ in range(count):
        number, at = _take(data, at, 2, "digest")
        algorithm = int.from_bytes(number, "little")
        if algorithm not in algorithms or algorithm in digests:
            raise Malformed(
                f"event at {offset:#x}: digest of algorithm {algorithm:#06x}, which is not listed, or twice"
            )
        digests[algorithm], at = _take(data, at, ALGORITHMS[algorithm], "digest")
    size, at = _take(data, at, 4, "event size")
    body, at = _take(data, at, int.from_bytes(size, "little"), "event data")
    digest = digests.pop(SHA384)
    return Event(index=index, type=kind, digest=digest, data=body, other_digests=tuple(digests.items())), at


def _take(data: bytes, at: int, size: int, what: str) -> tuple[bytes, int]:
    if size > len(data) - at:
        raise Malformed(f"{what} at {at:#x}: expected {size} bytes, got {len(data) - at}")
    return data[at : at + size], at + size


def _parts(event: Event) -> tuple[bytes, ...]:
    """Give the parts of the data that a digest may be of, TCG profile 10.4 and what boot loaders do."""
    if event.type == EV_EFI_VARIABLE_BOOT:
        return _variable_data(event.data)
    if event.type == EV_IPL:
        # GRUB logs "grub_cmd: ...\0" or "kernel_cmdline: ...\0" and measures what stands between.
        text = event.data.removesuffix(b"\0")
        return event.data, text, text.partition(b": ")[2]
    return (event.data,)


def _variable_data(data: bytes) -> tuple[bytes, ...]:
    # Of boot variables only the value is measured, TCG profile 10.4.1; the name beside it is anybody's.
    if len(data) < _VARIABLE.size:
        return ()
    _, name, size = _VARIABLE.unpack_from(data)
    start = _VARIABLE.size + 2 * name
    return (data[start:],) if start + size == len(data) else ()


def _is_separator(event: Event) -> bool:
    return event.type == EV_SEPARATOR and event.data in _SEPARATORS and event.covered is not None
