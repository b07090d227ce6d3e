import multiprocessing
import os
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from cvmproof.channel.door import PREFIX, Door, peer_process, sweep

BOTH = pytest.mark.parametrize("door", [True, False], ids=["by descriptor", "by name"], indirect=True)
GONE = r"refused|No such file"
STRANGER = """
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.settimeout(10)
s.connect(sys.argv[1])
print("in", flush=True)
try:
    print("heard", len(s.recv(1)))
except ConnectionError:
    print("heard 0")
"""


@pytest.fixture
def door(request: pytest.FixtureRequest) -> Iterator[Door]:
    door = Door(by_descriptor=request.param)
    yield door
    door.close()


def path_of(door: Door, *, of_another: bool = False) -> str:
    path = door.target.removeprefix("unix:")
    return path.replace("self", str(os.getpid())) if of_another else path


def come_in(door: Door) -> socket.socket:
    here = socket.socket(socket.AF_UNIX)
    try:
        here.connect(path_of(door))
    except OSError:
        here.close()
        raise
    return here


@BOTH
def test_a_connection_of_this_process_is_taken_and_no_second_one(door: Door) -> None:
    first, second = come_in(door), come_in(door)
    taken = door.take()
    assert taken is not None
    first.sendall(b"hello")
    assert taken.recv(5) == b"hello"
    with pytest.raises(OSError, match=GONE):
        come_in(door)
    with pytest.raises(ConnectionError):
        second.sendall(b"me too")
    for each in (first, second, taken, door):
        each.close()


@BOTH
def test_while_nobody_knocks_nobody_is_let_in(door: Door) -> None:
    assert door.take() is None
    door.close()


@BOTH
def test_another_process_is_shown_the_door_without_a_byte(door: Door) -> None:
    command = [sys.executable, "-c", STRANGER, path_of(door, of_another=True)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as stranger:
        assert stranger.stdout is not None
        assert stranger.stdout.readline() == "in\n"
        assert door.take() is None
        assert stranger.stdout.read() == "heard 0\n"
    own = come_in(door)  # and the door still stands open for us
    taken = door.take()
    assert taken is not None
    for each in (own, taken, door):
        each.close()


def test_a_child_of_this_process_is_another_process() -> None:
    door = Door()
    context = multiprocessing.get_context("spawn")
    child = context.Process(target=_knock, args=(path_of(door, of_another=True),))
    child.start()
    child.join(20)
    assert door.take() is None
    door.close()


def _knock(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as here:
        here.connect(path)


def test_the_name_is_gone_at_once() -> None:
    before = set(Path(tempfile.gettempdir()).glob("cvmproof-*"))
    door = Door()
    assert set(Path(tempfile.gettempdir()).glob("cvmproof-*")) == before
    door.close()


def test_where_it_has_a_name_only_we_may_look_and_it_goes_with_the_first_connection() -> None:
    door = Door(by_descriptor=False)
    folder = Path(path_of(door)).parent
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    here = come_in(door)
    taken = door.take()
    assert taken is not None
    assert not folder.exists()
    for each in (here, taken, door):
        each.close()


@BOTH
def test_closing_leaves_nothing_and_may_be_repeated(door: Door) -> None:
    path = path_of(door)
    door.close()
    door.close()
    with pytest.raises(OSError, match=GONE), socket.socket(socket.AF_UNIX) as here:
        here.connect(path)


def test_two_doors_at_a_time_lead_to_two_channels() -> None:
    one, two = Door(), Door()
    assert one.target != two.target
    here = come_in(one)
    assert two.take() is None
    taken = one.take()
    assert taken is not None
    third = Door()
    assert third.target not in {one.target, two.target}  # the first is shut, but gRPC may still try its address
    for each in (here, taken, one, two, third):
        each.close()


def test_what_a_killed_process_left_is_swept_up_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
    for name in (f"{gone.pid}-old", f"{gone.pid}-new", f"{os.getpid()}-ours", "x-odd"):
        (tmp_path / f"{PREFIX}{name}").mkdir()
        (tmp_path / f"{PREFIX}{name}" / "channel").touch()
    (tmp_path / f"{PREFIX}{gone.pid}-file").touch()
    (tmp_path / f"{PREFIX}{gone.pid}-link").symlink_to(tmp_path / f"{PREFIX}{os.getpid()}-ours")
    for name in (f"{gone.pid}-old", f"{os.getpid()}-ours", "x-odd", f"{gone.pid}-file"):
        os.utime(tmp_path / f"{PREFIX}{name}", (0, 0))
    sweep()
    left = {path.name.removeprefix(PREFIX) for path in tmp_path.iterdir()}
    assert left == {f"{gone.pid}-new", f"{os.getpid()}-ours", "x-odd", f"{gone.pid}-file", f"{gone.pid}-link"}
    assert (tmp_path / f"{PREFIX}{os.getpid()}-ours" / "channel").exists()


def test_the_kernel_says_who_is_there() -> None:
    one, two = socket.socketpair()
    assert peer_process(one) == os.getpid()
    one.close()
    two.close()


def test_a_door_that_can_not_be_opened_leaves_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def fails(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(socket.socket, "listen", fails)
    with pytest.raises(OSError, match="No space left"):
        Door()
    assert list(tmp_path.iterdir()) == []
