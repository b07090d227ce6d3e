"""`cvmproof-simulator devices -- COMMAND...`: run any program with SIMULATED devices at the kernel's own paths."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import click

from cvmproof_formats.errors import Misuse
from cvmproof_simulator.devices.faults import FaultKind
from cvmproof_simulator.devices.interfaces import Interface
from cvmproof_simulator.devices.plan import Through

if TYPE_CHECKING:
    from cvmproof_simulator.devices.harness import Running

_PASSED_ON: Final = ("SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM", "SIGUSR1", "SIGUSR2", "SIGCONT", "SIGWINCH")
_FROM_THE_TERMINAL: Final = 0x80  # SI_KERNEL, Linux include/uapi/asm-generic/siginfo.h: the command got it as well
_KILLED: Final = 128  # exit codes of shells for a command that a signal ended

_HELP = f"""Run COMMAND with SIMULATED devices at the real paths.

Only COMMAND and what it starts see them; nothing of them is left afterwards. Its exit code is this program's. No
production trust set accepts what the devices say.

\b
cvmproof-simulator devices -- cvmproof-agent collect --nonce HEX --out FILE
cvmproof-simulator devices --machine tdx,version=5 --fault qgs-hangs -- ./my-tool
cvmproof-simulator devices --kernel sev-guest --fault 'sev-busy*3' -- ./my-tool

\b
Interfaces: {", ".join(Interface)}
Faults, NAME[=VALUE][*TIMES]: docs/simulated-devices.md says what each does.
"""


@click.command(
    "devices",
    help=_HELP,
    context_settings={"allow_interspersed_args": False},
)
@click.option(
    "--machine",
    default="snp",
    show_default=True,
    metavar="snp|tdx[,OPTION=VALUE]...",
    help="The machine, with the options of the agent's simulated devices.",
)
@click.option(
    "--kernel",
    metavar="INTERFACE[,INTERFACE]...",
    help="What the kernel offers; default: what a current one does on such a machine.",
)
@click.option("--fault", "faults", multiple=True, metavar="FAULT", help="What goes wrong; more than one may be given.")
@click.option("--list-faults", is_flag=True, help="Print the names of all faults, and end.")
@click.option(
    "--leftover", "leftovers", multiple=True, metavar="NAME", help="An entry of configfs-tsm left by somebody."
)
@click.option(
    "--through",
    type=click.Choice([each.value for each in Through]),
    default=Through.AUTO.value,
    show_default=True,
    help="FUSE has everything; seccomp has device nodes and the quoting service, and needs no privilege.",
)
@click.option("--quiet", is_flag=True, help="Don't say on standard error what is simulated.")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def devices(
    *,
    machine: str,
    kernel: str | None,
    faults: tuple[str, ...],
    list_faults: bool,
    leftovers: tuple[str, ...],
    through: str,
    quiet: bool,
    command: tuple[str, ...],
) -> None:
    """Run a command."""
    if list_faults:
        click.echo("\n".join(FaultKind))
        return
    _require_linux()
    from cvmproof_simulator.devices.harness import launched  # noqa: PLC0415 -- no other system has what it asks for

    with (
        _held_back(),
        launched(
            command,
            machine=machine,
            interfaces=None if kernel is None else kernel.split(","),
            faults=faults,
            leftovers=leftovers,
            through=Through(through),
            quiet=quiet,
        ) as running,
    ):
        status = _wait(running)
    sys.exit(status if status >= 0 else _KILLED - status)


def _require_linux() -> None:
    if not sys.platform.startswith("linux"):
        raise Misuse("simulated devices need Linux: try a container or a virtual machine")


def _signals() -> set[signal.Signals]:
    return {getattr(signal, name) for name in (*_PASSED_ON, "SIGCHLD")}


@contextmanager
def _held_back() -> Iterator[None]:
    """Take no signal except by asking for one."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _signals())
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _wait(running: "Running") -> int:
    """Pass signals on until the command has ended."""
    while (status := running.process.poll()) is None:
        found = signal.sigwaitinfo(_signals())
        is_new = found.si_code != _FROM_THE_TERMINAL or not _shares_the_terminal(running)
        if found.si_signo != signal.SIGCHLD and is_new:
            running.process.send_signal(found.si_signo)
    return status


def _shares_the_terminal(running: "Running") -> bool:
    return os.getpgid(running.process.pid) == os.getpgrp()
