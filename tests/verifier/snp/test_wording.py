"""Every answer says what was expected and what was found, in the words that were read when they were written."""

import json

import pytest
from tests.verifier.snp.wording import FILE, wording

EXPECTED: dict[str, dict[str, str]] = json.loads(FILE.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def found() -> dict[str, dict[str, str]]:
    return wording()


def test_every_situation_has_its_wording(found: dict[str, dict[str, str]]) -> None:
    assert list(found) == list(EXPECTED)


@pytest.mark.parametrize("situation", EXPECTED)
def test_answers_say_what_was_expected_and_what_was_found(situation: str, found: dict[str, dict[str, str]]) -> None:
    assert found[situation] == EXPECTED[situation]
