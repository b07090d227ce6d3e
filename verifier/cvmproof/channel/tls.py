"""One end of a TLS 1.3 connection with deadlines, and what can be read off it: the peer's leaf, the exporter value.

pyOpenSSL, because neither the standard library nor gRPC has the exporter (RFC 8446 section 7.5). The peer's certificate
is not verified here: it is self-signed, and counts only as far as evidence names its key. Nothing is decided in a
callback: pyOpenSSL swallows what those raise. Nothing is resumed: each connection has a context of its own, without
tickets and without a session cache.
"""

import select
import socket
from collections.abc import Callable
from functools import partial
from typing import Final, Self, TypeVar

from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL

from cvmproof.channel.address import AgentAddress
from cvmproof.channel.deadline import Deadline
from cvmproof_formats.binding import EKM_SIZE, EXPORTER_LABEL
from cvmproof_formats.errors import Category, EndpointError
from cvmproof_formats.x509 import Certificate, read_certificate

TLS_1_3: Final = "TLSv1.3"
RECORD: Final = 16 * 1024  # bytes, RFC 8446 section 5.1
_T = TypeVar("_T")


class TlsConnection:
    """A connection after its handshake; `peer` names the other end in messages. One thread at a time may use it."""

    def __init__(self, connection: SSL.Connection, sock: socket.socket, *, peer: str) -> None:
        """Take a connection before its handshake over a non-blocking socket."""
        self.ssl, self.sock, self.peer = connection, sock, peer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def handshake(self, alpn: bytes, deadline: Deadline) -> None:
        """Shake hands, and refuse anything but TLS 1.3 with this protocol.

        Raises EndpointError, with category UNSUPPORTED for another version or protocol, UNAVAILABLE for no answer.
        """
        self._wait_for(self.ssl.do_handshake, f"TLS handshake with {self.peer}", deadline)
        version, protocol = self.ssl.get_protocol_version_name(), self.ssl.get_alpn_proto_negotiated()
        if version != TLS_1_3 or protocol != alpn:
            got = f"{version} with {protocol!r:.40}"
            message = f"{self.peer}: expected {TLS_1_3} with the protocol {alpn.decode()}, got {got}"
            raise EndpointError(message, category=Category.UNSUPPORTED)

    def leaf(self) -> Certificate:
        """Read the peer's own certificate; raises EndpointError where there is none, Malformed for a strange one."""
        certificate = self.ssl.get_peer_certificate(as_cryptography=True)
        if certificate is None:
            raise EndpointError(f"{self.peer}: expected a certificate, got none", category=Category.UNSUPPORTED)
        return read_certificate(certificate.public_bytes(Encoding.DER))

    def exporter_value(self, nonce: bytes) -> bytes:
        """Derive the 32 bytes that this session alone has for a nonce."""
        return self.ssl.export_keying_material(EXPORTER_LABEL, EKM_SIZE, nonce)

    def send(self, data: bytes, deadline: Deadline) -> None:
        """Send all of it; raises EndpointError."""
        rest = memoryview(data)
        while rest:
            part = rest[:RECORD]
            sent = self._wait_for(partial(self.ssl.send, part), f"sending to {self.peer}", deadline)
            rest = rest[sent:]

    def receive(self, size: int, deadline: Deadline) -> bytes:
        """Receive 1 to `size` bytes; raises EndpointError, also where the connection ends."""
        doing = f"waiting for {self.peer}"
        return self._wait_for(partial(self.ssl.recv, min(size, RECORD)), doing, deadline)

    def close(self) -> None:
        """Close the connection at once, without another word."""
        self.sock.close()

    def _wait_for(self, act: Callable[[], _T], doing: str, deadline: Deadline) -> _T:
        while True:
            try:
                return act()
            except SSL.WantReadError:
                self._poll(select.POLLIN, deadline.remaining(doing))
            except SSL.WantWriteError:
                self._poll(select.POLLOUT, deadline.remaining(doing))
            except (SSL.Error, OSError) as error:
                raise EndpointError(f"{doing}: {explain(error)}", category=_category_of(error)) from error
            deadline.remaining(doing)

    def _poll(self, events: int, seconds: float) -> None:
        poll = select.poll()
        poll.register(self.sock, events)
        poll.poll(max(1, seconds * 1000))


def dial(address: AgentAddress, resolved: tuple[str, ...], *, alpn: bytes, deadline: Deadline) -> TlsConnection:
    """Connect to the first of the resolved addresses that answers, and shake hands.

    Raises EndpointError, with category UNAVAILABLE where nobody answers.
    """
    sock = _connect(address, resolved, deadline)
    try:
        connection = SSL.Connection(client_context(alpn), sock)
        if not _is_literal(address.host):
            connection.set_tlsext_host_name(address.host.encode("ascii"))
        connection.set_connect_state()
        stream = TlsConnection(connection, sock, peer=str(address))
        stream.handshake(alpn, deadline)
    except BaseException:
        sock.close()
        raise
    return stream


def client_context(alpn: bytes) -> SSL.Context:
    """Make a context for one connection: TLS 1.3 only, one protocol, nothing to resume."""
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_min_proto_version(SSL.TLS1_3_VERSION)
    context.set_max_proto_version(SSL.TLS1_3_VERSION)
    context.set_options(SSL.OP_NO_TICKET)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
    context.set_verify(SSL.VERIFY_NONE)  # evidence decides; see above
    context.set_alpn_protos([alpn])
    return context


def explain(error: Exception) -> str:
    """Say in a few words what OpenSSL or the system reported."""
    if isinstance(error, SSL.ZeroReturnError):
        return "the other end closed the connection"
    if isinstance(error, SSL.SysCallError):
        return str(error.args[-1]) if error.args and error.args[0] != -1 else "the connection was cut"
    if isinstance(error, SSL.Error):
        return "; ".join(str(part[-1]) for part in error.args[0]) if error.args and error.args[0] else "TLS failed"
    return getattr(error, "strerror", None) or type(error).__name__


def _category_of(error: Exception) -> Category:
    is_cut = isinstance(error, SSL.ZeroReturnError | SSL.SysCallError) or not isinstance(error, SSL.Error)
    return Category.UNAVAILABLE if is_cut else Category.UNSUPPORTED


def _connect(address: AgentAddress, resolved: tuple[str, ...], deadline: Deadline) -> socket.socket:
    doing, last = f"connecting to {address}", "no address"
    for each in resolved:
        sock = socket.socket(socket.AF_INET6 if ":" in each else socket.AF_INET, socket.SOCK_STREAM)
        try:
            sock.settimeout(deadline.remaining(doing))
            sock.connect((each, address.port))
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.settimeout(0)
        except OSError as error:
            sock.close()
            last = "no answer in time" if isinstance(error, TimeoutError) else explain(error)
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    raise EndpointError(f"{doing}: {last}", category=Category.UNAVAILABLE)


def _is_literal(host: str) -> bool:
    return ":" in host or host.rpartition(".")[2].isdigit()
