"""The first minute: a SIMULATED machine is accepted, three frauds are refused, each by a real `cvmproof` process."""

import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

from cvmproof_formats.evidence import read_evidence
from cvmproof_formats.snp.product import ProductLine
from cvmproof_simulator.evidence import nonce_evidence, wrap
from cvmproof_simulator.kds import FakeKds
from cvmproof_simulator.psp import SIMULATED_MEASUREMENT, SoftwarePsp

ACCEPTED, REJECTED = 0, 3
_EVIL_MEASUREMENT = bytes.fromhex("91be04ad" * 12)
_DEBUG_GUEST = 0xB0000
_FLIPPED_BYTE = 0x90  # AMD 56860, ATTESTATION_REPORT: the first of MEASUREMENT
_INDENT = " " * 6
_TIME_LIMIT = 60  # seconds for one verification
_LONG_WORD = 40  # characters


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One verification: what is shown, which evidence, and what must come out."""

    title: str
    evidence: str
    options: tuple[str, ...]
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
            with FakeKds(psp) as kds:
                self._show(psp, kds, folder)
                if self.keep:
                    self._wait(kds, folder)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        self._finish(time.monotonic() - began)
        return 1 if self._surprises else 0

    def _show(self, psp: SoftwarePsp, kds: FakeKds, folder: Path) -> None:
        nonce = secrets.token_bytes(32)
        write_evidence_files(psp, nonce, folder)
        scenes = scenes_of(nonce, kds.url)
        last = self.first_step + len(scenes)
        self._say(f"[{self.first_step}/{last}] Starting a SIMULATED SEV-SNP machine (Genoa) and a fake AMD KDS")
        self._say(f"{_INDENT}(software PSP; no production trust set accepts its roots)   {kds.url}")
        for number, scene in enumerate(scenes, self.first_step + 1):
            self._say(f"[{number}/{last}] {scene.title}")
            self._play(scene, folder)

    def _play(self, scene: Scene, folder: Path) -> None:
        shown = ["cvmproof", "verify", scene.evidence, *scene.options]
        self._say(f"{_INDENT}$ {' '.join(_shorten(word) for word in shown)}")
        done = subprocess.run(
            [*verifier_command(), "verify", scene.evidence, *scene.options],
            cwd=folder,
            env=environment(color=self.color),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=_TIME_LIMIT,
            check=False,
        )
        for line in (done.stdout + done.stderr).splitlines():
            self._say(f"{_INDENT}{line}")
        self._outcomes.append(done.returncode)
        missing = [word for word in scene.says if word not in done.stdout]
        if done.returncode != scene.exit_code or missing:
            self._surprises += 1
            self._say(f"{_INDENT}UNEXPECTED: exit {done.returncode}, should be {scene.exit_code}; missing {missing}")

    def _wait(self, kds: FakeKds, folder: Path) -> None:
        self._say(f"Kept: evidence in {folder}, the fake KDS at {kds.url}; Ctrl-C ends it.")
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
    policies = ("--nonce", nonce.hex(), "--policy", "examples/image.toml", "--floor", "examples/floor.toml")
    simulated = (*policies, "--trust", "simulated", "--collateral", "collateral", "--kds", url)
    return (
        Scene(
            title="Its evidence, for a fresh nonce; certificates and revocation list are fetched",
            evidence="good.json",
            options=simulated,
            exit_code=ACCEPTED,
            says=("ACCEPTED (simulated)", "as expected"),
        ),
        Scene(
            title="The same machine has launched other software, with debugging on",
            evidence="evil.json",
            options=simulated,
            exit_code=REJECTED,
            says=("REJECTED (simulated)", "MEASUREMENT", "DEBUG"),
        ),
        Scene(
            title="Somebody changed one bit of the good report on its way",
            evidence="changed.json",
            options=simulated,
            exit_code=REJECTED,
            says=("REJECTED (simulated)", "SIGNATURE"),
        ),
        Scene(
            title="A simulated machine is passed off as a real one",
            evidence="complete.json",
            options=(*policies, "--trust", "production", "--collateral", "collateral", "--offline"),
            exit_code=REJECTED,
            says=("REJECTED (simulated)", "SIMULATED"),
        ),
    )


def verifier_command() -> list[str]:
    """The `cvmproof` beside this interpreter."""
    script = Path(sys.executable).parent / "cvmproof"
    return [str(script)] if script.is_file() else [sys.executable, "-m", "cvmproof.cli"]


def environment(*, color: bool) -> dict[str, str]:
    """The environment of a verification: ours, without settings for the verifier."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CVMPROOF_")}
    kept = {name: value for name, value in kept.items() if name not in {"NO_COLOR", "FORCE_COLOR"}}
    return {**kept, "PYTHONIOENCODING": "utf-8", ("FORCE_COLOR" if color else "NO_COLOR"): "1"}


def _shorten(word: str) -> str:
    return f"{word[:8]}…" if len(word) > _LONG_WORD and word.isalnum() else word
