"""The process that serves SIMULATED devices: to mounts, to supervised processes, and to whoever it talks with.

    python -m cvmproof_simulator.devices.server DESCRIPTOR USER MACHINE INTERFACES LEFTOVERS FAULTS

It ends when the other end of the descriptor does, after ending what was started in its care. What it understands:

    fuse            serve the mount of this descriptor        mount PATH      mount there and serve it
    listener        supervise with this descriptor            command         look after this process
    qgs             serve this connection                     join            understand what comes from there too
    fault TEXT      let this happen; clear: nothing more      calls, reset    what was asked for, since the last reset
    entries         of configfs-tsm                           rtmr N          a register
    renew MACHINE INTERFACES LEFTOVERS FAULTS                 be another machine, without mounts
"""

import errno
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from cvmproof_formats.errors import CvmproofError, Misuse
from cvmproof_simulator.devices import control
from cvmproof_simulator.devices.care import Care
from cvmproof_simulator.devices.faults import Fault, FaultKind, Faults
from cvmproof_simulator.devices.fuse import FuseServer
from cvmproof_simulator.devices.interfaces import Interface, read_interfaces
from cvmproof_simulator.devices.loop import Loop, Queue
from cvmproof_simulator.devices.namespace import mount_fuse
from cvmproof_simulator.devices.nodes import refusal
from cvmproof_simulator.devices.notifications import Listener
from cvmproof_simulator.devices.qgs import QgsConnection
from cvmproof_simulator.devices.supervisor import Supervisor
from cvmproof_simulator.devices.system_calls import become_user, unmount
from cvmproof_simulator.devices.tree import Guest
from cvmproof_simulator.machines.described import read_machine


class Server:
    """One machine's devices."""

    def __init__(self, description: Sequence[str]) -> None:
        """Take machine, interfaces, leftovers and faults as the command line has them."""
        self._loop = Loop()
        self._mounts: list[str] = []
        self._care = Care()
        self._answering: dict[str, Callable[[str, list[int]], str]] = {
            "fuse": lambda _, given: self._serve_mount(given.pop()),
            "mount": self._mount,
            "listener": lambda _, given: self._supervise(given.pop()),
            "command": lambda _, given: self._care.take(given.pop()),
            "qgs": lambda _, given: self._serve_quotes(given.pop()),
            "join": lambda _, given: self._join(given.pop()),
            "fault": self._fault,
            "clear": lambda *_: self._clear(),
            "calls": lambda *_: " ".join(f"{name}={times}" for name, times in sorted(self._guest.calls.items())),
            "reset": lambda *_: self._reset(),
            "entries": lambda *_: "/".join(self._guest.entries()),
            "rtmr": self._rtmr,
            "renew": lambda rest, _: self._renew(rest.split(control.SEPARATOR)),
        }
        self._renew(description)

    def _renew(self, description: Sequence[str]) -> str:
        machine_text, interfaces, leftovers, fault_texts = description
        self._unmount()
        machine = read_machine(machine_text)
        self._faults = Faults(map(Fault.read, fault_texts.split()))
        self._queue = Queue(self._loop, self._faults)
        self._guest = Guest(machine, read_interfaces(interfaces, machine), self._faults)
        for name in filter(None, leftovers.split("/")):
            self._guest.leave(name)
        return ""

    def become(self, user: int) -> None:
        """Go on as an ordinary user, with everything loaded that this user may not read."""
        self._guest.warm_up()
        become_user(user)

    def _unmount(self) -> None:
        for folder in self._mounts:
            # Whoever mounted it may have been quicker.
            with suppress(OSError):
                unmount(folder)
        self._mounts.clear()

    def run(self, end: socket.socket) -> None:
        """Serve until the other end has gone."""
        self._loop.watch(end.fileno(), lambda: self._hear(end, self._loop.stop))
        try:
            self._loop.run()
        finally:
            self._care.end()
            self._unmount()

    def _hear(self, end: socket.socket, gone: Callable[[], None]) -> None:
        given: list[int] = []
        try:
            line, given = control.receive(end)
            if not line:
                gone()
                return
            word, _, rest = line.partition(" ")
            try:
                control.agree(end, self._answering[word](rest, given))
            except (CvmproofError, OSError) as error:
                control.refuse(end, str(error))
        except OSError:
            gone()
        finally:
            for descriptor in given:
                os.close(descriptor)

    def _join(self, descriptor: int) -> str:
        end = socket.socket(fileno=descriptor)

        def forget() -> None:
            self._loop.unwatch(end.fileno())
            end.close()

        self._loop.watch(end.fileno(), lambda: self._hear(end, forget))
        return ""

    def _mount(self, folder: str, given: list[int]) -> str:
        del given
        self._serve_mount(mount_fuse(Path(folder)))
        self._mounts.append(folder)
        return ""

    def _serve_mount(self, descriptor: int) -> str:
        served = FuseServer(descriptor, self._guest.root, self._queue)

        def serve() -> None:
            served.serve()
            if served.ended:
                self._loop.unwatch(descriptor)
                os.close(descriptor)

        os.set_blocking(descriptor, False)
        self._loop.watch(descriptor, serve)
        return ""

    def _supervise(self, descriptor: int) -> str:
        offers_quotes = Interface.QGS in self._guest.interfaces
        connecting = self._serve_quotes_of if offers_quotes else None
        supervisor = Supervisor(Listener(descriptor), self._guest.devices, connecting, self._queue)

        def serve() -> None:
            if not supervisor.serve():
                self._loop.unwatch(descriptor)
                supervisor.close()

        self._loop.watch(descriptor, serve)
        return ""

    def _serve_quotes(self, descriptor: int) -> str:
        self._serve_quotes_of(socket.socket(fileno=descriptor))
        return ""

    def _serve_quotes_of(self, end: socket.socket) -> None:
        """Serve a connection; raises OSError where the service refuses it."""
        td = self._guest.td
        if td is None or Interface.QGS not in self._guest.interfaces or self._faults.take(FaultKind.QGS_REFUSES):
            end.close()
            raise refusal(errno.ECONNREFUSED)
        QgsConnection(end, td, self._faults, self._queue)

    def _fault(self, text: str, given: list[int]) -> str:
        del given
        self._faults.add(Fault.read(text))
        return ""

    def _clear(self) -> str:
        self._faults.clear()
        return ""

    def _reset(self) -> str:
        self._guest.calls.clear()
        return ""

    def _rtmr(self, which: str, given: list[int]) -> str:
        del given
        if self._guest.td is None:
            raise Misuse("an SNP guest has no such registers")
        return self._guest.td.register(int(which)).hex()


def main() -> None:
    """Serve what the command line says."""
    descriptor, user, *description = sys.argv[1:]
    # Ctrl-C is for the command, after which this ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    server = Server(description)
    if user:
        server.become(int(user))
    with socket.socket(fileno=int(descriptor)) as end:
        server.run(end)


if __name__ == "__main__":
    main()
