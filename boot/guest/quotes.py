"""Stands in the guest where the host's quote generation service is reached over vsock, and leads to it.

qemu has no vsock without a kernel module of the host's, so the loopback transport takes connections to the host (CID
2); each is carried through a port that leads out of the virtual machine, one at a time.
"""

import os
import socket
import sys
import time

from boot.guest.relay import PAUSE, PIECE, carry_all, is_hung_up, open_port, tell_systemd

PORT = "/dev/virtio-ports/org.cvmproof.quotes"
VSOCK_PORT = 4050  # Intel DCAP, qgsd
PATIENCE = 5.0  # seconds for the host to be there


def main() -> None:
    """Serve one connection after the other."""
    with socket.socket(socket.AF_VSOCK) as listening:
        listening.bind((socket.VMADDR_CID_ANY, VSOCK_PORT))
        listening.listen(8)
        tell_systemd(b"READY=1")
        while True:
            connection, _ = listening.accept()
            with connection:
                lead_out(connection)


def lead_out(connection: socket.socket) -> None:
    """Carry one connection; to the host they are all the same one."""
    port = open_port(PORT)
    try:
        until = time.monotonic() + PATIENCE
        while is_hung_up(port):
            if time.monotonic() > until:
                return
            time.sleep(PAUSE)
        forget_what_is_left(port)
        connection.settimeout(0)
        carry_all(connection.fileno(), port)
    except OSError as error:
        sys.stderr.write(f"a connection ended: {error}\n")
    finally:
        os.close(port)


def forget_what_is_left(port: int) -> None:
    """Throw away an answer that the connection before did not wait for."""
    try:
        while os.read(port, PIECE):
            pass
    except BlockingIOError:
        pass


if __name__ == "__main__":
    main()
