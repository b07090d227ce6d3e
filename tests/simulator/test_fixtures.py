"""Fixtures come out the same, and are what is checked in."""

from pathlib import Path

import pytest

from cvmproof_simulator import fixtures


def test_what_is_checked_in_is_what_the_simulator_makes(root: Path) -> None:
    wanted = fixtures.generate(root / "fixtures")
    there = {path for path in (root / "fixtures").rglob("*") if path.is_file()}
    assert there == set(wanted)
    assert [path for path, data in wanted.items() if path.read_bytes() != data] == []


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(fixtures, "__file__", str(tmp_path / "a" / "b" / "fixtures.py"))
    return tmp_path


def test_they_are_written_compared_and_named_when_stale(clone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (clone / "pyproject.toml").touch()
    assert fixtures.main([]) == 0
    assert fixtures.main(["--check"]) == 0
    (clone / "fixtures" / "genoa-accepted" / "README.md").write_text("stale")
    assert fixtures.main(["--check"]) == 1
    assert "differs genoa-accepted" in capsys.readouterr().out


def test_outside_a_clone_nothing_is_written(clone: Path) -> None:
    assert fixtures.main([]) == 1
    assert not (clone / "fixtures").exists()


def test_a_case_that_comes_out_otherwise_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="expected exit code 0, got 2"):
        fixtures.expected_answer(fixtures.CASES[0], _empty(tmp_path))


def _empty(folder: Path) -> Path:
    (folder / "evidence.json").touch()
    (folder / "policy.toml").write_text(fixtures.CASES[0].policy)
    return folder
