"""Keys of an operator and of others, and signed messages put together by hand."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import cbor2
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256, SHA384
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from cvmproof.policy.cose import PrivateKey, PublicKey, algorithm_of
from cvmproof.policy.signed import PURPOSE, PolicySigners, key_id_of

KEYS: Mapping[str, PrivateKey] = {
    "EDDSA": ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32))),
    "ES256": ec.derive_private_key(1000003, ec.SECP256R1()),
    "ES384": ec.derive_private_key(1000003, ec.SECP384R1()),
}
OTHERS: Mapping[str, PrivateKey] = {
    "EDDSA": ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32)),
    "ES256": ec.derive_private_key(1000033, ec.SECP256R1()),
    "ES384": ec.derive_private_key(1000033, ec.SECP384R1()),
}
KEY = KEYS["ES256"]
CVM = "cvm-1"
POLICY = b'extends = "builtin:genuine"\nvalid_for = 60\n'
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
LATER = NOW + timedelta(days=30)
CONTENT = "application/vnd.cvmproof.policy"
CLAIMS: Mapping[object, object] = {2: CVM, 4: int(LATER.timestamp()), "serial": 7}


def public_pem(key: PrivateKey | PublicKey) -> bytes:
    public = key.public_key() if hasattr(key, "public_key") else key
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def private_pem(key: PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def signers(*keys: PrivateKey) -> PolicySigners:
    return PolicySigners.read(*(public_pem(key) for key in keys or (KEY,)))


def header(**changes: object) -> dict[object, object]:
    """A protected header; `h3=...` changes a parameter, `h15=None` drops it, `c4=...` changes a claim likewise."""
    claims, public = dict(CLAIMS), KEY.public_key()
    parameters: dict[object, object] = {1: int(algorithm_of(public)), 3: CONTENT, 4: key_id_of(public)}
    for name, value in changes.items():
        table = claims if name[0] == "c" else parameters
        label: object = int(name[1:]) if name[1:].isdigit() else name[1:]
        if value is None:
            table.pop(label, None)
        else:
            table[label] = value
    if "h15" not in changes:
        parameters[15] = claims
    return parameters


def signed_by_hand(
    protected: bytes | Mapping[object, object],
    *,
    key: PrivateKey = KEY,
    unprotected: object = None,
    payload: bytes | None = POLICY,
    inside: bool = True,
    aad: bytes = PURPOSE,
    tag: int | None = 18,
) -> bytes:
    """A message with a good signature over whatever its protected header is."""
    serialized = protected if isinstance(protected, bytes) else cbor2.dumps(dict(protected))
    to_be_signed = cbor2.dumps(["Signature1", serialized, aad, payload])
    array = [serialized, unprotected or {}, payload if inside else None, signature(key, to_be_signed)]
    return cbor2.dumps(array if tag is None else cbor2.CBORTag(tag, array))


def signature(key: PrivateKey, data: bytes) -> bytes:
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(data)
    half = (key.curve.key_size + 7) // 8
    numbers = decode_dss_signature(key.sign(data, ec.ECDSA(SHA256() if half == 32 else SHA384())))
    return b"".join(number.to_bytes(half, "big") for number in numbers)
