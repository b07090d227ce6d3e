"""The agent's TLS identity: a P-256 key made in memory at each start, never written anywhere, and a leaf that names it.

The leaf is the same for everybody but for key and signature; what makes the key count is evidence that names it. Both
are spelled here, and given to OpenSSL as the DER that it reads anyway: cryptography's builders, and what converts its
objects to pyOpenSSL's, would take more memory and time than the agent's own code together.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Self

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from OpenSSL import SSL
from OpenSSL.crypto import FILETYPE_ASN1

from cvmproof_agent import alpn
from cvmproof_formats import der
from cvmproof_formats.binding import SPKI_PREFIX
from cvmproof_formats.tls import ALPN_ATTESTED, ALPN_H2, NOT_AFTER, NOT_BEFORE, SERVER_NAME

_PROTOCOLS = (ALPN_ATTESTED, ALPN_H2)  # the better one first
_NUMBER_SIZE: Final = 32  # bytes of a P-256 private key or coordinate, SEC 1 section 2.3.7
_POINT_SIZE: Final = 1 + 2 * _NUMBER_SIZE  # uncompressed, SEC 1 section 2.3.3
_P256: Final = "1.2.840.10045.3.1.7"  # RFC 5480 section 2.1.1.1
_ECDSA_SHA256: Final = "1.2.840.10045.4.3.2"  # RFC 5758 section 3.2
_COMMON_NAME: Final = "2.5.4.3"  # RFC 5280 appendix A.1
_KEY_USAGE: Final = "2.5.29.15"  # RFC 5280 section 4.2.1.3
_DIGITAL_SIGNATURE: Final = (b"\x80", 7)  # its bit 0 alone: one byte, seven bits of it unused
_ALTERNATIVE_NAME: Final = "2.5.29.17"  # RFC 5280 section 4.2.1.6
_DNS_NAME: Final = 0x82  # [2] IMPLICIT IA5String


@dataclass(frozen=True, slots=True, repr=False)
class TlsKey:
    """A key pair and its leaf, which is DER."""

    private: ec.EllipticCurvePrivateKey
    certificate: bytes

    @classmethod
    def generate(cls) -> Self:
        """Make a new key and its leaf."""
        private = ec.generate_private_key(ec.SECP256R1())
        return cls(private, _leaf(private))

    @property
    def spki(self) -> bytes:
        """SubjectPublicKeyInfo, 91 bytes of DER."""
        return _spki(self.private)

    def server_context(self) -> SSL.Context:
        """Make a context that speaks TLS 1.3 under one of our two ALPN names, without any kind of resumption.

        Both options are needed: without tickets OpenSSL falls back to its session cache.
        """
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        context.set_min_proto_version(SSL.TLS1_3_VERSION)
        context.set_options(SSL.OP_NO_TICKET)
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        context.set_mode(SSL.MODE_RELEASE_BUFFERS)
        with _readable(_private_key(self.private)) as path:
            context.use_privatekey_file(path, FILETYPE_ASN1)
        with _readable(self.certificate) as path:
            context.use_certificate_file(path, FILETYPE_ASN1)
        context.check_privatekey()
        # Whatever happens in a callback, the listener looks at what was negotiated: nothing rests on this one.
        alpn.choose(context, _PROTOCOLS)
        return context


@contextmanager
def _readable(data: bytes) -> Iterator[str]:
    """Give a path that reads as these bytes, in this process and while the context lasts: memory, and not a file."""
    descriptor = os.memfd_create("cvmproof-agent", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, data)
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.pwrite(descriptor, bytes(len(data)), 0)
        os.close(descriptor)


def _spki(key: ec.EllipticCurvePrivateKey) -> bytes:
    point = key.public_key().public_numbers()
    return SPKI_PREFIX + point.x.to_bytes(_NUMBER_SIZE) + point.y.to_bytes(_NUMBER_SIZE)


def _private_key(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Spell an ECPrivateKey, RFC 5915 section 3."""
    return der.sequence(
        der.integer(1),
        der.octet_string(key.private_numbers().private_value.to_bytes(_NUMBER_SIZE)),
        der.explicit(0, der.oid(_P256)),
        der.explicit(1, der.bit_string(_spki(key)[-_POINT_SIZE:])),
    )


def _leaf(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Spell a Certificate and sign it, RFC 5280 section 4.1."""
    algorithm = der.sequence(der.oid(_ECDSA_SHA256))
    name = der.sequence(der.set_of(der.sequence(der.oid(_COMMON_NAME), der.utf8("cvmproof agent"))))
    usage = der.octet_string(der.bit_string(*_DIGITAL_SIGNATURE))
    names = der.octet_string(der.sequence(der.tlv(_DNS_NAME, SERVER_NAME.encode("ascii"))))
    signed = der.sequence(
        der.explicit(0, der.integer(2)),  # version 3
        der.integer(1),
        algorithm,
        name,
        der.sequence(der.time(NOT_BEFORE), der.time(NOT_AFTER)),
        name,
        _spki(key),
        der.explicit(
            3,
            der.sequence(
                der.sequence(der.oid(_KEY_USAGE), der.boolean(True), usage),  # noqa: FBT003 -- DER's TRUE: critical
                der.sequence(der.oid(_ALTERNATIVE_NAME), names),
            ),
        ),
    )
    return der.sequence(signed, algorithm, der.bit_string(key.sign(signed, ec.ECDSA(SHA256()))))
