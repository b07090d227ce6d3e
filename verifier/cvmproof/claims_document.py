"""What claims of every technology are made of in documents."""

from typing import TypedDict

from cvmproof_formats.bitfield import Bit, set_names


class BitsDocument(TypedDict):
    """A field of bits: its value in hexadecimal, and the names of the bits that are set."""

    value: str
    set: list[str]


def bits_document(value: int, bits: tuple[Bit, ...]) -> BitsDocument:
    """Put a field of bits into a document."""
    return {"value": f"{value:#x}", "set": list(set_names(value, bits))}


def hex_unless_zero(data: bytes) -> str | None:
    """Spell bytes in hexadecimal; None where all are zero, which stands for a value that nobody set."""
    return data.hex() if any(data) else None
