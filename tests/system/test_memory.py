"""The agent's memory, descriptors and threads while it answers many requests and carries many channels.

It runs in a process of its own and counts itself whenever it is asked to: from outside nobody may look into `serve`,
and what the clients of this process leave behind is not the agent's.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import grpc
import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from tests.agent.cli.program import clean
from tests.agent.machine import SOON, Client, bridged, eventually, unary

from cvmproof_formats.tls import SERVER_NAME
from cvmproof_protos.v1.attestation_pb2 import EvidenceRequest

MIB = 1024 * 1024
# Bytes. Measured are 30 to 200 KiB, pages touched for the first time and at times another thread's stack; an agent that
# kept half of each report it made would go over it.
REQUESTS_MAY_ADD = MIB // 2
# How many channels, and bytes. They come and go with buffers of many sizes, so that resident memory swings by 2 MiB
# around a level that it keeps. Over 10,000 channels the bound is 315 bytes of each, less than any TLS object takes.
CHANNELS = {"quick": (300, MIB), "full": (10_000, 3 * MIB)}
THREADS_MAY_ADD = 2  # grpcio's own and the pool's come when none happens to be idle, and are bounded

# Limits that let one client do all this; everything else is as delivered.
AGENT = """
import os, sys, threading
from cvmproof_agent.device import open_device
from cvmproof_agent.limits import Limits
from cvmproof_agent.serve import Agent
def count():
    pages = int(open("/proc/self/statm").read().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE"), len(os.listdir("/proc/self/fd")), len(os.listdir("/proc/self/task"))
limits = Limits(connections_per_network=300, handshakes_per_second=1e6, handshake_burst=10**6,
                reports_per_second=1e6, report_burst=10**6)
with Agent(open_device("simulated:snp"), limits=limits) as agent:
    print(*agent.address, flush=True)
    for line in sys.stdin:
        print(*count(), flush=True)
"""


class Count(NamedTuple):
    resident: int
    descriptors: int
    threads: int


@dataclass(frozen=True)
class Counted:
    process: subprocess.Popen[str]
    address: tuple[str, int]

    def count(self) -> Count:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("count\n")
        self.process.stdin.flush()
        return Count(*map(int, self.process.stdout.readline().split()))


@pytest.fixture
def agent() -> Iterator[Counted]:
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", AGENT], stdin=pipe, stdout=pipe, text=True, env=clean()) as process:
        try:
            assert process.stdout is not None
            host, port = process.stdout.readline().split()
            yield Counted(process, (host, int(port)))
            process.communicate(timeout=SOON)  # the end of its input is the end of it
            assert process.returncode == 0
        finally:
            process.kill()


@contextmanager
def pinned(agent: Counted) -> Iterator[grpc.Channel]:
    with Client(agent.address, alpn=b"h2") as client:
        pem = client.leaf.public_bytes(Encoding.PEM)
    host, port = agent.address
    options = [("grpc.ssl_target_name_override", SERVER_NAME), ("grpc.use_local_subchannel_pool", 1)]
    with grpc.secure_channel(f"{host}:{port}", grpc.ssl_channel_credentials(pem), options=options) as channel:
        yield channel


def ask_for_evidence(channel: grpc.Channel, *, times: int) -> None:
    call = unary(channel, "/cvmproof.v1.Attestation/GetEvidence")
    request = EvidenceRequest(nonce=bytes(32)).SerializeToString()
    for _ in range(times):
        assert len(call(request, timeout=SOON)) > 1184


def open_channels(agent: Counted, *, times: int) -> None:
    """Attested channels, one after the other, each with a call over it."""
    for _ in range(times):
        with Client(agent.address) as client:
            assert client.ask().HasField("evidence")
            with bridged(client) as channel:
                assert unary(channel, "/grpc.health.v1.Health/Check")(b"", timeout=SOON)


def test_ac_118_memory_is_flat_from_request_100_to_1000(agent: Counted) -> None:
    with pinned(agent) as channel:
        ask_for_evidence(channel, times=100)
        before = agent.count()
        ask_for_evidence(channel, times=900)
        assert agent.count().resident - before.resident < REQUESTS_MAY_ADD
        after = agent.count()
        assert after.descriptors == before.descriptors
        assert after.threads <= before.threads + THREADS_MAY_ADD


def test_ac_118_memory_is_flat_over_many_channels(agent: Counted, pytestconfig: pytest.Config) -> None:
    (times, may_add), idle = CHANNELS[pytestconfig.getoption("--sweep")], agent.count().descriptors
    open_channels(agent, times=100)
    eventually(lambda: agent.count().descriptors == idle)
    before = agent.count()
    open_channels(agent, times=times)
    eventually(lambda: agent.count().descriptors == idle)
    assert agent.count().resident - before.resident < may_add
    assert agent.count().threads <= before.threads + THREADS_MAY_ADD
