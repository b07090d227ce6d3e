"""Questions, answers and how a check puts them into words."""

import pytest

from cvmproof.check import Absent, Answer, Check, Outcome, Question, Unfit, failed, passed, require, undecided
from cvmproof_formats.errors import Category

QUESTION = Question(id="a.b", category=Category.TCB, why="it matters", spec="Spec 1")


@pytest.mark.parametrize("value", [False, 0, None, 1, "yes", [True], (1,), Outcome.PASS, object()])
def test_ac_089_only_true_is_a_yes(value: object) -> None:
    assert require(True, "", "")[0] is Outcome.PASS  # noqa: FBT003 - the value asked about
    assert require(value, "", "")[0] is Outcome.FAIL


def test_answers_carry_what_was_expected_and_what_was_found() -> None:
    assert passed(1, 2) == (Outcome.PASS, 1, 2)
    assert failed(1, 2) == (Outcome.FAIL, 1, 2)
    assert undecided(1, 2) == (Outcome.UNDECIDED, 1, 2)


def test_a_check_says_everything_in_one_line() -> None:
    check = Check(QUESTION, failed(b"\x01\x02", "\x1b[2J"))
    assert str(check) == "a.b: expected 0102, got \\x1b[2J: it matters (Spec 1)"
    assert (check.id, check.outcome, check.expected, check.got) == ("a.b", Outcome.FAIL, "0102", "\\x1b[2J")


def test_what_is_absent_is_named() -> None:
    assert Check(QUESTION, undecided(1, Absent("the list"))).got == "none at hand: the list"


def test_what_is_unfit_is_said_and_escaped() -> None:
    assert Check(QUESTION, failed(1, Unfit("a \x1b", Category.SIZE_LIMIT))).got == "a \\x1b"


@pytest.mark.parametrize(
    ("answer", "category"),
    [
        (failed(1, 2), Category.TCB),
        (passed(1, 2), Category.TCB),
        (undecided(1, 2), Category.TCB),
        (undecided(1, Absent("it")), Category.UNAVAILABLE),
        (failed(1, Unfit("it", None)), Category.TCB),
        (failed(1, Unfit("it", Category.SIZE_LIMIT)), Category.SIZE_LIMIT),
        ((Outcome.ERROR, 1, Unfit("it", Category.SIZE_LIMIT)), Category.INTERNAL),
        ((Outcome.ERROR, 1, 2), Category.INTERNAL),
        ((Outcome.ERROR, 1, Absent("it")), Category.INTERNAL),
    ],
)
def test_the_category_is_the_questions_unless_something_was_absent_unfit_or_we_failed(
    answer: Answer, category: Category
) -> None:
    assert Check(QUESTION, answer).category is category
