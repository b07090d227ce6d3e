"""What gRPC needs to use an attested connection: a target to connect to, options, and both ends of the pipe."""

from typing import Final

from cvmproof.channel.deadline import Lease
from cvmproof.channel.door import Door, Target
from cvmproof.channel.pipe import Pipe
from cvmproof.channel.tls import TlsConnection

Options = tuple[tuple[str, str | int], ...]

# A sub-channel of the process-wide pool could be another channel's; no proxy of the environment stands in between.
# It never reconnects: when idle, which by default is after 30 minutes without a call, it stays connected.
_OURS: Final[Options] = (
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.enable_http_proxy", 0),
    ("grpc.client_idle_timeout_ms", 2**31 - 1),
)
# What the service is told we call it by, where the caller says nothing: gRPC would tell it the name of our socket.
_AUTHORITY: Final[Options] = (("grpc.default_authority", "localhost"),)
_HOLD: Final = "cvmproof.target"  # unknown to gRPC, which keeps the value


def options_for(target: Target, options: Options) -> Options:
    """Complete a caller's options; of two with the same name gRPC goes by the first.

    The target is among them: a stub can outlive the channel's object and connect again, and gRPC keeps the options for
    as long as a stub is around. So long the target must be nobody else's.
    """
    return (*_OURS, (_HOLD, target), *options, *_AUTHORITY)


class Tunnel:
    """An attested connection that gRPC reaches through a door of its own."""

    def __init__(self, connection: TlsConnection, lease: Lease) -> None:
        """Take over the connection, for as long as the lease goes."""
        self._door = Door()
        self._pipe = Pipe(connection, self._door, lease)
        self.target = self._door.target
        self._pipe.start()

    @property
    def ended(self) -> str | None:
        """Why it ended; None while it has not."""
        return self._pipe.ended

    def extend(self, lease: Lease) -> None:
        """Go by another lease from now on."""
        self._pipe.extend(lease)

    def abandon(self) -> None:
        """End it without waiting, where nobody has closed it."""
        self._pipe.abandon()

    def close(self) -> None:
        """End it, once gRPC no longer uses it; safe to call again."""
        self._pipe.close()
        self._door.close()
