"""Raw signatures and keys, and the forms a library takes."""

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from hypothesis import given
from hypothesis import strategies as st

from cvmproof_formats.errors import Malformed
from cvmproof_formats.tdx.p256 import (
    build_signature,
    key_of_spki,
    key_point,
    key_spki,
    read_signature,
    signature_der,
)

KEY = ec.derive_private_key(0x1234567, ec.SECP256R1()).public_key()
POINT = KEY.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)
SPKI = KEY.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
components = st.integers(0, (1 << 256) - 1)


@given(components, components)
def test_what_is_built_is_read(r: int, s: int) -> None:
    data = build_signature(r, s)
    assert len(data) == 64
    assert read_signature(data) == (r, s)
    assert signature_der(data) == encode_dss_signature(r, s)


@pytest.mark.parametrize("value", [-1, 1 << 256])
def test_a_component_has_at_most_32_bytes(value: int) -> None:
    for pair in ((value, 1), (1, value)):
        with pytest.raises(Malformed, match=r"expected 0 to 2\^256 - 1"):
            build_signature(*pair)


@pytest.mark.parametrize("length", [0, 63, 65, 72])
def test_other_lengths_are_malformed(length: int) -> None:
    for read in (read_signature, signature_der, key_point, key_spki):
        with pytest.raises(Malformed, match=f"expected 64 bytes, got {length}"):
            read(bytes(length))


def test_a_library_takes_the_forms() -> None:
    private = ec.derive_private_key(0x1234567, ec.SECP256R1())
    raw = build_signature(*decode_dss_signature(private.sign(b"said", ec.ECDSA(hashes.SHA256()))))
    KEY.verify(signature_der(raw), b"said", ec.ECDSA(hashes.SHA256()))
    key = POINT[1:]
    assert (key_point(key), key_spki(key), key_of_spki(SPKI)) == (POINT, SPKI, key)


@pytest.mark.parametrize("spki", [b"", SPKI[:-1], SPKI + b"\0", b"\x31" + SPKI[1:], SPKI[:26] + b"\x02" + SPKI[27:]])
def test_another_key_is_malformed(spki: bytes) -> None:
    with pytest.raises(Malformed, match="expected an uncompressed P-256 key of 91 bytes"):
        key_of_spki(spki)
