"""What mutmut gets to see, and how its answer is counted."""

import importlib.util
from pathlib import Path
from types import FunctionType, ModuleType

import pytest


@pytest.fixture(scope="module")
def mutants(root: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("mutants", root / "tools" / "mutants.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def bare(mutants: ModuleType) -> FunctionType:
    assert isinstance(mutants.bare, FunctionType)
    return mutants.bare


def test_a_decorator_is_applied_at_the_end_instead(bare: FunctionType) -> None:
    assert bare("@answers('id')\ndef f():\n    return 1\n") == "\ndef f():\n    return 1\nf = answers('id')(f)\n"


def test_a_cache_is_left_out(bare: FunctionType) -> None:
    assert bare("@lru_cache(\n    maxsize=1\n)\ndef f():\n    return 1\n") == "\n\n\ndef f():\n    return 1\n"


def test_what_bears_no_decorator_stays(bare: FunctionType) -> None:
    source = "class C:\n    @property\n    def f(self):\n        return 1\n\n\ndef g():\n    return 2\n"
    assert bare(source) == source


def test_every_mutated_file_exists(root: Path, bare: FunctionType) -> None:
    patterns = [pattern.removeprefix("src/") for pattern in bare.__globals__["MUTATED"]]
    assert [pattern for pattern in patterns if not list((root / "verifier").glob(pattern))] == []


LISTING = """
    a.x_f__mutmut_1: killed
    a.x_f__mutmut_2: survived
    a.x_f__mutmut_3: timeout
    a.x_g__mutmut_1: no tests
    b.x_h__mutmut_1: not checked
    b.x_h__mutmut_2: survived
    b.x_h__mutmut_3: skipped
"""


@pytest.mark.parametrize(
    ("patterns", "noticed", "others"),
    [
        ((), 2, ["a.x_f__mutmut_2: survived", "a.x_g__mutmut_1: no tests", "b.x_h__mutmut_2: survived"]),
        (("a*",), 2, ["a.x_f__mutmut_2: survived", "a.x_g__mutmut_1: no tests"]),
        (("b*", "a.x_g*"), 0, ["a.x_g__mutmut_1: no tests", "b.x_h__mutmut_2: survived"]),
    ],
)
def test_what_a_run_did_not_look_at_counts_neither_way(
    patterns: tuple[str, ...], noticed: int, others: list[str], mutants: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    share = mutants.noticed_share(mutants.looked_at(LISTING, patterns))
    total = noticed + len(others)
    assert share == noticed / total
    *unnoticed, summary = capsys.readouterr().out.splitlines()
    assert [line.strip() for line in unnoticed] == others
    assert summary.startswith(f"[mutants] {noticed} of {total} noticed: ")


def test_nothing_looked_at_is_not_enough(mutants: ModuleType) -> None:
    assert mutants.noticed_share(mutants.looked_at(LISTING, ("c*",))) == 0.0
