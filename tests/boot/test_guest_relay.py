"""The relay in the guest carries everything both ways, whatever the sizes, and ends when either end is gone."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack
from threading import Thread

import pytest
from boot.guest.relay import carry_all

LARGE = bytes(range(256)) * 2048  # more than a socket holds
PATIENCE = 20.0


class Carried:
    """Two outer ends, with the relay between the inner ones."""

    def __init__(self, stack: ExitStack) -> None:
        self.one, inner_one = (stack.enter_context(each) for each in socket.socketpair())
        self.other, inner_other = (stack.enter_context(each) for each in socket.socketpair())
        for inner in (inner_one, inner_other):
            inner.settimeout(0)
        for outer in (self.one, self.other):
            outer.settimeout(PATIENCE)
        self.thread = Thread(target=carry_all, args=(inner_one.fileno(), inner_other.fileno()), daemon=True)
        self.thread.start()


@pytest.fixture
def carried() -> Iterator[Carried]:
    with ExitStack() as stack:
        found = Carried(stack)
        yield found
        found.one.close()
        found.thread.join(PATIENCE)
        assert not found.thread.is_alive()


def read(end: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        data += end.recv(size - len(data))
    return data


@pytest.mark.parametrize("size", [1, 24, len(LARGE)])
def test_what_either_end_sends_arrives_at_the_other(carried: Carried, size: int) -> None:
    for source, target in ((carried.one, carried.other), (carried.other, carried.one)):
        sending = Thread(target=source.sendall, args=(LARGE[:size],), daemon=True)
        sending.start()
        assert read(target, size) == LARGE[:size]
        sending.join(PATIENCE)


@pytest.mark.parametrize("which", ["one", "other"])
def test_it_ends_with_either_end(carried: Carried, which: str) -> None:
    getattr(carried, which).close()
    carried.thread.join(PATIENCE)
    assert not carried.thread.is_alive()


def test_what_was_sent_before_an_end_went_arrives(carried: Carried) -> None:
    carried.one.sendall(b"last words")
    carried.one.shutdown(socket.SHUT_WR)
    assert read(carried.other, 10) == b"last words"
