"""Whatever was started in a harness is ended, and nothing else."""

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

from tests.simulator.devices.conftest import lack

from cvmproof_simulator.devices.care import Care
from cvmproof_simulator.devices.signals import is_being_killed

WAITING = [sys.executable, "-c", "import time; time.sleep(600)"]
ENDING = [sys.executable, "-c", ""]
APART = (
    "import subprocess, sys, os; from cvmproof_simulator.devices.namespace import enter_mount_namespace\n"
    "enter_mount_namespace(); child = subprocess.Popen(['sleep', '600']); print(child.pid, flush=True); child.wait()"
)


def test_a_command_is_ended_and_its_neighbour_is_not() -> None:
    with subprocess.Popen(WAITING) as command, subprocess.Popen(WAITING) as neighbour:
        care = Care()
        care.take(os.pidfd_open(command.pid))
        care.end()
        assert command.wait(60) == -signal.SIGKILL
        assert neighbour.poll() is None
        neighbour.kill()


def test_what_shares_the_commands_view_is_ended_too() -> None:
    if os.geteuid():
        lack("only root makes mount namespaces")
    with subprocess.Popen([sys.executable, "-c", APART], stdout=subprocess.PIPE, text=True) as command:
        assert command.stdout is not None
        child = int(command.stdout.readline())
        held = os.pidfd_open(child)
        care = Care()
        care.take(os.pidfd_open(command.pid))
        care.end()
        assert command.wait(60) == -signal.SIGKILL
    # It can be read once the process has ended.
    assert select.select([held], [], [], 60)[0] == [held]
    os.close(held)


def test_the_mark_of_a_command_that_is_gone_is_nobody_elses() -> None:
    """The kernel gives the number of a namespace that is gone to the next one, whoever makes it."""
    if os.geteuid():
        lack("only root makes mount namespaces")
    with subprocess.Popen([sys.executable, "-c", APART], stdout=subprocess.PIPE, text=True) as command:
        assert command.stdout is not None
        child = int(command.stdout.readline())
        care = Care()
        care.take(os.pidfd_open(command.pid))
        ((kind, number),) = care._namespaces
        for pid in (child, command.pid):
            os.kill(pid, signal.SIGKILL)
    (held,) = care._held
    assert (kind, os.fstat(held).st_ino) == ("mnt", number)
    later = []
    for _ in range(3):
        with subprocess.Popen([sys.executable, "-c", APART], stdout=subprocess.PIPE, text=True) as other:
            assert other.stdout is not None
            child = int(other.stdout.readline())
            later.append(Path(f"/proc/{other.pid}/ns/mnt").stat().st_ino)
            os.kill(child, signal.SIGKILL)
    assert number not in later
    care.end()


def test_a_command_that_has_ended_by_itself_is_no_trouble() -> None:
    with subprocess.Popen(ENDING) as command:
        care = Care()
        care.take(os.pidfd_open(command.pid))
        command.wait(60)
    care.end()


def test_a_living_thread_is_not_about_to_go() -> None:
    assert not is_being_killed(os.getpid())
    with subprocess.Popen(ENDING) as gone:
        gone.wait(60)
    assert is_being_killed(gone.pid)
