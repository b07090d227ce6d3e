"""What is shown of a file: its parts, and the fields of each."""

from typing import NamedTuple

from cvmproof_formats.bitfield import Bit, mask_of, set_names


class Section(NamedTuple):
    """One thing in a file: what it is, and its fields in order."""

    title: str
    fields: tuple[tuple[str, str], ...]


def spell_bits(value: int, bits: tuple[Bit, ...]) -> str:
    """Spell a field of bits: its value, the names of those that are set, and what has no name."""
    nameless = value & ~mask_of(bits)
    words = [*set_names(value, bits), *([f"{nameless:#x} without a name"] if nameless else [])]
    return f"{value:#x}: {', '.join(words)}" if words else f"{value:#x}"


def spell_yes(value: object) -> str:
    """Spell something that is so or is not."""
    return "yes" if value else "no"
