"""From evidence over a live connection to an accepted appraisal of it: policies, collateral, and the clock."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cvmproof.appraisal import Appraisal, Verdict
from cvmproof.appraise import appraise
from cvmproof.channel.deadline import wall_clock
from cvmproof.collateral.collateral import Collateral
from cvmproof.collateral.keys import Wanted
from cvmproof.collateral.store import CollateralStore
from cvmproof.collateral.wanting import wanted_for_evidence
from cvmproof.errors import CollateralError, EndpointError, Misuse, Undecided
from cvmproof.high_water import HighWater
from cvmproof.high_water_store import HighWaterStore
from cvmproof.live import Live
from cvmproof.policy.policy import Policy
from cvmproof.trust import TrustRoots
from cvmproof_formats.evidence import Evidence

_log = logging.getLogger(__name__)
Judge = Callable[[Evidence, Live], Appraisal]


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Under which terms a connection is accepted.

    `collateral` is what the caller has, or a store, which is filled from AMD's or Intel's service when a verdict needs
    it, unless `offline`. `high_water` is where it is remembered how new collateral was. Raises Misuse for policies that
    leave the software open, unless `any_software`.
    """

    policies: tuple[Policy, ...]
    trust: TrustRoots
    collateral: Collateral | CollateralStore
    any_software: bool = False
    offline: bool = False
    high_water: HighWaterStore | None = None

    def __post_init__(self) -> None:
        require_software(self.policies, any_software=self.any_software)
        if isinstance(self.collateral, CollateralStore) and self.collateral.trust.name != self.trust.name:
            raise Misuse(f"collateral store: expected one for {self.trust.name}, got {self.collateral.trust.name}")

    def judge(self, evidence: Evidence, expected: Live) -> Appraisal:
        """Appraise; raises Rejected or Undecided unless it is accepted."""
        marks = self.high_water.read() if self.high_water else None
        appraisal = self._appraise(evidence, expected, marks)
        failure = ""
        if appraisal.verdict is Verdict.UNDECIDED and isinstance(self.collateral, CollateralStore) and not self.offline:
            # Nothing is fetched for evidence that failed a check, its binding among them.
            failure = _fetch(self.collateral, wanted_for_evidence(evidence))
            appraisal = self._appraise(evidence, expected, marks)
        if self.high_water is not None:
            _remember(self.high_water, appraisal)
        try:
            appraisal.require_accepted(appraisal.appraised_at)
        except Undecided as error:
            error.hint = failure or error.hint
            raise
        return appraisal

    def _appraise(self, evidence: Evidence, expected: Live, marks: HighWater | None) -> Appraisal:
        now, collateral = wall_clock(), self.collateral
        if isinstance(collateral, CollateralStore):
            collateral = collateral.load(wanted_for_evidence(evidence), now)
        return appraise(
            evidence,
            policies=self.policies,
            trust=self.trust,
            freshness=expected,
            now=now,
            collateral=collateral,
            high_water=marks,
        )


def _remember(store: HighWaterStore, appraisal: Appraisal) -> None:
    try:
        store.raise_by(appraisal)
    except CollateralError as error:  # the verdict stands all the same
        _log.warning("how new this collateral was can't be remembered: %s", error)


def require_software(policies: Sequence[Policy], *, any_software: bool) -> None:
    """Refuse policies none of which says which software may run; raises Misuse."""
    if not policies or not all(isinstance(policy, Policy) for policy in policies):
        raise Misuse("policies: expected one or more Policy objects")
    if not any_software and not any(policy.constrains_software for policy in policies):
        raise Misuse(
            "no policy says which software may run: whoever has such a machine could answer",
            hint="name measurements, ID keys or author keys in the policy, or say that any software will do",
        )


def _fetch(store: CollateralStore, wanted: Sequence[Wanted]) -> str:
    from cvmproof.collateral.vendors import fetch_wanted  # noqa: PLC0415 -- an HTTP client, where something is fetched

    try:
        fetch_wanted(store, wanted, wall_clock())
    except (CollateralError, EndpointError) as error:
        return str(error)
    return ""
