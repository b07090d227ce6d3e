"""Collateral as a value: what the appraisal is handed beside the evidence, none of it believed yet."""

from dataclasses import dataclass
from typing import Self

from cvmproof_formats.snp.product import KeyKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Crl:
    """A revocation list as received; `kind` is the chain it was kept for, None for a loose file."""

    der: bytes
    kind: KeyKind | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Collateral:
    """Certificates (DER) and revocation lists, as received: the appraisal verifies what it uses."""

    certificates: tuple[bytes, ...] = ()
    crls: tuple[Crl, ...] = ()

    def merged(self, *others: Self) -> "Collateral":
        """Put this and other collateral together, in order, each object once."""
        every = (self, *others)
        return Collateral(
            certificates=tuple(dict.fromkeys(der for one in every for der in one.certificates)),
            crls=tuple(dict.fromkeys(crl for one in every for crl in one.crls)),
        )
