"""SIMULATED devices for tests and for commands: where they are, what happens to them, what was asked of them.

with mounted(folder, machine="snp,product=Turin") as devices:      root only
devices.path("/dev/sev-guest")                                 below the folder
devices.fault("sev-busy*3")                                    the next three requests
devices.calls()["sev-guest.report"], devices.entries()

with launched(["./prober"], machine="tdx", faults=["qgs-hangs"]) as running:
running.wait(), running.devices.calls()                        at the real paths, for it alone
"""

import socket
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Final, Self

from cvmproof_formats.errors import Misuse
from cvmproof_simulator.devices import control
from cvmproof_simulator.devices.faults import Fault
from cvmproof_simulator.devices.interfaces import BY_SYSTEM_CALLS, Interface, paths, read_interfaces, usual
from cvmproof_simulator.devices.plan import Plan, Through
from cvmproof_simulator.devices.system_calls import unmount
from cvmproof_simulator.machines.described import read_machine
from cvmproof_simulator.machines.tdx import TdxMachine

_PATIENCE: Final = 10.0  # seconds from being asked to end to being ended
Stream = int | IO[bytes] | None


class Devices:
    """The server of one machine's devices while its context lasts."""

    def __init__(
        self,
        machine: str = "snp",
        *,
        interfaces: Sequence[str] | None = None,
        faults: Sequence[str] = (),
        leftovers: Sequence[str] = (),
        user: int | None = None,
    ) -> None:
        """Take the machine as `--machine` has it, interfaces by name, faults as `Fault.read` reads them.

        `interfaces` None: the usual ones; `leftovers` are entries of configfs-tsm that somebody has left; `user` is who
        serves, where root asks for it. Raises Misuse.
        """
        description = self._describe(machine, interfaces, faults, leftovers)
        self._lock = threading.Lock()
        self._end, theirs = control.pair()
        arguments = [str(theirs.fileno()), "" if user is None else str(user), *description]
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-m", "cvmproof_simulator.devices.server", *arguments],
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
            )

    def renew(
        self,
        machine: str = "snp",
        *,
        interfaces: Sequence[str] | None = None,
        faults: Sequence[str] = (),
        leftovers: Sequence[str] = (),
    ) -> None:
        """Be another machine that has just booted, in a fraction of the time; mounts go, and arguments are as above."""
        self._ask(f"renew {control.SEPARATOR.join(self._describe(machine, interfaces, faults, leftovers))}")

    def _describe(
        self, machine: str, interfaces: Sequence[str] | None, faults: Sequence[str], leftovers: Sequence[str]
    ) -> tuple[str, str, str, str]:
        """Check it all, and say it as the server wants it; raises Misuse."""
        made = read_machine(machine)
        self.is_a_td = isinstance(made, TdxMachine)
        self.interfaces = usual(made) if interfaces is None else read_interfaces(",".join(interfaces), made)
        self.were_chosen = interfaces is not None
        texts = " ".join(str(Fault.read(text)) for text in faults)
        if control.SEPARATOR in machine or any("/" in name for name in leftovers):
            raise Misuse("expected no tab in a machine, and no slash in a name")
        return machine, ",".join(self.interfaces), "/".join(leftovers), texts

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the server, and with it what was launched; safe to call again."""
        self._end.close()
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def fault(self, text: str) -> None:
        """Let something go wrong from now on: NAME[=VALUE][*TIMES]; raises Misuse."""
        self._ask(f"fault {Fault.read(text)}")

    def clear(self) -> None:
        """Let nothing go wrong any more."""
        self._ask("clear")

    def calls(self) -> Counter[str]:
        """How often what was asked, since the start or the last `reset`.

        sev-guest.report, .ext-report, .derived-key; tdx-guest.report, .quote; tsm.mkdir, .report, .rmdir; rtmr.extend;
        qgs.quote.
        """
        pairs = (word.split("=") for word in self._ask("calls").split())
        return Counter({name: int(times) for name, times in pairs})

    def reset(self) -> None:
        """Count from 0 again."""
        self._ask("reset")

    def entries(self) -> tuple[str, ...]:
        """The entries of configfs-tsm that there are now."""
        return tuple(filter(None, self._ask("entries").split("/")))

    def rtmr(self, which: int) -> bytes:
        """What a measurement register holds, 48 bytes; raises Misuse where there are none."""
        return bytes.fromhex(self._ask(f"rtmr {which}"))

    def connect_to_the_quoting_service(self) -> socket.socket:
        """Give a connection to it; raises ConnectionRefusedError."""
        ours, theirs = socket.socketpair()
        with theirs:
            try:
                self._ask("qgs", theirs.fileno())
            except Misuse as error:
                ours.close()
                raise ConnectionRefusedError(str(error)) from error
            except BaseException:
                ours.close()
                raise
        return ours

    def join(self) -> socket.socket:
        """Give a connection of its own to the server."""
        ours, theirs = control.pair()
        with theirs:
            try:
                self._ask("join", theirs.fileno())
            except BaseException:
                ours.close()
                raise
        return ours

    def _ask(self, line: str, *descriptors: int) -> str:
        with self._lock:
            return control.ask(self._end, line, *descriptors)


class Mounted(Devices):
    """Devices that are served below a folder."""

    folder: Path = Path()

    def mount(self, folder: Path) -> None:
        """Serve them below an empty folder; raises Misuse where that can't be done: root can."""
        self._ask(f"mount {folder}")
        self.folder = folder

    def unmount(self) -> None:
        """Take them away there; the server does so too when it ends."""
        # The server may have been quicker.
        with suppress(OSError):
            unmount(str(self.folder))

    def path(self, real: str) -> Path:
        """Where something is that is at this absolute path in a guest."""
        return self.folder / real.lstrip("/")


@contextmanager
def mounted(
    folder: Path,
    *,
    machine: str = "snp",
    interfaces: Sequence[str] | None = None,
    faults: Sequence[str] = (),
    leftovers: Sequence[str] = (),
) -> Iterator[Mounted]:
    """Serve devices below an empty folder, for everybody who looks there; arguments as of `Devices`.

    Raises Misuse where FUSE can't be mounted: root may.
    """
    with Mounted(machine, interfaces=interfaces, faults=faults, leftovers=leftovers) as devices:
        devices.mount(folder)
        try:
            yield devices
        finally:
            devices.unmount()


class Running:
    """A command in a harness."""

    def __init__(self, devices: Devices, process: "subprocess.Popen[bytes]") -> None:
        """Take both."""
        self.devices, self.process = devices, process

    def wait(self, seconds: float | None = None) -> int:
        """Wait for its end, and give its exit code: negative where a signal ended it.

        Raises subprocess.TimeoutExpired.
        """
        return self.process.wait(seconds)


@contextmanager
def launched(
    command: Sequence[str],
    *,
    machine: str = "snp",
    interfaces: Sequence[str] | None = None,
    faults: Sequence[str] = (),
    leftovers: Sequence[str] = (),
    through: Through = Through.AUTO,
    quiet: bool = False,
    user: int | None = None,
    environment: Mapping[str, str] | None = None,
    stdin: Stream = None,
    stdout: Stream = None,
    stderr: Stream = None,
) -> Iterator[Running]:
    """Run a command with devices at the real paths; nobody else sees them, and all of it goes with the context.

    `user` is the number of who runs it and serves the devices, where root launches it. Where devices can't be had the
    command exits with 1 and says so. Other arguments as of `Devices` and of subprocess.Popen. Raises Misuse.
    """
    with Devices(machine, interfaces=interfaces, faults=faults, leftovers=leftovers, user=user) as devices:
        plan = make_plan(devices, command, through=through, quiet=quiet, user=user)
        with devices.join() as end:
            process = subprocess.Popen(
                [sys.executable, "-I", "-m", "cvmproof_simulator.devices.launcher", str(end.fileno()), plan.write()],
                pass_fds=(end.fileno(),),
                env=environment,
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
            )
        try:
            yield Running(devices, process)
        finally:
            devices.close()
            _reap(process)


def make_plan(
    devices: Devices, command: Sequence[str], *, through: Through, quiet: bool, user: int | None = None
) -> Plan:
    """Say what the launcher is to do for these devices; raises Misuse for a command of no words."""
    if not command:
        raise Misuse("expected a command behind --")
    offered = paths(devices.interfaces)
    known = paths(Interface)
    return Plan(
        through=through,
        paths=offered,
        devices=paths(set(devices.interfaces) & BY_SYSTEM_CALLS),
        hidden=tuple(path for path in known if path not in offered),
        must_have_all=devices.were_chosen,
        has_quoting_service=Interface.QGS in devices.interfaces,
        guards_vsock=devices.is_a_td,
        quiet=quiet,
        user=user,
        command=tuple(command),
    )


def _reap(process: "subprocess.Popen[bytes]") -> None:
    # The server has ended it, unless that was killed, or it never got so far as to be looked after.
    if process.poll() is None:
        process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            with suppress(OSError):
                stream.close()
