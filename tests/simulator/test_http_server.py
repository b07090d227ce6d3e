"""The server itself: slow, silent and dishonest clients, and how it ends."""

import http.client
import logging
import socket
import ssl
import threading
import time
from collections.abc import Iterator

import pytest
import trustme

from cvmproof_simulator import misbehaviour as fake
from cvmproof_simulator.fake_service import FakeService
from cvmproof_simulator.http_server import Request
from cvmproof_simulator.misbehaviour import Answer

MEBIBYTE = 1024 * 1024


class Echo(FakeService):
    """Says the method and the body again."""

    def _right_answer(self, request: Request) -> Answer:
        return Answer(body=request.method.encode() + b" " + request.body)


@pytest.fixture
def echo() -> Iterator[Echo]:
    with Echo("echo") as service:
        yield service


def talk(service: FakeService, data: bytes, *, end: bool = True) -> bytes:
    """Send bytes, and give everything that comes back."""
    with socket.create_connection(("127.0.0.1", service.port), timeout=5) as connection:
        connection.sendall(data)
        if end:
            connection.shutdown(socket.SHUT_WR)
        received = b""
        while piece := connection.recv(65_536):
            received += piece
    return received


def status_of(answer: bytes) -> int:
    version, code, _ = answer.split(b" ", 2)
    assert version == b"HTTP/1.1"
    return int(code)


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_a_body_comes_with_any_method(echo: Echo, method: str) -> None:
    answer = talk(echo, f"{method} / HTTP/1.1\r\nContent-Length: 4\r\n\r\nbody".encode(), end=False)
    assert answer.endswith(f"\r\n\r\n{method} body".encode())
    assert [request.body for request in echo.received] == [b"body"]


def test_a_head_is_answered_without_a_body(echo: Echo) -> None:
    answer = talk(echo, b"HEAD / HTTP/1.1\r\n\r\n")
    assert b"Content-Length: 5\r\n" in answer
    assert answer.endswith(b"\r\n\r\n")


def test_an_answer_that_has_no_content_declares_no_length(echo: Echo) -> None:
    echo.misbehave(lambda _: Answer(status=204))
    assert b"Content-Length" not in talk(echo, b"GET / HTTP/1.1\r\n\r\n")


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ("Content-Length: 4", 200),
        ("Content-Length: 5", 400),
        ("Content-Length: -4", 400),
        ("Content-Length: 4, 4", 400),
        ("Content-Length: 4\r\nContent-Length: 4", 400),
        ("Content-Length: 4x", 400),
        ("Content-Length: 65537", 413),
        ("Content-Length: 99999999999999999", 413),
        ("Transfer-Encoding: chunked", 411),
    ],
)
def test_the_length_of_a_body_is_declared_and_true(echo: Echo, header: str, status: int) -> None:
    answer = talk(echo, f"POST / HTTP/1.1\r\n{header}\r\n\r\nbody".encode())
    assert status_of(answer) == status
    assert len(echo.received) == (status == 200)


def test_a_body_that_is_too_long_is_not_kept_and_its_sender_hears_so(echo: Echo) -> None:
    head = f"POST / HTTP/1.1\r\nContent-Length: {MEBIBYTE}\r\n\r\n".encode()
    assert status_of(talk(echo, head + bytes(MEBIBYTE))) == 413
    assert echo.received == ()


def test_a_method_that_nobody_knows_is_501(echo: Echo) -> None:
    assert status_of(talk(echo, b"BREW / HTTP/1.1\r\n\r\n")) == 501


def test_control_characters_do_not_reach_the_log(echo: Echo, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    talk(echo, b"GET /\x1b[31m HTTP/1.1\r\n\r\n")
    assert "\x1b" not in caplog.text
    assert "[31m" in caplog.text


def test_a_body_can_be_slow_and_others_are_served_meanwhile(echo: Echo) -> None:
    echo.misbehave(fake.slow_body(0.02), path="/slow")
    with socket.create_connection(("127.0.0.1", echo.port), timeout=5) as slow:
        slow.sendall(b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n")
        assert status_of(talk(echo, b"GET /quick HTTP/1.1\r\n\r\n")) == 200
        slow.settimeout(5)
        assert slow.recv(1)


def test_stopping_ends_slow_and_endless_answers() -> None:
    with Echo("echo") as echo:
        echo.misbehave(fake.slow_body(60.0), path="/body")
        echo.misbehave(fake.slow_answer(60.0), path="/answer")
        connections = [socket.create_connection(("127.0.0.1", echo.port), timeout=5) for _ in range(2)]
        for connection, path in zip(connections, ("/body", "/answer"), strict=True):
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        while len(echo.requests) < 2:
            time.sleep(0.01)
        before = time.monotonic()
    assert time.monotonic() - before < 5
    for connection in connections:
        connection.close()
    assert not [thread for thread in threading.enumerate() if "SIMULATED" in thread.name]


def test_an_endless_body_goes_on_until_the_client_leaves(echo: Echo) -> None:
    echo.misbehave(fake.endless_body())
    with socket.create_connection(("127.0.0.1", echo.port), timeout=5) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        received = 0
        while received < MEBIBYTE:
            received += len(connection.recv(65_536))


def test_a_client_that_says_nothing_does_not_hold_up_tls() -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    with Echo("echo", tls=context) as echo, socket.create_connection(("127.0.0.1", echo.port)):
        assert echo.url == f"https://127.0.0.1:{echo.port}"
        connection = http.client.HTTPSConnection("127.0.0.1", echo.port, timeout=5, context=client)
        connection.request("GET", "/")
        assert connection.getresponse().status == 200
        connection.close()
