"""The agent's key and leaf: made anew, the same profile always, and no session of it can be resumed."""

import os

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL
from tests.agent.machine import was_resumed

from cvmproof_agent.tls_key import TlsKey, _leaf
from cvmproof_formats.tls import NOT_AFTER, NOT_BEFORE, SERVER_NAME, leaf_spki, require_end_entity
from cvmproof_formats.x509 import KEY_USAGE, KeyUsage, key_usage, read_certificate


def test_each_start_makes_another_key() -> None:
    assert TlsKey.generate().spki != TlsKey.generate().spki


def test_the_leaf_names_the_key() -> None:
    key = TlsKey.generate()
    assert leaf_spki(key.certificate) == key.spki
    assert len(key.spki) == 91


def test_others_read_the_leaf_as_one_that_this_key_has_signed() -> None:
    key = TlsKey.generate()
    leaf = x509.load_der_x509_certificate(key.certificate)
    leaf.verify_directly_issued_by(leaf)
    assert leaf.public_key() == key.private.public_key()
    assert leaf.version is x509.Version.v3
    assert leaf.subject.rfc4514_string() == "CN=cvmproof agent"
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    assert (names.critical, names.value.get_values_for_type(x509.DNSName)) == (False, [SERVER_NAME])


@pytest.mark.parametrize("number", [1, 255, 2**200])
def test_a_key_of_leading_zeros_serves_like_any_other(number: int) -> None:
    private = ec.derive_private_key(number, ec.SECP256R1())
    key = TlsKey(private, _leaf(private))
    assert leaf_spki(key.certificate) == key.spki
    handshake(key.server_context(), SSL.Context(SSL.TLS_CLIENT_METHOD), None)


def test_a_leaf_of_another_key_is_refused() -> None:
    mixed = TlsKey(TlsKey.generate().private, TlsKey.generate().certificate)
    with pytest.raises(SSL.Error):
        mixed.server_context()


def test_what_openssl_reads_the_key_from_is_gone_and_holds_nothing_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    left, close = [], os.close

    def look(descriptor: int) -> None:
        left.append(os.pread(descriptor, 1000, 0))
        close(descriptor)

    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 -- descriptors, not files
    with monkeypatch.context() as patched:
        patched.setattr(os, "close", look)
        TlsKey.generate().server_context()
    assert len(left) == 2
    assert all(data == bytes(len(data)) for data in left)
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208 -- descriptors, not files


def test_the_leaf_may_sign_handshakes_and_nothing_else() -> None:
    leaf = read_certificate(TlsKey.generate().certificate)
    assert key_usage(leaf) == KeyUsage(digital_signature=True)
    extension = leaf.extension(KEY_USAGE)
    assert extension is not None
    assert extension.critical
    require_end_entity(leaf.der)


def test_nothing_in_the_leaf_depends_on_when_or_where_it_was_made() -> None:
    one, other = (read_certificate(TlsKey.generate().certificate) for _ in range(2))
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
    careless.use_certificate(x509.load_der_x509_certificate(key.certificate))
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
