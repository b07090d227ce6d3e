"""From a guest's devices to a verdict: the agent at the real paths, and a verifier that knows nothing of them."""

import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.agent.cli.program import clean
from tests.agent.machine import Client, report_data

from cvmproof_formats.binding import Tee
from cvmproof_protos.v1.attestation_pb2 import AttestedAnswer
from cvmproof_simulator.devices.harness import Running, launched

BIN = Path(sys.executable).parent
NONCE = "5a" * 32
KERNELS = [
    pytest.param("snp", "tsm", id="snp-configfs"),
    pytest.param("snp", "sev-guest", id="snp-ioctl"),
    pytest.param("snp,product=Turin,key=VLEK", "tsm,sev-guest", id="turin-vlek"),
    pytest.param("tdx", "tsm,ccel", id="tdx-configfs"),
    pytest.param("tdx,version=5", "tdx-guest,qgs,ccel", id="tdx-qgs"),
    pytest.param("tdx", "tdx-guest-vendor", id="tdx-vendor"),
]


def run(*command: object, code: int = 0) -> str:
    done = subprocess.run(
        list(map(str, command)), env=clean(), check=False, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


def collateral(machine: str, folder: Path) -> Path:
    """What AMD or Intel say of that machine, as a bundle."""
    kind, *options = machine.split(",")
    given = [f"--{option}" for option in options]
    tee = ["--tee", "tdx"] if kind == "tdx" else given
    run(BIN / "cvmproof-simulator", "evidence", *tee, "--nonce", NONCE, "--collateral", folder, "-o", folder / "unused")
    return folder


@pytest.mark.parametrize(("machine", "kernel"), KERNELS)
def test_evidence_of_a_guests_own_device_is_accepted(tmp_path: Path, machine: str, kernel: str) -> None:
    out = tmp_path / "evidence.json"
    (tmp_path / "collateral").mkdir()
    given = ["--machine", machine, "--kernel", kernel, "--quiet", "--"]
    collect = [BIN / "cvmproof-agent", "collect", "--nonce", NONCE, "--event-log", "--out", out]
    run(BIN / "cvmproof-simulator", "devices", *given, *collect)
    said = ["--trust", "simulated", "--collateral", collateral(machine, tmp_path / "collateral"), "--json"]
    verify = [BIN / "cvmproof", "verify", out, "--policy", "builtin:genuine", *said]
    verdict = json.loads(run(*verify, "--nonce", NONCE))
    assert (verdict["verdict"], verdict["simulated"]) == ("accepted", True)
    assert json.loads(run(*verify, "--nonce", "00" * 32, code=3))["verdict"] == "rejected"


@contextmanager
def agent(machine: str, folder: Path, *options: str, **how: object) -> Iterator[tuple[Running, tuple[str, int]]]:
    """`serve`, as it is, in a guest; gives its address too."""
    command = [str(BIN / "cvmproof-agent"), "serve", "--listen", "127.0.0.1:0", *options]
    reading, writing = os.pipe()
    with (
        os.fdopen(reading) as said,
        (folder / "log").open("wb") as log,
        launched(
            command,
            machine=machine,
            quiet=True,
            environment=clean(),
            stdout=writing,
            stderr=log,
            **how,  # type: ignore[arg-type]  # as `launched` names them
        ) as running,
    ):
        os.close(writing)
        host, _, port = said.readline().strip().removeprefix("https://").rpartition(":")
        yield running, (host, int(port))


@pytest.mark.parametrize("machine", ["snp", "tdx"])
def test_a_verifier_connects_to_a_guest_and_accepts_it_bound_to_the_channel(tmp_path: Path, machine: str) -> None:
    (tmp_path / "collateral").mkdir()
    said = ["--trust", "simulated", "--collateral", collateral(machine, tmp_path / "collateral"), "--json"]
    with agent(machine, tmp_path) as (running, address):
        url = "https://{}:{}".format(*address)
        verdict = json.loads(
            run(BIN / "cvmproof", "connect", url, "--policy", "builtin:genuine", "--any-software", *said)
        )
        assert (verdict["verdict"], verdict["assurance"]) == ("accepted", "channel-bound")
        assert running.devices.calls()["tsm.report"] == 1
        assert running.devices.entries() == ()


def resident(running: Running) -> int:
    """KiB of the agent."""
    status = Path(f"/proc/{running.process.pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmRSS:")).split()[1])


@pytest.mark.parametrize(("machine", "kernel"), [("snp", "sev-guest"), ("snp", "tsm"), ("tdx", "tsm")])
def test_ac_119_a_thousand_requests_cost_the_device_its_rate_and_no_more(
    tmp_path: Path, machine: str, kernel: str
) -> None:
    config = tmp_path / "agent.toml"
    config.write_text(
        "[limits]\nconnections_per_network = 384\nhandshakes_per_second = 10000.0\nhandshake_burst = 10000\n"
        "reports_per_second = 20.0\nreport_burst = 5\n"
    )
    with agent(machine, tmp_path, "--config", str(config), interfaces=[kernel]) as (running, address):
        answers: Counter[str] = Counter()
        lock = threading.Lock()

        def ask(number: int) -> None:
            nonce = number.to_bytes(32, "big")
            source = f"127.0.{number % 200}.1"
            try:
                with Client(address, source=source) as client:
                    answer = client.ask(nonce)
                    outcome = judge(client, answer, nonce)
            except OSError:
                outcome = "turned away"
            with lock:
                answers[outcome] += 1

        before, started = resident(running), time.monotonic()
        with ThreadPoolExecutor(100) as pool:
            list(pool.map(ask, range(1000)))
        seconds = time.monotonic() - started
        calls, after = running.devices.calls(), resident(running)
        counted = calls["sev-guest.ext-report"] if machine == "snp" else calls["tdx-guest.quote"]
        assert sum(answers.values()) == 1000
        assert answers["answered"] > 0
        assert answers["answered for another"] == 0
        assert answers["answered"] <= counted <= 5 + 20 * seconds + 1
        assert answers["RATE_LIMIT"] + answers["turned away"] == 1000 - answers["answered"]
        assert after - before < 64 * 1024
        assert running.devices.entries() == ()
        assert running.process.poll() is None


def judge(client: Client, answer: AttestedAnswer, nonce: bytes) -> str:
    """What became of a request: its own evidence, another's, or the category of a refusal."""
    if not answer.HasField("evidence"):
        return answer.refusal.category
    expected = client.expected(nonce, Tee(answer.evidence.tee))
    return "answered" if report_data(answer) == expected else "answered for another"
