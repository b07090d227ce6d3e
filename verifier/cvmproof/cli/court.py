"""Judging every connection of one command under the same terms."""

from collections.abc import Sequence
from dataclasses import dataclass

import click

from cvmproof.appraisal import Appraisal
from cvmproof.cli.certificates import read_certificates
from cvmproof.cli.collateral_options import CollateralOptions, may_fetch, roots_of, services_of, store_of
from cvmproof.cli.gathering import Gathering, gather, open_high_water
from cvmproof.collateral.collateral import Collateral
from cvmproof.collateral.endpoint import Services
from cvmproof.collateral.keys import Wanted
from cvmproof.collateral.store import CollateralStore
from cvmproof.errors import CvmproofError
from cvmproof.high_water_store import HighWaterStore
from cvmproof.live import Live
from cvmproof.policy.policy import Policy
from cvmproof.trust import TrustRoots
from cvmproof_formats.evidence import Evidence


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What is judged with: trust, the collateral given and stored, and whether and where more may be fetched."""

    trust: TrustRoots
    given: Collateral
    store: CollateralStore
    services: Services
    may_fetch: bool
    high_water: HighWaterStore

    def fetch(self, wanted: Sequence[Wanted]) -> None:
        """Fill the store; raises CollateralError or EndpointError."""
        from cvmproof.channel.deadline import wall_clock
        from cvmproof.cli.fetching import fetch_collateral

        fetch_collateral(self.store, wanted, services=self.services, now=wall_clock())


def read_means(ctx: click.Context, given: CollateralOptions) -> Means:
    """Read what is judged with from a command's options; raises Misuse, Malformed or CollateralError."""
    roots = roots_of(given)
    return Means(
        trust=roots,
        given=read_certificates(given["certs"]),
        store=store_of(given),
        services=services_of(given),
        high_water=open_high_water(given["state"], roots),
        may_fetch=may_fetch(ctx, given),
    )


class Court:
    """Judges under these policies; `fetch_error` is that of the last fetch, if it failed."""

    def __init__(self, policies: Sequence[Policy], means: Means) -> None:
        """Take the terms."""
        self.policies, self.means = policies, means
        self.fetch_error: CvmproofError | None = None

    def judge(self, evidence: Evidence, expected: Live) -> Appraisal:
        """Appraise, fetching what is missing; raises Rejected or Undecided."""
        from cvmproof.channel.deadline import wall_clock

        means = self.means
        case = Gathering(
            evidence=evidence,
            policies=self.policies,
            trust=means.trust,
            freshness=expected,
            now=wall_clock(),
            given=means.given,
            high_water=means.high_water,
        )
        appraisal, self.fetch_error = gather(case, means.store, fetch=means.fetch if means.may_fetch else None)
        appraisal.require_accepted(appraisal.appraised_at)
        return appraisal
