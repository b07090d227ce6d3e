"""Who answers which question: a table from question id to the function that answers it.

An answer is a pure function of the case. It looks at the policy that asks as `case.policy`. A function for a question
that nobody declared is refused at import; a question without a function is noticed at every run.
"""

from collections.abc import Callable

from cvmproof.check import Answer
from cvmproof.snp.case import SnpCase
from cvmproof.snp.questions import SNP_QUESTIONS

Answering = Callable[[SnpCase], Answer]

ANSWERS: dict[str, Answering] = {}
_DECLARED = frozenset(question.id for question in SNP_QUESTIONS)


def answers(question_id: str) -> Callable[[Answering], Answering]:
    """Enter a function as the one that answers a question.

    Raises ValueError at import for an undeclared question, and for one that is answered already.
    """
    if question_id not in _DECLARED or question_id in ANSWERS:
        raise ValueError(f"{question_id}: {'answered twice' if question_id in ANSWERS else 'not declared'}")

    def enter(function: Answering) -> Answering:
        ANSWERS[question_id] = function
        return function

    return enter
