"""The agent under measurement, in a process of its own: `python -m benchmarks.machine DEVICE`.

It prints where it listens; then, for each line on its input, the CPU time that it has used. `canned` is a device whose
reports cost nothing and convince nobody, so that what is measured is the agent; any other name is a real one's. Beside
the agent's methods its gRPC servers have `/benchmark/Echo`, which answers as many bytes as its evidence has: what
listener and gRPC cost without the agent. Another port has the echo behind grpcio's own TLS.
"""

import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Self
from unittest.mock import patch

import grpc
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509 import load_der_x509_certificate

from benchmarks.material import CERTIFICATES, REPORT
from cvmproof_agent import serve
from cvmproof_agent.device import Device, open_device
from cvmproof_agent.evidence_message import evidence_message
from cvmproof_agent.limits import Limits
from cvmproof_agent.service import Attestation
from cvmproof_agent.tls_key import TlsKey
from cvmproof_formats.binding import BindingKind, Role, Tee
from cvmproof_formats.evidence import Evidence

ECHO = "/benchmark/Echo"
_DATA = slice(0x50, 0x90)  # AMD 56860, ATTESTATION_REPORT: REPORT_DATA
_FAST = 1_000_000
_LIMITS = Limits(
    connections_per_network=300,
    handshakes_per_second=_FAST,
    handshake_burst=_FAST,
    reports_per_second=_FAST,
    report_burst=_FAST,
)


class Canned:
    """A device that answers at once: one old report, with other report data in it."""

    tee, name, vmpl = Tee.SEV_SNP, "canned", 0

    def report(self, report_data: bytes) -> bytes:
        """Put the report data into the old report."""
        return REPORT[: _DATA.start] + report_data + REPORT[_DATA.stop :]

    def certificates(self) -> tuple[bytes, ...]:
        """Leaf, intermediate and root."""
        return CERTIFICATES

    def event_log(self) -> bytes | None:
        """There is none."""
        return None

    def close(self) -> None:
        """Nothing is held."""


def device_named(name: str) -> Device:
    """Open a device, or the canned one."""
    return Canned() if name == Canned.name else open_device(name)


class _WithEcho(Attestation):
    def handler(self, offered: frozenset[str]) -> grpc.GenericRpcHandler:
        return _Echo(super().handler(offered))


class _Echo(grpc.GenericRpcHandler):
    def __init__(self, others: grpc.GenericRpcHandler | None) -> None:
        self._others = others
        evidence = Evidence(
            tee=Tee.SEV_SNP,
            report=REPORT,
            certificates=CERTIFICATES,
            binding=BindingKind.KEY,
            role=Role.SERVER,
            nonce=bytes(32),
            spki=bytes(91),
        )
        answer = evidence_message(evidence).SerializeToString()
        self._handler: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(lambda _, __: answer)

    def service(self, details: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[bytes, bytes] | None":
        if details.method == ECHO:
            return self._handler
        return None if self._others is None else self._others.service(details)


def main() -> None:
    """Serve until the end of the input."""
    with patch.object(serve, "Attestation", _WithEcho), serve.Agent(device_named(sys.argv[1]), limits=_LIMITS) as agent:
        other = grpc.server(ThreadPoolExecutor(4), handlers=[_Echo(None)])
        print(*agent.address, other.add_secure_port("127.0.0.1:0", _credentials()), flush=True)
        other.start()
        for _ in sys.stdin:
            print(time.process_time_ns(), flush=True)
        other.stop(None).wait()


def _credentials() -> grpc.ServerCredentials:
    key = TlsKey.generate()
    private = key.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return grpc.ssl_server_credentials(
        [(private, load_der_x509_certificate(key.certificate).public_bytes(Encoding.PEM))]
    )


@dataclass(frozen=True, slots=True)
class Machine:
    """An agent that runs: where, and how much CPU time it has used."""

    host: str
    port: int
    other_port: int
    _asking: IO[str]
    _answers: IO[str]

    @classmethod
    def of(cls, process: "subprocess.Popen[str]") -> Self:
        """Wait until it listens."""
        if process.stdin is None or process.stdout is None:
            raise ValueError("a process without pipes")
        host, port, other = process.stdout.readline().split()
        return cls(host, int(port), int(other), process.stdin, process.stdout)

    def cpu_ns(self) -> int:
        """CPU time so far, in nanoseconds."""
        self._asking.write("\n")
        self._asking.flush()
        return int(self._answers.readline())


@contextmanager
def running(device: str) -> Iterator[Machine]:
    """Run an agent with this device while the context lasts."""
    command = [sys.executable, "-m", "benchmarks.machine", device]
    folder = Path(__file__).resolve().parent.parent
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=folder, stdin=pipe, stdout=pipe, text=True) as process:
        yield Machine.of(process)
        process.communicate(timeout=30)  # the end of its input is the end of it


if __name__ == "__main__":
    main()
