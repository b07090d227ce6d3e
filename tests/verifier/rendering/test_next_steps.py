"""There is something to do about every no."""

import pytest

from cvmproof.check import Question
from cvmproof.rendering import next_steps
from cvmproof.rendering.next_steps import next_step
from cvmproof.snp.questions import SNP_QUESTIONS
from cvmproof.tdx.questions import TDX_QUESTIONS

QUESTIONS = {question.id: question for question in (*SNP_QUESTIONS, *TDX_QUESTIONS)}


@pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS)
def test_every_check_has_a_next_step_that_names_the_right_vendor(question: Question) -> None:
    step = next_step(question.id, question.category)
    assert step
    if question.id.startswith("tdx."):
        assert "AMD" not in step or "Intel" in step
    if question.id.startswith("snp."):
        assert "Intel" not in step or "AMD" in step


def test_what_is_absent_is_to_be_had_whatever_the_check() -> None:
    assert "collateral fetch" in next_step("snp.measurement", "UNAVAILABLE")


def test_no_step_is_for_a_check_that_does_not_exist() -> None:
    assert next_steps._BY_CHECK.keys() <= QUESTIONS.keys()
