"""What mutmut gets to see."""

import importlib.util
from pathlib import Path
from types import FunctionType

import pytest


@pytest.fixture(scope="module")
def bare(root: Path) -> FunctionType:
    spec = importlib.util.spec_from_file_location("mutants", root / "tools" / "mutants.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert isinstance(module.bare, FunctionType)
    return module.bare


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
