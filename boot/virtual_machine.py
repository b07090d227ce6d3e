"""One virtual machine under qemu's own interpreter (TCG), so that no KVM is needed: slow, and a real kernel.

    with VirtualMachine(debian=debian, disk=disk, tee="snp", folder=folder) as machine:
        machine.wait_for("systemctl is-active cvmproof-agent", seconds=120)
        machine.run("journalctl ...").output

Its network is one port of 127.0.0.1 on the host, which leads to the guest's 8443; the guest reaches nothing. It never
writes to the disk, which several may share.
"""

import json
import socket
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from boot.debian import Debian
from cvmproof_formats.errors import EndpointError

GUEST_PORT: Final = 8443
PORTS: Final = ("processor", "quotes")
"""Where the simulator listens, in the folder of a machine: for the kernel's requests, and for quotes over vsock."""
MEMORY: Final = 768
"""MiB."""
_ENDING: Final = 10.0  # seconds from being asked to end to being ended
_POLL: Final = 0.5  # seconds
_MOST: Final = 16 * 1024 * 1024  # bytes of an answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A command that ran in the guest."""

    exit_code: int
    output: str


class VirtualMachine:
    """A machine while its context lasts: `url` is its agent's, `console` what its kernel wrote."""

    def __init__(self, *, debian: Debian, disk: Path, tee: str, folder: Path) -> None:
        """Take the disk, snp or tdx, and a folder: its console comes into it, and the sockets PORTS are there."""
        self._folder = folder
        self._port = _free_port()
        self._command = _command(debian, disk, tee, folder, self._port)
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    def __enter__(self) -> Self:
        with (self._folder / "qemu.log").open("wb") as log:
            self._process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        return self

    def __exit__(self, *_: object) -> None:
        if self._control is not None:
            self._control.close()
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(_ENDING)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    @property
    def url(self) -> str:
        """Where the agent is reached from this machine."""
        return f"https://127.0.0.1:{self._port}"

    @property
    def console(self) -> str:
        """What came over the serial line."""
        with suppress(FileNotFoundError):
            return (self._folder / "console.log").read_text("utf-8", "replace")
        return ""

    def run(self, command: str, *, seconds: float = 60.0) -> Done:
        """Run a shell command as root in the guest; exit code 124 where it took longer.

        Raises EndpointError where the guest does not answer.
        """
        asked = json.dumps({"command": command, "timeout": seconds}).encode() + b"\n"
        try:
            control = self._connect()
            control.settimeout(seconds + _ENDING)
            control.sendall(asked)
            answer = json.loads(_read_line(control))
        except (OSError, ValueError) as error:
            raise EndpointError(f"the virtual machine did not answer: {error}; {self._last_words()}") from error
        return Done(exit_code=int(answer["exit"]), output=str(answer["output"]))

    def wait_for(self, command: str, *, seconds: float) -> Done:
        """Run a command again and again until it succeeds; raises EndpointError after so many seconds."""
        until = time.monotonic() + seconds
        while (done := self.run(command, seconds=seconds)).exit_code:
            if time.monotonic() > until:
                journal = self.run("journalctl --boot --no-pager --output cat --lines 60").output
                raise EndpointError(f"{command}: no success within {seconds:.0f} s: {done.output}\n{journal}")
            time.sleep(_POLL)
        return done

    def _connect(self) -> socket.socket:
        if self._control is None:
            until = time.monotonic() + _ENDING
            while True:
                control = socket.socket(socket.AF_UNIX)
                try:
                    control.connect(str(self._folder / "control"))
                    break
                except OSError:
                    control.close()
                    if time.monotonic() > until:
                        raise
                    time.sleep(_POLL)
            self._control = control
        return self._control

    def _last_words(self) -> str:
        log = (self._folder / "qemu.log").read_text("utf-8", "replace")
        return f"qemu: {log[-1000:]!r}; console: {self.console[-1000:]!r}"


def _command(debian: Debian, disk: Path, tee: str, folder: Path, port: int) -> list[str]:
    parameters = f"root=/dev/nvme0n1 rw console=ttyS0 loglevel=4 net.ifnames=0 cvmproof_simulated.tee={tee}"
    port_of = "virtserialport,chardev={0},name=org.cvmproof.{0}"
    options = (
        ("-nodefaults", "-no-user-config", "-no-reboot"),
        ("-accel", "tcg", "-machine", "q35", "-cpu", "max", "-smp", "1", "-m", str(MEMORY)),
        ("-display", "none", "-monitor", "none", "-serial", f"file:{folder / 'console.log'}"),
        ("-kernel", str(debian.image), "-append", parameters),
        ("-drive", f"if=none,id=disk,format=raw,snapshot=on,file={disk}", "-device", "nvme,drive=disk,serial=disk"),
        ("-netdev", f"user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:{port}-:{GUEST_PORT}"),
        ("-device", "virtio-net-pci,netdev=net,romfile="),
        ("-device", "virtio-serial-pci"),
        ("-chardev", f"socket,id=control,path={folder / 'control'},server=on,wait=off"),
        ("-device", port_of.format("control")),
    )
    ports = [
        ("-chardev", f"socket,id={name},path={folder / name},reconnect=1", "-device", port_of.format(name))
        for name in PORTS
    ]
    return ["qemu-system-x86_64", *(word for option in (*options, *ports) for word in option)]


def _read_line(control: socket.socket) -> bytes:
    data = b""
    while not data.endswith(b"\n"):
        piece = control.recv(65536)
        if not piece or len(data) > _MOST:
            raise ValueError("expected a line")
        data += piece
    return data


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
