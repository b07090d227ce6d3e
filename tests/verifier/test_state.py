"""Files of a state directory: whole or not there, ours alone, one writer at a time."""

import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from cvmproof import state
from cvmproof.errors import Category, CollateralError
from cvmproof.state import locked_state, read_state, remove_state, replace_state

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such files or modes")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "state"
    path.mkdir(mode=0o700)
    return path


def test_a_file_is_read_as_it_was_written(folder: Path) -> None:
    assert read_state(folder / "a", 10) is None
    replace_state(folder / "a", b"one")
    replace_state(folder / "a", b"two")
    assert read_state(folder / "a", 10) == b"two"
    assert [path.name for path in folder.iterdir()] == ["a"]
    remove_state(folder / "a")
    remove_state(folder / "a")
    assert read_state(folder / "a", 10) is None


def test_a_folder_that_is_not_there_has_no_files(tmp_path: Path) -> None:
    assert read_state(tmp_path / "nowhere" / "a", 10) is None


def test_one_byte_more_than_allowed_is_read(folder: Path) -> None:
    replace_state(folder / "a", bytes(100))
    assert read_state(folder / "a", 10) == bytes(11)


@posix_only
def test_the_lock_makes_a_private_folder(tmp_path: Path) -> None:
    with locked_state(tmp_path / "a" / "b" / "x.lock"):
        replace_state(tmp_path / "a" / "b" / "file", b"")
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("a", "a/b", "a/b/file")]
    assert modes == [0o700, 0o700, 0o600]


@posix_only
@pytest.mark.parametrize("mode", [0o720, 0o702, 0o777, 0o1777, 0o770])
def test_a_folder_that_others_may_write_to_is_refused(folder: Path, mode: int) -> None:
    folder.chmod(mode)

    def lock() -> None:
        with locked_state(folder / "x.lock"):
            pass

    def look() -> None:
        read_state(folder / "a", 10)

    for use in (look, lock):
        with pytest.raises(CollateralError, match="only you can write to") as caught:
            use()
        assert caught.value.category is Category.UNAVAILABLE
        assert "chmod go-w" in caught.value.hint
    folder.chmod(0o755)
    assert read_state(folder / "a", 10) is None


@posix_only
def test_a_folder_of_somebody_else_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    owner = folder.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    if owner == 0:
        assert read_state(folder / "a", 10) is None  # the administrator's folder is as good as ours
        os.chown(folder, 12345, -1)
    with pytest.raises(CollateralError, match="got owner"):
        read_state(folder / "a", 10)


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(CollateralError, match="expected a folder"):
        read_state(tmp_path / "file" / "a", 10)
    with pytest.raises(CollateralError), locked_state(tmp_path / "file" / "x.lock"):
        pass


def no_space(*_: object) -> None:
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("place", ["fsync", "open"])
def test_a_disk_that_takes_no_more_is_an_error_and_keeps_what_was(
    folder: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    replace_state(folder / "a", b"old")
    with monkeypatch.context() as patch:
        patch.setattr(os, place, no_space)
        with pytest.raises(CollateralError, match=r"can't be used: No space left") as caught:
            replace_state(folder / "a", b"new")
    assert caught.value.category is Category.UNAVAILABLE
    assert read_state(folder / "a", 10) == b"old"


@posix_only
@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may write to every folder")
def test_a_folder_that_is_read_only_is_an_error(folder: Path) -> None:
    folder.chmod(0o500)
    with pytest.raises(CollateralError, match="make it writable"), locked_state(folder / "x.lock"):
        pass


CRASH = """
import os, sys
from pathlib import Path
from cvmproof.state import replace_state
Path.replace = lambda *_: os._exit(9)
replace_state(Path(sys.argv[1]), b"new")
"""


def test_a_crash_before_the_rename_leaves_the_old_file_and_the_next_write_works(folder: Path) -> None:
    replace_state(folder / "a", b"old")
    done = subprocess.run([sys.executable, "-c", CRASH, str(folder / "a")], check=False, timeout=60)
    assert done.returncode == 9
    assert sorted(path.name for path in folder.iterdir()) == ["a", "a.new"]
    assert read_state(folder / "a", 10) == b"old"
    replace_state(folder / "a", b"newer")
    assert [path.read_bytes() for path in folder.iterdir()] == [b"newer"]


@posix_only
def test_a_link_in_place_of_the_new_file_is_not_followed(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "victim").write_bytes(b"precious")
    (folder / "a.new").symlink_to(tmp_path / "victim")
    with pytest.raises(CollateralError):
        replace_state(folder / "a", b"new")
    assert (tmp_path / "victim").read_bytes() == b"precious"


@posix_only
@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: path.symlink_to("/dev/zero")])
def test_what_is_no_file_gives_no_bytes_and_does_not_hang(folder: Path, make: Callable[[Path], None]) -> None:
    make(folder / "a")
    assert read_state(folder / "a", 10) == b""


def test_a_lock_has_one_holder_and_the_next_one_is_told_so(folder: Path) -> None:
    with (
        locked_state(folder / "x.lock"),
        pytest.raises(CollateralError, match="another process has held") as caught,
        locked_state(folder / "x.lock", timeout=0),
    ):
        pass
    assert caught.value.category is Category.UNAVAILABLE
    with locked_state(folder / "x.lock", timeout=0):
        pass


def test_a_file_system_that_cannot_sync_folders_will_do(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "_sync_folder", lambda _: None)
    replace_state(folder / "a", b"x")
    assert read_state(folder / "a", 10) == b"x"
