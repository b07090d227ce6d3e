"""One booted virtual machine, the simulator's side of it, and what its users on the host do."""

import json
import re
import socket
import subprocess
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from boot.transcript import Transcript
from boot.virtual_machine import VirtualMachine

from cvmproof_formats.binding import Tee
from cvmproof_formats.snp.product import ProductLine
from cvmproof_simulator.evidence import collateral_files, list_issued
from cvmproof_simulator.guest_requests.answering import Answers, Reply
from cvmproof_simulator.guest_requests.frames import Kind
from cvmproof_simulator.guest_requests.listener import GuestListener
from cvmproof_simulator.guest_requests.quote_listener import QuoteListener
from cvmproof_simulator.program import Program, command_of, environment
from cvmproof_simulator.psp import SIMULATED_MEASUREMENT, SoftwarePsp
from cvmproof_simulator.tdx.collateral import Collateral
from cvmproof_simulator.tdx.td import SIMULATED_MRTD, SoftwareTd

PSP, TD = SoftwarePsp(ProductLine.GENOA), SoftwareTd()
STARTING = 240.0  # seconds from power-on to an agent that is ready: two machines on a slow processor
VERIFYING = 120.0  # seconds for one verdict
AGENT, OWNER = "cvmproof-agent.service", "cvmproof-device.service"
ENTRIES = "/sys/kernel/config/tsm/report"
_OFFLINE = ("--collateral", "collateral", "--offline")
_SOFTWARE = {Tee.SEV_SNP: ("snp", "measurements", SIMULATED_MEASUREMENT), Tee.TDX: ("tdx", "mr_tds", SIMULATED_MRTD)}


@dataclass(slots=True, kw_only=True)
class Failing:
    """A processor that can be told to say something else."""

    answers: Answers
    instead: Reply | None = None

    def answer(self, kind: Kind, question: bytes) -> Reply:
        return self.answers.answer(kind, question) if self.instead is None else self.instead


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What `cvmproof connect --json` came to."""

    exit_code: int
    document: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Guest:
    """One virtual machine; commands in it run as root."""

    tee: Tee
    machine: VirtualMachine
    processor: Failing
    simulator: GuestListener
    quotes: QuoteListener
    folder: Path
    """Of its policies and collateral, on the host."""
    transcript: Transcript

    @property
    def node(self) -> str:
        """Its device for ioctls."""
        return "/dev/sev-guest" if self.tee is Tee.SEV_SNP else "/dev/tdx_guest"

    def show(self, command: str, *, seconds: float = 60.0) -> str:
        """Run a command and note it down with its output, whatever its exit code is."""
        output = self.machine.run(command, seconds=seconds).output
        self.transcript.add(command, output)
        return output

    def ask(self, command: str, *, seconds: float = 60.0) -> str:
        """Run a command that succeeds, and give its output."""
        done = self.machine.run(command, seconds=seconds)
        assert done.exit_code == 0, f"{command}: {done.output}"
        return done.output.strip()

    def wait_until_serving(self) -> None:
        """Wait until systemd was told READY, and the port on the host leads to somebody."""
        self.machine.wait_for(f"systemctl is-active {AGENT}", seconds=STARTING)
        host, port = self.machine.url.removeprefix("https://").split(":")
        until = time.monotonic() + STARTING
        while True:
            try:
                socket.create_connection((host, int(port)), timeout=5).close()
            except OSError:
                assert time.monotonic() < until
                time.sleep(0.5)
            else:
                return

    def pid_of(self, unit: str) -> int:
        """The main process of a unit."""
        return int(self.ask(f"systemctl show --property MainPID --value {unit}"))

    def connect(self, policy: str) -> Verdict:
        """Run `cvmproof connect` against it, with one of the two policies, and note it down."""
        words = _words(self.machine.url, policy)
        done = subprocess.run(
            [*command_of("cvmproof"), *words],
            check=False,
            cwd=self.folder,
            env=environment(color=False),
            capture_output=True,
            timeout=VERIFYING,
            encoding="utf-8",
        )
        document = json.loads(done.stdout)
        shown = re.sub(r":[0-9]{4,5}\b", ":8443", f"cvmproof {' '.join(words)}")
        self.transcript.add(shown, f"{summary(document)}\nexit code {done.returncode}")
        return Verdict(exit_code=done.returncode, document=document)

    @contextmanager
    def connecting(self, policy: str) -> Iterator[None]:
        """Have `cvmproof connect` under way meanwhile, whatever comes of it."""
        command = [*command_of("cvmproof"), *_words(self.machine.url, policy)]
        with Program(command, folder=self.folder, environment=environment(color=False)):
            yield


def _words(url: str, policy: str) -> tuple[str, ...]:
    return ("connect", url, "--policy", policy, "--trust", "simulated", *_OFFLINE, "--json")


def summary(document: dict[str, Any]) -> str:
    """The part of a result that this test is about, in a line or a few."""
    if "error" in document:
        error = document["error"]
        return f"{error['category']}: " + "\n    ".join(textwrap.wrap(error["message"], 140))
    failed = [f"{check['id']} failed" for check in document["checks"] if check["outcome"] == "fail"]
    simulated = "simulated" if document["simulated"] else "NOT simulated"
    words = (document["verdict"], document["assurance"], simulated, document["tee"])
    return ", ".join([*words, f"{len(document['checks'])} checks", *failed])


def prepare(folder: Path, tee: Tee) -> None:
    """Write what its users have: two policies, one about other software, and the vendor's collateral."""
    table, name, software = _SOFTWARE[tee]
    for file, value in (("image.toml", software), ("other.toml", bytes(byte ^ 0xFF for byte in software))):
        text = f'extends = "builtin:recommended"\n\n[{table}]\n{name} = ["{value.hex()}"]\n'
        (folder / file).write_text(text, "utf-8")
    now = datetime.now(UTC)
    files = collateral_files(PSP, now) if tee is Tee.SEV_SNP else Collateral.of(TD.platform, list_issued(now)).files
    (folder / "collateral").mkdir()
    for file, data in files.items():
        (folder / "collateral" / file).write_bytes(data)
