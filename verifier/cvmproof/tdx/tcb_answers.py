"""Answers about what Intel signs on platforms and enclaves, and about what state the TCB is in by it."""

from datetime import timedelta
from functools import partial

from cvmproof.check import Absent, Answer, Unfit, failed, passed, require, undecided
from cvmproof.policy.values import ANY
from cvmproof.tdx.answering import answers, answers_host
from cvmproof.tdx.case import TdxCase
from cvmproof.tdx.chain_answers import CURRENT
from cvmproof.tdx.host import HostAsked
from cvmproof.tdx.questions import ROLLBACK_QUESTIONS
from cvmproof.tdx.quote_answers import NO_QE_IDENTITY, NO_TCB_INFO
from cvmproof.tdx.signed_info import SignedInfo
from cvmproof.tdx.tcb import TdRating
from cvmproof_formats.tdx.qe_identity import QeIdentity
from cvmproof_formats.tdx.tcb_info import TcbInfo
from cvmproof_formats.tdx.tcb_status import TcbStatus
from cvmproof_formats.tdx.tee_tcb_svn import TeeTcbSvn

_SIGNED = "Intel's signature over these bytes"
_NO_TCB_INFO, _NO_QE_IDENTITY = Absent("TCB info"), Absent("QE identity")
_NO_RATING = Absent("TCB info, QE identity and PCK certificate that can be read")
_NO_MODULE_VERSION = "TDX_00"  # what a policy calls modules of TDX 1.0


@answers_host("tdx.tcb_info.signature")
def tcb_info_signature(host: HostAsked) -> Answer:
    """The TCB signing key must have signed the TCB info as received."""
    return _is_signed(host, host.backing.tcb_info, _NO_TCB_INFO)


@answers_host("tdx.tcb_info.form")
def tcb_info_form(host: HostAsked) -> Answer:
    """The TCB info must be of the form that is read here."""
    return _is_readable(host.backing.tcb_info, _NO_TCB_INFO)


@answers("tdx.tcb_info.current")
def tcb_info_current(case: TdxCase) -> Answer:
    """The TCB info must cover the time of the appraisal. One that does not leaves it undecided."""
    return passed(case.now, CURRENT) if case.in_time else _is_current(case, case.backing.info, NO_TCB_INFO)


@answers_host("tdx.tcb_info.fmspc")
def tcb_info_fmspc(host: HostAsked) -> Answer:
    """The TCB info must be about this kind of platform."""
    info, pck = host.info, host.pck
    if info is None or pck is None:
        return undecided(pck.fmspc if pck else "the platform's FMSPC", NO_TCB_INFO)
    return require(info.fmspc == pck.fmspc, pck.fmspc, info.fmspc)


@answers_host("tdx.tcb_info.pceid")
def tcb_info_pceid(host: HostAsked) -> Answer:
    """The TCB info must be about this provisioning enclave."""
    info, pck = host.info, host.pck
    if info is None or pck is None:
        return undecided(pck.pceid if pck else "the platform's PCEID", NO_TCB_INFO)
    return require(info.pce_id == pck.pceid, pck.pceid, info.pce_id)


@answers_host("tdx.qe_identity.signature")
def qe_identity_signature(host: HostAsked) -> Answer:
    """The TCB signing key must have signed the QE identity as received."""
    return _is_signed(host, host.backing.qe_identity, _NO_QE_IDENTITY)


@answers_host("tdx.qe_identity.form")
def qe_identity_form(host: HostAsked) -> Answer:
    """The QE identity must be of the form that is read here."""
    return _is_readable(host.backing.qe_identity, _NO_QE_IDENTITY)


@answers("tdx.qe_identity.current")
def qe_identity_current(case: TdxCase) -> Answer:
    """The QE identity must cover the time of the appraisal. One that does not leaves it undecided."""
    return passed(case.now, CURRENT) if case.in_time else _is_current(case, case.backing.identity, NO_QE_IDENTITY)


@answers_host("tdx.tcb.level")
def tcb_level(host: HostAsked) -> Answer:
    """Platform, TDX module and quoting enclave must each reach a level that Intel publishes, at launch and now."""
    expected, rating = "a level that fits", host.rating
    if rating is None:
        return undecided(expected, _NO_RATING)
    for when, rated in (("at launch", rating.launch), ("now", rating.current)):
        if rated is not None and rated.status is TcbStatus.NOT_SUPPORTED:
            return failed(expected, ("none for the", rated.missing, when))
    return passed(expected, expected)


@answers_host("tdx.tcb.revoked")
def tcb_revoked(host: HostAsked) -> Answer:
    """No part may be at a level that Intel has revoked; no policy takes one."""
    expected = "not Revoked"
    if host.rating is None:
        return undecided(expected, _NO_RATING)
    return require(host.rating.status is not TcbStatus.REVOKED, expected, host.rating.status)


@answers_host("tdx.tcb.status")
def tcb_status(host: HostAsked) -> Answer:
    """The converged status must be one that the policy takes; none at all and Revoked are for other checks."""
    taken, rating = host.rules.tcb_statuses, host.rating
    if rating is None:
        return undecided(taken, _NO_RATING)
    return require(rating.status in taken or rating.status in _ASKED_ELSEWHERE, taken, rating.status)


_ASKED_ELSEWHERE = frozenset({TcbStatus.NOT_SUPPORTED, TcbStatus.REVOKED})


@answers_host("tdx.tcb.advisories")
def tcb_advisories(host: HostAsked) -> Answer:
    """No advisory that the policy names may apply, at launch or now."""
    denied, rating = host.rules.denied_advisories, host.rating
    if rating is None:
        return undecided("none that denied_advisories names", _NO_RATING)
    found = denied & _advisories(rating)
    return require(not found, "none that denied_advisories names", frozenset(found) or "none")


@answers_host("tdx.tcb.evaluation_number")
def tcb_evaluation_number(host: HostAsked) -> Answer:
    """Both TCB info and QE identity must be of a TCB evaluation number that is high enough."""
    minimum, numbers = host.rules.minimum_evaluation_number, _evaluation_numbers(host)
    if numbers is None:
        return undecided(("at least", minimum), _NO_RATING)
    return require(minimum is not ANY and min(numbers) >= minimum, ("at least", minimum), min(numbers))


@answers_host("tdx.tcb.evaluation_numbers")
def tcb_evaluation_numbers(host: HostAsked) -> Answer:
    """TCB info and QE identity must be of one number."""
    numbers = _evaluation_numbers(host)
    if numbers is None:
        return undecided("one evaluation number", _NO_RATING)
    got = ("TCB info", numbers[0], "and QE identity", numbers[1])
    return require(numbers[0] == numbers[1], "one evaluation number", got)


@answers_host("tdx.tcb.date")
def tcb_date(host: HostAsked) -> Answer:
    """The oldest level that was reached at launch must be of this day or later; where there is none, others say so."""
    minimum, rating = host.rules.minimum_tcb_date, host.rating
    if rating is None:
        return undecided(("at least", minimum), _NO_RATING)
    reached = rating.launch.tcb_date
    if reached is None:
        return passed(("at least", minimum), "no level")
    return require(minimum is not ANY and reached.date() >= minimum, ("at least", minimum), reached.date())


@answers_host("tdx.qe.svn")
def qe_svn(host: HostAsked) -> Answer:
    """The quoting enclave's version must reach the minimum."""
    minimum, found = host.rules.minimum_qe_svn, host.enclave.isv_svn
    return require(minimum is not ANY and found >= minimum, ("at least", minimum), found)


@answers_host("tdx.module.svn")
def module_svn(host: HostAsked) -> Answer:
    """The TDX module that launched the TD must be of a version that the policy names, and reach its minimum."""
    minimums, (name, svn) = host.rules.minimum_module_svns, _module_of(host.module.launched_by.tee_tcb_svn)
    if minimums is ANY or name not in minimums:
        return failed(("a TDX module of", ", ".join(minimums) if minimums is not ANY else "none"), name)
    minimum = minimums[name]
    if minimum is ANY:
        return passed((name, "at any SVN"), svn)
    return require(svn >= minimum, (name, "at least", minimum), svn)


def _module_of(tee_tcb_svn: bytes) -> tuple[str, int]:
    """Give the id of a TDX module's version, as a policy names it, and its SVN."""
    svn = TeeTcbSvn.read(tee_tcb_svn)
    return svn.module_id or _NO_MODULE_VERSION, svn.module_svn


def not_rolled_back(check: str, case: TdxCase) -> Answer:
    """What is used may not be older than what was verified before; what is not there is for other checks."""
    found, marks = case.marks.get(check), case.high_water
    if marks is None or found is None:
        return passed("as new as any before", "none to compare")
    name, mark = found
    return require(not marks.is_older(name, mark), ("as new as", str(marks.marks.get(name, mark))), str(mark))


for _question in ROLLBACK_QUESTIONS:
    answers(_question.id)(partial(not_rolled_back, _question.id))


def _is_signed(host: HostAsked, one: SignedInfo[TcbInfo] | SignedInfo[QeIdentity] | None, absent: Absent) -> Answer:
    if one is None:
        return undecided(_SIGNED, absent)
    if host.backing.signer is None:
        return undecided(_SIGNED, Absent("certificate of Intel's TCB signing key"))
    return failed(_SIGNED, one.signature_problem) if one.signature_problem else passed(_SIGNED, _SIGNED)


def _is_readable(one: SignedInfo[TcbInfo] | SignedInfo[QeIdentity] | None, absent: Absent) -> Answer:
    expected = "a form that is read here"
    if one is None:
        return undecided(expected, absent)
    return failed(expected, one.read) if isinstance(one.read, Unfit) else passed(expected, expected)


def _is_current(case: TdxCase, info: TcbInfo | QeIdentity | None, absent: Absent) -> Answer:
    if info is None:
        return undecided(case.now, absent)
    if info.issue_date <= case.now <= info.next_update + timedelta(seconds=case.rules.collateral_grace):
        return passed(case.now, CURRENT)
    return undecided(case.now, f"issued {info.issue_date:%Y-%m-%d}, for use until {info.next_update:%Y-%m-%d}")


def _evaluation_numbers(host: HostAsked) -> tuple[int, int] | None:
    info, identity = host.info, host.identity
    return (info.evaluation_number, identity.evaluation_number) if info and identity else None


def _advisories(rating: TdRating) -> frozenset[str]:
    current = rating.current.advisories if rating.current else ()
    return frozenset((*rating.launch.advisories, *current))
