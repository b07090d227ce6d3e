"""What REPORT_DATA says: the domains in which an agent binds its evidence to a nonce, a key or a TLS session.

Follows `docs/binding.md`. Each value is SHA-512 over length-prefixed parts that start with the domain's own tag, so
that no input of one domain can be read as an input of another, and nobody outside the agent ever chooses the 64 bytes.
"""

import hashlib
from enum import StrEnum

from cvmproof_formats.errors import Misuse

NONCE_SIZE = 32  # bytes, from the verifier, used once
EKM_SIZE = 32  # bytes of TLS exporter output
EXPORTER_LABEL = b"EXPORTER-cvmproof-v1"  # RFC 8446 section 7.5; the context is the nonce
SPKI_SIZE = 91  # bytes: DER SubjectPublicKeyInfo of an uncompressed P-256 point, RFC 5480
USER_DATA_LIMIT = 4096  # bytes
REPORT_DATA_SIZE = 64  # bytes

# RFC 5480: SEQUENCE { SEQUENCE { id-ecPublicKey, secp256r1 }, BIT STRING (66 bytes, none unused) { 04, x, y } }
SPKI_PREFIX = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004")


class Tee(StrEnum):
    """Which hardware vouches."""

    SEV_SNP = "sev-snp"
    TDX = "tdx"


class Role(StrEnum):
    """The attester's end of the TLS connection; without it a peer's own evidence could be reflected back to it."""

    SERVER = "server"
    CLIENT = "client"


class BindingKind(StrEnum):
    """The domain of a REPORT_DATA value."""

    CHANNEL = "channel"
    KEY = "key"
    NONCE = "nonce"
    USER = "user"


_TAGS = {kind: f"cvmproof/v1/{kind}".encode("ascii") for kind in BindingKind}


def channel_report_data(*, role: Role, tee: Tee, nonce: bytes, spki: bytes, ekm: bytes) -> bytes:
    """Bind to one TLS session: nonce (32 bytes), leaf key (91 bytes of DER), exporter value (32 bytes); gives 64 bytes.

    Raises Misuse for another length.
    """
    require_nonce(nonce)
    require_spki(spki)
    require_ekm(ekm)
    return _digest(BindingKind.CHANNEL, role.encode(), tee.encode(), nonce, spki, ekm)


def key_report_data(*, role: Role, tee: Tee, nonce: bytes, spki: bytes) -> bytes:
    """Bind to a TLS key: nonce (32 bytes) and leaf key (91 bytes of DER); gives 64 bytes.

    Raises Misuse for another length.
    """
    require_nonce(nonce)
    require_spki(spki)
    return _digest(BindingKind.KEY, role.encode(), tee.encode(), nonce, spki)


def nonce_report_data(*, role: Role, tee: Tee, nonce: bytes) -> bytes:
    """Bind to a nonce (32 bytes) alone; gives 64 bytes.

    Raises Misuse for another length.
    """
    require_nonce(nonce)
    return _digest(BindingKind.NONCE, role.encode(), tee.encode(), nonce)


def user_report_data(*, tee: Tee, uid: int, user_data: bytes) -> bytes:
    """Bind to what a process in the guest asked for: its uid (32 bits) and at most 4096 bytes; gives 64 bytes.

    Raises Misuse for more bytes or another uid.
    """
    require_user(uid, user_data)
    return _digest(BindingKind.USER, tee.encode(), uid.to_bytes(4, "big"), user_data)


def require_nonce(nonce: bytes) -> None:
    """Raise Misuse for anything but 32 bytes."""
    _require_length("nonce", nonce, NONCE_SIZE)


def require_spki(spki: bytes) -> None:
    """Raise Misuse for anything but 91 bytes of DER that begin as those of an uncompressed P-256 key."""
    _require_length("SPKI", spki, SPKI_SIZE)
    if not spki.startswith(SPKI_PREFIX):
        raise Misuse("SPKI: expected an uncompressed P-256 key as RFC 5480 encodes it")


def require_ekm(ekm: bytes) -> None:
    """Raise Misuse for anything but 32 bytes."""
    _require_length("EKM", ekm, EKM_SIZE)


def require_user(uid: int, user_data: bytes) -> None:
    """Raise Misuse for a uid beyond 32 bits, or more than 4096 bytes of user data."""
    if not 0 <= uid < 1 << 32:
        raise Misuse(f"uid: expected 0 to 2^32 - 1, got {uid}")
    if len(user_data) > USER_DATA_LIMIT:
        raise Misuse(f"user data: expected at most {USER_DATA_LIMIT} bytes, got {len(user_data)}")


def _digest(kind: BindingKind, *parts: bytes) -> bytes:
    return hashlib.sha512(b"".join([len(part).to_bytes(4, "big") + part for part in (_TAGS[kind], *parts)])).digest()


def _require_length(what: str, value: bytes, size: int) -> None:
    if type(value) is not bytes or len(value) != size:
        got = f"{len(value)} bytes" if isinstance(value, bytes) else type(value).__name__
        raise Misuse(f"{what}: expected exactly {size} bytes, got {got}")
