"""The agent's key and leaf: made anew, the same profile always, and no session of it can be resumed."""

from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL
from tests.agent.machine import was_resumed

from cvmproof_agent.tls_key import TlsKey
from cvmproof_formats.tls import NOT_AFTER, NOT_BEFORE, leaf_spki, require_end_entity
from cvmproof_formats.x509 import KEY_USAGE, KeyUsage, key_usage, read_certificate


def der(key: TlsKey) -> bytes:
    return key.certificate.public_bytes(Encoding.DER)


def test_each_start_makes_another_key() -> None:
    assert TlsKey.generate().spki != TlsKey.generate().spki


def test_the_leaf_names_the_key() -> None:
    key = TlsKey.generate()
    assert leaf_spki(der(key)) == key.spki
    assert len(key.spki) == 91


def test_the_leaf_may_sign_handshakes_and_nothing_else() -> None:
    leaf = read_certificate(der(TlsKey.generate()))
    assert key_usage(leaf) == KeyUsage(digital_signature=True)
    extension = leaf.extension(KEY_USAGE)
    assert extension is not None
    assert extension.critical
    require_end_entity(leaf.der)


def test_nothing_in_the_leaf_depends_on_when_or_where_it_was_made() -> None:
    one, other = (read_certificate(der(TlsKey.generate())) for _ in range(2))
    assert (one.not_before, one.not_after) == (NOT_BEFORE, NOT_AFTER)
    assert (one.serial, one.issuer, one.subject, one.extensions) == (
        other.serial,
        other.issuer,
        other.subject,
        other.extensions,
    )


def test_a_key_says_nothing_about_itself() -> None:
    assert repr(TlsKey.generate()).startswith("<cvmproof_agent.tls_key.TlsKey object")


def test_ac_075_a_session_is_never_resumed() -> None:
    assert not second_handshake_is_short(TlsKey.generate().server_context())


def test_a_resumed_session_would_be_seen() -> None:
    key, careless = TlsKey.generate(), SSL.Context(SSL.TLS_SERVER_METHOD)
    careless.use_privatekey(key.private)
    careless.use_certificate(key.certificate)
    careless.set_session_id(b"test")
    assert second_handshake_is_short(careless)


def second_handshake_is_short(server_context: SSL.Context) -> bool:
    client_context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    first = handshake(server_context, client_context, None)
    return was_resumed(handshake(server_context, client_context, first.get_session()))


def handshake(server_context: SSL.Context, client_context: SSL.Context, session: SSL.Session | None) -> SSL.Connection:
    client, server = SSL.Connection(client_context), SSL.Connection(server_context)
    if session is not None:
        client.set_session(session)
    client.set_connect_state()
    server.set_accept_state()
    for _ in range(4):
        for end, other in ((client, server), (server, client)):
            shake(end)
            carry(end, other)
    server.send(b"x")
    carry(server, client)
    assert client.recv(1) == b"x"  # with it came the tickets, if any
    return client


def carry(source: SSL.Connection, target: SSL.Connection) -> None:
    try:
        target.bio_write(source.bio_read(65536))
    except SSL.WantReadError:
        return


def shake(end: SSL.Connection) -> None:
    try:
        end.do_handshake()
    except SSL.WantReadError:
        return
