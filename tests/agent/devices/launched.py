"""The agent's command line in a view of the system that has SIMULATED devices at the real paths; by root or anybody."""

import os
import subprocess
import sys
import sysconfig
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO

import pytest
from tests.agent.cli.program import COMMAND, clean

from cvmproof_simulator.devices.harness import Running, launched
from cvmproof_simulator.devices.plan import Through

NOBODY = 65534
IS_ROOT = os.geteuid() == 0
ROOT = Path(__file__).parents[3]
PLACES = (sys.executable, "/usr/bin/python3", "/usr/local/bin/python3")
WAYS = [
    pytest.param(through, user, id=f"{through}-{'nobody' if user else 'whoever runs this'}")
    for through in (Through.FUSE, Through.SECCOMP)
    for user in ((None, NOBODY) if IS_ROOT else (None,))
]
"""Through a file system or system calls, as whoever runs the tests, and as nobody where that is root."""
LONG = 60.0  # seconds that no command here takes


@lru_cache
def program_of_anybody() -> tuple[str, ...]:
    """The command, in an interpreter that nobody may run too: that of a root's environment is often in root's home."""
    for place in PLACES:
        command = ("/usr/bin/env", f"PYTHONPATH={_packages()}", place, *COMMAND[1:])
        with suppress(OSError):
            tried = subprocess.run([*command, "--version"], user=NOBODY, group=NOBODY, extra_groups=(), check=False)
            if tried.returncode == 0:
                return command
    pytest.skip("there is no Python that an ordinary user may run")


def _packages() -> str:
    folders = [ROOT / name for name in ("agent", "formats", "protos")]
    return ":".join(map(str, [*folders, sysconfig.get_path("purelib")]))


@dataclass(frozen=True, kw_only=True)
class Launched:
    code: int
    out: str
    err: str
    calls: Counter[str]
    entries: tuple[str, ...]


@contextmanager
def running(
    *arguments: str,
    machine: str = "snp",
    through: Through = Through.FUSE,
    user: int | None = None,
    faults: Sequence[str] = (),
    interfaces: Sequence[str] | None = None,
    leftovers: Sequence[str] = (),
    out: IO[bytes] | None = None,
    err: IO[bytes] | None = None,
    program: Sequence[str] = (),
) -> Iterator[Running]:
    """The command, at work."""
    program = program or (COMMAND if user is None else program_of_anybody())
    with launched(
        [*program, *arguments],
        machine=machine,
        interfaces=interfaces,
        faults=faults,
        leftovers=leftovers,
        through=through,
        quiet=True,
        user=user,
        environment=clean(),
        stdout=out,
        stderr=err,
    ) as command:
        yield command


def launch(*arguments: str, seconds: float = LONG, **how: object) -> Launched:
    """Run it to its end."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        with running(*arguments, out=out, err=err, **how) as command:  # type: ignore[arg-type]  # as `running` names them
            code = command.wait(seconds)
            calls, entries = command.devices.calls(), command.devices.entries()
        said = []
        for stream in (out, err):
            stream.seek(0)
            said.append(stream.read().decode())
        return Launched(code=code, out=said[0], err=said[1], calls=calls, entries=entries)
