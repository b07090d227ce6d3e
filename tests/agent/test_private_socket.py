"""The socket without a name: ours alone, and nothing stays of it."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from cvmproof_agent import private_socket
from cvmproof_agent.private_socket import PREFIX, PrivateSocket, sweep


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))


def test_it_is_reached_by_us_and_has_no_name(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        private = PrivateSocket.bind(server.bind)
        server.listen(1)
        assert list(tmp_path.iterdir()) == []
        with private.connect("cvmproof-test-name") as client:
            accepted, name = server.accept()
            with accepted:
                assert name == b"\0cvmproof-test-name"
                client.sendall(b"x")
                assert accepted.recv(1) == b"x"
        private.close()


def test_it_minds_no_long_path_to_temporary_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = tmp_path / ("x" * 100) / ("y" * 100)
    deep.mkdir(parents=True)
    monkeypatch.setenv("TMPDIR", str(deep))
    with socket.socket(socket.AF_UNIX) as server:
        private = PrivateSocket.bind(server.bind)
        server.listen(1)
        private.connect().close()
        private.close()
    assert list(deep.iterdir()) == []


def test_its_folder_is_ours_alone_while_it_has_one(tmp_path: Path) -> None:
    modes = []

    def listen(path: str) -> None:
        modes.append(Path(path).parent.stat().st_mode & 0o777)
        server.bind(path)

    with socket.socket(socket.AF_UNIX) as server:
        PrivateSocket.bind(listen).close()
    assert modes == [0o700]


def test_a_failure_leaves_no_folder(tmp_path: Path) -> None:
    def fail(_: str) -> None:
        raise OSError("no")

    with pytest.raises(OSError, match="no"):
        PrivateSocket.bind(fail)
    assert list(tmp_path.iterdir()) == []


def test_ac_128_what_a_killed_process_left_is_swept_and_what_a_living_one_has_is_not(tmp_path: Path) -> None:
    dead = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], check=True, capture_output=True)
    pid = int(dead.stdout)
    left, living, foreign = (tmp_path / name for name in (f"{PREFIX}{pid}-x", f"{PREFIX}{os.getpid()}-x", "other"))
    for folder in (left, living, foreign):
        folder.mkdir()
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(folder / "grpc"))
    sweep()
    assert not left.exists()
    assert living.exists()
    assert foreign.exists()


def test_a_link_is_not_followed_when_sweeping(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir()
    (target / "grpc").write_text("mine")
    (tmp_path / f"{PREFIX}999999999-x").symlink_to(target)
    private_socket.sweep()
    assert (target / "grpc").read_text() == "mine"
