"""A domain to verify, each part in a process of its own: a fake Prism, agents behind it, and a counter before each.

`python -m benchmarks.domain prism COUNT BLOCK URL...` serves a fake Prism with so many CVMs, each agent in turn
answering for so many that follow each other. `python -m benchmarks.domain front URL HOST` passes connections on to an
agent from an address of its own, and counts how many were open at once: when one comes, those are counted whose other
end has not closed, however far we are with them. Both say where they are and end with their input; the counter then
says what it counted.
"""

import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.material import POLICY_TEXT
from cvmproof_simulator.prism import FakePrism

DOMAIN, TOKEN = "benchmark", "benchmark"
AGENTS = 4
_CHUNK = 64 * 1024
_FOLDER = Path(__file__).resolve().parent.parent
# One machine answers for a hundred CVMs here, so its limits for one are lifted; connections stay as delivered.
_UNHURRIED = """[limits]
handshakes_per_second = 1e6
handshake_burst = 1_000_000
reports_per_second = 1e6
report_burst = 1_000_000
"""


@dataclass(frozen=True, slots=True)
class Part:
    """One process of the domain, and what it said where it is."""

    process: "subprocess.Popen[str]"
    where: str

    def cpu_us(self) -> float:
        """CPU time so far, by the clock ticks of proc_pid_stat(5), in microseconds."""
        # The name, in brackets, may hold anything; utime and stime are fields 14 and 15, counted from 1.
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK") * 1e6


@contextmanager
def agents() -> Iterator[tuple[Part, ...]]:
    """Run the agents, on 127.0.0.1 to 127.0.0.4."""
    program = str(Path(sys.executable).with_name("cvmproof-agent"))
    with ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory()))
        (folder / "agent.toml").write_text(_UNHURRIED)
        options = ["--device", "simulated:snp", "--config", str(folder / "agent.toml")]
        yield tuple(
            running.enter_context(_run([program, "serve", *options, "--listen", f"127.0.0.{number}:0"], signal.SIGTERM))
            for number in range(1, AGENTS + 1)
        )


@contextmanager
def prism(urls: Sequence[str], count: int, *, block: int = 1) -> Iterator[Part]:
    """Run a fake Prism with so many CVMs, of which `block` in a row are one agent's."""
    command = [sys.executable, "-m", "benchmarks.domain", "prism", str(count), str(block), *urls]
    with _run(command) as part:
        yield part


@contextmanager
def fronts(behind: Sequence[str]) -> Iterator[tuple[Part, ...]]:
    """Run a counter before each agent, on 127.0.1.1 to 127.0.1.4."""
    with ExitStack() as running:
        yield tuple(
            running.enter_context(_run([sys.executable, "-m", "benchmarks.domain", "front", url, f"127.0.1.{number}"]))
            for number, url in enumerate(behind, 1)
        )


def most_at_once(front: Part) -> int:
    """End a counter, and give what it counted."""
    out, _ = front.process.communicate(timeout=30)
    return int(out)


@contextmanager
def _run(command: list[str], end: signal.Signals | None = None) -> Iterator[Part]:
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=_FOLDER, stdin=pipe, stdout=pipe, text=True) as process:
        try:
            if process.stdout is None or not (where := process.stdout.readline().strip()):
                raise ValueError(f"{command[0]} has not started")
            yield Part(process, where)
        finally:
            if end is not None:
                process.send_signal(end)
            if process.returncode is None:
                process.communicate(timeout=30)


def _serve_prism(count: int, block: int, urls: Sequence[str]) -> None:
    with FakePrism(domain=DOMAIN, token=TOKEN) as served:
        for number in range(count):
            name = f"cvm-{number:04}"
            served.add(name, id=name, agent_url=urls[number // block % len(urls)], policy=POLICY_TEXT)
        print(served.url, flush=True)
        sys.stdin.read()


class _Front:
    """Takes connections, a thread for each, and passes them on."""

    def __init__(self, behind: str, host: str) -> None:
        name, _, port = behind.removeprefix("https://").rpartition(":")
        self._behind = name, int(port)
        self._listening = socket.create_server((host, 0))
        self._open: list[socket.socket] = []
        self._lock = threading.Lock()
        self.most = 0

    @property
    def url(self) -> str:
        return "https://{}:{}".format(*self._listening.getsockname())

    def serve(self) -> None:
        while True:
            client, _ = self._listening.accept()
            with self._lock:
                self.most = max(self.most, 1 + sum(map(_is_open, self._open)))
                self._open.append(client)
            threading.Thread(target=self._pass_on, args=(client,), daemon=True).start()

    def _pass_on(self, client: socket.socket) -> None:
        with suppress(OSError), socket.create_connection(self._behind) as agent:
            other = {client: agent, agent: client}
            while True:
                readable, _, _ = select.select(list(other), [], [])
                if not all(self._move(source, other[source]) for source in readable):
                    break
        with self._lock:
            self._open.remove(client)
        client.close()

    def _move(self, source: socket.socket, sink: socket.socket) -> bool:
        data = source.recv(_CHUNK)
        sink.sendall(data)
        return bool(data)


def _is_open(client: socket.socket) -> bool:
    poll = select.poll()
    poll.register(client, select.POLLRDHUP)
    return not poll.poll(0)


def _serve_front(behind: str, host: str) -> None:
    front = _Front(behind, host)
    threading.Thread(target=front.serve, daemon=True).start()
    print(front.url, flush=True)
    sys.stdin.read()
    print(front.most, flush=True)


def main() -> None:
    """Serve what the command line says until the end of the input."""
    match sys.argv[1:]:
        case ["prism", count, block, *urls]:
            _serve_prism(int(count), int(block), urls)
        case ["front", behind, host]:
            _serve_front(behind, host)


if __name__ == "__main__":
    main()
