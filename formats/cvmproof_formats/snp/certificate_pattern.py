"""Certificates in the forms in which AMD writes them, read at once.

What fits a pattern to the last byte, lengths included, is read from its groups. Anything else is not wrong: it is read
element by element (`cvmproof_formats.x509`), which decides. So nothing may fit here that is refused there, or would be
read otherwise.
"""

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from cvmproof_formats import der
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
from cvmproof_formats.record import maker
from cvmproof_formats.snp.hierarchy import KNOWN_NAMES, P384_START, RSA_END, RSA_START
from cvmproof_formats.snp.vek import CSP_ID, HWID, PRODUCT_NAME, PROFILES, STRUCT_VERSION, Profile
from cvmproof_formats.x509 import (
    AUTHORITY_KEY_IDENTIFIER,
    CRL_DISTRIBUTION_POINTS,
    PSS_SHA384,
    SUBJECT_KEY_IDENTIFIER,
    BasicConstraints,
    Certificate,
    Extension,
    KeyUsage,
)

_VERSION_3 = 3
_certificate = maker(Certificate)

NAME: Final = one_of(KNOWN_NAMES)
ALGORITHM: Final = one_of(PSS_SHA384, "algorithm")
SIGNATURE: Final = rb"(?P=algorithm)\x03\x82\x02\x01\x00(.{512})"
"""What stands behind a signed part: the algorithm that stands within it too, and 512 bytes of signature."""


def fixed_extension(oid: str, size: int) -> bytes:
    """Write the pattern of an extension that is not critical, a group for its value of so many bytes."""
    start = extension_start(oid)
    before = bytes((len(start) + 2 + size,)) + start + bytes((der.OCTET_STRING, size))
    return rb"\x30" + re.escape(before) + b"(.{%d})" % size


def _extension(oid: str, most: int) -> bytes:
    """The same with any value of at most so many bytes: groups for both lengths and for the value."""
    return rb"\x30(.)" + re.escape(extension_start(oid)) + rb"\x04(.)(.{1,%d}?)" % most


def _level(oid: str) -> bytes:
    """Write the pattern of a patch level, an INTEGER of one byte: a group for each of its forms (X.690 8.3)."""
    return b"(?:" + fixed_extension(oid, 3) + b"|" + fixed_extension(oid, 4) + b")"


def _compiled(serial: bytes, spki: bytes, *extensions: bytes) -> re.Pattern[bytes]:
    """Compile the pattern of certificates with such serial numbers (length and content), keys and extensions."""
    return re.compile(
        rb"\x30\x82(..)(\x30\x82(..)\xa0\x03\x02\x01\x02\x02"
        + serial
        + ALGORITHM
        + NAME
        + rb"\x30\x1e"
        + UTC_TIME
        + UTC_TIME
        + NAME
        + b"("
        + spki
        + b")"
        + EXPLICIT_START
        + b"("
        + b"".join(extensions)
        + b"))"
        + SIGNATURE,
        re.DOTALL,
    )


class _Leaves(NamedTuple):
    """VCEKs and VLEKs of one structure version: the extension that says it, and the OIDs of the patch levels."""

    version: Extension
    levels: tuple[str, ...]
    pattern: re.Pattern[bytes]


def _leaves(number: int, profile: Profile) -> _Leaves:
    version = Extension(oid=STRUCT_VERSION, value=der.integer(number))
    pattern = _compiled(
        rb"\x01([\x00-\x7f])",
        re.escape(P384_START) + b".{96}",
        re.escape(version.build()),
        _extension(PRODUCT_NAME, 20),
        *map(_level, profile.patch_levels),
        b"(?:" + fixed_extension(HWID, profile.hwid_size) + b"|" + _extension(CSP_ID, 100) + b")",
    )
    return _Leaves(version, tuple(profile.patch_levels), pattern)


_LEAVES = tuple(_leaves(number, profile) for number, profile in PROFILES.items())
_CONSTRAINTS, _USAGE = BasicConstraints(ca=True, path_length=0).build(), KeyUsage(key_cert_sign=True).build()
_INTERMEDIATE = _compiled(
    rb"\x03([\x01-\x7f]..)",
    re.escape(RSA_START) + b".{512}" + re.escape(RSA_END),
    fixed_extension(SUBJECT_KEY_IDENTIFIER, 22),
    fixed_extension(AUTHORITY_KEY_IDENTIFIER, 24),
    re.escape(_CONSTRAINTS.build()),
    re.escape(_USAGE.build()),
    _extension(CRL_DISTRIBUTION_POINTS, 100),
)
_COMMON = 14  # groups before those of the extensions
_STARTS = {oid: len(extension_start(oid)) + 2 for oid in (PRODUCT_NAME, CSP_ID, CRL_DISTRIBUTION_POINTS)}


def read_at_once(data: bytes) -> Certificate | None:
    """Read an intermediate or a leaf; None for any other: a root is read once in a process, and has no pattern."""
    found = _INTERMEDIATE.fullmatch(data)
    if found is not None:
        return _intermediate(data, found.groups())
    for kind in _LEAVES:
        found = kind.pattern.fullmatch(data)
        if found is not None:
            return _leaf(data, found.groups(b""), kind)
    return None


def _intermediate(data: bytes, groups: Sequence[bytes]) -> Certificate | None:
    key_id, authority, whole, size, points, signature = groups[_COMMON:]
    if not _fits(CRL_DISTRIBUTION_POINTS, whole, size, points):
        return None
    extensions = (
        new_extension(Extension, (SUBJECT_KEY_IDENTIFIER, key_id, False)),
        new_extension(Extension, (AUTHORITY_KEY_IDENTIFIER, authority, False)),
        _CONSTRAINTS,
        _USAGE,
        new_extension(Extension, (CRL_DISTRIBUTION_POINTS, points, False)),
    )
    return _read_common(data, groups[:_COMMON], extensions, signature)


def _leaf(data: bytes, groups: Sequence[bytes], kind: _Leaves) -> Certificate | None:
    whole_name, name_size, name, *levels, hwid, whole_csp, csp_size, csp_id, signature = groups[_COMMON:]
    if not (_fits(PRODUCT_NAME, whole_name, name_size, name) and (hwid or _fits(CSP_ID, whole_csp, csp_size, csp_id))):
        return None
    extensions = (
        kind.version,
        new_extension(Extension, (PRODUCT_NAME, name, False)),
        *[
            new_extension(Extension, (oid, short or long, False))
            for oid, short, long in zip(kind.levels, levels[::2], levels[1::2], strict=True)
        ],
        new_extension(Extension, (HWID, hwid, False) if hwid else (CSP_ID, csp_id, False)),
    )
    return _read_common(data, groups[:_COMMON], extensions, signature)


def _fits(oid: str, whole: bytes, size: bytes, value: bytes) -> bool:
    return size[0] == len(value) and whole[0] == len(value) + _STARTS[oid] < LONG


def _read_common(
    data: bytes, groups: Sequence[bytes], extensions: tuple[Extension, ...], signature: bytes
) -> Certificate | None:
    # fmt: off
    (
        outer, tbs, inner, serial, algorithm, issuer, begin, begin_time, end, end_time, subject, spki, start, written,
    ) = groups
    # fmt: on
    number = int.from_bytes  # big-endian
    fits = (
        number(outer) == len(data) - BEFORE
        and number(inner) == len(tbs) - BEFORE
        and start == explicit_start(len(written))
    )
    not_before, not_after = utc_time(begin, begin_time), utc_time(end, end_time)
    if not fits or not_before is None or not_after is None:
        return None
    return _certificate(
        der=data,
        tbs=tbs,
        version=_VERSION_3,
        serial=number(serial),
        issuer=issuer,
        subject=subject,
        not_before=not_before,
        not_after=not_after,
        spki=spki,
        extensions=extensions,
        signature_algorithm=algorithm,
        signature=signature,
    )
