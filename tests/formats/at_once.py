"""Readers that take a whole structure at once, held to the strict ones behind them: never laxer, never otherwise.

agree(at_once, strict, data)    what is taken at once is taken by the strict reader, and read the same
changes(data)                   the same bytes with every byte changed, and cut, doubled and put together anew
"""

import random
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from typing import TypeVar

from cvmproof_formats.errors import Malformed
from cvmproof_formats.tdx.canonical import UNUSUAL
from cvmproof_formats.tdx.read_levels import ReadLevels

Read = TypeVar("Read")

# Each at every place: a bit, the high bit, and what means something in DER or JSON.
_INSTEAD = (0x00, 0x01, 0x02, 0x03, 0x30, 0x7F, 0x80, 0x81, 0xFF, *b'"\\,:{}[]019aAZ -')
_SPLICES = 3000


def taken(at_once: Callable[[bytes], Read | None], data: bytes) -> Read | None:
    """What is read at once; None where another reader has to look."""
    try:
        return at_once(data)
    except UNUSUAL:
        return None


def agree(at_once: Callable[[bytes], Read | None], strict: Callable[[bytes], Read], data: bytes) -> bool:
    """Assert that both read the same where the first reads anything; whether it does."""
    found = taken(at_once, data)
    if found is None:
        return False
    try:
        expected = strict(data)
    except Malformed as error:
        raise AssertionError(f"taken at once, and refused by the strict reader: {error}") from error
    assert parts(found) == parts(expected)
    return True


def outcome(reader: Callable[[bytes], object], data: bytes) -> object:
    """What comes of reading: every field, or the message and category of the refusal."""
    try:
        return parts(reader(data))
    except Malformed as error:
        return str(error), error.category


def parts(value: object) -> object:
    """Every field of a dataclass, those too that are left out of its own comparison."""
    if is_dataclass(value):
        return type(value), [parts(getattr(value, field.name)) for field in fields(value)]
    return [parts(one) for one in value] if isinstance(value, tuple | ReadLevels) else value


def changes(data: bytes) -> Iterator[bytes]:
    """Give changed bytes, the same on every run."""
    for index, byte in enumerate(data):
        for other in {byte ^ 1, byte ^ 0x80, *_INSTEAD} - {byte}:
            yield data[:index] + bytes((other,)) + data[index + 1 :]
    chance = random.Random(5)  # noqa: S311 - for tests
    for _ in range(_SPLICES):
        first, second = sorted(chance.sample(range(len(data) + 1), 2))
        third = chance.randrange(len(data) + 1)
        part = data[first : min(second, first + 80)]
        yield chance.choice(
            (
                data[:first] + data[first + len(part) :],
                data[:third] + part + data[third:],
                data[:third] + part + data[third + len(part) :],
            )
        )
