"""Which network a gRPC call came from, although gRPC itself only sees a local socket.

The listener calls each local connection by an abstract unix name, which nobody listens on; gRPC tells a handler that
name, and here it leads back to the network of the client.
"""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from cvmproof_agent.networks import Network

_PREFIX: Final = "unix-abstract:"  # how gRPC spells such a peer


class Peers:
    """Networks by the name of a local connection; written by the listener, read by any thread."""

    def __init__(self) -> None:
        self._networks: dict[str, Network] = {}

    @contextmanager
    def named(self, network: Network) -> Iterator[str]:
        """Give a fresh name that means this network while the context lasts."""
        name = f"cvmproof-agent-{secrets.token_hex(8)}"
        self._networks[name] = network
        try:
            yield name
        finally:
            del self._networks[name]

    def network(self, peer: str) -> Network | None:
        """Find the network behind a peer as gRPC spells it, None for one that the listener didn't bring."""
        return self._networks.get(peer.removeprefix(_PREFIX))
