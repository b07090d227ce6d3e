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
from cvmproof.tdx.chain import PckChain, Signer, choose_signer, examine_pck_chain, signers_of
from cvmproof.tdx.event_log import replay_note
from cvmproof.tdx.link import RevocationList, examine_crl
from cvmproof.tdx.signed_info import (
    SignedInfo,
    choose_qe_identity,
    choose_tcb_info,
    examine_qe_identities,
    examine_tcb_infos,
)
from cvmproof.tdx.tcb import TdRating, rate
from cvmproof.trust import TrustRoots
from cvmproof_formats.evidence import Evidence
from cvmproof_formats.tdx.body import TdBody
from cvmproof_formats.tdx.pck import PckIdentity
from cvmproof_formats.tdx.qe_identity import QeIdentity
from cvmproof_formats.tdx.quote import Quote, read_padded_quote
from cvmproof_formats.tdx.signed_json import Signed
from cvmproof_formats.tdx.tcb_info import TcbInfo
from cvmproof_formats.x509 import Certificate

Lists = tuple[RevocationList, ...]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Backing:
    """What a quote is judged by: its chain, and the collateral chosen for it; the same object for the same bytes.

    It says nothing of the quote's own signatures, and nothing in it depends on the time.
    """

    chain: PckChain
    signer: Signer | None
    tcb_info: SignedInfo[TcbInfo] | None
    qe_identity: SignedInfo[QeIdentity] | None
    root_crls: Lists
    pck_crls: Lists


@dataclass(slots=True, kw_only=True)
class TdxCase:
    """What the answers look at; `policy` is the one that asks at the moment."""

    evidence: Evidence
    quote: Quote
    backing: Backing
    rating: TdRating | None
    trust: TrustRoots
    freshness: Expectation
    now: datetime
    policy: Policy
    high_water: HighWater | None = None
    chain: PckChain = field(init=False)
    pck: PckIdentity | None = field(init=False)
    """What the PCK certificate says."""
    signer: Signer | None = field(init=False)
    tcb_info: SignedInfo[TcbInfo] | None = field(init=False)
    qe_identity: SignedInfo[QeIdentity] | None = field(init=False)
    root_crls: Lists = field(init=False)
    pck_crls: Lists = field(init=False)
    body: TdBody = field(init=False)
    report_data: bytes = field(init=False)
    rules: TdxRules = field(init=False)

    def __post_init__(self) -> None:
        backing = self.backing
        self.chain, self.pck, self.signer = backing.chain, backing.chain.identity, backing.signer
        self.tcb_info, self.qe_identity = backing.tcb_info, backing.qe_identity
        self.root_crls, self.pck_crls = backing.root_crls, backing.pck_crls
        self.body = self.quote.body
        self.report_data = self.body.report_data
        self.ask_under(self.policy)

    def ask_under(self, policy: Policy) -> None:
        """Let this policy ask from now on; one without rules for TDX asks nothing that needs them."""
        self.policy = policy
        if policy.tdx is not None:
            self.rules = policy.tdx

    @property
    def root_pinned_in(self) -> str | None:
        """Name the compiled-in trust set that has the root's key, if one does."""
        return self.chain.root_pinned_in

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
        certificates, dated = _dates(self.backing)
        now, grace = self.now, seconds(min([p.tdx.collateral_grace for p in policies if p.tdx], default=0))
        # An older list beside the current one shortens nothing.
        return [certificates, *(until + grace for since, until in dated if since <= now <= until + grace)]


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
    body, qe_svn = quote.body, quote.qe.report.isv_svn
    return TdxCase(
        evidence=evidence,
        quote=quote,
        backing=backing,
        # By what is at hand, whether or not its signatures hold: that is for other questions.
        rating=_rating(backing, launch=body.tee_tcb_svn, current=quote.current_tee_tcb_svn, qe_svn=qe_svn),
        trust=trust,
        freshness=freshness,
        now=now,
        policy=policy,
        high_water=high_water,
    )


def choose_backing(chain: PckChain, collateral: Collateral, now: datetime) -> Backing:
    """Choose the collateral to judge a quote by; the time only decides between several that could serve."""
    supplied = collateral.certificates, collateral.intel_crls, collateral.tcb_infos, collateral.qe_identities
    only = _only_choice(chain, *supplied)
    if only is not None:
        return only
    signed = (*collateral.tcb_infos, *collateral.qe_identities)
    signer = choose_signer(collateral.certificates, chain.root, now, signed)
    spki = signer.certificate.spki if signer else None
    fmspc = chain.identity.fmspc if chain.identity else None
    return _backing(
        chain,
        signer,
        choose_tcb_info(collateral.tcb_infos, spki, fmspc, now),
        choose_qe_identity(collateral.qe_identities, spki, now),
        collateral.intel_crls,
    )


@lru_cache(maxsize=512)
def _only_choice(
    chain: PckChain,
    certificates: tuple[bytes, ...],
    crls: tuple[bytes, ...],
    tcb_infos: tuple[Signed, ...],
    qe_identities: tuple[Signed, ...],
) -> Backing | None:
    """Give what there is where there is at most one of each kind, so that no time could choose another."""
    signers = signers_of(certificates, chain.root)
    if max(map(len, (signers, tcb_infos, qe_identities))) > 1:
        return None
    signer = signers[0] if signers else None
    spki = signer.certificate.spki if signer else None
    infos, identities = examine_tcb_infos(tcb_infos, spki), examine_qe_identities(qe_identities, spki)
    return _backing(chain, signer, infos[0] if infos else None, identities[0] if identities else None, crls)


@lru_cache(maxsize=512)
def _backing(
    chain: PckChain,
    signer: Signer | None,
    tcb_info: SignedInfo[TcbInfo] | None,
    qe_identity: SignedInfo[QeIdentity] | None,
    crls: tuple[bytes, ...],
) -> Backing:
    return Backing(
        chain=chain,
        signer=signer,
        tcb_info=tcb_info,
        qe_identity=qe_identity,
        root_crls=_lists(crls, chain.root),
        pck_crls=_lists(crls, chain.authority),
    )


@lru_cache(maxsize=64)
def seconds(count: int) -> timedelta:
    """Give so many seconds; the few policies there are have few of them."""
    return timedelta(seconds=count)


@lru_cache(maxsize=1024)
def _rating(backing: Backing, *, launch: bytes, current: bytes | None, qe_svn: int) -> TdRating | None:
    info = backing.tcb_info.info if backing.tcb_info else None
    identity = backing.qe_identity.info if backing.qe_identity else None
    pck = backing.chain.identity
    if info is None or identity is None or pck is None:
        return None
    return rate(info, identity, pck, launch=launch, current=current, qe_svn=qe_svn)


@lru_cache(maxsize=512)
def _dates(backing: Backing) -> tuple[datetime, tuple[tuple[datetime, datetime], ...]]:
    """Give the first end of a certificate, and of authentic lists and Intel's JSON from when till when they are."""
    certificates = [*backing.chain.certificates, *([backing.signer.certificate] if backing.signer else [])]
    lists = [one.crl for one in (*backing.root_crls, *backing.pck_crls) if one.crl and not one.problem]
    infos = [one.info for one in (backing.tcb_info, backing.qe_identity) if one and one.info]
    dated = [(crl.this_update, crl.next_update) for crl in lists if crl.next_update]
    dated += [(info.issue_date, info.next_update) for info in infos]
    return min(certificate.not_after for certificate in certificates), tuple(dated)


@lru_cache(maxsize=256)
def _lists(crls: tuple[bytes, ...], authority: Certificate) -> Lists:
    """Examine the revocation lists of one authority; those of others are passed over, unreadable ones are not."""
    examined = (examine_crl(data, authority) for data in crls)
    return tuple(one for one in examined if one.crl is None or one.crl.issuer == authority.subject)


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
