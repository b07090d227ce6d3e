"""The agent's TLS identity: a P-256 key made in memory at each start, never written anywhere, and a leaf that names it.

The leaf is the same for everybody but for key and signature; what makes the key count is evidence that names it.
"""

from dataclasses import dataclass
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID
from OpenSSL import SSL

from cvmproof_formats.tls import ALPN_ATTESTED, ALPN_H2, NOT_AFTER, NOT_BEFORE, SERVER_NAME

_SUBJECT = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "cvmproof agent")])
_PROTOCOLS = (ALPN_ATTESTED, ALPN_H2)  # the better one first


@dataclass(frozen=True, slots=True, repr=False)
class TlsKey:
    """A key pair and its leaf."""

    private: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @classmethod
    def generate(cls) -> Self:
        """Make a new key and its leaf."""
        private = ec.generate_private_key(ec.SECP256R1())
        return cls(private, _leaf(private))

    @property
    def spki(self) -> bytes:
        """SubjectPublicKeyInfo, 91 bytes of DER."""
        return self.private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    def server_context(self) -> SSL.Context:
        """Make a context that speaks TLS 1.3 under one of our two ALPN names, without any kind of resumption.

        Both options are needed: without tickets OpenSSL falls back to its session cache.
        """
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        context.set_min_proto_version(SSL.TLS1_3_VERSION)
        context.set_options(SSL.OP_NO_TICKET)
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        context.set_mode(SSL.MODE_RELEASE_BUFFERS)
        context.use_privatekey(self.private)
        context.use_certificate(self.certificate)
        # Whatever happens in a callback, the listener looks at what was negotiated: nothing rests on this one.
        context.set_alpn_select_callback(
            lambda _, offered: next((name for name in _PROTOCOLS if name in offered), SSL.NO_OVERLAPPING_PROTOCOLS)
        )
        return context


def _leaf(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    return (
        x509.CertificateBuilder()
        .subject_name(_SUBJECT)
        .issuer_name(_SUBJECT)
        .serial_number(1)
        .not_valid_before(NOT_BEFORE)
        .not_valid_after(NOT_AFTER)
        .public_key(key.public_key())
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(SERVER_NAME)]), critical=False)
        .sign(key, SHA256())
    )
