"""The certificates that a host put beside a report: DER, untrusted, and no reason to give no report.

Follows AMD/GHCB 56421, SNP extended guest request: a table by GUID, whose contents hosts write as DER or as PEM.
"""

import logging

from cvmproof_formats.errors import Malformed

_log = logging.getLogger(__name__)


def certificates_in(table: bytes, *, source: str) -> tuple[bytes, ...]:
    """Give the endorsement key's certificate and those above it, as the table has them.

    GUIDs of anything else are left out. A table or an entry that can't be read costs what is in it, and a warning that
    names the source.
    """
    if not table.strip(b"\0"):
        return ()
    # Many hosts have none, and then nothing is loaded.
    from cvmproof_formats.snp.certificate_table import CERTIFICATES, read_certificate_table  # noqa: PLC0415 -- so

    try:
        entries = read_certificate_table(table)
    except Malformed as error:
        _log.warning("%s: left out the host's certificates: %s", source, error)
        return ()
    return tuple(der for e in entries if e.guid in CERTIFICATES for der in _ders(e.data, f"{source}: {e.guid}"))


def _ders(data: bytes, source: str) -> tuple[bytes, ...]:
    from cvmproof_formats.pem import certificates  # noqa: PLC0415 -- as above

    try:
        return certificates(data)
    except Malformed as error:
        _log.warning("%s: left out a certificate of the host: %s", source, error)
        return ()
