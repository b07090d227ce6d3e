"""Start and resident memory of `cvmproof-agent serve` against a process that only imports its libraries.

Both are looked at from outside when they are ready: the agent has printed its URL, the other has imported gRPC,
pyOpenSSL, and of protobuf what generated stubs import. The agent's device is the canned one, because the simulator, a
hardware's stand-in, is larger than the agent.
"""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from benchmarks.rounds import NANOSECONDS_PER_MICROSECOND, Figure

ROUNDS = 9
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
from cvmproof_agent.cli import serve
from cvmproof_agent.cli.main import main
serve.open_device = lambda _: Device()
main(["serve", "--listen", "127.0.0.1:0"])
"""


@dataclass(frozen=True, slots=True)
class Footprint:
    """What a process has taken once it is ready: microseconds of CPU, resident memory in KiB."""

    cpu_us: float
    resident_kib: float


def measure() -> list[Figure]:
    """Measure both, alternating."""
    rounds = [(_of(_FLOOR), _of(_AGENT), _of(_FLOOR)) for _ in range(ROUNDS)]
    start = [(before.cpu_us, found.cpu_us, after.cpu_us) for before, found, after in rounds]
    resident = [(before.resident_kib, found.resident_kib, after.resident_kib) for before, found, after in rounds]
    return [
        Figure.of("agent until it serves over importing its libraries, CPU time", start, limit=1.3),
        Figure.of("agent that serves over importing its libraries, resident memory", resident, limit=1.2, unit="KiB"),
    ]


def _of(code: str) -> Footprint:
    pipe, null = subprocess.PIPE, subprocess.DEVNULL
    with subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe, stderr=null) as process:
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
