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


def main() -> None:
    """Wait for the host, and only then be the backend: without one, the kernel refuses at once and nobody waits."""
    port = os.open(PORT, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    while is_hung_up(port):
        time.sleep(0.1)
    backend = os.open(BACKEND, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    tell_systemd(b"READY=1")
    poll = select.poll()
    poll.register(port, select.POLLIN)
    poll.register(backend, select.POLLIN)
    while True:
        for which, events in poll.poll():
            if events & (select.POLLHUP | select.POLLERR):
                sys.exit(f"{PORT if which == port else BACKEND} is gone")
            carry(which, backend if which == port else port)


def is_hung_up(port: int) -> bool:
    """Tell whether nobody is connected on the host's side."""
    poll = select.poll()
    poll.register(port, 0)
    return bool(poll.poll(0))


def carry(source: int, target: int) -> None:
    """Move what is there."""
    try:
        data = os.read(source, PIECE)
    except BlockingIOError:
        return
    if not data:
        sys.exit("the host closed its end")
    while data:
        try:
            data = data[os.write(target, data) :]
        except BlockingIOError:
            wait_writable(target)


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
