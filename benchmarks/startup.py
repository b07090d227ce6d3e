"""`cvmproof verify` as a whole process against a process that only imports cryptography."""

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.material import CERTIFICATES, CRL, REPORT, REPORT_DATA
from benchmarks.rounds import Figure
from cvmproof_simulator.psp import SIMULATED_MEASUREMENT

ROUNDS = 15
_FLOOR = (
    sys.executable,
    "-c",
    "from cryptography import x509; from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa",
)


def measure() -> list[Figure]:
    """Measure with `--json`, and with the tree that people read."""
    with tempfile.TemporaryDirectory() as name:
        command = _command(Path(name))
        return [
            _figure("verify --json, whole process, over importing cryptography", [*command, "--json"], 2.0),
            _figure("verify with the tree, whole process, over importing cryptography", command, 2.6),
        ]


def _command(folder: Path) -> list[str]:
    (folder / "report.bin").write_bytes(REPORT)
    (folder / "policy.toml").write_text(
        f'extends = "builtin:recommended"\n[snp]\nmeasurements = ["{SIMULATED_MEASUREMENT.hex()}"]\n'
    )
    collateral = folder / "collateral"
    collateral.mkdir()
    for index, der in enumerate((*CERTIFICATES, CRL)):
        (collateral / f"{index}.der").write_bytes(der)
    options = ["--trust", "simulated", "--offline", "--at", "2026-11-21T00:00:00Z"]
    files = ["--policy", str(folder / "policy.toml"), "--collateral", str(collateral)]
    program = str(Path(sys.executable).with_name("cvmproof"))
    return [program, "verify", str(folder / "report.bin"), "--report-data", REPORT_DATA.hex(), *files, *options]


def _figure(name: str, command: list[str], target: float) -> Figure:
    ratios, contestants, floors = [], [], []
    for _ in range(ROUNDS):
        before, found, after = (_cpu_us(run) for run in (list(_FLOOR), command, list(_FLOOR)))
        ratios.append(2 * found / (before + after))
        contestants.append(found)
        floors += [before, after]
    return Figure(
        name=name,
        ratio=statistics.median(ratios),
        target=target,
        limit=target,
        contestant_us=min(contestants),
        floor_us=min(floors),
    )


def _cpu_us(command: list[str]) -> float:
    """Run a command that must succeed; give the CPU time of the child, user and system, in microseconds."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return (usage.ru_utime + usage.ru_stime) * 1e6
