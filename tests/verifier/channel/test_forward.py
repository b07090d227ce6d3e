import socket
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest
from tests.verifier.channel.fake_agent import PROMPT, FakeAgent, collateral, policy

from cvmproof.channel import forward
from cvmproof.channel.connect import Accepted, open_accepted
from cvmproof.channel.forward import Forwarder, LocalAddress, read_local_address
from cvmproof.channel.judging import Terms
from cvmproof.errors import Misuse
from cvmproof.policy.policy import Policy
from cvmproof.trust import TrustRoots

LOOPBACK = LocalAddress(host="127.0.0.1")


class Opening:
    """Opens accepted connections to an agent."""

    def __init__(self, agent: FakeAgent, *policies: Policy) -> None:
        self._agent = agent
        self._terms = Terms(policies=policies or (policy(),), trust=TrustRoots.simulated(), collateral=collateral())

    def __call__(self) -> Accepted:
        return open_accepted(self._agent.url, self._terms.judge)


@contextmanager
def forwarding(where: LocalAddress, opening: Opening) -> Iterator[tuple[str, list[str]]]:
    told: list[str] = []
    forwarder = Forwarder(where, opening, report=told.append)
    thread = threading.Thread(target=forwarder.serve)
    thread.start()
    try:
        yield forwarder.address, told
    finally:
        forwarder.stop()
        thread.join()


def say(target: str, words: bytes) -> bytes:
    with grpc.insecure_channel(target, options=(("grpc.use_local_subchannel_pool", 1),)) as channel:
        call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary("/test.Echo/Say")
        return call(words, timeout=PROMPT)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:0", LocalAddress(host="127.0.0.1", port=0)),
        ("127.0.0.1:65535", LocalAddress(host="127.0.0.1", port=65535)),
        ("[::1]:8080", LocalAddress(host="::1", port=8080)),
        ("unix:/run/x", LocalAddress(path=Path("/run/x"))),
        ("unix:x", LocalAddress(path=Path("x"))),
    ],
)
def test_a_local_address_is_loopback_or_a_path(text: str, address: LocalAddress) -> None:
    assert read_local_address(text) == address


@pytest.mark.parametrize(
    "text",
    ["0.0.0.0:80", "[::]:80", "192.168.1.1:80", "localhost:80", "127.0.0.1", "127.0.0.1:65536", ":80", "unix:", ""],
)
def test_another_interface_or_no_address_is_refused(text: str) -> None:
    with pytest.raises(Misuse, match="forward: expected"):
        read_local_address(text)


def test_each_local_connection_is_appraised_for_itself(echo: str) -> None:
    with FakeAgent(service=echo) as agent, forwarding(LOOPBACK, Opening(agent)) as (address, told):
        assert say(address, b"one") == b"one"
        assert say(address, b"two") == b"two"
        assert len(set(agent.requests)) == 2
    assert told == []


def test_a_unix_socket_is_ours_alone_and_goes_in_the_end(echo: str, tmp_path: Path) -> None:
    path = tmp_path / "forward"
    with FakeAgent(service=echo) as agent, forwarding(LocalAddress(path=path), Opening(agent)) as (address, _):
        assert address == f"unix:{path}"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert say(address, b"hello") == b"hello"
    assert not path.exists()


def test_where_something_is_already_nothing_is_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "precious"
    path.write_text("data")
    with FakeAgent() as agent, pytest.raises(Misuse, match="can't listen there: Address already in use"):
        Forwarder(LocalAddress(path=path), Opening(agent))
    assert path.read_text() == "data"


def test_what_is_not_accepted_is_not_forwarded(echo: str) -> None:
    refusing = policy(measurement=b"\1" * 48)
    with FakeAgent(service=echo) as agent, forwarding(LOOPBACK, Opening(agent, refusing)) as (address, told):
        host, port = address.split(":")
        with socket.create_connection((host, int(port)), PROMPT) as here:
            here.sendall(b"a secret")
            assert heard(here) == b""
    assert any("forward: MEASUREMENT" in line for line in told)
    assert not agent.received


def heard(here: socket.socket) -> bytes:
    try:
        return here.recv(1)
    except ConnectionError:
        return b""


def test_a_forwarded_connection_ends_with_its_verdict(echo: str) -> None:
    with FakeAgent(service=echo) as agent, forwarding(LOOPBACK, Opening(agent, policy(valid_for=1))) as (address, _):
        host, port = address.split(":")
        with socket.create_connection((host, int(port)), PROMPT) as here:
            began = time.monotonic()
            while heard(here):
                pass
            assert time.monotonic() - began < PROMPT


def test_too_many_at_a_time_are_refused(monkeypatch: pytest.MonkeyPatch, echo: str) -> None:
    monkeypatch.setattr(forward, "_CONNECTIONS", 1)
    with FakeAgent(service=echo) as agent, forwarding(LOOPBACK, Opening(agent)) as (address, told):
        host, port = address.split(":")
        with socket.create_connection((host, int(port)), PROMPT) as first:
            assert first.recv(1)
            with socket.create_connection((host, int(port)), PROMPT) as second:
                assert heard(second) == b""
    assert told == ["forward: 1 connections are open: one more was refused"]


def test_stopping_ends_what_is_open(echo: str) -> None:
    with FakeAgent(service=echo) as agent:
        with forwarding(LOOPBACK, Opening(agent)) as (address, _):
            host, port = address.split(":")
            here = socket.create_connection((host, int(port)), PROMPT)
            assert here.recv(1)
        while heard(here):
            pass
        here.close()
