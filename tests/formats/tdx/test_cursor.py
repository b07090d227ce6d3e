"""Taking bytes front to back."""

import pytest

from cvmproof_formats.errors import Malformed
from cvmproof_formats.tdx.cursor import Cursor


def test_what_is_taken_moves_the_cursor_on() -> None:
    cursor = Cursor(b"ab\x01\x02\x03\x00xyz", name="thing")
    assert cursor.take(2, "letters") == b"ab"
    assert cursor.number(2, "short") == 0x0201
    assert cursor.number(2, "other") == 3
    assert (cursor.offset, cursor.left) == (6, 3)
    assert cursor.take(0, "nothing") == b""
    assert cursor.rest() == b"xyz"
    cursor.require_end()
    assert cursor.rest() == b""


def test_more_than_there_is_can_not_be_taken() -> None:
    cursor = Cursor(b"abc", name="thing")
    cursor.take(1, "letter")
    with pytest.raises(Malformed, match=r"thing: letters: expected 3 bytes at offset 1, got 2\Z"):
        cursor.take(3, "letters")
    with pytest.raises(Malformed, match=r"thing: number: expected 4 bytes at offset 1, got 2\Z"):
        cursor.number(4, "number")
    assert cursor.take(2, "letters") == b"bc"


def test_what_nobody_took_is_refused() -> None:
    cursor = Cursor(b"abc", name="thing")
    cursor.take(2, "letters")
    with pytest.raises(Malformed, match=r"thing: expected its end at offset 2, got 1 more bytes"):
        cursor.require_end()
