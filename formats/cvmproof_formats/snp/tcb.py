"""TCB_VERSION: the security versions of a platform, 8 bytes, in two layouts.

Follows AMD 56860, TCB_VERSION: structure version 0 (Milan, Genoa) and 1 (Turin). Two TCBs compare component by
component, never as integers: each part of the firmware has a security version of its own.
"""

from dataclasses import dataclass
from functools import lru_cache
from operator import lt
from typing import Self

from cvmproof_formats.errors import Malformed
from cvmproof_formats.snp.product import ProductLine

TCB_SIZE = 8  # bytes

# AMD 56860, TCB_VERSION: byte index of each component; the other bytes are reserved.
_MILAN_GENOA = {"boot_loader": 0, "tee": 1, "snp": 6, "microcode": 7}
_TURIN = {"fmc": 0, "boot_loader": 1, "tee": 2, "snp": 3, "microcode": 7}
LAYOUTS = {ProductLine.MILAN: _MILAN_GENOA, ProductLine.GENOA: _MILAN_GENOA, ProductLine.TURIN: _TURIN}

# AMD 57230: security patch levels are 0..127; the microcode's is the low byte of its patch id.
MAXIMUM_SPL = 127

_SHORT_NAMES = {"fmc": "fmc", "boot_loader": "bl", "tee": "tee", "snp": "snp", "microcode": "ucode"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tcb:
    """Security versions by component, 0..127 (microcode 0..255); `fmc` is None where the layout has none."""

    boot_loader: int
    tee: int
    snp: int
    microcode: int
    fmc: int | None = None

    @classmethod
    def read(cls, data: bytes, product: ProductLine) -> Self:
        """Read 8 bytes in the product line's layout.

        Raises Malformed for another length, a reserved byte that is not zero, or a component out of range.
        """
        if len(data) != TCB_SIZE:
            raise Malformed(f"TCB_VERSION: expected {TCB_SIZE} bytes, got {len(data)}")
        layout = LAYOUTS[product]
        stray = [i for i in range(TCB_SIZE) if data[i] and i not in layout.values()]
        if stray:
            raise Malformed(f"TCB_VERSION of {product}: reserved byte {stray[0]}: expected 0, got {data[stray[0]]}")
        tcb = cls(**{name: data[index] for name, index in layout.items()})
        tcb.build(product)
        return tcb

    def build(self, product: ProductLine) -> bytes:
        """Write 8 bytes in the product line's layout.

        Raises Malformed for a component that is out of range, absent, or not in that layout.
        """
        layout = LAYOUTS[product]
        if (self.fmc is not None) != ("fmc" in layout):
            raise Malformed(f"TCB_VERSION of {product}: {'needs' if 'fmc' in layout else 'has no'} fmc component")
        data = bytearray(TCB_SIZE)
        for name, index in layout.items():
            value = getattr(self, name)
            limit = 255 if name == "microcode" else MAXIMUM_SPL
            if not 0 <= value <= limit:
                raise Malformed(f"TCB_VERSION of {product}: {name}: expected 0..{limit}, got {value}")
            data[index] = value
        return bytes(data)

    def components(self) -> dict[str, int]:
        """Give the components this TCB has, by name, in AMD's order."""
        values = {name: getattr(self, name) for name in _SHORT_NAMES}
        return {name: value for name, value in values.items() if value is not None}

    def __str__(self) -> str:
        return "/".join(f"{_SHORT_NAMES[name]}{value}" for name, value in self.components().items())


@lru_cache(maxsize=1024)
def read_tcb(data: bytes, product: ProductLine) -> Tcb:
    """Read a TCB as `Tcb.read` does, remembering it: a fleet has few distinct ones."""
    return Tcb.read(data, product)


def components_below(tcb: bytes, floor: bytes) -> tuple[int, ...]:
    """List the byte indices at which an 8-byte TCB lies below a floor of the same layout."""
    if not any(map(lt, tcb, floor)):
        return ()
    return tuple(i for i in range(TCB_SIZE) if tcb[i] < floor[i])
