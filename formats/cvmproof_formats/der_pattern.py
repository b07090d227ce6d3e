"""What patterns over DER are put together from: certificates and revocation lists of AMD's and Intel's, read at once.

A pattern takes what is written as the vendor writes it; `cvmproof_formats.x509` decides about everything else. Lengths
that vary are groups, and whoever uses the pattern counts whether they fit: then there is one way to read the bytes.
"""

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Final

from cvmproof_formats import der

# A chain has dozens of these; a NamedTuple's own constructor costs twice what it wraps.
new_extension: Final = tuple.__new__
_moment = datetime.fromisoformat

LONG: Final = 0x80
"""From this length on the byte behind the tag says how many bytes of length follow (X.690 10.1)."""
BEFORE: Final = 4
"""Bytes before the content of what has more than 255: a tag, 82 and two of length."""
_TWO_BYTES = 0x100  # from this length on they are two

# fromisoformat refuses days that do not exist; hours it may take up to 24, so those are counted here.
UTC_TIME: Final = rb"\x17\x0d([0-4][0-9]{5})((?:[01][0-9]|2[0-3])[0-9]{4})Z"


def utc_time(day: bytes, time: bytes) -> datetime | None:
    """Read the 6 digits of a UTCTime's day, of 2000 to 2049, and the 6 of its time; None for what does not exist."""
    try:
        return _moment((b"20" + day + b"T" + time + b"Z").decode())
    except ValueError:
        return None


def one_of(written: Iterable[bytes], name: str = "") -> bytes:
    """Write the pattern of one of these, a group, which may have a name."""
    return (f"(?P<{name}>".encode() if name else b"(") + b"|".join(map(re.escape, written)) + b")"


def extension_start(oid: str, *, critical: bool = False) -> bytes:
    """Write what comes before the OCTET STRING of an extension, the length of the whole left out."""
    return der.oid(oid) + (der.boolean(critical) if critical else b"")


def explicit_start(size: int) -> bytes:
    """Write the beginning of [3] and of the SEQUENCE in it around so many bytes; nothing for a size in between."""
    if LONG <= size < _TWO_BYTES - 3:
        return b"\xa3\x81%c\x30\x81%c" % (size + 3, size)
    if size < _TWO_BYTES:
        return b""
    return b"\xa3\x82" + (size + 4).to_bytes(2, "big") + b"\x30\x82" + size.to_bytes(2, "big")


EXPLICIT_START: Final = rb"(\xa3\x81.\x30\x81.|\xa3\x82..\x30\x82..)"
"""What may stand there, as a group."""
