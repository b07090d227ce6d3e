"""The options of a SIMULATED device: NAME=VALUE, each at most once."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from enum import StrEnum
from typing import TypeVar

from cvmproof_formats.encoding import read_hex
from cvmproof_formats.errors import Malformed, Misuse

Options = Mapping[str, str]
_Choice = TypeVar("_Choice", bound=StrEnum)


def read_options(parts: Sequence[str], known: Collection[str]) -> Options:
    """Read them; raises Misuse for a name that is not known, or twice, and for one without a value."""
    options: dict[str, str] = {}
    for part in parts:
        name, _, value = part.partition("=")
        if name not in known or not value or name in options:
            raise Misuse(f"simulated device: expected each of {', '.join(sorted(known))} once, got {part!r:.60}")
        options[name] = value
    return options


def read_choice(what: str, value: str, choices: Iterable[_Choice]) -> _Choice:
    """Read one of several words; raises Misuse."""
    known = tuple(choices)
    for choice in known:
        if choice == value:
            return choice
    raise Misuse(f"simulated device: {what}: expected one of {', '.join(known)}, got {value!r:.60}")


def read_number(what: str, value: str, allowed: range) -> int:
    """Read a number as 5 or 0x5; raises Misuse."""
    try:
        number = int(value, 0)
    except ValueError:
        number = -1
    if number not in allowed:
        raise Misuse(
            f"simulated device: {what}: expected a number from {allowed[0]} to {allowed[-1]}, got {value!r:.60}"
        )
    return number


def read_bytes(what: str, value: str, size: int) -> bytes:
    """Read exactly `size` bytes in hexadecimal; raises Misuse."""
    try:
        return read_hex(value, what=f"simulated device: {what}", size=size)
    except Malformed as error:
        raise Misuse(str(error)) from error
