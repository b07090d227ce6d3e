"""Who answers which question: a table from question id to the function that answers it.

An answer is a pure function of the case. It looks at the policy that asks as `case.policy`. A function for a question
that nobody declared is refused at import; a question without a function is noticed at every run.
"""

from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

from cvmproof.check import Answer, Question

Case = TypeVar("Case")


class AnswerTable(Generic[Case]):
    """The functions that answer a technology's questions."""

    def __init__(self, questions: Iterable[Question]) -> None:
        """Take the questions that may be answered."""
        self._declared = frozenset(question.id for question in questions)
        self.by_id: dict[str, Callable[[Case], Answer]] = {}

    def __call__(self, question_id: str) -> Callable[[Callable[[Case], Answer]], Callable[[Case], Answer]]:
        """Enter a function as the one that answers a question.

        Raises ValueError at import for an undeclared question, and for one that is answered already.
        """
        if question_id not in self._declared or question_id in self.by_id:
            raise ValueError(f"{question_id}: {'answered twice' if question_id in self.by_id else 'not declared'}")

        def enter(function: Callable[[Case], Answer]) -> Callable[[Case], Answer]:
            self.by_id[question_id] = function
            return function

        return enter
