"""What every test may ask for: the recorded evidence, an external tool, and that nobody talks to the network."""

import ipaddress
import logging
import os
import shutil
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).resolve().parent.parent
IN_CI = os.environ.get("CI") == "true"
MISSING_TOOLS = pytest.StashKey[Counter[str]]()

# The programs refuse settings they don't know: those of whoever runs the tests are no part of them.
for _name in [name for name in os.environ if name.startswith("CVMPROOF_")]:
    del os.environ[_name]

# Deadlines measure the machine, not the code: a busy one would fail a correct parser.
settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("house")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--sweep",
        choices=["quick", "full"],
        default="quick",
        help="quick: one bit of each byte, a few kills; full, minutes: every bit, 200 kills, 10,000 channels",
    )
    parser.addoption("--boot", metavar="PACKAGE", help="boot virtual machines with the agent's Debian package, as root")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[MISSING_TOOLS] = Counter()


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository's root folder."""
    return ROOT


@pytest.fixture(scope="session")
def recorded() -> Path:
    """Folder of evidence recorded on real machines; it lives beside the repository, never in it."""
    folder = ROOT.parent / "shared" / "recorded"
    if not folder.is_dir():
        pytest.skip("no recorded evidence: ../shared/recorded does not stand beside this checkout")
    return folder


@pytest.fixture(scope="session")
def tool(pytestconfig: pytest.Config) -> Callable[[str], Path]:
    """`tool("openssl")` is the path of a command; without it the test is skipped, and fails where CI=true."""

    def find(name: str) -> Path:
        path = shutil.which(name)
        if path is None:
            pytestconfig.stash[MISSING_TOOLS][name] += 1
            if IN_CI:
                pytest.fail(f"{name} is not installed, and in CI nothing may be missing")
            pytest.skip(f"{name} is not installed")
        return Path(path)

    return find


@pytest.fixture(autouse=True)
def _state_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let no test remember anything for another one, or for whoever runs it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(autouse=True)
def _logging_of_its_own() -> Iterator[None]:
    """Let no test, that runs a command, configure the logging of another one."""
    logger = logging.getLogger("cvmproof")
    before = logger.level, logger.propagate, list(logger.handlers)
    yield
    logger.setLevel(before[0])
    logger.propagate, logger.handlers = before[1], before[2]


@pytest.fixture(autouse=True, scope="session")
def _no_network() -> Iterator[None]:
    """Let tests talk to this machine only."""
    connect = socket.socket.connect

    def connect_here(self: socket.socket, address: tuple[str, int] | str | bytes) -> None:
        if isinstance(address, tuple) and not _is_loopback(address[0]):
            raise AssertionError(f"a test wanted to talk to {address[0]}")
        connect(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", connect_here)
        yield


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for name, count in sorted(config.stash[MISSING_TOOLS].items()):
        terminalreporter.write_line(f"missing tool: {name} ({count} tests could not run; install it to run them)")
