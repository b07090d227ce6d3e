"""Entries of configfs-tsm: whose is which, and what a dead process left is removed while anybody else's stays."""

import errno
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from cvmproof_agent.devices import tsm_entry
from cvmproof_agent.devices.tsm_entry import Entry, new_entry, remove_stale
from cvmproof_formats.errors import DeviceError

RANDOM = "0123456789abcdef"


def started(process: int) -> str:
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[19]


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def dead_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_an_entry_is_named_for_its_maker_and_gone_afterwards(tmp_path: Path) -> None:
    with new_entry(str(tmp_path)) as entry:
        assert names(tmp_path) == [Path(entry.path).name]
        assert re.fullmatch(rf"cvmproof-{os.getpid()}-{started(os.getpid())}-[0-9a-f]{{16}}", Path(entry.path).name)
    assert names(tmp_path) == []


def test_an_entry_is_gone_whatever_happens(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), new_entry(str(tmp_path)):
        raise KeyboardInterrupt
    assert names(tmp_path) == []


def test_no_two_entries_share_a_name(tmp_path: Path) -> None:
    with new_entry(str(tmp_path)) as one, new_entry(str(tmp_path)) as other:
        assert one.path != other.path


def test_an_entry_that_somebody_else_removed_is_no_error(tmp_path: Path) -> None:
    with new_entry(str(tmp_path)) as entry:
        Path(entry.path).rmdir()


def test_ac_128_only_what_dead_processes_of_ours_left_is_removed(tmp_path: Path) -> None:
    dead, ours = dead_process(), os.getpid()
    stays = {
        f"cvmproof-{ours}-{started(ours)}-{RANDOM}",
        f"cvmproof-1-{started(1)}-{RANDOM}",
        f"other-{dead}-1-{RANDOM}",
        f"cvmproof-{dead}-x-{RANDOM}",
        f"cvmproof-{dead}",
        "cvmproof-²-1-0",
        "report0",
    }
    goes = {
        f"cvmproof-{dead}-1-{RANDOM}",
        # A number that was used again, as process 1 of a container is each time.
        f"cvmproof-{ours}-{int(started(ours)) - 1}-{RANDOM}",
    }
    for name in stays | goes:
        (tmp_path / name).mkdir()
    remove_stale(str(tmp_path))
    assert set(names(tmp_path)) == stays


def test_ac_128_what_can_not_be_removed_stays_and_is_no_reason_not_to_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / f"cvmproof-{dead_process()}-1-{RANDOM}" / "inside").mkdir(parents=True)
    remove_stale(str(tmp_path))
    assert "could not be removed, and stays" in caplog.text


def test_nothing_there_is_said_by_whoever_makes_an_entry(tmp_path: Path) -> None:
    remove_stale(str(tmp_path / "none"))
    with (
        pytest.raises(DeviceError, match=r"mkdir: No such file or directory \(ENOENT\)") as caught,
        new_entry(str(tmp_path / "none")),
    ):
        pass
    assert (caught.value.path, caught.value.call, caught.value.errno) == (str(tmp_path / "none"), "mkdir", errno.ENOENT)


def test_ac_128_a_process_that_can_not_be_seen_is_not_dead_for_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tsm_entry, "_started", lambda _: None)  # as under ProtectProc=invisible
    for process in (1, os.getpid(), dead_process(), 10**30):
        (tmp_path / f"cvmproof-{process}-1-{RANDOM}").mkdir()
    remove_stale(str(tmp_path))
    assert set(names(tmp_path)) == {f"cvmproof-{process}-1-{RANDOM}" for process in (1, os.getpid())}


@pytest.fixture
def entry(tmp_path: Path) -> Entry:
    """A folder of ordinary files: they do what configfs does while nothing goes wrong."""
    (tmp_path / "inblob").touch()
    return Entry(str(tmp_path))


def test_what_is_written_is_written_whole(entry: Entry) -> None:
    entry.write("inblob", b"abc")
    assert entry.read("inblob", limit=3) == b"abc"


def test_half_a_write_is_an_error(entry: Entry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "write", lambda *_: 2)
    with pytest.raises(DeviceError, match="inblob: expected 3 bytes to be written, got 2"):
        entry.write("inblob", b"abc")


def test_a_write_that_fails_at_its_close_is_an_error(entry: Entry, monkeypatch: pytest.MonkeyPatch) -> None:
    def close(descriptor: int) -> None:
        closing(descriptor)
        raise OSError(errno.EIO, "no")

    closing = os.close
    monkeypatch.setattr(os, "close", close)
    with pytest.raises(DeviceError, match=r"inblob: close: .*EIO") as caught:
        entry.write("inblob", b"abc")
    assert (caught.value.call, caught.value.errno) == ("close", errno.EIO)


def test_an_attribute_that_is_not_there_says_so(entry: Entry) -> None:
    assert not entry.has("outblob")
    with pytest.raises(DeviceError, match=r"outblob: open: .*ENOENT") as caught:
        entry.read("outblob", limit=1)
    assert caught.value.call == "open"


@pytest.mark.parametrize("text", ["", "-1\n", "1.0\n", "one\n", "0x1\n", "²\n"])
def test_a_number_is_decimal(entry: Entry, text: str) -> None:
    Path(entry.path, "generation").write_text(text, encoding="utf-8")
    with pytest.raises(DeviceError, match="generation: expected a number"):
        entry.number("generation")


def test_no_more_is_read_than_may_be_there(entry: Entry) -> None:
    Path(entry.path, "outblob").write_bytes(bytes(101))
    assert len(entry.read("outblob", limit=101)) == 101
    with pytest.raises(DeviceError, match="outblob: expected at most 100 bytes, got more"):
        entry.read("outblob", limit=100)
