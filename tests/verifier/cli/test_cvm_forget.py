"""`cvmproof cvm forget`."""

import json
from pathlib import Path

import jsonschema
import pytest

from cvmproof.marks import CvmKey, Identity, Marks

from .conftest import CVM_SCHEMA_FILE, Ran, Run

MACHINE = Identity(chip_id=bytes(range(64)), report_id=b"\x07" * 32)
KEY = CvmKey(trust="production", api="https://prism.example/backends", domain="domain", cvm="cvm-1")
WHERE = ("--api", "https://prism.example/backends/", "--domain", "domain")


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.glob("*.json")}


def forget(run: Run, *arguments: object) -> Ran:
    return run("cvm", "forget", *WHERE, *arguments)


def test_a_machine_is_forgotten_and_policies_are_not(run: Run, tmp_path: Path) -> None:
    marks = Marks(folder=tmp_path / "marks")
    marks.register(KEY, MACHINE)
    marks.note_policy(KEY, bytes(32))
    ran = forget(run, "cvm-1", "--state", tmp_path)
    assert (ran.code, ran.stdout) == (0, "forgotten: cvm-1, production roots\n")
    assert (marks.identity(KEY), marks.policy_digest(KEY)) == (None, bytes(32))


def test_your_own_folder_is_the_default(run: Run) -> None:
    Marks.default().register(KEY, MACHINE)
    assert forget(run, "cvm-1").stdout.startswith("forgotten")
    assert Marks.default().identity(KEY) is None


@pytest.mark.parametrize(
    "arguments",
    [
        ("cvm-2",),
        ("cvm-1", "--trust", "simulated"),
        ("cvm-1", "--domain", "other"),
        ("cvm-1", "--api", "https://b.example"),
    ],
)
def test_only_the_one_that_was_named_is_forgotten(run: Run, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    marks = Marks(folder=tmp_path / "marks")
    marks.register(KEY, MACHINE)
    ran = forget(run, *arguments, "--state", tmp_path)
    assert (ran.code, ran.stdout.startswith("nothing was remembered")) == (0, True)
    assert marks.identity(KEY) == MACHINE


def test_a_simulated_one_is_forgotten_under_its_own_roots(run: Run, tmp_path: Path) -> None:
    marks = Marks(folder=tmp_path / "marks")
    simulated = CvmKey(trust="simulated", api=KEY.api, domain=KEY.domain, cvm=KEY.cvm)
    marks.register(simulated, MACHINE)
    assert forget(run, "cvm-1", "--trust", "simulated", "--state", tmp_path).stdout.startswith("forgotten")
    assert marks.identity(simulated) is None


def test_a_damaged_mark_goes_as_well(run: Run, tmp_path: Path) -> None:
    marks = Marks(folder=tmp_path / "marks")
    marks.register(KEY, MACHINE)
    (mark,) = marks.folder.glob("*.json")
    mark.write_text("damaged")
    assert forget(run, "cvm-1", "--state", tmp_path).stdout.startswith("forgotten")
    assert files(marks.folder) == set()


def test_as_json(run: Run, tmp_path: Path, root: Path) -> None:
    ran = forget(run, "cvm-1", "--state", tmp_path, "--json")
    jsonschema.validate(ran.document, json.loads((root / CVM_SCHEMA_FILE).read_text()))
    assert (ran.document["forgotten"], ran.document["api"]) == (False, KEY.api)
    assert files(tmp_path) == set()


@pytest.mark.parametrize(
    "arguments",
    [
        ("cvm-1", "--api", "http://prism.example"),
        ("cvm-1", "--api", "nonsense"),
        ("cvm-1", "--domain", "a/b"),
        ("a/b",),
        ("",),
        ("cvm-1", "--trust", "any"),
        ("cvm-1", "--token-file", "token"),
    ],
)
def test_what_names_no_cvm_is_exit_1(run: Run, arguments: tuple[str, ...]) -> None:
    assert forget(run, *arguments, "--json").code == 1


def test_a_folder_that_is_none_is_exit_4(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert forget(run, "cvm-1", "--state", tmp_path / "file" / "below", "--json").code == 4
