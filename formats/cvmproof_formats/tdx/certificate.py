"""Certificates in the form in which Intel writes them, read at once.

What fits the pattern to the last byte, lengths included, is read from its groups. Anything else is not wrong: it is
read element by element (`cvmproof_formats.x509`), which decides. So nothing may fit here that is refused there, or
would be read otherwise.
"""

import re
from typing import Final

from cvmproof_formats.binding import SPKI_PREFIX
from cvmproof_formats.der_pattern import (
    BEFORE,
    EXPLICIT_START,
    LONG,
    UTC_TIME,
    explicit_start,
    extension_start,
    new_extension,
    one_of,
    utc_time,
)
from cvmproof_formats.pattern import Pattern
from cvmproof_formats.record import maker
from cvmproof_formats.tdx.hierarchy import ECDSA_SHA256, KNOWN_NAMES, PROFILES, SGX_EXTENSIONS
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
_certificate = maker(Certificate)


def read_intel_certificate(data: bytes) -> Certificate:
    """Read one certificate as `read_certificate` does; those of Intel's in one step. Raises Malformed as it does."""
    found = _read_at_once(data) if _CERTIFICATE.pays() else None
    return read_certificate(data) if found is None else found


NAME: Final = one_of(KNOWN_NAMES)
SIGNATURE: Final = re.escape(ECDSA_SHA256) + rb"\x03(.)\x00(\x30.+)"
"""What stands behind a signed part: the algorithm, the length of the signature and the signature."""
# Serial numbers of 20 bytes, with a sign byte where it is needed.
SERIAL: Final = rb"\x02(?:\x14([\x01-\x7f].{19})|\x15\x00([\x80-\xff].{19}))"


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
    + EXPLICIT_START
    + b"("
    + rb"\x30\x1f"
    + re.escape(extension_start(AUTHORITY_KEY_IDENTIFIER))
    + rb"\x04\x18(.{24})"
    + rb"\x30(.)"
    + re.escape(extension_start(CRL_DISTRIBUTION_POINTS))
    + rb"\x04(.)(.{64,118}?)"
    + rb"\x30\x1d"
    + re.escape(extension_start(SUBJECT_KEY_IDENTIFIER))
    + rb"\x04\x16(.{22})"
    + one_of(_USAGES)
    + one_of(_CONSTRAINTS)
    + rb"(?:\x30\x82(..)"
    + re.escape(extension_start(SGX_EXTENSIONS))
    + rb"\x04\x82(..)(.{256,}))?"
    + rb"))"
    + SIGNATURE,
    re.DOTALL,
)
_SGX_START = len(extension_start(SGX_EXTENSIONS)) + BEFORE
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
        number(outer) == len(data) - BEFORE
        and number(inner) == len(tbs) - BEFORE
        and start == explicit_start(len(extensions))
        and uri_length[0] == len(uri)
        and whole_uri[0] == len(uri) + _URI_START
        and (sgx is None or (number(sgx_length), number(whole_sgx)) == (len(sgx), len(sgx) + _SGX_START))
        and size[0] == len(signature) + 1 < LONG
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
