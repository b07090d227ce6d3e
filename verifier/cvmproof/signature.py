"""The signature checks of SEV-SNP and TDX, over bytes as received.

RSA-PSS as AMD 57230 fixes it: SHA-384, MGF1 with SHA-384, a salt of exactly 48 bytes, 4096-bit keys. ECDSA on P-384
with SHA-384 as AMD 56860 has it; ECDSA on P-256 with SHA-256, all of Intel's. Each raises `InvalidSignature`; none
returns anything.
"""

from functools import lru_cache

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    SECP384R1,
    EllipticCurve,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA384

from cvmproof_formats.binding import SPKI_PREFIX, SPKI_SIZE
from cvmproof_formats.errors import Malformed
from cvmproof_formats.snp.hierarchy import P384_START, RSA_END, RSA_START
from cvmproof_formats.tdx.p256 import SIGNATURE_SIZE

RSA_KEY_BITS = 4096
PSS_SALT_SIZE = 48  # bytes
P384_ORDER = int(
    "ffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973", 16
)  # SEC 2, secp384r1, n
P256_ORDER = int("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551", 16)  # SEC 2, secp256r1, n

_HALF = SIGNATURE_SIZE // 2
_ZERO, _P256_ORDER = bytes(_HALF), P256_ORDER.to_bytes(_HALF, "big")
# X.690 8.3, by the first byte of a number of 32 bytes: tag and length, and a zero byte before a high first bit; nothing
# for one that starts with a zero byte, which is written with fewer.
_INTEGER_OF_32 = (b"", *(b"\x02\x20",) * 0x7F, *(b"\x02\x21\x00",) * 0x80)
_SEQUENCE_OF = {size: bytes((0x30, size)) for size in range(68, 71)}  # two integers, of 34 or 35 bytes each
_SHA384 = SHA384()
_ECDSA = ECDSA(_SHA384)
_ECDSA_SHA256 = ECDSA(SHA256())
_PSS = PSS(mgf=MGF1(_SHA384), salt_length=PSS_SALT_SIZE)


@lru_cache(maxsize=1024)
def load_p384_key(spki: bytes) -> EllipticCurvePublicKey:
    """Load a P-384 key from its DER SubjectPublicKeyInfo; the point must lie on the curve.

    Raises Malformed for anything else.
    """
    return _load_point(spki, P384_START, _P384_SIZE, SECP384R1()) or _load_curve(spki, SECP384R1, "P-384")


@lru_cache(maxsize=1024)
def load_p256_key(spki: bytes) -> EllipticCurvePublicKey:
    """Load a P-256 key from its DER SubjectPublicKeyInfo; the point must lie on the curve.

    Raises Malformed for anything else.
    """
    return _load_point(spki, SPKI_PREFIX, SPKI_SIZE, SECP256R1()) or _load_curve(spki, SECP256R1, "P-256")


@lru_cache(maxsize=256)
def load_rsa_key(spki: bytes) -> RSAPublicKey:
    """Load a 4096-bit RSA key from its DER SubjectPublicKeyInfo.

    Raises Malformed for anything else.
    """
    key = _load_usual_rsa(spki) or _load(spki)
    if not isinstance(key, RSAPublicKey) or key.key_size != RSA_KEY_BITS:
        raise Malformed(f"public key: expected RSA of {RSA_KEY_BITS} bits")
    return key


def verify_p384(key: EllipticCurvePublicKey, r: int, s: int, message: bytes) -> None:
    """Check an ECDSA signature given as its two integers.

    Raises InvalidSignature, also for integers outside 1 to n - 1.
    """
    if not (0 < r < P384_ORDER and 0 < s < P384_ORDER):
        raise InvalidSignature
    key.verify(encode_dss_signature(r, s), message, _ECDSA)


def verify_p256(key: EllipticCurvePublicKey, signature: bytes, message: bytes) -> None:
    """Check an ECDSA signature given as r || s, 64 bytes, big-endian.

    Raises InvalidSignature, also for another length and for integers outside 1 to n - 1.
    """
    if len(signature) != SIGNATURE_SIZE:
        raise InvalidSignature
    r, s = signature[:_HALF], signature[_HALF:]
    # Of one length, so that they compare as the numbers do.
    if not (_ZERO < r < _P256_ORDER and _ZERO < s < _P256_ORDER):
        raise InvalidSignature
    key.verify(_der(r, s), message, _ECDSA_SHA256)


def verify_p256_der(key: EllipticCurvePublicKey, signature: bytes, message: bytes) -> None:
    """Check an ECDSA signature given as DER.

    Raises InvalidSignature, also for numbers outside 1 to n - 1, and for any other form than DER: OpenSSL writes what
    it has read anew and compares.
    """
    key.verify(signature, message, _ECDSA_SHA256)


def verify_pss_sha384(spki: bytes, signature: bytes, message: bytes) -> None:
    """Check an RSA-PSS signature in AMD's parameters.

    Raises InvalidSignature, and Malformed for a key that is not RSA of 4096 bits.
    """
    load_rsa_key(spki).verify(signature, message, _PSS, _SHA384)


_P384_SIZE = len(P384_START) + 96  # bytes
_UNCOMPRESSED = b"\x04"  # SEC 1 section 2.3.3
_RSA_EXPONENT = 65537
_RSA_SIZE = len(RSA_START) + RSA_KEY_BITS // 8 + len(RSA_END)
_SIGN = 0x80  # X.690 8.3: a number whose first bit is set has a zero byte in front


def _load_point(spki: bytes, prefix: bytes, size: int, curve: EllipticCurve) -> EllipticCurvePublicKey | None:
    """Load a key on this curve in the form that all of them have; None for any other, and for a point that is none."""
    if len(spki) != size or not spki.startswith(prefix):
        return None
    try:
        return EllipticCurvePublicKey.from_encoded_point(curve, _UNCOMPRESSED + spki[len(prefix) :])
    except ValueError:
        return None


def _load_curve(spki: bytes, curve: type[EllipticCurve], name: str) -> EllipticCurvePublicKey:
    key = _load(spki)
    if not isinstance(key, EllipticCurvePublicKey) or not isinstance(key.curve, curve):
        raise Malformed(f"public key: expected ECDSA on {name}")
    return key


def _load_usual_rsa(spki: bytes) -> RSAPublicKey | None:
    """Load a key of 4096 bits in the form that all of them have; None for any other, and for numbers that are none."""
    modulus = spki[len(RSA_START) : -len(RSA_END)]
    usual = len(spki) == _RSA_SIZE and spki.startswith(RSA_START) and spki.endswith(RSA_END)
    if not usual or not modulus[0] & _SIGN:
        return None
    try:
        return RSAPublicNumbers(_RSA_EXPONENT, int.from_bytes(modulus, "big")).public_key()
    except ValueError:
        return None


def _der(r: bytes, s: bytes) -> bytes:
    """Write two numbers of 32 bytes, above 0, as DER: at once where both need all their bytes, as nearly always."""
    of_r, of_s = _INTEGER_OF_32[r[0]], _INTEGER_OF_32[s[0]]
    if not (of_r and of_s):
        return encode_dss_signature(int.from_bytes(r, "big"), int.from_bytes(s, "big"))
    content = of_r + r + of_s + s
    return _SEQUENCE_OF[len(content)] + content


def _load(spki: bytes) -> object:
    # It brings the forms of private keys too, and takes a tenth of a whole run of `verify`.
    from cryptography.hazmat.primitives.serialization import load_der_public_key  # noqa: PLC0415 -- said above

    try:
        return load_der_public_key(spki)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise Malformed(f"public key: {error}") from error
