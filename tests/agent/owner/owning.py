"""A device owner that runs in this process, with a device that misbehaves on request, and peers of its own."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from tests.agent.machine import QUICK, SOON, FakeDevice

from cvmproof_agent.attester import DeviceAttester
from cvmproof_agent.device import Device
from cvmproof_agent.named_socket import listen_at
from cvmproof_agent.owner.client import OwnedDevice
from cvmproof_agent.owner.device_owner import DeviceOwner
from cvmproof_agent.statement import ChannelStatement, NonceStatement
from cvmproof_formats.binding import SPKI_PREFIX, Role

ME = os.getuid()
NONCE, SPKI, EKM = bytes(range(32)), SPKI_PREFIX + bytes(64), b"\xee" * 32
CHANNEL = ChannelStatement(role=Role.SERVER, nonce=NONCE, spki=SPKI, ekm=EKM)
ONLY_A_NONCE = NonceStatement(role=Role.SERVER, nonce=NONCE)


@contextmanager
def owning(
    path: Path, device: Device | None = None, *, uids: frozenset[int] = frozenset({ME}), **limits: float
) -> Iterator[DeviceOwner]:
    """An owner at this path."""
    with (
        listen_at(path, 0o660) as listening,
        DeviceOwner(
            DeviceAttester(device or FakeDevice()),
            listening,
            uids=uids,
            limits=replace(QUICK, **limits),  # type: ignore[arg-type]  # by name, and checked by Limits
        ) as owner,
    ):
        try:
            yield owner
        finally:
            owner.stop(SOON)


def front(path: Path) -> OwnedDevice:
    return OwnedDevice(path, owner=ME)


def say(path: Path, data: bytes, *, end: bool = True) -> bytes:
    """Send these bytes to whoever listens; everything that comes back."""
    with socket.socket(socket.AF_UNIX) as peer:
        peer.settimeout(SOON)
        peer.connect(str(path))
        received = b""
        with suppress(BrokenPipeError, ConnectionResetError):  # it closes as soon as it has heard enough
            peer.sendall(data)
            if end:
                peer.shutdown(socket.SHUT_WR)
            while part := peer.recv(65536):
                received += part
        return received
