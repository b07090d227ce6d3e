"""What the API gives as a policy: which forms are taken, on whose word, and what is refused by name."""

import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from tests.verifier.cvm.scene import POLICY, SIGNED_ONLY, signed
from tests.verifier.policy.signing import KEY, OTHERS, signers

from cvmproof.cvm.fetched import FetchedPolicy, Vouching, read_fetched
from cvmproof.errors import Category, Misuse
from cvmproof.policy.policy import Authority
from cvmproof.policy.signed import sign_policy

NOW = datetime.now(UTC).replace(microsecond=0)
PINNED = Vouching(digest=hashlib.sha256(POLICY).digest())


def read(data: bytes, vouching: Vouching | None = None, *, now: datetime = NOW) -> FetchedPolicy:
    return read_fetched(data, cvm_id="cvm-1", name="prism:cvm-1", vouching=vouching or Vouching(), now=now)


def refused(data: bytes, category: Category, vouching: Vouching | None = None, *, now: datetime = NOW) -> str:
    with pytest.raises(Misuse) as caught:
        read(data, vouching, now=now)
    assert caught.value.category is category
    return str(caught.value)


def test_a_policy_that_nobody_vouches_for_is_the_control_planes_word() -> None:
    fetched = read(POLICY)
    assert fetched.policy.authority is Authority.CONTROL_PLANE
    assert fetched.digest == hashlib.sha256(POLICY).digest()
    assert fetched.statement is None
    assert fetched.policy.expires_at is None


def test_a_policy_whose_digest_the_operator_named_is_the_operators_word() -> None:
    assert read(POLICY, PINNED).policy.authority is Authority.OPERATOR
    assert "expected the pinned sha256" in refused(POLICY + b"\n", Category.POLICY_MISMATCH, PINNED)


def test_a_signed_policy_is_the_operators_signed_word_and_ends_with_its_signature() -> None:
    fetched = read(signed("cvm-1", serial=4), SIGNED_ONLY)
    assert fetched.policy.authority is Authority.OPERATOR_SIGNED
    assert fetched.statement is not None
    assert fetched.statement.serial == 4
    assert fetched.policy.expires_at == fetched.statement.expires_at
    assert fetched.policy.digest == hashlib.sha256(POLICY).digest()


def test_a_signature_kept_apart_from_the_policy_counts_as_well() -> None:
    apart = sign_policy(
        POLICY, private_key=KEY, cvm_id="cvm-1", serial=1, expires_at=NOW + timedelta(hours=1), detached=True
    )
    vouching = Vouching(signers=signers(), signature=apart)
    assert read(POLICY, vouching).policy.authority is Authority.OPERATOR_SIGNED
    refused(POLICY + b"\n", Category.SIGNATURE, vouching)


def test_an_unsigned_policy_where_a_signature_is_required_ac_093() -> None:
    refused(POLICY, Category.SIGNATURE, SIGNED_ONLY)


def test_a_policy_signed_by_somebody_else_is_not_tried_as_an_unsigned_one_ac_093() -> None:
    refused(signed("cvm-1", key=OTHERS["ES256"]), Category.SIGNATURE, SIGNED_ONLY)
    assert "no key to verify it with" in refused(signed("cvm-1"), Category.SIGNATURE)


def test_a_policy_signed_for_another_cvm_ac_093() -> None:
    refused(signed("cvm-2"), Category.IDENTITY, SIGNED_ONLY)


def test_a_policy_whose_signature_has_ended_ac_093() -> None:
    data = signed("cvm-1", expires=NOW + timedelta(hours=1))
    read(data, SIGNED_ONLY, now=NOW + timedelta(minutes=59))
    refused(data, Category.EXPIRED, SIGNED_ONLY, now=NOW + timedelta(hours=1))


@pytest.mark.parametrize("nothing", [b"", b" ", b"{}", b"null", b"[]", b"# nothing\n"])
def test_an_empty_policy_ac_083(nothing: bytes) -> None:
    refused(nothing, Category.POLICY_INVALID)


@pytest.mark.parametrize(
    "foreign",
    [
        b'{"snp_policy":{"report_data":""},"root_of_trust":{}}',
        b'{"policy":{"policy":"1"},"root_of_trust":{"product_line":"Genoa"}}',
        b"\xd9\x01\xf5\xa2\x00\x01\x01\x80",
    ],
)
def test_a_form_that_others_write_is_refused_by_its_name(foreign: bytes) -> None:
    message = refused(foreign, Category.UNSUPPORTED)
    assert "expected a policy of our own form, got" in message


def test_a_foreign_form_is_refused_though_it_is_signed() -> None:
    data = signed("cvm-1", policy=b'{"snp_policy":{"report_data":""},"root_of_trust":{}}')
    refused(data, Category.UNSUPPORTED, SIGNED_ONLY)


def test_vouching_for_nothing_that_can_be_checked_is_refused() -> None:
    with pytest.raises(Misuse, match="no key to verify it with"):
        Vouching(signature=b"\xd2")
    with pytest.raises(Misuse, match="expected 32 bytes of SHA-256, got 31"):
        Vouching(digest=bytes(31))
