"""There is something to do about every no."""

import pytest

from cvmproof.rendering import next_steps
from cvmproof.rendering.next_steps import next_step
from cvmproof.snp.questions import SNP_QUESTIONS


@pytest.mark.parametrize("question", SNP_QUESTIONS, ids=lambda question: question.id)
def test_every_check_has_a_next_step(question: object) -> None:
    assert next_step(question.id, question.category)  # type: ignore[attr-defined] # a Question


def test_what_is_absent_is_to_be_had_whatever_the_check() -> None:
    assert "collateral fetch" in next_step("snp.measurement", "UNAVAILABLE")


def test_no_step_is_for_a_check_that_does_not_exist() -> None:
    assert next_steps._BY_CHECK.keys() <= {question.id for question in SNP_QUESTIONS}
