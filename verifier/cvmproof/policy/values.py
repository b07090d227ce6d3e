"""How one value of a policy is read: strictly, by exact type, with its unit and range.

A reader takes the value as TOML or JSON gave it and the place it stood in, and returns the value the checks use, or
raises Misuse. `ANY` is what a policy writes where it does not care; it is never the meaning of an absence.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import date
from enum import Enum, StrEnum
from types import MappingProxyType
from typing import Final, Literal, TypeVar

from cvmproof.spelling import spell
from cvmproof_formats.encoding import read_hex
from cvmproof_formats.errors import Malformed, Misuse

Value = TypeVar("Value")
Reader = Callable[[object, str], Value]
Name = TypeVar("Name", bound=StrEnum)

# A list longer than this is a database, not a policy.
CHOICES_LIMIT = 10_000


class Anything(Enum):
    """The type of `ANY`."""

    ANY = "any"

    def __str__(self) -> str:
        return "any"


ANY: Final = Anything.ANY
Any_ = Literal[Anything.ANY]


class Demand(StrEnum):
    """What a policy says of one bit."""

    REQUIRED = "required"
    FORBIDDEN = "forbidden"
    ANY = "any"


def or_any(read: Reader[Value]) -> Reader[Value | Any_]:
    """Read `"any"` as ANY, everything else as `read` does."""

    def reader(value: object, where: str) -> Value | Any_:
        return ANY if value == "any" and type(value) is str else read(value, where)

    return reader


def integer(low: int, high: int) -> Reader[int]:
    """Read an integer from `low` to `high`; true and 1.0 are no integers."""

    def reader(value: object, where: str) -> int:
        if type(value) is not int or not low <= value <= high:
            raise wrong(where, f"an integer from {low} to {high}", value)
        return value

    return reader


def choice(names: Iterable[Name]) -> Reader[Name]:
    """Read one of the names: an enumeration, or some of its members."""
    names = tuple(names)

    def reader(value: object, where: str) -> Name:
        for name in names:
            if type(value) is str and value == name.value:
                return name
        raise wrong(where, f"one of {', '.join(names)}", value)

    return reader


def text(value: object, where: str) -> str:
    """Read text of 1 to 200 printable characters."""
    if not isinstance(value, str) or not 0 < len(value) <= 200 or not value.isprintable():  # noqa: PLR2004 - said above
        raise wrong(where, "1 to 200 printable characters", value)
    return value


def day(value: object, where: str) -> date:
    """Read a date as text, year, month and day: there is one spelling of it."""
    if isinstance(value, str) and len(value) == len("2025-05-14") and value.isascii():
        with suppress(ValueError):
            found = date.fromisoformat(value)
            if found.isoformat() == value:
                return found
    raise wrong(where, 'a date as "2025-05-14", in a string', value)


def hexadecimal(size: int, *, zero: bool = False) -> Reader[bytes]:
    """Read `size` bytes in hexadecimal.

    All zero is what an absent value looks like: it is refused, unless `zero` is a value like any other.
    """

    def reader(value: object, where: str) -> bytes:
        if not isinstance(value, str):
            raise wrong(where, f"{size} bytes in hexadecimal", value)
        try:
            data = read_hex(value, what=where, size=size)
        except Malformed as error:
            raise Misuse(str(error)) from error
        if not zero and not data.strip(b"\0"):
            raise wrong(where, f"{size} bytes that are not all zero", value)
        return data

    return reader


def set_of(read: Reader[Value]) -> Reader[frozenset[Value]]:
    """Read a list of one or more distinct values."""

    def reader(value: object, where: str) -> frozenset[Value]:
        if not isinstance(value, list) or not 0 < len(value) <= CHOICES_LIMIT:
            raise wrong(where, f"a list of 1 to {CHOICES_LIMIT} values", value)
        values = [read(item, f"{where}[{index}]") for index, item in enumerate(value)]
        if len(set(values)) != len(values):
            raise wrong(where, "a list without repetitions", value)
        return frozenset(values)

    return reader


def set_or_none(read: Reader[Value]) -> Reader[frozenset[Value]]:
    """Read a list of one or more distinct values, or `"none"` for the empty set."""
    read_set = set_of(read)

    def reader(value: object, where: str) -> frozenset[Value]:
        return frozenset() if value == "none" and type(value) is str else read_set(value, where)

    return reader


def dotted(parts: int) -> Reader[tuple[int, ...]]:
    """Read a version such as "1.55.40": `parts` numbers from 0 to 255."""

    def reader(value: object, where: str) -> tuple[int, ...]:
        expected = f"{parts} numbers from 0 to 255 with dots between them, in a string"
        words = value.split(".") if isinstance(value, str) else []
        if len(words) != parts or not all(word.isascii() and word.isdigit() for word in words):
            raise wrong(where, expected, value)
        numbers = tuple(int(word) for word in words if len(word) <= 3)  # noqa: PLR2004 - 255 has three digits
        if len(numbers) != parts or max(numbers) > 255 or ".".join(map(str, numbers)) != value:  # noqa: PLR2004 - a byte
            raise wrong(where, expected, value)
        return numbers

    return reader


def table(names: tuple[str, ...], read: Reader[Value], *, complete: bool = True) -> Reader[Mapping[str, Value]]:
    """Read a table with these names, all of them if it must be complete; each value as `read` does."""

    def reader(value: object, where: str) -> Mapping[str, Value]:
        if not isinstance(value, dict) or not value:
            raise wrong(where, f"a table with {', '.join(names)}", value)
        refuse_unknown(value, names, where)
        if complete:
            require_names(value, names, where)
        return MappingProxyType({name: read(item, f"{where}.{name}") for name, item in value.items()})

    return reader


def refuse_unknown(table_: Mapping[str, object], names: tuple[str, ...], where: str) -> None:
    """Refuse names that are not of this policy version.

    Raises Misuse.
    """
    for name in table_:
        if name not in names:
            raise Misuse(f"policy: {where}: {spell(name)} is not known; expected {', '.join(names)}")


def require_names(table_: Mapping[str, object], names: tuple[str, ...], where: str) -> None:
    """Refuse a table that leaves something out.

    Raises Misuse.
    """
    missing = [name for name in names if name not in table_]
    if missing:
        message = f"policy: {where}: {', '.join(missing)} missing"
        hint = 'nothing is optional by omission: write "any" where it does not matter, or start from `extends`'
        raise Misuse(message, hint=hint)


def wrong(where: str, expected: str, got: object) -> Misuse:
    """Make the error for a value that is not what its place needs."""
    spelled = f"{got!r}" if not isinstance(got, str) else f'"{got}"'
    return Misuse(f"policy: {where}: expected {expected}, got {spell(spelled)}")
