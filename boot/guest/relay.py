"""Carries bytes between the kernel module's backend device and the port that leads out of the virtual machine.

It knows nothing of frames: module and host hold each other to them. It ends when either side does, and systemd starts
it again.
"""

import os
import select
import socket
import sys
import time

BACKEND = "/dev/cvmproof-backend"
PORT = "/dev/virtio-ports/org.cvmproof.processor"
PIECE = 64 * 1024  # bytes: no request is longer, and the device gives a request whole
PAUSE = 0.1  # seconds


def main() -> None:
    """Wait for the host, and only then be the backend: without one, the kernel refuses at once and nobody waits."""
    port = open_port(PORT)
    while is_hung_up(port):
        time.sleep(PAUSE)
    backend = os.open(BACKEND, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    tell_systemd(b"READY=1")
    carry_all(port, backend)
    sys.exit("one end is gone")


def open_port(path: str) -> int:
    """Open a port that leads to the host."""
    return os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)


def is_hung_up(port: int) -> bool:
    """Tell whether nobody is connected on the host's side."""
    poll = select.poll()
    poll.register(port, 0)
    return bool(poll.poll(0))


def carry_all(one: int, other: int) -> None:
    """Carry everything both ways until either end is gone; both are descriptors that don't block.

    Questions and answers take turns here: while one end does not take what the other sent, nothing moves the other way.
    """
    poll = select.poll()
    poll.register(one, select.POLLIN)
    poll.register(other, select.POLLIN)
    while True:
        for which, events in poll.poll():
            is_gone = not carry(which, other if which == one else one) if events & select.POLLIN else True
            if is_gone:
                return


def carry(source: int, target: int) -> bool:
    """Move what is there; False where there will be nothing any more."""
    try:
        return _carry(source, target)
    except OSError as error:
        sys.stderr.write(f"one end is gone: {error}\n")
        return False


def _carry(source: int, target: int) -> bool:
    try:
        data = os.read(source, PIECE)
    except BlockingIOError:
        return True
    left = data
    while left:
        try:
            left = left[os.write(target, left) :]
        except BlockingIOError:
            wait_writable(target)
    return bool(data)


def wait_writable(target: int) -> None:
    """Wait for room."""
    poll = select.poll()
    poll.register(target, select.POLLOUT)
    poll.poll(1000)


def tell_systemd(state: bytes) -> None:
    """Say so at systemd's socket; sd_notify(3)."""
    address = os.environ["NOTIFY_SOCKET"]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.sendto(state, address.replace("@", "\0", 1) if address.startswith("@") else address)


if __name__ == "__main__":
    main()
