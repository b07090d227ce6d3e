"""A policy that was fetched: which form it has, who signed it, and whether it is the one that was pinned."""

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime

from cvmproof.errors import Category, Misuse
from cvmproof.policy.foreign import foreign_form
from cvmproof.policy.policy import Authority, Policy
from cvmproof.policy.reading import read_policy
from cvmproof.policy.signed import PolicySigners, PolicyStatement, is_signed, read_signed_policy

DIGEST_SIZE = hashlib.sha256().digest_size


@dataclass(frozen=True, slots=True, kw_only=True)
class Vouching:
    """What an operator says of policies that are fetched.

    With `signers`, only policies signed by one of them are taken; `signature` is one that is kept apart from the
    policy. `digest` is the SHA-256 of the one policy that is taken. Raises Misuse for a signature without signers and
    for a digest of another length.
    """

    signers: PolicySigners | None = None
    signature: bytes | None = None
    digest: bytes | None = None

    def __post_init__(self) -> None:
        if self.signature is not None and self.signers is None:
            raise Misuse("a signature of the policy, and no key to verify it with", hint="--policy-key FILE")
        if self.digest is not None and len(self.digest) != DIGEST_SIZE:
            raise Misuse(f"policy digest: expected {DIGEST_SIZE} bytes of SHA-256, got {len(self.digest)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchedPolicy:
    """A policy as it was fetched, and what an operator signed; `digest` is SHA-256 of the bytes that were fetched."""

    policy: Policy
    digest: bytes
    statement: PolicyStatement | None


def read_fetched(data: bytes, *, cvm_id: str, name: str, vouching: Vouching, now: datetime) -> FetchedPolicy:
    """Read what the API gives as a CVM's policy.

    Its authority is the control plane's, unless an operator signed it or pinned its digest. Raises Misuse: UNSUPPORTED
    for a form that others write, SIGNATURE, IDENTITY (another CVM's) and EXPIRED for a signature, POLICY_MISMATCH for
    another digest than the pinned one, POLICY_INVALID for the rest.
    """
    digest = hashlib.sha256(data).digest()
    if not data:
        raise Misuse(f"{name}: the policy is empty", hint="--policy FILE takes your own in its place")
    if vouching.digest is not None and digest != vouching.digest:
        message = f"{name}: expected the pinned sha256 {vouching.digest.hex()}, got {digest.hex()}"
        raise Misuse(message, category=Category.POLICY_MISMATCH)
    statement = _statement(data, cvm_id, name, vouching, now)
    return FetchedPolicy(policy=_read(data, name, statement, vouching), digest=digest, statement=statement)


def _statement(data: bytes, cvm_id: str, name: str, vouching: Vouching, now: datetime) -> PolicyStatement | None:
    if vouching.signers is not None:
        return read_signed_policy(data, signers=vouching.signers, cvm_id=cvm_id, now=now, signature=vouching.signature)
    _refuse_foreign(data, name)  # a signed one of another kind is told by what it is
    if is_signed(data):
        message = f"{name}: the policy is signed, and there is no key to verify it with"
        raise Misuse(message, category=Category.SIGNATURE, hint="--policy-key FILE")
    return None


def _read(data: bytes, name: str, statement: PolicyStatement | None, vouching: Vouching) -> Policy:
    document = data if statement is None else statement.policy
    _refuse_foreign(document, name)
    policy = read_policy(document, name=name, authority=_authority(statement, vouching))
    return policy if statement is None else replace(policy, expires_at=statement.expires_at)


def _refuse_foreign(document: bytes, name: str) -> None:
    form = foreign_form(document)
    if form is not None:
        message = f"{name}: expected a policy of our own form, got {form}"
        hint = "write it as one of ours (cvmproof policy new), and give it by --policy FILE"
        raise Misuse(message, category=Category.UNSUPPORTED, hint=hint)


def _authority(statement: PolicyStatement | None, vouching: Vouching) -> Authority:
    if vouching.digest is not None:
        return Authority.OPERATOR  # whoever names the digest has said which policy it is
    return Authority.CONTROL_PLANE if statement is None else Authority.OPERATOR_SIGNED
