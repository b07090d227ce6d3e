"""Answers about the platform's key, the key that signs Intel's JSON, their chains, and revocation."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from cvmproof.check import Absent, Answer, Outcome, failed, passed, require, undecided
from cvmproof.policy.policy import Policy, Revocation
from cvmproof.tdx.answering import answers, answers_host
from cvmproof.tdx.backing import Backing
from cvmproof.tdx.case import TdxCase
from cvmproof.tdx.host import HostAsked
from cvmproof.tdx.link import Lists
from cvmproof_formats.x509 import Certificate, CertificateList

_PROFILE = "Intel's certificate profile"
_NO_SIGNER = Absent("certificate of Intel's TCB signing key")
_NOT_REVOKED = "not revoked"
_VALID = "all valid"
CURRENT = "current"
Authentic = tuple[CertificateList, ...]
_ROOT, _PCK_CA = "the root", "the PCK CA"
_LIST_OF = {whose: f"a revocation list that {whose} signed" for whose in (_ROOT, _PCK_CA)}


@answers_host("tdx.pck.profile")
def pck_profile(host: HostAsked) -> Answer:
    """The leaf must be a PCK certificate in Intel's profile."""
    return _holds(host.chain.leaf_problem, _PROFILE)


@answers_host("tdx.pck.signature")
def pck_signature(host: HostAsked) -> Answer:
    """The CA must have signed the leaf."""
    return _holds(host.chain.leaf_signature_problem, "the CA's signature")


@answers_host("tdx.chain.intermediate")
def chain_intermediate(host: HostAsked) -> Answer:
    """The certificate above the leaf must be that of a PCK CA, of platforms or of processors."""
    return _holds(host.chain.authority_problem, _PROFILE)


@answers_host("tdx.chain.intermediate_signature")
def chain_intermediate_signature(host: HostAsked) -> Answer:
    """The root must have signed the CA."""
    return _holds(host.chain.authority_signature_problem, "the root's signature")


@answers_host("tdx.chain.root")
def chain_root(host: HostAsked) -> Answer:
    """The root must be in Intel's profile, and its key pinned in a compiled-in set."""
    chain, expected = host.chain, "a root key that is pinned"
    if chain.root.problem:
        return failed(expected, chain.root.problem)
    return require(chain.root.pinned_in is not None, expected, ("SHA-256 of its key", chain.root.key_sha256))


@answers_host("tdx.chain.root_signature")
def chain_root_signature(host: HostAsked) -> Answer:
    """The root certificate must carry its own key's signature: without it, its dates and flags could be anybody's."""
    return _holds(host.chain.root.signature_problem, "the root's own signature")


@answers_host("tdx.chain.trust_set")
def chain_trust_set(host: HostAsked) -> Answer:
    """The root may not be of another trust set than the one the caller named."""
    expected, found = ("not a root of another set than", host.trust), host.chain.root.pinned_in
    return require(found is None or found == host.trust, expected, found or "of none")


@answers("tdx.chain.validity")
def chain_validity(case: TdxCase) -> Answer:
    """All three certificates must be valid at the time of the appraisal."""
    return passed(case.now, _VALID) if case.in_time else _all_valid(case.backing.chain.certificates, case.now)


@answers_host("tdx.signer.profile")
def signer_profile(host: HostAsked) -> Answer:
    """The certificate must be that of the TCB signing key, in Intel's profile."""
    signer = host.backing.signer
    return undecided(_PROFILE, _NO_SIGNER) if signer is None else _holds(signer.problem, _PROFILE)


@answers_host("tdx.signer.signature")
def signer_signature(host: HostAsked) -> Answer:
    """The root of the quote's own chain must have signed it."""
    expected, signer = "the root's signature", host.backing.signer
    return undecided(expected, _NO_SIGNER) if signer is None else _holds(signer.signature_problem, expected)


@answers("tdx.signer.validity")
def signer_validity(case: TdxCase) -> Answer:
    """The signing key's certificate must be valid at the time of the appraisal."""
    if case.in_time:
        return passed(case.now, _VALID)
    signer = case.backing.signer
    return undecided(case.now, _NO_SIGNER) if signer is None else _all_valid((signer.certificate,), case.now)


@answers_host("tdx.root_crl.signature")
def root_crl_signature(host: HostAsked) -> Answer:
    """There must be a revocation list that the root signed."""
    return _is_authentic(host, host.backing.root_crls, _ROOT)


@answers("tdx.root_crl.current")
def root_crl_current(case: TdxCase) -> Answer:
    """A list of the root must cover the time of the appraisal. One that does not leaves it undecided."""
    return passed(case.now, CURRENT) if case.in_time else _is_current(case, case.backing.root_crls, _ROOT)


@answers_host("tdx.pck_crl.signature")
def pck_crl_signature(host: HostAsked) -> Answer:
    """There must be a revocation list that the platform key's CA signed."""
    return _is_authentic(host, host.backing.pck_crls, _PCK_CA)


@answers("tdx.pck_crl.current")
def pck_crl_current(case: TdxCase) -> Answer:
    """A list of the CA must cover the time of the appraisal. One that does not leaves it undecided."""
    return passed(case.now, CURRENT) if case.in_time else _is_current(case, case.backing.pck_crls, _PCK_CA)


@answers_host("tdx.crl.revoked")
def crl_revoked(host: HostAsked) -> Answer:
    """No authentic list, however old, may name the leaf, the CA, the TCB signing key or the root itself."""
    backing = host.backing
    by_root, by_authority = _readable(backing.root_crls), _readable(backing.pck_crls)
    revoked = _revoked(backing, by_root, by_authority)
    if revoked is not None:
        return failed(_NOT_REVOKED, f"serial number {revoked:#x} revoked")
    if not backing.root_crls or not backing.pck_crls:
        return _no_list(host.policy, _NOT_REVOKED, _PCK_CA if backing.root_crls else _ROOT)
    complete = by_root and by_authority
    return passed(_NOT_REVOKED, _NOT_REVOKED) if complete else undecided(_NOT_REVOKED, Absent("an authentic list"))


def _revoked(backing: Backing, by_root: Authentic, by_authority: Authentic) -> int | None:
    """Give the serial number of a certificate that is revoked."""
    chain, signer = backing.chain, backing.signer
    for crl in by_authority:
        if chain.leaf.serial in crl.serials:
            return chain.leaf.serial
    under_root = [chain.authority.serial, chain.root.certificate.serial]
    if signer:
        under_root.append(signer.certificate.serial)
    for crl in by_root:
        for serial in under_root:
            if serial in crl.serials:
                return serial
    return None


def _holds(problem: str, expected: str) -> Answer:
    return failed(expected, problem) if problem else passed(expected, expected)


def _all_valid(certificates: Iterable[Certificate], now: datetime) -> Answer:
    for certificate in certificates:
        if not certificate.not_before <= now <= certificate.not_after:
            got = f"valid from {certificate.not_before:%Y-%m-%d} to {certificate.not_after:%Y-%m-%d}"
            return failed(now, got)
    return passed(now, _VALID)


def _is_authentic(host: HostAsked, lists: Lists, whose: str) -> Answer:
    expected = _LIST_OF[whose]
    if not lists:
        return _no_list(host.policy, expected, whose)
    problems = [examined.problem for examined in lists]
    return passed(expected, expected) if "" in problems else failed(expected, problems[0])


def _is_current(case: TdxCase, lists: Lists, whose: str) -> Answer:
    if not lists:
        return _no_list(case.policy, case.now, whose)
    readable = _readable(lists)
    if not readable:
        return undecided(case.now, Absent(_LIST_OF[whose]))
    now, grace = case.now, timedelta(seconds=case.rules.collateral_grace)
    # RFC 5280 section 5.1.2.5: the next list is there by then, so at that moment this one is the last one no more.
    for crl in readable:
        if crl.next_update and crl.this_update <= now < crl.next_update + grace:
            return passed(now, CURRENT)
    last = max(readable, key=lambda crl: crl.this_update)
    return undecided(
        case.now, f"a list from {last.this_update:%Y-%m-%d} to {last.next_update or last.this_update:%Y-%m-%d}"
    )


def _readable(lists: Lists) -> Authentic:
    """Give the lists that the authority signed; where there are none, those that claim it: another check says no."""
    authentic: list[CertificateList] = []
    claimed: list[CertificateList] = []
    for one in lists:
        if one.crl:
            (claimed if one.problem else authentic).append(one.crl)
    return tuple(authentic or claimed)


def _no_list(policy: Policy, expected: object, whose: str) -> Answer:
    absent = Absent(f"revocation list of {whose}")
    if policy.revocation is Revocation.IF_AVAILABLE:
        return Outcome.UNCONSTRAINED, expected, absent
    return undecided(expected, absent)
