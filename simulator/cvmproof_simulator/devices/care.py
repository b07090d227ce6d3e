"""Ending what was started in a harness: its command, and whatever shares the command's view of the system."""

import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import Final

_KINDS: Final = ("mnt", "user")
_PROC: Final = Path("/proc")


class Care:
    """Which processes belong to a harness."""

    def __init__(self) -> None:
        """None yet."""
        self._commands: list[int] = []
        self._namespaces: set[tuple[str, int]] = set()
        self._held: list[int] = []
        self._ended: set[Path] = set()

    def take(self, descriptor: int) -> str:
        """Look after a process by its pidfd; namespaces that are not this process's own are its mark."""
        self._commands.append(descriptor)
        fields = Path(f"/proc/self/fdinfo/{descriptor}").read_text(encoding="utf-8").split()
        process = _PROC / fields[fields.index("Pid:") + 1]
        for kind in _KINDS:
            if (found := _namespace(process, kind)) not in {0, _namespace(_PROC / "self", kind)}:
                # While it is held its number is no other namespace's, whose processes are nobody's business here.
                self._held.append(os.open(process / "ns" / kind, os.O_RDONLY | os.O_CLOEXEC))
                if os.fstat(self._held[-1]).st_ino == found:
                    self._namespaces.add((kind, found))
        return ""

    def end(self) -> None:
        """End every one of them that is left."""
        for descriptor in self._commands:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(descriptor, signal.SIGKILL)
            os.close(descriptor)
        # What is being killed can still make others, so look until there are none.
        while self._namespaces and self._end_marked():
            pass
        for descriptor in self._held:
            os.close(descriptor)

    def _end_marked(self) -> bool:
        found = [process for process in _PROC.iterdir() if process.name.isdigit() and process not in self._ended]
        ended = {process for process in found if _kill(process, self._namespaces)}
        # Until somebody asks for its exit code, an ended one can still be seen.
        self._ended |= ended
        return bool(ended)


def _namespace(process: Path, kind: str) -> int:
    """The number of a namespace; 0 where there is none to see."""
    try:
        return (process / "ns" / kind).stat().st_ino
    except OSError:
        return 0


def _kill(process: Path, marks: set[tuple[str, int]]) -> bool:
    """Kill a process with one of these marks; says whether there was one to kill."""
    if not any(_namespace(process, kind) == mark for kind, mark in marks):
        return False
    try:
        held = os.pidfd_open(int(process.name))
    except OSError:
        return False
    try:
        # The number could have become another process's: look again now that it is held.
        if any(_namespace(process, kind) == mark for kind, mark in marks):
            signal.pidfd_send_signal(held, signal.SIGKILL)
            return True
    except ProcessLookupError:
        return False
    finally:
        os.close(held)
    return False
