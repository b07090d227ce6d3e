"""The flags word that says which key signed a report.

Follows AMD 56860, ATTESTATION_REPORT at 0x048: AUTHOR_KEY_EN (bit 0), MASK_CHIP_KEY (bit 1), SIGNING_KEY (bits 4:2).
"""

from cvmproof_formats.errors import Category, Malformed
from cvmproof_formats.snp.product import KeyKind

AUTHOR_KEY_EN = 1 << 0
MASK_CHIP_KEY = 1 << 1
_SIGNING_KEYS = {0: KeyKind.VCEK, 1: KeyKind.VLEK}


def signing_key(flags: int) -> KeyKind:
    """Name the key that signed.

    Raises Malformed if a reserved flag is set, Malformed (UNSUPPORTED) if SIGNING_KEY names neither VCEK nor VLEK.
    """
    if flags >> 5:
        raise Malformed(f"report flags {flags:#x}: bits 31:5 are reserved: expected 0, got {flags >> 5:#x}")
    selected = flags >> 2 & 0b111
    kind = _SIGNING_KEYS.get(selected)
    if kind is None:
        raise Malformed(f"SIGNING_KEY: expected 0 (VCEK) or 1 (VLEK), got {selected}", category=Category.UNSUPPORTED)
    return kind


def flags_for(kind: KeyKind, *, author_key: bool = False, mask_chip_key: bool = False) -> int:
    """Build the flags word."""
    selected = next(number for number, name in _SIGNING_KEYS.items() if name is kind)
    return author_key * AUTHOR_KEY_EN | mask_chip_key * MASK_CHIP_KEY | selected << 2
