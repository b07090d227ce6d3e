"""What an appraisal comes to: the verdict, every check behind it, and what was left open.

Only `appraise` makes one. It is no truth value, can't be pickled, and is not a ticket: whoever reads it later asks
`require_accepted(now)`, which says no once it has expired.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final, NoReturn

from cvmproof.check import Answer, Check, Outcome, Question
from cvmproof.claims import Claims
from cvmproof.errors import Rejected, Undecided
from cvmproof.high_water import Look, Seen
from cvmproof.spelling import spell_time
from cvmproof_formats.binding import Tee
from cvmproof_formats.errors import Category, Misuse
from cvmproof_formats.record import maker, record


class Verdict(StrEnum):
    """The three answers."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    UNDECIDED = "undecided"


class Assurance(StrEnum):
    """What the evidence is tied to, weakest first."""

    EVIDENCE_ONLY = "evidence-only"
    KEY_BOUND = "key-bound"
    CHANNEL_BOUND = "channel-bound"


class Pin(StrEnum):
    """Which identity the policies named."""

    NONE = "none"
    MACHINE = "machine"
    INSTANCE = "instance"


Places = tuple[tuple[int, str], ...]
"""Ids of questions, each with its place among those that are asked."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Plan:
    """What one policy asks: the questions that must be answered, each with who asks, and what it leaves open."""

    asked: tuple[tuple[Question, str], ...]
    ids: tuple[str, ...]
    """Of the questions that are asked, in order."""
    lasting: tuple[Places, ...] = ()
    """Those of them that are answered once for a ground, by ground."""
    passing: Places = ()
    """Those that are asked every time."""
    left_open: tuple[Check, ...]


@record(eq=False)
class Appraisal:
    """A verdict with its reasons; `expires_at` is None unless it is accepted.

    `given` are the answers to the questions of `asked`, in order; `checks` reads them together.
    """

    verdict: Verdict
    assurance: Assurance
    tee: Tee
    simulated: bool
    identity_pinned: Pin
    identity_pin_source: str | None
    policy_authority: str
    appraised_at: datetime
    expires_at: datetime | None
    asked: tuple[Plan, ...]
    given: tuple[Answer, ...]
    notes: tuple[str, ...]
    claims: Claims
    look: Look = field(repr=False)
    """What `seen` gives, found out when somebody asks."""

    def __bool__(self) -> NoReturn:
        raise TypeError("an Appraisal is not true or false: use require_accepted(now), or compare its verdict")

    def __reduce__(self) -> NoReturn:
        raise TypeError("an Appraisal can't be pickled: a stored verdict is not evidence")

    @property
    def seen(self) -> Seen:
        """How new the collateral is whose signatures hold, for high-water marks."""
        return self.look()

    @property
    def checks(self) -> tuple[Check, ...]:
        """Every question with its answer, policy by policy, what was left open last; made when it is read."""
        asked = [entry for plan in self.asked for entry in plan.asked]
        answered = [Check(q, answer, by) for (q, by), answer in zip(asked, self.given, strict=True)]
        return (*answered, *(check for plan in self.asked for check in plan.left_open))

    @property
    def failed(self) -> tuple[Check, ...]:
        """The checks that said no, our own errors among them."""
        return tuple(check for check in self.checks if check.outcome in {Outcome.FAIL, Outcome.ERROR})

    @property
    def undecided(self) -> tuple[Check, ...]:
        """The checks that could not be answered."""
        return tuple(check for check in self.checks if check.outcome is Outcome.UNDECIDED)

    @property
    def unconstrained(self) -> tuple[Check, ...]:
        """The questions that every policy left open."""
        answered = {check.id for check in self.checks if check.outcome is not Outcome.UNCONSTRAINED}
        left_open = {check.id: check for check in self.checks if check.id not in answered}
        return tuple(left_open.values())

    def require_accepted(self, now: datetime) -> None:
        """Return only if the verdict is accepted and has not expired.

        Raises Rejected or Undecided, carrying this appraisal.
        """
        if self.verdict is Verdict.REJECTED:
            raise Rejected(_reasons(self.failed), appraisal=self, category=self.failed[0].category)
        if self.verdict is not Verdict.ACCEPTED:
            raise Undecided(_reasons(self.undecided), appraisal=self, category=self.undecided[0].category)
        if self.expires_at is None or not self.appraised_at <= now < self.expires_at:
            until = spell_time(self.expires_at) if self.expires_at else "no time"
            raise Undecided(
                f"the verdict is for {spell_time(self.appraised_at)} to {until}, now is {spell_time(now)}",
                appraisal=self,
                category=Category.EXPIRED,
            )


def _reasons(checks: tuple[Check, ...]) -> str:
    return "; ".join(str(check) for check in checks)


make_appraisal: Final = maker(Appraisal)
"""Makes one: for `cvmproof.appraise` and nothing else."""


def _refuse(*_: object, **__: object) -> NoReturn:
    raise Misuse("an Appraisal is made by cvmproof.appraise and nothing else")


Appraisal.__new__ = _refuse  # type: ignore[method-assign]  # whoever makes one has the maker
