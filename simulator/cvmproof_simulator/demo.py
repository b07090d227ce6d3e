"""The first minute: of three SIMULATED CVMs that an API lists, two are accepted; the third and a relay are refused.

Each verdict is a real `cvmproof` process's, and the CVMs are served by real `cvmproof-agent` processes; only the agent
whose TLS key has leaked runs in here, because no agent gives its key away.
"""

import queue
import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Final

from cvmproof_simulator.health import check_health
from cvmproof_simulator.leak import leaking_agent, tell_key_bound
from cvmproof_simulator.program import Program, command_of, environment
from cvmproof_simulator.relay import Relay
from cvmproof_simulator.stage import COLLATERAL, DEVICES, EVIL, FLOOR, GOOD, IMAGE, POLICIES, TD, Stage, set_stage

ACCEPTED, REJECTED = 0, 3
INTERRUPTED = 130  # as shells say of SIGINT
_INDENT = " " * 6
_TIME_LIMIT = 60  # seconds for one verification
_REQUEST = 4 + 2 + 32  # bytes on cvmproof/1: length of the frame, protobuf's tag and length, the nonce
_WORDS = "for the machine that was verified and nobody else"
_LONG_HEX = 40  # characters
_AND_SO = ("--trust", "simulated", "--floor", FLOOR, "$API", "$HERE", "$FAKE")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One verdict: the words behind `cvmproof`, options of the stage among them, and what must come out."""

    arguments: tuple[str, ...]
    exit_code: int
    says: tuple[str, ...]


ACCEPTS_GOOD: Final = Scene(
    arguments=("cvm", "verify", GOOD, *_AND_SO, "--forward", "127.0.0.1:0"),
    exit_code=ACCEPTED,
    says=("ACCEPTED (simulated)", "channel-bound", "as expected", "SERVING"),
)
ACCEPTS_TD: Final = Scene(
    arguments=("cvm", "verify", TD, *_AND_SO),
    exit_code=ACCEPTED,
    says=("ACCEPTED (simulated)", "channel-bound", "TDX", "UpToDate", "as expected"),
)
REFUSES_EVIL: Final = Scene(
    arguments=("cvm", "verify", EVIL, *_AND_SO),
    exit_code=REJECTED,
    says=("REJECTED (simulated)", "MEASUREMENT", "DEBUG"),
)
REFUSES_RELAY: Final = Scene(
    arguments=("cvm", "verify", GOOD, *_AND_SO),
    exit_code=REJECTED,
    says=("REJECTED (simulated)", "BINDING", "binding.report_data"),
)
_TO_TRY: Final = (
    ("cvm", "list", "$API"),
    ("cvm", "verify", "--all", *_AND_SO),
    ("cvm", "policy", EVIL, "$API"),
)


@dataclass(slots=True, kw_only=True)
class Demo:
    """The demo; `run` gives 0 only if every outcome was as it should be."""

    keep: bool = False
    color: bool = False
    first_step: int = 1
    _surprises: int = field(default=0, init=False)
    _outcomes: list[int] = field(default_factory=list, init=False)

    def run(self) -> int:
        """Show everything, and clean up."""
        began = time.monotonic()
        try:
            self._step(0, "Starting SIMULATED CVMs, two SEV-SNP and one TDX, and a fake Prism, AMD KDS and Intel PCCS")
            with set_stage(environment(color=False)) as stage:
                self._show(stage)
                done = self._summary(time.monotonic() - began)
                if self.keep:
                    self._say(done)
                    self._wait(stage)
                    done = ""
        except KeyboardInterrupt:
            self._say("Interrupted. Everything is stopped.")
            return INTERRUPTED
        except queue.Empty:
            self._expect(False, f"no word for {_TIME_LIMIT} s")  # noqa: FBT003 -- an assertion
            done = self._summary(time.monotonic() - began)
        self._say(f"{done} Everything is stopped.".strip())
        return 1 if self._surprises else 0

    def _show(self, stage: Stage) -> None:
        self._introduce(stage)
        self._step(1, f"$ {_shown(ACCEPTS_GOOD.arguments)}")
        self._play(ACCEPTS_GOOD, stage)
        self._say(f"{_INDENT}$ {_shown(ACCEPTS_TD.arguments)}")
        self._play(ACCEPTS_TD, stage)
        self._step(2, f"$ {_shown(REFUSES_EVIL.arguments)}")
        self._play(REFUSES_EVIL, stage)
        self._step(3, f"A relay with the agent's leaked TLS key sits in front of {GOOD}, and Prism names its address")
        self._be_relayed(stage)

    def _introduce(self, stage: Stage) -> None:
        self._say(f"{_INDENT}(software PSP and quoting enclave; no production trust set accepts their roots)")
        for name, url in stage.agents.items():
            self._say(f"{_INDENT}{name:<8}  {url}   cvmproof-agent serve --device {_shorten(DEVICES[name])} ...")
        for name, value in stage.options.items():
            self._say(f'{_INDENT}{name}="{value}"')
        policies = ", ".join(dict.fromkeys(POLICIES.values()))
        self._say(f"{_INDENT}# Prism names addresses and a policy for each ({policies}), and is not taken at its word:")
        self._say(f"{_INDENT}# {FLOOR} says which software may run, and only $HERE allows addresses of this machine")

    def _play(self, scene: Scene, stage: Stage) -> None:
        """Run a command; where it forwards, call something through the address that leads to what was accepted."""
        command = [*command_of("cvmproof"), *stage.expand(scene.arguments)]
        with Program(command, folder=stage.folder, environment=self._environment()) as program:
            lines = program.lines_until("forwarding ", _TIME_LIMIT)
            if lines and lines[-1].startswith("forwarding "):
                address = lines[-1].split()[1].rstrip(";")
                lines.append(f"Health.Check over the attested channel: {check_health(address)}")
            self._judge(scene, lines, program.stop())

    def _be_relayed(self, stage: Stage) -> None:
        self._say(f"{_INDENT}(no agent gives its key away: this one was started with a key that the relay has too)")
        with leaking_agent(DEVICES[GOOD]) as machine, Relay(machine.context, machine.address) as relay:
            stage.prism.change(GOOD, agent_url=relay.url)
            try:
                policies = [stage.folder / name for name in (IMAGE, FLOOR)]
                grade = tell_key_bound(relay.url, _WORDS, policies=policies, collateral=stage.folder / COLLATERAL)
                self._say(f"{_INDENT}{grade} evidence would be accepted   <- why a TLS-key pin is not enough")
                self._expect(_WORDS.encode() in relay.heard, "the relay should have read what was said")
                heard = len(relay.heard)
                self._say(f"{_INDENT}$ {_shown(REFUSES_RELAY.arguments)}")
                self._play(REFUSES_RELAY, stage)
                read = len(relay.heard) - heard
                self._say(f"{_INDENT}The relay has read {read} bytes, which are the request for evidence, and no call")
                self._expect(read == _REQUEST, f"the request alone is {_REQUEST} bytes")
            finally:
                stage.prism.change(GOOD, agent_url=stage.agents[GOOD])

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

    def _wait(self, stage: Stage) -> None:
        programs = shlex.quote(str(Path(sys.executable).parent))
        self._say("It goes on until Ctrl-C. To try more, in another terminal, in bash or sh:")
        self._say(f"{_INDENT}cd {stage.folder}; PATH={programs}:$PATH; {_assignments(stage)}")
        for words in _TO_TRY:
            self._say(f"{_INDENT}{_shown(words)}")
        address = stage.agents[GOOD]
        self._say(f"{_INDENT}cvmproof connect {address} --trust simulated --policy {IMAGE} --state state $FAKE")
        try:
            Event().wait()
        except KeyboardInterrupt:
            self._say("")

    def _summary(self, seconds: float) -> str:
        accepted, rejected = self._outcomes.count(ACCEPTED), self._outcomes.count(REJECTED)
        how = "as they should be" if not self._surprises else f"{self._surprises} NOT as they should be"
        return f"Done in {seconds:.0f} s: {accepted} accepted, {rejected} rejected, {how}."

    def _environment(self) -> Mapping[str, str]:
        """Have commands write what this output can show."""
        encoding = "utf-8" if _fits("├─ ✔ …", sys.stdout.encoding or "ascii") else "ascii"
        return {**environment(color=self.color), "PYTHONIOENCODING": encoding}

    def _step(self, number: int, title: str) -> None:
        self._say(f"[{self.first_step + number}/{self.first_step + 3}] {title}")

    def _say(self, line: str) -> None:
        encoding = sys.stdout.encoding or "ascii"
        sys.stdout.write(line.encode(encoding, "replace").decode(encoding) + "\n")
        sys.stdout.flush()


def _assignments(stage: Stage) -> str:
    return "; ".join(f"{name}={shlex.quote(value)}" for name, value in stage.options.items())


def _shown(arguments: Sequence[str]) -> str:
    return " ".join(("cvmproof", *arguments))


def _shorten(device: str) -> str:
    return ",".join(f"{part[:20]}..." if len(part) > _LONG_HEX else part for part in device.split(","))


def _fits(text: str, encoding: str) -> bool:
    return text.encode(encoding, "replace").decode(encoding) == text
