"""Memory stays where it is: nothing is dumped, nobody looks in, nothing is swapped where the limits allow that."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import logging, os, resource, sys, threading
logging.basicConfig(format="%(message)s", level="INFO")
from cvmproof_agent import hardening
if sys.argv[1:]:
    resource.setrlimit = lambda *_: None  # as where the unit has raised the limit
hardening.keep_memory_private()
later = bytearray(8 << 20)
threading.Thread(target=lambda: None).start()
print(open("/proc/self/status").read())
print("core", *resource.getrlimit(resource.RLIMIT_CORE))
"""


def after(*arguments: str) -> tuple[dict[str, str], str]:
    command = [sys.executable, "-c", PROGRAM, *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60)
    return dict(re.findall(r"^(\w+):?\s+(.*)$", done.stdout, re.MULTILINE)), done.stderr


def test_nothing_is_dumped_and_nobody_but_root_looks_in(tmp_path: Path) -> None:
    status, _ = after()
    assert status["core"] == "0 0"
    program = PROGRAM.replace("print(open", "print('dumpable', __import__('ctypes').CDLL(None).prctl(3))\nprint(open")
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=60)
    assert "dumpable 0\n" in done.stdout


def test_memory_is_locked_where_it_may_be_or_it_is_said() -> None:
    status, said = after()
    locked = int(status["VmLck"].split()[0])
    if "memory is not locked" in said:
        assert locked == 0
    else:
        assert locked > 8 << 10
        assert said == ""


def test_what_is_locked_is_all_there_is_and_all_there_will_be() -> None:
    status, said = after("limit raised")
    if "could not lock memory" in said:
        pytest.skip("without CAP_IPC_LOCK and without a raised limit nothing can be locked")
    locked, size = (int(status[name].split()[0]) for name in ("VmLck", "VmSize"))
    assert locked > 0.9 * size
    assert int(status["VmRSS"].split()[0]) < 64 << 10  # and still only what is used is in memory
