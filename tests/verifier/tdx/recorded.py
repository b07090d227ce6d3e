"""Evidence recorded on real Intel machines, where it stands beside the checkout: its rows, and appraising them.

Nothing of it is in the repository. A row is one quote with one set of collateral at a time inside all its validities,
and what three others made of it: Intel's rules (quote verification library 1.27), dcap-qvl and go-tdx-guest.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

from cvmproof.appraisal import Appraisal
from cvmproof.appraise import appraise
from cvmproof.claims import TdxClaims
from cvmproof.collateral.collateral import Collateral
from cvmproof.freshness import NoFreshness
from cvmproof.policy.policy import Policy
from cvmproof.policy.reading import builtin_policy
from cvmproof.tdx.tcb import TdRating
from cvmproof.trust import TrustRoots
from cvmproof_formats.evidence import Evidence, read_evidence
from cvmproof_formats.pem import read_pem
from cvmproof_formats.tdx.signed_json import read_signed


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of cases.jsonl; paths are relative to the collection."""

    quote: str
    tcb: str
    qe: str
    root_crl: str
    pck_crl: str
    signing_cert: str
    at: datetime
    dcap_qvl: str
    go_tdx_guest: str
    status: str
    launch: str
    current: str | None
    parts: tuple[tuple[str, str], ...]
    advisories: tuple[str, ...]
    tcb_date: str | None

    @property
    def short(self) -> bool:
        """Whether the quote lacks its last byte or two."""
        return "decode" in self.dcap_qvl

    def part(self, name: str) -> str | None:
        """What `plat`, `mod` or `qe` came to; None where there is no status, or no version of the module."""
        return dict(self.parts).get(name)


@lru_cache(maxsize=512)
def read(path: Path) -> bytes:
    """Read one file of the collection."""
    return path.read_bytes()


@lru_cache
def rows(recorded: Path) -> tuple[Row, ...]:
    """Every row of the collection."""
    return tuple(_row(line) for line in (recorded / "tdx" / "cases.jsonl").read_text("utf-8").splitlines())


def readable(recorded: Path) -> tuple[Row, ...]:
    """Every row whose quote is whole."""
    return tuple(row for row in rows(recorded) if not row.short)


def first_of(recorded: Path, quote: str) -> Row:
    """The first row with a quote, by the beginning of its file's name."""
    return next(row for row in rows(recorded) if row.quote.startswith(f"quotes/{quote}"))


def _row(line: str) -> Row:
    found = json.loads(line)
    return Row(
        quote=found["quote"],
        tcb=found["tcb"],
        qe=found["qe"],
        root_crl=found["root_crl"],
        pck_crl=found["pck_crl"],
        signing_cert=found["signing_cert"],
        at=datetime.fromtimestamp(found["time"], UTC),
        dcap_qvl=found["dcap_qvl"],
        go_tdx_guest=found["go_tdx_guest"],
        status=found["qvl127"],
        launch=found["qvl127_launch"],
        current=found["qvl127_current"],
        parts=tuple(found["parts"].items()),
        advisories=tuple(found["advisories_all"]),
        tcb_date=found["tcb_date"],
    )


@lru_cache(maxsize=2048)
def collateral_of(recorded: Path, row: Row) -> Collateral:
    """The collateral of a row."""
    folder = recorded / "tdx"
    return Collateral(
        certificates=read_pem(read(folder / row.signing_cert)),
        intel_crls=(read(folder / row.root_crl), read(folder / row.pck_crl)),
        tcb_infos=(read_signed(read(folder / row.tcb), "tcbInfo"),),
        qe_identities=(read_signed(read(folder / row.qe), "enclaveIdentity"),),
    )


def appraise_row(
    recorded: Path,
    row: Row,
    *,
    quote: bytes | None = None,
    evidence: Evidence | None = None,
    collateral: Collateral | None = None,
    policies: Sequence[Policy] = (),
    at: datetime | None = None,
) -> Appraisal:
    """Appraise a row, as recorded unless something is given, under builtin:genuine at its own time."""
    data = read(recorded / "tdx" / row.quote) if quote is None else quote
    return appraise(
        evidence or read_evidence(data),
        policies=policies or [builtin_policy("genuine")],
        trust=TrustRoots.production(),
        freshness=NoFreshness(),
        now=at or row.at,
        collateral=collateral or collateral_of(recorded, row),
    )


def rating_of(appraisal: Appraisal) -> TdRating:
    """What the TCB was rated; every recorded row is."""
    claims = appraisal.claims
    assert isinstance(claims, TdxClaims)
    assert claims.rating is not None
    return claims.rating
