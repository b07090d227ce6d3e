"""README's lines run as they stand, one after the other, in one shell."""

import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from cvmproof_simulator.program import environment

FIRST, END = "## Verify a report", "## Exit codes"
BLOCK: Final = re.compile(r"^```(console|python)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PORTS: Final = ("8443", "8080")  # README's; others here, which nobody else has
LIMIT = 120  # seconds
TOOLS = ("bash", "openssl")

# What the reader does, with no more patience than a reader has: a program in the background is waited for, and one that
# forwards is ended once it listens.
SHELL: Final = r"""
set -eu
trap 'kill $(jobs -p) 2>/dev/null || true; wait' EXIT
until_open() { for _ in $(seq 200); do (: <"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return; sleep 0.1; done; return 1; }
until_there() { for _ in $(seq 200); do [ -S "$1" ] && return; sleep 0.1; done; return 1; }
"""


def blocks(text: str) -> list[tuple[str, str]]:
    """Language and text of what can be run."""
    return [(found[1], found[2]) for found in BLOCK.finditer(text[text.index(FIRST) : text.index(END)])]


def console(block: str) -> list[str]:
    """The commands of a block of console, ready to be run one after the other."""
    ready: list[str] = []
    for line in block.replace("\\\n", "").splitlines():
        assert line.startswith("$ "), line
        command = line[2:]
        listening = re.search(r"--listen 127\.0\.0\.1:([0-9]+)", command)
        forwarding = re.search(r"--forward unix:(\S+)", command)
        if command.endswith("&"):
            assert listening is not None, line
            command += f"\nuntil_open {listening[1]}"
        elif forwarding is not None:
            command += f" &\nforwarding=$!\nuntil_there {forwarding[1]}\nkill $forwarding\nwait $forwarding"
        ready.append(f"echo {len(ready) + 1}: >&2\n{command}")
    return ready


def free_ports(count: int) -> list[str]:
    """Ports that nobody has now."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [str(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    return ports


@pytest.mark.skipif(any(shutil.which(tool) is None for tool in TOOLS), reason=f"needs {' and '.join(TOOLS)}")
def test_every_line_runs_as_it_stands(root: Path, tmp_path: Path) -> None:
    script = [SHELL]
    for language, block in blocks((root / "README.md").read_text("utf-8")):
        script += console(block) if language == "console" else [f"python - <<'END'\n{block}END"]
    text = "\n".join(script)
    for port, free in zip(PORTS, free_ports(len(PORTS)), strict=True):
        text = text.replace(port, free)
    settings = {name: value for name, value in environment(color=False).items() if not name.startswith("XDG_")}
    settings |= {"HOME": str(tmp_path / "home"), "PATH": f"{Path(sys.executable).parent}:{settings['PATH']}"}
    done = subprocess.run(
        [str(shutil.which("bash")), "-c", text],
        cwd=tmp_path,
        env=settings,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=LIMIT,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for words in ("status: SERVING", "1 accepted, 0 rejected", "accepted ()", "forwarding unix:guest.sock"):
        assert words in done.stdout + done.stderr


def test_a_line_that_is_no_command_is_seen() -> None:
    with pytest.raises(AssertionError, match="cvmproof list"):
        console("cvmproof list\n")
