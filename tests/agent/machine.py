"""A SIMULATED machine whose agent runs in this process, a device that misbehaves on request, and a client by hand."""

import os
import select
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

import grpc
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL
from OpenSSL._util import lib

from cvmproof_agent import open_device
from cvmproof_agent.attester import Attester
from cvmproof_agent.device import Device
from cvmproof_agent.limits import Limits
from cvmproof_agent.serve import Agent
from cvmproof_formats.binding import EKM_SIZE, EXPORTER_LABEL, Role, Tee, channel_report_data
from cvmproof_formats.frames import ANSWER_LIMIT, REQUEST_LIMIT, read_frame, write_frame
from cvmproof_formats.snp.report import read_report
from cvmproof_formats.tdx.quote import read_quote
from cvmproof_formats.tls import ALPN_ATTESTED, SERVER_NAME, leaf_spki
from cvmproof_protos.v1.attestation_pb2 import AttestedAnswer, AttestedRequest

# As fast as the machine, and short waits; what a test is about it changes.
QUICK = Limits(
    connections_per_network=1000,
    handshakes_per_second=10_000,
    handshake_burst=10_000,
    handshake_seconds=5.0,
    request_seconds=5.0,
    reports_per_second=1000,
    report_burst=1000,
    deadline_seconds=10.0,
    stop_seconds=3.0,
)
SOON = 10.0  # seconds that nothing here may take on a busy machine


SIMULATED = {Tee.SEV_SNP: "simulated:snp", Tee.TDX: "simulated:tdx"}


@dataclass(eq=False)
class FakeDevice:
    """A SIMULATED device that counts, waits and changes what it returns."""

    tee: Tee = Tee.SEV_SNP
    name: str = "fake"
    vmpl: int | None = 0
    change: Callable[[bytes], bytes] = lambda report: report
    before: Callable[[], None] = lambda: None
    log: bytes | None = None
    host_certificates: tuple[bytes, ...] = ()
    asked: list[bytes] = field(default_factory=list)
    closed: threading.Event = field(default_factory=threading.Event)

    def report(self, report_data: bytes) -> bytes:
        self.asked.append(report_data)
        self.before()
        return self.change(open_device(SIMULATED[self.tee]).report(report_data))

    def certificates(self) -> tuple[bytes, ...]:
        return self.host_certificates

    def event_log(self) -> bytes | None:
        return self.log

    def close(self) -> None:
        self.closed.set()


def _context(alpn: bytes | None, highest: int) -> SSL.Context:
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_max_proto_version(highest)
    if alpn is not None:
        context.set_alpn_protos([alpn])
    return context


class Client:
    """A TLS client that does as it is told, one step at a time."""

    def __init__(
        self,
        address: tuple[str, int],
        *,
        alpn: bytes | None = ALPN_ATTESTED,
        source: str = "127.0.0.1",
        highest: int = SSL.TLS1_3_VERSION,
        resume: "Client | None" = None,
    ) -> None:
        context: SSL.Context = _context(alpn, highest) if resume is None else resume.tls.get_context()
        self.socket = socket.create_connection(address, timeout=SOON, source_address=(source, 0))
        self.socket.settimeout(None)  # pyOpenSSL wants blocking ones; tests have their own deadline
        self.tls: SSL.Connection = SSL.Connection(context, self.socket)
        if resume is not None and (session := resume.tls.get_session()) is not None:
            self.tls.set_session(session)
        self.tls.set_connect_state()

    def __enter__(self) -> Self:
        try:
            self.tls.do_handshake()
        except BaseException:
            self.socket.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    @property
    def leaf(self) -> x509.Certificate:
        found = self.tls.get_peer_certificate(as_cryptography=True)
        assert found is not None
        return found

    @property
    def spki(self) -> bytes:
        return leaf_spki(self.leaf.public_bytes(Encoding.DER))

    def ekm(self, nonce: bytes) -> bytes:
        return self.tls.export_keying_material(EXPORTER_LABEL, EKM_SIZE, nonce)

    def ask(self, nonce: bytes | None = None, *, event_log: bool = False) -> AttestedAnswer:
        request = AttestedRequest(nonce=os.urandom(32) if nonce is None else nonce, event_log=event_log)
        self.tls.sendall(write_frame(request.SerializeToString(), limit=REQUEST_LIMIT))
        return self.answer()

    def answer(self) -> AttestedAnswer:
        return AttestedAnswer.FromString(read_frame(self.tls.recv, limit=ANSWER_LIMIT))

    def expected(self, nonce: bytes, tee: Tee = Tee.SEV_SNP) -> bytes:
        """REPORT_DATA of channel-bound evidence on this connection."""
        return channel_report_data(role=Role.SERVER, tee=tee, nonce=nonce, spki=self.spki, ekm=self.ekm(nonce))

    def end(self, within: float = SOON) -> bytes:
        """What still comes until the agent closes; fails where it doesn't."""
        self.socket.settimeout(within)
        received = b""
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            try:
                received += self.tls.recv(65536)
            except SSL.WantReadError:
                time.sleep(0.01)
            except SSL.Error:
                return received
        raise AssertionError(f"the agent did not close within {within} s")


@contextmanager
def serving(
    device: Device | Attester | None = None,
    *,
    user_socket: Path | None = None,
    metrics_at: str | None = None,
    **limits: float,
) -> Iterator[Agent]:
    """An agent with quick limits, changed as a test says."""
    with Agent(
        device or FakeDevice(),
        limits=replace(QUICK, **limits),  # type: ignore[arg-type]  # by name, and checked by Limits
        user_socket=user_socket,
        metrics_at=metrics_at,
    ) as agent:
        yield agent


def was_resumed(connection: SSL.Connection) -> bool:
    """Whether OpenSSL took a shorter handshake; pyOpenSSL has no word for it."""
    return bool(lib.SSL_session_reused(connection._ssl))


@contextmanager
def pinned(agent: Agent) -> Iterator[grpc.Channel]:
    """An ordinary gRPC channel over h2 that pins the agent's certificate."""
    with Client(agent.address, alpn=b"h2") as client:
        pem = client.leaf.public_bytes(Encoding.PEM)
    options = [("grpc.ssl_target_name_override", SERVER_NAME), ("grpc.use_local_subchannel_pool", 1)]
    host, port = agent.address
    with grpc.secure_channel(f"{host}:{port}", grpc.ssl_channel_credentials(pem), options=options) as channel:
        yield channel


@contextmanager
def bridged(client: Client) -> Iterator[grpc.Channel]:
    """A gRPC channel over a connection whose exchange is done; not how a client should do it, but short."""
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listening:
        listening.bind(f"{folder}/s")
        listening.listen(1)
        with grpc.insecure_channel(f"unix:{folder}/s") as channel:
            carrying = threading.Thread(target=_bridge, args=(listening, client))
            carrying.start()
            try:
                yield channel
            finally:
                channel.close()
                carrying.join(SOON)


def _bridge(listening: socket.socket, client: Client) -> None:
    local, _ = listening.accept()
    client.socket.settimeout(0)
    local.settimeout(0)
    waiting = [local, client.socket]
    with local, suppress(SSL.ZeroReturnError, SSL.SysCallError, OSError):
        while client.socket.fileno() >= 0:
            select.select(waiting, [], [], 0.1)
            with suppress(BlockingIOError):
                data = local.recv(65536)
                if not data:
                    return
                client.tls.sendall(data)
            with suppress(SSL.WantReadError):
                local.sendall(client.tls.recv(65536))


def unary(channel: grpc.Channel, path: str) -> "grpc.UnaryUnaryMultiCallable[bytes, bytes]":
    """A method by its path, request and answer as they are on the wire."""
    return channel.unary_unary(path, bytes, bytes)


def report_data(answer: AttestedAnswer) -> bytes:
    """REPORT_DATA of the evidence in an answer."""
    assert answer.HasField("evidence"), answer.refusal
    if answer.evidence.tee == Tee.TDX:
        return read_quote(answer.evidence.report).body.report_data
    return read_report(answer.evidence.report).report_data


def eventually(holds: Callable[[], bool], within: float = SOON) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + within
    while not holds():
        assert time.monotonic() < deadline, "it never came to be so"
        time.sleep(0.01)
