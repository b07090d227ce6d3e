"""One case of TDX evidence, everything read that the questions are about."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from cvmproof.claims import TdxClaims
from cvmproof.collateral.collateral import Collateral
from cvmproof.high_water import HighWater, Look, Mark
from cvmproof.live import Expectation
from cvmproof.policy.policy import Policy
from cvmproof.policy.tdx_rules import TdxRules
from cvmproof.tdx.backing import Backing, choose_backing
from cvmproof.tdx.dates import dates_of
from cvmproof.tdx.event_log import replay_note
from cvmproof.tdx.host import Host, host_of
from cvmproof.tdx.marks import marks_of, seen_under
from cvmproof.tdx.td import Td, td_of
from cvmproof.trust import TrustRoots
from cvmproof_formats.evidence import Evidence
from cvmproof_formats.tdx.quote import Quote, read_padded_quote


@dataclass(slots=True, kw_only=True)
class TdxCase:
    """What the answers look at; `policy` is the one that asks at the moment."""

    evidence: Evidence
    quote: Quote
    host: Host
    td: Td
    trust: TrustRoots
    freshness: Expectation
    now: datetime
    policy: Policy
    high_water: HighWater | None = None
    backing: Backing = field(init=False)
    report_data: bytes = field(init=False)
    rules: TdxRules = field(init=False)
    in_time: bool = field(init=False, default=False)
    """Whether every certificate, list and JSON holds now under this policy; if not, each question looks for itself."""

    def __post_init__(self) -> None:
        self.backing = self.host.backing
        self.report_data = self.quote.report_data

    def ask_under(self, policy: Policy) -> None:
        """Let this policy ask from now on; one without rules for TDX asks nothing that needs them."""
        self.policy = policy
        if policy.tdx is not None:
            self.rules = policy.tdx
            since, until = dates_of(self.backing, policy.tdx.collateral_grace).window
            # At the ends themselves each question is answered for itself.
            self.in_time = since < self.now < until

    @property
    def grounds(self) -> tuple[Host, Td]:
        """What is the same in every quote of this host, and of this TD."""
        return self.host, self.td

    @property
    def root_pinned_in(self) -> str | None:
        """Name the compiled-in trust set that has the root's key, if one does."""
        return self.backing.chain.root.pinned_in

    @property
    def marks(self) -> Mapping[str, tuple[str, Mark]]:
        """Name how new the collateral is whose signatures hold, each thing under the id of the check about it."""
        return marks_of(self.backing)

    @property
    def look(self) -> Look:
        """Say, when asked, how new the collateral is, if it is that of a root of this trust set."""
        return partial(seen_under, self.backing, self.trust.name)

    @property
    def notes(self) -> tuple[str, ...]:
        """Say what was noticed."""
        padding, log = self.quote.padding, self.evidence.event_log
        noticed = (f"{padding} zero bytes behind the quote cut off",) if padding else ()
        return noticed if log is None else (*noticed, replay_note(log, self.quote.body.rtmrs))

    @property
    def claims(self) -> TdxClaims:
        """Say what the quote says."""
        return TdxClaims(
            quote=self.quote,
            pck=self.backing.chain.identity,
            rating=self.host.rating,
            tcb_info=self.backing.info,
            qe_identity=self.backing.identity,
        )

    def ends(self, policies: Sequence[Policy]) -> list[datetime]:
        """Give the ends of certificates, revocation lists and Intel's JSON, these with the shortest grace given."""
        found = dates_of(self.backing, min([p.tdx.collateral_grace for p in policies if p.tdx], default=0))
        if found.since <= self.now <= found.until:
            return [found.certificates, found.until]
        # An older list beside the current one shortens nothing.
        current = [until for since, until in found.dated if since <= self.now <= until]
        return [found.certificates, *current]


def read_case(
    evidence: Evidence,
    *,
    policy: Policy,
    trust: TrustRoots,
    collateral: Collateral,
    freshness: Expectation,
    now: datetime,
    high_water: HighWater | None = None,
) -> TdxCase:
    """Read a quote, its chain, and choose the collateral to examine it by.

    Raises Malformed, with category UNSUPPORTED for quotes that are not read here.
    """
    quote = read_padded_quote(evidence.report)
    backing = choose_backing(quote.qe.pck_chain, collateral, now)
    return TdxCase(
        evidence=evidence,
        quote=quote,
        host=host_of(backing, quote, trust.name),
        td=td_of(quote),
        trust=trust,
        freshness=freshness,
        now=now,
        policy=policy,
        high_water=high_water,
    )
