"""The appraisal: bytes and values in, a verdict with every reason out. No network, file, clock or environment.

Which questions must be answered follows from the kind of evidence, the policies and what is expected of REPORT_DATA,
before anything runs. All of them are asked. Accepted means that exactly those passed; a question whose answer is
missing, is not an answer, or raised, counts as our own error and is never accepted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from cvmproof.appraisal import MAKER, Appraisal, Assurance, Pin, Plan, Verdict
from cvmproof.check import Answer, Check, Outcome, Question
from cvmproof.claims import SnpClaims
from cvmproof.collateral.collateral import Collateral
from cvmproof.freshness import ExpectedNonce, ExpectedReportData, NoFreshness
from cvmproof.live import Expectation, ExpectedChannel, ExpectedKey
from cvmproof.policy.policy import Authority, Policy, Revocation
from cvmproof.policy.values import ANY
from cvmproof.snp import bit_answers, chain_answers, freshness_answers, live_answers, report_answers
from cvmproof.snp.answering import ANSWERS
from cvmproof.snp.case import SnpCase, read_case
from cvmproof.snp.questions import FRESHNESS_QUESTIONS, LIVE_QUESTIONS, SNP_QUESTIONS
from cvmproof.trust import TrustRoots
from cvmproof_formats.binding import Tee
from cvmproof_formats.errors import Category, CvmproofError, Malformed, Misuse
from cvmproof_formats.evidence import Evidence

__all__ = ["appraise", "verify"]

# Imported for the answers they enter into ANSWERS.
ANSWERING_MODULES = (bit_answers, chain_answers, freshness_answers, live_answers, report_answers)

# A result is simulated unless the root it rests on is a vendor's.
_VENDOR_SET = TrustRoots.production().name
_ALL_PASSED = {Outcome.PASS}
_ORDER = tuple(Authority)  # weakest first
_LEFT_OPEN = Answer(Outcome.UNCONSTRAINED, "any", "not asked")
_FRESHNESS_IDS = frozenset(question.id for question in FRESHNESS_QUESTIONS)
_LIVE_IDS = frozenset(question.id for question in LIVE_QUESTIONS)
_ABOUT_IDS = _FRESHNESS_IDS | _LIVE_IDS
_NOTHING = frozenset[str]()


@dataclass(frozen=True, slots=True, eq=False)
class AboutReportData:
    """What is asked about REPORT_DATA, what of it is left open, and how high an acceptance is graded."""

    asked: frozenset[str]
    left_open: frozenset[str] = _NOTHING
    grade: Assurance = Assurance.EVIDENCE_ONLY


# Depends on what the caller expects of it, and on nothing that the evidence says.
_ABOUT_REPORT_DATA = {
    ExpectedNonce: AboutReportData(_FRESHNESS_IDS),
    ExpectedReportData: AboutReportData(frozenset({"freshness.report_data"}), frozenset({"binding.domain"})),
    NoFreshness: AboutReportData(_NOTHING, _FRESHNESS_IDS),
    ExpectedKey: AboutReportData(_LIVE_IDS, grade=Assurance.KEY_BOUND),
    ExpectedChannel: AboutReportData(_LIVE_IDS, grade=Assurance.CHANNEL_BOUND),
}


def appraise(
    evidence: Evidence,
    *,
    policies: Sequence[Policy],
    trust: TrustRoots,
    freshness: Expectation,
    now: datetime,
    collateral: Collateral | None = None,
) -> Appraisal:
    """Appraise evidence under every one of the policies at the time `now` (aware).

    Raises Misuse for no policy, a naive time or arguments of other types; Malformed for evidence that can't be read.
    """
    _require_arguments(policies, trust, freshness, now)
    if evidence.tee is not Tee.SEV_SNP:
        raise Malformed(f"evidence of {evidence.tee}: expected sev-snp", category=Category.UNSUPPORTED)
    at = now.astimezone(UTC)
    case = read_case(
        evidence,
        policy=policies[0],
        trust=trust,
        collateral=collateral if collateral is not None else Collateral(),
        freshness=freshness,
        now=at,
    )
    plans = _plans(policies, freshness)
    given = _ask_all(case, plans)
    verdict = _verdict(given, plans)
    accepted = verdict is Verdict.ACCEPTED
    standing = _standing(tuple(policies))
    return Appraisal(
        maker=MAKER,
        verdict=verdict,
        assurance=_ABOUT_REPORT_DATA[type(freshness)].grade if accepted else Assurance.EVIDENCE_ONLY,
        tee=evidence.tee,
        simulated=case.chain.root_pinned_in != _VENDOR_SET,
        identity_pinned=standing.identity_pinned,
        identity_pin_source=standing.identity_pin_source,
        policy_authority=standing.policy_authority,
        appraised_at=at,
        expires_at=_expiry(case, policies) if accepted else None,
        asked=tuple(plan for _, plan in plans),
        given=tuple(given),
        notes=_notes(evidence),
        claims=_claims(case),
    )


def verify(
    evidence: Evidence,
    *,
    policies: Sequence[Policy],
    trust: TrustRoots,
    freshness: Expectation,
    now: datetime,
    collateral: Collateral | None = None,
) -> Appraisal:
    """Appraise, and return only if the verdict is accepted.

    Raises Rejected or Undecided with the whole appraisal, and what `appraise` raises.
    """
    appraisal = appraise(evidence, policies=policies, trust=trust, freshness=freshness, now=now, collateral=collateral)
    appraisal.require_accepted(now)
    return appraisal


@lru_cache(maxsize=256)
def plan_for(policy: Policy, about: AboutReportData, *, first: bool) -> Plan:
    """Say what a policy asks; what every policy would ask is asked by the first alone."""
    asked, left_open = [], []
    for question in SNP_QUESTIONS:
        if (question.rule is None and not first) or _is_beside_the_point(question, about):
            continue
        asked_by = policy.name if question.rule else ""
        if _is_asked(question, policy, about):
            asked.append((question, asked_by))
        else:
            left_open.append(Check(question, _LEFT_OPEN, asked_by))
    return Plan(asked=tuple(asked), left_open=tuple(left_open))


def _is_beside_the_point(question: Question, about: AboutReportData) -> bool:
    """Tell a question about REPORT_DATA that another expectation than the caller's would ask or leave open."""
    return question.id in _ABOUT_IDS and question.id not in about.asked | about.left_open


def _is_asked(question: Question, policy: Policy, about: AboutReportData) -> bool:
    if question.id in _ABOUT_IDS:
        return question.id in about.asked
    return question.rule in {None, "revocation"} or policy.snp.constrains(question.rule or "")


def _plans(policies: Sequence[Policy], freshness: Expectation) -> tuple[tuple[Policy, Plan], ...]:
    about = _ABOUT_REPORT_DATA[type(freshness)]
    return tuple((policy, plan_for(policy, about, first=index == 0)) for index, policy in enumerate(policies))


def _ask_all(case: SnpCase, plans: Sequence[tuple[Policy, Plan]]) -> list[Answer]:
    """Ask every question of every plan; one answer for each, in order."""
    given: list[Answer] = []
    for policy, plan in plans:
        case.policy = policy
        given += [_ask(question, case) for question, _ in plan.asked]
    return given


def _ask(question: Question, case: SnpCase) -> Answer:
    try:
        answer = ANSWERS[question.id](case)
    except Exception as error:  # noqa: BLE001 - whatever went wrong, the answer is not yes, and the other checks go on
        return Answer(Outcome.ERROR, "an answer", f"{type(error).__name__}: {error}")
    if type(answer) is Answer and type(answer.outcome) is Outcome:
        return answer
    return Answer(Outcome.ERROR, "an answer", f"{type(answer).__name__}, which is none")


def _verdict(given: Sequence[Answer], plans: Sequence[tuple[Policy, Plan]]) -> Verdict:
    """Accept if there is an answer to every question and each is a pass, or an absence that its policy tolerates."""
    outcomes = {answer.outcome for answer in given}
    if Outcome.FAIL in outcomes or Outcome.ERROR in outcomes:
        return Verdict.REJECTED
    if Outcome.UNDECIDED in outcomes:
        return Verdict.UNDECIDED
    complete = len(given) == sum(len(plan.asked) for _, plan in plans)
    if complete and (outcomes == _ALL_PASSED or _all_settled(given, plans)):
        return Verdict.ACCEPTED
    raise CvmproofError(f"{len(given)} answers, outcomes {sorted(outcomes)}: not what was asked for")


def _all_settled(given: Sequence[Answer], plans: Sequence[tuple[Policy, Plan]]) -> bool:
    tolerated = [
        policy.revocation is Revocation.IF_AVAILABLE and question.rule == "revocation"
        for policy, plan in plans
        for question, _ in plan.asked
    ]
    return all(
        answer.outcome is Outcome.PASS or (absence and answer.outcome is Outcome.UNCONSTRAINED)
        for answer, absence in zip(given, tolerated, strict=True)
    )


def _expiry(case: SnpCase, policies: Sequence[Policy]) -> datetime:
    ends = [case.now + timedelta(seconds=policy.valid_for) for policy in policies]
    ends += [policy.expires_at for policy in policies if policy.expires_at]
    ends += [c.not_after for c in (case.chain.leaf, case.chain.intermediate, case.chain.root) if c]
    lists = [one.crl for one in case.crls if one.crl and not one.problem]
    # An older list beside the current one shortens nothing.
    ends += [crl.next_update for crl in lists if crl.next_update and crl.this_update <= case.now <= crl.next_update]
    return min(ends)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Standing:
    """What the policies make of a verdict, whatever the evidence: which identity they pin, and whose word they are."""

    identity_pinned: Pin
    identity_pin_source: Authority | None
    policy_authority: Authority


@lru_cache(maxsize=256)
def _standing(policies: tuple[Policy, ...]) -> Standing:
    pinning = [p for p in policies if p.snp.report_ids is not ANY or p.snp.chip_ids is not ANY]
    instance = any(p.snp.report_ids is not ANY for p in pinning)
    # Every policy had to accept, so of those that name software the strongest word counts.
    naming = [policy.authority for policy in policies if policy.snp.constrains_software]
    return Standing(
        identity_pinned=Pin.INSTANCE if instance else Pin.MACHINE if pinning else Pin.NONE,
        identity_pin_source=_strongest([p.authority for p in pinning]) if pinning else None,
        policy_authority=_strongest(naming) if naming else min((p.authority for p in policies), key=_ORDER.index),
    )


def _strongest(authorities: list[Authority]) -> Authority:
    return max(authorities, key=_ORDER.index)


def _notes(evidence: Evidence) -> tuple[str, ...]:
    ignored = evidence.ignored_crls
    return (
        (f"{ignored} revocation list(s) in the evidence ignored: they come from the one being judged",)
        if ignored
        else ()
    )


def _claims(case: SnpCase) -> SnpClaims:
    vek = case.chain.vek
    return SnpClaims(
        report=case.report,
        product=case.product,
        part=case.part,
        key=case.signing_key,
        csp_id=vek.csp_id if vek else None,
    )


def _require_arguments(policies: Sequence[Policy], trust: TrustRoots, freshness: Expectation, now: datetime) -> None:
    if not policies or not all(isinstance(policy, Policy) for policy in policies):
        raise Misuse(
            "policies: expected one or more, got none" if not policies else "policies: expected Policy objects"
        )
    if not isinstance(trust, TrustRoots) or not isinstance(freshness, Expectation):
        raise Misuse(f"expected TrustRoots and Freshness, got {type(trust).__name__} and {type(freshness).__name__}")
    if now.tzinfo is None:
        raise Misuse("now: expected a time with its zone, got one without")
