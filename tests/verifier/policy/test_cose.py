"""COSE_Sign1: what is one, whose signature counts, and that no other spelling, place or algorithm does."""

import json
from pathlib import Path

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, rsa
from hypothesis import given
from hypothesis import strategies as st
from tests.verifier.policy.signing import KEY, KEYS, OTHERS, POLICY, header, signature, signed_by_hand

from cvmproof.errors import Misuse
from cvmproof.policy.cose import (
    OVERHEAD_LIMIT,
    SIGNATURE_SIZES,
    PublicKey,
    Sign1,
    algorithm_of,
    read_sign1,
    sign1,
    verify_sign1,
)
from cvmproof.policy.signed import PURPOSE
from cvmproof_formats.errors import Category, EvidenceError, Malformed

LIMIT = 1024 * 1024
ALGORITHMS = tuple(KEYS)
GOOD = signed_by_hand(header())


def read(data: bytes) -> Sign1:
    return read_sign1(data, what="message", payload_limit=LIMIT)


def verify(data: bytes, key: PublicKey = KEY.public_key(), aad: bytes = PURPOSE) -> None:  # noqa: B008 -- a constant
    verify_sign1(read(data), key, external_aad=aad)


def refused(data: bytes, message: str = ".", category: Category = Category.MALFORMED) -> None:
    with pytest.raises(EvidenceError, match=message) as caught:
        verify(data)
    assert caught.value.category is category


# RFC 9052 appendix C.2.1, key "11" of appendix C.7.1
RFC_MESSAGE = bytes.fromhex(
    "d28443a10126a10442313154546869732069732074686520636f6e74656e742e58408eb33e4ca31d1c465ab05aac34cc6b23d58fef5c0831"
    "06c4d25a91aef0b0117e2af9a291aa32e14ab834dc56ed2a223444547e01f11d3b0916e5a4c345cacb36"
)
RFC_KEY = ec.EllipticCurvePublicNumbers(
    int("bac5b11cad8f99f9c72b05cf4b9e26d244dc189f745228255a219a86d6a09eff", 16),
    int("20138bf82dc1b6d562be0fa54ab7804a3a64b6d72ccfed6b6fb6ed28bbfc117e", 16),
    ec.SECP256R1(),
).public_key()


def test_the_example_of_the_specification_is_accepted() -> None:
    verify(RFC_MESSAGE, RFC_KEY, b"")
    message = read(RFC_MESSAGE)
    assert (message.payload, message.key_id, message.algorithm.name) == (b"This is the content.", b"11", "ES256")


def test_the_example_under_another_purpose_is_refused() -> None:
    with pytest.raises(EvidenceError, match="over what was received"):
        verify(RFC_MESSAGE, RFC_KEY, b"x")


CWT_FILE = Path(__file__).with_name("signed_by_cwt.json")


@pytest.mark.parametrize("case", json.loads(CWT_FILE.read_text())["messages"], ids=lambda c: str(c["algorithm"]))
def test_what_another_library_signed_is_accepted_by_its_key_only(case: dict[str, str]) -> None:
    data = bytes.fromhex(case["message"])
    verify(data, KEYS[case["algorithm"]].public_key())
    with pytest.raises(EvidenceError):
        verify(data, OTHERS[case["algorithm"]].public_key())


@pytest.mark.parametrize("name", ALGORITHMS)
@pytest.mark.parametrize("detached", [False, True])
def test_what_we_sign_is_accepted_and_laid_out_as_specified(name: str, *, detached: bool) -> None:
    data = sign1(POLICY, KEYS[name], header={3: "x/y"}, external_aad=b"a", detached=detached)
    tag = cbor2.loads(data)
    protected, unprotected, payload, raw = tag.value
    assert (tag.tag, unprotected, payload) == (18, {}, None if detached else POLICY)
    assert cbor2.loads(protected) == {1: int(algorithm_of(KEYS[name].public_key())), 3: "x/y"}
    assert len(raw) == SIGNATURE_SIZES[algorithm_of(KEYS[name].public_key())]
    verify_sign1(read(data), KEYS[name].public_key(), external_aad=b"a", detached=POLICY if detached else None)


@pytest.mark.parametrize("name", ALGORITHMS)
def test_another_key_of_the_same_kind_is_refused(name: str) -> None:
    data = sign1(POLICY, KEYS[name], header={}, external_aad=b"")
    with pytest.raises(EvidenceError) as caught:
        verify(data, OTHERS[name].public_key(), b"")
    assert caught.value.category is Category.SIGNATURE


@pytest.mark.parametrize("number", ["none", None, 0, 5, -37, -36, -19, -9, "ES256", True, 2**63, b"\x26", [-7], -16])
def test_ac_099_no_algorithm_or_any_other_is_refused(number: object) -> None:
    refused(signed_by_hand(header(h1=number)), "in the protected header", Category.SIGNATURE)


@pytest.mark.parametrize("name", ALGORITHMS)
@pytest.mark.parametrize("other", ALGORITHMS)
def test_ac_100_an_algorithm_that_is_not_the_keys_is_refused(name: str, other: str) -> None:
    data = sign1(POLICY, KEYS[name], header={}, external_aad=PURPOSE)
    if name == other:
        verify(data, KEYS[other].public_key())
        return
    with pytest.raises(EvidenceError, match="which this key signs with") as caught:
        verify(data, KEYS[other].public_key())
    assert caught.value.category is Category.SIGNATURE


def test_ac_100_an_allowed_algorithm_written_over_another_keys_signature_is_refused() -> None:
    # 64 bytes of a P-256 signature under a header that says EdDSA, and the reverse.
    refused(signed_by_hand(header(h1=-8), key=KEY), "which this key signs with", Category.SIGNATURE)
    refused(signed_by_hand(header(h1=-7), key=KEYS["EDDSA"]), "over what was received", Category.SIGNATURE)


@pytest.mark.parametrize("key", [None, b"key", "key", KEY])
def test_ac_099_what_is_no_public_key_is_misuse(key: PublicKey) -> None:
    with pytest.raises(Misuse, match="expected Ed25519, P-256 or P-384"):
        verify(GOOD, key)


@pytest.mark.parametrize(
    "key",
    [
        ec.generate_private_key(ec.SECP521R1()).public_key(),
        ec.generate_private_key(ec.SECP256K1()).public_key(),
        ed448.Ed448PrivateKey.generate().public_key(),
        rsa.generate_private_key(65537, 2048).public_key(),
    ],
    ids=["P-521", "secp256k1", "Ed448", "RSA"],
)
def test_ac_100_keys_of_other_kinds_are_misuse(key: PublicKey) -> None:
    with pytest.raises(Misuse, match="expected Ed25519, P-256 or P-384") as caught:
        verify(GOOD, key)
    assert caught.value.category is Category.UNSUPPORTED


@pytest.mark.parametrize("crit", [[1], [99], [], ["b64"], True])
def test_ac_101_an_extension_that_must_be_understood_is_refused(crit: object) -> None:
    refused(signed_by_hand({**header(), 2: crit}), "crit", Category.SIGNATURE)


@pytest.mark.parametrize(
    "unprotected",
    [
        {33: b"certificate"},  # x5chain
        {35: "https://example.org/key"},  # x5u
        {3: "text/plain"},
        {2: [99]},
        {4: b"a", 5: b""},
        {"kid": b"a"},
        {b"\x04": b"a"},
        {4: "a"},
        {4: [b"a"]},
        {7: b"countersignature"},
    ],
)
def test_ac_102_nothing_but_a_key_id_stands_outside_the_signature(unprotected: dict[object, object]) -> None:
    refused(signed_by_hand(header(h4=None), unprotected=unprotected))


def test_a_key_id_may_stand_in_either_header_but_not_in_both() -> None:
    outside = signed_by_hand(header(h4=None), unprotected={4: b"id"})
    inside = signed_by_hand(header(h4=b"id"))
    assert read(outside).key_id == read(inside).key_id == b"id"
    verify(outside)
    verify(inside)
    refused(signed_by_hand(header(h4=b"id"), unprotected={4: b"id"}), "one key id")
    refused(signed_by_hand(header(h4="id")), "one key id")
    refused(signed_by_hand(header(h4=bytes(65))), "one key id")


def test_ac_107_an_algorithm_outside_the_signature_is_refused() -> None:
    refused(signed_by_hand(header(h1=None), unprotected={1: -7}), "protected header", Category.SIGNATURE)
    refused(signed_by_hand(header(), unprotected={1: -7}), "protected header", Category.SIGNATURE)
    refused(signed_by_hand(b"", unprotected={1: -7}), "protected header", Category.SIGNATURE)


def test_ac_107_a_detached_payload_is_not_an_empty_one() -> None:
    detached = signed_by_hand(header(), inside=False)
    refused(detached, "one payload", Category.SIGNATURE)
    verify_sign1(read(detached), KEY.public_key(), external_aad=PURPOSE, detached=POLICY)
    with pytest.raises(EvidenceError, match="over what was received"):
        verify_sign1(read(detached), KEY.public_key(), external_aad=PURPOSE, detached=b"")
    with pytest.raises(EvidenceError, match="got two"):
        verify_sign1(read(GOOD), KEY.public_key(), external_aad=PURPOSE, detached=POLICY)


@pytest.mark.parametrize("tag", [None, 16, 17, 61, 96, 97, 98, 19, 0])
def test_ac_107_any_other_tag_is_refused(tag: int | None) -> None:
    refused(signed_by_hand(header(), tag=tag), "expected tag 18")


@pytest.mark.parametrize("spelling", ["d812", "d90012", "da00000012", "db0000000000000012", "d2d2", "d9d9f7d2"])
def test_ac_107_the_tag_has_one_spelling(spelling: str) -> None:
    refused(bytes.fromhex(spelling) + GOOD[1:])


def test_ac_107_several_signers_are_not_one() -> None:
    protected, _, payload, raw = cbor2.loads(GOOD).value
    several = [b"", {}, payload, [[protected, {}, raw]]]
    for tag in (18, 98):
        refused(cbor2.dumps(cbor2.CBORTag(tag, several)))


@pytest.mark.parametrize(
    "array", [[], [b""], [b"", {}, b""], [b"", {}, b"", b"", b""], {}, b"", "", [{}, {}, b"", b""], [b"", [], b"", b""]]
)
def test_other_shapes_are_refused(array: object) -> None:
    refused(cbor2.dumps(cbor2.CBORTag(18, array)))


@pytest.mark.parametrize("place", [1, 2, 3])
@pytest.mark.parametrize("value", [0, "text", [], None, 1.5, True])
def test_other_types_in_its_places_are_refused(place: int, value: object) -> None:
    parts = list(cbor2.loads(GOOD).value)
    if (place, value) == (2, None):
        return  # that is a detached one
    parts[place] = value
    refused(cbor2.dumps(cbor2.CBORTag(18, parts)))


@pytest.mark.parametrize(
    "protected",
    [
        b"",
        b"\xa0",
        b"\x80",
        b"\x26",
        b"\xa1\x01\x38\x06",  # -7 in two bytes
        b"\xa1\x18\x01\x26",  # 1 in two bytes
        b"\xbf\x01\x26\xff",
        b"\xa2\x01\x26\x01\x26",
        b"\xa1\x01\x26\x00",
        b"\xa1\x01",
        b"\xd8\x1c\xa1\x01\x26",
        b"\xa1\xf9\x7e\x00\x26",
        b"\xa2\x01\x26\x05\xd8\x1d\x00",
        b"\x81" * 4000,
        b"\x43\xa1\x01\x26",
    ],
)
def test_ac_106_a_protected_header_has_one_spelling(protected: bytes) -> None:
    with pytest.raises(EvidenceError) as caught:
        verify(signed_by_hand(protected))
    assert caught.value.category in {Category.MALFORMED, Category.SIGNATURE, Category.SIZE_LIMIT}


def test_ac_106_trailing_bytes_and_cuts_are_refused() -> None:
    verify(GOOD)
    refused(GOOD + b"\0", "expected its end")
    for size in range(len(GOOD)):
        refused(GOOD[:size])


def test_ac_106_sizes_are_bounded() -> None:
    verify(signed_by_hand(header(), payload=bytes(LIMIT)))
    refused(signed_by_hand(header(), payload=bytes(LIMIT + 1)), "at most", Category.SIZE_LIMIT)
    refused(signed_by_hand({**header(), 99: bytes(OVERHEAD_LIMIT)}), "at most", Category.SIZE_LIMIT)


def test_ac_106_a_message_that_is_too_long_is_not_read_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    read_from = []
    monkeypatch.setattr("cvmproof.policy.cose.CborReader", lambda data, *, what: read_from.append(what))
    refused(b"\x9f" * (LIMIT + OVERHEAD_LIMIT + 1), "at most", Category.SIZE_LIMIT)
    assert read_from == []


@pytest.mark.parametrize("name", ALGORITHMS)
def test_a_signature_has_one_length(name: str) -> None:
    protected, unprotected, payload, raw = cbor2.loads(sign1(POLICY, KEYS[name], header={}, external_aad=b"")).value
    for other in (b"", raw[:-1], raw[1:], raw + b"\0", b"\0" + raw, raw * 2):
        data = cbor2.dumps(cbor2.CBORTag(18, [protected, unprotected, payload, other]))
        with pytest.raises(EvidenceError) as caught:
            verify(data, KEYS[name].public_key(), b"")
        assert caught.value.category in {Category.SIGNATURE, Category.SIZE_LIMIT}


@pytest.mark.parametrize("name", ["ES256", "ES384"])
def test_a_signature_is_not_der_and_not_zero(name: str) -> None:
    protected, unprotected, payload, raw = cbor2.loads(sign1(POLICY, KEYS[name], header={}, external_aad=b"")).value
    half = len(raw) // 2
    for other in (bytes(len(raw)), raw[:half] + bytes(half), bytes(half) + raw[half:], b"\xff" * len(raw), b"0" + raw):
        data = cbor2.dumps(cbor2.CBORTag(18, [protected, unprotected, payload, other]))
        with pytest.raises(EvidenceError):
            verify(data, KEYS[name].public_key(), b"")


def test_a_signature_over_other_bytes_is_refused() -> None:
    protected = cbor2.dumps(header())
    for context in ("Signature", "CounterSignature", "MAC0"):
        raw = signature(KEY, cbor2.dumps([context, protected, PURPOSE, POLICY]))
        refused(cbor2.dumps(cbor2.CBORTag(18, [protected, {}, POLICY, raw])), "over what", Category.SIGNATURE)


@given(st.binary(max_size=200))
def test_ac_106_any_bytes_are_refused_in_our_words(data: bytes) -> None:
    for hostile in (data, b"\xd2\x84" + data, b"\xd2" + data):
        with pytest.raises(EvidenceError):
            verify(hostile)


@given(st.integers(0, len(GOOD) - 1), st.binary(max_size=4), st.integers(0, 4))
def test_ac_106_a_message_with_other_bytes_in_it_is_refused(at: int, put: bytes, dropped: int) -> None:
    changed = GOOD[:at] + put + GOOD[at + dropped :]
    if changed != GOOD:
        with pytest.raises((Malformed, EvidenceError)):
            verify(changed)
