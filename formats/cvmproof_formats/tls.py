"""What both ends of an attested TLS connection agree on: ALPN names, and the profile of the agent's certificate.

The agent's certificate is self-signed and proves nothing by itself: its key counts because evidence names it. Dates are
constants, since the guest's clock is the host's. KeyUsage is digitalSignature and nothing else: TLS libraries accept
any certificate that a pinned one without that restriction has signed, so a pin would be one of the key's holder and not
of the certificate (RFC 5280 4.2.1.3 and 4.2.1.9).
"""

from datetime import UTC, datetime
from typing import Final

from cvmproof_formats.binding import SPKI_PREFIX, SPKI_SIZE
from cvmproof_formats.errors import Category, Malformed

# RFC 7301 protocol names. The first is ours: one exchange of frames, then gRPC on the same connection.
ALPN_ATTESTED: Final = b"cvmproof/1"
ALPN_H2: Final = b"h2"

SERVER_NAME: Final = "agent.cvmproof.invalid"  # RFC 6761: a name that is nobody's; for libraries that insist on one
NOT_BEFORE: Final = datetime(2000, 1, 1, tzinfo=UTC)
NOT_AFTER: Final = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)  # RFC 5280 4.1.2.5: no good date to give


def leaf_spki(der: bytes) -> bytes:
    """Give the key of a received leaf: its SubjectPublicKeyInfo, 91 bytes of DER, an uncompressed P-256 point.

    Raises Malformed for anything else, with category UNSUPPORTED for another kind of key.
    """
    from cvmproof_formats.x509 import read_certificate  # noqa: PLC0415 -- who asks for a leaf; the agent never does

    spki = read_certificate(der).spki
    if len(spki) != SPKI_SIZE or not spki.startswith(SPKI_PREFIX):
        raise Malformed(
            f"TLS leaf: expected an uncompressed P-256 key of {SPKI_SIZE} bytes (RFC 5480), got {len(spki)} bytes",
            category=Category.UNSUPPORTED,
        )
    return spki


def require_end_entity(der: bytes) -> None:
    """Refuse a leaf that must not be pinned: one whose KeyUsage is not critical and digitalSignature alone.

    Raises Malformed.
    """
    from cvmproof_formats.x509 import (  # noqa: PLC0415 -- who asks for a leaf; the agent never does
        KEY_USAGE,
        KeyUsage,
        key_usage,
        read_certificate,
    )

    certificate = read_certificate(der)
    extension, usage = certificate.extension(KEY_USAGE), key_usage(certificate)
    if extension is None or not extension.critical or usage != KeyUsage(digital_signature=True):
        raise Malformed("TLS leaf: expected critical KeyUsage digitalSignature alone: another leaf could not be pinned")
