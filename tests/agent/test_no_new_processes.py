"""Once the key is made nothing copies the process: no child, no other program, by Python or by the system call."""

import os
import platform
import subprocess
import sys

import pytest

from cvmproof_agent import no_new_processes

PROGRAM = """
import ctypes, logging, os, subprocess, sys, threading
logging.basicConfig(format="%(message)s")
from cvmproof_agent.no_new_processes import forbid_new_processes
forbid_new_processes()
def tried(what):
    try:
        what()
    except OSError as error:
        return error.strerror
    return "done"
calls = {"x86_64": {"vfork": 58, "clone3": 435}, "aarch64": {"clone3": 435}}[os.uname().machine]
libc = ctypes.CDLL(None, use_errno=True)
def raw(number):
    if libc.syscall(number, 0, 0) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
seen = []
thread = threading.Thread(target=lambda: seen.append(tried(os.fork)))
thread.start(); thread.join()
print(tried(os.fork), *seen, tried(lambda: subprocess.run(["/bin/true"])), tried(lambda: os.execv("/bin/true", ["x"])),
      tried(lambda: os.posix_spawn("/bin/true", ["x"], {})), sep=" | ")
print(*(f"{name}: {tried(lambda: raw(number))}" for name, number in calls.items()), sep=" | ")
"""


@pytest.mark.skipif(platform.machine() not in ("x86_64", "aarch64"), reason="has no table of system calls here")
def test_no_process_is_started_and_threads_are() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], check=True, capture_output=True, text=True, timeout=60)
    python, raw = done.stdout.splitlines()
    assert python.split(" | ") == ["Operation not permitted"] * 5
    # "Not implemented" sends the C library to clone, where threads are told from processes.
    expected = ["clone3: Function not implemented"]
    assert raw.split(" | ")[-1:] == expected
    assert all(answer == "vfork: Operation not permitted" for answer in raw.split(" | ")[:-1])
    assert done.stderr == ""


def test_without_it_they_are() -> None:
    program = PROGRAM.replace("forbid_new_processes()\n", "\n", 1).replace("print(tried(os.fork), *seen,", "print(")
    assert "forbid_new_processes()" not in program
    program = program.replace('tried(lambda: os.execv("/bin/true", ["x"])),', "").split("print(*(f")[0]
    program = program.replace("seen.append(tried(os.fork))", "None")
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=60)
    assert done.stdout.strip().split(" | ") == ["done", "done"]


def test_a_machine_without_a_table_is_told_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    other = os.uname_result(("Linux", "", "", "", "riscv64"))
    monkeypatch.setattr(os, "uname", lambda: other)
    no_new_processes.forbid_new_processes()
    assert "nothing keeps this process from starting others: unknown machine riscv64" in caplog.text
