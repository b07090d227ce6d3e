"""Evidence recorded on real EPYC machines, where it stands beside the checkout: cases, certificates, appraising them.

Nothing of it is in the repository. Where the folder is absent, `CASES` is empty and the tests over it say so.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path

import pytest

from cvmproof.appraisal import Appraisal
from cvmproof.appraise import appraise
from cvmproof.collateral.collateral import Collateral, Crl
from cvmproof.freshness import Freshness, NoFreshness
from cvmproof.policy.policy import Policy
from cvmproof.policy.reading import builtin_policy
from cvmproof.trust import TrustRoots
from cvmproof_formats.evidence import read_evidence
from cvmproof_formats.x509 import Certificate, read_certificate

FOLDER = Path(__file__).resolve().parents[3].parent / "shared" / "recorded" / "snp"
ABSENT = "no recorded evidence: ../shared/recorded does not stand beside this checkout"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One line of cases.jsonl; the last three are empty for reports that are not genuine."""

    name: str
    report: str
    genuine: bool
    debug: bool
    veks: tuple[str, ...]
    forged_veks: tuple[str, ...]
    at: datetime
    product: str
    key: str
    tcb: str

    @property
    def data(self) -> bytes:
        """The report as recorded."""
        return read(self.report)


@lru_cache
def read(name: str) -> bytes:
    """Read one file of the collection."""
    return (FOLDER / name).read_bytes()


def _case(line: str) -> Case:
    row = json.loads(line)
    return Case(
        name=Path(row["report"]).stem,
        report=row["report"],
        genuine=row["genuine"],
        debug=row.get("debug", False),
        veks=tuple(row["veks"]),
        forged_veks=tuple(row.get("forged_veks", ())),
        at=datetime.fromisoformat(row["at"]),
        product=row.get("product", ""),
        key=row.get("key", ""),
        tcb=row.get("tcb", ""),
    )


CASES = (
    tuple(_case(line) for line in (FOLDER / "cases.jsonl").read_text("utf-8").splitlines()) if FOLDER.is_dir() else ()
)
GENUINE = tuple(case for case in CASES if case.genuine)
ORDINARY = tuple(case for case in GENUINE if not case.debug)


def each(cases: Sequence[Case]) -> pytest.MarkDecorator:
    """Parametrize a test over recorded cases; without them it is one test that is skipped."""
    absent = [pytest.param(None, marks=pytest.mark.skip(reason=ABSENT), id="absent")]
    return pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in cases] or absent)


def names(folder: str, pattern: str = "*.der") -> list[str]:
    """List the files of a folder of the collection."""
    return sorted(f"{folder}/{path.name}" for path in (FOLDER / folder).glob(pattern))


def files(found: Sequence[str]) -> pytest.MarkDecorator:
    """Parametrize a test over files; without them it is one test that is skipped."""
    absent = [pytest.param("", marks=pytest.mark.skip(reason=ABSENT), id="absent")]
    return pytest.mark.parametrize("name", list(found) or absent)


def roots(*, without: str = "BADSIG", only: str = "") -> tuple[bytes, ...]:
    """AMD's ARKs, ASKs and ASVKs, DER; those whose file name has `only` in it and `without` not."""
    return tuple(read(name) for name in names("roots") if without not in name and only in name)


def certificate(name: str) -> Certificate:
    """One certificate of the collection, read."""
    return read_certificate(read(name))


def appraise_case(
    case: Case,
    *,
    report: bytes | None = None,
    veks: Sequence[str] | None = None,
    authorities: tuple[bytes, ...] | None = None,
    crls: tuple[Crl, ...] = (),
    policy: Policy | None = None,
    now: datetime | None = None,
    freshness: Freshness | None = None,
    trust: str = "production",
) -> Appraisal:
    """Appraise a recorded report, as recorded unless something is given, under builtin:genuine at its own time."""
    leaves = tuple(read(name) for name in (case.veks if veks is None else veks))
    above = roots() if authorities is None else authorities
    return appraise(
        read_evidence(case.data if report is None else report),
        policies=[policy or builtin_policy("genuine")],
        trust=TrustRoots.named(trust),
        freshness=freshness or NoFreshness(),
        now=now or case.at,
        collateral=Collateral(certificates=leaves + above, crls=crls),
    )
