"""The text of a policy that was fetched, drawn."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvmproof.rendering.fetched_policy import draw_text


def test_a_text_is_drawn_as_it_is() -> None:
    assert draw_text("a = 1\r\nb = 2\n\nc = 3\n") == ("a = 1\nb = 2\n\nc = 3\n", True)
    assert draw_text("") == ("", True)
    assert draw_text("\ta") == ("    a\n", True)


@pytest.mark.parametrize("text", ["x" * 4001, "x\n" * 40_000])
def test_a_long_text_is_cut_and_that_is_said(text: str) -> None:
    drawn, whole = draw_text(text)
    assert not whole
    assert len(drawn) < 70_000


@given(st.text())
def test_nothing_in_it_is_obeyed_by_a_terminal(text: str) -> None:
    drawn, _ = draw_text(text)
    assert all(character.isprintable() or character == "\n" for character in drawn)
