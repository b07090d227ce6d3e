"""`cvmproof-simulator prism`: what it says at its start is true, and it ends when it is told to."""

import http.client
import json
import os
import re
import shlex
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from cvmproof_formats.errors import Misuse
from cvmproof_simulator import cli
from cvmproof_simulator.prism_command import read_address, read_token

COMMAND = [sys.executable, "-c", "from cvmproof_simulator.cli import main; main()", "prism"]


@contextmanager
def served(*arguments: str) -> Iterator[tuple["subprocess.Popen[str]", dict[str, str]]]:
    """Start it, and read what it says: each line by its first word."""
    with subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.PIPE, text=True) as process:
        try:
            said = {}
            while "cvmproof" not in said:
                line = (process.stdout or pytest.fail("no output")).readline().rstrip("\n")
                assert line, "it ended before it had said everything"
                said[line.split()[0]] = line
            yield process, said
        finally:
            process.terminate()  # killed, it would leave the file with its token


def get(base: str, path: str, token: str) -> tuple[int, bytes]:
    parts = urlsplit(base)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
    try:
        connection.request("GET", parts.path + path, headers={"Authorization": f"Bearer {token}"})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_until_it_is_told_to_end(number: signal.Signals, tmp_path: Path) -> None:
    (tmp_path / "policy").write_bytes(b"policy")
    cvms = ("--cvm", f"cvm-good=https://127.0.0.1:40101,{tmp_path / 'policy'}", "--cvm", "cvm-evil=127.0.0.1:40102")
    with served(*cvms) as (process, said):
        token_file = Path(said["token"].split(" in ")[1])
        assert stat.S_IMODE(token_file.stat().st_mode) == 0o600
        token, base, domain = token_file.read_text().strip(), said["base"].split()[-1], said["domain"].split()[-1]
        status, body = get(base, f"/{domain}/cvms", token)
        assert status == 200
        assert [(cvm["name"], cvm["agent_url"]) for cvm in json.loads(body)["cvms"]] == [
            ("cvm-evil", "https://127.0.0.1:40102"),
            ("cvm-good", "https://127.0.0.1:40101"),
        ]
        policy = get(base, f"/{domain}/cvms/cvm-good/attestation_policy", token)
        assert json.loads(policy[1]) == {"attestation_policy": "cG9saWN5"}
        assert get(base, f"/{domain}/cvms", "wrong")[0] == 401
        process.send_signal(number)
        assert process.wait(10) == 0
    assert not token_file.exists()


def test_the_curl_line_works_as_it_stands(tool: Callable[[str], Path], tmp_path: Path) -> None:
    tool("curl")
    file = tmp_path / "a token"
    file.write_text("my-token\n")
    with served("--domain", "a domain", "--token-file", str(file), "--spelling", "observed", "--cvm", "a=b:1") as (
        _,
        said,
    ):
        environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        shell = ["/bin/sh", "-c", f"{said['curl']} --silent --max-time 10"]
        done = subprocess.run(shell, env=environment, capture_output=True, check=True)
        assert [cvm["agent_url"] for cvm in json.loads(done.stdout)["cvms"]] == ["b:1"]
        words = shlex.split(said["cvmproof"])
        assert words == [
            *("cvmproof", "cvm", "list", "--api", said["base"].split()[-1]),
            *("--domain", "a domain", "--token-file", str(file)),
        ]
    assert file.read_text() == "my-token\n"


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["cvmproof-simulator", "prism", *arguments])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--cvm", "no-url"), "expected NAME=AGENT_URL"),
        (("--cvm", "=https://a.example"), "expected NAME=AGENT_URL"),
        (("--cvm", "a=https://a.example,"), "expected NAME=AGENT_URL"),
        (("--cvm", "a=https://a.example,missing/file"), "--cvm: policy missing/file: No such file or directory"),
        (("--cvm", "a=https://a.example,/dev/zero"), "expected at most 1048576 bytes"),
        (("--token-file", "missing/file"), "--token-file missing/file: No such file or directory"),
        (("--token-file", "/dev/null"), "a token of visible ASCII characters"),
        (("--listen", "192.0.2.1:0"), "expected an address of this machine only"),
        (("--spelling", "other"), "Invalid value for '--spelling'"),
    ],
)
def test_being_used_wrongly_is_one_sentence_and_exit_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    before = signal.getsignal(signal.SIGTERM)
    assert run(monkeypatch, *arguments) == 1
    assert message in capsys.readouterr().err
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_port_that_is_taken_is_said_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    with served() as (_, said):
        port = urlsplit(said["base"].split()[-1]).port
        assert run(monkeypatch, "--listen", f"127.0.0.1:{port}") == 1
    assert re.search(r"--listen 127\.0\.0\.1:[0-9]+: Address already in use", capsys.readouterr().err)


@pytest.mark.parametrize(
    ("text", "address"), [("127.0.0.1:0", ("127.0.0.1", 0)), ("127.0.0.2:65535", ("127.0.0.2", 65535))]
)
def test_an_address_of_this_machine_is_taken(text: str, address: tuple[str, int]) -> None:
    assert read_address(text) == address


@pytest.mark.parametrize("text", ["", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536", ":80", "0.0.0.0:80"])
def test_any_other_address_is_not(text: str) -> None:
    with pytest.raises(Misuse, match="--listen: expected"):
        read_address(text)


@pytest.mark.parametrize("data", [b"", b"\n", b"two words", b"two\nlines", b"\xff", b"a" * 4097, b"a" * 8193])
def test_a_token_is_one_line_of_visible_characters(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "token").write_bytes(data)
    with pytest.raises(Misuse, match="--token-file"):
        read_token(tmp_path / "token")
    (tmp_path / "token").write_bytes(b"good.token\r\n")
    assert read_token(tmp_path / "token") == "good.token"
