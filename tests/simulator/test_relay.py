"""The demo's relay carries everything both ways in clear, for one client after the other, until it is told to stop."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest
from OpenSSL import SSL

from cvmproof_agent.tls_key import TlsKey
from cvmproof_formats.tls import ALPN_ATTESTED
from cvmproof_simulator.leak import Leaking, leaking_agent
from cvmproof_simulator.relay import Relay

LARGE = bytes(range(256)) * 4096 * 8  # bytes; more than the sockets on the way hold


@pytest.fixture
def machine() -> Iterator[Leaking]:
    with leaking_agent("simulated:snp") as machine:
        yield machine


def connect(relay: Relay) -> SSL.Connection:
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_alpn_protos([ALPN_ATTESTED])
    client = SSL.Connection(context, socket.create_connection(("127.0.0.1", relay.port)))
    client.set_connect_state()
    client.do_handshake()
    return client


def test_a_client_after_another_sees_the_key_that_leaked(machine: Leaking) -> None:
    with Relay(machine.context, machine.address) as relay:
        for _ in range(2):
            client = connect(relay)
            assert client.get_alpn_proto_negotiated() == ALPN_ATTESTED
            client.close()
    assert relay.heard == b""


def test_much_at_once_is_carried_whole() -> None:
    """The machine is one that answers what it hears, slowly."""
    key = TlsKey.generate()
    with (
        socket.create_server(("127.0.0.1", 0)) as listening,
        Relay(key.server_context(), listening.getsockname()) as relay,
    ):
        echoing = threading.Thread(target=echo, args=(listening, key), daemon=True)
        echoing.start()
        client = connect(relay)
        sending = threading.Thread(target=client.sendall, args=(LARGE,), daemon=True)
        sending.start()
        sending.join(30)
        assert received(client, 4) == b"over"
        client.close()
        echoing.join(30)
        assert relay.heard == LARGE


def echo(listening: socket.socket, key: TlsKey) -> None:
    taken, _ = listening.accept()
    with taken:
        answer(taken, key)


def answer(taken: socket.socket, key: TlsKey) -> None:
    connection = SSL.Connection(key.server_context(), taken)
    connection.set_accept_state()
    connection.do_handshake()
    time.sleep(0.3)  # until nothing more fits in between
    received(connection, len(LARGE))
    connection.sendall(b"over")


def received(connection: SSL.Connection, size: int) -> bytes:
    found = b""
    while len(found) < size:
        found += connection.recv(size - len(found))
    return found


def test_it_ends_while_a_client_says_nothing(machine: Leaking) -> None:
    with Relay(machine.context, machine.address) as relay, socket.create_connection(("127.0.0.1", relay.port)):
        time.sleep(0.1)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", relay.port))


def test_a_client_that_speaks_no_tls_does_not_keep_the_next_one_out(machine: Leaking) -> None:
    with Relay(machine.context, machine.address) as relay:
        with socket.create_connection(("127.0.0.1", relay.port)) as stranger:
            stranger.sendall(b"GET / HTTP/1.1\r\n\r\n")
        connect(relay).close()
