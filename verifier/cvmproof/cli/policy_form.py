"""What a policy that was fetched is: its form, who signed it, its text. For showing; a verdict reads it for itself."""

from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Literal

from cvmproof.errors import Misuse
from cvmproof.policy.foreign import foreign_form
from cvmproof.policy.reading import read_policy
from cvmproof.policy.signed import (
    ClaimedStatement,
    PolicySigners,
    PolicyStatement,
    claimed_statement,
    is_signed,
    read_signed_policy,
)
from cvmproof.spelling import escape

Form = Literal["empty", "toml", "json", "foreign", "unknown"]
_PROBLEM_LIMIT = 1000  # characters


@dataclass(frozen=True, slots=True, kw_only=True)
class Signing:
    """Who may sign, and the signature where it is kept apart from the policy."""

    signers: PolicySigners
    signature: bytes | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyForm:
    """The form of a policy, of the one inside where it is signed.

    `foreign` names a form of others, `problem` says why it is no policy, escaped; `text` is that of one of ours, as it
    came. `statement` is a PolicyStatement where the signature was verified.
    """

    form: Form
    foreign: str | None = None
    problem: str | None = None
    text: str = field(default="", repr=False)
    constrains_software: bool | None = None
    statement: PolicyStatement | ClaimedStatement | None = None

    @property
    def verified(self) -> bool:
        """Whether one of the operator's keys signed it, for this CVM, and it has not expired."""
        return isinstance(self.statement, PolicyStatement)

    @property
    def policy_digest(self) -> bytes | None:
        """SHA-256 of the policy inside a signed one; None where it is not inside."""
        if self.statement is None or self.statement.policy is None:
            return None
        return sha256(self.statement.policy).digest()


def form_of(data: bytes, *, cvm: str, signing: Signing | None, now: datetime) -> PolicyForm:
    """Look at what was fetched for a CVM.

    With `signing` only a policy is taken that one of the signers signed, for this CVM, and that has not expired: raises
    Misuse as `read_signed_policy` does. Without, a signature is shown and not verified.
    """
    if signing is not None:
        signature = signing.signature
        statement = read_signed_policy(data, signers=signing.signers, cvm_id=cvm, now=now, signature=signature)
        return _form(statement.policy, cvm, statement)
    if not is_signed(data):
        return _form(data, cvm, None)
    foreign = foreign_form(data)
    if foreign is not None:
        return PolicyForm(form="foreign", foreign=foreign)
    try:
        claimed = claimed_statement(data)
    except Misuse as error:
        return PolicyForm(form="unknown", problem=escape(str(error), _PROBLEM_LIMIT))
    if claimed.policy is None:
        return PolicyForm(form="unknown", problem="a signature without the policy that it is for", statement=claimed)
    return _form(claimed.policy, cvm, claimed)


def _form(data: bytes, cvm: str, statement: PolicyStatement | ClaimedStatement | None) -> PolicyForm:
    if not data:
        return PolicyForm(form="empty", statement=statement)
    foreign = foreign_form(data)
    if foreign is not None:
        return PolicyForm(form="foreign", foreign=foreign, statement=statement)
    try:
        policy = read_policy(data, name=f"of {escape(cvm)}")
    except Misuse as error:
        return PolicyForm(form="unknown", problem=escape(str(error), _PROBLEM_LIMIT), statement=statement)
    return PolicyForm(
        form="json" if data.lstrip(b" \t\r\n").startswith(b"{") else "toml",
        text=data.decode("utf-8", "replace"),
        constrains_software=policy.constrains_software,
        statement=statement,
    )
