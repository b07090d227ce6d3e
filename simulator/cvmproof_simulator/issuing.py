"""Writing certificates and revocation lists (RFC 5280) for the SIMULATED authorities, right or wrong on purpose."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Final, Protocol

from cvmproof_formats import der
from cvmproof_formats.x509 import AUTHORITY_KEY_IDENTIFIER, Extension

CRL_REASON: Final = "2.5.29.21"  # RFC 5280 5.3.1
KEY_COMPROMISE: Final = 1
_ENUMERATED = 0x0A


class Signer(Protocol):
    """A key and the way it signs; those that are equal sign alike."""

    @property
    def algorithm(self) -> bytes:
        """The AlgorithmIdentifier to write, DER."""

    def sign(self, message: bytes) -> bytes:
        """Give the bytes of the BIT STRING, the same for the same message."""

    def __hash__(self) -> int: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """Everything a certificate is made of, decided."""

    version: int
    serial: int
    issuer: bytes
    subject: bytes
    not_before: datetime
    not_after: datetime
    spki: bytes
    extensions: tuple[Extension, ...]
    signer: Signer
    outer_algorithm: bytes | None
    """The unsigned AlgorithmIdentifier (DER); None: the same as inside."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListDraft:
    """Everything a revocation list is made of, decided."""

    issuer: bytes
    this_update: datetime
    next_update: datetime | None
    revoked: tuple[int, ...]
    """Serial numbers."""
    reason: int | None = None
    """Why all of them were revoked; None: not said."""
    extensions: tuple[Extension, ...]
    signer: Signer


@lru_cache(maxsize=4096)
def issue(draft: Draft) -> bytes:
    """Write and sign a certificate, DER."""
    algorithm = draft.signer.algorithm
    tbs = der.sequence(
        der.explicit(0, der.integer(draft.version - 1)) if draft.version > 1 else b"",
        der.integer(draft.serial),
        algorithm,
        draft.issuer,
        der.sequence(der.time(draft.not_before), der.time(draft.not_after)),
        draft.subject,
        draft.spki,
        _explicit_extensions(3, draft.extensions),
    )
    signature = der.bit_string(draft.signer.sign(tbs))
    return der.sequence(tbs, draft.outer_algorithm or algorithm, signature)


@lru_cache(maxsize=1024)
def issue_crl(draft: ListDraft) -> bytes:
    """Write and sign a revocation list, DER."""
    algorithm = draft.signer.algorithm
    entries = (_entry(serial, draft) for serial in draft.revoked)
    tbs = der.sequence(
        der.integer(1),
        algorithm,
        draft.issuer,
        der.time(draft.this_update),
        b"" if draft.next_update is None else der.time(draft.next_update),
        der.sequence(*entries) if draft.revoked else b"",
        _explicit_extensions(0, draft.extensions),
    )
    return der.sequence(tbs, algorithm, der.bit_string(draft.signer.sign(tbs)))


def edited(
    extensions: Iterable[Extension],
    *,
    drop: tuple[str, ...] = (),
    put: tuple[Extension, ...] = (),
    critical: tuple[str, ...] = (),
    add: tuple[Extension, ...] = (),
) -> tuple[Extension, ...]:
    """Leave out those with the OIDs of `drop`, put others in their place, mark critical, and write more behind."""
    replacements = {extension.oid: extension for extension in put}
    kept = (replacements.get(e.oid, e) for e in extensions if e.oid not in drop)
    return (*(e._replace(critical=True) if e.oid in critical else e for e in kept), *add)


def authority_key(key_identifier: bytes) -> Extension:
    """Write the extension that names the issuer's key."""
    return Extension(oid=AUTHORITY_KEY_IDENTIFIER, value=der.sequence(der.tlv(0x80, key_identifier)))


def years_later(moment: datetime, years: int) -> datetime:
    """Give the same day so many years later; the 28th for a leap day."""
    leap_day = (moment.month, moment.day) == (2, 29)
    return moment.replace(year=moment.year + years, day=28 if leap_day else moment.day)


def _entry(serial: int, draft: ListDraft) -> bytes:
    reason: bytes = b""
    if draft.reason is not None:
        reason = der.sequence(Extension(oid=CRL_REASON, value=der.tlv(_ENUMERATED, bytes((draft.reason,)))).build())
    return der.sequence(der.integer(serial), der.time(draft.this_update), reason)


def _explicit_extensions(number: int, extensions: tuple[Extension, ...]) -> bytes:
    if not extensions:
        return b""
    return der.explicit(number, der.sequence(*(extension.build() for extension in extensions)))
