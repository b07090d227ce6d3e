"""One request, piece by piece; and of a process killed at any system call of one, nothing stays once another starts."""

import errno
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.agent.devices.emulated import DATA, as_root, configfs, emulated, tsm_root
from tests.agent.machine import SOON

from cvmproof_agent.devices import configfs_tsm, tsm_request
from cvmproof_agent.devices.tsm_entry import Entry
from cvmproof_agent.report_check import what_was_asked
from cvmproof_formats.errors import DeviceError

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


@as_root
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


class Silent(Entry):
    """An entry whose kernel passes nothing on of auxblob."""

    def read(self, attribute: str, *, limit: int) -> bytes:
        if attribute == "auxblob":
            raise DeviceError("auxblob: read", errno=self.number("errno"))
        return super().read(attribute, limit=limit)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "generation").write_text("1\n")
    return tmp_path


def test_a_kernel_may_show_no_certificates(folder: Path) -> None:
    assert tsm_request._certificates(Entry(str(folder)), 1) == b""


@pytest.mark.parametrize("size", [64 * 1024 + 1, 1 << 20])
def test_certificates_without_end_cost_themselves(folder: Path, size: int, caplog: pytest.LogCaptureFixture) -> None:
    (folder / "auxblob").write_bytes(bytes(size))
    assert tsm_request._certificates(Entry(str(folder)), 1) == b""
    assert "left out the host's certificates: " in caplog.text


@pytest.mark.parametrize(("number", "costs_all"), [(errno.EFBIG, False), (errno.EIO, True), (errno.EAGAIN, True)])
def test_certificates_that_are_too_large_cost_themselves_and_what_else_fails_the_request(
    folder: Path, number: int, costs_all: bool
) -> None:
    (folder / "auxblob").touch()
    (folder / "errno").write_text(f"{number}\n")
    if not costs_all:
        assert tsm_request._certificates(Silent(str(folder)), 1) == b""
        return
    with pytest.raises(DeviceError) as caught:
        tsm_request._certificates(Silent(str(folder)), 1)
    assert caught.value.errno == number


def test_ac_121_certificates_of_another_generation_are_noticed(folder: Path) -> None:
    (folder / "auxblob").write_bytes(b"table")
    assert tsm_request._certificates(Entry(str(folder)), 1) == b"table"
    with pytest.raises(DeviceError, match="generation: expected 2, got 1"):
        tsm_request._certificates(Entry(str(folder)), 2)


@pytest.mark.parametrize("floor", ["4", "99"])
def test_a_floor_that_is_no_level_is_refused(folder: Path, floor: str) -> None:
    (folder / "privlevel_floor").write_text(f"{floor}\n")
    with pytest.raises(DeviceError, match=f"privlevel_floor: expected a level from 0 to 3, got {floor}"):
        configfs_tsm._floor(Entry(str(folder)))
