"""Reading the variable part of a structure front to back, never past its end."""

from typing import Final

from cvmproof_formats.errors import Malformed


class Cursor:
    """A place in bytes that moves on by what is taken; `name` is what messages call the whole."""

    __slots__ = ("_data", "name", "offset")

    def __init__(self, data: bytes, *, name: str) -> None:
        self._data: Final = data
        self.name: Final = name
        self.offset = 0

    @property
    def left(self) -> int:
        """How many bytes were not taken yet."""
        return len(self._data) - self.offset

    def take(self, size: int, what: str) -> bytes:
        """Take the next `size` bytes.

        Raises Malformed where fewer are left.
        """
        start = self.offset
        end = start + size
        if end > len(self._data):
            raise Malformed(f"{self.name}: {what}: expected {size} bytes at offset {start}, got {max(self.left, 0)}")
        self.offset = end
        return self._data[start:end]

    def number(self, size: int, what: str) -> int:
        """Take a little-endian unsigned integer of `size` bytes.

        Raises Malformed where fewer are left.
        """
        return int.from_bytes(self.take(size, what), "little")

    def rest(self) -> bytes:
        """Take everything that is left."""
        return self.take(self.left, "rest")

    def require_end(self) -> None:
        """Refuse bytes that nobody took.

        Raises Malformed.
        """
        if self.left:
            raise Malformed(f"{self.name}: expected its end at offset {self.offset}, got {self.left} more bytes")
