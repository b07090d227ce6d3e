"""High-water marks: the newest collateral that was ever verified, so that older collateral is noticed.

Collateral is valid for weeks. Whoever hands it out could keep handing out what was signed before a flaw was found, or
before a certificate was revoked. A mark remembers how new it was before: the TCB evaluation number, and the date of
issue. Marks are values here; where they are kept is another module's concern.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import NamedTuple

from cvmproof.errors import Misuse


class Mark(NamedTuple):
    """How new something was: `number` is the TCB evaluation number, 0 where there is none; compared in this order."""

    number: int
    issued: datetime

    def __str__(self) -> str:
        number = f"number {self.number}, " if self.number else ""
        return f"{number}{self.issued:%Y-%m-%dT%H:%M:%SZ}"


Seen = tuple[tuple[str, Mark], ...]
"""How new what was verified is, each under its name."""
Look = Callable[[], Seen]
"""Finds that out when somebody asks; it holds on to what was verified, and to nothing else of a case."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HighWater:
    """The marks of one trust set, by the name of what they are about ("tcb-info 00806f050000")."""

    trust: str
    marks: Mapping[str, Mark]

    @classmethod
    def nothing(cls, trust: str) -> "HighWater":
        """Remember nothing yet."""
        return cls(trust=trust, marks=MappingProxyType({}))

    def is_older(self, name: str, mark: Mark) -> bool:
        """Tell whether something newer under this name was seen before."""
        before = self.marks.get(name)
        return before is not None and mark < before

    def raised(self, seen: Iterable[tuple[str, Mark]]) -> "HighWater":
        """Give the marks with what was seen and is newer; the same object if nothing is."""
        newer = {name: mark for name, mark in seen if name not in self.marks or self.marks[name] < mark}
        return HighWater(trust=self.trust, marks=MappingProxyType({**self.marks, **newer})) if newer else self

    def require_trust(self, trust: str) -> None:
        """Refuse marks of another trust set: theirs say nothing here. Raises Misuse."""
        if self.trust != trust:
            raise Misuse(f"high-water marks: expected those of {trust}, got those of {self.trust}")


def tcb_info_name(fmspc: bytes) -> str:
    """Name the mark of a platform's TCB info."""
    return f"tcb-info {fmspc.hex()}"


QE_IDENTITY_NAME = "qe-identity td_qe"


def crl_name(authority_key_sha256: bytes) -> str:
    """Name the mark of an authority's revocation list, by SHA-256 of the authority's SubjectPublicKeyInfo."""
    return f"crl {authority_key_sha256.hex()}"
