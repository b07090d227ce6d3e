"""The console scripts as real processes: what they load, what they write where, how they end."""

import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cvmproof_formats.snp.product import ProductLine
from cvmproof_simulator.evidence import collateral_files, nonce_evidence
from cvmproof_simulator.kds import FakeKds
from cvmproof_simulator.misbehaviour import slow_answer
from cvmproof_simulator.psp import SIMULATED_MEASUREMENT, SoftwarePsp

SCRIPTS = Path(sys.executable).parent
NONCE = bytes(range(32))
HEAVY = (
    "rich",
    "httpx",
    "httpcore",
    "grpc",
    "stamina",
    "tenacity",
    "filelock",
    "cryptography.x509",
    "email",
    "tempfile",
)
LIMIT = 60  # seconds

LOADED = """
import atexit, os, sys
from cvmproof.cli.main import cli
code = cli.run(sys.argv[1:])
print(*sorted(sys.modules), file=sys.stderr)
sys.exit(code)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    psp = SoftwarePsp(ProductLine.GENOA)
    (tmp_path / "collateral").mkdir()
    for name, data in collateral_files(psp, datetime.now(UTC).replace(microsecond=0)).items():
        (tmp_path / "collateral" / name).write_bytes(data)
    (tmp_path / "good.json").write_bytes(nonce_evidence(psp, NONCE))
    (tmp_path / "debug.json").write_bytes(nonce_evidence(psp, NONCE, {"policy": 0xB0000}))
    (tmp_path / "policy.toml").write_text(
        f'extends = "builtin:recommended"\n[snp]\nmeasurements = ["{SIMULATED_MEASUREMENT.hex()}"]\n'
    )
    return tmp_path


def environment(folder: Path, **more: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in os.environ if not name.startswith(("CVMPROOF_", "COV", "XDG_"))}
    return {**kept, "HOME": str(folder / "home"), **more}


def arguments(evidence: str, *more: str) -> list[str]:
    freshness = ["--nonce", NONCE.hex(), "--policy", "policy.toml", "--trust", "simulated"]
    return ["verify", evidence, *freshness, "--collateral", "collateral", "--offline", "--state", "state", *more]


def run(folder: Path, *command: str, **more: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        command, cwd=folder, env=environment(folder, **more), check=False, capture_output=True, timeout=LIMIT
    )


@pytest.mark.parametrize(("evidence", "code"), [("good.json", 0), ("debug.json", 3), ("nowhere.json", 1)])
def test_the_process_ends_with_the_exit_code(folder: Path, evidence: str, code: int) -> None:
    assert run(folder, str(SCRIPTS / "cvmproof"), *arguments(evidence)).returncode == code


def test_the_module_is_the_same_program(folder: Path) -> None:
    done = run(folder, sys.executable, "-m", "cvmproof.cli", *arguments("good.json", "--json"))
    assert done.returncode == 0
    assert json.loads(done.stdout)["verdict"] == "accepted"
    assert done.stderr == b""


def loaded(folder: Path, *command: str) -> set[str]:
    done = run(folder, sys.executable, "-I", "-c", LOADED, *command)
    assert done.returncode == 0, done.stderr
    return set(done.stderr.decode().split())


@pytest.mark.parametrize("form", [("--json",), ()])
def test_a_verification_loads_nothing_that_it_does_not_need(folder: Path, form: tuple[str, ...]) -> None:
    loaded(folder, *arguments("good.json", *form))  # the first one writes down how new the collateral was
    assert loaded(folder, *arguments("good.json", *form)) & {*HEAVY, "platformdirs"} == set()


def test_what_an_snp_report_needs_has_nothing_of_tdx(folder: Path) -> None:
    modules = loaded(folder, *arguments("good.json", "--json"))
    assert not {"cvmproof.tdx.technology", "cvmproof.policy.tdx_rules", "cvmproof_formats.tdx.quote"} & modules


def test_json_does_without_the_tree(folder: Path) -> None:
    modules = loaded(folder, *arguments("good.json", "--json"))
    assert "cvmproof.rendering.tree" not in modules
    assert "cvmproof.cli.collateral_store" not in modules


def test_what_a_fetch_needs_is_loaded_by_a_fetch(folder: Path) -> None:
    with FakeKds(SoftwarePsp(ProductLine.GENOA)) as kds:
        where = ("--collateral", "store", "--trust", "simulated", "--kds", kds.url)
        assert {"httpx", "stamina"} <= loaded(folder, "collateral", "fetch", "--product", "Genoa", *where)


def test_a_terminal_without_unicode_gets_plain_lines(folder: Path) -> None:
    done = run(folder, str(SCRIPTS / "cvmproof"), *arguments("good.json"), PYTHONIOENCODING="ascii")
    assert done.returncode == 0
    assert done.stdout.decode("ascii").splitlines()[1].startswith("|- ok   chain")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("form", [("--json",), ()])
def test_a_result_that_could_not_be_written_is_not_exit_0(folder: Path, form: tuple[str, ...]) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [str(SCRIPTS / "cvmproof"), *arguments("good.json", *form)],
            cwd=folder,
            env=environment(folder),
            check=False,
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=LIMIT,
        )
    assert done.returncode == 5
    assert b"could not be written" in done.stderr
    assert b"Traceback" not in done.stderr


@pytest.mark.skipif(os.name == "nt", reason="signals as POSIX has them")
def test_a_reader_that_goes_away_is_no_traceback(folder: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [str(SCRIPTS / "cvmproof"), *arguments("good.json", "--json")],
        cwd=folder,
        env=environment(folder),
        check=False,
        stdout=writing,
        stderr=subprocess.PIPE,
        timeout=LIMIT,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (-signal.SIGPIPE, b"")


@pytest.mark.skipif(os.name == "nt", reason="signals as POSIX has them")
def test_ctrl_c_during_a_fetch_is_no_traceback(folder: Path) -> None:
    with FakeKds(SoftwarePsp(ProductLine.GENOA)) as kds:
        kds.misbehave(slow_answer(30.0))
        process = subprocess.Popen(
            [
                *(str(SCRIPTS / "cvmproof"), "collateral", "fetch", "--product", "Genoa"),
                *("--collateral", "store", "--trust", "simulated", "--kds", kds.url),
            ],
            cwd=folder,
            env=environment(folder),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        deadline = time.monotonic() + 20
        while not kds.requests and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=LIMIT)
    assert process.returncode == -signal.SIGINT
    assert stderr.decode().splitlines()[-1] == "interrupted"
    assert b"Traceback" not in stderr


def test_the_simulators_console_writes_what_the_verifiers_accepts(folder: Path) -> None:
    written = run(
        folder,
        *(str(SCRIPTS / "cvmproof-simulator"), "evidence", "--nonce", NONCE.hex()),
        *("--collateral", "collateral", "-o", "good.json"),
    )
    assert written.returncode == 0
    assert run(folder, str(SCRIPTS / "cvmproof"), *arguments("good.json")).returncode == 0


def test_the_example_program_acts_on_the_verdicts(folder: Path, root: Path) -> None:
    for name, evidence in (("good.json", NONCE), ("debug.json", NONCE)):
        target = folder / name.removesuffix(".json")
        target.mkdir()
        (target / f"{evidence.hex()}.json").write_bytes((folder / name).read_bytes())
    program = [sys.executable, str(root / "examples" / "control_plane.py"), str(root / "examples" / "image.toml")]
    good = run(folder, *program, "good", "collateral")
    evil = run(folder, *program, "debug", "collateral")
    assert (good.returncode, evil.returncode) == (0, 1), good.stderr + evil.stderr
    assert b"accepted until" in good.stdout
    assert b"rejected: DEBUG" in evil.stdout


@pytest.mark.parametrize("name", ["floor.toml", "image.toml", "provider.toml", "td.toml"])
def test_the_example_policies_are_valid(folder: Path, root: Path, name: str) -> None:
    assert run(folder, str(SCRIPTS / "cvmproof"), "policy", "check", str(root / "examples" / name)).returncode == 0
