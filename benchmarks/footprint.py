"""Start and resident memory of `cvmproof-agent serve` against a process that only imports its libraries.

Each is looked at from outside when it is ready: the agent has printed its URL, the other has imported gRPC, pyOpenSSL,
and of protobuf what generated stubs import. What counts is measured on the canned device, because no guest has the
simulator, a hardware's stand-in; with the simulated one, which stands on the command line then, it is reported beside.

All of them run from compiled modules, as installed ones do: whether the checkout has any depends on who last ran it.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.rounds import NANOSECONDS_PER_MICROSECOND, Figure, Round

ROUNDS = 15
_FLOOR = """
import grpc, OpenSSL.SSL
from google.protobuf import descriptor, descriptor_pool, message, runtime_version, symbol_database
from google.protobuf.internal import builder
print(flush=True)
input()
"""
_AGENT = """
class Device:
    tee, name, vmpl = "sev-snp", "none", 0
    def close(self): pass
from cvmproof_agent.attester import DeviceAttester
from cvmproof_agent.cli import serve
from cvmproof_agent.cli.main import main
serve.open_attester = lambda _: DeviceAttester(Device())
main(["serve", "--listen", "127.0.0.1:0"])
"""
_SIMULATED = """
from cvmproof_agent.cli.main import main
main(["serve", "--listen", "127.0.0.1:0", "--device", "simulated:snp"])
"""


@dataclass(frozen=True, slots=True)
class Footprint:
    """What a process has taken once it is ready: microseconds of CPU, resident memory in KiB."""

    cpu_us: float
    resident_kib: float


_Rounds = Sequence[tuple[Footprint, Footprint, Footprint]]


def measure() -> list[Figure]:
    """Measure all three, alternating."""
    with tempfile.TemporaryDirectory() as compiled:
        for code in (_FLOOR, _AGENT, _SIMULATED):
            _of(code, compiled)
        rounds = [[_of(code, compiled) for code in (_FLOOR, _AGENT, _SIMULATED, _FLOOR)] for _ in range(ROUNDS)]
    agent = [(before, found, after) for before, found, _, after in rounds]
    simulated = [(before, found, after) for before, _, found, after in rounds]
    start = "until it serves over importing its libraries, CPU time"
    memory = "over importing its libraries, resident memory"
    return [
        Figure.of(f"agent {start}", _each(agent, _cpu), limit=1.3),
        Figure.of(f"agent that serves {memory}", _each(agent, _resident), limit=1.2, unit="KiB"),
        Figure.of(f"agent of a simulated device {start}", _each(simulated, _cpu), limit=None),
        Figure.of(f"agent of a simulated device {memory}", _each(simulated, _resident), limit=None, unit="KiB"),
    ]


def _each(rounds: _Rounds, read: Callable[[Footprint], float]) -> list[Round]:
    return [(read(before), read(found), read(after)) for before, found, after in rounds]


def _cpu(found: Footprint) -> float:
    return found.cpu_us


def _resident(found: Footprint) -> float:
    return found.resident_kib


def _of(code: str, compiled: str) -> Footprint:
    pipe, null = subprocess.PIPE, subprocess.DEVNULL
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment["PYTHONPYCACHEPREFIX"] = compiled
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=pipe, stdout=pipe, stderr=null, env=environment
    ) as process:
        try:
            if process.stdout is None or not process.stdout.readline():
                raise ValueError("it has not started")
            return _look(Path(f"/proc/{process.pid}"))
        finally:
            process.terminate()


def _look(process: Path) -> Footprint:
    # Linux, proc_pid_schedstat(5): nanoseconds on the CPU, by thread; stat counts in hundredths of a second.
    on_cpu = sum(int(path.read_text().split()[0]) for path in process.glob("task/*/schedstat"))
    resident = next(line for line in (process / "status").read_text().splitlines() if line.startswith("VmRSS:"))
    return Footprint(on_cpu / NANOSECONDS_PER_MICROSECOND, float(resident.split()[1]))
