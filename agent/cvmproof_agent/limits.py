"""Every limit of the agent in one place: what a client may take, and for how long."""

from dataclasses import dataclass
from typing import Final

from cvmproof_formats.errors import Misuse

PIPE_SIZE: Final = 16 * 1024  # bytes held in each direction, one TLS record; design section 4 allows 64 KiB
CHUNK_SIZE: Final = 64 * 1024  # bytes of event log in one message
MESSAGE_LIMIT: Final = 4 * 1024  # bytes of a gRPC request: the largest holds a nonce
METADATA_LIMIT: Final = 8 * 1024  # bytes of gRPC headers
STREAMS: Final = 16  # concurrent calls on one HTTP/2 connection
NETWORKS: Final = 4096  # remembered at a time
_QUEUE_LIMIT: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Counts, seconds and rates; a network is an IPv4 /24 or an IPv6 /64.

    The defaults fit the file descriptors and threads that the systemd unit grants, and what hosts are known to throttle
    guest requests to.
    """

    connections: int = 384
    """At the same time; each takes two descriptors."""
    connections_per_network: int = 64
    handshakes_per_second: float = 20.0
    """From one network, sustained."""
    handshake_burst: int = 64
    handshake_seconds: float = 5.0
    request_seconds: float = 5.0
    """Until the client's frame is complete."""
    stall_seconds: float = 30.0
    """While a peer takes nothing of what waits for it."""
    idle_seconds: float = 300.0
    """A gRPC connection without calls."""
    reports_per_second: float = 1.0
    report_burst: int = 5
    deadline_seconds: float = 45.0
    """From a request for evidence to its answer."""
    stop_seconds: float = 5.0

    def __post_init__(self) -> None:
        """Refuse limits that nothing could pass, or that limit nothing."""
        for name in self.__slots__:
            value = getattr(self, name)
            if type(value) not in (int, float) or not 0 < value < float("inf"):
                raise Misuse(f"limit {name}: expected a number above 0, got {value!r}")

    @property
    def queue(self) -> int:
        """How many requests may wait for the device: what it can answer in half of their deadline."""
        return max(1, min(_QUEUE_LIMIT, int(self.reports_per_second * self.deadline_seconds / 2)))

    @property
    def queue_per_network(self) -> int:
        """How much of the queue one network may hold: half, so that another one always finds room."""
        return max(1, self.queue // 2)
