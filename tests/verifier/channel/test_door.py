import gc
import multiprocessing
import os
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from cvmproof.channel.door import PREFIX, Door, peer_process, sweep

BOTH = pytest.mark.parametrize("door", [False, True], ids=["abstract", "in a folder"], indirect=True)
GONE = r"refused|No such file"
TAKEN = "Address already in use"
STRANGER = """
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.settimeout(10)
s.connect(sys.argv[1].replace("@", "\\0"))
print("in", flush=True)
try:
    print("heard", len(s.recv(1)))
except ConnectionError:
    print("heard 0")
"""


@pytest.fixture
def door(request: pytest.FixtureRequest) -> Iterator[Door]:
    door = Door(named=request.param)
    yield door
    door.close()


def path_of(door: Door) -> str:
    return address_in(door.target)


def address_in(target: str) -> str:
    """What connect(2) is given for a target."""
    scheme, _, rest = target.partition(":")
    return {"unix": "", "unix-abstract": "\0"}[scheme] + rest


def names_in_use() -> set[str]:
    """Abstract names of our doors in this network namespace, proc_net(5)."""
    words = [line.split()[-1] for line in Path("/proc/net/unix").read_text("utf-8", "replace").splitlines()]
    return {word.removeprefix("@") for word in words if word.startswith(f"@{PREFIX}{os.getpid()}-")}


def listen_as(name: str) -> None:
    """Do what somebody would who wants to take our place."""
    with socket.socket(socket.AF_UNIX) as here:
        here.bind(name)


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
    command = [sys.executable, "-c", STRANGER, path_of(door).replace("\0", "@")]
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
    child = context.Process(target=_knock, args=(path_of(door),))
    child.start()
    child.join(20)
    assert door.take() is None
    door.close()


def _knock(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as here:
        here.connect(path)


@pytest.mark.parametrize("waiting", [1, 100])
def test_strangers_that_came_first_and_stay_keep_nobody_out(waiting: int, caplog: pytest.LogCaptureFixture) -> None:
    door = Door()
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    child = context.Process(target=_crowd, args=(path_of(door), waiting, there))
    child.start()
    assert here.recv() == waiting
    own = come_in(door)
    assert [door.take() for _ in range(waiting)] == [None] * waiting
    taken = door.take()
    assert taken is not None
    here.send("enough")
    child.join(20)
    assert [r.getMessage() for r in caplog.records].count(
        "refused a connection of another process to a verified channel"
    ) == 1
    for each in (own, taken, door, here, there):
        each.close()


def _crowd(path: str, count: int, there: "Connection[object, object]") -> None:
    knocking = [socket.socket(socket.AF_UNIX) for _ in range(count)]
    for one in knocking:
        one.connect(path)
    there.send(count)
    there.recv()
    for one in knocking:
        one.close()


def test_it_has_no_name_in_any_file_system_at_any_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fails(*_: object, **__: object) -> str:
        raise AssertionError("a folder was asked for")

    monkeypatch.setattr(tempfile, "mkdtemp", fails)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    door = Door()
    assert door.socket.getsockname() == path_of(door).encode()
    assert path_of(door).startswith("\0")
    door.close()


def test_nobody_can_take_its_place_while_grpc_may_connect_to_it() -> None:
    door = Door()
    name = path_of(door)
    with pytest.raises(OSError, match=TAKEN):
        listen_as(name)
    here = come_in(door)
    taken = door.take()
    assert taken is not None
    for each in (here, taken):
        each.close()
    with pytest.raises(OSError, match=TAKEN):  # the connection has come and gone, and gRPC may try again
        listen_as(name)
    door.close()
    listen_as(name)


def test_a_door_that_was_dropped_keeps_its_name_for_whoever_holds_the_target() -> None:
    door = Door()
    door.shut()
    held = door.target
    del door
    gc.collect()
    with pytest.raises(OSError, match=TAKEN):
        listen_as(address_in(held))
    with pytest.raises(OSError, match=GONE), socket.socket(socket.AF_UNIX) as here:
        here.connect(address_in(held))
    name = address_in(held)
    del held
    gc.collect()
    listen_as(name)


def test_a_door_that_is_closed_leaves_no_abstract_name() -> None:
    before = names_in_use()
    door = Door()
    assert names_in_use() - before == {path_of(door)[1:]}
    door.close()
    assert names_in_use() == before


def test_those_who_wait_are_turned_away_when_it_shuts() -> None:
    door = Door()
    waiting = come_in(door)
    door.shut()
    with pytest.raises(ConnectionError):
        waiting.sendall(b"hello")
    for each in (waiting, door):
        each.close()


def test_where_it_has_a_name_only_we_may_look_and_it_goes_with_the_first_connection() -> None:
    door = Door(named=True)
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


@pytest.mark.parametrize("named", [False, True], ids=["abstract", "in a folder"])
def test_a_door_that_can_not_be_opened_leaves_nothing(
    named: bool,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def fails(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(socket.socket, "listen", fails)
    with pytest.raises(OSError, match="No space left"):
        Door(named=named)
    assert list(tmp_path.iterdir()) == []
    gc.collect()
    assert names_in_use() == set()
