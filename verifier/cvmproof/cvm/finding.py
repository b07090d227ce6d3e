"""What contradicts what, and what has changed: said beside a verdict, which never rests on it.

A finding makes nothing acceptable and refuses nothing; the policies do. The names are stable, as those of checks are.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from cvmproof.appraisal import Appraisal
from cvmproof.claims import SnpClaims
from cvmproof.policy.looser import looser_rules
from cvmproof.policy.policy import Policy
from cvmproof.prism.cvm import Cvm
from cvmproof.spelling import spell
from cvmproof_formats.errors import Category, CvmproofError
from cvmproof_formats.evidence import read_evidence
from cvmproof_formats.snp.report import AttestationReport, read_report


class FindingId(StrEnum):
    """Every finding there is."""

    PLATFORM = "cvm.platform"
    SNAPSHOT_MACHINE = "cvm.snapshot.machine"
    SNAPSHOT_SOFTWARE = "cvm.snapshot.software"
    POLICY_CHANGED = "cvm.policy.changed"
    POLICY_LOOSER = "cvm.policy.looser"


_CATEGORIES = {
    FindingId.PLATFORM: Category.PLATFORM,
    FindingId.SNAPSHOT_MACHINE: Category.IDENTITY,
    FindingId.SNAPSHOT_SOFTWARE: Category.MEASUREMENT,
    FindingId.POLICY_CHANGED: Category.ROLLBACK,
    FindingId.POLICY_LOOSER: Category.POLICY_INVALID,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One finding, its values in words."""

    id: FindingId
    expected: str
    got: str
    why: str

    @property
    def category(self) -> Category:
        """Which kind of contradiction it is."""
        return _CATEGORIES[self.id]

    def __str__(self) -> str:
        return f"{self.id} ({self.category}): expected {self.expected}, got {self.got}: {self.why}"


def looser_than_floors(fetched: Policy, floors: Iterable[Policy]) -> tuple[Finding, ...]:
    """Name what a fetched policy takes and a floor refuses; the floor is appraised as well, and wins."""
    return tuple(
        Finding(
            id=FindingId.POLICY_LOOSER,
            expected=f"{found.rule} {found.floor}",
            got=found.policy,
            why=f"the policy takes what {floor.name} refuses; both must accept",
        )
        for floor in floors
        for found in looser_rules(fetched, floor)
    )


def policy_changed(before: bytes | None, now: bytes) -> tuple[Finding, ...]:
    """Say that a policy which nobody signed is another one than last time; both SHA-256, None for never seen."""
    if before is None or before == now:
        return ()
    why = "nobody signed the policy, and it is not the one that was fetched last time"
    return (
        Finding(id=FindingId.POLICY_CHANGED, expected=f"sha256 {before.hex()}", got=f"sha256 {now.hex()}", why=why),
    )


def contradictions(cvm: Cvm, appraisal: Appraisal) -> tuple[Finding, ...]:
    """Compare what the record says with what the evidence says."""
    found = []
    if cvm.tee is not None and cvm.tee is not appraisal.tee:
        why = "the record names another technology than the evidence comes from"
        found.append(Finding(id=FindingId.PLATFORM, expected=str(cvm.tee), got=str(appraisal.tee), why=why))
    snapshot = _snapshot(cvm.attestation)
    if snapshot is not None and isinstance(appraisal.claims, SnpClaims):
        found += _against_snapshot(snapshot, appraisal.claims.report)
    return tuple(found)


def _snapshot(attestation: bytes | None) -> AttestationReport | None:
    """Read the evidence that a record carries from when the CVM started, where it is in a form that we know."""
    try:
        return read_report(read_evidence(attestation).report) if attestation else None
    except CvmproofError:
        return None  # other forms are shown by nobody and decide nothing


def _against_snapshot(snapshot: AttestationReport, report: AttestationReport) -> list[Finding]:
    compared = (
        (FindingId.SNAPSHOT_MACHINE, snapshot.chip_id, report.chip_id, "another machine answers"),
        (FindingId.SNAPSHOT_SOFTWARE, snapshot.measurement, report.measurement, "other software answers"),
    )
    return [
        Finding(id=name, expected=spell(then), got=spell(now), why=f"{what} than the record's snapshot is of")
        for name, then, now, what in compared
        if then != now
    ]
