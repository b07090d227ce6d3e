"""What a stream can show."""

import io

import pytest

from cvmproof.rendering.columns import columns
from cvmproof.rendering.terminal import Terminal


class Tty(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("environment", "fancy"),
    [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False), ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False)],
)
def test_a_terminal_is_fancy_unless_told_not_to_be(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], *, fancy: bool
) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert Terminal.of(Tty()).fancy is fancy


def test_a_pipe_is_fancy_only_by_force(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert not Terminal.of(io.TextIOWrapper(io.BytesIO())).fancy
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert Terminal.of(io.TextIOWrapper(io.BytesIO())).fancy


def test_an_encoding_without_lines_gets_others() -> None:
    assert Terminal(fancy=False, encoding="ascii").fit("├─ ✔ ü") == "|- + \\xfc"
    assert Terminal(fancy=False).fit("├─ ✔ ü") == "├─ ✔ ü"


def test_marks_without_a_terminal_are_words() -> None:
    plain = Terminal(fancy=False)
    assert [plain.mark(outcome) for outcome in ("pass", "fail", "undecided")] == ["ok  ", "FAIL", "open"]


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    assert columns([("a", "bcd"), ("efg", "")], indent=" ") == " a    bcd\n efg\n"
    assert columns([]) == ""
