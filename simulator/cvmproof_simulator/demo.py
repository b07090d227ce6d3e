"""The first minute: a SIMULATED machine is accepted, from a file and live, and four frauds are refused.

Each verdict is a real `cvmproof` process's, and the machine is served by a real `cvmproof-agent`; only the agent whose
TLS key has leaked runs in here, because no agent gives its key away.
"""

import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

from cvmproof_formats.evidence import read_evidence
from cvmproof_formats.snp.product import ProductLine
from cvmproof_simulator.evidence import nonce_evidence, wrap
from cvmproof_simulator.health import check_health
from cvmproof_simulator.kds import FakeKds
from cvmproof_simulator.leak import leaking_agent, tell_key_bound
from cvmproof_simulator.program import Program, command_of, environment
from cvmproof_simulator.psp import SIMULATED_MEASUREMENT, SoftwarePsp
from cvmproof_simulator.relay import Relay

ACCEPTED, REJECTED = 0, 3
_EVIL_MEASUREMENT = bytes.fromhex("91be04ad" * 12)
_DEBUG_GUEST = 0xB0000
_FLIPPED_BYTE = 0x90  # AMD 56860, ATTESTATION_REPORT: the first of MEASUREMENT
_INDENT = " " * 6
_TIME_LIMIT = 60  # seconds for one verification
_DEVICE = "simulated:snp,product=Genoa"
_POLICIES = ("examples/image.toml", "examples/floor.toml")
_REQUEST = 4 + 2 + 32  # bytes on cvmproof/1: length of the frame, protobuf's tag and length, the nonce
_WORDS = "for the machine that was verified and nobody else"
_LONG_WORD = 40  # characters


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One verdict: what is shown, the words behind `cvmproof`, and what must come out."""

    title: str
    arguments: tuple[str, ...]
    exit_code: int
    says: tuple[str, ...]


@dataclass(slots=True, kw_only=True)
class Demo:
    """The demo; `run` gives 0 only if every outcome was as it should be."""

    keep: bool = False
    color: bool = False
    first_step: int = 2
    _surprises: int = field(default=0, init=False)
    _outcomes: list[int] = field(default_factory=list, init=False)

    def run(self) -> int:
        """Show everything, and clean up."""
        began = time.monotonic()
        folder = Path(tempfile.mkdtemp(prefix="cvmproof-demo-"))
        psp = SoftwarePsp(ProductLine.GENOA)
        try:
            with FakeKds(psp) as kds, self._agent(folder) as agent:
                self._show(psp, kds, agent, folder)
                if self.keep:
                    self._wait(kds, agent, folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        self._finish(time.monotonic() - began)
        return 1 if self._surprises else 0

    @contextmanager
    def _agent(self, folder: Path) -> Iterator[str]:
        """Serve the machine, and give the URL."""
        command = [*command_of("cvmproof-agent"), "serve", "--device", _DEVICE, "--listen", "127.0.0.1:0"]
        with Program(command, folder=folder, environment=environment(color=False)) as agent:
            yield "".join(agent.lines_until("https://", _TIME_LIMIT)[-1:])

    def _show(self, psp: SoftwarePsp, kds: FakeKds, agent: str, folder: Path) -> None:
        nonce = secrets.token_bytes(32)
        write_evidence_files(psp, nonce, folder)
        scenes = scenes_of(nonce, kds.url)
        last = self.first_step + len(scenes) + 2
        self._say(f"[{self.first_step}/{last}] Starting a SIMULATED SEV-SNP machine (Genoa) and a fake AMD KDS")
        self._say(f"{_INDENT}(software PSP; no production trust set accepts its roots)   {kds.url}")
        self._say(f"{_INDENT}$ cvmproof-agent serve --device {_DEVICE} --listen 127.0.0.1:0   {agent}")
        for number, scene in enumerate(scenes, self.first_step + 1):
            self._say(f"[{number}/{last}] {scene.title}")
            self._play(scene, folder)
        self._say(f"[{last - 1}/{last}] Talking to it: evidence is bound to the very connection that is used then")
        self._connect(live_scene(agent, kds.url), folder)
        self._say(f"[{last}/{last}] A relay with the agent's leaked TLS key sits in front of it")
        self._be_relayed(kds.url, folder)

    def _play(self, scene: Scene, folder: Path) -> None:
        self._say(f"{_INDENT}$ {_shown(scene.arguments)}")
        done = subprocess.run(
            [*command_of("cvmproof"), *scene.arguments],
            cwd=folder,
            env=environment(color=self.color),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=_TIME_LIMIT,
            check=False,
        )
        self._judge(scene, (done.stdout + done.stderr).splitlines(), done.returncode)

    def _connect(self, scene: Scene, folder: Path) -> None:
        """Connect, and call something through the address that leads to what was accepted."""
        self._say(f"{_INDENT}$ {_shown(scene.arguments)}")
        command = [*command_of("cvmproof"), *scene.arguments]
        with Program(command, folder=folder, environment=environment(color=self.color)) as client:
            lines = client.lines_until("forwarding ", _TIME_LIMIT)
            if lines and lines[-1].startswith("forwarding "):
                address = lines[-1].split()[1].rstrip(";")
                lines.append(f"Health.Check over the attested channel: {check_health(address)}")
            self._judge(scene, lines, client.stop())

    def _be_relayed(self, kds: str, folder: Path) -> None:
        with leaking_agent(_DEVICE) as machine, Relay(machine.context, machine.address) as relay:
            policies = [folder / name for name in _POLICIES]
            grade = tell_key_bound(relay.url, _WORDS, policies=policies, collateral=folder / "collateral")
            self._say(f"{_INDENT}{grade} evidence would be accepted   <- and the relay reads what is said then")
            self._expect(_WORDS.encode() in relay.heard, "the relay should have read what was said")
            heard = len(relay.heard)
            self._play(relayed_scene(relay.url, kds), folder)
            nonce_only = len(relay.heard) - heard
            self._say(
                f"{_INDENT}The relay has read {nonce_only} bytes, which are the request for evidence, and no call"
            )
            self._expect(nonce_only == _REQUEST, f"the request alone is {_REQUEST} bytes")

    def _judge(self, scene: Scene, lines: Sequence[str], exit_code: int) -> None:
        for line in lines:
            self._say(f"{_INDENT}{line}")
        self._outcomes.append(exit_code)
        missing = [word for word in scene.says if not any(word in line for line in lines)]
        as_expected = exit_code == scene.exit_code and not missing
        self._expect(as_expected, f"exit {exit_code}, should be {scene.exit_code}; missing {missing}")

    def _expect(self, as_expected: bool, otherwise: str) -> None:  # noqa: FBT001 -- an assertion
        if not as_expected:
            self._surprises += 1
            self._say(f"{_INDENT}UNEXPECTED: {otherwise}")

    def _wait(self, kds: FakeKds, agent: str, folder: Path) -> None:
        self._say(f"Kept: evidence in {folder}, the agent at {agent}, the fake KDS at {kds.url}; Ctrl-C ends it.")
        try:
            Event().wait()
        except KeyboardInterrupt:
            self._say("")

    def _finish(self, seconds: float) -> None:
        accepted, rejected = self._outcomes.count(ACCEPTED), self._outcomes.count(REJECTED)
        how = "as they should be" if not self._surprises else f"{self._surprises} NOT as they should be"
        self._say(f"Done in {seconds:.0f} s: {accepted} accepted, {rejected} rejected, {how}. Everything is stopped.")

    def _say(self, line: str) -> None:
        encoding = sys.stdout.encoding or "ascii"
        sys.stdout.write(line.encode(encoding, "replace").decode(encoding) + "\n")
        sys.stdout.flush()


def write_evidence_files(psp: SoftwarePsp, nonce: bytes, folder: Path) -> None:
    """Write the honest machine's evidence and the frauds', and the policies, into a folder."""
    good = nonce_evidence(psp, nonce)
    report = bytearray(read_evidence(good).report)
    report[_FLIPPED_BYTE] ^= 1
    files = {
        "good.json": good,
        "evil.json": nonce_evidence(psp, nonce, {"measurement": _EVIL_MEASUREMENT, "policy": _DEBUG_GUEST}),
        "changed.json": wrap(bytes(report), nonce),
        "complete.json": nonce_evidence(psp, nonce, with_certificates=True),
    }
    for name, data in files.items():
        (folder / name).write_bytes(data)
    _write_policies(folder / "examples")


def _write_policies(folder: Path) -> None:
    """Take the policies of examples/; an installed package has no such folder and writes the same demands shorter."""
    examples = Path(__file__).resolve().parents[2] / "examples"
    folder.mkdir()
    for name, measurements in (("image.toml", f'["{SIMULATED_MEASUREMENT.hex()}"]'), ("floor.toml", '"any"')):
        source = examples / name
        shorter = f'extends = "builtin:recommended"\n\n[snp]\nmeasurements = {measurements}\n'
        text = source.read_text("utf-8") if source.is_file() else shorter
        (folder / name).write_text(text, "utf-8")


def scenes_of(nonce: bytes, url: str) -> tuple[Scene, ...]:
    """What is shown: the honest machine, other software, a changed report, a simulated machine taken for a real one."""
    policies = ("--nonce", nonce.hex(), *_demanded())
    simulated = (*policies, *_simulated(url))
    return (
        Scene(
            title="Its evidence, for a fresh nonce; certificates and revocation list are fetched",
            arguments=("verify", "good.json", *simulated),
            exit_code=ACCEPTED,
            says=("ACCEPTED (simulated)", "as expected"),
        ),
        Scene(
            title="The same machine has launched other software, with debugging on",
            arguments=("verify", "evil.json", *simulated),
            exit_code=REJECTED,
            says=("REJECTED (simulated)", "MEASUREMENT", "DEBUG"),
        ),
        Scene(
            title="Somebody changed one bit of the good report on its way",
            arguments=("verify", "changed.json", *simulated),
            exit_code=REJECTED,
            says=("REJECTED (simulated)", "SIGNATURE"),
        ),
        Scene(
            title="A simulated machine is passed off as a real one",
            arguments=(
                *("verify", "complete.json", *policies),
                *("--trust", "production", "--collateral", "collateral", "--offline"),
            ),
            exit_code=REJECTED,
            says=("REJECTED (simulated)", "SIMULATED"),
        ),
    )


def live_scene(agent: str, url: str) -> Scene:
    """The honest machine, live."""
    return Scene(
        title="",
        arguments=("connect", agent, *_demanded(), *_simulated(url), "--forward", "127.0.0.1:0"),
        exit_code=ACCEPTED,
        says=("ACCEPTED (simulated)", "channel-bound", "SERVING"),
    )


def relayed_scene(relay: str, url: str) -> Scene:
    """The same through somebody who has the machine's TLS key."""
    return Scene(
        title="",
        arguments=("connect", relay, *_demanded(), *_simulated(url)),
        exit_code=REJECTED,
        says=("REJECTED (simulated)", "BINDING", "binding.report_data"),
    )


def _demanded() -> tuple[str, ...]:
    policy, floor = _POLICIES
    return ("--policy", policy, "--floor", floor)


def _simulated(url: str) -> tuple[str, ...]:
    return ("--trust", "simulated", "--collateral", "collateral", "--kds", url)


def _shown(arguments: Sequence[str]) -> str:
    return " ".join(_shorten(word) for word in ("cvmproof", *arguments))


def _shorten(word: str) -> str:
    return f"{word[:8]}…" if len(word) > _LONG_WORD and word.isalnum() else word
