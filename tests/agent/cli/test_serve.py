"""`serve` as a process: signals, the service manager, and dying at any moment."""

import json
import os
import random
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import grpc
import pytest
from OpenSSL import SSL
from tests.agent.cli.program import COMMAND, Serving, clean, run, serve
from tests.agent.machine import SOON, Client, eventually, unary
from tests.verifier.channel.fake_agent import collateral, policy

from cvmproof.channel.connect import connect
from cvmproof.trust import TrustRoots
from cvmproof_agent.asking import ask
from cvmproof_agent.cli.serve import read_address
from cvmproof_agent.private_socket import PREFIX
from cvmproof_formats.errors import CvmproofError, Misuse

KILLS = {"quick": 6, "full": 201}  # a third while it starts, serves and stops
SEED = 3


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_until_told_to_stop_and_ends_with_0(number: signal.Signals) -> None:
    with serve() as agent:
        with Client(agent.address) as client:
            assert client.ask().HasField("evidence")
        started = time.monotonic()
        code, logged = agent.end(number)
    assert code == 0
    assert time.monotonic() - started < 5
    assert {json.loads(line)["level"] for line in logged.splitlines()} == {"info"}


def test_collections_are_as_always_once_it_serves_and_look_at_nothing_that_was_there_before() -> None:
    program = (
        "import gc; from cvmproof_agent.cli import serve; from cvmproof_agent.cli.main import main\n"
        "before = gc.get_threshold()\n"
        "serve.wait_for_stop = lambda _:"
        " print(gc.get_threshold() == before, gc.isenabled(), gc.get_freeze_count() > 10_000)\n"
        "main(['serve', '--device', 'simulated:snp', '--listen', '127.0.0.1:0'])"
    )
    ran = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=60)
    assert ran.stdout.splitlines()[1:] == ["True True True"]


def test_it_stops_within_five_seconds_with_clients_that_stay() -> None:
    with serve() as agent, Client(agent.address) as one, Client(agent.address, alpn=b"h2"):
        one.ask()
        started = time.monotonic()
        assert agent.end()[0] == 0
        assert time.monotonic() - started < 6


def test_ac_123_without_a_device_it_refuses_to_start() -> None:
    ran = run("serve", "--listen", "127.0.0.1:0")
    assert ran.code == 5
    assert ran.out == ""
    assert "no confidential computing device" in ran.err


@pytest.mark.parametrize(
    ("name", "value", "category"),
    [
        ("CVMPROOF_DEVICE", "simulated:snp", "SIMULATED"),
        ("CVMPROOF_SIMULATED", "1", "SIMULATED"),
        ("CVMPROOF_TSM_PATH", "/tmp/tsm", "POLICY_INVALID"),  # noqa: S108 -- a name, and nothing is there
        ("CVMPROOF_LOG_LEVEL", "loud", "POLICY_INVALID"),
    ],
)
def test_ac_124_the_environment_names_no_device(name: str, value: str, category: str) -> None:
    ran = run("serve", "--device", "simulated:snp", "--listen", "127.0.0.1:0", environment={name: value})
    assert ran.code == 1
    assert ran.err.startswith(f"cvmproof-agent: {category}: ")


def test_ac_124_a_configuration_file_names_no_simulated_device(tmp_path: Path) -> None:
    path = tmp_path / "agent.toml"
    path.write_text('device = "simulated:snp"\n')
    path.chmod(0o600)
    ran = run("serve", "--listen", "127.0.0.1:0", "--config", str(path))
    assert ran.code == 1
    assert "SIMULATED" in ran.err


def test_a_configuration_file_sets_limits_and_sockets(tmp_path: Path) -> None:
    path, user = tmp_path / "agent.toml", tmp_path / "user.sock"
    path.write_text(f'user_socket = "{user}"\n[limits]\nconnections_per_network = 1\n')
    path.chmod(0o600)
    with serve("--config", str(path)) as agent, Client(agent.address):
        assert ask(user, b"x").user_data == b"x"
        with socket.create_connection(agent.address, timeout=5) as second:
            assert second.recv(1) == b""


def test_the_service_manager_hears_of_start_life_and_end(tmp_path: Path) -> None:
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(path))
        manager.settimeout(10)
        environment = {"NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "100000"}
        with serve(environment=environment) as agent:
            assert manager.recv(100) == b"READY=1"
            assert manager.recv(100) == b"WATCHDOG=1"
            agent.end()
        told = []
        while b"STOPPING=1" not in told:
            told.append(manager.recv(100))


def test_nobody_looks_into_the_process_and_it_dumps_no_core() -> None:
    with serve() as agent:
        folder = Path("/proc", str(agent.process.pid))
        limits = [line.split() for line in (folder / "limits").read_text().splitlines()]
        assert ["Max", "core", "file", "size", "0", "0", "bytes"] in limits
        assert stat.S_IMODE((folder / "environ").stat().st_mode) == 0o400
        assert (folder / "environ").stat().st_uid == 0  # proc(5): root's, where a process is not dumpable


class Killing:
    """Agents one after the other on the same paths; a moment is a number from 0 to 1."""

    def __init__(self, folder: Path) -> None:
        self.temporary, self.user, config = folder / "tmp", folder / "user.sock", folder / "agent.toml"
        self.temporary.mkdir()
        config.write_text(f'user_socket = "{self.user}"\n[limits]\nreports_per_second = 1000\nreport_burst = 1000\n')
        config.chmod(0o600)
        self.environment = {"TMPDIR": str(self.temporary)}
        self.arguments = ("--config", str(config))
        self.keys: set[bytes] = set()
        self.start_seconds = 0.0

    def starting(self, moment: float) -> None:
        command = [*COMMAND, "serve", "--device", "simulated:snp", "--listen", "127.0.0.1:0", *self.arguments]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, env={**clean(), **self.environment}, stdout=pipe, stderr=pipe) as process:
            time.sleep(moment * self.start_seconds)
            process.kill()
            process.communicate(timeout=SOON)

    def serving(self, moment: float) -> None:
        with self._busy() as agent:
            time.sleep(moment * 0.2)
            assert self.working.is_alive(), "the client gave up on an agent that serves"
            assert agent.end(signal.SIGKILL)[0] == -signal.SIGKILL

    def stopping(self, moment: float) -> None:
        with self._busy() as agent:
            agent.process.send_signal(signal.SIGTERM)
            time.sleep(moment * 0.1)
            assert agent.end(signal.SIGKILL)[0] in {0, -signal.SIGKILL}

    @contextmanager
    def _busy(self) -> Iterator[Serving]:
        """An agent that serves, at work for a client that never stops by itself."""
        started = time.monotonic()
        with serve(*self.arguments, environment=self.environment) as agent:
            self.start_seconds = time.monotonic() - started
            with Client(agent.address) as client:
                assert client.ask().HasField("evidence")
                self.keys.add(client.spki)
            assert self.left_over() == []
            self.working = threading.Thread(target=work, args=(agent.address, self.user), daemon=True)
            self.working.start()
            yield agent
            self.working.join(SOON)
            assert not self.working.is_alive(), "a client hangs on a dead agent"
            assert self.left_over() == []

    def left_over(self) -> list[Path]:
        return list(self.temporary.iterdir())


def work(address: tuple[str, int], user: Path) -> None:
    """An attested channel and a call over it, a request broken off, and user data, until the agent is gone."""
    url = "https://{}:{}".format(*address)
    with suppress(OSError, SSL.Error, grpc.RpcError, CvmproofError):
        while True:
            with connect(url, policies=[policy()], trust=TrustRoots.simulated(), collateral=collateral()) as attested:
                unary(attested.channel, "/grpc.health.v1.Health/Check")(b"", timeout=SOON)
            with Client(address) as client:
                client.tls.sendall(b"\0\0\0\x22\x0a")
            ask(user, b"x")


def test_ac_128_killed_at_any_moment_it_starts_again_with_another_key_and_leaves_nothing(
    tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    kills, dice = KILLS[pytestconfig.getoption("--sweep")], random.Random(SEED)  # noqa: S311 -- moments, not secrets
    killing = Killing(tmp_path)
    killing.serving(1)  # gRPC keeps a few threads and descriptors of its own once a channel was made
    before = threads_and_descriptors()
    for kill in (killing.starting, killing.serving, killing.stopping) * (kills // 3):
        kill(dice.random())
    assert len(killing.keys) == 1 + 2 * kills // 3
    with serve(*killing.arguments, environment=killing.environment) as agent, Client(agent.address) as client:
        assert client.ask().HasField("evidence")
        assert killing.left_over() == []
        agent.end()
    assert not killing.user.exists()
    eventually(lambda: all(now <= then for now, then in zip(threads_and_descriptors(), before, strict=True)))


def threads_and_descriptors() -> tuple[int, int]:
    return len(list(Path("/proc/self/task").iterdir())), len(list(Path("/proc/self/fd").iterdir()))


def test_ac_128_a_client_killed_within_its_exchange_costs_nothing() -> None:
    with serve() as agent:
        folder = Path("/proc", str(agent.process.pid), "fd")
        before = len(list(folder.iterdir()))
        for size in (0, 2, 4, 20, 40):
            with Client(agent.address) as client:
                client.tls.sendall((b"\x00\x00\x00\x22\x0a\x20" + bytes(32))[:size])
                client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        with Client(agent.address) as client:
            assert client.ask().HasField("evidence")
        deadline = time.monotonic() + 10
        while len(list(folder.iterdir())) > before:
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_ac_126_the_process_logs_nothing_of_the_exchange(tmp_path: Path) -> None:
    nonce = bytes(range(50, 82))
    with serve("--log-level", "debug", "--user-socket", str(tmp_path / "u")) as agent:
        with Client(agent.address) as client:
            secrets = [nonce, client.ask(nonce).evidence.report[:64], client.spki]
        ask(tmp_path / "u", b"what a process has to say")
        secrets.append(b"what a process has to say")
        with pytest.raises(SSL.Error):
            Client(agent.address, highest=SSL.TLS1_2_VERSION).__enter__()
        _, logged = agent.end()
    assert all(json.loads(line).keys() == {"time", "level", "logger", "message"} for line in logged.splitlines())
    assert not any(secret.hex() in logged or repr(secret)[2:-1] in logged for secret in secrets)


@pytest.mark.parametrize(
    ("text", "address"),
    [("0.0.0.0:8443", ("0.0.0.0", 8443)), ("[::1]:1", ("::1", 1)), ("127.0.0.1:0", ("127.0.0.1", 0))],  # noqa: S104 -- read only
)
def test_an_address_is_read(text: str, address: tuple[str, int]) -> None:
    assert read_address(text) == address


@pytest.mark.parametrize(
    "text", ["", "8443", ":8443", "localhost:1", "::1:1", "[127.0.0.1]:1", "1.2.3.4:65536", "1.2.3.4:-1"]
)
def test_another_address_is_misuse(text: str) -> None:
    with pytest.raises(Misuse, match="expected ADDRESS:PORT"):
        read_address(text)


def test_the_temporary_folder_of_this_machine_holds_none_of_ours() -> None:
    pids = {path.name.removeprefix(PREFIX).partition("-")[0] for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*")}
    assert str(os.getpid()) not in pids
