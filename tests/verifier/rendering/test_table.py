"""A table for a terminal."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvmproof.rendering.table import cut, display_width, table, width_of
from cvmproof.rendering.terminal import Terminal

PLAIN = Terminal(fancy=False)
ROWS = (("1", "short", "x" * 100), ("22", "日本語", "y"))
text = st.text(st.characters(blacklist_categories=["C", "Z"]), max_size=30)


def draw(width: int | None, rows: tuple[tuple[str, ...], ...] = ROWS) -> list[str]:
    return table(("ID", "NAME", "REST"), rows, terminal=PLAIN, width=width).splitlines()


def test_columns_stand_below_their_head() -> None:
    head, first, second = draw(None)
    assert head == "ID  NAME    REST"
    assert first.startswith("1   short   xxx")
    assert second == "22  日本語  y"


def test_a_long_cell_is_cut_even_where_there_is_room() -> None:
    assert draw(None)[1].endswith("x…")
    assert len(draw(None)[1]) == len("1   short   ") + 64


@pytest.mark.parametrize("width", [20, 30, 40, 80])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    assert max(map(display_width, draw(width))) <= width


def test_the_first_column_is_never_cut_for_the_others() -> None:
    rows = (("i" * 30, "n" * 40, "r" * 40),)
    assert draw(60, rows)[1].startswith("i" * 30 + "  ")


def test_a_table_of_nothing_is_its_head() -> None:
    assert draw(None, ()) == ["ID  NAME  REST"]


def test_what_the_encoding_lacks_is_replaced_before_it_is_measured() -> None:
    terminal = Terminal(fancy=False, encoding="ascii")
    _, first, second = table(("A", "B"), [("é", "1"), ("e", "2")], terminal=terminal, width=None).splitlines()
    assert (first, second) == (r"\xe9  1", "e     2")
    assert table(("A", "B"), [("a", "b" * 99)], terminal=terminal, width=None).rstrip().endswith("..")


def test_only_the_head_is_painted() -> None:
    head, line = table(("A",), [("a",)], terminal=Terminal(fancy=True), width=None).splitlines()
    assert (head, line) == ("\x1b[1mA\x1b[0m", "a")


def test_what_goes_to_no_terminal_has_no_width(monkeypatch: pytest.MonkeyPatch) -> None:
    class Tty(io.StringIO):
        encoding = "utf-8"

        def isatty(self) -> bool:
            return True

    class File(Tty):
        def isatty(self) -> bool:
            return False

    monkeypatch.setenv("COLUMNS", "77")
    assert (width_of(Tty()), width_of(File())) == (77, None)


@given(text, st.integers(2, 40))
def test_a_text_is_cut_to_its_columns_and_not_before(some: str, width: int) -> None:
    found = cut(some, width)
    assert display_width(found) <= width
    assert (found == some) is (display_width(some) <= width)


@given(st.lists(st.tuples(text, text, text), max_size=5), st.integers(10, 100))
def test_any_table_fits_any_terminal(rows: list[tuple[str, str, str]], width: int) -> None:
    lines = table(("A", "B", "C"), rows, terminal=PLAIN, width=width).split("\n")
    assert len(lines) == len(rows) + 2
    assert max(map(display_width, lines)) <= width
