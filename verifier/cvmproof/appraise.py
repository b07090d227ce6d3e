"""The appraisal: bytes and values in, a verdict with every reason out. No network, file, clock or environment.

Which questions must be answered follows from the kind of evidence, the policies and what is expected of REPORT_DATA,
before anything runs. All of them are asked. Accepted means that exactly those passed; a question whose answer is
missing, is not an answer, or raised, counts as our own error and is never accepted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from cvmproof.appraisal import MAKER, Appraisal, Assurance, Pin, Verdict
from cvmproof.check import Answer, Check, Outcome, Question
from cvmproof.claims import SnpClaims
from cvmproof.collateral.collateral import Collateral
from cvmproof.freshness import ExpectedNonce, ExpectedReportData, Freshness, NoFreshness
from cvmproof.policy.policy import Authority, Policy, Revocation
from cvmproof.policy.values import ANY
from cvmproof.snp import bit_answers, chain_answers, freshness_answers, report_answers
from cvmproof.snp.answering import ANSWERS
from cvmproof.snp.case import SnpCase, read_case
from cvmproof.snp.questions import FRESHNESS_QUESTIONS, SNP_QUESTIONS
from cvmproof.trust import TrustRoots
from cvmproof_formats.binding import Tee
from cvmproof_formats.errors import Category, Malformed, Misuse
from cvmproof_formats.evidence import Evidence

__all__ = ["appraise", "verify"]

# Imported for the answers they enter into ANSWERS.
ANSWERING_MODULES = (bit_answers, chain_answers, freshness_answers, report_answers)

_LEFT_OPEN = Answer(Outcome.UNCONSTRAINED, "any", "not asked")
_FRESHNESS_IDS = frozenset(question.id for question in FRESHNESS_QUESTIONS)
# What is asked about REPORT_DATA depends on what the caller expects of it.
_ASKED_FOR = {
    ExpectedNonce: _FRESHNESS_IDS,
    ExpectedReportData: frozenset({"freshness.report_data"}),
    NoFreshness: frozenset[str](),
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plan:
    """What one policy asks: the questions that must be answered, and the checks left open because it says so."""

    asked: tuple[Question, ...]
    left_open: tuple[Check, ...]


def appraise(
    evidence: Evidence,
    *,
    policies: Sequence[Policy],
    trust: TrustRoots,
    freshness: Freshness,
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
    plans = tuple(zip(policies, _plans(policies, freshness), strict=True))
    checks = _ask_all(case, plans)
    verdict = _verdict(checks, plans)
    return Appraisal(
        maker=MAKER,
        verdict=verdict,
        assurance=Assurance.EVIDENCE_ONLY,
        tee=evidence.tee,
        simulated=_is_simulated(case),
        identity_pinned=_pin(policies),
        identity_pin_source=_pin_source(policies),
        policy_authority=_authority(policies),
        appraised_at=at,
        expires_at=_expiry(case, policies) if verdict is Verdict.ACCEPTED else None,
        checks=checks,
        notes=_notes(evidence),
        claims=_claims(case),
    )


def verify(
    evidence: Evidence,
    *,
    policies: Sequence[Policy],
    trust: TrustRoots,
    freshness: Freshness,
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
def plan_for(policy: Policy, freshness_ids: frozenset[str], *, first: bool) -> Plan:
    """Say what a policy asks; what every policy would ask is asked by the first alone."""
    asked, left_open = [], []
    for question in SNP_QUESTIONS:
        if question.rule is None and not first:
            continue
        if _is_asked(question, policy, freshness_ids):
            asked.append(question)
        else:
            left_open.append(Check(question, _LEFT_OPEN, policy.name if question.rule else ""))
    return Plan(asked=tuple(asked), left_open=tuple(left_open))


def _is_asked(question: Question, policy: Policy, freshness_ids: frozenset[str]) -> bool:
    if question.id in _FRESHNESS_IDS:
        return question.id in freshness_ids
    return question.rule in {None, "revocation"} or policy.snp.constrains(question.rule or "")


def _plans(policies: Sequence[Policy], freshness: Freshness) -> list[Plan]:
    return [plan_for(policy, _ASKED_FOR[type(freshness)], first=index == 0) for index, policy in enumerate(policies)]


def _ask_all(case: SnpCase, plans: Sequence[tuple[Policy, Plan]]) -> tuple[Check, ...]:
    checks: list[Check] = []
    for policy, plan in plans:
        case.policy = policy
        checks += [
            Check(question, _ask(question, case), policy.name if question.rule else "") for question in plan.asked
        ]
        checks += plan.left_open
    return tuple(checks)


def _ask(question: Question, case: SnpCase) -> Answer:
    answering = ANSWERS.get(question.id)
    if answering is None:
        return Answer(Outcome.ERROR, "an answer", "nobody answers this question")
    try:
        answer = answering(case)
    except Exception as error:  # noqa: BLE001 - whatever went wrong, the answer is not yes, and the other checks go on
        return Answer(Outcome.ERROR, "an answer", f"{type(error).__name__}: {error}")
    if type(answer) is not Answer or type(answer.outcome) is not Outcome:
        return Answer(Outcome.ERROR, "an answer", type(answer).__name__)
    return answer


def _verdict(checks: tuple[Check, ...], plans: Sequence[tuple[Policy, Plan]]) -> Verdict:
    outcomes = {check.answer.outcome for check in checks}
    if Outcome.FAIL in outcomes or Outcome.ERROR in outcomes:
        return Verdict.REJECTED
    if Outcome.UNDECIDED in outcomes:
        return Verdict.UNDECIDED
    return Verdict.ACCEPTED if _all_passed(checks, plans) else Verdict.REJECTED


def _all_passed(checks: tuple[Check, ...], plans: Sequence[tuple[Policy, Plan]]) -> bool:
    """Compare what passed with what had to, both in order."""
    answered = [check for check in checks if check.answer.outcome is not Outcome.UNCONSTRAINED]
    passed = [check.question for check in answered if check.answer.outcome is Outcome.PASS]
    required: list[Question] = []
    for policy, plan in plans:
        tolerated = _tolerated_absences(checks, policy)
        required += [question for question in plan.asked if question.id not in tolerated]
    return len(passed) == len(answered) and passed == required


def _tolerated_absences(checks: tuple[Check, ...], policy: Policy) -> frozenset[str]:
    if policy.revocation is Revocation.REQUIRED:
        return frozenset()
    return frozenset(
        check.id
        for check in checks
        if check.asked_by == policy.name
        and check.question.rule == "revocation"
        and check.answer.outcome is Outcome.UNCONSTRAINED
    )


def _is_simulated(case: SnpCase) -> bool:
    """A result is simulated unless the root it rests on is a vendor's."""
    pins = TrustRoots.production().ark_pins
    return not any(case.chain.root_key_sha256 in keys for keys in pins.values())


def _expiry(case: SnpCase, policies: Sequence[Policy]) -> datetime:
    ends = [case.now + timedelta(seconds=policy.valid_for) for policy in policies]
    ends += [c.not_after for c in (case.chain.leaf, case.chain.intermediate, case.chain.root) if c]
    ends += [one.crl.next_update for one in case.crls if one.crl and one.crl.next_update and not one.problem]
    return min(ends)


def _pin(policies: Sequence[Policy]) -> Pin:
    if any(policy.snp.report_ids is not ANY for policy in policies):
        return Pin.INSTANCE
    return Pin.MACHINE if any(policy.snp.chip_ids is not ANY for policy in policies) else Pin.NONE


def _pin_source(policies: Sequence[Policy]) -> str | None:
    pinning = [p.authority for p in policies if p.snp.report_ids is not ANY or p.snp.chip_ids is not ANY]
    return _strongest(pinning) if pinning else None


def _authority(policies: Sequence[Policy]) -> str:
    """Whose word the software rests on: every policy had to accept, so the strongest that names software counts."""
    naming = [policy.authority for policy in policies if policy.snp.constrains_software]
    return _strongest(naming) if naming else min((p.authority for p in policies), key=tuple(Authority).index)


def _strongest(authorities: list[Authority]) -> Authority:
    return max(authorities, key=tuple(Authority).index)


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


def _require_arguments(policies: Sequence[Policy], trust: TrustRoots, freshness: Freshness, now: datetime) -> None:
    if not policies or not all(isinstance(policy, Policy) for policy in policies):
        raise Misuse(
            "policies: expected one or more, got none" if not policies else "policies: expected Policy objects"
        )
    if not isinstance(trust, TrustRoots) or not isinstance(freshness, Freshness):
        raise Misuse(f"expected TrustRoots and Freshness, got {type(trust).__name__} and {type(freshness).__name__}")
    if now.tzinfo is None:
        raise Misuse("now: expected a time with its zone, got one without")
