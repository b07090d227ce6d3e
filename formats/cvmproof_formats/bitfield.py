"""Named bits of an integer field, declared once for reading, policy and documentation."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Bit:
    """One bit: its name, its index from the least significant, and what it means when it is 1."""

    name: str
    index: int
    meaning: str

    @property
    def mask(self) -> int:
        """The bit as an integer."""
        return 1 << self.index


def mask_of(bits: tuple[Bit, ...]) -> int:
    """Add up the masks of several bits."""
    return sum(bit.mask for bit in bits)


def set_names(value: int, bits: tuple[Bit, ...]) -> tuple[str, ...]:
    """Name the bits that are 1 in `value`."""
    return tuple(bit.name for bit in bits if value & bit.mask)
