"""Runs a command as a unit's [Service] section would, as far as one process can do that to itself.

`python confined.py UNIT COMMAND...` applies the unit's system-call filter, expanded by systemd's own lists, and its
refusal of memory that is both writable and executable. What needs a service manager, such as namespaces, is for the
boot test.
"""

import ctypes
import os
import re
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

_SCMP_ACT_ALLOW, _SCMP_ACT_EPERM = 0x7FFF0000, 0x00050001
_PR_SET_NO_NEW_PRIVS, _PR_SET_MDWE = 38, 65  # Linux include/uapi/linux/prctl.h


def settings(unit: Path) -> dict[str, list[str]]:
    """Every setting of a unit with its values, in order."""
    found: dict[str, list[str]] = {}
    for name, value in re.findall(r"^(\w+)=(.*)$", unit.read_text("utf-8"), re.MULTILINE):
        found.setdefault(name, []).append(value)
    return found


@cache
def members(name: str) -> frozenset[str]:
    """System calls of one of systemd's sets, or the one that is named."""
    if not name.startswith("@"):
        return frozenset({name})
    command = [shutil.which("systemd-analyze") or "", "syscall-filter", name]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    lines = [line.strip() for line in done.stdout.splitlines()[1:]]
    return frozenset[str]().union(*(members(line) for line in lines if line and not line.startswith("#")))


def allowed(unit: Path) -> set[str]:
    """The system calls that a unit leaves; the service manager itself needs execve."""
    calls = {"execve"}
    for value in settings(unit)["SystemCallFilter"]:
        named = frozenset[str]().union(*(members(name) for name in value.removeprefix("~").split()))
        calls = calls - named if value.startswith("~") else calls | named
    return calls | {"execve"}


def confine(unit: Path) -> None:
    """Apply it to this process; raises OSError where the kernel can't."""
    calls = allowed(unit)
    libc, seccomp = ctypes.CDLL(None, use_errno=True), ctypes.CDLL("libseccomp.so.2", use_errno=True)
    seccomp.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(seccomp.seccomp_init(_SCMP_ACT_EPERM))
    for name in calls:
        number = seccomp.seccomp_syscall_resolve_name(name.encode())
        if number >= 0:
            seccomp.seccomp_rule_add(context, _SCMP_ACT_ALLOW, number, 0)
    without_writable_code = settings(unit)["MemoryDenyWriteExecute"] == ["yes"]
    for option in (_PR_SET_NO_NEW_PRIVS, *((_PR_SET_MDWE,) if without_writable_code else ())):
        if libc.prctl(option, 1, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), f"prctl {option}: {os.strerror(ctypes.get_errno())}")
    if seccomp.seccomp_load(context) != 0:
        raise OSError("seccomp_load")


if __name__ == "__main__":
    confine(Path(sys.argv[1]))
    os.execvp(sys.argv[2], sys.argv[2:])  # noqa: S606 -- what this program is for
