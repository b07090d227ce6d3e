"""Collateral as a value: what the appraisal is handed beside the evidence, none of it believed yet."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self, TypeVar

from cvmproof_formats.snp.product import KeyKind

if TYPE_CHECKING:
    from cvmproof_formats.tdx.signed_json import Signed

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Crl:
    """One of AMD's revocation lists as received; `kind` is the chain it was kept for, None for a loose file."""

    der: bytes
    kind: KeyKind | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Collateral:
    """Certificates and Intel's revocation lists (DER), and what else there is, as received.

    Nothing in it is verified: the appraisal verifies what it uses.
    """

    certificates: tuple[bytes, ...] = ()
    crls: tuple[Crl, ...] = ()
    intel_crls: tuple[bytes, ...] = ()
    tcb_infos: "tuple[Signed, ...]" = ()
    qe_identities: "tuple[Signed, ...]" = ()

    def merged(self, *others: Self) -> "Collateral":
        """Put this and other collateral together, in order, each object once."""
        every = (self, *others)
        return Collateral(
            certificates=_each_once(one.certificates for one in every),
            crls=_each_once(one.crls for one in every),
            intel_crls=_each_once(one.intel_crls for one in every),
            tcb_infos=_each_once(one.tcb_infos for one in every),
            qe_identities=_each_once(one.qe_identities for one in every),
        )


def _each_once(several: Iterable[tuple[T, ...]]) -> tuple[T, ...]:
    return tuple(dict.fromkeys(one for found in several for one in found))
