"""Deterministic RSA signatures, judged by cryptography's verification."""

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_public_key,
)

from cvmproof_formats import der
from cvmproof_formats.snp.product import ProductLine
from cvmproof_formats.x509 import PSS_SHA384
from cvmproof_simulator.keys import CaKeys, checked_in_keys
from cvmproof_simulator.rsa_pss import Pkcs1, Pss, RsaKey, generate_key, read_key

KEY = checked_in_keys(ProductLine.MILAN).ark
HASHES = {"sha256": hashes.SHA256(), "sha384": hashes.SHA384(), "sha512": hashes.SHA512()}
MESSAGE = b"to be signed"


def public(key: RsaKey) -> rsa.RSAPublicKey:
    loaded = load_der_public_key(key.spki)
    assert isinstance(loaded, rsa.RSAPublicKey)
    return loaded


def verify_pss(key: RsaKey, signature: bytes, message: bytes, digest: str = "sha384", salt: int = 48) -> None:
    scheme = padding.PSS(padding.MGF1(HASHES[digest]), salt)
    public(key).verify(signature, message, scheme, HASHES[digest])


@pytest.mark.parametrize("digest", HASHES)
@pytest.mark.parametrize("salt", [0, 20, 32, 48])
def test_cryptography_verifies_our_pss_with_exactly_this_hash_and_salt(digest: str, salt: int) -> None:
    signature = Pss(digest=digest, salt=salt).sign(KEY, MESSAGE)
    verify_pss(KEY, signature, MESSAGE, digest, salt)
    for other in {"sha256", "sha384"} - {digest}:
        with pytest.raises(InvalidSignature, match=r"^$"):
            verify_pss(KEY, signature, MESSAGE, other, salt)
    with pytest.raises(InvalidSignature, match=r"^$"):
        verify_pss(KEY, signature, MESSAGE, digest, salt + 1)
    with pytest.raises(InvalidSignature, match=r"^$"):
        verify_pss(KEY, signature, MESSAGE + b"!", digest, salt)


@pytest.mark.parametrize("digest", HASHES)
def test_cryptography_verifies_our_pkcs1(digest: str) -> None:
    signature = Pkcs1(digest=digest).sign(KEY, MESSAGE)
    public(KEY).verify(signature, MESSAGE, padding.PKCS1v15(), HASHES[digest])
    with pytest.raises(InvalidSignature, match=r"^$"):
        verify_pss(KEY, signature, MESSAGE)


@pytest.mark.parametrize("bits", [1024, 1025, 1031])
def test_a_modulus_of_any_bit_length_works(bits: int) -> None:
    key = generate_key(bits)
    verify_pss(key, Pss().sign(key, MESSAGE), MESSAGE)


def test_the_same_message_gives_the_same_signature_and_another_one_another_salt() -> None:
    assert Pss().sign(KEY, MESSAGE) == Pss().sign(KEY, MESSAGE)
    assert Pss().sign(KEY, MESSAGE) != Pss(salt=47).sign(KEY, MESSAGE)


def test_the_algorithm_is_amds_in_both_forms_and_can_lie() -> None:
    assert {Pss().algorithm, Pss(trailer_field=True).algorithm} == PSS_SHA384
    assert Pss(salt=20).algorithm not in PSS_SHA384
    assert Pkcs1().algorithm not in PSS_SHA384
    assert Pss(salt=20, declared=Pss().algorithm).algorithm == Pss().algorithm
    assert Pkcs1(declared=Pss().algorithm).algorithm == Pss().algorithm


@pytest.mark.parametrize("product", ProductLine)
@pytest.mark.parametrize("role", ["ark", "ask", "asvk"])
def test_checked_in_keys_are_rsa_4096_with_a_warning_on_their_first_line(product: ProductLine, role: str) -> None:
    key: RsaKey = getattr(checked_in_keys(product), role)
    assert (key.modulus.bit_length(), key.exponent) == (4096, 65537)
    assert key.p * key.q == key.modulus
    assert repr(key).startswith("<SIMULATED RSA-4096 key")
    assert str(key.p) not in repr(checked_in_keys(product))


def test_checked_in_keys_are_nine_different_ones() -> None:
    every: list[CaKeys] = [checked_in_keys(product) for product in ProductLine]
    assert len({key for keys in every for key in (keys.ark, keys.ask, keys.asvk)}) == 9


def test_a_key_that_is_not_rsa_is_refused() -> None:
    pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with pytest.raises(TypeError, match="expected an RSA key"):
        read_key(pem)


def test_a_public_key_is_written_as_amd_writes_it() -> None:
    assert KEY.public_key == der.sequence(der.integer(KEY.modulus), der.integer(65537))
    assert len(KEY.spki) == 550
