"""Becomes a command in a view of the system that has SIMULATED devices.

    python -m cvmproof_simulator.devices.launcher DESCRIPTOR PLAN

A process of its own and light, because what it does to itself can't be undone. The server at the other end of the
descriptor has to serve while the command is set up.
"""

import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final, NoReturn

from cvmproof_formats.errors import CvmproofError, Misuse
from cvmproof_simulator.devices import control
from cvmproof_simulator.devices.namespace import (
    Scratch,
    enter_mount_namespace,
    enter_user_namespace,
    let_anybody_open_fuse,
    mount_fuse,
)
from cvmproof_simulator.devices.notifications import install
from cvmproof_simulator.devices.plan import Plan, Through
from cvmproof_simulator.devices.supervised_calls import DEVICES, NETWORK
from cvmproof_simulator.devices.system_calls import become_user

MISUSE: Final = 1
NOT_RUNNABLE: Final = 126
NOT_FOUND: Final = 127
_HINT: Final = (
    "be root, or let ordinary users have user namespaces and open /dev/fuse; or, for device nodes alone,"
    " --through seccomp"
)


def main() -> None:
    """Set up what the command line says, and become the command."""
    plan = Plan.read(sys.argv[2])
    try:
        with socket.socket(fileno=int(sys.argv[1])) as end:
            _set_up(plan, end)
            control.ask(end, "command", os.pidfd_open(os.getpid()))
    except (CvmproofError, OSError) as error:
        _fail(f"Error: {error}", MISUSE)
    _become(plan.command)


def _set_up(plan: Plan, end: socket.socket) -> None:
    if plan.user is not None:
        _try(_show_fuse)
        become_user(plan.user)
    refused = "" if plan.through == Through.SECCOMP else _what_refuses_fuse()
    if plan.through == Through.FUSE and refused:
        raise Misuse(f"no FUSE file system can be mounted here: {refused}; {_HINT}")
    if plan.through == Through.SECCOMP or refused:
        _through_seccomp(plan, end, refused)
    else:
        _through_fuse(plan, end)


def _what_refuses_fuse() -> str:
    """Try it in a process of its own; gives the system's words, nothing where it works."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.write(writing, _try(_mount_and_forget).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as words:
        refused = words.read()
    os.waitpid(child, 0)
    return refused


def _try(action: Callable[[], None]) -> str:
    try:
        action()
    except OSError as error:
        return str(error)
    return ""


def _mount_and_forget() -> None:
    _enter()
    os.close(mount_fuse(Scratch().served))


def _show_fuse() -> None:
    enter_mount_namespace()
    let_anybody_open_fuse()


def _enter() -> None:
    if os.geteuid():
        enter_user_namespace(become_root=True)
    enter_mount_namespace()


def _enter_alike() -> None:
    if os.geteuid():
        enter_user_namespace(become_root=False)
    else:
        enter_mount_namespace()


def _through_fuse(plan: Plan, end: socket.socket) -> None:
    _enter()
    scratch = Scratch()
    descriptor = mount_fuse(scratch.served)
    control.ask(end, "fuse", descriptor)
    # The server holds the only one, so that everything fails once it has gone.
    os.close(descriptor)
    for path in plan.hidden:
        if Path(path).exists():
            scratch.cover(Path(path).parent, plan.hidden)
    for path in plan.paths:
        scratch.place(path, plan.hidden)
    scratch.close()
    if plan.guards_vsock:
        _supervise(end, network=True, devices=False)
    _say(plan, plan.paths, "a FUSE file system in a mount namespace")


def _through_seccomp(plan: Plan, end: socket.socket, refused: str) -> None:
    missing = tuple(path for path in plan.paths if path not in plan.devices)
    if missing and (plan.must_have_all or not plan.devices):
        why = f": {refused}" if refused else ""
        raise Misuse(f"{', '.join(missing)} can be had through FUSE only{why}; {_HINT}")
    # Not to see anything else, but to be told from others by it. In a user namespace of one's own one may also look
    # into processes that let nobody look into them.
    _try(_enter_alike)
    _supervise(end, network=True, devices=True)
    _say(plan, plan.devices, "intercepted system calls")
    if missing and not plan.quiet:
        _print(f"not offered, because FUSE is missing ({refused or 'not asked for'}): {', '.join(missing)}")


def _supervise(end: socket.socket, *, network: bool, devices: bool) -> None:
    try:
        listener = install((*(NETWORK if network else ()), *(DEVICES if devices else ())))
    except OSError as error:
        raise Misuse(f"system calls can't be intercepted here: {error}; {_HINT}") from error
    control.ask(end, "listener", listener)
    os.close(listener)


def _say(plan: Plan, paths: tuple[str, ...], way: str) -> None:
    if not plan.quiet:
        service = ("a quote generation service at vsock:2:4050",) if plan.has_quoting_service else ()
        _print(f"SIMULATED through {way}, and convincing nobody: {', '.join((*paths, *service))}")


def _print(line: str) -> None:
    os.write(2, f"cvmproof-simulator: {line}\n".encode())


def _become(command: tuple[str, ...]) -> NoReturn:
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    try:
        os.execvp(command[0], command)  # noqa: S606 -- that is what it is for
    except FileNotFoundError:
        _fail(f"Error: {command[0]}: no such command", NOT_FOUND)
    except OSError as error:
        _fail(f"Error: {command[0]}: {error.strerror}", NOT_RUNNABLE)


def _fail(line: str, status: int) -> NoReturn:
    os.write(2, f"{line}\n".encode())
    sys.exit(status)


if __name__ == "__main__":
    main()
