"""How values are put into words: hexadecimal for bytes, and remote text escaped and cut.

What evidence says may carry escape sequences, new lines or characters that reverse the line; none of it reaches a
terminal, a log or a JSON document as it came.
"""

from collections.abc import Iterable
from datetime import datetime

TEXT_LIMIT = 200  # characters


def spell(value: object) -> str:
    """Put a value into words."""
    if isinstance(value, str):
        return escape(value)
    if isinstance(value, bytes):
        return value.hex() or "nothing"
    if isinstance(value, datetime):
        return spell_time(value)
    if isinstance(value, frozenset):
        return _spell_choices(value)
    if isinstance(value, tuple):
        return _spell_parts(value)
    return escape(str(value))


def escape(text: str, limit: int = TEXT_LIMIT) -> str:
    """Escape what is not printable, cut what is long."""
    printable = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text[: limit + 1])
    return printable if len(printable) <= limit else f"{printable[:limit]}… ({len(text)} characters)"


def spell_time(moment: datetime) -> str:
    """Spell a moment as RFC 3339 in UTC, to the second."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _spell_parts(parts: tuple[object, ...]) -> str:
    """Spell a version's numbers with dots between them, a phrase's parts with spaces."""
    return ("." if all(type(part) is int for part in parts) else " ").join(spell(part) for part in parts)


def _spell_choices(values: Iterable[object]) -> str:
    words = sorted(spell(value) for value in values)
    return words[0] if len(words) == 1 else f"one of {', '.join(words)}" if words else "none"
