"""TLS leaf certificates as agents make them, and as they must not be."""

from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from cvmproof_formats.x509 import Certificate, read_certificate
from cvmproof_simulator.psp import Curve, derive_key

BEGIN, END = datetime(2020, 1, 1, tzinfo=UTC), datetime(2049, 12, 31, tzinfo=UTC)
SIGNATURES_ONLY = frozenset({"digital_signature"})
USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


def key(seed: bytes, curve: Curve = "P-256") -> ec.EllipticCurvePrivateKey:
    """A private key; the same seed gives the same key."""
    return derive_key(b"TLS " + seed, curve=curve)


def leaf(
    private: ec.EllipticCurvePrivateKey,
    *,
    usages: frozenset[str] | None = SIGNATURES_ONLY,
    name: str = "cvmproof-agent",
    public: ec.EllipticCurvePublicKey | None = None,
) -> bytes:
    """A self-signed certificate, DER; no keyUsage at all for None."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder(subject, subject, public or private.public_key(), 1, BEGIN, END)
        if usages is None
        else x509.CertificateBuilder(subject, subject, public or private.public_key(), 1, BEGIN, END).add_extension(
            x509.KeyUsage(**{usage: usage in usages for usage in USAGES}), critical=True
        )
    )
    return builder.sign(private, SHA256(), ecdsa_deterministic=True).public_bytes(Encoding.DER)


def read_leaf(der: bytes) -> Certificate:
    """The certificate as the verifier reads it."""
    return read_certificate(der)
