"""The signature of a report: R and S as 72-byte little-endian integers.

Follows AMD 56860, signature formats (ECDSA P-384 with SHA-384). Only the low 48 bytes can hold a value below the order.
"""

from cvmproof_formats.errors import Malformed

COMPONENT_SIZE = 72  # bytes
P384_COMPONENT_SIZE = 48  # bytes


def read_component(data: bytes) -> int:
    """Read R or S."""
    return int.from_bytes(data, "little")


def build_component(value: int) -> bytes:
    """Write R or S into 72 bytes.

    Raises Malformed for a value that needs more than 48 bytes.
    """
    if not 0 <= value < 1 << 8 * P384_COMPONENT_SIZE:
        raise Malformed(f"signature component: expected 0 to 2^384 - 1, got {value.bit_length()} bits")
    return value.to_bytes(COMPONENT_SIZE, "little")
