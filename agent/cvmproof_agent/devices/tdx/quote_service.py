"""The host's quote generation service (QGS) over vsock: one connection for each quote, bounded in size and time.

Follows Intel's DCAP sources, QuoteGeneration/quote_wrapper/tdx_attest: CID 2 is the host; the port stands in
/etc/tdx-attest.conf as "port=4050", the default of the service's own configuration.
"""

import socket
import time
from pathlib import Path
from typing import Final, Protocol

from cvmproof_agent.devices.refusal import spell
from cvmproof_agent.devices.tdx.qgs_message import (
    FRAME_HEADER_SIZE,
    message_size,
    read_quote_response,
    write_frame,
    write_quote_request,
)
from cvmproof_formats.errors import DeviceError, Malformed

CONFIGURATION: Final = "/etc/tdx-attest.conf"
DEFAULT_PORT: Final = 4050
_HOST: Final = 2  # VMADDR_CID_HOST, Linux include/uapi/linux/vm_sockets.h
_PORTS: Final = range(1, 1 << 16)  # Intel's library takes none above
_CONFIGURATION_LIMIT: Final = 4096  # bytes
PATIENCE: Final = 30.0  # seconds for all of it, as Intel's library and the kernel have it
_CHUNK: Final = 65536
_HINT: Final = (
    "is qgsd running on the host, and does the guest have a vsock device (modprobe vmw_vsock_virtio_transport)?"
    " With Linux 6.7 or newer use configfs-tsm instead"
)


class Unreachable(DeviceError):
    """There is no service at the other end."""


class Connecting(Protocol):
    """Makes a connection to the service, or raises OSError; both ends as by `connect_to_host`."""

    def __call__(self, port: int, *, seconds: float) -> socket.socket:
        """Connect within that time."""


def connect_to_host(port: int, *, seconds: float) -> socket.socket:
    """Connect to a vsock port of the host; raises OSError."""
    made = socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        made.settimeout(seconds)
        made.connect((_HOST, port))
    except BaseException:
        made.close()
        raise
    return made


class QuoteService:
    """Where TDREPORTs become quotes."""

    def __init__(
        self,
        connect: Connecting = connect_to_host,
        *,
        configuration: str = CONFIGURATION,
        seconds: float = PATIENCE,
    ) -> None:
        """Take another connection, configuration and time for tests only."""
        self._connect, self._configuration, self._seconds = connect, configuration, seconds

    def quote(self, tdreport: bytes) -> bytes:
        """Have a TDREPORT turned into a quote.

        Raises DeviceError, Unreachable where nobody listens.
        """
        deadline = time.monotonic() + self._seconds
        port = read_port(self._configuration)
        where = f"vsock {_HOST}:{port}"
        try:
            connected = self._connect(port, seconds=self._seconds)
        except OSError as error:
            raise Unreachable(
                f"{where}: connect: {_words(error)}", path=where, call="connect", errno=error.errno, hint=_HINT
            ) from error
        with connected:
            try:
                return _exchange(connected, tdreport, deadline)
            except OSError as error:
                raise DeviceError(f"{where}: {_words(error)}", path=where, call="recv", errno=error.errno) from error
            except Malformed as error:
                raise DeviceError(f"{where}: what it answered is no quote: {error}", path=where) from error


def read_port(path: str = CONFIGURATION) -> int:
    """Read the port as Intel's library does: a line "port = NUMBER"; 4050 where there is no such line or file.

    Raises DeviceError for a port that is none.
    """
    try:
        with Path(path).open("rb") as file:
            text = file.read(_CONFIGURATION_LIMIT).decode("ascii", "replace")
    except FileNotFoundError:
        return DEFAULT_PORT
    except OSError as error:
        raise DeviceError(f"{path}: {_words(error)}", path=path, call="read", errno=error.errno) from error
    for line in text.splitlines():
        name, _, value = line.partition("=")
        if name.strip() == "port":
            return _port(value.partition("#")[0].strip(), path)
    return DEFAULT_PORT


def _port(value: str, path: str) -> int:
    if not (value.isascii() and value.isdigit() and len(value) < 6 and int(value) in _PORTS):  # noqa: PLR2004 -- digits of the highest
        raise DeviceError(f"{path}: port: expected a number from 1 to {_PORTS[-1]}, got {value!r:.20}", path=path)
    return int(value)


def _exchange(connected: socket.socket, tdreport: bytes, deadline: float) -> bytes:
    _wait_until(connected, deadline)
    connected.sendall(write_frame(write_quote_request(tdreport)))
    size = message_size(_receive(connected, FRAME_HEADER_SIZE, deadline))
    return read_quote_response(_receive(connected, size, deadline))


def _receive(connected: socket.socket, size: int, deadline: float) -> bytes:
    received = bytearray()
    while len(received) < size:
        _wait_until(connected, deadline)
        part = connected.recv(min(size - len(received), _CHUNK))
        if not part:
            raise Malformed(f"QGS: expected {size} bytes, got {len(received)} before it hung up")
        received += part
    return bytes(received)


def _wait_until(connected: socket.socket, deadline: float) -> None:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    connected.settimeout(left)


def _words(error: OSError) -> str:
    if isinstance(error, TimeoutError) and not error.errno:
        return "no answer in time"
    return spell(error.errno) if error.errno else str(error)
