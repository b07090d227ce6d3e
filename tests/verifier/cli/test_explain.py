"""`cvmproof explain` repeats a result in prose, strictly read, and decides nothing."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.verifier.tdx.situation import Situation

from cvmproof.document import appraisal_document

from .conftest import Ran, Run


@pytest.fixture
def result(verify: Run) -> dict[str, Any]:
    found: dict[str, Any] = verify("debug.json", "--json").document
    return found


def explain(run: Run, folder: Path, document: object) -> Ran:
    (folder / "result.json").write_text(json.dumps(document))
    return run("explain", folder / "result.json")


def test_each_reason_comes_with_what_to_do(run: Run, folder: Path, result: dict[str, Any]) -> None:
    ran = explain(run, folder, result)
    assert ran.code == 0
    assert "The result says that the evidence was rejected" in ran.stdout
    assert "snp.guest_policy.debug failed" in ran.stdout
    assert "Next: launch the guest without debugging" in ran.stdout
    assert "SIMULATED" in ran.stdout


def test_it_never_speaks_for_itself(run: Run, folder: Path, verify: Run) -> None:
    ran = explain(run, folder, verify("good.json", "--json").document)
    assert ran.stdout.startswith("The result says that the evidence was accepted.")
    assert "opens nothing" in ran.stdout
    assert "verified" not in ran.stdout.lower()


def test_an_undecided_result_says_what_is_missing(run: Run, folder: Path) -> None:
    arguments = ("--no-freshness", "--policy", folder / "policy.toml", "--offline", "--json")
    ran = explain(run, folder, run("verify", folder / "good.json", *arguments).document)
    assert "could not be answered" in ran.stdout
    assert "collateral fetch" in ran.stdout


@pytest.mark.parametrize(
    ("situation", "words"),
    [
        (Situation(), ["was accepted", "Left open by every policy: tdx.", "tdx.mr_td"]),
        (
            Situation(quote={"td_attributes": 1}),
            ["was rejected", "tdx.attributes.debug failed", "Next: launch the guest without debugging"],
        ),
        (Situation(machine={"pcesvn": 1}), ["tdx.tcb.level failed", "Next: have the platform's firmware"]),
        (Situation(without=frozenset({"tcb_info"})), ["could not be answered", "collateral fetch"]),
    ],
)
def test_a_result_about_a_td_is_explained_as_well(
    run: Run, folder: Path, situation: Situation, words: list[str]
) -> None:
    ran = explain(run, folder, appraisal_document(situation.appraise(), [situation.policy]))
    assert ran.code == 0
    assert "AMD" not in ran.stdout
    for word in words:
        assert word in ran.stdout


def test_an_error_is_explained_too(run: Run, folder: Path) -> None:
    ran = explain(run, folder, run("verify", "--json").document)
    assert ran.stdout.startswith("There is no verdict. Misuse (POLICY_INVALID)")


def test_standard_input_is_read(run: Run, result: dict[str, Any]) -> None:
    assert run("explain", "-", stdin=json.dumps(result).encode()).code == 0


@pytest.mark.parametrize(
    "change",
    [
        {"verdict": "fine"},
        {"verdict": None},
        {"checks": {}},
        {"checks": [{}]},
        {"claims": None},
        {"more": 1},
        {"schema": "cvmproof.appraisal/2"},
        {"simulated": 1},
        {"expires_at": 0},
        {"unconstrained": [1]},
    ],
)
def test_anything_that_json_does_not_write_is_refused(
    run: Run, folder: Path, result: dict[str, Any], change: dict[str, Any]
) -> None:
    ran = explain(run, folder, {**result, **change})
    assert ran.code == 1
    assert "MALFORMED: result" in ran.stderr


@pytest.mark.parametrize(
    "text", ["", "[]", "null", "{}", '{"verdict": "accepted", "verdict": "accepted"}', '"accepted"']
)
def test_other_files_are_refused(run: Run, text: str) -> None:
    assert run("explain", "-", stdin=text.encode()).code == 1


def test_hostile_text_in_a_result_is_escaped(run: Run, folder: Path, result: dict[str, Any]) -> None:
    failed = next(check for check in result["checks"] if check["outcome"] == "fail")
    failed |= {"got": "\x1b[2J", "id": "\u202e", "why": "a\nb", "asked_by": "\x07"}
    ran = explain(run, folder, {**result, "notes": ["\x1b]0;"], "unconstrained": ["\x1b"]})
    assert ran.code == 0
    assert not {"\x1b", "\u202e", "\x07"} & set(ran.stdout)
