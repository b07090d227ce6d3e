"""The agent as one object: device, TLS key, listener, gRPC servers.

    with Agent(open_device("simulated:snp"), listen=("127.0.0.1", 0)) as agent:
        host, port = agent.address

The TLS key is made when it starts and is gone when it ends. Stopping takes no more work, gives what is under way a few
seconds, and leaves no thread, descriptor or file behind; only a device call that the driver does not return from is
left to itself.
"""

import asyncio
import logging
import socket
import threading
from contextlib import ExitStack
from typing import Self

from grpc_health.v1.health import HealthServicer

from cvmproof_agent.binder import Binder
from cvmproof_agent.device import Device
from cvmproof_agent.dispatcher import Dispatcher
from cvmproof_agent.limits import Limits
from cvmproof_agent.listener import Listener, listen_on
from cvmproof_agent.metrics import Metrics
from cvmproof_agent.peers import Peers
from cvmproof_agent.private_socket import sweep
from cvmproof_agent.service import OFFERED, Attestation, GrpcServer, set_status
from cvmproof_agent.tls_key import TlsKey
from cvmproof_agent.version import version
from cvmproof_formats.errors import EndpointError
from cvmproof_protos.v1.attestation_pb2 import Info

_log = logging.getLogger(__name__)
_FOR_CALLS = 0.6  # of the time to stop: calls under way
_FOR_PIPES = 0.8  # ... and the connections that carry them


class Agent:
    """Serves one device while its context lasts; closes the device at its end."""

    def __init__(
        self, device: Device, listen: tuple[str, int] = ("127.0.0.1", 0), limits: Limits | None = None
    ) -> None:
        """Take the device and where to listen: address and port, 0 for any."""
        self._device, self._listen, self._limits = device, listen, limits or Limits()
        self.metrics = Metrics()
        self._running = ExitStack()
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
        """Make a key and serve; raises EndpointError where it can't listen."""
        sweep()
        with ExitStack() as stack:
            listening = self._bind()
            stack.callback(listening.close)
            self._serve(listening, stack)
            self._running = stack.pop_all()
        _log.info("%s: listening on %s port %d", self._device.name, *self._address)

    def stop(self) -> None:
        """End everything, within `Limits.stop_seconds`."""
        self._running.close()

    def _bind(self) -> socket.socket:
        host, port = self._listen
        try:
            listening = listen_on(host, port)
        except OSError as error:
            raise EndpointError(f"can't listen on {host} port {port}: {error.strerror or error}") from error
        self._address = listening.getsockname()[:2]
        return listening

    def _serve(self, listening: socket.socket, stack: ExitStack) -> None:
        limits, key, peers, status = self._limits, TlsKey.generate(), Peers(), HealthServicer()
        self._spki = key.spki
        dispatcher = Dispatcher(
            self._device, limits=limits, metrics=self.metrics, lost=lambda: set_status(status, serving=False)
        )
        stack.callback(dispatcher.close, limits.stop_seconds * (1 - _FOR_PIPES))
        binder = Binder(dispatcher, tee=self._device.tee, spki=key.spki)
        calls = Attestation(binder, self._info(), limits=limits, peers=peers, metrics=self.metrics)
        servers = {alpn: GrpcServer(calls.handler(names), status, limits=limits) for alpn, names in OFFERED.items()}
        for server in servers.values():
            stack.callback(server.close)
            server.start()
        set_status(status, serving=True)
        listener = Listener(
            listening,
            context=key.server_context(),
            binder=binder,
            local={alpn: server.socket for alpn, server in servers.items()},
            peers=peers,
            limits=limits,
            metrics=self.metrics,
        )
        loop = _Loop(listener, limits.stop_seconds * _FOR_PIPES)
        stack.callback(_stop, status, list(servers.values()), loop, limits.stop_seconds * _FOR_CALLS)

    def _info(self) -> Info:
        return Info(version=version(), tee=self._device.tee, device=self._device.name)


class _Loop:
    """The thread of the listener's event loop."""

    def __init__(self, listener: Listener, drain_seconds: float) -> None:
        self._listener, self._drain_seconds = listener, drain_seconds
        self._loop = asyncio.new_event_loop()
        self._stopping = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="listener")
        self._thread.start()

    def begin_to_stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)

    def join(self) -> None:
        self._thread.join()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        accepting = asyncio.ensure_future(self._listener.accept())
        await self._stopping.wait()
        accepting.cancel()
        await asyncio.gather(accepting, return_exceptions=True)
        await self._listener.drain(self._drain_seconds)


def _stop(status: HealthServicer, servers: list[GrpcServer], loop: _Loop, seconds: float) -> None:
    """Say no, let what is under way finish, and end the rest."""
    set_status(status, serving=False)
    loop.begin_to_stop()
    for wait in [server.stop(seconds) for server in servers]:
        wait()
    loop.join()
