"""Two virtual machines for all tests of this folder: one that is an SNP guest, one that is a TD."""

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from shutil import which
from tempfile import TemporaryDirectory

import pytest
from boot.cached import BUILD, ROOT
from boot.debian import debian
from boot.disk import disk
from boot.kernel_module import kernel_module
from boot.transcript import Transcript, write_page
from boot.virtual_machine import VirtualMachine
from tests.boot.guest import Failing, Guest, prepare

from cvmproof_formats.binding import Tee
from cvmproof_simulator.guest_requests.answering import answers_of
from cvmproof_simulator.guest_requests.listener import GuestListener
from cvmproof_simulator.guest_requests.quote_listener import QuoteListener
from cvmproof_simulator.machines.described import read_machine

TOOLS = {
    "qemu-system-x86_64": "qemu-system-x86",
    "mmdebstrap": "mmdebstrap",
    "mke2fs": "e2fsprogs",
    "gcc": "gcc",
    "make": "make",
    "pahole": "pahole",
}
PAGE = pytest.StashKey[Path]()
BOOTING = "test_boot.py"
MACHINES = {Tee.SEV_SNP: "snp", Tee.TDX: "tdx"}
INTRODUCTION = ROOT / "boot" / "page.md"


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave the machines alone unless they are asked for."""
    return True if collection_path.name == BOOTING and config.getoption("--boot") is None else None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say so in one line, or show what the machines showed."""
    page = config.stash.get(PAGE, None)
    if page is not None:
        terminalreporter.write_line(page.read_text("utf-8"))
    elif config.getoption("--boot") is None:
        terminalreporter.write_line("virtual machines were not booted: make boot-test, as root, takes minutes")


@pytest.fixture(scope="session")
def package(pytestconfig: pytest.Config) -> Path:
    """The agent's Debian package; ends the run where something that booting it takes is missing."""
    path: str = pytestconfig.getoption("--boot")
    for name, debian_package in TOOLS.items():
        if which(name) is None:
            pytest.exit(f"{name} is not installed: apt-get install {debian_package}", returncode=1)
    if os.geteuid():
        pytest.exit("a root file system belongs to root: run  make boot-test  as root", returncode=1)
    return Path(path).resolve(strict=True)


@pytest.fixture(scope="session")
def guests(package: Path, pytestconfig: pytest.Config) -> Iterator[Mapping[Tee, Guest]]:
    """Both of them, started at once; what they showed is a page afterwards."""
    system = debian()
    image = disk(system, kernel_module(system), [package])
    with ExitStack() as running:
        found = {}
        for tee, name in MACHINES.items():
            # Paths of sockets are at most 107 bytes long, which a test's own folder easily exceeds.
            folder = Path(running.enter_context(TemporaryDirectory(prefix="cvmproof-boot-")))
            prepare(folder, tee)
            answers = Failing(answers=answers_of(read_machine(name)))
            simulator = running.enter_context(GuestListener(answers, folder / "processor"))
            quotes = running.enter_context(QuoteListener(answers, folder / "quotes"))
            machine = VirtualMachine(debian=system, disk=image, tee=name, folder=folder)
            running.enter_context(machine)
            transcript = Transcript(title=tee.value)
            found[tee] = Guest(
                tee=tee,
                machine=machine,
                processor=answers,
                simulator=simulator,
                quotes=quotes,
                folder=folder,
                transcript=transcript,
            )
        yield found
    pytestconfig.stash[PAGE] = BUILD / "boot-test.md"
    write_page(
        pytestconfig.stash[PAGE], INTRODUCTION.read_text("utf-8"), [guest.transcript for guest in found.values()]
    )


@pytest.fixture(params=list(Tee), ids=["snp", "tdx"])
def guest(request: pytest.FixtureRequest, guests: Mapping[Tee, Guest]) -> Guest:
    """One of them, with its agent serving."""
    chosen: Guest = guests[request.param]
    chosen.wait_until_serving()
    return chosen
