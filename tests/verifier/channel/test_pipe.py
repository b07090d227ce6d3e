import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from OpenSSL import SSL
from tests.verifier.channel.fake_agent import PROMPT
from tests.verifier.channel.leaves import key, leaf

from cvmproof.channel.deadline import Deadline, Lease, lease_for
from cvmproof.channel.door import Door
from cvmproof.channel.pipe import BUFFER, Pipe
from cvmproof.channel.tls import TlsConnection, client_context
from cvmproof.errors import EndpointError
from cvmproof_formats.tls import ALPN_ATTESTED

START = datetime(2026, 11, 21, tzinfo=UTC)


class Ends:
    """Both ends of a TLS connection, and a local pair: `here` is ours, `there` is the pipe's."""

    def __init__(self) -> None:
        server, client = socket.socketpair()
        server.settimeout(0)
        client.settimeout(0)
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        private = key(b"agent")
        context.use_privatekey(private)
        context.use_certificate(x509.load_der_x509_certificate(leaf(private)))
        context.set_alpn_select_callback(lambda _, offered: offered[0])
        self.agent = TlsConnection(SSL.Connection(context, server), server, peer="client")
        self.agent.ssl.set_accept_state()
        self.client = TlsConnection(SSL.Connection(client_context(ALPN_ATTESTED), client), client, peer="agent")
        self.client.ssl.set_connect_state()
        shaking = threading.Thread(target=self.agent.handshake, args=(ALPN_ATTESTED, Deadline(PROMPT)))
        shaking.start()
        self.client.handshake(ALPN_ATTESTED, Deadline(PROMPT))
        shaking.join()
        self.here, self.there = socket.socketpair()
        self.here.settimeout(PROMPT)
        self.there.settimeout(0)

    def pipe(self, lease: Lease | None = None) -> Pipe:
        pipe = Pipe(self.client, self.there, lease or lease_for(60))
        pipe.start()
        return pipe

    def hear(self, size: int) -> bytes:
        heard = bytearray()
        while len(heard) < size:
            heard += self.agent.receive(size - len(heard), Deadline(PROMPT))
        return bytes(heard)

    def close(self) -> None:
        for each in (self.agent, self.client, self.here, self.there):
            each.close()


@pytest.fixture
def ends() -> Iterator[Ends]:
    ends = Ends()
    yield ends
    ends.close()


def wait_for_the_end(pipe: Pipe) -> str:
    ends = time.monotonic() + PROMPT
    while pipe.ended is None and time.monotonic() < ends:
        time.sleep(0.005)
    pipe.join()
    assert pipe.ended is not None
    return pipe.ended


def test_bytes_go_both_ways_unchanged(ends: Ends) -> None:
    pipe = ends.pipe()
    words = os.urandom(300_000)
    sending = threading.Thread(target=ends.here.sendall, args=(words,))
    sending.start()
    assert ends.hear(len(words)) == words
    sending.join()
    answering = threading.Thread(target=ends.agent.send, args=(words, Deadline(PROMPT)))
    answering.start()
    heard = bytearray()
    while len(heard) < len(words):
        heard += ends.here.recv(65536)
    assert heard == words
    answering.join()
    pipe.close()


def test_what_nobody_takes_is_held_to_64_kib_each_way(ends: Ends) -> None:
    pipe = ends.pipe()
    ends.here.settimeout(0.3)
    with pytest.raises(TimeoutError):
        ends.here.sendall(bytes(16 * 1024 * 1024))
    assert len(pipe._to_remote) <= BUFFER
    with pytest.raises(EndpointError, match="no answer within"):
        ends.agent.send(bytes(16 * 1024 * 1024), Deadline(0.3))
    assert len(pipe._to_local) <= BUFFER
    pipe.close()


def test_a_pipe_that_waits_uses_no_time(ends: Ends) -> None:
    pipe = ends.pipe()
    with pytest.raises(EndpointError):
        ends.agent.send(bytes(16 * 1024 * 1024), Deadline(0.3))
    ends.agent.sock.shutdown(socket.SHUT_RDWR)
    began = time.process_time()
    time.sleep(0.5)
    assert time.process_time() - began < 0.25
    pipe.close()


@pytest.mark.parametrize("how", ["politely", "abruptly"])
def test_when_the_agent_goes_what_it_said_still_arrives(ends: Ends, how: str) -> None:
    pipe = ends.pipe()
    ends.agent.send(b"last words", Deadline(PROMPT))
    if how == "politely":
        ends.agent.ssl.shutdown()
    ends.agent.sock.shutdown(socket.SHUT_WR)
    assert ends.here.recv(100) == b"last words"
    assert ends.here.recv(100) == b""
    assert wait_for_the_end(pipe) in {"the other end closed the connection", "the connection was cut"}


def test_when_we_go_what_we_said_still_arrives(ends: Ends) -> None:
    pipe = ends.pipe()
    ends.here.sendall(b"last words")
    ends.here.close()
    assert ends.hear(10) == b"last words"
    with pytest.raises(EndpointError, match="closed the connection"):
        ends.hear(1)
    assert wait_for_the_end(pipe) == "closed here"


def test_an_agent_that_sends_noise_ends_the_pipe(ends: Ends) -> None:
    pipe = ends.pipe()
    ends.agent.sock.send(b"\x17\x03\x03\x00\x20" + bytes(32))
    assert "bad record mac" in wait_for_the_end(pipe)
    assert ends.here.recv(1) == b""


def test_an_end_that_no_longer_listens_is_not_waited_for(ends: Ends, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cvmproof.channel.pipe._FAREWELL", 0.2)
    pipe = ends.pipe()
    ends.here.settimeout(0.3)
    with suppress(TimeoutError):
        ends.here.sendall(bytes(16 * 1024 * 1024))
    ends.here.close()
    assert wait_for_the_end(pipe) == "one end closed, and the other no longer listens"


class Clocks:
    """A wall clock and a monotonic one that go as told."""

    def __init__(self) -> None:
        self.now, self.elapsed = START, 100.0

    def lease(self, seconds: float) -> Lease:
        until = self.now + timedelta(seconds=seconds)
        return Lease(until, now=lambda: self.now, monotonic=lambda: self.elapsed)


def test_not_a_byte_is_moved_once_the_lease_has_run_out(ends: Ends) -> None:
    clocks = Clocks()
    pipe = ends.pipe(clocks.lease(60))
    ends.here.sendall(b"before")
    assert ends.hear(6) == b"before"
    clocks.now += timedelta(seconds=60)
    ends.here.sendall(b"after")
    assert wait_for_the_end(pipe) == "the verdict has expired"
    with pytest.raises(EndpointError, match="closed the connection"):
        ends.hear(1)


@pytest.mark.parametrize("reading", ["_read_local", "_read_remote"])
def test_what_is_said_as_the_lease_runs_out_is_not_passed_on(
    ends: Ends, monkeypatch: pytest.MonkeyPatch, reading: str
) -> None:
    clocks = Clocks()
    pipe = Pipe(ends.client, ends.there, clocks.lease(60))
    read = getattr(pipe, reading)

    def run_out_and_read() -> bool:
        clocks.now += timedelta(seconds=60)
        ends.here.sendall(b"late")
        ends.agent.send(b"late", Deadline(PROMPT))
        pipe._local_readable = pipe._remote_readable = True
        return bool(read())

    monkeypatch.setattr(pipe, reading, run_out_and_read)
    pipe.start()
    assert wait_for_the_end(pipe) == "the verdict has expired"
    with pytest.raises(EndpointError, match="closed the connection"):
        ends.hear(1)
    with suppress(ConnectionResetError):  # what was not read of ours
        assert ends.here.recv(1) == b""


def test_a_lease_ends_by_itself(ends: Ends) -> None:
    pipe = ends.pipe(lease_for(0.2))
    assert wait_for_the_end(pipe) == "the verdict has expired"
    assert ends.here.recv(1) == b""


def test_a_lease_ends_by_whichever_clock_comes_first() -> None:
    clocks = Clocks()
    lease = clocks.lease(60)
    assert lease.remaining() == 60
    clocks.elapsed += 50
    assert lease.remaining() == 10
    clocks.now -= timedelta(days=1)  # set back: nothing is won
    assert lease.remaining() == 10
    clocks.now += timedelta(days=2)
    assert lease.remaining() < 0


def test_another_lease_counts_from_when_it_is_given(ends: Ends) -> None:
    first, second = Clocks(), Clocks()
    pipe = ends.pipe(first.lease(60))
    pipe.extend(second.lease(60))
    first.now += timedelta(seconds=60)
    ends.here.sendall(b"still")
    assert ends.hear(5) == b"still"
    pipe.extend(lease_for(0.1))
    assert wait_for_the_end(pipe) == "the verdict has expired"
    pipe.extend(lease_for(60))
    assert pipe.ended == "the verdict has expired"


def test_a_pipe_that_was_closed_before_it_began_never_begins(ends: Ends) -> None:
    pipe = Pipe(ends.client, ends.there, lease_for(60))
    pipe.close()
    pipe.start()
    pipe.join()
    pipe.close()
    assert pipe.ended == "closed here"


def test_while_nobody_came_through_the_door_the_agents_end_is_noticed(ends: Ends) -> None:
    door = Door()
    pipe = Pipe(ends.client, door, lease_for(60))
    pipe.start()
    ends.agent.send(b"hello", Deadline(PROMPT))
    ends.agent.ssl.shutdown()
    assert wait_for_the_end(pipe) == "the other end closed the connection"
    door.close()


def test_what_the_agent_says_first_waits_for_whoever_comes_through_the_door(ends: Ends) -> None:
    door = Door()
    pipe = Pipe(ends.client, door, lease_for(60))
    pipe.start()
    ends.agent.send(b"settings", Deadline(PROMPT))
    with socket.socket(socket.AF_UNIX) as here:
        here.settimeout(PROMPT)
        here.connect(door.target.replace("unix-abstract:", "\0"))
        assert here.recv(100) == b"settings"
        here.sendall(b"preface")
        assert ends.hear(7) == b"preface"
    assert wait_for_the_end(pipe) == "closed here"
    door.close()


def test_pipes_that_are_closed_from_elsewhere_at_any_moment_come_to_an_end() -> None:
    for wait in (0.0, 0.0005, 0.001, 0.002, 0.005):
        ends = Ends()
        pipe = ends.pipe()
        ends.here.send(b"x" * 1000)
        time.sleep(wait)
        pipe.close()
        assert pipe.ended is not None
        ends.close()
