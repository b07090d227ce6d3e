"""The listener: who is served, who is closed before a byte of application data, and who can't keep others out."""

import socket
import threading
import time

import pytest
from OpenSSL import SSL
from OpenSSL._util import lib
from tests.agent.machine import Client, FakeDevice, bridged, eventually, pinned, serving, unary, was_resumed

from cvmproof_protos.v1 import attestation_pb2

OTHER_NETWORK = "127.1.0.1"  # another /24, and still this machine


def counted(text: str, outcome: str) -> int:
    lines = [line for line in text.splitlines() if f'outcome="{outcome}"' in line]
    return int(lines[0].rpartition(" ")[2]) if lines else 0


def test_ac_075_tls_1_2_is_refused() -> None:
    with serving() as agent, pytest.raises(SSL.Error, match="alert"):
        Client(agent.address, highest=SSL.TLS1_2_VERSION).__enter__()


@pytest.mark.parametrize("alpn", [None, b"http/1.1", b"cvmproof/2", b"h2c"])
def test_ac_075_another_protocol_or_none_is_closed_without_a_byte(alpn: bytes | None) -> None:
    with serving() as agent, Client(agent.address, alpn=alpn) as client:
        assert client.end() == b""


@pytest.mark.parametrize("alpn", [b"h2", b"cvmproof/1"])
def test_either_of_our_protocols_is_negotiated(alpn: bytes) -> None:
    with serving() as agent, Client(agent.address, alpn=alpn) as client:
        assert client.tls.get_alpn_proto_negotiated() == alpn
        assert client.tls.get_protocol_version_name() == "TLSv1.3"


def test_ac_075_a_resumption_attempt_gets_a_full_handshake() -> None:
    with serving() as agent, Client(agent.address) as first:
        first.ask()
        with Client(agent.address, resume=first) as second:
            assert second.ask().HasField("evidence")
            assert not was_resumed(second.tls)
            assert second.ekm(bytes(32)) != first.ekm(bytes(32))


def test_early_data_is_not_offered() -> None:
    with serving() as agent, Client(agent.address) as client:
        client.ask()
        session = client.tls.get_session()
        assert session is not None
        assert lib.SSL_SESSION_get_max_early_data(session._session) == 0


def test_a_handshake_takes_only_so_long() -> None:
    with serving(handshake_seconds=0.3) as agent, socket.create_connection(agent.address, timeout=5) as half_open:
        assert half_open.recv(1) == b""


def test_ac_110_a_handshake_byte_by_byte_takes_only_so_long() -> None:
    with serving(handshake_seconds=0.5) as agent, socket.create_connection(agent.address, timeout=5) as slow:
        started = time.monotonic()
        with pytest.raises(OSError, match=r"reset|Broken pipe"):  # noqa: PT012 -- whichever byte is too late
            for byte in bytes((22, 3, 1, 2, 0)) + bytes(512):
                slow.sendall(bytes((byte,)))
                time.sleep(0.05)
        assert time.monotonic() - started < 5


@pytest.mark.parametrize("garbage", [b"GET / HTTP/1.1\r\n\r\n", bytes(64), b"\x16\x03\x01\xff\xff" + bytes(100)])
def test_what_is_not_tls_is_closed(garbage: bytes) -> None:
    with serving(handshake_seconds=0.5) as agent, socket.create_connection(agent.address, timeout=5) as client:
        client.sendall(garbage)
        read_to_the_end(client)


def read_to_the_end(client: socket.socket) -> bytes:
    received = b""
    try:
        while part := client.recv(4096):
            received += part
    except ConnectionResetError:
        pass
    return received


def test_ac_110_a_thousand_idle_connections_keep_nobody_out() -> None:
    with serving(connections=1100, connections_per_network=1000, handshake_seconds=30.0) as agent:
        idle = [socket.create_connection(agent.address) for _ in range(1000)]
        threads = threading.active_count()
        with Client(agent.address, source=OTHER_NETWORK) as client:
            assert client.ask().HasField("evidence")
        assert threading.active_count() <= threads
        for connection in idle:
            connection.close()


def test_one_network_gets_so_many_connections_and_another_still_gets_its_own() -> None:
    with serving(connections_per_network=3) as agent:
        idle = [socket.create_connection(agent.address) for _ in range(3)]
        eventually(lambda: "cvmproof_agent_connections 3" in agent.metrics.render())
        with socket.create_connection(agent.address, timeout=5) as fourth:
            assert read_to_the_end(fourth) == b""
        with Client(agent.address, source=OTHER_NETWORK) as client:
            assert client.ask().HasField("evidence")
        idle.pop().close()
        eventually(lambda: "cvmproof_agent_connections 2" in agent.metrics.render())
        with Client(agent.address) as client:
            assert client.ask().HasField("evidence")
        for connection in idle:
            connection.close()
        assert counted(agent.metrics.render(), "too-many") == 1


def test_one_network_opens_so_many_connections_a_second() -> None:
    with serving(handshakes_per_second=0.01, handshake_burst=2) as agent:
        for _ in range(2):
            with Client(agent.address) as client:
                assert client.ask().HasField("evidence")
        with socket.create_connection(agent.address, timeout=5) as third:
            assert read_to_the_end(third) == b""
        with Client(agent.address, source=OTHER_NETWORK) as client:
            assert client.ask().HasField("evidence")


def test_connections_of_all_networks_together_are_bounded() -> None:
    with serving(connections=2) as agent:
        idle = [socket.create_connection(agent.address) for _ in range(2)]
        eventually(lambda: "cvmproof_agent_connections 2" in agent.metrics.render())
        with socket.create_connection(agent.address, timeout=5) as third:
            assert read_to_the_end(third) == b""
        for connection in idle:
            connection.close()


def test_after_the_exchange_the_same_connection_is_grpcs() -> None:
    with serving(FakeDevice(name="this one")) as agent, Client(agent.address) as client:
        client.ask()
        with bridged(client) as channel:
            info = channel.unary_unary(
                "/cvmproof.v1.Attestation/GetInfo",
                attestation_pb2.InfoRequest.SerializeToString,
                attestation_pb2.Info.FromString,
            )(attestation_pb2.InfoRequest(), timeout=5)
            assert (info.tee, info.device) == ("sev-snp", "this one")


def test_a_pipe_ends_when_grpc_hears_nothing_in_its_language() -> None:
    with serving(handshake_seconds=0.5) as agent, Client(agent.address, alpn=b"h2") as client:
        assert len(client.end()) < 1000  # at most its SETTINGS and a GOAWAY


def test_a_client_that_vanishes_leaves_nothing_behind() -> None:
    with serving() as agent:
        for alpn in (b"h2", b"cvmproof/1"):
            for _ in range(5):
                with Client(agent.address, alpn=alpn):
                    pass
        eventually(lambda: "cvmproof_agent_connections 0" in agent.metrics.render())


def test_evidence_through_h2_is_answered_by_an_ordinary_grpc_client() -> None:
    with serving() as agent, pinned(agent) as channel:
        answer = unary(channel, "/grpc.health.v1.Health/Check")(b"", timeout=5)
        assert answer == b"\x08\x01"


def test_the_peer_of_a_pipe_that_takes_nothing_is_given_up() -> None:
    device = FakeDevice(log=bytes(4 * 1024 * 1024))
    with serving(device, stall_seconds=0.5) as agent, Client(agent.address) as client:
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.tls.sendall(b"\x00\x00\x00\x24\x0a\x20" + bytes(32) + b"\x10\x01")
        eventually(lambda: counted(agent.metrics.render(), "failed") == 1)
