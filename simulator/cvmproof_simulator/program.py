"""A program of ours that goes on running, and its lines as they come."""

import os
import queue
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Thread
from typing import Final, Self

_PATIENCE: Final = 5.0  # seconds from being asked to end to being ended
_MODULES: Final = {"cvmproof": "cvmproof.cli.main", "cvmproof-agent": "cvmproof_agent.cli.main"}


def command_of(name: str) -> list[str]:
    """The program of this name beside this interpreter."""
    script = Path(sys.executable).parent / name
    return [str(script)] if script.is_file() else [sys.executable, "-c", f"from {_MODULES[name]} import main; main()"]


def environment(*, color: bool) -> dict[str, str]:
    """The environment of our programs: this one, without settings for them."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CVMPROOF_")}
    kept = {name: value for name, value in kept.items() if name not in {"NO_COLOR", "FORCE_COLOR"}}
    return {**kept, "PYTHONIOENCODING": "utf-8", ("FORCE_COLOR" if color else "NO_COLOR"): "1"}


class Program:
    """A process while its context lasts; `exit_code` is there once it has ended."""

    def __init__(self, command: Sequence[str], *, folder: Path, environment: Mapping[str, str]) -> None:
        """Start it; both of its outputs are read together."""
        self.exit_code: int | None = None
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
        )
        # A daemon, so that a program that does not end keeps nobody from ending.
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def lines_until(self, start: str, seconds: float) -> list[str]:
        """Give its lines up to one that starts so, or up to its last one; raises queue.Empty after so many seconds."""
        found = []
        while (line := self._lines.get(timeout=seconds)) is not None:
            found.append(line)
            if line.startswith(start):
                break
        return found

    def stop(self) -> int:
        """End it, and give its exit code; safe to call again."""
        self._process.terminate()
        try:
            self.exit_code = self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self.exit_code = self._process.wait()
        self._reader.join(_PATIENCE)
        if self._process.stdout is not None:
            self._process.stdout.close()
        return self.exit_code

    def _read(self) -> None:
        for line in self._process.stdout or ():
            self._lines.put(line.rstrip("\n"))
        self._lines.put(None)
