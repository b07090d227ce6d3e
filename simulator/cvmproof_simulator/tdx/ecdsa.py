"""Deterministic ECDSA (RFC 6979) for the SIMULATED Intel authorities: the same key and message, the same bytes."""

from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from cvmproof_formats.tdx.hierarchy import ECDSA_SHA256
from cvmproof_formats.tdx.p256 import build_signature

Key = ec.EllipticCurvePrivateKey


@dataclass(frozen=True, slots=True, kw_only=True)
class EcdsaSigner:
    """A key that signs certificates and lists with SHA-256; `declared` replaces the AlgorithmIdentifier (DER)."""

    key: Key
    declared: bytes | None = None

    @property
    def algorithm(self) -> bytes:
        """The AlgorithmIdentifier to write, DER."""
        return ECDSA_SHA256 if self.declared is None else self.declared

    def sign(self, message: bytes) -> bytes:
        """Sign; ECDSA-Sig-Value, DER."""
        return sign_der(self.key, message)


def sign_der(key: Key, message: bytes) -> bytes:
    """Sign with SHA-256; ECDSA-Sig-Value, DER (RFC 3279 section 2.2.3)."""
    return key.sign(message, ec.ECDSA(SHA256(), deterministic_signing=True))


def sign_raw(key: Key, message: bytes) -> bytes:
    """Sign with SHA-256; r || s, 64 bytes, as quotes and Intel's JSON have it.

    Raises Malformed for a key on a larger curve whose numbers don't fit.
    """
    return build_signature(*decode_dss_signature(sign_der(key, message)))


def point_of(key: Key) -> bytes:
    """Uncompressed point of a key, 65 bytes on P-256: key identifiers are the SHA-1 of it."""
    return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def raw_key(key: Key) -> bytes:
    """Public key as quotes have it: x || y, 64 bytes."""
    return point_of(key)[1:]
