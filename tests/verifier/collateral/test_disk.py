import os
import stat
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cvmproof.collateral.disk import FileContent, locked, read_bounded, replace_file
from cvmproof_formats.errors import Category, CollateralError

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
posix_only = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such files or modes")


def test_a_file_is_read_with_the_time_it_was_put_there(tmp_path: Path) -> None:
    replace_file(tmp_path / "file", b"data", NOW)
    content = read_bounded(tmp_path / "file", 4)
    assert content is not None
    assert (content.data, content.modified) == (b"data", NOW)


def test_one_byte_more_than_allowed_shows_that_a_file_is_too_long(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(bytes(1_000_000))
    content = read_bounded(tmp_path / "file", 10)
    assert content is not None
    assert len(content.data) == 11


def test_a_missing_file_is_none(tmp_path: Path) -> None:
    assert read_bounded(tmp_path / "file", 10) is None


@posix_only
@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: path.symlink_to("/dev/zero")])
def test_what_is_no_file_gives_no_bytes_and_does_not_hang(make: object, tmp_path: Path) -> None:
    assert callable(make)
    make(tmp_path / "thing")
    content = read_bounded(tmp_path / "thing", 10)
    assert content is not None
    assert content.data == b""


@posix_only
def test_what_can_not_be_opened_is_empty_and_as_old_as_can_be(tmp_path: Path) -> None:
    (tmp_path / "thing").symlink_to("thing")
    content = read_bounded(tmp_path / "thing", 10)
    assert content == FileContent(data=b"", modified=datetime(1970, 1, 1, tzinfo=UTC))


@posix_only
def test_files_and_new_folders_are_private(tmp_path: Path) -> None:
    replace_file(tmp_path / "a" / "b" / "file", b"data", NOW)
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("a", "a/b", "a/b/file")]
    assert modes == [0o700, 0o700, 0o600]


def test_a_file_is_written_beside_the_place_where_it_will_lie(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "another file system"))
    written: list[str] = []
    monkeypatch.setattr("os.fsync", lambda _: written.extend(path.name for path in tmp_path.iterdir()))
    replace_file(tmp_path / "file", b"data", NOW)
    [name] = written
    assert name.startswith(".tmp-")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_failed_write_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "folder" / "in the way").mkdir(parents=True)
    with pytest.raises(CollateralError, match=f"^collateral store: cannot write {tmp_path}: Is a directory$") as caught:
        replace_file(tmp_path / "folder", b"data", NOW)
    assert caught.value.category is Category.UNAVAILABLE
    assert caught.value.hint == "name another folder with --collateral"
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_a_lock_has_one_holder(tmp_path: Path) -> None:
    with (
        locked(tmp_path / "a.lock", 1),
        pytest.raises(CollateralError, match="another process has been fetching") as caught,
        locked(tmp_path / "a.lock", 0),
    ):
        pass
    assert caught.value.category is Category.UNAVAILABLE
    assert caught.value.hint == "try again, or remove the lock file if no such process runs"


@posix_only
def test_a_lock_file_is_private(tmp_path: Path) -> None:
    with locked(tmp_path / "a.lock", 1):
        assert stat.S_IMODE((tmp_path / "a.lock").stat().st_mode) == 0o600


def test_a_lock_is_free_again_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="inside"), locked(tmp_path / "a.lock", 1):
        raise RuntimeError("inside")
    with locked(tmp_path / "a.lock", 0):
        pass


def test_threads_wait_for_each_other(tmp_path: Path) -> None:
    inside, most = 0, 0

    def work() -> None:
        nonlocal inside, most
        with locked(tmp_path / "a.lock", 10):
            inside += 1
            most = max(most, inside)
            threading.Event().wait(0.005)
            inside -= 1

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1


def test_a_lock_in_a_folder_that_cannot_be_is_our_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(CollateralError, match="cannot write"), locked(tmp_path / "file" / "a.lock", 1):
        pass
