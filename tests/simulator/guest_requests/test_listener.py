"""The listener answers whole frames, one connection after another, and ends one that sends anything else."""

import logging
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from cvmproof_formats.errors import Malformed
from cvmproof_simulator.guest_requests import connections
from cvmproof_simulator.guest_requests.answering import Reply, answers_of
from cvmproof_simulator.guest_requests.frames import (
    ANSWER_MAGIC,
    ANSWER_MAX,
    REQUEST_MAGIC,
    AnswerHead,
    Kind,
    RequestHead,
)
from cvmproof_simulator.guest_requests.listener import GuestListener, build_answer
from cvmproof_simulator.machines.described import read_machine

DATA = bytes(range(64))


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    # Relative: the path of a socket is at most 107 bytes long.
    monkeypatch.chdir(tmp_path)
    return Path("processor")


@pytest.fixture
def listener(path: Path) -> Iterator[GuestListener]:
    with GuestListener(answers_of(read_machine("tdx")), path) as listening:
        yield listening


def connect(path: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(20)
    connection.connect(str(path))
    return connection


def request(*, magic: int = REQUEST_MAGIC, kind: int = Kind.TDREPORT, sequence: int = 7, data: bytes = DATA) -> bytes:
    return RequestHead(magic=magic, kind=kind, sequence=sequence, size=len(data)).build() + data


def read(connection: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = connection.recv(size - len(data))
        assert piece, "the connection ended"
        data += piece
    return data


def ends(connection: socket.socket) -> bool:
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:  # where it ended with bytes that nobody read
        return True


def answer(connection: socket.socket) -> tuple[AnswerHead, bytes]:
    head = AnswerHead.parse(read(connection, AnswerHead.layout_size))
    return head, read(connection, head.size)


def test_a_request_is_answered_under_its_number(listener: GuestListener, path: Path) -> None:
    with connect(path) as guest:
        guest.sendall(request())
        head, payload = answer(guest)
    assert (head.magic, head.kind, head.sequence, head.error) == (ANSWER_MAGIC, Kind.TDREPORT, 7, 0)
    assert payload[128:192] == DATA
    assert (listener.answered(Kind.TDREPORT), listener.answered(Kind.QUOTE)) == (1, 0)


def test_a_request_may_come_byte_by_byte(listener: GuestListener, path: Path) -> None:
    with connect(path) as guest:
        for byte in request():
            guest.sendall(bytes([byte]))
        assert answer(guest)[0].sequence == 7


def test_a_guest_that_connects_again_is_answered(listener: GuestListener, path: Path) -> None:
    for sequence in (1, 2):
        with connect(path) as guest:
            guest.sendall(request(sequence=sequence))
            assert answer(guest)[0].sequence == sequence


@pytest.mark.parametrize(
    ("frame", "why"),
    [
        (request(magic=REQUEST_MAGIC + 1), "at its start"),
        (request(kind=9), "expected a kind of"),
        (request(data=DATA + b"\0"), "expected 64 bytes, got 65"),
        (request(data=b""), "expected 64 bytes, got 0"),
        (request()[:20] + b"\1" + request()[21:], "reserved byte at 0x14"),
    ],
    ids=["magic", "kind", "too long", "too short", "reserved"],
)
def test_a_frame_that_is_not_as_declared_ends_the_connection(
    listener: GuestListener, path: Path, frame: bytes, why: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING), connect(path) as guest:
        guest.sendall(frame)
        assert ends(guest)
    assert why in caplog.text
    with connect(path) as guest:
        guest.sendall(request())
        assert answer(guest)[0].error == 0


def test_a_frame_that_stops_half_way_ends_the_connection(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "PATIENCE", 0.1)
    with GuestListener(answers_of(read_machine("tdx")), path), connect(path) as guest:
        guest.sendall(request()[:-1])
        assert ends(guest)


def test_what_hangs_up_half_way_leaves_the_next_one_alone(listener: GuestListener, path: Path) -> None:
    with connect(path) as guest:
        guest.sendall(request()[:30])
    with connect(path) as guest:
        guest.sendall(request())
        assert answer(guest)[0].error == 0


def test_it_ends_while_a_guest_is_connected_and_leaves_no_socket(path: Path) -> None:
    with GuestListener(answers_of(read_machine("tdx")), path):
        guest = connect(path)
        guest.sendall(request())
        answer(guest)
    with guest:
        assert ends(guest)
    assert not path.exists()


def test_an_answer_that_no_guest_takes_is_not_written() -> None:
    head = RequestHead(magic=REQUEST_MAGIC, kind=Kind.QUOTE, sequence=1, size=1024)
    assert len(build_answer(head, Reply(payload=bytes(ANSWER_MAX)))) == AnswerHead.layout_size + ANSWER_MAX
    with pytest.raises(Malformed, match=f"at most {ANSWER_MAX} bytes"):
        build_answer(head, Reply(payload=bytes(ANSWER_MAX), certificates=b"\0"))
