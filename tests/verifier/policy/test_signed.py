"""Signed policies: what an operator signed counts, for one CVM, until it ends; anything else is refused."""

import subprocess
from datetime import UTC, datetime, timedelta, timezone
from hashlib import sha256
from pathlib import Path
from typing import Any

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given
from hypothesis import strategies as st
from tests.verifier.policy.signing import (
    CONTENT,
    CVM,
    KEY,
    KEYS,
    LATER,
    NOW,
    OTHERS,
    POLICY,
    header,
    private_pem,
    public_pem,
    signed_by_hand,
    signers,
)

from cvmproof.errors import Misuse
from cvmproof.policy.cose import PrivateKey
from cvmproof.policy.reading import POLICY_LIMIT
from cvmproof.policy.signed import (
    CVM_ID_LIMIT,
    MAXIMUM_SERIAL,
    PolicySigners,
    PolicyStatement,
    claimed_statement,
    is_signed,
    key_id_of,
    read_private_key,
    read_signed_policy,
    sign_policy,
    verify_statement,
)
from cvmproof_formats.errors import Category
from cvmproof_formats.pem import write_pem

SIGNERS = signers()
ALL = signers(*KEYS.values())


def sign(
    policy: bytes = POLICY,
    *,
    key: PrivateKey = KEY,
    cvm_id: str = CVM,
    serial: int = 7,
    expires_at: datetime = LATER,
    detached: bool = False,
) -> bytes:
    return sign_policy(policy, private_key=key, cvm_id=cvm_id, serial=serial, expires_at=expires_at, detached=detached)


def read(
    data: bytes,
    *,
    by: PolicySigners = SIGNERS,
    cvm_id: str = CVM,
    now: datetime = NOW,
    signature: bytes | None = None,
) -> PolicyStatement:
    return read_signed_policy(data, signers=by, cvm_id=cvm_id, now=now, signature=signature)


def refused(
    data: bytes,
    message: str,
    category: Category = Category.POLICY_INVALID,
    *,
    by: PolicySigners = SIGNERS,
    cvm_id: str = CVM,
    now: datetime = NOW,
    signature: bytes | None = None,
) -> None:
    with pytest.raises(Misuse, match=message) as caught:
        read(data, by=by, cvm_id=cvm_id, now=now, signature=signature)
    assert caught.value.category is category


GOOD = sign()


@pytest.mark.parametrize("name", KEYS)
@pytest.mark.parametrize("detached", [False, True])
def test_what_an_operator_signed_is_read_back_as_it_was(name: str, *, detached: bool) -> None:
    signed = sign(key=KEYS[name], detached=detached)
    statement = read(POLICY, by=ALL, signature=signed) if detached else read(signed, by=ALL)
    assert statement == PolicyStatement(
        policy=POLICY, cvm_id=CVM, serial=7, expires_at=LATER, key_id=key_id_of(KEYS[name].public_key())
    )
    assert statement.digest == sha256(POLICY).digest()
    assert is_signed(signed)


@pytest.mark.parametrize("name", KEYS)
def test_a_signature_by_another_operators_key_is_refused(name: str) -> None:
    refused(sign(key=OTHERS[name]), "expected a signature by", Category.SIGNATURE, by=ALL)


@pytest.mark.parametrize("name", KEYS)
def test_a_message_that_names_no_key_is_tried_with_each(name: str) -> None:
    by = signers(*OTHERS.values(), *KEYS.values())
    unnamed = signed_by_hand(header(h1={"EDDSA": -8, "ES256": -7, "ES384": -35}[name], h4=None), key=KEYS[name])
    assert read(unnamed, by=by).key_id == key_id_of(KEYS[name].public_key())
    refused(unnamed, "over what was received", Category.SIGNATURE, by=signers(*OTHERS.values()))


@pytest.mark.parametrize("key_id", [b"", b"../../key.pem", b"https://example.org/key", bytes(32), b"\0" * 64])
def test_ac_102_a_key_id_finds_a_configured_key_or_none(key_id: bytes) -> None:
    refused(signed_by_hand(header(h4=key_id)), "expected a signature by", Category.SIGNATURE)


@pytest.mark.parametrize("label", [33, 34, 35, 32, -1, "jwk", 5, 6, 7, 16, 394])
def test_ac_102_keys_certificates_and_anything_else_in_the_header_are_refused(label: object) -> None:
    refused(signed_by_hand({**header(), label: b"x"}), "in its header")


def test_ac_093_a_policy_without_a_signature_is_refused_where_one_is_required() -> None:
    refused(POLICY, "got one without signature", Category.SIGNATURE)
    refused(b"", "got one without signature", Category.SIGNATURE)


def test_ac_093_a_bad_signature_is_never_taken_for_none() -> None:
    for data in (GOOD[:-1] + bytes((GOOD[-1] ^ 1,)), GOOD[:-1], GOOD + b"\0", b"\xd2" + POLICY, b"\xd2"):
        with pytest.raises(Misuse) as caught:
            read(data)
        assert caught.value.category in {Category.SIGNATURE, Category.POLICY_INVALID, Category.SIZE_LIMIT}


@pytest.mark.parametrize("strip", [slice(1, None), slice(2, None)])
def test_ac_093_a_message_without_its_tag_is_unsigned_and_no_policy(strip: slice) -> None:
    refused(GOOD[strip], "got one without signature", Category.SIGNATURE)


def test_ac_093_a_signed_corim_is_refused_with_and_without_its_signature(recorded: Path) -> None:
    corim = (recorded / "cocos" / "snp_svn1_signed.corim").read_bytes()
    payload = cbor2.loads(corim).value[2]
    for data in (corim, corim[:-1] + bytes((corim[-1] ^ 1,)), payload):
        with pytest.raises(Misuse) as caught:
            read(data)
        assert caught.value.category is Category.SIGNATURE


@pytest.mark.parametrize("name", KEYS)
def test_ac_093_flipping_any_bit_is_refused(name: str) -> None:
    signed, by = sign(key=KEYS[name]), signers(KEYS[name])
    read(signed, by=by)
    for bit in range(8 * len(signed)):
        flipped = bytearray(signed)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(Misuse):
            read(bytes(flipped), by=by)


def test_ac_093_flipping_any_bit_beside_a_detached_signature_is_refused() -> None:
    detached = sign(detached=True)
    assert read(POLICY, signature=detached).policy == POLICY
    for at, data in ((0, POLICY), (1, detached)):
        for bit in range(8 * len(data)):
            flipped = bytearray(data)
            flipped[bit // 8] ^= 1 << bit % 8
            policy, signature = (bytes(flipped), detached) if at == 0 else (POLICY, bytes(flipped))
            with pytest.raises(Misuse):
                read(policy, signature=signature)


def test_ac_107_a_detached_signature_needs_its_policy_and_the_reverse() -> None:
    detached = sign(detached=True)
    refused(detached, "got a detached signature", Category.SIGNATURE)
    refused(POLICY, "with a policy of its own", Category.SIGNATURE, signature=GOOD)
    refused(GOOD, "expected a plain policy", Category.SIGNATURE, signature=detached)
    refused(POLICY + b"\n", "over what was received", Category.SIGNATURE, signature=detached)
    refused(POLICY, "expected tag 18", signature=b"signature")
    refused(POLICY, "bytes more", signature=b"")


@pytest.mark.parametrize("aad", [b"", b"cvmproof/v1/policy\0", b"cvmproof/v1/channel", b"cvmproof/v2/policy"])
def test_a_signature_made_for_something_else_does_not_count(aad: bytes) -> None:
    assert read(signed_by_hand(header())).serial == 7
    refused(signed_by_hand(header(), aad=aad), "over what was received", Category.SIGNATURE)


def test_ac_112_another_cvms_policy_is_refused() -> None:
    assert read(sign(cvm_id="cvm-2"), cvm_id="cvm-2").cvm_id == "cvm-2"
    refused(sign(cvm_id="cvm-2"), "expected one for the CVM cvm-1, got one for cvm-2", Category.IDENTITY)


@pytest.mark.parametrize("other", ["CVM-1", "cvm-1 ", "cvm-10", "cvm", "\uff43vm-1", "cvm\u20101"])
def test_the_id_of_a_cvm_is_compared_character_by_character(other: str) -> None:
    refused(GOOD, "expected one for", Category.IDENTITY, cvm_id=other)


def test_what_is_said_of_another_cvms_id_is_escaped() -> None:
    with pytest.raises(Misuse) as caught:
        read(GOOD, cvm_id="x\x1b[31m\n")
    assert str(caught.value).isprintable()


def test_ac_103_a_policy_ends_with_the_second_it_names() -> None:
    assert read(GOOD, now=LATER - timedelta(seconds=1)).expires_at == LATER
    for now in (LATER, LATER + timedelta(microseconds=1), LATER + timedelta(days=10_000)):
        refused(GOOD, "got one that ended 2026-12-22T12:00:00Z", Category.EXPIRED, now=now)


def test_ac_103_the_time_is_compared_across_zones() -> None:
    zone = timezone(timedelta(hours=5))
    same = sign(expires_at=LATER.astimezone(zone))
    assert read(same, now=(LATER - timedelta(seconds=1)).astimezone(zone)).expires_at == LATER
    refused(same, "expected one valid at 2026-12-22T12:00:00Z", Category.EXPIRED, now=LATER.astimezone(zone))


@pytest.mark.parametrize(
    "expiry", [None, "1800000000", -1, 10**12, 2**63, 1.8e9, True, b"\x6b", [1], {}, cbor2.CBORTag(1, 1800000000)]
)
def test_ac_103_an_expiry_is_an_integer_of_seconds(expiry: object) -> None:
    assert read(signed_by_hand(header(c4=1800000000)), now=NOW).serial == 7
    with pytest.raises(Misuse) as caught:
        read(signed_by_hand(header(c4=expiry)))
    assert caught.value.category is Category.POLICY_INVALID


@pytest.mark.parametrize("serial", [None, -1, 2**63, 2**64 - 1, "7", 7.0, True, b"\7", [7], {}])
def test_ac_085_a_serial_is_an_integer_of_63_bits(serial: object) -> None:
    assert read(signed_by_hand(header(cserial=2**63 - 1))).serial == MAXIMUM_SERIAL
    assert read(signed_by_hand(header(cserial=0))).serial == 0
    with pytest.raises(Misuse) as caught:
        read(signed_by_hand(header(cserial=serial)))
    assert caught.value.category is Category.POLICY_INVALID


@pytest.mark.parametrize("cvm_id", [None, "", b"cvm-1", 1, ["cvm-1"], "cvm-1\0", "cvm\n", "x" * (CVM_ID_LIMIT + 1)])
def test_the_id_of_a_cvm_is_printable_text(cvm_id: object) -> None:
    refused(signed_by_hand(header(c2=cvm_id)), "expected")


@pytest.mark.parametrize("changes", [{"c5": 0}, {"c6": 1}, {"c1": "issuer"}, {"c3": "audience"}, {"cmore": 1}])
def test_claims_that_we_do_not_know_are_refused(changes: dict[str, object]) -> None:
    refused(signed_by_hand(header(**changes)), "expected the claims")


@pytest.mark.parametrize("claims", [[], "claims", 1, b"\xa0", {}, {2: CVM}])
def test_ac_084_claims_are_a_map_of_three(claims: object) -> None:
    refused(signed_by_hand(header(h15=claims)), "expected")


@pytest.mark.parametrize("content", ["application/rim+cbor", "", CONTENT.upper(), 0, 60, b"x"])
def test_another_content_type_is_refused(content: object) -> None:
    assert read(signed_by_hand(header())).policy == POLICY
    refused(signed_by_hand(header(h3=content)), "expected content")


@pytest.mark.parametrize("name", ["h3", "h15"])
def test_a_header_that_says_too_little_is_refused(name: str) -> None:
    refused(signed_by_hand(header(**{name: None})), "in its header")


def test_the_signature_is_judged_before_what_was_signed() -> None:
    expired_and_forged = signed_by_hand(header(c4=1, c2="other"), key=OTHERS["ES256"])
    refused(expired_and_forged, "over what was received", Category.SIGNATURE)


def test_ac_101_a_signed_policy_in_a_signed_policy_is_only_its_payload() -> None:
    assert read(sign(GOOD)).policy == GOOD


@pytest.mark.parametrize(
    "spelling", [b"\xd8\x12", b"\xd9\x00\x12", b"\xda\x00\x00\x00\x12", b"\xdb" + bytes(7) + b"\x12"]
)
def test_ac_106_a_tag_in_another_spelling_is_signed_and_refused(spelling: bytes) -> None:
    assert is_signed(spelling + GOOD[1:])
    refused(spelling + GOOD[1:], "shortest form")


@pytest.mark.parametrize(
    "data", [b"", POLICY, b"{}", b"\xd1", b"\xd3", b"\x84", b"\xd8\x62", b"\xd9\x01\xf5", GOOD[1:]]
)
def test_what_is_not_tagged_so_is_not_signed(data: bytes) -> None:
    assert not is_signed(data)


def test_ac_086_more_than_a_mebibyte_is_refused() -> None:
    whole = bytes(POLICY_LIMIT)
    assert read(sign(whole)).policy == whole
    with pytest.raises(Misuse) as caught:
        sign(whole + b"\0")
    assert caught.value.category is Category.SIZE_LIMIT
    refused(signed_by_hand(header(), payload=whole + b"\0"), "at most", Category.SIZE_LIMIT)
    refused(b"\xd2" * (2 * POLICY_LIMIT), "at most", Category.SIZE_LIMIT)


@given(st.binary(max_size=100))
def test_ac_106_any_bytes_are_refused_in_our_words(data: bytes) -> None:
    for hostile in (data, b"\xd2" + data, b"\xd2\x84" + data, GOOD[: len(data)] + data):
        for signature in (None, GOOD, hostile):
            with pytest.raises(Misuse):
                read(hostile, signature=signature)


@pytest.mark.parametrize("now", [datetime(2026, 11, 22)])  # noqa: DTZ001 -- a time without zone is what is tried
def test_a_time_has_a_zone_and_a_cvm_an_id(now: datetime) -> None:
    refused(GOOD, "a time with its zone", now=now)
    refused(GOOD, "the id of a CVM", cvm_id="")


# --- what is shown ---------------------------------------------------------------------------------------------------


def test_what_a_policy_says_of_itself_is_shown_unchecked() -> None:
    claimed = claimed_statement(sign(key=OTHERS["ES256"], expires_at=NOW))
    assert (claimed.policy, claimed.cvm_id, claimed.serial, claimed.expires_at) == (POLICY, CVM, 7, NOW)
    assert claimed.key_id == key_id_of(OTHERS["ES256"].public_key())
    assert claimed_statement(sign(detached=True)).policy is None
    assert not isinstance(claimed, PolicyStatement)


def test_who_signed_is_told_of_any_cvms_policy_at_any_time() -> None:
    assert verify_statement(sign(cvm_id="other", expires_at=NOW), signers=SIGNERS).cvm_id == "other"
    with pytest.raises(Misuse):
        verify_statement(sign(key=OTHERS["ES256"]), signers=SIGNERS)


# --- signing ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("serial", [-1, MAXIMUM_SERIAL + 1, True])
def test_a_serial_that_could_not_be_read_is_not_signed(serial: int) -> None:
    with pytest.raises(Misuse, match="as serial"):
        sign(serial=serial)


@pytest.mark.parametrize("cvm_id", ["", "a\nb", "\udc80", "x" * (CVM_ID_LIMIT + 1)])
def test_an_id_that_could_not_be_read_is_not_signed(cvm_id: str) -> None:
    with pytest.raises(Misuse, match="CVM id"):
        sign(cvm_id=cvm_id)


def test_the_longest_id_fits() -> None:
    name = "𒀀" * CVM_ID_LIMIT
    assert read(sign(cvm_id=name), cvm_id=name).cvm_id == name


@pytest.mark.parametrize(
    "expires_at",
    [
        datetime(2026, 12, 1),  # noqa: DTZ001 -- a time without zone is what is tried
        LATER + timedelta(microseconds=1),
        datetime(1969, 12, 31, tzinfo=UTC),
    ],
)
def test_an_expiry_that_could_not_be_read_is_not_signed(expires_at: datetime) -> None:
    with pytest.raises(Misuse, match="expiry"):
        sign(expires_at=expires_at)


def test_an_expiry_may_be_as_late_as_a_date_can_be() -> None:
    end = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
    assert read(sign(expires_at=end)).expires_at == end


def test_openssl_agrees_about_the_signature(tool: object, tmp_path: Path) -> None:
    assert callable(tool)
    protected, _, payload, raw = cbor2.loads(sign(key=KEYS["EDDSA"])).value
    # Sig_structure put together from RFC 9052 section 4.4 and RFC 8949 section 3, byte by byte.
    signed = b"\x84\x6aSignature1\x58" + bytes((len(protected),)) + protected + b"\x52cvmproof/v1/policy"
    signed += b"\x58" + bytes((len(payload),)) + payload
    for name, data in (("data", signed), ("sig", raw), ("key.pem", public_pem(KEYS["EDDSA"]))):
        (tmp_path / name).write_bytes(data)
    command = [str(tool("openssl")), "pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", "key.pem", "-in", "data"]
    done = subprocess.run([*command, "-sigfile", "sig"], cwd=tmp_path, check=False, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr


# --- keys ------------------------------------------------------------------------------------------------------------


def test_signers_are_read_from_one_file_or_several() -> None:
    together = b"".join(public_pem(key) for key in KEYS.values())
    assert PolicySigners.read(together).keys.keys() == ALL.keys.keys()
    assert len(PolicySigners.read(together, public_pem(KEY)).keys) == 3


def test_a_key_id_is_the_hash_of_the_public_key() -> None:
    der = KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert key_id_of(KEY.public_key()) == sha256(der).digest()


@pytest.mark.parametrize("data", [b"", b"key", private_pem(KEY), b"\n", public_pem(KEY) + b"x", public_pem(KEY)[:-40]])
def test_ac_099_no_key_or_something_else_is_no_signer(data: bytes) -> None:
    with pytest.raises(Misuse, match="PUBLIC KEY") as caught:
        PolicySigners.read(public_pem(KEY), data)
    assert caught.value.category is Category.POLICY_INVALID


@pytest.mark.parametrize("der", [b"\x30\x00", b"\x05\x00", bytes(91)])
def test_a_block_with_something_else_in_it_is_no_signer(der: bytes) -> None:
    with pytest.raises(Misuse, match="expected a public key"):
        PolicySigners.read(write_pem(der, "PUBLIC KEY"))


def test_ac_099_no_signers_at_all_are_none() -> None:
    with pytest.raises(Misuse, match="one public key at least"):
        PolicySigners.read()
    with pytest.raises(Misuse, match="one public key at least"):
        PolicySigners(keys={})
    with pytest.raises(Misuse, match="under its own id"):
        PolicySigners(keys={bytes(32): KEY.public_key()})
    nobody: Any
    for nobody in (None, {}, KEY.public_key()):
        with pytest.raises(Misuse, match="expected PolicySigners"):
            read_signed_policy(GOOD, signers=nobody, cvm_id=CVM, now=NOW)


OTHER_KINDS: dict[str, Any] = {
    "RSA": rsa.generate_private_key(65537, 2048),
    "P-521": ec.generate_private_key(ec.SECP521R1()),
}


@pytest.mark.parametrize("name", OTHER_KINDS)
def test_ac_100_keys_of_other_kinds_are_refused(name: str) -> None:
    key = OTHER_KINDS[name]
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    for reader, data in ((PolicySigners.read, public), (read_private_key, private)):
        with pytest.raises(Misuse, match="expected Ed25519, P-256 or P-384") as caught:
            reader(data)
        assert caught.value.category is Category.UNSUPPORTED


@pytest.mark.parametrize("name", KEYS)
def test_a_private_key_is_read_from_pkcs_8(name: str) -> None:
    key = read_private_key(private_pem(KEYS[name]))
    assert key_id_of(key.public_key()) == key_id_of(KEYS[name].public_key())


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_a_private_key_with_a_passphrase_is_refused_in_a_sentence(form: PrivateFormat) -> None:
    with pytest.raises(Misuse, match="without a passphrase"):
        read_private_key(KEY.private_bytes(Encoding.PEM, form, BestAvailableEncryption(b"x")))


def test_nothing_of_a_private_key_stands_in_a_message() -> None:
    good = private_pem(KEY)
    old = KEY.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    lines = good.splitlines()
    damaged = [
        old,
        good[28:],
        good[:-30],
        good.replace(b"\n", b"\r\n"),
        b"\n".join([lines[0], lines[1][:-5], *lines[2:]]),
    ]
    for data in [*damaged, good + good, b"", public_pem(KEY)]:
        for reader in (read_private_key, PolicySigners.read):
            if (data, reader) == (public_pem(KEY), PolicySigners.read):
                continue
            with pytest.raises(Misuse) as caught:
                reader(data)
            told = str(caught.value) + caught.value.hint + repr(caught.value.__cause__)
            assert not any(line[:8].decode() in told for line in (*lines[1:3], *old.splitlines()[1:3]))
