import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256

from cvmproof_formats.tdx.hierarchy import ECDSA_SHA256
from cvmproof_formats.tdx.p256 import key_of_spki, signature_der
from cvmproof_simulator.psp import derive_key, spki_of
from cvmproof_simulator.tdx.ecdsa import EcdsaSigner, point_of, raw_key, sign_der, sign_raw

# RFC 6979 appendix A.2.5: P-256, SHA-256, message "sample".
VECTOR_KEY = ec.derive_private_key(0xC9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721, ec.SECP256R1())
VECTOR = bytes.fromhex(
    "efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716"
    "f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8"
)


def test_signatures_are_those_of_the_rfc() -> None:
    assert sign_raw(VECTOR_KEY, b"sample") == VECTOR
    assert sign_der(VECTOR_KEY, b"sample") == signature_der(VECTOR)


def test_a_signature_verifies_over_its_message_only() -> None:
    signature = EcdsaSigner(key=VECTOR_KEY).sign(b"said")
    VECTOR_KEY.public_key().verify(signature, b"said", ec.ECDSA(SHA256()))
    with pytest.raises(InvalidSignature, match=r"^$"):
        VECTOR_KEY.public_key().verify(signature, b"not said", ec.ECDSA(SHA256()))


def test_an_algorithm_can_be_misstated() -> None:
    assert EcdsaSigner(key=VECTOR_KEY).algorithm == ECDSA_SHA256
    assert EcdsaSigner(key=VECTOR_KEY, declared=b"\x30\x00").algorithm == b"\x30\x00"


def test_a_key_is_written_as_quotes_have_it() -> None:
    key = derive_key(b"any", curve="P-256")
    assert raw_key(key) == key_of_spki(spki_of(key)) == point_of(key)[1:]
    assert len(raw_key(key)) == 64
