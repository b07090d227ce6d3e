"""What tests of SIMULATED devices may ask for: to be root, FUSE, and programs that an ordinary user may run."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cvmproof_simulator.devices.harness import Mounted

IN_CI = os.environ.get("CI") == "true"
PLACES = ("/usr/bin/python3", "/usr/local/bin/python3")
NOBODY = 65534

Serving = Callable[..., Mounted]


def lack(what: str) -> None:
    """Skip a test that this user can't run; as root in CI nothing is skipped."""
    if IN_CI and os.geteuid() == 0:
        pytest.fail(f"{what}, and in CI nothing may be missing")
    pytest.skip(what)


@pytest.fixture(scope="session")
def fuse() -> None:
    """The test mounts FUSE file systems, which root may."""
    if os.geteuid():
        lack("only root mounts FUSE file systems")
    if not os.access("/dev/fuse", os.R_OK | os.W_OK):
        lack("/dev/fuse is missing")


@pytest.fixture(scope="session")
def idle_servers() -> Iterator[list[Mounted]]:
    """Starting one takes far longer than being another machine."""
    servers: list[Mounted] = []
    yield servers
    for server in servers:
        server.close()


@pytest.fixture
def serving(fuse: None, idle_servers: list[Mounted], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """`serving(machine="snp", ...)` serves devices below a folder of their own until the test ends."""
    used: list[Mounted] = []

    def serve(**options: Any) -> Mounted:  # noqa: ANN401 -- those of `Mounted.renew`
        devices = idle_servers.pop() if idle_servers else Mounted()
        used.append(devices)
        devices.renew(**options)
        devices.mount(tmp_path_factory.mktemp("devices"))
        return devices

    yield serve
    for devices in used:
        devices.unmount()
    idle_servers += used


@pytest.fixture(scope="session")
def python() -> str:
    """A Python that everybody may run; what it runs needs the standard library only."""
    for place in PLACES:
        if Path(place).is_file():
            return place
    return shutil.which("python3") or pytest.fail("python3 is missing")


@pytest.fixture
def nobody() -> int:
    """The number of an ordinary user that root can become."""
    if os.geteuid():
        lack("only root becomes another user")
    return NOBODY
