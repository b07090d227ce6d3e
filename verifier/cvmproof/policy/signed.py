"""Signed policies: an operator's word on which policy holds for one CVM, from which serial, and until when.

A COSE_Sign1 whose payload is the policy file, byte for byte. CVM id, expiry and serial stand beside it in the protected
header, as claims (RFC 9597: header 15; RFC 8392: sub, exp), with a content type of our own, so that whoever serves the
policy cannot move it to another CVM or keep it in use for ever. The signature also covers a text that names its
purpose: one made for anything else never counts.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from types import MappingProxyType
from typing import Final, Self

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_private_key,
    load_der_public_key,
)

from cvmproof.errors import Misuse
from cvmproof.policy.cbor import CborItem, CborKey
from cvmproof.policy.cose import (
    ALG,
    CONTENT_TYPE,
    KID,
    PrivateKey,
    PublicKey,
    Sign1,
    algorithm_of,
    read_sign1,
    sign1,
    verify_sign1,
)
from cvmproof.policy.reading import POLICY_LIMIT
from cvmproof.spelling import escape, spell_time
from cvmproof_formats.errors import Category, EvidenceError, Malformed
from cvmproof_formats.pem import read_pem

PURPOSE: Final = b"cvmproof/v1/policy"  # external_aad of the signature
POLICY_CONTENT_TYPE: Final = "application/vnd.cvmproof.policy"
CVM_ID_LIMIT: Final = 512  # characters
MAXIMUM_SERIAL: Final = 2**63 - 1

CWT_CLAIMS = 15  # RFC 9597 section 2
SUBJECT, EXPIRY, SERIAL = 2, 4, "serial"  # RFC 8392 section 4 for the first two
_HEADER: Final = frozenset({ALG, CONTENT_TYPE, CWT_CLAIMS})
_CLAIMS: Final = frozenset({SUBJECT, EXPIRY, SERIAL})
_LAST_SECOND: Final = int(datetime.max.replace(tzinfo=UTC, microsecond=0).timestamp())
# Every way to write tag 18; the strict reader refuses all but the first.
_TAG_SIGN1: Final = (b"\xd2", b"\xd8\x12", b"\xd9\x00\x12", b"\xda\x00\x00\x00\x12", b"\xdb" + bytes(7) + b"\x12")


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyStatement:
    """What an operator signed, checked: `policy` holds for this CVM until `expires_at`.

    `key_id` is SHA-256 of the SubjectPublicKeyInfo of the key that signed it.
    """

    policy: bytes = field(repr=False)
    cvm_id: str
    serial: int
    expires_at: datetime
    key_id: bytes

    @property
    def digest(self) -> bytes:
        """SHA-256 of the policy."""
        return sha256(self.policy).digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedStatement:
    """What a signed policy says of itself, nothing checked: for showing only.

    `policy` is None where it is detached, `key_id` where the message names no key.
    """

    policy: bytes | None = field(repr=False)
    cvm_id: str
    serial: int
    expires_at: datetime
    key_id: bytes | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicySigners:
    """The operator's public keys, by key id: any of them may sign a policy."""

    keys: Mapping[bytes, PublicKey]

    def __post_init__(self) -> None:
        if not self.keys:
            raise Misuse("policy signers: expected one public key at least, got none")
        for key_id, key in self.keys.items():
            algorithm_of(key)
            if key_id != key_id_of(key):
                raise Misuse("policy signers: expected each key under its own id; use PolicySigners.read")

    @classmethod
    def read(cls, *pem_files: bytes) -> Self:
        """Read public keys, each file one or more PEM blocks PUBLIC KEY (RFC 7468 section 13).

        Raises Misuse: POLICY_INVALID, or UNSUPPORTED for a key that is not Ed25519, P-256 or P-384.
        """
        keys = [_read_public_key(der) for data in pem_files for der in _read_blocks(data)]
        return cls(keys=MappingProxyType({key_id_of(key): key for key in keys}))

    def may_have_signed(self, message: Sign1) -> tuple[tuple[bytes, PublicKey], ...]:
        """Give the keys a message can be from: the one it names, or each that uses its algorithm.

        Raises Misuse (SIGNATURE) if there is none.
        """
        fitting = tuple(
            (key_id, key)
            for key_id, key in self.keys.items()
            if message.key_id in {None, key_id} and algorithm_of(key) is message.algorithm
        )
        if not fitting:
            signer = "unnamed" if message.key_id is None else message.key_id.hex()
            expected = ", ".join(key_id.hex() for key_id in self.keys)
            raise _no_signature(f"expected a signature by {expected}, got {message.algorithm.name} by the key {signer}")
        return fitting


def is_signed(data: bytes) -> bool:
    """Tell whether data claim to be a signed message (COSE_Sign1); what they are is for `read_signed_policy` to say."""
    return data.startswith(_TAG_SIGN1)


def read_signed_policy(
    data: bytes, *, signers: PolicySigners, cvm_id: str, now: datetime, signature: bytes | None = None
) -> PolicyStatement:
    """Check a signed policy for one CVM; with a detached `signature`, `data` is the policy itself.

    The serial is not compared with an earlier one here: `cvmproof.marks` remembers. Raises Misuse: SIGNATURE, also for
    a policy without one; IDENTITY for another CVM's; EXPIRED; SIZE_LIMIT or POLICY_INVALID for what can't be read.
    """
    if not cvm_id or now.tzinfo is None:
        raise Misuse("signed policy: expected the id of a CVM, and a time with its zone")
    statement = verify_statement(data, signers=signers, signature=signature)
    if statement.cvm_id != cvm_id:
        message = f"signed policy: expected one for the CVM {escape(cvm_id)}, got one for {escape(statement.cvm_id)}"
        raise Misuse(message, category=Category.IDENTITY)
    if now >= statement.expires_at:  # RFC 8392 section 3.1.4: not accepted on or after it
        message = f"signed policy: expected one valid at {spell_time(now.astimezone(UTC))}, got one that ended "
        hint = "sign it again with a later --expires, if it still holds"
        raise Misuse(message + spell_time(statement.expires_at), category=Category.EXPIRED, hint=hint)
    return statement


def verify_statement(data: bytes, *, signers: PolicySigners, signature: bytes | None = None) -> PolicyStatement:
    """Check who signed a policy, whichever CVM it is for and however old it is: for showing, not for a verdict.

    Raises Misuse as `read_signed_policy` does.
    """
    if not isinstance(signers, PolicySigners):
        raise Misuse(f"policy signers: expected PolicySigners, got {type(signers).__name__}")
    message, policy = _read_message(data, signature)
    key_id = _find_signer(message, signers, policy if signature is not None else None)
    cvm_id, serial, expires_at = _read_claims(message)
    return PolicyStatement(policy=policy, cvm_id=cvm_id, serial=serial, expires_at=expires_at, key_id=key_id)


def claimed_statement(data: bytes) -> ClaimedStatement:
    """Read what a signed policy says of itself without checking the signature: for showing only.

    Raises Misuse.
    """
    message = _read_sign1(data)
    cvm_id, serial, expires_at = _read_claims(message)
    return ClaimedStatement(
        policy=message.payload, cvm_id=cvm_id, serial=serial, expires_at=expires_at, key_id=message.key_id
    )


def sign_policy(
    policy: bytes,
    *,
    private_key: PrivateKey,
    cvm_id: str,
    serial: int,
    expires_at: datetime,
    detached: bool = False,
) -> bytes:
    """Sign a policy for one CVM; detached, the signature alone comes back. The policy is not read here.

    Raises Misuse for a serial outside 0 to 2**63 - 1, an expiry without zone or with parts of a second, an id that is
    empty or longer than 512 characters, more than 1 MiB of policy, or a key that is not Ed25519, P-256 or P-384.
    """
    if expires_at.tzinfo is None or expires_at.microsecond:
        raise Misuse(f"expiry: expected a time in whole seconds with its zone, got {expires_at.isoformat()}")
    if len(policy) > POLICY_LIMIT:
        message = f"policy: expected at most {POLICY_LIMIT} bytes, got {len(policy)}"
        raise Misuse(message, category=Category.SIZE_LIMIT)
    claims: dict[CborKey, CborItem] = {SUBJECT: cvm_id, EXPIRY: int(expires_at.timestamp()), SERIAL: serial}
    _check_claims(claims)
    header: dict[CborKey, CborItem] = {
        CONTENT_TYPE: POLICY_CONTENT_TYPE,
        KID: key_id_of(private_key.public_key()),
        CWT_CLAIMS: claims,
    }
    return sign1(policy, private_key, header=header, external_aad=PURPOSE, detached=detached)


def read_private_key(data: bytes) -> PrivateKey:
    """Read a private key from one PEM block PRIVATE KEY (PKCS #8, RFC 5958), without a passphrase.

    Raises Misuse; nothing of the file stands in the message.
    """
    if b"-----BEGIN ENCRYPTED PRIVATE KEY-----" in data or b"Proc-Type: 4,ENCRYPTED" in data:
        hint = "openssl pkey -in KEY.pem -out PLAIN.pem, in a folder that only you can read"
        raise Misuse("private key: expected one without a passphrase, got an encrypted one", hint=hint)
    try:
        (der,) = read_pem(data, "PRIVATE KEY")
        key = load_der_private_key(der, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm, Malformed):
        # What went wrong may quote the key.
        hint = "openssl pkcs8 -topk8 -nocrypt -in KEY.pem writes one from other forms"
        raise Misuse("private key: expected one PEM block PRIVATE KEY and nothing else", hint=hint) from None
    if not isinstance(key, Ed25519PrivateKey | EllipticCurvePrivateKey):
        message = f"private key: expected Ed25519, P-256 or P-384, got {type(key).__name__}"
        raise Misuse(message, category=Category.UNSUPPORTED)
    algorithm_of(key.public_key())
    return key


def key_id_of(key: PublicKey) -> bytes:
    """Give a key's id: SHA-256 of its DER SubjectPublicKeyInfo, a point of a curve uncompressed."""
    return sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()


def _read_message(data: bytes, signature: bytes | None) -> tuple[Sign1, bytes]:
    """Read the message and the policy that it signs."""
    if signature is None:
        if not is_signed(data):
            hint = "cvmproof policy sign, with a key whose public half is configured"
            raise Misuse("policy: expected a signed one, got one without signature", category=_SIGNATURE, hint=hint)
        message = _read_sign1(data)
        if message.payload is None:
            raise _no_signature("expected the policy inside it, got a detached signature")
        return message, message.payload
    if is_signed(data):
        raise _no_signature("expected a plain policy beside the detached signature, got a signed one")
    message = _read_sign1(signature)
    if message.payload is not None:
        raise _no_signature("expected a detached signature, got one with a policy of its own")
    return message, data


def _read_sign1(data: bytes) -> Sign1:
    try:
        return read_sign1(data, what="signed policy", payload_limit=POLICY_LIMIT)
    except EvidenceError as error:
        raise Misuse(str(error), category=_category(error)) from error


def _find_signer(message: Sign1, signers: PolicySigners, detached: bytes | None) -> bytes:
    """Give the id of the key that signed a message."""
    refused: EvidenceError | None = None
    for key_id, key in signers.may_have_signed(message):
        try:
            verify_sign1(message, key, external_aad=PURPOSE, detached=detached)
        except EvidenceError as error:
            refused = error
        else:
            return key_id
    raise _no_signature("expected a signature over what was received, got one over something else") from refused


def _read_claims(message: Sign1) -> tuple[str, int, datetime]:
    """Read CVM id, serial and expiry out of the protected header, which says nothing else."""
    header = message.header
    if header.keys() - {KID} != _HEADER:
        raise Misuse(f"signed policy: expected algorithm, content type and claims in its header, got {_names(header)}")
    if header[CONTENT_TYPE] != POLICY_CONTENT_TYPE:
        raise Misuse(f"signed policy: expected content {POLICY_CONTENT_TYPE}, got {header[CONTENT_TYPE]!r:.60}")
    claims = header[CWT_CLAIMS]
    if not isinstance(claims, Mapping):
        raise Misuse(f"signed policy: expected a map of claims, got {type(claims).__name__}")
    return _check_claims(claims)


def _check_claims(claims: Mapping[CborKey, CborItem]) -> tuple[str, int, datetime]:
    if claims.keys() != _CLAIMS:
        expected = f"sub ({SUBJECT}), exp ({EXPIRY}) and {SERIAL}"
        raise Misuse(f"signed policy: expected the claims {expected}, got {_names(claims)}")
    cvm_id = claims[SUBJECT]
    if not isinstance(cvm_id, str) or not 0 < len(cvm_id) <= CVM_ID_LIMIT or not cvm_id.isprintable():
        message = f"signed policy: expected a CVM id of 1 to {CVM_ID_LIMIT} printable characters"
        raise Misuse(f"{message}, got {cvm_id!r:.60}")
    serial = _integer(claims[SERIAL], MAXIMUM_SERIAL, "serial")
    expiry = _integer(claims[EXPIRY], _LAST_SECOND, "expiry in seconds since 1970")
    return cvm_id, serial, datetime.fromtimestamp(expiry, UTC)


def _integer(value: CborItem, most: int, what: str) -> int:
    if type(value) is not int or not 0 <= value <= most:
        raise Misuse(f"signed policy: expected an integer from 0 to {most} as {what}, got {value!r:.60}")
    return value


def _read_blocks(data: bytes) -> tuple[bytes, ...]:
    try:
        return read_pem(data, "PUBLIC KEY")
    except Malformed:
        # What went wrong may quote a private key, given by mistake.
        hint = "openssl pkey -in PRIVATE.pem -pubout"
        raise Misuse("policy signer: expected PEM blocks PUBLIC KEY and nothing else", hint=hint) from None


def _read_public_key(der: bytes) -> PublicKey:
    try:
        key = load_der_public_key(der)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise Misuse(f"policy signer: expected a public key: {error}") from error
    if not isinstance(key, Ed25519PublicKey | EllipticCurvePublicKey):
        message = f"policy signer: expected Ed25519, P-256 or P-384, got {type(key).__name__}"
        raise Misuse(message, category=Category.UNSUPPORTED)
    algorithm_of(key)
    return key


def _names(table: Mapping[CborKey, CborItem]) -> str:
    return f"{', '.join(sorted(map(repr, table))) or 'nothing':.120}"


def _category(error: EvidenceError) -> Category | None:
    """Give the category of a message that can't be read: of its form, it is the policy that is wrong."""
    return None if error.category is Category.MALFORMED else error.category


_SIGNATURE = Category.SIGNATURE


def _no_signature(message: str) -> Misuse:
    return Misuse(f"signed policy: {message}", category=_SIGNATURE)
