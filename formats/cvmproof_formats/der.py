"""DER (ITU-T X.690 section 10), the strict little part of it that certificates use: reading and writing.

Reading works on offsets into the bytes received, so that what is verified later is what was read. Only definite lengths
in their shortest form and tag numbers below 31 exist here; integers are non-negative; nothing is ever repaired.

Writing is for the simulator and for constants that received bytes are compared with.
"""

from datetime import UTC, datetime
from functools import lru_cache

from cvmproof_formats.errors import Malformed

BOOLEAN = 0x01
INTEGER = 0x02
BIT_STRING = 0x03
OCTET_STRING = 0x04
NULL = 0x05
OBJECT_IDENTIFIER = 0x06
UTF8_STRING = 0x0C
PRINTABLE_STRING = 0x13
IA5_STRING = 0x16
UTC_TIME = 0x17
GENERALIZED_TIME = 0x18
SEQUENCE = 0x30
SET = 0x31

# Certificates and CRLs here stay below 64 KiB, so a length never takes more than two further bytes; one more is spare.
_MAXIMUM_LENGTH_BYTES = 3
_MAXIMUM_OID_BYTES = 32
# RFC 5280 4.1.2.5: dates through 2049 are UTCTime, later ones GeneralizedTime.
_FIRST_GENERALIZED_YEAR = 2050
_FIRST_UTC_YEAR = 1950
_TIME_DIGITS = {UTC_TIME: 12, GENERALIZED_TIME: 14}

_HIGH_BIT = 0x80  # the high bit: of a length, "more bytes follow"; of an integer, its sign; in an OID, "goes on"
_LOW_BITS = 0x7F
_HIGH_TAG_NUMBER = 0x1F

Element = tuple[int, int, int]
"""Tag, offset of the first content byte, offset behind the last one (where the next element starts)."""


def read(data: bytes, offset: int, end: int) -> Element:
    """Read the element that starts at `offset` and must not reach beyond `end` (at most len(data)).

    Raises Malformed where the bytes end too early, for a tag number above 30, and for a length that is indefinite or
    not in its shortest form (X.690 10.1).
    """
    start = offset + 2
    if start > end:
        raise Malformed(f"DER at offset {offset}: expected an element, got the end of the data")
    tag, length = data[offset], data[offset + 1]
    if tag & _HIGH_TAG_NUMBER == _HIGH_TAG_NUMBER:
        raise Malformed(f"DER at offset {offset}: expected a tag number below 31, got tag {tag:#04x}")
    if length >= _HIGH_BIT:
        start += length & _LOW_BITS
        length = _long_length(data, offset + 2, start, end)
    stop = start + length
    if stop > end:
        raise Malformed(f"DER at offset {offset}: expected at most {end - start} content bytes, got length {length}")
    return tag, start, stop


def _long_length(data: bytes, offset: int, start: int, end: int) -> int:
    if not 1 <= start - offset <= _MAXIMUM_LENGTH_BYTES or start > end:
        raise Malformed(f"DER at offset {offset}: expected a definite length of up to {_MAXIMUM_LENGTH_BYTES} bytes")
    length = int.from_bytes(data[offset:start], "big")
    if length < _HIGH_BIT or length >> 8 * (start - offset - 1) == 0:
        raise Malformed(f"DER at offset {offset}: length {length} is not in its shortest form")
    return length


def expect(data: bytes, offset: int, end: int, tag: int, what: str) -> tuple[int, int]:
    """Read the element at `offset` and require its tag; give where its content starts and ends.

    Raises Malformed, naming `what`, for another tag and as `read` does.
    """
    start = offset + 2
    # Nearly every element is short and as expected; what is not takes the long way, and any fault is found there.
    if start <= end and data[offset] == tag and data[offset + 1] < _HIGH_BIT:
        stop = start + data[offset + 1]
        if stop <= end:
            return start, stop
    got, start, stop = read(data, offset, end)
    if got != tag:
        raise Malformed(f"{what} at offset {offset}: expected tag {tag:#04x}, got {got:#04x}")
    return start, stop


def only(data: bytes, offset: int, end: int, tag: int, what: str) -> tuple[int, int]:
    """Read an element as `expect` does and require that it reaches exactly to `end`.

    Raises Malformed for anything behind it and as `expect` does.
    """
    start = offset + 2
    if start <= end and data[offset] == tag and data[offset + 1] < _HIGH_BIT and start + data[offset + 1] == end:
        return start, end
    start, stop = expect(data, offset, end, tag, what)
    if stop != end:
        raise Malformed(f"{what}: expected {stop - offset} bytes, got {end - stop} more behind them")
    return start, stop


def read_integer(content: bytes, what: str) -> int:
    """Read the content of an INTEGER that is never negative.

    Raises Malformed for a negative one, no bytes at all, and a form that is not the shortest (X.690 8.3.2).
    """
    if not content:
        raise Malformed(f"{what}: expected an INTEGER, got no content")
    if content[0] >= _HIGH_BIT:
        raise Malformed(f"{what}: expected a non-negative INTEGER, got a negative one")
    if content[0] == 0 and len(content) > 1 and content[1] < _HIGH_BIT:
        raise Malformed(f"{what}: expected the INTEGER in its shortest form, got {len(content)} bytes")
    return int.from_bytes(content, "big")


def read_boolean(content: bytes, what: str) -> bool:
    """Read the content of a BOOLEAN: one byte, 0x00 or 0xFF (X.690 11.1); raises Malformed for any other."""
    if content not in (b"\x00", b"\xff"):
        raise Malformed(f"{what}: expected a BOOLEAN of 00 or ff, got {content[:8].hex()}")
    return content == b"\xff"


def read_bit_string(content: bytes, what: str) -> bytes:
    """Read the content of a BIT STRING of whole bytes; raises Malformed where bits of the last byte are unused."""
    if content[:1] != b"\x00":
        raise Malformed(f"{what}: expected a BIT STRING of whole bytes, got {content[:1].hex() or 'no content'}")
    return content[1:]


@lru_cache(maxsize=256)
def read_oid(content: bytes) -> str:
    """Read the content of an OBJECT IDENTIFIER as dotted numbers.

    Raises Malformed for an empty, unfinished or overlong one, and for numbers with leading zeros (X.690 8.19.2).
    """
    if not 1 <= len(content) <= _MAXIMUM_OID_BYTES or content[-1] >= _HIGH_BIT:
        raise Malformed(f"OBJECT IDENTIFIER: expected 1 to {_MAXIMUM_OID_BYTES} bytes, got {content[:40].hex()}")
    numbers, number, fresh = [], 0, True
    for byte in content:
        if fresh and byte == _HIGH_BIT:
            raise Malformed(f"OBJECT IDENTIFIER {content.hex()}: a number has a leading zero")
        number, fresh = number << 7 | byte & _LOW_BITS, byte < _HIGH_BIT
        if fresh:
            numbers.append(number)
            number = 0
    top = min(numbers[0] // 40, 2)
    return ".".join(map(str, (top, numbers[0] - 40 * top, *numbers[1:])))


def read_time(tag: int, content: bytes, what: str) -> datetime:
    """Read a UTCTime or GeneralizedTime in the one form RFC 5280 4.1.2.5 allows: whole seconds, "Z".

    Raises Malformed for any other form, a date that does not exist, and the wrong one of the two types for its year.
    """
    digits = _TIME_DIGITS.get(tag)
    if len(content) - 1 != digits or content[-1:] != b"Z" or not content[:-1].isdigit():
        raise Malformed(f"{what}: expected a UTCTime or GeneralizedTime in seconds, got {content[:20]!r}")
    year = int(content[:-11])
    if tag == UTC_TIME:
        year += 1900 if year >= _FIRST_UTC_YEAR % 100 else 2000
    elif year < _FIRST_GENERALIZED_YEAR:
        raise Malformed(f"{what}: expected UTCTime before {_FIRST_GENERALIZED_YEAR}, got GeneralizedTime {year}")
    rest, second = divmod(int(content[-11:-1]), 100)
    rest, minute = divmod(rest, 100)
    rest, hour = divmod(rest, 100)
    month, day = divmod(rest, 100)
    try:
        return datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError as error:
        raise Malformed(f"{what}: {content!r} is not a date: {error}") from error


def tlv(tag: int, *parts: bytes) -> bytes:
    """Write one element from the parts of its content."""
    content = b"".join(parts)
    size = len(content)
    if size < _HIGH_BIT:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, _HIGH_BIT | len(length))) + length + content


def sequence(*parts: bytes) -> bytes:
    """Write a SEQUENCE of encoded elements."""
    return tlv(SEQUENCE, *parts)


def set_of(*parts: bytes) -> bytes:
    """Write a SET OF encoded elements, sorted as X.690 11.6 asks."""
    return tlv(SET, *sorted(parts))


def explicit(number: int, *parts: bytes) -> bytes:
    """Write [number] EXPLICIT around encoded elements."""
    return tlv(0xA0 | number, *parts)


def integer(value: int) -> bytes:
    """Write an INTEGER in its shortest form; negative ones too, which no reader here accepts."""
    return tlv(INTEGER, value.to_bytes((value + (value < 0)).bit_length() // 8 + 1, "big", signed=True))


def boolean(value: bool) -> bytes:  # noqa: FBT001  # a writer of one value: there is nothing to confuse it with
    """Write a BOOLEAN."""
    return tlv(BOOLEAN, b"\xff" if value else b"\x00")


def null() -> bytes:
    """Write a NULL."""
    return tlv(NULL)


def bit_string(value: bytes, unused: int = 0) -> bytes:
    """Write a BIT STRING whose last byte has that many unused bits."""
    return tlv(BIT_STRING, bytes((unused,)), value)


def octet_string(value: bytes) -> bytes:
    """Write an OCTET STRING."""
    return tlv(OCTET_STRING, value)


def oid(dotted: str) -> bytes:
    """Write an OBJECT IDENTIFIER from dotted numbers."""
    first, second, *rest = map(int, dotted.split("."))
    return tlv(OBJECT_IDENTIFIER, *map(_base128, (40 * first + second, *rest)))


def _base128(number: int) -> bytes:
    groups = [number & _LOW_BITS]
    while number := number >> 7:
        groups.append(number & _LOW_BITS | _HIGH_BIT)
    return bytes(reversed(groups))


def utf8(text: str) -> bytes:
    """Write a UTF8String."""
    return tlv(UTF8_STRING, text.encode())


def printable(text: str) -> bytes:
    """Write a PrintableString."""
    return tlv(PRINTABLE_STRING, text.encode("ascii"))


def ia5_string(text: str) -> bytes:
    """Write an IA5String."""
    return tlv(IA5_STRING, text.encode("ascii"))


def time(moment: datetime) -> bytes:
    """Write an aware time: UTCTime through 2049, GeneralizedTime from 2050 (RFC 5280 4.1.2.5)."""
    text = f"{moment.astimezone(UTC):%Y%m%d%H%M%SZ}".rjust(15, "0").encode("ascii")
    if _FIRST_UTC_YEAR <= moment.astimezone(UTC).year < _FIRST_GENERALIZED_YEAR:
        return tlv(UTC_TIME, text[2:])
    return tlv(GENERALIZED_TIME, text)
