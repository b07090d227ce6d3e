"""The appraisal: bytes and values in, a verdict with every reason out. No network, file, clock or environment.

Which questions must be answered follows from the kind of evidence, the policies and what is expected of REPORT_DATA,
before anything runs. All of them are asked. Accepted means that exactly those passed; a question whose answer is
missing, is not an answer, or raised, counts as our own error and is never accepted.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from cvmproof.appraisal import Appraisal, Assurance, Pin, Places, Plan, Verdict, make_appraisal
from cvmproof.check import Answer, Check, Outcome, Question
from cvmproof.collateral.collateral import Collateral
from cvmproof.freshness import ExpectedNonce, ExpectedReportData, NoFreshness
from cvmproof.high_water import HighWater
from cvmproof.live import Expectation, ExpectedChannel, ExpectedKey
from cvmproof.policy.policy import Authority, Policy, Revocation
from cvmproof.report_data.questions import FRESHNESS_QUESTIONS, LIVE_QUESTIONS
from cvmproof.technology import AnyTechnology, Case, technology_of
from cvmproof.trust import TrustRoots
from cvmproof_formats.errors import Category, CvmproofError, Misuse
from cvmproof_formats.evidence import Evidence

__all__ = ["appraise", "verify"]

# A result is simulated unless the root it rests on is a vendor's.
_VENDOR_SET = TrustRoots.production().name
_ORDER = tuple(Authority)  # weakest first
_LEFT_OPEN = (Outcome.UNCONSTRAINED, "any", "not asked")
_PASS, _ERROR = Outcome.PASS, Outcome.ERROR  # each look into an enumeration costs as much as the rest of a check
_NOT_ASKED: Answer = (_ERROR, "an answer", "the question was not asked")
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
    high_water: HighWater | None = None,
) -> Appraisal:
    """Appraise evidence under every one of the policies at the time `now` (aware).

    With `high_water`, collateral may not be older than what was verified before; None for another time than the
    present, at which older collateral is what there was.

    Raises Misuse for no policy, a naive time or arguments of other types; Malformed for evidence that can't be read.
    """
    _require_arguments(policies, trust, freshness, now)
    if high_water is not None:
        high_water.require_trust(trust.name)
    technology = technology_of(evidence.tee)
    at = now.astimezone(UTC)
    case = technology.read_case(
        evidence,
        policy=policies[0],
        trust=trust,
        collateral=collateral if collateral is not None else Collateral(),
        freshness=freshness,
        now=at,
        high_water=high_water,
    )
    about = _ABOUT_REPORT_DATA[type(freshness)]
    demand = _demand(technology, tuple(policies), about, marked=high_water is not None)
    given = _ask_all(technology, case, demand.plans)
    verdict = _verdict(given, demand)
    accepted = verdict is Verdict.ACCEPTED
    return make_appraisal(
        verdict=verdict,
        assurance=about.grade if accepted else Assurance.EVIDENCE_ONLY,
        tee=evidence.tee,
        simulated=case.root_pinned_in != _VENDOR_SET,
        identity_pinned=demand.identity_pinned,
        identity_pin_source=demand.identity_pin_source,
        policy_authority=demand.policy_authority,
        appraised_at=at,
        expires_at=_expiry(case, at, demand) if accepted else None,
        asked=demand.asked,
        given=tuple(given),
        notes=(*_notes(evidence), *case.notes),
        claims=case.claims,
        look=case.look,
    )


def verify(
    evidence: Evidence,
    *,
    policies: Sequence[Policy],
    trust: TrustRoots,
    freshness: Expectation,
    now: datetime,
    collateral: Collateral | None = None,
    high_water: HighWater | None = None,
) -> Appraisal:
    """Appraise, and return only if the verdict is accepted.

    Raises Rejected or Undecided with the whole appraisal, and what `appraise` raises.
    """
    appraisal = appraise(
        evidence,
        policies=policies,
        trust=trust,
        freshness=freshness,
        now=now,
        collateral=collateral,
        high_water=high_water,
    )
    appraisal.require_accepted(now)
    return appraisal


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Demand:
    """What policies come to, whatever the evidence."""

    plans: tuple[tuple[Policy, Plan], ...]
    asked: tuple[Plan, ...]
    count: int
    """How many questions must be answered."""
    valid_for: timedelta
    """The shortest time that an acceptance lasts."""
    expires_at: datetime | None
    """The first end of a policy, None where none ends."""
    identity_pinned: Pin
    identity_pin_source: Authority | None
    policy_authority: Authority


@lru_cache(maxsize=256)
def _demand(technology: AnyTechnology, policies: tuple[Policy, ...], about: AboutReportData, *, marked: bool) -> Demand:
    """Say what policies ask, which identity they pin, and whose word they are."""
    plans = [
        plan_for(technology, policy, about, first=index == 0, marked=marked) for index, policy in enumerate(policies)
    ]
    every = [(policy.authority, technology.rules(policy)) for policy in policies]
    pins = [(policy.authority, technology.pin(policy)) for policy in policies]
    pins = [(authority, pin) for authority, pin in pins if pin is not Pin.NONE]
    # Every policy had to accept, so of those that name software the strongest word counts.
    naming = [authority for authority, rules in every if rules is not None and rules.constrains_software]
    return Demand(
        plans=tuple(zip(policies, plans, strict=True)),
        asked=tuple(plans),
        count=sum(len(plan.asked) for plan in plans),
        valid_for=timedelta(seconds=min(policy.valid_for for policy in policies)),
        expires_at=min([policy.expires_at for policy in policies if policy.expires_at], default=None),
        identity_pinned=max((pin for _, pin in pins), key=tuple(Pin).index, default=Pin.NONE),
        identity_pin_source=_strongest([authority for authority, _ in pins]) if pins else None,
        policy_authority=_strongest(naming) if naming else min((a for a, _ in every), key=_ORDER.index),
    )


def plan_for(technology: AnyTechnology, policy: Policy, about: AboutReportData, *, first: bool, marked: bool) -> Plan:
    """Say what a policy asks; what every policy would ask is asked by the first alone."""
    asked, left_open = [], []
    for question in technology.questions:
        if (question.rule is None and not first) or _is_beside_the_point(question, about, marked=marked):
            continue
        asked_by = policy.name if question.rule else ""
        if _is_asked(technology, question, policy, about):
            asked.append((question, asked_by))
        else:
            left_open.append(Check(question, _LEFT_OPEN, asked_by))
    places = tuple((index, question.id) for index, (question, _) in enumerate(asked))
    return Plan(
        asked=tuple(asked),
        ids=tuple(id_ for _, id_ in places),
        lasting=tuple(tuple(place for place in places if place[1] in one.answers) for one in technology.lasting),
        passing=tuple(place for place in places if not any(place[1] in one.answers for one in technology.lasting)),
        left_open=tuple(left_open),
    )


def _is_beside_the_point(question: Question, about: AboutReportData, *, marked: bool) -> bool:
    """Tell a question that other arguments than the caller's would ask or leave open."""
    if question.category is Category.ROLLBACK and question.rule is None:
        return not marked
    return question.id in _ABOUT_IDS and question.id not in about.asked | about.left_open


# Asked whatever a policy says about a technology, and whether it takes it at all.
_ALWAYS_ASKED = frozenset({None, "tee"})


def _is_asked(technology: AnyTechnology, question: Question, policy: Policy, about: AboutReportData) -> bool:
    if question.id in _ABOUT_IDS:
        return question.id in about.asked
    if question.rule in _ALWAYS_ASKED:
        return True
    rules = technology.rules(policy)
    # `revocation` stands above the technologies, and neither of its values says "any".
    return rules is not None and (question.rule == "revocation" or rules.constrains(question.rule or ""))


def _ask_all(technology: AnyTechnology, case: Case, plans: Sequence[tuple[Policy, Plan]]) -> list[Answer]:
    """Ask every question of every plan; one answer for each, in order."""
    given: list[Answer] = []
    for policy, plan in plans:
        case.ask_under(policy)
        try:
            found = list(_lasting(technology, case.grounds, policy, plan))
        except _OurError as error:
            found = error.found
        _ask(technology.answers, plan.passing, case, found)
        given += found
    return given


class _OurError(Exception):
    """Raised where a lasting answer is our own error, so that it is given and not remembered."""

    def __init__(self, found: list[Answer]) -> None:
        super().__init__()
        self.found = found


@lru_cache(maxsize=512)
def _lasting(technology: AnyTechnology, grounds: tuple[object, ...], policy: Policy, plan: Plan) -> tuple[Answer, ...]:
    """Answer all that grounds decide, in the places of the plan; in the others stands an error until they are asked.

    Raises _OurError.
    """
    found, sound = [_NOT_ASKED] * len(plan.ids), True
    for about, places, ground in zip(technology.lasting, plan.lasting, grounds, strict=True):
        sound &= _ask(about.answers, places, about.ask(ground, policy), found)
    if not sound:
        raise _OurError(found)
    return tuple(found)


def _ask(answers: Mapping[str, Callable[[Any], Answer]], places: Places, subject: object, found: list[Answer]) -> bool:
    """Ask about a subject, and put each answer in its place; tell whether none of them is our own error."""
    sound = True
    # Dozens of questions for each appraisal: a function around each costs more than some of them do.
    for index, id_ in places:
        try:
            answer = outcome, _, _ = answers[id_](subject)
        except Exception as error:  # noqa: BLE001 - whatever went wrong, the answer is not yes; the other checks go on
            answer, sound = (_ERROR, "an answer", f"{type(error).__name__}: {error}"), False
        else:
            if outcome is not _PASS or type(answer) is not tuple:
                answer = _checked(answer, outcome)
                sound = sound and answer[0] is not _ERROR
        found[index] = answer
    return sound


def _checked(answer: Answer, outcome: object) -> Answer:
    """Give an answer, our own error in the place of what is none, whatever its type was declared to be."""
    if type(answer) is tuple and type(outcome) is Outcome:
        return answer
    return _ERROR, "an answer", f"{type(answer).__name__} of {type(outcome).__name__}, which is none"


def _verdict(given: Sequence[Answer], demand: Demand) -> Verdict:
    """Accept if there is an answer to every question and each is a pass, or an absence that its policy tolerates."""
    # Nothing asked is nothing answered, and no reason to accept.
    complete = len(given) == demand.count > 0
    others = [answer for answer in given if answer[0] is not _PASS]
    if complete and not others:
        return Verdict.ACCEPTED
    outcomes = {answer[0] for answer in others}
    if Outcome.FAIL in outcomes or Outcome.ERROR in outcomes:
        return Verdict.REJECTED
    if Outcome.UNDECIDED in outcomes:
        return Verdict.UNDECIDED
    if complete and _all_settled(given, demand):
        return Verdict.ACCEPTED
    raise CvmproofError(f"{len(given)} answers, outcomes {sorted(outcomes)}: not what was asked for")


def _all_settled(given: Sequence[Answer], demand: Demand) -> bool:
    tolerated = [
        policy.revocation is Revocation.IF_AVAILABLE and question.rule == "revocation"
        for policy, plan in demand.plans
        for question, _ in plan.asked
    ]
    return all(
        outcome is Outcome.PASS or (absence and outcome is Outcome.UNCONSTRAINED)
        for (outcome, _, _), absence in zip(given, tolerated, strict=True)
    )


def _expiry(case: Case, now: datetime, demand: Demand) -> datetime:
    ends = [now + demand.valid_for, *case.ends([policy for policy, _ in demand.plans])]
    return min(ends if demand.expires_at is None else [*ends, demand.expires_at])


def _strongest(authorities: list[Authority]) -> Authority:
    return max(authorities, key=_ORDER.index)


def _notes(evidence: Evidence) -> tuple[str, ...]:
    ignored = evidence.ignored_crls
    return (
        (f"{ignored} revocation list(s) in the evidence ignored: they come from the one being judged",)
        if ignored
        else ()
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
