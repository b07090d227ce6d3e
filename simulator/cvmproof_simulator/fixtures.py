"""Fixtures made by the simulator: evidence, policy, collateral and the verifier's answer, the same bytes each time.

    python -m cvmproof_simulator.fixtures            writes fixtures/<case>/
    python -m cvmproof_simulator.fixtures --check    compares and writes nothing

Fixed keys, a fixed nonce and fixed times make them come out the same. For use in a clone.
"""

import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cvmproof_formats.snp.product import KeyKind, ProductLine
from cvmproof_simulator.evidence import collateral_files, nonce_evidence
from cvmproof_simulator.program import command_of, environment
from cvmproof_simulator.psp import SIMULATED_CSP, SIMULATED_MEASUREMENT, ReportFields, SoftwarePsp

AT: Final = datetime(2026, 9, 1, tzinfo=UTC)
NONCE: Final = bytes(range(32))
_HOST_DATA: Final = bytes.fromhex("5a" * 32)
_TIME_LIMIT: Final = 60  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One fixture: a machine, what is odd about its report, the policy, and what comes out."""

    name: str
    about: str
    psp: SoftwarePsp
    changes: ReportFields
    policy: str
    exit_code: int


_IMAGE: Final = f"""\
extends = "builtin:recommended"

[snp]
measurements = ["{SIMULATED_MEASUREMENT.hex()}"]
"""

CASES: Final = (
    Case(
        name="genoa-accepted",
        about="An ordinary guest on Genoa, signed by the chip's own key (VCEK): accepted.",
        psp=SoftwarePsp(ProductLine.GENOA),
        changes={},
        policy=_IMAGE,
        exit_code=0,
    ),
    Case(
        name="turin-refused",
        about=(
            "A guest on Turin, signed by a provider's key (VLEK): debugging is on, other software was launched, from\n"
            "VMPL 1, on a host without the alias check. Each of them is a reason of its own."
        ),
        psp=SoftwarePsp(ProductLine.TURIN, KeyKind.VLEK, version=3),
        changes={
            "policy": 0xB0000,
            "measurement": bytes.fromhex("91be04ad" * 12),
            "vmpl": 1,
            "platform_info": 0x05,
            "host_data": _HOST_DATA,
        },
        policy=f'{_IMAGE}signing_keys = ["VLEK"]\ncsp_ids = ["{SIMULATED_CSP}"]\nhost_data = ["{_HOST_DATA.hex()}"]\n',
        exit_code=3,
    ),
)


def case_files(case: Case) -> Mapping[str, bytes]:
    """Everything in a fixture's folder but the verifier's answer, by path below the folder."""
    collateral = {f"collateral/{name}": data for name, data in collateral_files(case.psp, AT).items()}
    return {
        "README.md": _readme(case).encode(),
        "evidence.json": nonce_evidence(case.psp, NONCE, case.changes),
        "policy.toml": case.policy.encode(),
        **collateral,
    }


def expected_answer(case: Case, folder: Path) -> bytes:
    """What the verifier says to the files in a folder.

    Raises RuntimeError if its exit code is not the case's.
    """
    done = subprocess.run(
        [*command_of("cvmproof"), *_arguments()],
        cwd=folder,
        env=environment(color=False),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=_TIME_LIMIT,
        check=False,
    )
    if done.returncode != case.exit_code:
        message = f"{case.name}: expected exit code {case.exit_code}, got {done.returncode}: {done.stderr.decode()}"
        raise RuntimeError(message)
    return done.stdout.replace(b"\r\n", b"\n")


def _arguments() -> list[str]:
    freshness = ["--nonce", NONCE.hex(), "--at", f"{AT:%Y-%m-%dT%H:%M:%SZ}"]
    sources = ["--policy", "policy.toml", "--collateral", "collateral", "--offline"]
    return ["verify", "evidence.json", *freshness, *sources, "--trust", "simulated", "--json"]


def _readme(case: Case) -> str:
    command = " \\\n    ".join((f"cvmproof {' '.join(_arguments()[:4])}", " ".join(_arguments()[4:])))
    return (
        f"# {case.name}\n\n{case.about}\n\n"
        "SIMULATED: made by `python -m cvmproof_simulator.fixtures` with public keys; from no machine.\n\n"
        f"```console\n$ {command}\n```\n\nExit code {case.exit_code}; `expected.json` is what it prints.\n"
    )


def generate(root: Path) -> Mapping[Path, bytes]:
    """Make every fixture anew: the content of each file below `root`."""
    made: dict[Path, bytes] = {}
    for case in CASES:
        with tempfile.TemporaryDirectory(prefix="cvmproof-fixture-") as name:
            folder = Path(name)
            files = case_files(case)
            _write({folder / path: data for path, data in files.items()})
            answer = expected_answer(case, folder)
        made |= {root / case.name / path: data for path, data in {**files, "expected.json": answer}.items()}
    return made


def _write(files: Mapping[Path, bytes]) -> None:
    for path, data in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def main(arguments: list[str]) -> int:
    """Write the fixtures, or with --check say which differ; gives the exit code."""
    root = Path(__file__).resolve().parents[2] / "fixtures"
    if not root.parent.joinpath("pyproject.toml").is_file():
        sys.stderr.write("cvmproof_simulator.fixtures works in a clone, next to fixtures/\n")
        return 1
    wanted = generate(root)
    stale = {path: data for path, data in wanted.items() if not path.is_file() or path.read_bytes() != data}
    for path in stale:
        sys.stdout.write(f"{'differs' if '--check' in arguments else 'wrote'} {path.relative_to(root)}\n")
    if "--check" in arguments:
        return 1 if stale else 0
    _write(stale)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
