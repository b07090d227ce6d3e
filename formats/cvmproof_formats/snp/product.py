"""AMD's product lines: one root key each, and which CPUs belong to them.

Follows AMD 57230 (VCEK certificates and KDS), table of product names, and the CPUID family and model ranges of the
parts.
"""

from dataclasses import dataclass
from enum import StrEnum

from cvmproof_formats.errors import Category, Malformed


class ProductLine(StrEnum):
    """A product line as AMD's key distribution service spells it."""

    MILAN = "Milan"
    GENOA = "Genoa"
    TURIN = "Turin"


class KeyKind(StrEnum):
    """Which endorsement key signs a report: the chip's own, or one loaded by the cloud provider."""

    VCEK = "VCEK"
    VLEK = "VLEK"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Part:
    """One silicon line; microcode numbers compare only within it. Steppings: None for any."""

    name: str
    product: ProductLine
    family: int
    models: range
    steppings: frozenset[int] | None = None


# CPUID Fn0000_0001_EAX, family and model combined with their extended parts. The part decides which microcode floor
# applies; the product line decides which root key.
PARTS = (
    Part(name="Milan-X", product=ProductLine.MILAN, family=0x19, models=range(0x10), steppings=frozenset({2})),
    Part(name="Milan", product=ProductLine.MILAN, family=0x19, models=range(0x10)),
    Part(name="Genoa-X", product=ProductLine.GENOA, family=0x19, models=range(0x10, 0x20), steppings=frozenset({2})),
    Part(name="Genoa", product=ProductLine.GENOA, family=0x19, models=range(0x10, 0x20)),
    Part(name="Bergamo/Siena", product=ProductLine.GENOA, family=0x19, models=range(0xA0, 0xB0)),
    Part(name="Turin", product=ProductLine.TURIN, family=0x1A, models=range(0x10)),
    Part(name="Turin Dense", product=ProductLine.TURIN, family=0x1A, models=range(0x10, 0x20)),
)


def part_of_cpuid(family: int, model: int, stepping: int) -> Part:
    """Find the silicon line of a CPU.

    Raises Malformed (UNSUPPORTED) for a CPU whose product line has no root key here.
    """
    for part in PARTS:
        if family == part.family and model in part.models and (part.steppings is None or stepping in part.steppings):
            return part
    raise Malformed(
        f"CPUID family {family:#x} model {model:#x}: expected a Milan, Genoa or Turin CPU; no root key is known for it",
        category=Category.UNSUPPORTED,
    )


def parts_of(product: ProductLine) -> tuple[Part, ...]:
    """List the silicon lines that share a product line's root key."""
    return tuple(part for part in PARTS if part.product is product)
