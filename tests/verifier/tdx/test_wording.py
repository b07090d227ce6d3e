"""Every answer says what was expected and what was found, in the words that were read when they were written."""

import json

import pytest
from tests.verifier.tdx.wording import FILE, SITUATIONS, words_of

EXPECTED: dict[str, dict[str, str]] = json.loads(FILE.read_text(encoding="utf-8"))


def test_every_situation_has_its_wording() -> None:
    assert list(EXPECTED) == list(SITUATIONS)


@pytest.mark.parametrize("situation", SITUATIONS)
def test_answers_say_what_was_expected_and_what_was_found(situation: str) -> None:
    assert words_of(situation) == EXPECTED[situation]
