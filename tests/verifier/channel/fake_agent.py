"""A tiny attester of our own, so that the client is tested against something that can be told to misbehave.

with FakeAgent() as agent:
    connect(agent.url, ...)
with FakeAgent(answer=lambda agent, connection, request: b"...")     says what it likes
"""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL
from tests.verifier.channel.leaves import key, leaf

from cvmproof.channel.deadline import Deadline, lease_for
from cvmproof.channel.pipe import Pipe
from cvmproof.channel.tls import TlsConnection
from cvmproof.collateral.collateral import Collateral, Crl
from cvmproof.errors import CvmproofError
from cvmproof.policy.policy import Policy
from cvmproof.policy.reading import read_policy
from cvmproof_formats.binding import BindingKind, Role, Tee, channel_report_data
from cvmproof_formats.frames import ANSWER_LIMIT, REQUEST_LIMIT, read_frame, write_frame
from cvmproof_formats.snp.product import ProductLine
from cvmproof_formats.tdx import qe_identity, tcb_info
from cvmproof_formats.tdx.signed_json import read_signed
from cvmproof_formats.tls import ALPN_ATTESTED
from cvmproof_formats.x509 import read_certificate
from cvmproof_protos.v1.attestation_pb2 import AttestedAnswer, AttestedRequest
from cvmproof_protos.v1.evidence_pb2 import Evidence
from cvmproof_simulator.psp import SIMULATED_MEASUREMENT, SoftwarePsp
from cvmproof_simulator.tdx.collateral import Collateral as IntelCollateral
from cvmproof_simulator.tdx.td import SIMULATED_MRTD, SoftwareTd

PSP = SoftwarePsp(ProductLine.GENOA)
TD = SoftwareTd()
Machine = SoftwarePsp | SoftwareTd
EITHER: dict[str, SoftwareTd | None] = {"snp": None, "tdx": TD}
"""What FakeAgent takes as `td`, for tests of what must hold whichever technology it is."""
PATIENCE = 20.0  # seconds; a test that takes as long has failed
PROMPT = 5.0  # seconds that anything local may take


class FakeAgent:
    """Listens on loopback in its own threads; `received` is what came in clear behind the request, all told."""

    def __init__(
        self,
        *,
        answer: "Answer | None" = None,
        psp: SoftwarePsp = PSP,
        td: SoftwareTd | None = None,
        private: ec.EllipticCurvePrivateKey | None = None,
        certificate: bytes | None = None,
        alpn: tuple[bytes, ...] = (ALPN_ATTESTED,),
        context: Callable[[SSL.Context], object] = lambda _: None,
        service: str | None = None,
    ) -> None:
        """Take what differs from an honest agent; with `td` the machine is that one.

        `service` is the unix socket of a gRPC server behind it.
        """
        self.psp = psp
        self.machine: Machine = td or psp
        self.private = private or key(b"agent")
        self.certificate = certificate or leaf(self.private)
        self.received = bytearray()
        self.requests: list[bytes] = []
        self.connections: list[TlsConnection] = []
        self._answer, self._alpn, self._change, self._service = answer or honest, alpn, context, service
        self._threads: list[threading.Thread] = []
        self._pipes: list[Pipe] = []
        self._accepting = threading.Thread(target=self._accept, daemon=True)

    @property
    def port(self) -> int:
        """Where it listens."""
        port: int = self._listening.getsockname()[1]
        return port

    @property
    def url(self) -> str:
        """Its URL."""
        return f"https://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._accepting.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self._accepting.join(PATIENCE)
        for connection in self.connections:
            with suppress(OSError):
                connection.sock.shutdown(socket.SHUT_RDWR)
        for pipe in self._pipes:
            pipe.close()
        for thread in self._threads:
            thread.join(PATIENCE)

    def context(self) -> SSL.Context:
        """Make a context, as changed."""
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        context.use_privatekey(self.private)
        context.use_certificate(x509.load_der_x509_certificate(self.certificate))
        context.set_alpn_select_callback(
            lambda _, offered: next((name for name in self._alpn if name in offered), SSL.NO_OVERLAPPING_PROTOCOLS)
        )
        self._change(context)
        return context

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            client.settimeout(0)
            connection = TlsConnection(SSL.Connection(self.context(), client), client, peer="the client")
            connection.ssl.set_accept_state()
            self.connections.append(connection)
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: TlsConnection) -> None:
        deadline = Deadline(PATIENCE)
        with suppress(CvmproofError, SSL.Error, OSError):
            connection.handshake(self._alpn[0], deadline)
            request = read_frame(lambda size: connection.receive(size, deadline), limit=REQUEST_LIMIT)
            self.requests.append(request)
            connection.send(self._answer(self, connection, AttestedRequest.FromString(request)), deadline)
            if self._service is not None:
                self._pipe(connection)
                return
            while True:
                self.received += connection.receive(4096, deadline)
        connection.close()

    def _pipe(self, connection: TlsConnection) -> None:
        local = socket.socket(socket.AF_UNIX)
        local.connect(self._service or "")
        local.settimeout(0)
        pipe = Pipe(connection, local, lease_for(PATIENCE))
        self._pipes.append(pipe)
        pipe.start()


Answer = Callable[[FakeAgent, TlsConnection, AttestedRequest], bytes]


def evidence_for(
    agent: FakeAgent,
    *,
    nonce: bytes,
    ekm: bytes,
    role: Role = Role.SERVER,
    spki: bytes | None = None,
    report_data: bytes | None = None,
) -> Evidence:
    """Evidence as an honest agent makes it of these values, or with other report data."""
    spki = spki or spki_of(agent)
    tee = tee_of(agent.machine)
    data = report_data or channel_report_data(role=role, tee=tee, nonce=nonce, spki=spki, ekm=ekm)
    return Evidence(
        tee=tee,
        binding=BindingKind.CHANNEL,
        role=role,
        nonce=nonce,
        spki=spki,
        report=report_of(agent.machine, data),
        certificates=certificates(agent.machine),
    )


def tee_of(machine: Machine) -> Tee:
    """Which technology it is of."""
    return Tee.TDX if isinstance(machine, SoftwareTd) else Tee.SEV_SNP


def report_of(machine: Machine, report_data: bytes) -> bytes:
    """Its report or quote over 64 bytes."""
    return machine.quote(report_data) if isinstance(machine, SoftwareTd) else machine.report(report_data)


def framed(evidence: Evidence) -> bytes:
    """An answer of this evidence, in its frame."""
    return write_frame(AttestedAnswer(evidence=evidence).SerializeToString(), limit=ANSWER_LIMIT)


def honest(agent: FakeAgent, connection: TlsConnection, request: AttestedRequest) -> bytes:
    """What an honest agent answers."""
    return framed(evidence_for(agent, nonce=request.nonce, ekm=connection.exporter_value(request.nonce)))


def spki_of(agent: FakeAgent) -> bytes:
    """The key in the agent's certificate, DER."""
    return read_certificate(agent.certificate).spki


@lru_cache
def certificates(machine: Machine) -> tuple[bytes, ...]:
    """The chip's certificates; a quote has its own."""
    return () if isinstance(machine, SoftwareTd) else machine.certificates()


@lru_cache
def collateral() -> Collateral:
    """What the simulated authorities of both vendors have to say now."""
    yesterday = datetime.now(UTC).replace(microsecond=0) - timedelta(days=1)
    intel = IntelCollateral.of(TD.platform, yesterday)
    return Collateral(
        certificates=(TD.platform.authorities.tcb_signing,),
        crls=(Crl(der=PSP.authorities.crl(this_update=yesterday)),),
        intel_crls=(intel.root_crl, intel.pck_crl),
        tcb_infos=(read_signed(intel.tcb_info_response, tcb_info.NAME),),
        qe_identities=(read_signed(intel.qe_identity_response, qe_identity.NAME),),
    )


def policy(
    *, valid_for: int = 600, measurement: bytes = SIMULATED_MEASUREMENT, mr_td: bytes = SIMULATED_MRTD
) -> Policy:
    """A policy that takes the simulated guest of either technology."""
    document = (
        f'{{"extends": "builtin:recommended", "valid_for": {valid_for},'
        f' "snp": {{"measurements": ["{measurement.hex()}"]}}, "tdx": {{"mr_tds": ["{mr_td.hex()}"]}}}}'
    )
    return read_policy(document.encode(), name="ours")
