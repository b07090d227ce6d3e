"""Whatever happens, a command ends with one of seven exit codes, and --json prints one object."""

import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from cvmproof.cli import main as program
from cvmproof.cli import output
from cvmproof.cli.exit_code import ExitCode, exit_code_of
from cvmproof.errors import (
    CollateralError,
    CvmproofError,
    DeviceError,
    EndpointError,
    EvidenceError,
    Malformed,
    Misuse,
)
from cvmproof_formats.errors import Category
from cvmproof_simulator.evidence import nonce_evidence
from cvmproof_simulator.psp import SoftwarePsp

from .conftest import NONCE, Run


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Misuse("x"), 1),
        (Malformed("x"), 2),
        (EvidenceError("x"), 2),
        (CollateralError("x"), 4),
        (EndpointError("x"), 5),
        (DeviceError("x"), 5),
        (CvmproofError("x"), 70),
    ],
)
def test_whose_fault_it_is_decides_the_exit_code(error: CvmproofError, code: int) -> None:
    assert exit_code_of(error) == code


def test_without_a_command_the_help_is_shown_and_the_exit_code_is_1(run: Run) -> None:
    ran = run()
    assert ran.code == 1
    assert "verify" in ran.stderr


@pytest.mark.parametrize("option", ["-h", "--help", "--version"])
@pytest.mark.parametrize("command", [(), ("verify",), ("policy",), ("policy", "new"), ("collateral", "show")])
def test_every_command_has_help_and_version(run: Run, command: tuple[str, ...], option: str) -> None:
    ran = run(*command, option)
    assert ran.code == 0
    assert ran.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense", "--json"),
        ("verify", "--json"),
        ("verify", "a", "--json", "--policy"),
        ("verify", "a", "--json", "--trust", "everything", "--policy", "builtin:genuine"),
        ("policy", "list", "--json", "--nonsense"),
        ("policy", "--json"),
    ],
)
def test_being_used_wrongly_is_exit_1_and_still_one_object(run: Run, arguments: tuple[str, ...]) -> None:
    ran = run(*arguments)
    assert ran.code == 1
    assert ran.document["error"]["class"] == "Misuse"
    assert ran.document["error"]["category"] == "POLICY_INVALID"
    assert ran.document["error"]["hint"].endswith("--help")


def break_verification(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def broken(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("cvmproof.cli.verify.gather", broken)


def test_our_own_bug_is_exit_70_one_line_and_never_a_verdict(verify: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    break_verification(monkeypatch, KeyError("oops"))
    ran = verify("good.json", "--json")
    assert ran.code == 70
    assert ran.document["error"] == {
        "class": "CvmproofError",
        "category": "INTERNAL",
        "message": "KeyError: 'oops'",
        "hint": ran.document["error"]["hint"],
    }
    assert "report this" in ran.document["error"]["hint"]
    assert "Traceback" not in ran.stderr


@pytest.mark.parametrize("level", [("--log-level", "debug"), ("--log-level=debug",)])
def test_a_traceback_is_shown_to_who_asks_for_it(
    verify: Run, monkeypatch: pytest.MonkeyPatch, level: tuple[str, ...]
) -> None:
    break_verification(monkeypatch, KeyError("oops"))
    assert "Traceback" in verify("good.json", *level).stderr


@pytest.mark.parametrize(
    ("error", "code", "category"),
    [
        (EndpointError("the other end"), 5, "ENDPOINT"),
        (DeviceError("no device"), 5, "UNAVAILABLE"),
        (CollateralError("none"), 4, "UNAVAILABLE"),
    ],
)
def test_other_faults_have_their_exit_codes(
    verify: Run, monkeypatch: pytest.MonkeyPatch, error: CvmproofError, code: int, category: str
) -> None:
    break_verification(monkeypatch, error)
    ran = verify("good.json", "--json")
    assert (ran.code, ran.document["error"]["category"]) == (code, category)


def test_ctrl_c_ends_as_the_signal_does(verify: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    died: list[str] = []

    def die(name: str) -> None:
        died.append(name)
        raise SystemExit(130)

    break_verification(monkeypatch, KeyboardInterrupt())
    monkeypatch.setattr(program, "die_by", die)
    ran = verify("good.json")
    assert (died, ran.stderr) == (["SIGINT"], "interrupted\n")


def test_a_reader_that_went_away_ends_as_the_signal_does(verify: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    died: list[str] = []

    def die(name: str) -> None:
        died.append(name)
        raise SystemExit(141)

    break_verification(monkeypatch, BrokenPipeError())
    monkeypatch.setattr(program, "die_by", die)
    verify("good.json")
    assert died == ["SIGPIPE"]


def test_a_result_that_can_not_be_written_is_not_exit_0(
    verify: Run, monkeypatch: pytest.MonkeyPatch, folder: Path
) -> None:
    def full(text: str) -> None:
        raise EndpointError(f"standard output: the result could not be written: {text[:0]}no space")

    monkeypatch.setattr(output, "_write", full)
    assert verify("good.json").code == 5
    monkeypatch.undo()
    assert folder.is_dir()


# --- abuse cases -----------------------------------------------------------------------------------------------------


def test_ac_094_no_evidence_at_all_is_no_acceptance(run: Run) -> None:
    ran = run("verify", "--no-freshness", "--policy", "builtin:genuine", "--json")
    assert (ran.code, ran.categories()) == (1, {"POLICY_INVALID"})


def test_ac_094_empty_evidence_is_no_acceptance(verify: Run, folder: Path) -> None:
    (folder / "empty").write_bytes(b"")
    ran = verify("empty", "--json")
    assert (ran.code, ran.categories()) == (2, {"MALFORMED"})


def test_ac_094_of_two_pieces_of_evidence_none_is_taken_for_both(verify: Run, folder: Path) -> None:
    ran = verify("good.json", folder / "debug.json", "--json")
    assert (ran.code, ran.categories()) == (1, {"POLICY_INVALID"})
    assert (verify("good.json").code, verify("debug.json").code) == (0, 3)


@pytest.mark.parametrize("name", ["CVMPROOF_TRUST", "CVMPROOF_SIMULATED", "CVMPROOF_SIMULATOR", "CVMPROOF_TRUST_ROOTS"])
def test_ac_096_the_environment_can_not_choose_the_trust_set(
    verify: Run, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "simulated")
    ran = verify("good.json", "--json")
    assert (ran.code, ran.categories()) == (1, {"SIMULATED"})


def test_ac_096_the_configuration_can_not_choose_the_trust_set(verify: Run, home: Path) -> None:
    (home / "cvmproof").mkdir(parents=True)
    (home / "cvmproof" / "config.toml").write_text('trust = "simulated"\n')
    ran = verify("good.json", "--json")
    assert (ran.code, ran.categories()) == (1, {"SIMULATED"})


def failing_commands(folder: Path) -> list[tuple[str, ...]]:
    (folder / "empty").write_bytes(b"")
    good, policy = str(folder / "good.json"), str(folder / "policy.toml")
    return [
        ("verify", good, "--policy", policy),
        ("verify", str(folder / "empty"), "--no-freshness", "--policy", policy),
        ("verify", good, "--no-freshness", "--policy", policy, "--offline"),
        ("verify", good, "--no-freshness", "--policy", "builtin:nonsense"),
        ("verify", str(folder / "debug.json"), "--no-freshness", "--policy", policy, "--offline"),
        ("verify", str(folder / "nowhere"), "--no-freshness", "--policy", policy),
        ("inspect", str(folder / "empty")),
        ("explain", str(folder / "empty")),
        ("policy", "check", str(folder / "empty")),
        ("policy", "new", "--from", "builtin:genuine"),
        ("policy", "from-evidence", str(folder / "empty")),
        ("collateral", "fetch"),
        ("collateral", "import", str(folder / "nowhere")),
    ]


@pytest.mark.parametrize("index", range(13))
def test_ac_098_every_error_path_says_its_category_and_never_verified(run: Run, folder: Path, index: int) -> None:
    ran = run(*failing_commands(folder)[index])
    assert ran.code in {1, 2, 3, 4}
    assert any(category in ran.stdout + ran.stderr for category in Category)
    assert "verified" not in (ran.stdout + ran.stderr).lower()


HOSTILE = "\x1b[2J\u202egnihton\n\r\x07"


@pytest.mark.parametrize("text", [HOSTILE, HOSTILE * 60_000])
def test_ac_127_strings_in_evidence_are_escaped_and_cut(verify: Run, folder: Path, text: str) -> None:
    for field in ("tee", "binding", "schema", "role"):
        document = json.loads((folder / "good.json").read_text())
        (folder / "hostile.json").write_text(json.dumps(document | {field: text}))
        ran = verify("hostile.json", "--json")
        assert (ran.code, ran.categories()) == (2, {"UNSUPPORTED"})
        assert_harmless(ran.stdout + ran.stderr)


def test_ac_127_names_in_certificates_are_escaped(run: Run, folder: Path, psp: SoftwarePsp) -> None:
    (folder / "hostile.der").write_bytes(psp.authorities.with_ark(common_name=f"ARK{HOSTILE}").ark)
    ran = run("inspect", folder / "hostile.der")
    assert_harmless(ran.stdout + ran.stderr)


def test_ac_127_a_hostile_file_name_is_escaped(run: Run, folder: Path, psp: SoftwarePsp) -> None:
    name = f"{HOSTILE.replace(chr(10), '')}.json"
    (folder / name).write_bytes(nonce_evidence(psp, NONCE))
    ran = run("inspect", folder / name)
    assert ran.code == 0
    assert_harmless(ran.stdout + ran.stderr)


def assert_harmless(text: str) -> None:
    assert not {"\x1b", "\u202e", "\r", "\x07"} & set(text)
    assert len(text) < 10_000


def test_completion_goes_through_click(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_CVMPROOF_COMPLETE", "bash_source")
    monkeypatch.setattr(sys, "argv", ["cvmproof"])
    result = CliRunner().invoke(program.cli, [])
    assert "_cvmproof_completion" in result.stdout


def test_a_code_is_an_exit_code() -> None:
    assert [int(code) for code in ExitCode] == [0, 1, 2, 3, 4, 5, 70]
