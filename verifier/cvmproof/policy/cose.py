"""COSE_Sign1 (RFC 9052 section 4.2): one signer, the payload inside or beside it, one way to write each message.

Tag 18 is required. The algorithm stands in the protected header and fits the key: EdDSA with Ed25519, ES256 with P-256,
ES384 with P-384 (RFC 9053 section 2). The unprotected header is empty or names the key. No extension that must be
understood (`crit`) is. The signature is checked over the protected header and the payload as they were received.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType
from typing import Final, TypeAlias

import cbor2
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA384

from cvmproof.errors import Misuse
from cvmproof.policy.cbor import CborItem, CborKey, CborReader
from cvmproof_formats.encoding import require_size
from cvmproof_formats.errors import Category, EvidenceError, Malformed

TAG_SIGN1 = 18  # RFC 9052 section 2, table 1
OVERHEAD_LIMIT = 4 * 1024  # bytes of everything but the payload
KEY_ID_LIMIT = 64  # bytes

# RFC 9052 section 3.1, common header parameters
ALG, CRIT, CONTENT_TYPE, KID = 1, 2, 3, 4

PublicKey: TypeAlias = Ed25519PublicKey | EllipticCurvePublicKey
PrivateKey: TypeAlias = Ed25519PrivateKey | EllipticCurvePrivateKey


class Algorithm(IntEnum):
    """Signature algorithms by their COSE number (RFC 9053 sections 2.1 and 2.2)."""

    EDDSA = -8
    ES256 = -7
    ES384 = -35


_CURVES: Final = MappingProxyType({"secp256r1": Algorithm.ES256, "secp384r1": Algorithm.ES384})
_ECDSA: Final = MappingProxyType({Algorithm.ES256: ECDSA(SHA256()), Algorithm.ES384: ECDSA(SHA384())})
# RFC 8032 section 5.1.6; RFC 9053 section 2.1: r and s, each as long as the order of the curve
SIGNATURE_SIZES: Final = MappingProxyType({Algorithm.EDDSA: 64, Algorithm.ES256: 64, Algorithm.ES384: 96})


@dataclass(frozen=True, slots=True, kw_only=True)
class Sign1:
    """A message as received, its signature not checked: `payload` is None where it is detached.

    `protected` is the byte string that was signed, `header` what it says; `key_id` comes from either header.
    """

    protected: bytes
    header: Mapping[CborKey, CborItem]
    algorithm: Algorithm
    key_id: bytes | None
    payload: bytes | None
    signature: bytes


def read_sign1(data: bytes, *, what: str, payload_limit: int) -> Sign1:
    """Read a message of at most `payload_limit` bytes of payload and 4 KiB around it; the signature is not checked.

    Raises Malformed: SIZE_LIMIT, SIGNATURE where it could not be checked by anybody, or MALFORMED.
    """
    require_size(data, what=what, limit=payload_limit + OVERHEAD_LIMIT)
    reader = CborReader(data, what=what)
    reader.tag(TAG_SIGN1)
    reader.array(4)
    protected = reader.bytes_(OVERHEAD_LIMIT)
    named = _read_unprotected(reader, what)
    payload = reader.bytes_or_null(payload_limit)
    signature = reader.bytes_(max(SIGNATURE_SIZES.values()))
    reader.end()
    header = _read_protected(protected, what)
    algorithm = _read_algorithm(header, what)
    expected = SIGNATURE_SIZES[algorithm]
    if len(signature) != expected:
        raise _no_signature(what, f"a signature of {expected} bytes for {algorithm.name}", f"{len(signature)}")
    key_id = _key_id(header, named, what)
    return Sign1(
        protected=protected,
        header=header,
        algorithm=algorithm,
        key_id=key_id,
        payload=payload,
        signature=signature,
    )


def verify_sign1(message: Sign1, key: PublicKey, *, external_aad: bytes, detached: bytes | None = None) -> None:
    """Check the signature with a key that the caller trusts; `detached` is the payload where the message has none.

    Raises EvidenceError (SIGNATURE), and Misuse for a key of another type.
    """
    expected = algorithm_of(key)
    if message.algorithm is not expected:
        raise _no_signature("COSE_Sign1", f"{expected.name}, which this key signs with", message.algorithm.name)
    payload = message.payload if detached is None else detached
    if payload is None or (message.payload is not None and detached is not None):
        raise _no_signature("COSE_Sign1", "one payload, inside or beside it", "none" if payload is None else "two")
    try:
        _verify(key, message, _to_be_signed(message.protected, external_aad, payload))
    except InvalidSignature as error:
        raise _no_signature("COSE_Sign1", "a signature by this key over what was received", "another") from error


def sign1(
    payload: bytes,
    key: PrivateKey,
    *,
    header: Mapping[CborKey, CborItem],
    external_aad: bytes,
    detached: bool = False,
) -> bytes:
    """Sign a payload; the protected header is `header` and the algorithm of the key.

    Raises Misuse for a key of another type.
    """
    algorithm = algorithm_of(key.public_key())
    protected = write_cbor({ALG: int(algorithm), **header})
    to_be_signed = _to_be_signed(protected, external_aad, payload)
    signature = _sign(key, algorithm, to_be_signed)
    return cbor2.dumps(cbor2.CBORTag(TAG_SIGN1, [protected, {}, None if detached else payload, signature]))


def algorithm_of(key: PublicKey) -> Algorithm:
    """Give the one algorithm that a key is used with.

    Raises Misuse (UNSUPPORTED) for anything but Ed25519, P-256 and P-384.
    """
    if isinstance(key, Ed25519PublicKey):
        return Algorithm.EDDSA
    name = key.curve.name if isinstance(key, EllipticCurvePublicKey) else type(key).__name__
    if name not in _CURVES:
        raise Misuse(f"key: expected Ed25519, P-256 or P-384, got {name}", category=Category.UNSUPPORTED)
    return _CURVES[name]


def write_cbor(item: CborItem) -> bytes:
    """Write an item with the shortest form of each number, and keys in the order of RFC 8949 section 4.2.1."""
    return cbor2.dumps(_plain(item))


def _plain(item: CborItem) -> object:
    if isinstance(item, Mapping):
        entries = sorted(item.items(), key=lambda entry: cbor2.dumps(entry[0]))
        return {key: _plain(value) for key, value in entries}
    return [_plain(value) for value in item] if isinstance(item, tuple) else item


def _read_unprotected(reader: CborReader, what: str) -> bytes | None:
    if not reader.map_length(1):
        return None
    label = reader.item(0)
    if label == ALG:
        raise _no_signature(what, "the algorithm in the protected header", "it in the unprotected one")
    if type(label) is not int or label != KID:
        raise Malformed(f"{what}: expected nothing but a key id in the unprotected header, got {label!r:.60}")
    return reader.bytes_(KEY_ID_LIMIT)


def _read_protected(protected: bytes, what: str) -> Mapping[CborKey, CborItem]:
    reader = CborReader(protected, what=f"{what}, protected header")
    header = reader.item()
    reader.end()
    if not isinstance(header, Mapping):
        raise Malformed(f"{what}, protected header: expected a map, got {type(header).__name__}")
    if CRIT in header:
        raise _no_signature(what, "no extension that must be understood (crit)", f"{header[CRIT]!r:.60}")
    return header


def _read_algorithm(header: Mapping[CborKey, CborItem], what: str) -> Algorithm:
    number = header.get(ALG)
    known = {int(algorithm): algorithm for algorithm in Algorithm}
    if type(number) is not int or number not in known:
        expected = ", ".join(f"{algorithm.name} ({int(algorithm)})" for algorithm in Algorithm)
        raise _no_signature(what, f"one of {expected} in the protected header", f"{number!r:.60}")
    return known[number]


def _key_id(header: Mapping[CborKey, CborItem], named: bytes | None, what: str) -> bytes | None:
    if KID not in header:
        return named
    key_id = header[KID]
    if not isinstance(key_id, bytes) or len(key_id) > KEY_ID_LIMIT or named is not None:
        # RFC 9052 section 3: a label stands in one of the two headers only
        raise Malformed(f"{what}: expected one key id, a byte string of at most {KEY_ID_LIMIT} bytes")
    return key_id


def _to_be_signed(protected: bytes, external_aad: bytes, payload: bytes) -> bytes:
    return cbor2.dumps(["Signature1", protected, external_aad, payload])  # RFC 9052 section 4.4, Sig_structure


def _verify(key: PublicKey, message: Sign1, to_be_signed: bytes) -> None:
    if isinstance(key, Ed25519PublicKey):
        key.verify(message.signature, to_be_signed)
        return
    half = len(message.signature) // 2
    r, s = (int.from_bytes(part, "big") for part in (message.signature[:half], message.signature[half:]))
    key.verify(encode_dss_signature(r, s), to_be_signed, _ECDSA[message.algorithm])


def _sign(key: PrivateKey, algorithm: Algorithm, to_be_signed: bytes) -> bytes:
    if isinstance(key, Ed25519PrivateKey):
        return key.sign(to_be_signed)
    half = SIGNATURE_SIZES[algorithm] // 2
    return b"".join(
        part.to_bytes(half, "big") for part in decode_dss_signature(key.sign(to_be_signed, _ECDSA[algorithm]))
    )


def _no_signature(what: str, expected: str, got: str) -> EvidenceError:
    return Malformed(f"{what}: expected {expected}, got {got}", category=Category.SIGNATURE)
