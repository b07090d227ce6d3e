"""`serve` as a process: signals, the service manager, and dying at any moment."""

import json
import os
import random
import signal
import socket
import stat
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
from OpenSSL import SSL
from tests.agent.cli.program import COMMAND, clean, run, serve
from tests.agent.machine import Client

from cvmproof_agent.asking import ask
from cvmproof_agent.cli.serve import read_address
from cvmproof_agent.private_socket import PREFIX
from cvmproof_formats.errors import Misuse


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_until_told_to_stop_and_ends_with_0(number: signal.Signals) -> None:
    with serve() as agent:
        with Client(agent.address) as client:
            assert client.ask().HasField("evidence")
        started = time.monotonic()
        code, logged = agent.end(number)
    assert code == 0
    assert time.monotonic() - started < 5
    assert [json.loads(line)["level"] for line in logged.splitlines()] == ["info"]


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


def test_ac_128_killed_at_any_moment_it_starts_again_with_another_key_and_leaves_nothing(tmp_path: Path) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    user = tmp_path / "user.sock"
    environment = {"TMPDIR": str(temporary)}
    keys = set()
    for _ in range(6):
        with serve("--user-socket", str(user), environment=environment) as agent:
            with Client(agent.address) as client:
                keys.add(client.spki)
                if random.random() < 0.5:  # noqa: S311 -- any moment will do
                    client.ask()
                assert agent.end(signal.SIGKILL)[0] == -signal.SIGKILL
            assert list(temporary.glob(f"{PREFIX}*")) == []
    assert len(keys) == 6
    with serve("--user-socket", str(user), environment=environment) as agent, Client(agent.address) as client:
        assert client.ask().HasField("evidence")
        agent.end()
    assert not user.exists()


def test_ac_128_killed_while_it_starts_it_leaves_nothing_the_next_start_minds(tmp_path: Path) -> None:
    environment = {**clean(), "TMPDIR": str(tmp_path)}
    command = [*COMMAND, "serve", "--device", "simulated:snp", "--listen", "127.0.0.1:0"]
    for step in range(8):
        with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            time.sleep(0.25 + 0.04 * step)
            process.kill()
            process.communicate()
    with serve(environment={"TMPDIR": str(tmp_path)}) as agent:
        with Client(agent.address) as client:
            assert client.ask().HasField("evidence")
        assert list(tmp_path.glob(f"{PREFIX}*")) == []


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
    [("0.0.0.0:8443", ("0.0.0.0", 8443)), ("[::1]:1", ("::1", 1)), ("127.0.0.1:0", ("127.0.0.1", 0))],  # noqa: S104
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
