"""Running the programs that build: their output is shown only where one fails."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from cvmproof_formats.errors import Misuse

LAST_LINES = 30


def run(command: Sequence[str | Path], *, seconds: float, folder: Path | None = None) -> str:
    """Run a command to its end, in English, and give its output.

    Raises Misuse with its last lines where it fails or takes longer.
    """
    try:
        done = subprocess.run(
            [str(word) for word in command],
            check=False,
            cwd=folder,
            env={"PATH": os.environ["PATH"], "HOME": "/root", "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=seconds,
            encoding="utf-8",
            errors="replace",
        )
    except subprocess.TimeoutExpired as error:
        raise Misuse(f"{command[0]}: expected an end within {seconds:.0f} s, got none") from error
    if done.returncode:
        last = "\n".join(done.stdout.splitlines()[-LAST_LINES:])
        raise Misuse(f"{command[0]}: expected exit code 0, got {done.returncode}:\n{last}")
    return done.stdout
