"""The part of CBOR (RFC 8949) that signed policies are made of, read strictly.

Integers of up to 64 bits, byte strings, UTF-8 text, arrays, maps, false, true and null. Each number and length has its
shortest form, each length is written out, no key of a map stands twice, and keys are integers or strings (RFC 8949
section 4.2.1, but for the order of keys, which COSE leaves free). Tags are read only where one is asked for; there are
no floating-point numbers. Nothing is allocated by a length that the data do not have.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import TypeAlias

from cvmproof_formats.errors import Category, Malformed

CborKey: TypeAlias = int | str | bytes
CborItem: TypeAlias = int | str | bytes | bool | None | tuple["CborItem", ...] | Mapping[CborKey, "CborItem"]

DEEPEST = 8  # containers in containers; a signed policy has two

# RFC 8949 section 3.1, major types
UNSIGNED, NEGATIVE, BYTES, TEXT, ARRAY, MAP, TAG, SIMPLE = range(8)
MAJOR_NAMES = ("unsigned integer", "negative integer", "byte string", "text", "array", "map", "tag", "simple value")
_SIMPLE_VALUES = MappingProxyType({20: False, 21: True, 22: None})  # RFC 8949 section 3.3
_NULL = 22
_INLINE = 24  # arguments below it stand in the first byte
_WIDTHS = MappingProxyType({24: 1, 25: 2, 26: 4, 27: 8})  # bytes that follow, RFC 8949 section 3
_SMALLEST = MappingProxyType({1: _INLINE, 2: 1 << 8, 4: 1 << 16, 8: 1 << 32})  # what needs that many bytes


class CborReader:
    """Reads items one behind the other; every method raises Malformed for anything but what it is asked for."""

    __slots__ = ("_at", "_data", "_what")

    def __init__(self, data: bytes, *, what: str) -> None:
        self._data = data
        self._at = 0
        self._what = what

    def tag(self, number: int) -> None:
        """Read this tag."""
        self._expect(TAG, number)

    def array(self, length: int) -> None:
        """Read the head of an array of this length."""
        self._expect(ARRAY, length)

    def map_length(self, most: int) -> int:
        """Read the head of a map of at most this many entries, and give how many there are."""
        major, length = self._head()
        if major != MAP or length > most:
            raise self._wrong(f"a map of at most {most} entries", major, length)
        return length

    def bytes_(self, most: int) -> bytes:
        """Read a byte string of at most this many bytes; a longer one is SIZE_LIMIT."""
        major, length = self._head()
        if major != BYTES:
            raise self._wrong("a byte string", major, length)
        if length > most:
            message = f"{self._what} at offset {self._at}: expected at most {most} bytes, got {length}"
            raise Malformed(message, category=Category.SIZE_LIMIT)
        return self._take(length)

    def bytes_or_null(self, most: int) -> bytes | None:
        """Read a byte string as `bytes_` does, or null, which is None."""
        if self._data[self._at : self._at + 1] == bytes((SIMPLE << 5 | _NULL,)):
            self._at += 1
            return None
        return self.bytes_(most)

    def item(self, depth: int = DEEPEST) -> CborItem:
        """Read one item, whatever it is; more than `depth` containers in each other are SIZE_LIMIT."""
        major, argument = self._head()
        if major == UNSIGNED:
            return argument
        if major == NEGATIVE:
            return -1 - argument
        if major == BYTES:
            return self._take(argument)
        if major == TEXT:
            return self._text(argument)
        if major == SIMPLE and argument in _SIMPLE_VALUES:
            return _SIMPLE_VALUES[argument]
        if major not in {ARRAY, MAP}:
            raise self._wrong("an integer, a string, an array, a map, a truth value or null", major, argument)
        return self._container(major, argument, depth)

    def end(self) -> None:
        """Expect that nothing follows."""
        rest = len(self._data) - self._at
        if rest:
            raise Malformed(f"{self._what}: expected its end at offset {self._at}, got {rest} bytes more")

    def _container(self, major: int, length: int, depth: int) -> CborItem:
        if depth <= 0:
            message = f"{self._what}: expected at most {DEEPEST} containers in each other"
            raise Malformed(message, category=Category.SIZE_LIMIT)
        self._require(length)  # each entry takes a byte at least
        if major == ARRAY:
            return tuple([self.item(depth - 1) for _ in range(length)])
        entries: dict[CborKey, CborItem] = {}
        for _ in range(length):
            key = self._key()
            if key in entries:
                raise Malformed(f"{self._what}: expected each key of a map once, got {key!r:.60} twice")
            entries[key] = self.item(depth - 1)
        return MappingProxyType(entries)

    def _key(self) -> CborKey:
        major = self._data[self._at : self._at + 1]
        if major and major[0] >> 5 > TEXT:
            raise self._wrong("an integer or a string as key", major[0] >> 5, None)
        key = self.item(0)
        if not isinstance(key, int | str | bytes):
            raise Malformed(f"{self._what}: expected an integer or a string as key, got {type(key).__name__}")
        return key

    def _text(self, length: int) -> str:
        try:
            return self._take(length).decode("utf-8")
        except UnicodeDecodeError as error:
            raise Malformed(f"{self._what} at offset {self._at - length}: expected UTF-8: {error.reason}") from error

    def _expect(self, major: int, argument: int) -> None:
        got = self._head()
        if got != (major, argument):
            raise self._wrong(f"{MAJOR_NAMES[major]} {argument}", *got)

    def _head(self) -> tuple[int, int]:
        """Read a major type and its argument (RFC 8949 section 3)."""
        first = self._take(1)[0]
        major, info = first >> 5, first & 0x1F
        if info < _INLINE:
            return major, info
        if major == SIMPLE or info not in _WIDTHS:
            message = f"{self._what} at offset {self._at - 1}: expected a definite length and no floating-point number"
            raise Malformed(f"{message}, got the byte 0x{first:02x}")
        width = _WIDTHS[info]
        argument = int.from_bytes(self._take(width), "big")
        if argument < _SMALLEST[width]:
            at = self._at - 1 - width
            raise Malformed(f"{self._what} at offset {at}: expected the shortest form of {argument}, got {width} bytes")
        return major, argument

    def _take(self, size: int) -> bytes:
        self._require(size)
        self._at += size
        return self._data[self._at - size : self._at]

    def _require(self, size: int) -> None:
        rest = len(self._data) - self._at
        if size > rest:
            raise Malformed(f"{self._what} at offset {self._at}: expected {size} bytes more, got {rest}")

    def _wrong(self, expected: str, major: int, argument: int | None) -> Malformed:
        got = MAJOR_NAMES[major] if argument is None else f"{MAJOR_NAMES[major]} {argument}"
        return Malformed(f"{self._what} at offset {self._at}: expected {expected}, got {got}")
