"""The attested listener: TLS 1.3, one of two ALPN names, and a pipe to the gRPC server that belongs to it.

Anything else is closed before a byte of application data was sent. Every connection is one task on one event loop, so a
thousand idle ones cost descriptors and memory within the limits, and no threads. security.md AC-110, design section 4.
"""

import asyncio
import logging
import socket
from collections.abc import Mapping

from OpenSSL import SSL

from cvmproof_agent.attested import exchange
from cvmproof_agent.binder import Binder
from cvmproof_agent.limits import Limits
from cvmproof_agent.metrics import Metrics
from cvmproof_agent.networks import Network, Networks, TooMany, network_of
from cvmproof_agent.peers import Peers
from cvmproof_agent.pipe import splice
from cvmproof_agent.private_socket import PrivateSocket
from cvmproof_agent.tls_stream import TlsStream
from cvmproof_formats.errors import CvmproofError
from cvmproof_formats.tls import ALPN_ATTESTED

_log = logging.getLogger(__name__)
_BACKLOG = 128
# Linux, tcp(7): a peer that vanished is noticed after a minute of silence and three unanswered probes.
_KEEPALIVE = ((socket.TCP_KEEPIDLE, 60), (socket.TCP_KEEPINTVL, 10), (socket.TCP_KEEPCNT, 3))


class Listener:
    """Serves the connections of clients; all calls come from one event loop."""

    def __init__(
        self,
        *,
        context: SSL.Context,
        binder: Binder,
        local: Mapping[bytes, PrivateSocket],
        peers: Peers,
        limits: Limits,
        metrics: Metrics,
    ) -> None:
        """Take the TLS context, and by ALPN name the gRPC server that a connection is for."""
        self._context, self._binder, self._local = context, binder, local
        self._peers, self._limits, self._metrics = peers, limits, metrics
        self._networks = Networks(limits)
        metrics.gauge("cvmproof_agent_connections", lambda: self._networks.connections)

    async def serve(self, client: socket.socket, host: str) -> None:
        """Serve one connection; raises OSError for whatever the peer did wrong."""
        outcome = "failed"
        try:
            network = network_of(host)
            with self._networks.admit(network, asyncio.get_running_loop().time()):
                await self._serve(client, network)
            outcome = "served"
        except TooMany as error:
            outcome = "too-many"
            _log.debug("%s: %s", host, error)
        except CvmproofError as error:
            outcome = "refused"
            _log.debug("%s: %s: %s", host, error.category, error)
        finally:
            self._metrics.count("cvmproof_agent_connections_total", outcome=outcome)

    async def _serve(self, client: socket.socket, network: Network) -> None:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in _KEEPALIVE:
            client.setsockopt(socket.IPPROTO_TCP, option, value)
        stream = TlsStream(client, self._context, stall_seconds=self._limits.stall_seconds)
        try:
            async with asyncio.timeout(self._limits.handshake_seconds):
                alpn = await stream.handshake()
            if alpn not in self._local:
                raise ConnectionError("no ALPN name in common")
            if alpn == ALPN_ATTESTED:
                await exchange(stream, self._binder, limits=self._limits, metrics=self._metrics, network=network)
            await self._pipe(stream, alpn, network)
        finally:
            stream.close()

    async def _pipe(self, stream: TlsStream, alpn: bytes, network: Network) -> None:
        with self._peers.named(network) as name, self._local[alpn].connect(name) as local:
            await splice(stream, local)


def listen_on(host: str, port: int) -> socket.socket:
    """Listen on an address, IPv4 or IPv6, port 0 for any; gives a socket that doesn't block.

    Raises OSError.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    both = host == "::" and socket.has_dualstack_ipv6()
    listening = socket.create_server((host, port), family=family, backlog=_BACKLOG, dualstack_ipv6=both)
    listening.settimeout(0)
    return listening
