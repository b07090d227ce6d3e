"""That each mutant meets the tests that reach it, and that what became of it is written down."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SUBJECT = """
import os

def chosen():
    return os.environ.get("MUTANT_UNDER_TEST", "")

def test_quick():
    assert chosen() != "m.x_f__mutmut_1"

def test_slow():
    assert chosen() not in {"m.x_f__mutmut_2", "fail"}

def test_of_another():
    assert not chosen().startswith("m.x_f__mutmut_3")

def test_falls_over():
    if chosen() == "m.x_g__mutmut_1":
        os.kill(os.getpid(), 15)
"""
CODES = {
    "m.x_f__mutmut_1": 1,  # noticed by the first test
    "m.x_f__mutmut_2": 1,  # noticed by the second
    "m.x_f__mutmut_3": 0,  # what would notice it does not reach it
    "m.x_g__mutmut_1": 1,
    "m.x_h__mutmut_1": 33,
}


@pytest.fixture
def staged(tmp_path: Path) -> Path:
    """What mutmut leaves: records, statistics, and the tests."""
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_m.py").write_text(SUBJECT)
    (tmp_path / "src").mkdir()
    record = {"exit_code_by_key": dict.fromkeys(CODES), "hash_by_function_name": {"x_f": "0"}}
    (tmp_path / "src" / "m.py.meta").write_text(json.dumps(record))
    reach = {"m.x_f": ["test_m.py::test_quick", "test_m.py::test_slow"], "m.x_g": ["test_m.py::test_falls_over"]}
    seconds = {"test_m.py::test_quick": 0.0, "test_m.py::test_slow": 0.1}
    stats = {"tests_by_mangled_function_name": reach, "duration_by_test": seconds}
    (tmp_path / "mutmut-stats.json").write_text(json.dumps(stats))
    return tmp_path


def look(
    staged: Path, root: Path, patterns: str = ""
) -> tuple[dict[str, int | None], subprocess.CompletedProcess[str]]:
    """What is written down of each mutant, and what was said."""
    environment = os.environ | {
        "PYTHONPATH": str(root / "tools"),
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "LOOK_AT": patterns,
    }
    command = [sys.executable, "-m", "pytest", "-s", "-q", "-p", "mutant_loop", "-p", "no:cacheprovider"]
    done = subprocess.run(command, cwd=staged, env=environment, check=False, capture_output=True, text=True)
    record = json.loads((staged / "src" / "m.py.meta").read_bytes())
    assert record["hash_by_function_name"] == {"x_f": "0"}
    return record["exit_code_by_key"], done


def test_each_mutant_meets_the_tests_that_reach_it(staged: Path, root: Path) -> None:
    codes, done = look(staged, root)
    assert done.returncode == 0
    assert codes == CODES
    assert "[mutants] 5 of 5: 3 killed, 1 survived, 1 without a test" in done.stdout


def test_only_what_is_asked_for_is_looked_at(staged: Path, root: Path) -> None:
    codes, done = look(staged, root, "m.x_f* nothing*")
    assert done.returncode == 0
    assert codes == {name: code if name.startswith("m.x_f") else None for name, code in CODES.items()}


def test_what_was_looked_at_is_looked_at_again_only_when_it_is_asked_for(staged: Path, root: Path) -> None:
    path = staged / "src" / "m.py.meta"
    record = json.loads(path.read_bytes())
    record["exit_code_by_key"]["m.x_f__mutmut_1"] = 0
    path.write_text(json.dumps(record))
    assert look(staged, root)[0] == CODES | {"m.x_f__mutmut_1": 0}
    assert look(staged, root, "m.x_f__mutmut_1")[0] == CODES


def test_tests_that_fail_by_themselves_judge_nothing(staged: Path, root: Path) -> None:
    with (staged / "test_m.py").open("a") as file:
        file.write("\ndef test_quick():\n    assert False\n")
    codes, done = look(staged, root)
    assert done.returncode != 0
    assert "the tests fail where nothing is mutated" in done.stdout + done.stderr
    assert set(codes.values()) == {None}


def test_tests_of_other_code_than_what_is_mutated_judge_nothing(staged: Path, root: Path) -> None:
    """Mutmut's own mutant of everything has to be noticed."""
    file = staged / "test_m.py"
    file.write_text(file.read_text().replace(', "fail"', ""))
    codes, done = look(staged, root)
    assert done.returncode != 0
    assert "is not what is mutated" in done.stdout + done.stderr
    assert set(codes.values()) == {None}
