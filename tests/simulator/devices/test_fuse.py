"""The FUSE server keeps to the kernel's ways: listings, open files, signals, and whoever dies while it waits."""

import errno
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.simulator.devices.asking import tdreport
from tests.simulator.devices.conftest import Serving

from cvmproof_simulator.devices.interfaces import REPORT_FOLDER

LONG = 600_000  # milliseconds
PATIENCE = 60.0
ASKING = (
    "import ctypes, fcntl, struct, signal, sys\n"
    "signal.signal(signal.SIGUSR1, lambda *_: print('signal', flush=True))\n"
    "request, response = ctypes.create_string_buffer(96), ctypes.create_string_buffer(4000)\n"
    "argument = bytearray(struct.pack('<B7xQQQ', 1, ctypes.addressof(request), ctypes.addressof(response), 0))\n"
    "device = open(sys.argv[1], 'r+b', buffering=0)\n"
    "print('asking', flush=True)\n"
    "fcntl.ioctl(device, 0xC0205300, argument)\n"
    "print('answered', flush=True)"
)


def asking(python: str, path: Path) -> "subprocess.Popen[bytes]":
    """A program that waits for the device to answer."""
    process = subprocess.Popen([python, "-c", ASKING, path], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"asking\n"
    return process


def eventually(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_program_can_be_killed_while_the_device_hangs(serving: Serving, python: str, number: signal.Signals) -> None:
    devices = serving(faults=[f"delay={LONG}*1"])
    with asking(python, devices.path("/dev/sev-guest")) as process:
        eventually(lambda: devices.calls()["sev-guest.report"] == 1)
        process.send_signal(number)
        assert process.wait(PATIENCE) == -number


def test_a_signal_that_is_handled_does_not_disturb_the_device(serving: Serving, python: str) -> None:
    devices = serving(faults=["delay=1000*1"])
    with asking(python, devices.path("/dev/sev-guest")) as process:
        eventually(lambda: devices.calls()["sev-guest.report"] == 1)
        process.send_signal(signal.SIGUSR1)
        output, _ = process.communicate(timeout=PATIENCE)
        assert process.wait() == 0
    assert sorted(output.split()) == [b"answered", b"signal"]
    assert devices.calls()["sev-guest.report"] == 1


def test_a_killed_program_leaves_its_entry_and_the_device_goes_on(serving: Serving, python: str) -> None:
    devices = serving(faults=[f"delay={LONG}*1"])
    entry = devices.path(REPORT_FOLDER) / "left"
    script = (
        "import os, pathlib, sys; e = pathlib.Path(sys.argv[1]); e.mkdir(); (e / 'inblob').write_bytes(bytes(64));"
        "(e / 'outblob').read_bytes()"
    )
    with subprocess.Popen([python, "-c", script, entry]) as process:
        eventually(lambda: devices.calls()["tsm.report"] == 1)
        process.kill()
        assert process.wait(PATIENCE) == -signal.SIGKILL
    assert devices.entries() == ("left",)
    devices.clear()
    entry.rmdir()
    assert devices.entries() == ()


def test_requests_that_take_time_wait_for_each_other_and_others_do_not(serving: Serving) -> None:
    devices = serving(machine="tdx", faults=["delay=150*4"])
    started = time.monotonic()
    threads = [threading.Thread(target=tdreport, args=(devices.path("/dev/tdx_guest"),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    eventually(lambda: devices.calls()["tdx-guest.report"] > 0)
    devices.path("/dev/tdx_guest").stat()
    for thread in threads:
        thread.join()
    assert time.monotonic() - started >= 0.6


def test_a_folder_of_many_entries_is_listed_whole(serving: Serving) -> None:
    devices = serving()
    folder = devices.path(REPORT_FOLDER)
    names = {f"entry-{number:03}-{'x' * 200}" for number in range(200)}
    for name in names:
        (folder / name).mkdir()
    assert {path.name for path in folder.iterdir()} == names == set(devices.entries())
    for name in names:
        (folder / name).rmdir()
    assert list(folder.iterdir()) == []


def test_a_name_may_be_any_bytes(serving: Serving) -> None:
    devices = serving()
    folder = os.fsencode(devices.path(REPORT_FOLDER))
    os.mkdir(folder + b"/\xff\xfe")  # noqa: PTH102 -- a name that is no text
    assert os.listdir(folder) == [b"\xff\xfe"]  # noqa: PTH208 -- as above
    os.rmdir(folder + b"/\xff\xfe")  # noqa: PTH106 -- as above


@pytest.mark.parametrize(
    ("call", "number"),
    [
        (lambda path: (path / "dev" / "new").touch(), errno.EACCES),
        (lambda path: (path / "dev" / "new").mkdir(), errno.EPERM),
        (lambda path: (path / "dev" / "sev-guest").unlink(), errno.EPERM),
        (lambda path: (path / "dev").rmdir(), errno.EPERM),
        (lambda path: (path / "dev" / "sev-guest" / "x").stat(), errno.ENOTDIR),
        (lambda path: (path / "nothing").stat(), errno.ENOENT),
        (lambda path: (path / "dev" / "link").symlink_to("x"), errno.ENOSYS),
        (lambda path: os.mkfifo(path / "dev" / "fifo"), errno.EACCES),
        (lambda path: os.open(path / "dev", os.O_RDWR), errno.EISDIR),
    ],
)
def test_the_tree_can_not_be_changed(serving: Serving, call: Callable[[Path], object], number: int) -> None:
    with pytest.raises(OSError, match=os.strerror(number)):
        call(serving().folder)


def test_the_file_system_says_how_long_names_may_be(serving: Serving) -> None:
    assert os.statvfs(serving().folder).f_namemax == 255
