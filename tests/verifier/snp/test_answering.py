"""Who answers which question: everyone once, and nobody what was not asked."""

from functools import partial

import pytest

from cvmproof.check import Answer, passed
from cvmproof.snp.answering import ANSWERS, answers
from cvmproof.snp.case import SnpCase
from cvmproof.snp.questions import SNP_QUESTIONS
from cvmproof.snp.technology import ANSWERING_MODULES


def yes(_: SnpCase) -> Answer:
    return passed("", "")


def test_every_question_is_answered_and_nothing_else_is() -> None:
    assert ANSWERS.keys() == {question.id for question in SNP_QUESTIONS}


def test_answers_come_from_the_modules_that_the_appraisal_imports() -> None:
    functions = [answer.func if isinstance(answer, partial) else answer for answer in ANSWERS.values()]
    modules = {function.__module__ for function in functions}
    assert modules == {"cvmproof.snp.technology", *(module.__name__ for module in ANSWERING_MODULES)}


def test_an_answer_to_nothing_and_a_second_answer_are_refused_at_import() -> None:
    before = dict(ANSWERS)
    with pytest.raises(ValueError, match=r"snp\.nothing: not declared"):
        answers("snp.nothing")(yes)
    with pytest.raises(ValueError, match=r"snp\.vmpl: answered twice"):
        answers("snp.vmpl")(yes)
    assert before == ANSWERS


def test_a_function_is_entered_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(ANSWERS, "snp.vmpl")
    assert answers("snp.vmpl")(yes) is yes
    assert ANSWERS["snp.vmpl"] is yes
