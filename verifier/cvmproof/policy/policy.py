"""A policy: what one relying party demands of evidence, and whose word it is.

Version 1 has `revocation`, `valid_for` and a table for each TEE it takes; a TEE without a table is refused.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from cvmproof.policy.snp_rules import SnpRules

VERSION = 1


class Revocation(StrEnum):
    """Whether a verdict needs the vendor's revocation list."""

    REQUIRED = "required"
    IF_AVAILABLE = "if-available"


class Authority(StrEnum):
    """Whose word a policy is, weakest first."""

    CONTROL_PLANE = "control-plane"
    FIRST_USE = "first-use"
    OPERATOR_SIGNED = "operator-signed"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Policy:
    """One policy as read: `digest` is SHA-256 of the bytes it came in, `valid_for` the seconds an acceptance lasts.

    `expires_at` is where its signature ends, if it has one that does; no acceptance lasts longer.
    """

    name: str
    digest: bytes
    authority: Authority
    revocation: Revocation
    valid_for: int
    snp: SnpRules
    expires_at: datetime | None = None
