"""How much one network may take of the listener: an IPv4 /24 or an IPv6 /64, since that is what one client easily has.

Connections at a time, and new ones a second. What is remembered is bounded: a network that holds nothing and could
start over anyway is forgotten, and where even that leaves too many, a new one is refused.
"""

import ipaddress
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from cvmproof_agent.limits import NETWORKS, Limits
from cvmproof_agent.token_bucket import TokenBucket
from cvmproof_formats.errors import Category, CvmproofError

_PREFIX = {4: 24, 6: 64}
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class TooMany(CvmproofError):
    """This network, or all together, have taken what there is."""

    default_category = Category.RATE_LIMIT


@dataclass(slots=True)
class _Share:
    bucket: TokenBucket
    connections: int = 0


class Networks:
    """Shares by network; used from one thread."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._shares: dict[Network, _Share] = {}
        self._connections = 0

    @property
    def connections(self) -> int:
        """How many are open."""
        return self._connections

    @contextmanager
    def admit(self, network: Network, now: float) -> Iterator[None]:
        """Hold a connection's place while the context lasts; `now` is in seconds of a monotonic clock.

        Raises TooMany.
        """
        share = self._share(network, now)
        self._require_place(share)
        if not share.bucket.take(now):
            raise TooMany(f"more than {self._limits.handshakes_per_second:g} connections a second from one network")
        share.connections += 1
        self._connections += 1
        try:
            yield
        finally:
            share.connections -= 1
            self._connections -= 1

    def _require_place(self, share: _Share) -> None:
        if self._connections >= self._limits.connections:
            raise TooMany(f"{self._limits.connections} connections are open")
        if share.connections >= self._limits.connections_per_network:
            raise TooMany(f"{self._limits.connections_per_network} connections of one network are open")

    def _share(self, network: Network, now: float) -> _Share:
        if network not in self._shares:
            self._make_room(now)
            rate, burst = self._limits.handshakes_per_second, self._limits.handshake_burst
            self._shares[network] = _Share(TokenBucket(rate=rate, burst=burst, now=now))
        return self._shares[network]

    def _make_room(self, now: float) -> None:
        if len(self._shares) < NETWORKS:
            return
        kept = {key: share for key, share in self._shares.items() if share.connections or not share.bucket.is_full(now)}
        self._shares = kept
        if len(kept) >= NETWORKS:
            raise TooMany(f"connections from more than {NETWORKS} networks at once")


def network_of(host: str) -> Network:
    """Name the network of a peer's address, as the kernel spells it."""
    address = ipaddress.ip_address(host.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return ipaddress.ip_network((address, _PREFIX[address.version]), strict=False)
