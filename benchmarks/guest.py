"""The agent as a guest runs it: `serve` with unmodified defaults, in a harness that shows it emulated devices.

A thousand requests at once, and the time from its start to the first evidence. Root alone may mount the devices at the
real paths; without it nothing is measured.
"""

import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc

from benchmarks.calls import channel, leaf_of
from benchmarks.rounds import Figure, Round
from cvmproof_agent.limits import Limits
from cvmproof_protos.v1.attestation_pb2 import EvidenceRequest
from cvmproof_simulator.devices.harness import Running, launched

STARTS = 9
CROWD = 1000  # requests at once
CHANNELS = 60  # below what one network may open in a burst
HOST = "127.0.0.1"
_DEADLINE = 60.0  # seconds, the client's
_GET_EVIDENCE = "/cvmproof.v1.Attestation/GetEvidence"
_AGENT = (sys.executable, "-c", "from cvmproof_agent.cli.main import main; main()", "serve", "--listen", f"{HOST}:0")
_LIBRARIES = "import grpc, OpenSSL.SSL; from google.protobuf import message"


def measure() -> list[Figure]:
    """Measure both; nothing where the devices can't be had."""
    if os.geteuid() != 0:
        return []
    return [*_crowded(), *_starts()]


@dataclass(frozen=True, slots=True)
class Crowd:
    """What became of requests that all came at once."""

    outcomes: Counter[str]
    """`OK`, or the name of the gRPC status."""
    asked: int
    """Reports that the device was asked for."""
    seconds: float
    peak_kib: int
    """The most memory that the agent ever had until then."""


def _crowded() -> list[Figure]:
    """Hold two crowds to the rate, and the second one to the memory of the first."""
    first, second = crowds(2)
    limits = Limits()
    allowed = [limits.report_burst + limits.reports_per_second * crowd.seconds for crowd in (first, second)]
    rates: list[Round] = [
        (most, float(crowd.asked), most) for most, crowd in zip(allowed, (first, second), strict=True)
    ]
    answered, later = first.outcomes["OK"], first.outcomes["RESOURCE_EXHAUSTED"]
    what = f"{CROWD} requests at once, {answered} answered and {later} told to come later"
    peaks: Round = (float(first.peak_kib), float(second.peak_kib), float(first.peak_kib))
    return [
        Figure.of(f"{what}: reports over what the rate allows", rates, limit=1.0, unit="reports"),
        Figure.of("the agent's memory at its peak, second such crowd over the first", [peaks], limit=1.1, unit="KiB"),
    ]


def crowds(times: int) -> list[Crowd]:
    """Let them come to one agent, one after the other."""
    with _guest("snp") as (running, port), ExitStack() as stack:
        leaf = leaf_of(HOST, port)
        channels = [stack.enter_context(channel(HOST, port, leaf)) for _ in range(CHANNELS)]
        return [_crowd(running, channels) for _ in range(times)]


def _crowd(running: Running, channels: Sequence[grpc.Channel]) -> Crowd:
    """Ask a thousand times at once, over a few channels, and wait for every answer."""
    running.devices.reset()
    started = time.monotonic()
    with ThreadPoolExecutor(CROWD) as pool:
        outcomes = Counter(pool.map(lambda number: _ask(channels[number % CHANNELS]), range(CROWD)))
    seconds = time.monotonic() - started
    asked = running.devices.calls()["tsm.report"]
    return Crowd(outcomes, asked, seconds, peak_kib=_memory(running.process.pid, "VmHWM"))


def _ask(over: grpc.Channel) -> str:
    call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = over.unary_unary(_GET_EVIDENCE)
    try:
        call(EvidenceRequest(nonce=os.urandom(32)).SerializeToString(), timeout=_DEADLINE)
    except grpc.RpcError as error:
        return str(error.code().name)
    return "OK"


def _starts() -> list[Figure]:
    """From the start of the process to the first evidence, over importing the agent's libraries; time that passes."""
    found = []
    for machine in ("snp", "tdx"):
        rounds: list[Round] = [(_libraries(), _first_evidence(machine), _libraries()) for _ in range(STARTS)]
        name = f"from start to the first evidence of {machine}, over importing the libraries, time that passes"
        found.append(Figure.of(name, rounds, limit=None))
    return found


def _first_evidence(machine: str) -> float:
    started = time.perf_counter()
    with _guest(machine) as (_, port), channel(HOST, port) as over:
        if _ask(over) != "OK":
            raise ValueError("the agent gave no evidence")
        return (time.perf_counter() - started) * 1e6


def _libraries() -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", _LIBRARIES], check=True)
    return (time.perf_counter() - started) * 1e6


@contextmanager
def _guest(machine: str) -> Iterator[tuple[Running, int]]:
    """An agent that serves in a harness, and its port."""
    with launched(_AGENT, machine=machine, quiet=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as running:
        if running.process.stdout is None or not (said := running.process.stdout.readline()):
            raise ValueError("the agent has not started")
        yield running, int(said.decode().rpartition(":")[2])


def _memory(process: int, name: str) -> int:
    """KiB of memory, as proc_pid_status(5) names them."""
    lines = Path(f"/proc/{process}/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))
