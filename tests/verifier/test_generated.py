"""Files made from code are what the code says."""

from pathlib import Path

import pytest

from cvmproof import generated
from cvmproof.snp.questions import SNP_QUESTIONS


def test_the_checked_in_files_are_what_the_code_says(root: Path) -> None:
    stale = [path for path, text in generated.generated_files(root).items() if path.read_text("utf-8") != text]
    assert stale == []


def test_every_check_stands_on_its_page() -> None:
    page = generated.checks_page()
    assert all(f"| `{question.id}` |" in page for question in SNP_QUESTIONS)


def test_every_command_stands_on_its_page() -> None:
    page = generated.cli_page()
    for name in ("verify", "inspect", "explain", "policy from-evidence", "collateral import", "completion"):
        assert f"## `cvmproof {name}`" in page


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "verifier" / "cvmproof").mkdir(parents=True)
    monkeypatch.setattr(generated, "__file__", str(tmp_path / "verifier" / "cvmproof" / "generated.py"))
    return tmp_path


def test_they_are_written_compared_and_named_when_stale(clone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (clone / "pyproject.toml").touch()
    assert generated.main(["--check"]) == 1
    assert generated.main([]) == 0
    assert generated.main(["--check"]) == 0
    (clone / "docs" / "checks.md").write_text("stale")
    assert generated.main(["--check"]) == 1
    assert "docs/checks.md is not what the code says" in capsys.readouterr().err


def test_outside_a_clone_nothing_is_written(clone: Path) -> None:
    assert generated.main([]) == 1
    assert not (clone / "docs").exists()
