"""A check is one named question with one answer.

Questions are declared once, in tables; answers are cheap tuples; `Check` puts the two into words when somebody reads
them.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from cvmproof.spelling import spell
from cvmproof_formats.errors import Category


class Outcome(StrEnum):
    """How a question was answered."""

    PASS = "pass"  # noqa: S105 - an answer, not a password
    FAIL = "fail"
    UNDECIDED = "undecided"
    UNCONSTRAINED = "unconstrained"
    NOT_APPLICABLE = "not-applicable"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked: a stable id, the category of a no, why it matters, which specification says so.

    `rule` is the policy field that must constrain something for the question to be asked; None: it is always asked.
    """

    id: str
    category: Category
    why: str
    spec: str
    rule: str | None = None


@dataclass(frozen=True, slots=True)
class Absent:
    """What would be needed for an answer and was not at hand."""

    what: str


@dataclass(frozen=True, slots=True)
class Unfit:
    """What is wrong with what was found, and the kind of no that is, where reading it told a more precise one."""

    what: str
    category: Category | None


Answer = tuple[Outcome, object, object]
"""What came out, what would have passed and what was found, with the values as they are: `Check` puts them into words.

An appraisal makes dozens of these, and a tuple with names costs ten times a plain one.
"""


class Check(NamedTuple):
    """A question, its answer, and the policy that asked (empty where every policy would)."""

    question: Question
    answer: Answer
    asked_by: str = ""

    @property
    def id(self) -> str:
        """The question's stable id."""
        return self.question.id

    @property
    def outcome(self) -> Outcome:
        """How it was answered."""
        return self.answer[0]

    @property
    def category(self) -> Category:
        """The kind of no: the question's, unless something was absent, of another kind, or our own code failed."""
        outcome, _, got = self.answer
        if outcome is Outcome.ERROR:
            return Category.INTERNAL
        if isinstance(got, Absent):
            return Category.UNAVAILABLE
        return got.category or self.question.category if isinstance(got, Unfit) else self.question.category

    @property
    def expected(self) -> str:
        """What would have passed, in words."""
        return spell(self.answer[1])

    @property
    def got(self) -> str:
        """What was found, in words, escaped."""
        got = self.answer[2]
        if isinstance(got, Absent):
            return f"none at hand: {spell(got.what)}"
        return spell(got.what if isinstance(got, Unfit) else got)

    def __str__(self) -> str:
        question = self.question
        return f"{question.id}: expected {self.expected}, got {self.got}: {question.why} ({question.spec})"


# Each look into an enumeration costs as much as the rest of an answer.
_PASS, _FAIL, _UNDECIDED = Outcome.PASS, Outcome.FAIL, Outcome.UNDECIDED


def passed(expected: object, got: object) -> Answer:
    """Answer yes."""
    return _PASS, expected, got


def failed(expected: object, got: object) -> Answer:
    """Answer no."""
    return _FAIL, expected, got


def undecided(expected: object, got: object) -> Answer:
    """Answer that what is at hand does not decide it."""
    return _UNDECIDED, expected, got


def require(holds: object, expected: object, got: object) -> Answer:
    """Answer yes exactly if `holds` is True; anything else, however truthy, is a no."""
    return _PASS if holds is True else _FAIL, expected, got
