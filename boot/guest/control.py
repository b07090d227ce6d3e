"""Runs what the test on the host says, as root: one JSON object a line, in and out.

{"command": "systemctl status cvmproof-agent", "timeout": 30}          {"exit": 0, "output": "..."}
"""

import json
import os
import subprocess
import time
from pathlib import Path

PORT = Path("/dev/virtio-ports/org.cvmproof.control")
TIMED_OUT = 124  # as timeout(1) says


def main() -> None:
    """Answer line by line; a port without a host reads as empty."""
    with PORT.open("r+b", buffering=0) as port:
        buffered = b""
        while True:
            piece = port.read(65536)
            if not piece:
                time.sleep(0.2)
                continue
            buffered += piece
            while b"\n" in buffered:
                line, _, buffered = buffered.partition(b"\n")
                send(port.fileno(), json.dumps(run(json.loads(line))).encode() + b"\n")


def run(asked: dict[str, str | float]) -> dict[str, str | int]:
    """Run a command in a shell, both of its outputs together."""
    command = ["/bin/sh", "-c", str(asked["command"])]
    try:
        done = subprocess.run(
            command,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=float(asked["timeout"]),
        )
    except subprocess.TimeoutExpired as error:
        return {"exit": TIMED_OUT, "output": (error.stdout or b"").decode(errors="replace")}
    return {"exit": done.returncode, "output": done.stdout.decode(errors="replace")}


def send(port: int, data: bytes) -> None:
    """Write all of it."""
    while data:
        data = data[os.write(port, data) :]


if __name__ == "__main__":
    main()
