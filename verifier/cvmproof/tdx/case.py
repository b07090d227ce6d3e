"""One case of TDX evidence, everything read that the questions are about."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple

from cvmproof.claims import TdxClaims
from cvmproof.collateral.collateral import Collateral
from cvmproof.high_water import QE_IDENTITY_NAME, HighWater, Mark, crl_name, tcb_info_name
from cvmproof.live import Expectation
from cvmproof.policy.policy import Policy
from cvmproof.policy.tdx_rules import TdxRules
from cvmproof.tdx.backing import Backing, choose_backing
from cvmproof.tdx.chain import examine_pck_chain
from cvmproof.tdx.event_log import replay_note
from cvmproof.tdx.host import Host, host_of
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
            since, until = _window(self.backing, policy.tdx.collateral_grace)
            # At the ends themselves each question is answered for itself.
            self.in_time = since < self.now < until

    @property
    def grounds(self) -> tuple[Host, Td]:
        """What is the same in every quote of this host, and of this TD."""
        return self.host, self.td

    @property
    def root_pinned_in(self) -> str | None:
        """Name the compiled-in trust set that has the root's key, if one does."""
        return self.backing.chain.root_pinned_in

    @property
    def marks(self) -> Mapping[str, tuple[str, Mark]]:
        """Name how new the collateral is whose signatures hold, each thing under the id of the check about it."""
        return _marks(self.backing)

    @property
    def seen(self) -> tuple[tuple[str, Mark], ...]:
        """Say how new the collateral is, if it is that of a root of this trust set."""
        return _seen(self.backing, self.trust.name)

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
        found = _ends(self.backing, min([p.tdx.collateral_grace for p in policies if p.tdx], default=0))
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
    backing = choose_backing(examine_pck_chain(quote.qe.pck_chain), collateral, now)
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


@lru_cache(maxsize=64)
def seconds(count: int) -> timedelta:
    """Give so many seconds; the few policies there are have few of them."""
    return timedelta(seconds=count)


@lru_cache(maxsize=512)
def _window(backing: Backing, grace: int) -> tuple[datetime, datetime]:
    """Say between which times everything holds; between none where something is missing, or there are several lists."""
    lists = (*backing.root_crls, *backing.pck_crls)
    single = len(backing.root_crls) == len(backing.pck_crls) == 1
    sound = single and all(one.crl and one.crl.next_update and not one.problem for one in lists)
    if not sound or backing.signer is None or backing.info is None or backing.identity is None:
        return _NO_WINDOW
    ends = _ends(backing, grace)
    begin = max(one.not_before for one in (*backing.chain.certificates, backing.signer.certificate))
    return max(begin, ends.since), min(ends.certificates, ends.until)


_NO_WINDOW = datetime.max.replace(tzinfo=UTC), datetime.min.replace(tzinfo=UTC)


class _Ends(NamedTuple):
    """The first end of a certificate; from when till when each list and JSON is to be used, and all of them are."""

    certificates: datetime
    dated: tuple[tuple[datetime, datetime], ...]
    since: datetime
    until: datetime


@lru_cache(maxsize=512)
def _ends(backing: Backing, grace: int) -> _Ends:
    """Give the dates of certificates, authentic lists and Intel's JSON, these with so many seconds of grace."""
    certificates = [*backing.chain.certificates, *([backing.signer.certificate] if backing.signer else [])]
    lists = [one.crl for one in (*backing.root_crls, *backing.pck_crls) if one.crl and not one.problem]
    infos = [one for one in (backing.info, backing.identity) if one]
    dated = [(crl.this_update, crl.next_update + seconds(grace)) for crl in lists if crl.next_update]
    dated += [(info.issue_date, info.next_update + seconds(grace)) for info in infos]
    end = min(certificate.not_after for certificate in certificates)
    return _Ends(
        certificates=end,
        dated=tuple(dated),
        since=max([since for since, _ in dated], default=end),
        until=min([until for _, until in dated], default=end),
    )


@lru_cache(maxsize=512)
def _seen(backing: Backing, trust: str) -> tuple[tuple[str, Mark], ...]:
    chain, signer = backing.chain, backing.signer
    if chain.root_pinned_in != trust or chain.root_signature_problem:
        return ()
    signed = signer is not None and not signer.problem and not signer.signature_problem
    sound = not chain.authority_problem and not chain.authority_signature_problem
    needs = {"tdx.tcb_info.rollback": signed, "tdx.qe_identity.rollback": signed, "tdx.pck_crl.rollback": sound}
    return tuple(mark for check, mark in _marks(backing).items() if needs.get(check, True))


@lru_cache(maxsize=512)
def _marks(backing: Backing) -> Mapping[str, tuple[str, Mark]]:
    chain, tcb_info, qe_identity = backing.chain, backing.tcb_info, backing.qe_identity
    found: dict[str, tuple[str, Mark]] = {}
    if tcb_info and tcb_info.info and not tcb_info.signature_problem:
        info = tcb_info.info
        mark = Mark(number=info.evaluation_number, issued=info.issue_date)
        found["tdx.tcb_info.rollback"] = (tcb_info_name(info.fmspc), mark)
    if qe_identity and qe_identity.info and not qe_identity.signature_problem:
        identity = qe_identity.info
        mark = Mark(number=identity.evaluation_number, issued=identity.issue_date)
        found["tdx.qe_identity.rollback"] = (QE_IDENTITY_NAME, mark)
    for check, lists, authority in (
        ("tdx.root_crl.rollback", backing.root_crls, chain.root),
        ("tdx.pck_crl.rollback", backing.pck_crls, chain.authority),
    ):
        dates = [one.crl.this_update for one in lists if one.crl and not one.problem]
        if dates:
            name = crl_name(hashlib.sha256(authority.spki).digest())
            found[check] = (name, Mark(number=0, issued=max(dates)))
    return MappingProxyType(found)
