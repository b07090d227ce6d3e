"""A process killed at any system call of a request: what it leaves is gone once another one starts."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.agent.devices.emulated import DATA, as_root, configfs, emulated, tsm_root
from tests.agent.machine import SOON

from cvmproof_agent.report_check import what_was_asked

pytestmark = as_root
# Dies before or after its n-th call into the kernel; 0 lives, and says how many there were.
PROGRAM = """
import os, sys
from cvmproof_agent.devices.configfs_tsm import ConfigfsTsm
root, point, count = sys.argv[1], int(sys.argv[2]), 0

def look(frame, event, called):
    global count
    if event in ("c_call", "c_return") and called.__module__ == "posix":
        count += 1
        if count == point:
            os.kill(os.getpid(), 9)

sys.setprofile(look)
ConfigfsTsm(root).report(bytes(64))
sys.setprofile(None)
print(count)
"""


def ask(root: str, point: int) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", PROGRAM, root, str(point)]
    return subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True, timeout=6 * SOON)


@pytest.mark.parametrize("machine", ["snp", "tdx"])
def test_ac_128_a_process_killed_at_any_call_leaves_nothing_once_another_one_starts(
    tmp_path: Path, machine: str, pytestconfig: pytest.Config
) -> None:
    step = 1 if pytestconfig.getoption("--sweep") == "full" else 5
    with emulated(tmp_path, machine) as devices:
        root = tsm_root(devices)
        last = int(ask(root, 0).stdout)
        assert last > 60
        left = 0
        for point in range(1, last + 1, step):
            assert ask(root, point).returncode == -signal.SIGKILL
            left += len(devices.entries())
            assert len(devices.entries()) <= 1
            if point % 2:
                device = configfs(devices)
                assert devices.entries() == ()
                assert what_was_asked(device, device.report(DATA), DATA)
        assert left > last / step / 2
        configfs(devices)
        assert devices.entries() == ()
