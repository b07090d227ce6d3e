"""What is made once is found again, made again when what went into it changed, and never half."""

from pathlib import Path

import pytest
from boot import cached as subject
from boot.cached import cached, contents


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject, "BUILD", tmp_path / "build")


def write(folder: Path) -> None:
    (folder / "made").write_text("whole", "ascii")


def fail(folder: Path) -> None:
    (folder / "made").write_text("half", "ascii")
    raise RuntimeError("interrupted")


def forbid(folder: Path) -> None:
    pytest.fail(f"{folder} was made again")


def test_the_same_inputs_give_the_same_folder_at_once() -> None:
    made = cached("disk", [b"a", b"b"], write)
    assert (made / "made").read_text("ascii") == "whole"
    assert cached("disk", [b"a", b"b"], forbid) == made


def test_other_inputs_take_its_place() -> None:
    made = cached("disk", [b"a", b"b"], write)
    other = cached("disk", [b"ab"], write)
    assert other != made
    assert not made.exists()


def test_what_fails_leaves_nothing_that_could_be_found() -> None:
    with pytest.raises(RuntimeError, match="interrupted"):
        cached("disk", [b"a"], fail)
    made = cached("disk", [b"a"], write)
    assert (made / "made").read_text("ascii") == "whole"
    assert [each.name for each in made.parent.iterdir()] == [made.name]


def test_contents_are_names_and_bytes_in_order(tmp_path: Path) -> None:
    for name in ("b", "a"):
        (tmp_path / name).write_text(f"in {name}", "ascii")
    assert contents(tmp_path) == [b"a", b"in a", b"b", b"in b"]
