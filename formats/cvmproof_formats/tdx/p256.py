"""ECDSA P-256 as quotes and Intel's collateral write it: signatures r||s and keys x||y, 64 bytes each, big-endian.

Follows Intel's DCAP quote format, "ECDSA 256-bit Quote Signature Data Structure". Whether r and s are in range, and
whether a point is on the curve, is for the library to say that the other forms are for.
"""

from cvmproof_formats.binding import SPKI_PREFIX, SPKI_SIZE
from cvmproof_formats.der import integer, sequence
from cvmproof_formats.errors import Malformed

SIGNATURE_SIZE = 64  # bytes
KEY_SIZE = 64  # bytes
COMPONENT_SIZE = 32  # bytes

_UNCOMPRESSED = b"\x04"  # SEC 1 section 2.3.3


def read_signature(data: bytes) -> tuple[int, int]:
    """Read (r, s) from 64 bytes.

    Raises Malformed for another length.
    """
    _require_length("ECDSA P-256 signature", data, SIGNATURE_SIZE)
    return int.from_bytes(data[:COMPONENT_SIZE], "big"), int.from_bytes(data[COMPONENT_SIZE:], "big")


def build_signature(r: int, s: int) -> bytes:
    """Write r and s into 64 bytes.

    Raises Malformed for a number that needs more than 32 bytes.
    """
    for value in (r, s):
        if not 0 <= value < 1 << 8 * COMPONENT_SIZE:
            raise Malformed(f"signature component: expected 0 to 2^256 - 1, got {value.bit_length()} bits")
    return r.to_bytes(COMPONENT_SIZE, "big") + s.to_bytes(COMPONENT_SIZE, "big")


def signature_der(data: bytes) -> bytes:
    """Write a signature of 64 bytes as DER, ECDSA-Sig-Value (RFC 3279 section 2.2.3).

    Raises Malformed for another length.
    """
    return sequence(*map(integer, read_signature(data)))


def key_point(key: bytes) -> bytes:
    """Write a key of 64 bytes as an uncompressed point, 65 bytes (SEC 1 section 2.3.3).

    Raises Malformed for another length.
    """
    _require_length("ECDSA P-256 key", key, KEY_SIZE)
    return _UNCOMPRESSED + key


def key_spki(key: bytes) -> bytes:
    """Write a key of 64 bytes as SubjectPublicKeyInfo, 91 bytes of DER (RFC 5480).

    Raises Malformed for another length.
    """
    _require_length("ECDSA P-256 key", key, KEY_SIZE)
    return SPKI_PREFIX + key


def key_of_spki(spki: bytes) -> bytes:
    """Read the 64 bytes of a key from a SubjectPublicKeyInfo with an uncompressed P-256 point.

    Raises Malformed for anything else.
    """
    if len(spki) != SPKI_SIZE or not spki.startswith(SPKI_PREFIX):
        raise Malformed(f"public key: expected an uncompressed P-256 key of {SPKI_SIZE} bytes, got {len(spki)} bytes")
    return spki[len(SPKI_PREFIX) :]


def _require_length(what: str, data: bytes, size: int) -> None:
    if len(data) != size:
        raise Malformed(f"{what}: expected {size} bytes, got {len(data)}")
