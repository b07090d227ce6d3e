"""The agent as one object: who has the device, TLS key, listener, gRPC servers.

    with Agent(open_device("simulated:snp"), listen=("127.0.0.1", 0)) as agent:
        host, port = agent.address

The TLS key is made when it starts and is gone when it ends. Stopping takes no more work, gives what is under way a few
seconds, and leaves no thread, descriptor or file behind; only a device call that the driver does not return from is
left to itself.
"""

import logging
import socket
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from grpc_health.v1.health import HealthServicer

from cvmproof_agent.attester import Attester, as_attester
from cvmproof_agent.binder import Binder
from cvmproof_agent.connections import Connections
from cvmproof_agent.device import Device
from cvmproof_agent.dispatcher import Dispatcher
from cvmproof_agent.event_loop import EventLoop
from cvmproof_agent.limits import Limits
from cvmproof_agent.listener import Listener, listen_on
from cvmproof_agent.metrics import Metrics
from cvmproof_agent.metrics_socket import MetricsSocket, listen_for_metrics
from cvmproof_agent.named_socket import listen_at
from cvmproof_agent.peers import Peers
from cvmproof_agent.private_socket import sweep
from cvmproof_agent.service import OFFERED, Attestation, GrpcServer, set_status
from cvmproof_agent.tls_key import TlsKey
from cvmproof_agent.user_socket import MODE, UserSocket
from cvmproof_agent.version import version
from cvmproof_formats.errors import EndpointError
from cvmproof_protos.v1.attestation_pb2 import Info

_log = logging.getLogger(__name__)
# Of the time to stop, what calls under way, then the connections that carry them, then the device may take.
_CALLS, _PIPES, _DEVICE = 0.5, 0.7, 0.2


class Agent:
    """Serves one device while its context lasts; closes the device at its end."""

    def __init__(
        self,
        device: Device | Attester,
        listen: tuple[str, int] = ("127.0.0.1", 0),
        limits: Limits | None = None,
        *,
        user_socket: Path | None = None,
        metrics_at: str | None = None,
    ) -> None:
        """Take the device, or who answers for it, and where to listen: address and port, 0 for any.

        `user_socket` is a path for other processes of this guest. `metrics_at` is "unix:PATH" or a loopback address
        with a port. Neither is there unless asked for.
        """
        self._attester, self._listen, self._limits = as_attester(device), listen, limits or Limits()
        self._user_socket, self._metrics_at = user_socket, metrics_at
        self.metrics = Metrics()
        self._running = ExitStack()
        self._loop: EventLoop | None = None
        self._address = listen
        self._spki = b""

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        return self._address

    @property
    def spki(self) -> bytes:
        """The TLS key of this run: SubjectPublicKeyInfo, 91 bytes of DER."""
        return self._spki

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self.stop()

    def start(self) -> None:
        """Make a key and serve; raises EndpointError or Misuse where it can't listen."""
        sweep()
        with ExitStack() as stack:
            self._serve(stack)
            self._running = stack.pop_all()
        _log.info("%s: listening on %s port %d", self._attester.name, *self._address)

    def stop(self) -> None:
        """End everything, within `Limits.stop_seconds`."""
        self._loop = None
        self._running.close()

    def responds(self, seconds: float) -> bool:
        """Whether connections are being served; for watchdogs."""
        return self._loop is not None and self._loop.responds(seconds)

    def _serve(self, stack: ExitStack) -> None:
        limits, key, peers, status = self._limits, TlsKey.generate(), Peers(), HealthServicer()
        self._spki = key.spki
        listening = self._bind(stack)
        dispatcher = Dispatcher(
            self._attester, limits=limits, metrics=self.metrics, lost=lambda: set_status(status, serving=False)
        )
        stack.callback(dispatcher.close, limits.stop_seconds * _DEVICE)
        binder = Binder(dispatcher, spki=key.spki)
        calls = Attestation(binder, self._info, limits=limits, peers=peers, metrics=self.metrics)
        servers = {alpn: GrpcServer(calls.handler(names), status, limits=limits) for alpn, names in OFFERED.items()}
        for server in servers.values():
            stack.callback(server.close)
            server.start()
        listener = Listener(
            context=key.server_context(),
            binder=binder,
            local={alpn: server.socket for alpn, server in servers.items()},
            peers=peers,
            limits=limits,
            metrics=self.metrics,
        )
        every = [Connections(listening, listener.serve), *self._local(binder, stack)]
        set_status(status, serving=True)
        self._loop = EventLoop(every, drain_seconds=limits.stop_seconds * _PIPES)
        stack.callback(_stop, status, list(servers.values()), self._loop, limits.stop_seconds * _CALLS)

    def _bind(self, stack: ExitStack) -> socket.socket:
        host, port = self._listen
        try:
            listening = stack.enter_context(listen_on(host, port))
        except OSError as error:
            raise EndpointError(f"can't listen on {host} port {port}: {error.strerror or error}") from error
        self._address = listening.getsockname()[:2]
        return listening

    def _local(self, binder: Binder, stack: ExitStack) -> list[Connections]:
        found = []
        if self._user_socket is not None:
            listening = stack.enter_context(listen_at(self._user_socket, MODE))
            stack.callback(self._user_socket.unlink, missing_ok=True)
            user = UserSocket(binder, limits=self._limits, metrics=self.metrics)
            found.append(Connections(listening, user.serve))
        if self._metrics_at is not None:
            listening, path = listen_for_metrics(self._metrics_at)
            stack.enter_context(listening)
            if path is not None:
                stack.callback(path.unlink, missing_ok=True)
            found.append(Connections(listening, MetricsSocket(self.metrics).serve))
        return found

    def _info(self) -> Info:
        return Info(version=version(), tee=self._attester.tee, device=self._attester.name)


def _stop(status: HealthServicer, servers: list[GrpcServer], loop: EventLoop, seconds: float) -> None:
    """Say no, let what is under way finish, and end the rest."""
    set_status(status, serving=False)
    loop.stop()
    for wait in [server.stop(seconds) for server in servers]:
        wait()
    loop.join()
