"""GetEvidence over h2 against an echo of as many bytes in the same agent, behind the same listener, on one channel."""

import secrets
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import grpc
from cryptography.hazmat.primitives.serialization import Encoding

from benchmarks.machine import ECHO, Canned, Machine, running
from benchmarks.rounds import NANOSECONDS_PER_MICROSECOND, Figure, Round
from cvmproof.channel.address import read_agent_url, resolve
from cvmproof.channel.deadline import Deadline
from cvmproof.channel.tls import dial
from cvmproof_formats.tls import ALPN_H2, SERVER_NAME
from cvmproof_protos.v1.attestation_pb2 import EvidenceRequest

CALLS = 60  # a turn
ROUNDS = 15
_WARM_UP = 100
_GET_EVIDENCE = "/cvmproof.v1.Attestation/GetEvidence"


@dataclass(frozen=True, slots=True)
class Turn:
    """Some calls in a row: the agent's CPU time for one, and the median of what the client waited; microseconds."""

    cpu_us: float
    p50_us: float


def measure() -> list[Figure]:
    """Measure the agent's CPU time for a call, and how long the client waits for it."""
    with (
        running(Canned.name) as machine,
        channel(machine.host, machine.port) as agent,
        channel(machine.host, machine.other_port) as other,
    ):
        request = EvidenceRequest(nonce=secrets.token_bytes(32)).SerializeToString()
        echo, evidence = (_call(agent, method, request) for method in (ECHO, _GET_EVIDENCE))
        bare = _call(other, ECHO, request)
        if len(echo()) != len(evidence()):
            raise ValueError("the echo should answer as many bytes as GetEvidence does")
        for call in (echo, evidence, bare) * _WARM_UP:
            call()
        turns = [_round(machine, echo, evidence) for _ in range(ROUNDS)]
        behind = [_round(machine, bare, echo) for _ in range(ROUNDS)]
    what = "GetEvidence over an echo of its size behind the same listener"
    listener = "an echo behind the listener over one behind grpcio's own TLS"
    return [
        Figure.of(f"{what}, the agent's CPU time", _cpu(turns), limit=1.25),
        Figure.of(f"{what}, p50 of the client's wait", _p50(turns), limit=1.2),
        Figure.of(f"{listener}, CPU time", _cpu(behind), limit=None),
        Figure.of(f"{listener}, p50", _p50(behind), limit=None),
    ]


def channel(host: str, port: int, leaf: bytes = b"") -> grpc.Channel:
    """Give grpcio's own TLS channel, with the server's certificate (PEM), asked for unless given, for a root."""
    return grpc.secure_channel(
        f"{host}:{port}",
        grpc.ssl_channel_credentials(leaf or leaf_of(host, port)),
        options=(("grpc.ssl_target_name_override", SERVER_NAME), ("grpc.use_local_subchannel_pool", 1)),
    )


def leaf_of(host: str, port: int) -> bytes:
    """Connect once, and give the server's certificate, PEM."""
    address = read_agent_url(f"https://{host}:{port}")
    with dial(address, resolve(address), alpn=ALPN_H2, deadline=Deadline(10)) as connection:
        leaf = connection.ssl.get_peer_certificate(as_cryptography=True)
    if leaf is None:
        raise ValueError("a server without a certificate")
    return leaf.public_bytes(Encoding.PEM)


def _call(channel: grpc.Channel, method: str, request: bytes) -> Callable[[], bytes]:
    call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(method)
    return lambda: call(request, timeout=10)


def _round(machine: Machine, floor: Callable[[], bytes], contestant: Callable[[], bytes]) -> tuple[Turn, Turn, Turn]:
    return _turn(machine, floor), _turn(machine, contestant), _turn(machine, floor)


def _cpu(rounds: list[tuple[Turn, Turn, Turn]]) -> list[Round]:
    return [(before.cpu_us, found.cpu_us, after.cpu_us) for before, found, after in rounds]


def _p50(rounds: list[tuple[Turn, Turn, Turn]]) -> list[Round]:
    return [(before.p50_us, found.p50_us, after.p50_us) for before, found, after in rounds]


def _turn(machine: Machine, call: Callable[[], bytes]) -> Turn:
    waits = []
    before = machine.cpu_ns()
    for _ in range(CALLS):
        start = time.perf_counter_ns()
        call()
        waits.append(time.perf_counter_ns() - start)
    used = machine.cpu_ns() - before
    return Turn(used / CALLS / NANOSECONDS_PER_MICROSECOND, statistics.median(waits) / NANOSECONDS_PER_MICROSECOND)
