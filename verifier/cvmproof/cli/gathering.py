"""Getting together what a verdict needs: what is at hand, and the network only where nothing else is left.

Nothing is fetched for evidence that fails a check: whoever sends bad evidence must not make us ask a vendor.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from cvmproof.appraisal import Appraisal, Verdict
from cvmproof.appraise import appraise
from cvmproof.cli.output import say
from cvmproof.collateral.collateral import Collateral
from cvmproof.collateral.keys import Wanted
from cvmproof.collateral.wanting import wanted_for_evidence
from cvmproof.errors import CollateralError, CvmproofError, EndpointError
from cvmproof.live import Expectation
from cvmproof.policy.policy import Policy
from cvmproof.trust import TrustRoots
from cvmproof_formats.evidence import Evidence

if TYPE_CHECKING:
    from cvmproof.collateral.store import CollateralStore
    from cvmproof.high_water_store import HighWaterStore


class Gathering:
    """One appraisal under way: everything that stays the same while collateral is being found."""

    def __init__(
        self,
        *,
        evidence: Evidence,
        policies: Sequence[Policy],
        trust: TrustRoots,
        freshness: Expectation,
        now: datetime,
        given: Collateral,
        high_water: "HighWaterStore | None",
    ) -> None:
        """Take the appraisal's arguments.

        `given` is what the user gave beside the evidence, `high_water` where it is remembered how new collateral was;
        None for another time than the present. Raises CollateralError where it can't be read.
        """
        self._evidence, self._policies, self._trust = evidence, policies, trust
        self._freshness, self._now, self._given = freshness, now, given
        self._high_water = high_water
        self._marks = high_water.read() if high_water else None
        self.wanted = wanted_for_evidence(evidence)

    def appraise(self, store: "CollateralStore") -> Appraisal:
        """Appraise with what is at hand: the evidence's own certificates, those given, and what the store has."""
        return appraise(
            self._evidence,
            policies=self._policies,
            trust=self._trust,
            freshness=self._freshness,
            now=self._now,
            collateral=self._given.merged(store.load(self.wanted, self._now)),
            high_water=self._marks,
        )

    def remember(self, appraisal: Appraisal) -> None:
        """Remember how new the collateral was that was verified; where that fails, the verdict stands all the same."""
        if self._high_water is not None:
            try:
                self._high_water.raise_by(appraisal)
            except CollateralError as error:
                say(f"note: how new this collateral was can't be remembered: {error}")


def gather(
    case: Gathering, store: "CollateralStore", *, fetch: Callable[[Sequence[Wanted]], None] | None
) -> tuple[Appraisal, CvmproofError | None]:
    """Appraise, fetching what is missing where that may help; with the error of the fetch, where one failed.

    `fetch` fills the store, None where nothing may be fetched. Raises CollateralError for a folder out of bounds.
    """
    appraisal, failure = case.appraise(store), None
    if fetch is not None and appraisal.verdict is Verdict.UNDECIDED:
        try:
            fetch(case.wanted)
        except (CollateralError, EndpointError) as error:
            failure = error
        appraisal = case.appraise(store)
    case.remember(appraisal)
    return appraisal, failure


def open_store(folder: Path | None, trust: TrustRoots) -> "CollateralStore":
    """Open the store in a folder; None: the user's own."""
    from cvmproof.collateral.store import CollateralStore

    return CollateralStore.default(trust) if folder is None else CollateralStore(folder=folder, trust=trust)


def open_high_water(state: str | None, trust: TrustRoots) -> "HighWaterStore":
    """Open where it is remembered how new collateral was: in a state folder; None: the user's own."""
    from cvmproof.high_water_store import HighWaterStore

    if state is None:
        return HighWaterStore.default(trust)
    return HighWaterStore(folder=Path(state) / "high-water", trust=trust)
