"""`own` as a process: a socket from the service manager, readiness, the watchdog, and dying at any moment."""

import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from tests.agent.cli.program import clean, run
from tests.agent.machine import SOON, Client, serving
from tests.agent.owner.owning import ME, NONCE, ONLY_A_NONCE, front

from cvmproof_formats.errors import DeviceError

RUN = """
import os
os.dup2({descriptor}, 3)
os.environ |= {{"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1", "WATCHDOG_PID": str(os.getpid())}}
from cvmproof_agent.cli.main import main
main({arguments!r})
"""
SEED = 5
as_root = pytest.mark.skipif(ME != 0, reason="an owner answers root and the front's user only")


class Owner:
    """A service manager's view: the socket is ours, the process comes and goes."""

    def __init__(self, listening: socket.socket, *arguments: str, **environment: str) -> None:
        code = RUN.format(descriptor=listening.fileno(), arguments=["own", *arguments])
        self.process = subprocess.Popen(
            [sys.executable, "-c", code],
            env={**clean(), **environment},
            pass_fds=[listening.fileno()],
            stderr=subprocess.PIPE,
            text=True,
        )

    def end(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        self.process.send_signal(number)
        _, said = self.process.communicate(timeout=SOON)
        return self.process.returncode, said


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "device.sock"


@pytest.fixture
def listening(path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))
        made.listen(16)
        yield made


@contextmanager
def owned(listening: socket.socket, *arguments: str, **environment: str) -> Iterator[Owner]:
    owner = Owner(listening, "--device", "simulated:snp", *arguments, **environment)
    with owner.process:
        try:
            yield owner
        finally:
            owner.process.kill()


@as_root
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_answers_until_told_to_stop_and_ends_with_0(
    number: signal.Signals, listening: socket.socket, path: Path
) -> None:
    with owned(listening) as owner:
        assert front(path).attest(ONLY_A_NONCE).nonce == NONCE
        assert owner.end(number)[0] == 0
    assert path.exists()  # the service manager's, who goes on listening


@as_root
def test_a_request_made_while_it_starts_waits_for_it(listening: socket.socket, path: Path) -> None:
    found: list[bytes | None] = []
    asking = threading.Thread(target=lambda: found.append(front(path).attest(ONLY_A_NONCE).nonce))
    asking.start()
    with owned(listening):
        asking.join(SOON)
    assert found == [NONCE]


def test_it_tells_the_service_manager_how_it_is(listening: socket.socket, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(SOON)
        with owned(listening, NOTIFY_SOCKET=str(tmp_path / "notify"), WATCHDOG_USEC="200000") as owner:
            assert manager.recv(100) == b"READY=1"
            assert manager.recv(100) == b"WATCHDOG=1"
            owner.process.terminate()
            said = set()
            with suppress(TimeoutError):
                while b"STOPPING=1" not in said:
                    said.add(manager.recv(100))
    assert said <= {b"WATCHDOG=1", b"STOPPING=1"}
    assert b"STOPPING=1" in said


@as_root
def test_the_rate_is_the_settings(listening: socket.socket, path: Path, tmp_path: Path) -> None:
    written = tmp_path / "agent.toml"
    written.write_text("[limits]\nreports_per_second = 5.0\nreport_burst = 1\n")
    written.chmod(0o600)
    with owned(listening, "--config", str(written)):
        asked = front(path)
        started = time.monotonic()
        for _ in range(3):
            asked.attest(ONLY_A_NONCE)
        assert time.monotonic() - started >= 0.39


def test_the_owner_of_an_owner_is_refused() -> None:
    ran = run("own", "--device", "owner")
    assert (ran.code, "needs a device of its own" in ran.err) == (1, True)


def test_without_a_device_it_ends() -> None:
    ran = run("own", "--device", "no such device")
    assert ran.code == 1


@pytest.mark.skipif(Path("/run/cvmproof-device").exists(), reason="an owner is installed here")
def test_without_a_socket_and_a_folder_for_one_it_ends() -> None:
    ran = run("own", "--device", "simulated:snp")
    assert (ran.code, "can't listen at /run/cvmproof-device/device.sock" in ran.err) == (5, True)


@as_root
def test_ac_128_killed_at_any_moment_it_is_back_for_the_next_request(
    listening: socket.socket, path: Path, request: pytest.FixtureRequest
) -> None:
    kills = 30 if request.config.getoption("--sweep") == "full" else 5
    wait = random.Random(SEED)  # noqa: S311 -- the same moments each time
    with owned(listening):
        asked = front(path)
        with serving(asked) as agent:
            for _ in range(kills):
                with owned(listening) as owner, suppress(DeviceError):
                    threading.Timer(wait.uniform(0, 0.4), owner.process.kill).start()
                    while owner.process.poll() is None:
                        asked.attest(ONLY_A_NONCE)
            with Client(agent.address) as client:
                assert client.ask().HasField("evidence")


@as_root
def test_after_it_was_killed_alone_the_front_waits_for_its_successor(listening: socket.socket, path: Path) -> None:
    with owned(listening) as first:
        asked = front(path)
        first.end(signal.SIGKILL)
    answers: list[bytes | None] = []
    asking = threading.Thread(target=lambda: answers.append(asked.attest(ONLY_A_NONCE).nonce))
    asking.start()
    with owned(listening):
        asking.join(SOON)
    assert answers == [NONCE]


@as_root
def test_it_loads_no_tls_no_grpc_and_no_event_loop(listening: socket.socket, path: Path) -> None:
    with owned(listening) as owner:
        front(path).attest(ONLY_A_NONCE)
        mapped = Path(f"/proc/{owner.process.pid}/maps").read_text()
        status = Path(f"/proc/{owner.process.pid}/status").read_text()
    assert [line for line in mapped.splitlines() if "grpc" in line or "cygrpc" in line or "_ssl" in line] == []
    assert "Seccomp:\t2" in status
