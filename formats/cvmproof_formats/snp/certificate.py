"""AMD's certificates and revocation lists: read element by element, and at once where many come.

What is read at once is what fits a pattern (`certificate_pattern`, `crl_pattern`), and is read the same. The patterns
are loaded when that pays, which for a command that looks at one report and ends it never does.
"""

from typing import Final

from cvmproof_formats.pattern import Uses
from cvmproof_formats.x509 import Certificate, CertificateList, read_certificate, read_crl

_CERTIFICATES: Final = Uses()
_LISTS: Final = Uses()


def read_amd_certificate(data: bytes) -> Certificate:
    """Read one certificate as `read_certificate` does; most of AMD's in one step. Raises Malformed as it does."""
    if not _CERTIFICATES.pays():
        return read_certificate(data)
    from cvmproof_formats.snp.certificate_pattern import read_at_once  # noqa: PLC0415 -- said above

    return read_at_once(data) or read_certificate(data)


def read_amd_crl(data: bytes) -> CertificateList:
    """Read one CRL as `read_crl` does; most of AMD's in one step. Raises Malformed as it does."""
    if not _LISTS.pays():
        return read_crl(data)
    from cvmproof_formats.snp.crl_pattern import read_at_once  # noqa: PLC0415 -- said above

    return read_at_once(data) or read_crl(data)
