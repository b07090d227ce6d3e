"""A policy: what one relying party demands of evidence, and whose word it is.

Version 1 has `revocation`, `valid_for` and a table for each TEE it takes; a TEE without a table is refused.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from cvmproof.errors import Misuse
from cvmproof.policy.snp_rules import SnpRules
from cvmproof_formats.binding import Tee

if TYPE_CHECKING:
    from cvmproof.policy.tdx_rules import TdxRules

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

    `snp` and `tdx` are its rules for each technology, at least one; a technology without rules is refused.
    `expires_at` is where its signature ends, if it has one that does; no acceptance lasts longer.
    """

    name: str
    digest: bytes
    authority: Authority
    revocation: Revocation
    valid_for: int
    snp: SnpRules | None = None
    tdx: "TdxRules | None" = None
    expires_at: datetime | None = None

    def __post_init__(self) -> None:
        if self.snp is None and self.tdx is None:
            raise Misuse(f"policy {self.name}: expected rules for SEV-SNP, TDX or both, got none")

    @property
    def tees(self) -> tuple[Tee, ...]:
        """The technologies that it takes."""
        return tuple(tee for tee, rules in self._tables() if rules is not None)

    @property
    def tees_of_any_software(self) -> tuple[Tee, ...]:
        """The technologies that it takes without saying which software may run."""
        return tuple(tee for tee, rules in self._tables() if rules is not None and not rules.constrains_software)

    @property
    def constrains_software(self) -> bool:
        """Whether it says which software may run, with each technology that it takes."""
        return not self.tees_of_any_software

    def _tables(self) -> "tuple[tuple[Tee, SnpRules | TdxRules | None], ...]":
        return (Tee.SEV_SNP, self.snp), (Tee.TDX, self.tdx)
