"""The command line as a process of its own."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from tests.agent.machine import SOON

COMMAND = [sys.executable, "-c", "from cvmproof_agent.cli.main import main; main()"]


@dataclass(frozen=True, kw_only=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, object]:
        found = json.loads(self.out)
        assert isinstance(found, dict)
        return found


def run(*arguments: str, environment: Mapping[str, str] | None = None) -> Ran:
    done = subprocess.run(
        [*COMMAND, *arguments],
        env={**clean(), **(environment or {})},
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return Ran(code=done.returncode, out=done.stdout, err=done.stderr)


@dataclass(frozen=True, kw_only=True)
class Serving:
    process: subprocess.Popen[str]
    address: tuple[str, int]

    def end(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        """Send a signal; gives exit code and what was logged."""
        self.process.send_signal(number)
        _, err = self.process.communicate(timeout=SOON)
        return self.process.returncode, err


@contextmanager
def serve(*arguments: str, environment: Mapping[str, str] | None = None) -> Iterator[Serving]:
    """`serve` on a simulated device and any port, until the context ends."""
    command = [*COMMAND, "serve", "--device", "simulated:snp", "--listen", "127.0.0.1:0", *arguments]
    with subprocess.Popen(
        command, env={**clean(), **(environment or {})}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            said = process.stdout.readline()
            assert said, process.communicate()[1]
            host, _, port = said.strip().removeprefix("https://").rpartition(":")
            yield Serving(process=process, address=(host, int(port)))
        finally:
            if process.poll() is None:
                process.kill()
                process.communicate()


def clean() -> dict[str, str]:
    return {
        name: value for name, value in os.environ.items() if not name.startswith(("CVMPROOF_", "NOTIFY_", "WATCHDOG_"))
    }
