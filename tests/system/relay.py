"""An attacker between a client and an agent, on real sockets: what it has, and how it comes by evidence to show.

It terminates the client's TLS connection with a key of its own or with the agent's leaked one, and answers requests for
evidence by a strategy. On `cvmproof/1` it then reads whatever the client says; on `h2` it is a gRPC server that takes
every call. What it got in clear stands in `heard`.
"""

import socket
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import grpc
from cryptography import x509
from OpenSSL import SSL

from cvmproof.channel.address import read_agent_url, resolve
from cvmproof.channel.channel import channel_through
from cvmproof.channel.deadline import Deadline, lease_for
from cvmproof.channel.pipe import Pipe
from cvmproof.channel.tls import TlsConnection, dial
from cvmproof.channel.tunnel import Tunnel
from cvmproof.errors import CvmproofError
from cvmproof_agent.tls_key import TlsKey
from cvmproof_formats.frames import ANSWER_LIMIT, REQUEST_LIMIT, read_frame, write_frame
from cvmproof_formats.tls import ALPN_ATTESTED, ALPN_H2
from cvmproof_protos.v1.attestation_pb2 import AttestedAnswer, AttestedRequest, EvidenceRequest
from cvmproof_protos.v1.evidence_pb2 import Evidence

PATIENCE = 20.0  # seconds
GET_EVIDENCE = "/cvmproof.v1.Attestation/GetEvidence"


@dataclass(eq=False)
class Relay:
    """Stands in front of the agent at `behind`; `strategy` makes evidence for a nonce of a client's session."""

    behind: str
    key: TlsKey
    strategy: "Strategy"
    heard: bytearray = field(default_factory=bytearray)
    answered: list[Evidence] = field(default_factory=list)
    _running: ExitStack = field(default_factory=ExitStack)
    _session: TlsConnection | None = None

    def __enter__(self) -> Self:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._socket = str(Path(self._running.enter_context(tempfile.TemporaryDirectory())) / "relay")
        self._server = grpc.server(ThreadPoolExecutor(4), handlers=[_Everything(self)])
        self._server.add_insecure_port(f"unix:{self._socket}")
        self._server.start()
        self._running.callback(lambda: self._server.stop(None).wait())
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._thread.join(PATIENCE)
        self._running.close()

    @property
    def url(self) -> str:
        port: int = self._listening.getsockname()[1]
        return f"https://127.0.0.1:{port}"

    def evidence(self, nonce: bytes) -> Evidence:
        """Make evidence for the client's nonce."""
        if self._session is None:
            raise AssertionError("nobody has connected")
        evidence = self.strategy(self, nonce, self._session)
        self.answered.append(evidence)
        return evidence

    def _accept(self) -> None:
        with suppress(OSError):
            client, _ = self._listening.accept()
            client.settimeout(0)
            self._session = TlsConnection(SSL.Connection(_context(self.key), client), client, peer="the victim")
            self._running.callback(self._session.close)
            self._session.ssl.set_accept_state()
            with suppress(CvmproofError, SSL.Error):
                self._serve(self._session)

    def _serve(self, client: TlsConnection) -> None:
        deadline = Deadline(PATIENCE)
        try:
            client.handshake(ALPN_ATTESTED, deadline)
        except CvmproofError:
            self._serve_h2(client)
            return
        request = read_frame(lambda size: client.receive(size, deadline), limit=REQUEST_LIMIT)
        evidence = self.evidence(AttestedRequest.FromString(request).nonce)
        answer = AttestedAnswer(evidence=evidence).SerializeToString()
        client.send(write_frame(answer, limit=ANSWER_LIMIT), deadline)
        while True:
            self.heard += client.receive(4096, deadline)

    def _serve_h2(self, client: TlsConnection) -> None:
        local = socket.socket(socket.AF_UNIX)
        local.connect(self._socket)
        local.settimeout(0)
        pipe = Pipe(client, local, lease_for(PATIENCE))
        self._running.callback(pipe.close)
        pipe.start()


Strategy = Callable[[Relay, bytes, TlsConnection], Evidence]


class _Everything(grpc.GenericRpcHandler):
    """Answers GetEvidence by the relay's strategy, and listens to every other call."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay

    def service(self, details: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[bytes, bytes]":
        def get_evidence(request: bytes, _: grpc.ServicerContext) -> bytes:
            return self._relay.evidence(EvidenceRequest.FromString(request).nonce).SerializeToString()

        def anything(request: bytes, _: grpc.ServicerContext) -> bytes:
            self._relay.heard += request
            return b"thank you"

        return grpc.unary_unary_rpc_method_handler(get_evidence if details.method == GET_EVIDENCE else anything)


def ask_on_a_connection(url: str, nonce: bytes) -> Evidence:
    """Get channel-bound evidence for a nonce over a connection of one's own."""
    deadline = Deadline(PATIENCE)
    with _dial(url, ALPN_ATTESTED) as connection:
        request = AttestedRequest(nonce=nonce).SerializeToString()
        connection.send(write_frame(request, limit=REQUEST_LIMIT), deadline)
        answer = read_frame(lambda size: connection.receive(size, deadline), limit=ANSWER_LIMIT)
    return AttestedAnswer.FromString(answer).evidence


def ask_over_h2(url: str, nonce: bytes) -> Evidence:
    """Get key-bound evidence for a nonce; raises grpc.RpcError where the agent refuses."""
    tunnel = Tunnel(_dial(url, ALPN_H2), lease_for(PATIENCE))
    channel = channel_through(tunnel, ())
    try:
        call: grpc.UnaryUnaryMultiCallable[EvidenceRequest, Evidence] = channel.unary_unary(
            GET_EVIDENCE,
            request_serializer=EvidenceRequest.SerializeToString,
            response_deserializer=Evidence.FromString,
        )
        return call(EvidenceRequest(nonce=nonce), timeout=PATIENCE)
    finally:
        channel.close()
        tunnel.close()


def _dial(url: str, alpn: bytes) -> TlsConnection:
    address = read_agent_url(url)
    return dial(address, resolve(address), alpn=alpn, deadline=Deadline(PATIENCE))


def _context(key: TlsKey) -> SSL.Context:
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.use_privatekey(key.private)
    context.use_certificate(x509.load_der_x509_certificate(key.certificate))
    context.set_alpn_select_callback(lambda _, offered: offered[0])
    return context
