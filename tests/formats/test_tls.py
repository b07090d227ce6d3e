"""The leaf of an attested connection: which keys count, and which leaves may be pinned."""

from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from cvmproof_formats.errors import Category, Malformed
from cvmproof_formats.tls import leaf_spki, require_end_entity

KEY = ec.generate_private_key(ec.SECP256R1())
NAME = x509.Name([])
BITS = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
)


def usage(*bits: str) -> x509.KeyUsage:
    return x509.KeyUsage(**{bit: bit in bits for bit in BITS}, encipher_only=False, decipher_only=False)


def leaf(
    *, key: ec.EllipticCurvePrivateKey = KEY, key_usage: x509.KeyUsage | None = None, critical: bool = True
) -> bytes:
    builder = (
        x509.CertificateBuilder()
        .subject_name(NAME)
        .issuer_name(NAME)
        .serial_number(1)
        .not_valid_before(datetime(2000, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2040, 1, 1, tzinfo=UTC))
        .public_key(key.public_key())
    )
    if key_usage is not None:
        builder = builder.add_extension(key_usage, critical=critical)
    return builder.sign(key, SHA256()).public_bytes(Encoding.DER)


def test_the_key_of_a_leaf_is_its_spki_as_received() -> None:
    expected = KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert leaf_spki(leaf()) == expected


def test_ac_078_another_curve_is_refused() -> None:
    for curve in (ec.SECP384R1(), ec.SECP256K1()):
        with pytest.raises(Malformed, match="uncompressed P-256 key") as caught:
            leaf_spki(leaf(key=ec.generate_private_key(curve)))
        assert caught.value.category is Category.UNSUPPORTED


def test_ac_078_a_compressed_point_and_another_algorithm_are_refused() -> None:
    uncompressed = KEY.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    compressed = KEY.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    good = leaf()
    at = good.index(uncompressed)
    # The same certificate with the shorter point: every length around it is 32 bytes less.
    assert good[at : at + 65] == uncompressed
    for bad in (good.replace(uncompressed, compressed), ed25519_leaf()):
        with pytest.raises(Malformed):
            leaf_spki(bad)


def ed25519_leaf() -> bytes:
    key = ed25519.Ed25519PrivateKey.generate()
    builder = (
        x509.CertificateBuilder()
        .subject_name(NAME)
        .issuer_name(NAME)
        .serial_number(1)
        .not_valid_before(datetime(2000, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2040, 1, 1, tzinfo=UTC))
        .public_key(key.public_key())
    )
    return builder.sign(key, None).public_bytes(Encoding.DER)


def test_a_leaf_for_signatures_alone_may_be_pinned() -> None:
    require_end_entity(leaf(key_usage=usage("digital_signature")))


@pytest.mark.parametrize(
    ("key_usage", "critical"),
    [
        (None, True),
        (usage("digital_signature"), False),
        (usage("key_cert_sign"), True),
        *((usage("digital_signature", bit), True) for bit in BITS[1:]),
    ],
)
def test_any_other_leaf_may_not(key_usage: x509.KeyUsage | None, critical: bool) -> None:
    with pytest.raises(Malformed, match="could not be pinned"):
        require_end_entity(leaf(key_usage=key_usage, critical=critical))
