"""What the demo plays on: three SIMULATED CVMs that real agents serve, behind a fake Prism and the vendors' fakes.

    with set_stage(environment) as stage:
        stage.expand(["cvmproof", "cvm", "list", "$API"])      the words with the options that $API stands for

All of it is gone when the context ends: the processes, what listens, the folder.
"""

import queue
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from cvmproof_formats.errors import EndpointError
from cvmproof_formats.snp.product import ProductLine
from cvmproof_simulator.evidence import list_issued
from cvmproof_simulator.kds import FakeKds
from cvmproof_simulator.prism import FakePrism
from cvmproof_simulator.program import Program, command_of
from cvmproof_simulator.psp import SIMULATED_MEASUREMENT, SoftwarePsp
from cvmproof_simulator.tdx.collateral import Collateral
from cvmproof_simulator.tdx.pcs import FakePcs
from cvmproof_simulator.tdx.td import SIMULATED_MRTD, SoftwareTd

GOOD, TD, EVIL = "cvm-good", "cvm-td", "cvm-evil"
# Two in order, and one on which other software was launched, with debugging on (AMD 56860, POLICY bit 19).
DEVICES: Final[Mapping[str, str]] = {
    GOOD: "simulated:snp",
    TD: "simulated:tdx",
    EVIL: f"simulated:snp,measurement={'91be04ad' * 12},policy=0xb0000",
}
IMAGE, TD_IMAGE, FLOOR = "examples/image.toml", "examples/td.toml", "examples/floor.toml"
POLICIES: Final[Mapping[str, str]] = {GOOD: IMAGE, TD: TD_IMAGE, EVIL: IMAGE}
COLLATERAL: Final = "collateral"
_STARTING: Final = 30.0  # seconds
_TOKEN_FILE: Final = "token"  # noqa: S105 -- a file's name


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Everything that runs; commands run in `folder`."""

    folder: Path
    kds: FakeKds
    pccs: FakePcs
    prism: FakePrism
    agents: Mapping[str, str]

    @property
    def options(self) -> Mapping[str, str]:
        """What is the same in every command, by the name that stands for it."""
        return {
            "API": f"--api {self.prism.url} --domain {self.prism.domain} --token-file {_TOKEN_FILE}",
            "HERE": "--allow-address 127.0.0.0/8 --allow-port 1024-65535 --state state",
            "FAKE": f"--kds {self.kds.url} --pccs {self.pccs.url} --collateral {COLLATERAL}",
        }

    def expand(self, words: Sequence[str]) -> list[str]:
        """Put the options in place of $API and the like, as a shell does."""
        options = {f"${name}": value.split() for name, value in self.options.items()}
        return [each for word in words for each in options.get(word, [word])]


@contextmanager
def set_stage(environment: Mapping[str, str]) -> Iterator[Stage]:
    """Start everything; raises EndpointError for an agent that does not."""
    with ExitStack() as running:
        temporary = TemporaryDirectory(prefix="cvmproof-demo-", ignore_cleanup_errors=True)
        folder = Path(running.enter_context(temporary))
        kds = running.enter_context(FakeKds(SoftwarePsp(ProductLine.GENOA)))
        intel = Collateral.of(SoftwareTd().platform, list_issued(datetime.now(UTC)))
        pccs = running.enter_context(FakePcs(intel, caching=True))
        prism = running.enter_context(FakePrism(domain="demo"))
        programs = {
            name: running.enter_context(Program(agent_command(name), folder=folder, environment=environment))
            for name in DEVICES
        }
        agents = {name: _url_of(name, program) for name, program in programs.items()}
        write_policies(folder / "examples")
        token = folder / _TOKEN_FILE
        token.touch(0o600)
        token.write_text(f"{prism.token}\n", "ascii")
        for name, url in agents.items():
            policy = (folder / POLICIES[name]).read_bytes()
            prism.add(name, id=name, agent_url=url, policy=policy, cc_platform="tdx" if name == TD else "sev-snp")
        yield Stage(folder=folder, kds=kds, pccs=pccs, prism=prism, agents=agents)


def agent_command(name: str) -> list[str]:
    """The command that serves a CVM, on any free port."""
    return [*command_of("cvmproof-agent"), "serve", "--device", DEVICES[name], "--listen", "127.0.0.1:0"]


def _url_of(name: str, agent: Program) -> str:
    try:
        lines = agent.lines_until("https://", _STARTING)
    except queue.Empty as error:
        raise EndpointError(f"the agent of {name} did not start within {_STARTING:.0f} s") from error
    if not lines or not lines[-1].startswith("https://"):
        raise EndpointError(f"the agent of {name} did not start: {' '.join(lines[-1:]) or 'it said nothing'}")
    return lines[-1]


def write_policies(folder: Path) -> None:
    """Take the policies of examples/; an installed package has no such folder and writes the same demands shorter."""
    examples = Path(__file__).resolve().parents[2] / "examples"
    snp = f'[snp]\nmeasurements = ["{SIMULATED_MEASUREMENT.hex()}"]\n'
    tdx = f'[tdx]\nmr_tds = ["{SIMULATED_MRTD.hex()}"]\n'
    for name, tables in ((IMAGE, snp), (TD_IMAGE, tdx), (FLOOR, snp + tdx)):
        shorter = f'extends = "builtin:recommended"\n\n{tables}'
        source, copy = examples / Path(name).name, folder / Path(name).name
        copy.parent.mkdir(exist_ok=True)
        copy.write_text(source.read_text("utf-8") if source.is_file() else shorter, "utf-8")
