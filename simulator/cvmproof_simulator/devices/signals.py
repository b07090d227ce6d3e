"""What signals a thread is about to get; Linux Documentation/filesystems/proc.rst, /proc/PID/status."""

import signal
from pathlib import Path
from typing import Final

_DEADLY: Final = 1 << (signal.SIGKILL - 1)


def is_being_killed(thread: int) -> bool:
    """Whether a thread is gone, or about to go: to the kernel every signal that ends a process is a SIGKILL."""
    try:
        lines = Path(f"/proc/{thread}/status").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return True
    pending = [int(line.split()[1], 16) for line in lines if line.startswith(("SigPnd:", "ShdPnd:"))]
    return any(mask & _DEADLY for mask in pending)
