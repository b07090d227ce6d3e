"""The attested channel: a gRPC channel that is one accepted connection and no other, and ends with the verdict."""

import weakref
from collections.abc import Callable
from datetime import datetime
from types import TracebackType
from typing import Self

import grpc

from cvmproof.appraisal import Appraisal
from cvmproof.channel.deadline import wall_clock
from cvmproof.channel.tunnel import Options, Tunnel, options_for


class AttestedChannel:
    """A live connection whose other end was appraised: `channel` for calls, `appraisal` for the reasons.

    It ends when the verdict expires, and never reconnects: calls then fail with UNAVAILABLE. Close it, or use it as a
    context manager.
    """

    def __init__(
        self, tunnel: Tunnel, channel: grpc.Channel, appraisal: Appraisal, *, reopen: Callable[[], "AttestedChannel"]
    ) -> None:
        """Take over a tunnel and gRPC's end of it; `cvmproof.connect` makes these."""
        self.appraisal = appraisal
        self._tunnel, self._channel, self._reopen = tunnel, channel, reopen
        weakref.finalize(self, tunnel.abandon)

    def __repr__(self) -> str:
        return f"<AttestedChannel, {self.appraisal.assurance}, {self.ended or f'open until {self.expires_at}'}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def channel(self) -> grpc.Channel:
        """The channel; raises Undecided (EXPIRED) once the verdict has expired."""
        self.appraisal.require_accepted(wall_clock())
        return self._channel

    @property
    def expires_at(self) -> datetime | None:
        """When the verdict and with it the channel ends."""
        return self.appraisal.expires_at

    @property
    def ended(self) -> str | None:
        """Why the connection ended; None while it has not."""
        return self._tunnel.ended

    def renew(self) -> "AttestedChannel":
        """Close this channel and give a new one: another connection, another nonce, another appraisal.

        Raises as `connect` does; this channel is closed whatever happens, for nobody knows any more what is there.
        """
        self.close()
        return self._reopen()

    def close(self) -> None:
        """End the channel and the connection; safe to call again."""
        self._channel.close()
        self._tunnel.close()


def channel_through(tunnel: Tunnel, options: Options) -> grpc.Channel:
    """Make gRPC's end of a tunnel, and let it connect before others can have seen that there is a door to knock at."""
    channel = grpc.insecure_channel(tunnel.target, options=options_for(tunnel.target, options))
    # As subscribe() has a thread do, which fails where the channel is closed too soon. Else the first call connects.
    below = getattr(channel, "_channel", None)
    if below is not None:
        below.check_connectivity_state(True)  # noqa: FBT003 -- try to connect
    return channel
