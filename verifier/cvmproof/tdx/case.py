"""One case of TDX evidence, everything read that the questions are about."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from types import MappingProxyType

from cvmproof.claims import TdxClaims
from cvmproof.collateral.collateral import Collateral
from cvmproof.high_water import QE_IDENTITY_NAME, HighWater, Mark, crl_name, tcb_info_name
from cvmproof.live import Expectation
from cvmproof.policy.policy import Policy
from cvmproof.policy.tdx_rules import TdxRules
from cvmproof.tdx.chain import PckChain, Signer, choose_signer, examine_pck_chain
from cvmproof.tdx.event_log import replay_note
from cvmproof.tdx.link import RevocationList, examine_crl
from cvmproof.tdx.signed_info import (
    SignedInfo,
    choose_qe_identity,
    choose_tcb_info,
    qe_identity_in,
    tcb_info_in,
)
from cvmproof.tdx.tcb import TdRating, rate
from cvmproof.trust import TrustRoots
from cvmproof_formats.evidence import Evidence
from cvmproof_formats.tdx.body import TdBody
from cvmproof_formats.tdx.pck import PckIdentity
from cvmproof_formats.tdx.qe_identity import QeIdentity
from cvmproof_formats.tdx.quote import Quote, read_padded_quote
from cvmproof_formats.tdx.tcb_info import TcbInfo
from cvmproof_formats.x509 import Certificate

Lists = tuple[RevocationList, ...]


@dataclass(slots=True, kw_only=True)
class TdxCase:
    """What the answers look at; `policy` is the one that asks at the moment."""

    evidence: Evidence
    quote: Quote
    chain: PckChain
    signer: Signer | None
    tcb_info: SignedInfo[TcbInfo] | None
    qe_identity: SignedInfo[QeIdentity] | None
    rating: TdRating | None
    root_crls: Lists
    pck_crls: Lists
    trust: TrustRoots
    freshness: Expectation
    now: datetime
    policy: Policy
    high_water: HighWater | None = None
    body: TdBody = field(init=False)
    report_data: bytes = field(init=False)
    rules: TdxRules = field(init=False)

    def __post_init__(self) -> None:
        self.body = self.quote.body
        self.report_data = self.body.report_data
        self.ask_under(self.policy)

    def ask_under(self, policy: Policy) -> None:
        """Let this policy ask from now on; one without rules for TDX asks nothing that needs them."""
        self.policy = policy
        if policy.tdx is not None:
            self.rules = policy.tdx

    @property
    def pck(self) -> PckIdentity | None:
        """What the PCK certificate says."""
        return self.chain.identity

    @property
    def root_pinned_in(self) -> str | None:
        """Name the compiled-in trust set that has the root's key, if one does."""
        return self.chain.root_pinned_in

    @property
    def marks(self) -> Mapping[str, tuple[str, Mark]]:
        """Name how new the collateral is whose signatures hold, each thing under the id of the check about it."""
        return _marks(self.chain, self.tcb_info, self.qe_identity, self.root_crls, self.pck_crls)

    @property
    def seen(self) -> tuple[tuple[str, Mark], ...]:
        """Say how new the collateral is, if it is that of a root of this trust set."""
        chain, signer = self.chain, self.signer
        trusted = chain.root_pinned_in == self.trust.name and not chain.root_signature_problem
        if not trusted:
            return ()
        signed = signer is not None and not signer.problem and not signer.signature_problem
        sound = not chain.authority_problem and not chain.authority_signature_problem
        needs = {"tdx.tcb_info.rollback": signed, "tdx.qe_identity.rollback": signed, "tdx.pck_crl.rollback": sound}
        return tuple(mark for check, mark in self.marks.items() if needs.get(check, True))

    @property
    def notes(self) -> tuple[str, ...]:
        """Say what was noticed."""
        padding, log = self.quote.padding, self.evidence.event_log
        noticed = (f"{padding} zero bytes behind the quote cut off",) if padding else ()
        return noticed if log is None else (*noticed, replay_note(log, self.body.rtmrs))

    @property
    def claims(self) -> TdxClaims:
        """Say what the quote says."""
        return TdxClaims(
            quote=self.quote,
            pck=self.pck,
            rating=self.rating,
            tcb_info=self.tcb_info.info if self.tcb_info else None,
            qe_identity=self.qe_identity.info if self.qe_identity else None,
        )

    def ends(self, policies: Sequence[Policy]) -> list[datetime]:
        """Give the ends of certificates, revocation lists and Intel's JSON, these with the shortest grace given."""
        ends = [certificate.not_after for certificate in self.chain.certificates]
        ends += [self.signer.certificate.not_after] if self.signer else []
        grace = timedelta(seconds=min((p.tdx.collateral_grace for p in policies if p.tdx), default=0))
        lists = [one.crl for one in (*self.root_crls, *self.pck_crls) if one.crl and not one.problem]
        infos = [one.info for one in (self.tcb_info, self.qe_identity) if one and one.info]
        dated = [(crl.this_update, crl.next_update) for crl in lists] + [(i.issue_date, i.next_update) for i in infos]
        # An older list beside the current one shortens nothing.
        ends += [until + grace for since, until in dated if until and since <= self.now <= until + grace]
        return ends


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
    chain = examine_pck_chain(quote.qe.pck_chain)
    signer = choose_signer(collateral.certificates, chain.root, now)
    spki = signer.certificate.spki if signer else None
    fmspc = chain.identity.fmspc if chain.identity else None
    tcb_info = choose_tcb_info(collateral.tcb_infos, spki, fmspc, now)
    qe_identity = choose_qe_identity(collateral.qe_identities, spki, now)
    return TdxCase(
        evidence=evidence,
        quote=quote,
        chain=chain,
        signer=signer,
        tcb_info=tcb_info,
        qe_identity=qe_identity,
        rating=_rating(quote, tcb_info, qe_identity),
        root_crls=_lists(collateral.intel_crls, chain.root),
        pck_crls=_lists(collateral.intel_crls, chain.authority),
        trust=trust,
        freshness=freshness,
        now=now,
        policy=policy,
        high_water=high_water,
    )


def _rating(
    quote: Quote, tcb_info: SignedInfo[TcbInfo] | None, qe_identity: SignedInfo[QeIdentity] | None
) -> TdRating | None:
    """Rate the TD by what is at hand, whether or not its signatures hold: that is for other questions."""
    if tcb_info is None or qe_identity is None:
        return None
    return _rate(
        tcb_info.signed.body,
        qe_identity.signed.body,
        quote.qe.pck_chain,
        launch=quote.body.tee_tcb_svn,
        current=quote.current_tee_tcb_svn,
        qe_svn=quote.qe.report.isv_svn,
    )


@lru_cache(maxsize=1024)
def _rate(
    tcb_info: bytes, qe_identity: bytes, pck_chain: bytes, *, launch: bytes, current: bytes | None, qe_svn: int
) -> TdRating | None:
    info, identity, pck = tcb_info_in(tcb_info), qe_identity_in(qe_identity), examine_pck_chain(pck_chain).identity
    if info is None or identity is None or pck is None:
        return None
    return rate(info, identity, pck, launch=launch, current=current, qe_svn=qe_svn)


@lru_cache(maxsize=256)
def _lists(crls: tuple[bytes, ...], authority: Certificate) -> Lists:
    """Examine the revocation lists of one authority; those of others are passed over, unreadable ones are not."""
    examined = (examine_crl(data, authority) for data in crls)
    return tuple(one for one in examined if one.crl is None or one.crl.issuer == authority.subject)


@lru_cache(maxsize=256)
def _marks(
    chain: PckChain,
    tcb_info: SignedInfo[TcbInfo] | None,
    qe_identity: SignedInfo[QeIdentity] | None,
    root_crls: Lists,
    pck_crls: Lists,
) -> Mapping[str, tuple[str, Mark]]:
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
        ("tdx.root_crl.rollback", root_crls, chain.root),
        ("tdx.pck_crl.rollback", pck_crls, chain.authority),
    ):
        dates = [one.crl.this_update for one in lists if one.crl and not one.problem]
        if dates:
            name = crl_name(hashlib.sha256(authority.spki).digest())
            found[check] = (name, Mark(number=0, issued=max(dates)))
    return MappingProxyType(found)
