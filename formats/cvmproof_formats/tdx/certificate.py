"""Certificates in the form in which Intel writes them, read at once.

What fits the pattern to the last byte, lengths included, is read from its groups. Anything else is not wrong: it is
read element by element (`cvmproof_formats.x509`), which decides. So nothing may fit here that is refused there, or
would be read otherwise.
"""

import re
from datetime import datetime
from typing import Final

from cvmproof_formats import der
from cvmproof_formats.binding import SPKI_PREFIX
from cvmproof_formats.record import maker
from cvmproof_formats.tdx.hierarchy import ECDSA_SHA256, KNOWN_NAMES, PROFILES, SGX_EXTENSIONS
from cvmproof_formats.tdx.pattern import Pattern
from cvmproof_formats.x509 import (
    AUTHORITY_KEY_IDENTIFIER,
    CRL_DISTRIBUTION_POINTS,
    MAXIMUM_CERTIFICATE,
    SUBJECT_KEY_IDENTIFIER,
    Certificate,
    Extension,
    read_certificate,
)

_VERSION_3 = 3
# A chain has a dozen of these; a NamedTuple's own constructor costs twice what it wraps.
new_extension: Final = tuple.__new__
_certificate, _moment = maker(Certificate), datetime.fromisoformat
# Of a SEQUENCE, [3] or OCTET STRING: tag and the byte that says how many follow.
_LENGTH_1, _LENGTH_2 = 0x80, 0x100  # from here on a length takes one byte more, or two (X.690 10.1)


def read_intel_certificate(data: bytes) -> Certificate:
    """Read one certificate as `read_certificate` does; those of Intel's in one step. Raises Malformed as it does."""
    found = _read_at_once(data) if _CERTIFICATE.pays() else None
    return read_certificate(data) if found is None else found


def utc_time(day: bytes, time: bytes) -> datetime | None:
    """Read the 6 digits of a UTCTime's day, of 2000 to 2049, and the 6 of its time; None for what does not exist."""
    try:
        return _moment((b"20" + day + b"T" + time + b"Z").decode())
    except ValueError:
        return None


# fromisoformat refuses days that do not exist; hours it may take up to 24, so those are counted here.
UTC_TIME: Final = rb"\x17\x0d([0-4][0-9]{5})((?:[01][0-9]|2[0-3])[0-9]{4})Z"
NAME: Final = b"(" + b"|".join(map(re.escape, KNOWN_NAMES)) + b")"
SIGNATURE: Final = re.escape(ECDSA_SHA256) + rb"\x03(.)\x00(\x30.+)"
"""What stands behind a signed part: the algorithm, the length of the signature and the signature."""
# Serial numbers of 20 bytes, with a sign byte where it is needed.
SERIAL: Final = rb"\x02(?:\x14([\x01-\x7f].{19})|\x15\x00([\x80-\xff].{19}))"


def extension_start(oid: str, *, critical: bool = False) -> bytes:
    """Write what comes before the OCTET STRING of an extension, the length of the whole left out."""
    return der.oid(oid) + (der.boolean(critical) if critical else b"")


def _any(extensions: dict[bytes, Extension]) -> bytes:
    return b"(" + b"|".join(map(re.escape, extensions)) + b")"


_USAGES = {one.build(): one for one in (profile.key_usage.build(shortest=True) for profile in PROFILES)}
_CONSTRAINTS = {one.build(): one for one in (profile.basic_constraints.build() for profile in PROFILES)}
"""Extensions that are the same in every certificate of a kind."""
_CERTIFICATE: Final = Pattern(
    rb"\x30\x82(..)(\x30\x82(..)\xa0\x03\x02\x01\x02"
    + SERIAL
    + re.escape(ECDSA_SHA256)
    + NAME
    + rb"\x30\x1e"
    + UTC_TIME
    + UTC_TIME
    + NAME
    + b"("
    + re.escape(SPKI_PREFIX)
    + rb".{64})"
    + rb"(\xa3\x81.\x30\x81.|\xa3\x82..\x30\x82..)("
    + rb"\x30\x1f"
    + re.escape(extension_start(AUTHORITY_KEY_IDENTIFIER))
    + rb"\x04\x18(.{24})"
    + rb"\x30(.)"
    + re.escape(extension_start(CRL_DISTRIBUTION_POINTS))
    + rb"\x04(.)(.{64,118}?)"
    + rb"\x30\x1d"
    + re.escape(extension_start(SUBJECT_KEY_IDENTIFIER))
    + rb"\x04\x16(.{22})"
    + _any(_USAGES)
    + _any(_CONSTRAINTS)
    + rb"(?:\x30\x82(..)"
    + re.escape(extension_start(SGX_EXTENSIONS))
    + rb"\x04\x82(..)(.{256,}))?"
    + rb"))"
    + SIGNATURE,
    re.DOTALL,
)
_BEFORE_TBS = _BEFORE_VALUE = 4  # bytes: a tag, 82 and two of length
_SGX_START = len(extension_start(SGX_EXTENSIONS)) + _BEFORE_VALUE
_URI_START = len(extension_start(CRL_DISTRIBUTION_POINTS)) + 2


def _read_at_once(data: bytes) -> Certificate | None:
    found = _CERTIFICATE.compiled.fullmatch(data) if len(data) <= MAXIMUM_CERTIFICATE else None
    if found is None:
        return None
    # fmt: off
    (
        outer, tbs, inner, positive, signed, issuer, begin, begin_time, end, end_time, subject, spki, start, extensions,
        authority, whole_uri, uri_length, uri, key_id, usage, constraints, whole_sgx, sgx_length, sgx, size, signature,
    ) = found.groups()
    # fmt: on
    number = int.from_bytes  # big-endian
    fits = (
        number(outer) == len(data) - _BEFORE_TBS
        and number(inner) == len(tbs) - _BEFORE_TBS
        and start == _explicit_start(len(extensions))
        and uri_length[0] == len(uri)
        and whole_uri[0] == len(uri) + _URI_START
        and (sgx is None or (number(sgx_length), number(whole_sgx)) == (len(sgx), len(sgx) + _SGX_START))
        and size[0] == len(signature) + 1 < _LENGTH_1
    )
    not_before, not_after = utc_time(begin, begin_time), utc_time(end, end_time)
    if not fits or not_before is None or not_after is None:
        return None
    found_extensions = (
        new_extension(Extension, (AUTHORITY_KEY_IDENTIFIER, authority, False)),
        new_extension(Extension, (CRL_DISTRIBUTION_POINTS, uri, False)),
        new_extension(Extension, (SUBJECT_KEY_IDENTIFIER, key_id, False)),
        _USAGES[usage],
        _CONSTRAINTS[constraints],
    )
    return _certificate(
        der=data,
        tbs=tbs,
        version=_VERSION_3,
        serial=number(positive or signed),
        issuer=issuer,
        subject=subject,
        not_before=not_before,
        not_after=not_after,
        spki=spki,
        extensions=found_extensions
        if sgx is None
        else (*found_extensions, new_extension(Extension, (SGX_EXTENSIONS, sgx, False))),
        signature_algorithm=ECDSA_SHA256,
        signature=signature,
    )


def _explicit_start(size: int) -> bytes:
    """Write the beginning of [3] and of the SEQUENCE in it around so many bytes; nothing for a size in between."""
    if _LENGTH_1 <= size < _LENGTH_2 - 3:
        return b"\xa3\x81%c\x30\x81%c" % (size + 3, size)
    if size < _LENGTH_2:
        return b""
    return b"\xa3\x82" + (size + 4).to_bytes(2, "big") + b"\x30\x82" + size.to_bytes(2, "big")
