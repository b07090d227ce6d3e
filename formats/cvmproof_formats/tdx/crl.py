"""Revocation lists in the form in which Intel writes them, read at once.

As with certificates (`cvmproof_formats.tdx.certificate`): what does not fit is read element by element, which decides.
"""

import re

from cvmproof_formats.der_pattern import LONG, UTC_TIME, extension_start, new_extension, utc_time
from cvmproof_formats.errors import Malformed
from cvmproof_formats.pattern import Pattern
from cvmproof_formats.record import maker
from cvmproof_formats.tdx.certificate import NAME, SERIAL, SIGNATURE
from cvmproof_formats.tdx.hierarchy import ECDSA_SHA256
from cvmproof_formats.x509 import (
    AUTHORITY_KEY_IDENTIFIER,
    CRL_NUMBER,
    MAXIMUM_CRL,
    CertificateList,
    Extension,
    critical_in_entry,
    read_crl,
)

# Lengths as X.690 10.1 has them: one byte below 0x80, else how many follow.
_LENGTH = rb"([\x00-\x7f]|\x81[\x80-\xff]|\x82[\x01-\xff].)"
_NUMBER = rb"\x30\x0a" + re.escape(extension_start(CRL_NUMBER)) + rb"\x04\x03(.{3})"
_AUTHORITY = rb"\x30\x1f" + re.escape(extension_start(AUTHORITY_KEY_IDENTIFIER)) + rb"\x04\x18(.{24})"
_ANY_ENTRY = rb"(?:\x30\x33.{51}|\x30\x34.{52})"  # by its length alone, so that there is one way to cut a list apart
_CRL = Pattern(
    rb"\x30"
    + _LENGTH
    + rb"(\x30"
    + _LENGTH
    + rb"\x02\x01\x01"
    + re.escape(ECDSA_SHA256)
    + NAME
    + UTC_TIME
    + UTC_TIME
    + rb"(?:\x30"
    + _LENGTH
    + b"("
    + _ANY_ENTRY
    + rb"+))?\xa0\x2f\x30\x2d"
    + _NUMBER
    + _AUTHORITY
    + b")"
    + SIGNATURE,
    re.DOTALL,
)
_REST = rb"(\x17\x0d.{13}\x30\x0c\x30\x0a\x06\x03\x55\x1d\x15\x04\x03.{3})"  # of an entry: date and reason
_ENTRY = Pattern(rb"\x30(?=\x33\x02\x14|\x34\x02\x15)." + SERIAL + _REST, re.DOTALL)
_ENTRY_SIZE = 53  # bytes; one more where the serial number has a sign byte


def read_intel_crl(data: bytes) -> CertificateList:
    """Read one CRL as `read_crl` does; those of Intel's in one step. Raises Malformed as it does."""
    found = _read_at_once(data) if _CRL.pays() else None
    return read_crl(data) if found is None else found


def _read_at_once(data: bytes) -> CertificateList | None:
    found = _CRL.compiled.fullmatch(data) if len(data) <= MAXIMUM_CRL else None
    if found is None:
        return None
    # fmt: off
    (
        outer, tbs, inner, issuer, begin, begin_time, end, end_time, listed, entries, crl_number, authority, size,
        signature,
    ) = found.groups()
    # fmt: on
    this_update, next_update = utc_time(begin, begin_time), utc_time(end, end_time)
    serials = _serials(entries)
    fits = (
        _size_of(outer) == len(data) - 1 - len(outer)
        and _size_of(inner) == len(tbs) - 1 - len(inner)
        and (entries is None or _size_of(listed) == len(entries))
        and size[0] == len(signature) + 1 < LONG
    )
    if not fits or this_update is None or next_update is None or serials is None:
        return None
    return _certificate_list(
        der=data,
        tbs=tbs,
        issuer=issuer,
        this_update=this_update,
        next_update=next_update,
        serials=serials,
        extensions=(
            new_extension(Extension, (CRL_NUMBER, crl_number, False)),
            new_extension(Extension, (AUTHORITY_KEY_IDENTIFIER, authority, False)),
        ),
        signature_algorithm=ECDSA_SHA256,
        signature=signature,
    )


_certificate_list = maker(CertificateList)


def _size_of(length: bytes) -> int:
    return length[0] if len(length) == 1 else int.from_bytes(length[1:])


def _serials(entries: bytes | None) -> frozenset[int] | None:
    """Read the entries; None where one is not as Intel's are."""
    if entries is None:
        return frozenset()
    found = _ENTRY.compiled.findall(entries)
    with_sign = sum(not positive for positive, _, _ in found)
    if len(found) * _ENTRY_SIZE + with_sign != len(entries):
        return None
    try:
        critical = any(critical_in_entry(rest) for rest in {rest for _, _, rest in found})
    except Malformed:
        return None
    return None if critical else frozenset(int.from_bytes(positive or signed) for positive, signed, _ in found)
