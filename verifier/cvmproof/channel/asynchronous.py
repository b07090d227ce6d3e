"""The attested channel for asyncio: the same connection and verdict, with a `grpc.aio` channel."""

import asyncio
import weakref
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from types import TracebackType
from typing import Self

import grpc.aio

from cvmproof.appraisal import Appraisal
from cvmproof.channel.address import AddressRules
from cvmproof.channel.connect import Accepted, open_accepted, terms_of
from cvmproof.channel.deadline import wall_clock
from cvmproof.channel.door import Target
from cvmproof.channel.tunnel import Options, Tunnel, options_for
from cvmproof.collateral.collateral import Collateral
from cvmproof.collateral.store import CollateralStore
from cvmproof.high_water_store import HighWaterStore
from cvmproof.policy.policy import Policy
from cvmproof.trust import TrustRoots


class AsyncAttestedChannel:
    """As AttestedChannel, for asyncio."""

    def __init__(
        self,
        tunnel: Tunnel,
        appraisal: Appraisal,
        *,
        options: Options = (),
        reopen: Callable[[], Awaitable["AsyncAttestedChannel"]],
    ) -> None:
        """Take over a tunnel; `cvmproof.connect_async` makes these."""
        self.appraisal = appraisal
        self._tunnel, self._reopen = tunnel, reopen
        self._channel = grpc.aio.insecure_channel(tunnel.target, options=options_for(tunnel.target, options))
        self._channel.get_state(try_to_connect=True)  # before others can have seen that there is a door to knock at
        # Unlike its sibling it does not keep its options, but its stubs keep it.
        weakref.finalize(self._channel, _let_go_of, tunnel.target).atexit = False
        weakref.finalize(self, tunnel.abandon)

    def __repr__(self) -> str:
        return f"<AsyncAttestedChannel, {self.appraisal.assurance}, {self.ended or f'open until {self.expires_at}'}>"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def channel(self) -> grpc.aio.Channel:
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

    async def renew(self) -> "AsyncAttestedChannel":
        """As AttestedChannel.renew."""
        await self.close()
        return await self._reopen()

    async def close(self) -> None:
        """End the channel and the connection; safe to call again."""
        await self._channel.close()
        await asyncio.to_thread(self._tunnel.close)


async def connect_async(
    agent_url: str,
    *,
    policies: Sequence[Policy],
    trust: TrustRoots,
    collateral: Collateral | CollateralStore | None = None,
    any_software: bool = False,
    offline: bool = False,
    high_water: HighWaterStore | None = None,
    rules: AddressRules | None = None,
    options: Options = (),
) -> AsyncAttestedChannel:
    """Connect as `connect` does, without holding up the event loop."""
    terms = terms_of(policies, trust, collateral, any_software=any_software, offline=offline, high_water=high_water)

    async def reopen() -> AsyncAttestedChannel:
        opening = asyncio.create_task(asyncio.to_thread(open_accepted, agent_url, terms.judge, rules=rules))
        try:
            accepted = await asyncio.shield(opening)
        except asyncio.CancelledError:
            # The thread can't be stopped; what it brings is closed when it comes.
            opening.add_done_callback(_close_unwanted)
            raise
        tunnel = Tunnel(accepted.connection, accepted.lease)
        return AsyncAttestedChannel(tunnel, accepted.appraisal, options=options, reopen=reopen)

    return await reopen()


def _close_unwanted(opening: asyncio.Task[Accepted]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result().connection.close()


def _let_go_of(_: Target) -> None:
    """Do nothing: the reference goes, which is what it was there for."""
