"""Who answers which question: everyone once, and nobody what was not asked."""

from functools import partial

import pytest

from cvmproof.check import Answer, passed
from cvmproof.tdx.answering import ANSWERS, HOST_ANSWERS, TD_ANSWERS, answers
from cvmproof.tdx.case import TdxCase
from cvmproof.tdx.questions import TDX_QUESTIONS
from cvmproof.tdx.technology import ANSWERING_MODULES

EVERY = ANSWERS | HOST_ANSWERS | TD_ANSWERS


def yes(_: TdxCase) -> Answer:
    return passed("", "")


def test_every_question_is_answered_and_nothing_else_is() -> None:
    answered = [*ANSWERS, *HOST_ANSWERS, *TD_ANSWERS]
    assert sorted(answered) == sorted(question.id for question in TDX_QUESTIONS)


def test_answers_come_from_the_modules_that_the_appraisal_imports() -> None:
    functions = [answer.func if isinstance(answer, partial) else answer for answer in EVERY.values()]
    assert {function.__module__ for function in functions} == {module.__name__ for module in ANSWERING_MODULES}


def test_an_answer_to_nothing_and_a_second_answer_are_refused_at_import() -> None:
    before = dict(ANSWERS)
    with pytest.raises(ValueError, match=r"tdx\.nothing: not declared"):
        answers("tdx.nothing")(yes)
    with pytest.raises(ValueError, match=r"tdx\.signature\.quote: answered twice"):
        answers("tdx.signature.quote")(yes)
    assert before == ANSWERS
