"""`cvm verify --all` as an operator runs it: 40 CVMs, two agents, a control plane that does as it likes meanwhile.

The command is a process of its own, or runs in this one where its threads and descriptors are counted.
"""

import json
import os
import select
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.agent.cli import program
from tests.agent.machine import eventually
from tests.verifier.cvm.scene import OTHER_SOFTWARE, POLICY, TOKEN, policy_bytes

from cvmproof.cli.main import cli
from cvmproof_formats.snp.product import ProductLine
from cvmproof_simulator.evidence import collateral_files
from cvmproof_simulator.misbehaviour import Answer, status
from cvmproof_simulator.prism import FakePrism
from cvmproof_simulator.psp import SoftwarePsp

ACCEPTED, MISUSE, REJECTED, ENDPOINT = 0, 1, 3, 5
CVMS = 40
PER_HOST = 3
MIB = 1024 * 1024
# One machine answers for many CVMs: the limits that it has for a single one would only make the test slow.
UNHURRIED = "[limits]\nreports_per_second = 1e6\nreport_burst = 1000000\nhandshake_burst = 1000000\n"
COMMAND = [sys.executable, "-c", "from cvmproof.cli.main import cli; cli()"]
REACHABLE = ("--allow-address", "127.0.0.0/8", "--allow-port", "1024-65535")


class Front:
    """Passes connections on to an agent from an address of its own, and counts those that are open at once."""

    def __init__(self, host: str, behind: tuple[str, int]) -> None:
        self._listening, self._behind = socket.create_server((host, 0)), behind
        self._lock, self._open = threading.Lock(), list[socket.socket]()
        self.most, self.taken = 0, 0
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        host, port = self._listening.getsockname()
        return f"https://{host}:{port}"

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                with self._lock:
                    # What the client has closed is not open, however far we are with it.
                    self.most = max(self.most, 1 + sum(map(is_open, self._open)))
                    self.taken += 1
                    self._open.append(client)
                threading.Thread(target=self._pass_on, args=(client,), daemon=True).start()

    def _pass_on(self, client: socket.socket) -> None:
        with suppress(OSError), socket.create_connection(self._behind) as agent:
            other = {client: agent, agent: client}
            while all(move(one, other[one]) for one in select.select(list(other), [], [])[0]):
                pass
        with self._lock:
            self._open.remove(client)
        client.close()


def is_open(client: socket.socket) -> bool:
    poll = select.poll()
    poll.register(client, select.POLLRDHUP)
    return not poll.poll(0)


def move(source: socket.socket, sink: socket.socket) -> bool:
    data = source.recv(64 * 1024)
    sink.sendall(data)
    return bool(data)


@dataclass(frozen=True, kw_only=True)
class Ran:
    """What the command came to."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:  # noqa: ANN401 -- JSON, looked into by tests
        return json.loads(self.out)

    @property
    def sums(self) -> tuple[int, int, int, int]:
        found = self.document
        return found["accepted"], found["rejected"], found["undecided"], found["failed"]

    @property
    def ids(self) -> list[str]:
        return [entry["id"] for entry in self.document["cvms"]]


@dataclass
class Fleet:
    """A domain of CVMs at two hosts, and its operator."""

    prism: FakePrism
    fronts: tuple[Front, ...]
    folder: Path
    cvms: list[str] = field(default_factory=list)

    def fill(self, count: int = CVMS) -> None:
        """Add CVMs, in blocks of ten at each host."""
        for number in range(len(self.cvms), len(self.cvms) + count):
            self.add(f"cvm-{number:03}", self.fronts[number // 10 % len(self.fronts)].url)

    def add(self, name: str, url: str, policy: bytes = POLICY) -> str:
        """Add a CVM of which name and id are one."""
        self.cvms.append(self.prism.add(name, id=name, agent_url=url, policy=policy))
        return name

    def arguments(self, *options: str) -> list[str]:
        """The command line, as typed."""
        return [
            *("cvm", "verify", "--all", "--api", self.prism.url, "--domain", self.prism.domain),
            *("--token-file", str(self.folder / "token"), "--floor", str(self.folder / "floor.toml")),
            *("--trust", "simulated", "--offline", "--collateral", str(self.folder / "collateral")),
            *("--state", str(self.folder / "state"), "--per-host", str(PER_HOST)),
            *REACHABLE,
            *options,
        ]

    def verify(self, *options: str) -> Ran:
        """Verify them all."""
        command = [*COMMAND, *self.arguments(*options)]
        done = subprocess.run(command, env=program.clean(), check=False, capture_output=True, text=True, timeout=60)
        assert TOKEN not in done.stdout + done.stderr
        return Ran(code=done.returncode, out=done.stdout, err=done.stderr)


@pytest.fixture(scope="module")
def fronts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Front, ...]]:
    config = tmp_path_factory.mktemp("agents") / "agent.toml"
    config.write_text(UNHURRIED)
    with ExitStack() as running:
        agents = [running.enter_context(program.serve("--config", str(config))) for _ in range(2)]
        made = tuple(Front(f"127.0.0.{number}", agent.address) for number, agent in enumerate(agents, 2))
        for front in made:
            running.callback(front.close)
        yield made


@pytest.fixture
def fleet(tmp_path: Path, fronts: tuple[Front, ...]) -> Iterator[Fleet]:
    with filled(tmp_path, fronts) as made:
        yield made


@contextmanager
def filled(folder: Path, fronts: tuple[Front, ...]) -> Iterator[Fleet]:
    (folder / "collateral").mkdir()
    for name, data in collateral_files(
        SoftwarePsp(ProductLine.GENOA), datetime.now(UTC).replace(microsecond=0)
    ).items():
        (folder / "collateral" / name).write_bytes(data)
    (folder / "floor.toml").write_bytes(POLICY)
    (folder / "token").write_text(TOKEN)
    (folder / "token").chmod(0o600)
    for front in fronts:
        front.most = front.taken = 0
    with FakePrism(domain="workspace", token=TOKEN) as prism:
        yield Fleet(prism, fronts, folder)


# --- all is well -----------------------------------------------------------------------------------------------------


def test_every_cvm_is_verified_and_no_host_sees_more_at_once_than_allowed(fleet: Fleet) -> None:
    fleet.fill()
    ran = fleet.verify("--json", "--concurrency", "16")
    assert (ran.code, ran.sums) == (ACCEPTED, (CVMS, 0, 0, 0))
    assert sorted(ran.ids) == fleet.cvms
    assert {(entry["assurance"], entry["simulated"]) for entry in ran.document["cvms"]} == {("channel-bound", True)}
    assert [front.taken for front in fleet.fronts] == [CVMS // 2, CVMS // 2]
    assert all(1 <= front.most <= PER_HOST for front in fleet.fronts)
    assert "error" not in ran.document


def test_one_at_a_time_is_one_at_a_time(fleet: Fleet) -> None:
    fleet.fill(12)
    assert fleet.verify("--json", "--concurrency", "1").code == ACCEPTED
    assert [front.most for front in fleet.fronts] == [1, 1]


def test_for_people_there_is_a_line_for_each_and_the_sum_at_the_end(fleet: Fleet) -> None:
    fleet.fill(12)
    ran = fleet.verify()
    *lines, last = ran.out.splitlines()
    assert ran.code == ACCEPTED
    assert sorted(line.split()[1] for line in lines) == fleet.cvms
    assert all("ACCEPTED (simulated)   channel-bound" in line for line in lines)
    assert last == "12 accepted, 0 rejected, 0 undecided, 0 without a verdict"


def test_a_filter_chooses(fleet: Fleet) -> None:
    fleet.fill(12)
    assert fleet.verify("--json", "--name", "cvm-007").ids == ["cvm-007"]


# --- some are not well -----------------------------------------------------------------------------------------------


def test_one_of_two_that_fails_fails_the_whole_ac_094(fleet: Fleet) -> None:
    fleet.fill(2)
    fleet.prism.set_policy("cvm-001", policy_bytes(OTHER_SOFTWARE))
    ran = fleet.verify("--json")
    assert (ran.code, ran.sums) == (REJECTED, (1, 1, 0, 0))
    (refused,) = (entry for entry in ran.document["cvms"] if entry["verdict"] == "rejected")
    assert refused["id"] == "cvm-001"
    assert [reason["id"] for reason in refused["reasons"]] == ["snp.measurement"]
    told = fleet.verify()
    assert told.code == REJECTED
    assert "cvm-001  REJECTED (simulated)   snp.measurement" in told.out
    assert "cvm-000  ACCEPTED" in told.out


def test_the_exit_code_is_the_worst_of_them(fleet: Fleet) -> None:
    fleet.fill(3)
    nobody = socket.create_server(("127.0.0.1", 0))
    port = nobody.getsockname()[1]
    nobody.close()
    fleet.add("cvm-gone", f"https://127.0.0.1:{port}")
    fleet.add("cvm-inward", "https://169.254.169.254")
    ran = fleet.verify("--json")
    assert (ran.code, ran.sums) == (ENDPOINT, (3, 0, 0, 2))
    errors = {entry["id"]: entry["error"]["category"] for entry in ran.document["cvms"] if "error" in entry}
    assert errors == {"cvm-gone": "UNAVAILABLE", "cvm-inward": "ENDPOINT"}
    fleet.add("cvm-unclear", fleet.fronts[0].url, b"version = 1\n")
    assert fleet.verify("--json").code == MISUSE
    fleet.add("cvm-other", fleet.fronts[0].url, policy_bytes(OTHER_SOFTWARE))
    ran = fleet.verify("--json")
    assert (ran.code, ran.sums) == (REJECTED, (3, 1, 0, 3))


def test_no_evidence_at_all_is_no_acceptance_ac_094(fleet: Fleet) -> None:
    ran = fleet.verify("--json")
    assert (ran.code, ran.sums, ran.ids) == (ENDPOINT, (0, 0, 0, 0), [])
    assert ran.document["error"]["category"] == "UNAVAILABLE"
    told = fleet.verify()
    assert told.code == ENDPOINT
    assert "nothing was verified" in told.out
    fleet.fill(2)
    assert fleet.verify("--json", "--name", "another").code == ENDPOINT


# --- the API ---------------------------------------------------------------------------------------------------------


def test_a_list_that_changes_while_it_is_read_leaves_none_out_that_was_there_all_the_time(fleet: Fleet) -> None:
    fleet.fill(60)  # two pages
    stay = fleet.cvms[10:]
    changes = iter(fleet.cvms[:10])

    def change() -> None:
        gone = next(changes, None)
        if gone is not None:
            fleet.prism.delete(gone)
            fleet.prism.add(f"late-{gone}", id=f"late-{gone}", agent_url=fleet.fronts[0].url, policy=POLICY)

    fleet.prism.between_pages(change)
    ran = fleet.verify("--json")
    assert set(stay) <= set(ran.ids)
    assert len(ran.ids) == len(set(ran.ids))
    accepted = {entry["id"] for entry in ran.document["cvms"] if entry["verdict"] == "accepted"}
    assert set(stay) <= accepted


def test_an_api_that_fails_midway_is_said_beside_what_was_verified(fleet: Fleet) -> None:
    fleet.fill(60)
    fleet.prism.misbehave(status(500), path="offset=49")  # the second page begins with the last record of the first
    ran = fleet.verify("--json")
    assert (ran.code, ran.sums) == (ENDPOINT, (50, 0, 0, 0))
    assert "expected 200, got 500" in ran.document["error"]["message"]
    fleet.prism.set_policy(ran.ids[0], policy_bytes(OTHER_SOFTWARE))
    told = fleet.verify()
    assert told.code == REJECTED
    assert told.out.count("ACCEPTED") == 49
    assert "got 500" in told.out.splitlines()[-1]


def test_a_policy_that_does_not_come_costs_that_cvm_alone_its_verdict(fleet: Fleet) -> None:
    fleet.fill(6)
    fleet.prism.misbehave(status(500), path="/cvm-003/attestation_policy")
    ran = fleet.verify("--json")
    assert (ran.code, ran.sums) == (ENDPOINT, (5, 0, 0, 1))


def test_a_token_that_is_not_taken_is_said(fleet: Fleet) -> None:
    fleet.fill(2)
    fleet.prism.revoke(TOKEN)
    ran = fleet.verify("--json")
    assert (ran.code, ran.ids) == (ENDPOINT, [])
    assert "401" in ran.document["error"]["message"]


def test_a_control_plane_can_not_write_lines_of_its_own(fleet: Fleet) -> None:
    fleet.fill(1)

    def renamed(right: Answer) -> Answer:
        return replace(right, body=right.body.replace(b'"cvm-000"', b'"x\\n\\u001b[32mcvm-9 ACCEPTED"'))

    fleet.prism.misbehave(renamed, path="limit=")
    ran = fleet.verify()
    assert ran.code != ACCEPTED
    assert "\x1b" not in ran.out
    assert not any(line.startswith(("cvm-9", "x\n")) for line in ran.out.splitlines())


# --- what is left behind ---------------------------------------------------------------------------------------------


def test_ac_118_a_run_leaves_no_threads_and_no_descriptors(fleet: Fleet, capfd: pytest.CaptureFixture[str]) -> None:
    fleet.fill()

    def run() -> int:
        with pytest.raises(SystemExit) as ended:
            cli(fleet.arguments("--json", "--concurrency", "8"))
        assert ended.value.code == ACCEPTED
        capfd.readouterr()
        assert not [thread for thread in threading.enumerate() if thread.name.startswith("cvm")]
        return descriptors()

    once = run()
    eventually(lambda: run() == once)


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_ac_118_memory_does_not_grow_with_the_fleet(fleet: Fleet) -> None:
    """What is kept of each CVM is its line in the result, a thousand bytes or two."""
    fleet.fill(CVMS)
    small = peak(fleet.arguments("--json"))
    fleet.fill(4 * CVMS)
    large = peak(fleet.arguments("--json"))
    assert large - small < 3 * MIB


def peak(arguments: Sequence[str]) -> int:
    with subprocess.Popen(
        [*COMMAND, *arguments], env=program.clean(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        _, code, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(code)
    assert process.returncode == ACCEPTED
    return usage.ru_maxrss * 1024
