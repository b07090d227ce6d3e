"""Which protocol a connection speaks: the first of ours that is offered, in whatever order, or none."""

import gc
from contextlib import suppress

import pytest
from OpenSSL import SSL
from tests.agent.machine import Client, serving

from cvmproof_agent.alpn import choose
from cvmproof_agent.tls_key import TlsKey


def negotiated(ours: list[bytes], offered: list[bytes]) -> bytes:
    """Shake hands in memory; what the client says was chosen."""
    server_context, client_context = TlsKey.generate().server_context(), SSL.Context(SSL.TLS_CLIENT_METHOD)
    choose(server_context, ours)
    client_context.set_alpn_protos(offered)
    gc.collect()  # what OpenSSL knows the address of must still be there
    client, server = SSL.Connection(client_context), SSL.Connection(server_context)
    client.set_connect_state()
    server.set_accept_state()
    for end, other in ((client, server), (server, client), (client, server)):
        with suppress(SSL.WantReadError):
            end.do_handshake()
        other.bio_write(end.bio_read(65536))
    assert server.get_alpn_proto_negotiated() == client.get_alpn_proto_negotiated()
    return client.get_alpn_proto_negotiated()


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        ([b"a", b"b"], b"a"),
        ([b"b", b"a"], b"a"),
        ([b"x", b"b"], b"b"),
        ([b"y" * 255, b"b"], b"b"),
        ([b"x", b"ab", b"aa"], b""),
        ([b"\x01a"], b""),
    ],
)
def test_the_first_of_ours_that_is_offered_is_chosen(offered: list[bytes], chosen: bytes) -> None:
    assert negotiated([b"a", b"b"], offered) == chosen


def test_contexts_choose_each_for_itself() -> None:
    assert [negotiated([name], [b"a", b"b"]) for name in (b"a", b"b")] == [b"a", b"b"]


def test_many_connections_are_chosen_for() -> None:
    with serving() as agent:
        for alpn in (b"h2", b"cvmproof/1") * 50:
            with Client(agent.address, alpn=alpn) as client:
                assert client.tls.get_alpn_proto_negotiated() == alpn
