"""How a client ends: killed at any moment, or after very many hostile answers; neither leaves anything behind."""

import gc
import itertools
import os
import random
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import grpc
import pytest
from tests.verifier.channel.conftest import descriptors
from tests.verifier.channel.fake_agent import (
    PSP,
    Answer,
    FakeAgent,
    certificates,
    collateral,
    evidence_for,
    framed,
    honest,
    policy,
)
from tests.verifier.channel.leaves import key, leaf, read_leaf

from cvmproof.appraisal import Verdict
from cvmproof.appraise import appraise
from cvmproof.channel.connect import connect
from cvmproof.channel.deadline import Deadline
from cvmproof.channel.door import PREFIX
from cvmproof.channel.message import read_answer
from cvmproof.channel.tls import TlsConnection
from cvmproof.errors import CvmproofError, EndpointError
from cvmproof.live import READER, ExpectedChannel
from cvmproof.trust import TrustRoots
from cvmproof_agent.device import open_device
from cvmproof_agent.limits import Limits
from cvmproof_agent.serve import Agent
from cvmproof_formats.binding import Role
from cvmproof_formats.errors import Category
from cvmproof_protos.v1.attestation_pb2 import AttestedAnswer, AttestedRequest

KILLS = {"quick": 20, "full": 200}
SEED = 3
LONGEST_LIFE = 0.08  # seconds; connecting, appraising and a call take about 20 ms on an idle machine
QUICK = Limits(
    reports_per_second=10_000,
    report_burst=10_000,
    handshakes_per_second=10_000,
    handshake_burst=10_000,
    connections_per_network=300,
)

# Imports once, then forks a client for each line on standard input: single-threaded, so that a fork is safe.
CLIENTS = """
import os, sys
from cvmproof.channel.connect import connect
from cvmproof.collateral.collateral import Collateral, Crl
from cvmproof.policy.reading import read_policy
from cvmproof.trust import TrustRoots
url, crl, policy = sys.argv[1], bytes.fromhex(sys.argv[2]), sys.argv[3].encode()
terms = dict(policies=[read_policy(policy, name="ours")], trust=TrustRoots.simulated(),
             collateral=Collateral(crls=(Crl(der=crl),)))
print("ready", flush=True)
for line in sys.stdin:
    pid = os.fork()
    if pid == 0:
        while True:
            with connect(url, **terms) as attested:
                attested.channel.unary_unary("/grpc.health.v1.Health/Check")(b"", timeout=10)
    print(pid, flush=True)
    os.waitpid(pid, 0)
    print("gone", flush=True)
"""


@pytest.fixture
def agent() -> Iterator[Agent]:
    with Agent(open_device("simulated:snp"), limits=QUICK) as agent:
        yield agent


def test_ac_128_a_client_killed_at_any_moment_leaves_nothing_at_any_time_and_an_agent_that_serves(
    agent: Agent, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    kills: int = KILLS[pytestconfig.getoption("--sweep")]
    host, port = agent.address
    url, dice = f"https://{host}:{port}", random.Random(SEED)  # noqa: S311 -- moments, not secrets
    before = threading.active_count(), descriptors_in_all()
    doors = 0
    for pid, open_ in killing(url, tmp_path, [dice.uniform(0, LONGEST_LIFE) for _ in range(kills)]):
        # Nobody sweeps: what is there after a kill would stay.
        assert list(tmp_path.rglob("*")) == []
        assert doors_of(pid) == set()
        doors += len(open_)
    # Some were killed while gRPC's way in stood open, or was theirs still; how many depends on how busy the machine is.
    assert doors > 0
    with connect(url, policies=[policy()], trust=TrustRoots.simulated(), collateral=collateral()) as attested:
        call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = attested.channel.unary_unary("/grpc.health.v1.Health/Check")
        assert call(b"", timeout=10)
    wait_until_no_more_than(before)


def doors_of(pid: int) -> set[str]:
    """Abstract names of a process's ways in for gRPC, proc_net(5)."""
    words = [line.split()[-1] for line in Path("/proc/net/unix").read_text("utf-8", "replace").splitlines()]
    return {word for word in words if word.startswith(f"@{PREFIX}{pid}-")}


def descriptors_in_all() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def killing(url: str, folder: Path, lives: list[float]) -> Iterator[tuple[int, set[str]]]:
    """Let clients live that long each, in seconds; gives their process ids and the names they had when they died."""
    words = [url, collateral().crls[0].der.hex(), RULES]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("COV")}
    environment |= dict.fromkeys(("TMPDIR", "HOME", "XDG_RUNTIME_DIR", "XDG_CACHE_HOME"), str(folder))
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, "-c", CLIENTS, *words],
        stdin=pipe,
        stdout=pipe,
        stderr=pipe,
        text=True,
        env=environment,
        cwd=folder,
    ) as clients:
        assert clients.stdin is not None
        assert clients.stdout is not None
        assert clients.stdout.readline() == "ready\n"
        for life in lives:
            clients.stdin.write("another\n")
            clients.stdin.flush()
            pid = int(clients.stdout.readline())
            time.sleep(life)
            os.kill(pid, signal.SIGSTOP)
            names = doors_of(pid)
            os.kill(pid, signal.SIGKILL)
            assert clients.stdout.readline() == "gone\n"
            yield pid, names
        clients.stdin.close()
        assert clients.wait(20) == 0


RULES = (
    f'{{"extends": "builtin:recommended", "snp": {{"measurements": ["{PSP.fields(bytes(64)).measurement.hex()}"]}}}}'
)


def wait_until_no_more_than(before: tuple[int, int]) -> None:
    ends = time.monotonic() + 10
    now = before
    while time.monotonic() < ends:
        now = threading.active_count(), descriptors_in_all()
        if now[0] <= before[0] + 2 and now[1] <= before[1] + 4:  # gRPC's own, once a channel was made
            return
        time.sleep(0.05)
    pytest.fail(f"{before} threads and descriptors before, {now} after")


# --- hostile answers -------------------------------------------------------------------------------------------------


def hostile_messages() -> list[bytes]:
    """Answers that say one thing wrong each, as a message without its frame."""
    agent, nonce = FakeAgent(), bytes(32)
    good = AttestedAnswer(evidence=evidence_for(agent, nonce=nonce, ekm=nonce)).SerializeToString()
    dice = random.Random(SEED)  # noqa: S311 -- noise, not secrets
    cut = [good[: dice.randrange(len(good))] for _ in range(20)]
    flipped = []
    for _ in range(60):
        noisy = bytearray(good)
        noisy[dice.randrange(len(noisy))] ^= 1 << dice.randrange(8)
        flipped.append(bytes(noisy))
    return [b"", b"\xff" * 1000, bytes(65_000), *cut, *flipped]


def test_ac_118_ten_thousand_hostile_answers_leave_memory_as_it_was() -> None:
    certificate = read_leaf(leaf(key(b"agent")))
    expected = ExpectedChannel(reader=READER, role=Role.SERVER, nonce=bytes(32), leaf=certificate, ekm=b"\1" * 32)
    rules, trust, now, beside = [policy()], TrustRoots.simulated(), datetime.now(UTC), collateral()
    messages = itertools.cycle(hostile_messages())
    assert len(certificates(PSP)) == 3

    def some(count: int) -> None:
        for message in itertools.islice(messages, count):
            with suppress(CvmproofError):
                appraisal = appraise(
                    read_answer(message), policies=rules, trust=trust, freshness=expected, now=now, collateral=beside
                )
                assert appraisal.verdict is not Verdict.ACCEPTED

    some(2_000)
    gc.collect()
    before = resident()
    some(10_000)
    gc.collect()
    assert resident() - before < 4 * 1024 * 1024


def resident() -> int:
    """Bytes of this process in memory, proc(5)."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * resource.getpagesize()


def too_long(*_: object) -> bytes:
    return b"\xff\xff\xff\xff"


def noise(*_: object) -> bytes:
    return b"\0\0\0\5hello"


def of_another_session(agent: FakeAgent, _: TlsConnection, request: AttestedRequest) -> bytes:
    return framed(evidence_for(agent, nonce=request.nonce, ekm=bytes(32)))


def cut_short(agent: FakeAgent, connection: TlsConnection, request: AttestedRequest) -> bytes:
    connection.send(honest(agent, connection, request)[:1000], Deadline(10))
    raise EndpointError("enough")


def test_ac_118_three_hundred_hostile_connections_leave_no_descriptor_and_no_thread() -> None:
    ways: Iterator[Answer] = itertools.cycle([too_long, noise, of_another_session, cut_short])

    def answer(agent: FakeAgent, connection: TlsConnection, request: AttestedRequest) -> bytes:
        return next(ways)(agent, connection, request)

    gc.collect()
    before = threading.active_count(), len(descriptors())
    with FakeAgent(answer=answer) as agent:
        for _ in range(300):
            attempt(agent.url)
    gc.collect()
    assert (threading.active_count(), len(descriptors())) <= before


def attempt(url: str) -> None:
    with pytest.raises(CvmproofError) as caught:
        connect(url, policies=[policy()], trust=TrustRoots.simulated(), collateral=collateral())
    assert caught.value.category is not Category.INTERNAL
