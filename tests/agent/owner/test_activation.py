"""A socket from the service manager: one listening unix socket, meant for this process, and nothing else."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from cvmproof_agent.owner.activation import inherited_socket
from cvmproof_formats.errors import EndpointError

TAKE = """
import os, socket, sys
from cvmproof_agent.owner.activation import inherited_socket
os.dup2(int(sys.argv[1]), 3)
try:
    found = inherited_socket({"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"})
    print(found.getsockname(), os.get_inheritable(3))
except Exception as error:
    print(type(error).__name__, error)
"""


def taken(descriptor: int) -> str:
    done = subprocess.run(
        [sys.executable, "-c", TAKE, str(descriptor)],
        pass_fds=[descriptor],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.stdout.strip()


def test_a_listening_unix_socket_is_taken_and_not_passed_on(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "s"))
        listening.listen()
        assert taken(listening.fileno()) == f"{tmp_path}/s False"


def test_anything_else_is_refused(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "s"))
        assert taken(silent.fileno()) == "EndpointError the inherited socket is no listening unix stream socket"
    with socket.create_server(("127.0.0.1", 0)) as network:
        assert taken(network.fileno()) == "EndpointError the inherited socket is no listening unix stream socket"
    with (tmp_path / "file").open("w") as file:
        assert "the inherited descriptor is no socket" in taken(file.fileno())


def test_what_is_meant_for_another_process_is_left_alone() -> None:
    assert inherited_socket({}) is None
    assert inherited_socket({"LISTEN_PID": str(os.getpid() + 1), "LISTEN_FDS": "1"}) is None


@pytest.mark.parametrize("count", ["0", "2", "one"])
def test_more_than_one_or_none_at_all_is_refused(count: str) -> None:
    with pytest.raises(EndpointError, match="expected one inherited socket"):
        inherited_socket({"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": count})
