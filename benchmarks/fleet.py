"""`cvmproof cvm verify --all` over 500 CVMs that four agents answer for: throughput, where the time goes, limits.

`python -m benchmarks.fleet 2000` measures with as many CVMs.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from benchmarks.domain import DOMAIN, TOKEN, Part, agents, fronts, most_at_once, prism
from benchmarks.figures import show
from benchmarks.fleet_run import EARLY, PARTS, Run
from benchmarks.material import POLICY_TEXT, PSP
from benchmarks.rounds import Figure
from cvmproof.collateral.store import CollateralStore
from cvmproof.trust import TrustRoots
from cvmproof_simulator.evidence import collateral_files

CVMS: Final = 500
COUNTED: Final = 120  # CVMs of a run in which connections are counted
BLOCK: Final = 30  # of them in a row at one host, so that there is a crowd to hold back
PER_HOST: Final = 4
CONCURRENCIES: Final = (1, 4, 8, 16)
_RUNS = 3
_FOLDER = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Whole:
    """The command as a process: microseconds for each CVM, wall and CPU, and the agents' CPU meanwhile."""

    wall_us: float
    cpu_us: float
    agents_cpu_us: float


def measure(cvms: int = CVMS) -> list[Figure]:
    """Measure everything; takes half a minute for 500 CVMs."""
    with _operator() as options, agents() as machines:
        urls = [machine.where for machine in machines]
        with prism(urls, cvms) as api:
            command = _command(api, options)
            runs = _watched(command)
            wholes = [_as_process(command, machines, cvms) for _ in range(_RUNS)]
        counted = [_counted(urls, options, concurrency) for concurrency in CONCURRENCIES]
    return [*_throughput(runs, wholes), *_shares(runs[1:]), *_memory(runs[0], cvms), *counted]


def _throughput(runs: Sequence[Run], wholes: Sequence[Whole]) -> list[Figure]:
    """Compare with the appraisals alone, which were measured before and after each run but the first."""
    bare = [run.bare_us / run.cvms for run in runs]
    inside = [
        (before, run.cpu_us / run.cvms, after) for before, run, after in zip(bare, runs[1:], bare[1:], strict=False)
    ]
    floor = min(bare)
    what = "cvm verify --all, for each CVM"
    return [
        Figure.of(f"{what}: the verifier's CPU time over its appraisal's", inside, limit=None),
        Figure.of(f"{what}: the same, whole process", [(floor, one.cpu_us, floor) for one in wholes], limit=None),
        Figure.of(f"{what}: time that passes", [(floor, one.wall_us, floor) for one in wholes], limit=None),
        Figure.of(f"{what}: the agents' CPU time", [(floor, one.agents_cpu_us, floor) for one in wholes], limit=None),
    ]


def _shares(runs: Sequence[Run]) -> list[Figure]:
    return [
        Figure.of(
            f"share of the verifier's CPU time for a CVM: {name}",
            [(run.cpu_us / run.cvms, run.parts[name] / run.cvms, run.cpu_us / run.cvms) for run in runs],
            limit=None,
        )
        for name in PARTS
    ]


def _memory(run: Run, cvms: int) -> list[Figure]:
    rounds = [(run.early_kib, run.late_kib, run.early_kib)]
    return [Figure.of(f"resident memory at CVM {cvms} over CVM {EARLY}", rounds, limit=1.1, unit="KiB")]


def _counted(urls: Sequence[str], options: Sequence[str], concurrency: int) -> Figure:
    """Count how many connections one host had at once, at a counter before it."""
    with fronts(urls) as counters, prism([counter.where for counter in counters], COUNTED, block=BLOCK) as api:
        limits = ["--concurrency", str(concurrency), "--per-host", str(PER_HOST)]
        _require_success(subprocess.run([*_command(api, options), *limits], stdout=subprocess.DEVNULL, check=False))
        most = max(most_at_once(counter) for counter in counters)
    name = f"most connections to one host at once over --per-host, --concurrency {concurrency}"
    return Figure.of(name, [(PER_HOST, most, PER_HOST)], limit=1.0, unit="open")


def _watched(command: Sequence[str]) -> list[Run]:
    run = [sys.executable, "-m", "benchmarks.fleet_run", str(_RUNS), *command[1:]]
    with subprocess.Popen(run, cwd=_FOLDER, stdout=subprocess.PIPE, text=True) as process:
        out, _ = process.communicate()
    runs = [Run(**json.loads(line)) for line in out.splitlines()]
    if process.returncode or len(runs) != _RUNS or any(one.exit_code for one in runs):
        raise ValueError(f"{command[:3]}: {runs}")
    return runs


def _as_process(command: Sequence[str], machines: Sequence[Part], cvms: int) -> Whole:
    before, start = sum(machine.cpu_us() for machine in machines), time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    _require_success(process)
    wall = time.perf_counter() - start
    used = sum(machine.cpu_us() for machine in machines) - before
    return Whole(wall * 1e6 / cvms, (usage.ru_utime + usage.ru_stime) * 1e6 / cvms, used / cvms)


def _require_success(process: "subprocess.Popen[bytes] | subprocess.CompletedProcess[bytes]") -> None:
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, process.args)


def _command(api: Part, options: Sequence[str]) -> list[str]:
    program = str(Path(sys.executable).with_name("cvmproof"))
    return [program, "cvm", "verify", "--all", "--api", api.where, "--domain", DOMAIN, "--json", *options]


@contextmanager
def _operator() -> Iterator[list[str]]:
    """Give an operator's options: a floor, a store that is filled, and marks of their own."""
    with tempfile.TemporaryDirectory() as name:
        folder, now = Path(name), datetime.now(UTC).replace(microsecond=0)
        given = folder / "given"
        given.mkdir()
        for file, data in collateral_files(PSP, now).items():
            (given / file).write_bytes(data)
        CollateralStore(folder=folder / "collateral", trust=TrustRoots.simulated()).import_(given, now)
        (folder / "floor.toml").write_bytes(POLICY_TEXT)
        (folder / "token").write_text(TOKEN)
        (folder / "token").chmod(0o600)
        options = ["--token-file", "token", "--collateral", "collateral", "--state", "state", "--floor", "floor.toml"]
        paths = [option if option.startswith("--") else str(folder / option) for option in options]
        reachable = ["--allow-address", "127.0.0.0/8", "--allow-port", "1024-65535"]
        yield [*paths, *reachable, "--trust", "simulated", "--offline"]


if __name__ == "__main__":
    show(measure(int(sys.argv[1]) if len(sys.argv) > 1 else CVMS))
