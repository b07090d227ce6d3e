"""TCB floors: named, dated tables of the lowest security versions to accept.

AMD publishes no status for a TCB; whoever verifies owns the floor. A profile gathers what one AMD security bulletin
asks for, by product line, and microcode by silicon line, because microcode numbers compare only within one. A report
that does not say which silicon it ran on (version 2) is held to the strictest microcode of its product line.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from types import MappingProxyType

from cvmproof_formats.snp.product import Part, ProductLine, parts_of
from cvmproof_formats.snp.tcb import Tcb


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductFloor:
    """The lowest security versions of one product line; `microcode` by name of the silicon line."""

    snp: int
    microcode: Mapping[str, int]
    boot_loader: int = 0
    tee: int = 0
    fmc: int | None = None

    def for_part(self, part: Part | None, product: ProductLine) -> Tcb:
        """Give the floor for a silicon line; None: it is not known, so the strictest of the product line."""
        names = [part.name] if part else [known.name for known in parts_of(product)]
        microcode = max(self.microcode[name] for name in names)
        return Tcb(boot_loader=self.boot_loader, tee=self.tee, snp=self.snp, microcode=microcode, fmc=self.fmc)


@dataclass(frozen=True, slots=True, kw_only=True)
class FloorProfile:
    """A named set of floors: which bulletin, of which day."""

    name: str
    dated: date
    source: str
    products: Mapping[ProductLine, ProductFloor]


def _floor(snp: int, *, fmc: int | None = None, **microcode: int) -> ProductFloor:
    return ProductFloor(snp=snp, fmc=fmc, microcode=MappingProxyType(microcode))


# AMD-SB-3019 (CVE-2024-56161): microcode by silicon line; SNP 0x17 on Genoa (firmware 1.55.40),
# 0x18 on Milan (1.55.29).
# The bulletin does not concern Turin, whose floor is therefore the lowest there is.
AMD_SB_3019 = FloorProfile(
    name="amd-sb-3019",
    dated=date(2025, 2, 3),
    source="AMD-SB-3019",
    products=MappingProxyType(
        {
            ProductLine.MILAN: _floor(0x18, **{"Milan": 0xDB, "Milan-X": 0x44}),
            ProductLine.GENOA: _floor(0x17, **{"Genoa": 0x54, "Genoa-X": 0x4F, "Bergamo/Siena": 0x19}),
            ProductLine.TURIN: _floor(0x00, fmc=0, **{"Turin": 0, "Turin Dense": 0}),
        }
    ),
)

# AMD-SB-3023 (CVE-2025-48514 and others): SNP by product line, microcode by silicon line.
AMD_SB_3023 = FloorProfile(
    name="amd-sb-3023",
    dated=date(2026, 2, 10),
    source="AMD-SB-3023",
    products=MappingProxyType(
        {
            ProductLine.MILAN: _floor(0x1B, **{"Milan": 0xDE, "Milan-X": 0x47}),
            ProductLine.GENOA: _floor(0x1B, **{"Genoa": 0x56, "Genoa-X": 0x51, "Bergamo/Siena": 0x1B}),
            ProductLine.TURIN: _floor(0x04, fmc=0, **{"Turin": 0x51, "Turin Dense": 0x4E}),
        }
    ),
)

PROFILES = MappingProxyType({profile.name: profile for profile in (AMD_SB_3019, AMD_SB_3023)})
