import asyncio
import gc
import socket
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import grpc
import pytest
from tests.agent.machine import eventually
from tests.verifier.channel.conftest import ours
from tests.verifier.channel.fake_agent import PROMPT, FakeAgent, collateral, honest, policy

import cvmproof
from cvmproof.appraisal import Assurance
from cvmproof.channel import deadline
from cvmproof.channel.asynchronous import AsyncAttestedChannel, connect_async
from cvmproof.channel.tls import TlsConnection
from cvmproof.errors import EndpointError, Misuse, Rejected, Undecided
from cvmproof.policy.policy import Policy
from cvmproof.policy.reading import builtin_policy
from cvmproof.trust import TrustRoots
from cvmproof_protos.v1.attestation_pb2 import AttestedRequest


async def connected(url: str, *policies: Policy) -> AsyncAttestedChannel:
    return await connect_async(
        url, policies=policies or [policy()], trust=TrustRoots.simulated(), collateral=collateral()
    )


async def say(attested: AsyncAttestedChannel, words: bytes) -> bytes:
    call: Callable[..., Awaitable[bytes]] = attested.channel.unary_unary("/test.Echo/Say")
    return await call(words, timeout=PROMPT)


def test_an_accepted_connection_is_handed_out_to_asyncio(echo: str) -> None:
    async def run() -> None:
        async with await connected(agent.url) as attested:
            assert attested.appraisal.assurance is Assurance.CHANNEL_BOUND
            assert await say(attested, b"hello") == b"hello"
            assert attested.ended is None
            assert "open until" in repr(attested)
        assert attested.ended == "closed here"
        await attested.close()

    with FakeAgent(service=echo) as agent:
        asyncio.run(run())


def test_it_is_public() -> None:
    assert cvmproof.connect_async is connect_async


def test_many_at_a_time(echo: str) -> None:
    async def one(number: int) -> None:
        async with await connected(agent.url) as attested:
            words = str(number).encode()
            assert await say(attested, words) == words

    async def run() -> None:
        await asyncio.gather(*(one(number) for number in range(20)))

    with FakeAgent(service=echo) as agent:
        asyncio.run(run())
        assert len(set(agent.requests)) == 20


def test_nobody_can_take_the_place_of_a_channel_that_a_stub_outlives(echo: str) -> None:
    async def run() -> str:
        attested = await connected(agent.url)
        call: Callable[..., Awaitable[bytes]] = attested.channel.unary_unary("/test.Echo/Say")
        assert await call(b"hello", timeout=PROMPT) == b"hello"
        pipe, name = attested._tunnel._pipe, "\0" + attested._tunnel.target.removeprefix("unix-abstract:")
        del attested
        gc.collect()
        pipe.join()
        del pipe
        gc.collect()
        with socket.socket(socket.AF_UNIX) as stranger, pytest.raises(OSError, match="Address already in use"):
            stranger.bind(name)
        with pytest.raises(grpc.RpcError):
            await call(b"still there?", timeout=PROMPT)
        return name

    with FakeAgent(service=echo) as agent:
        name = asyncio.run(run())
        gc.collect()
        with socket.socket(socket.AF_UNIX) as free:
            free.bind(name)


def test_grpc_goes_through_the_door_at_once() -> None:
    async def run() -> bool:
        async with await connected(agent.url):
            ends = time.monotonic() + PROMPT
            while not agent.received and time.monotonic() < ends:  # noqa: ASYNC110 -- there is no event to wait for
                await asyncio.sleep(0.01)
        return bool(agent.received)

    with FakeAgent() as agent:
        assert asyncio.run(run())


def test_a_refused_one_is_not_handed_out() -> None:
    with FakeAgent() as agent:
        with pytest.raises(Rejected, match=r"snp\.measurement"):
            asyncio.run(connected(agent.url, policy(measurement=b"\1" * 48)))
        with pytest.raises(Misuse, match="which software"):
            asyncio.run(connected(agent.url, builtin_policy("genuine")))
        assert not agent.received
    with pytest.raises(EndpointError, match="Connection refused"):
        asyncio.run(connected("https://127.0.0.1:1"))


def test_the_event_loop_goes_on_while_an_agent_takes_its_time() -> None:
    def slow(agent: FakeAgent, connection: TlsConnection, request: AttestedRequest) -> bytes:
        time.sleep(0.5)
        return honest(agent, connection, request)

    async def run() -> int:
        connecting = asyncio.create_task(connected(agent.url))
        ticks = 0
        while not connecting.done():
            await asyncio.sleep(0.01)
            ticks += 1
        await (await connecting).close()
        return ticks

    with FakeAgent(answer=slow) as agent:
        assert asyncio.run(run()) > 10


def test_a_connection_that_nobody_waits_for_any_more_is_closed_when_it_comes() -> None:
    def slow(agent: FakeAgent, connection: TlsConnection, request: AttestedRequest) -> bytes:
        time.sleep(0.3)
        return honest(agent, connection, request)

    async def run() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(connected(agent.url), 0.1)
        await asyncio.sleep(0.5)

    with FakeAgent(answer=slow) as agent:
        asyncio.run(run())
        with pytest.raises(EndpointError):
            agent.connections[0].receive(1, deadline.Deadline(PROMPT))


def test_it_ends_with_its_verdict(echo: str) -> None:
    async def run() -> None:
        async with await connected(agent.url, policy(valid_for=2)) as attested:
            assert await say(attested, b"hello") == b"hello"
            assert attested.expires_at is not None
            await asyncio.to_thread(eventually, lambda: attested.ended == "the verdict has expired")
            assert datetime.now(UTC) >= attested.expires_at
            with pytest.raises(Undecided, match="the verdict is for"):
                _ = attested.channel
            late: Callable[..., Awaitable[bytes]] = attested._channel.unary_unary("/test.Echo/Say")
            with pytest.raises(grpc.RpcError):
                await late(b"more", timeout=0.5)

    with FakeAgent(service=echo) as agent:
        asyncio.run(run())


def test_a_renewal_is_another_connection(echo: str) -> None:
    async def run() -> None:
        first = await connected(agent.url)
        async with await first.renew() as second:
            assert first.ended == "closed here"
            assert await say(second, b"again") == b"again"

    with FakeAgent(service=echo) as agent:
        asyncio.run(run())
        assert len(set(agent.requests)) == 2
    assert not ours()
