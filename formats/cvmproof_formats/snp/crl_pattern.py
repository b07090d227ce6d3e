"""Revocation lists in the form in which AMD writes them while nothing is revoked, read at once.

As with certificates (`cvmproof_formats.snp.certificate_pattern`): what does not fit is read element by element.
"""

import re

from cvmproof_formats.der_pattern import BEFORE, UTC_TIME, new_extension, utc_time
from cvmproof_formats.record import maker
from cvmproof_formats.snp.certificate_pattern import ALGORITHM, NAME, SIGNATURE, fixed_extension
from cvmproof_formats.x509 import AUTHORITY_KEY_IDENTIFIER, CRL_NUMBER, CertificateList, Extension

_LIST = re.compile(
    rb"\x30\x82(..)(\x30\x82(..)\x02\x01\x01"
    + ALGORITHM
    + NAME
    + UTC_TIME
    + UTC_TIME
    + rb"\xa0\x2f\x30\x2d"
    + fixed_extension(AUTHORITY_KEY_IDENTIFIER, 24)
    + fixed_extension(CRL_NUMBER, 3)
    + b")"
    + SIGNATURE,
    re.DOTALL,
)
_certificate_list = maker(CertificateList)


def read_at_once(data: bytes) -> CertificateList | None:
    """Read a list that names nobody; None for any other."""
    found = _LIST.fullmatch(data)
    if found is None:
        return None
    # fmt: off
    (
        outer, tbs, inner, algorithm, issuer, begin, begin_time, end, end_time, authority, crl_number, signature,
    ) = found.groups()
    # fmt: on
    fits = int.from_bytes(outer) == len(data) - BEFORE and int.from_bytes(inner) == len(tbs) - BEFORE
    this_update, next_update = utc_time(begin, begin_time), utc_time(end, end_time)
    if not fits or this_update is None or next_update is None:
        return None
    return _certificate_list(
        der=data,
        tbs=tbs,
        issuer=issuer,
        this_update=this_update,
        next_update=next_update,
        serials=frozenset(),
        extensions=(
            new_extension(Extension, (AUTHORITY_KEY_IDENTIFIER, authority, False)),
            new_extension(Extension, (CRL_NUMBER, crl_number, False)),
        ),
        signature_algorithm=algorithm,
        signature=signature,
    )
