"""The user domain: other processes of this guest, their uid from the kernel, and only where somebody asked for it."""

import os
import socket
import stat
from pathlib import Path

import pytest
from tests.agent.machine import FakeDevice, serving

from cvmproof_agent.asking import ask
from cvmproof_formats.binding import Role, Tee, nonce_report_data, user_report_data
from cvmproof_formats.errors import Category, DeviceError, EndpointError, Misuse
from cvmproof_formats.frames import ANSWER_LIMIT, read_frame, write_frame
from cvmproof_formats.snp.report import read_report
from cvmproof_protos.v1.attestation_pb2 import AttestedAnswer


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "user.sock"


def exchange(path: Path, frame: bytes) -> AttestedAnswer:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(5)
        client.connect(str(path))
        client.sendall(frame)
        return AttestedAnswer.FromString(read_frame(client.recv, limit=ANSWER_LIMIT))


def test_it_is_not_there_unless_asked_for(path: Path) -> None:
    with serving(), pytest.raises(DeviceError, match="no agent answered"):
        ask(path, b"")


def test_it_is_for_the_agents_user_and_group_only_and_gone_with_the_agent(path: Path) -> None:
    with serving(user_socket=path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o660
    assert not path.exists()


@pytest.mark.parametrize("data", [b"", b"a public key", bytes(4096)])
def test_evidence_is_over_the_uid_and_the_data(path: Path, data: bytes) -> None:
    with serving(user_socket=path):
        evidence = ask(path, data)
    expected = user_report_data(tee=Tee.SEV_SNP, uid=os.getuid(), user_data=data)
    assert read_report(evidence.report).report_data == expected
    assert (evidence.binding, evidence.uid, evidence.user_data) == ("user", os.getuid(), data)


def test_the_users_domain_is_no_other(path: Path) -> None:
    nonce = bytes(32)
    with serving(user_socket=path):
        got = read_report(ask(path, nonce).report).report_data
    assert got not in {nonce * 2, nonce_report_data(role=Role.SERVER, tee=Tee.SEV_SNP, nonce=nonce)}


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
def test_another_users_uid_is_in_its_evidence_whatever_it_says(path: Path, tmp_path: Path) -> None:
    with serving(user_socket=path):
        for folder in (tmp_path, *tmp_path.parents):
            folder.chmod(folder.stat().st_mode | 0o011) if folder.stat().st_uid == 0 and folder != Path("/") else None
        path.chmod(0o666)
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(5)
            os.seteuid(12345)
            try:
                client.connect(str(path))
            finally:
                os.seteuid(0)
            client.sendall(write_frame(b"\x0a\x01x", limit=100))
            answer = AttestedAnswer.FromString(read_frame(client.recv, limit=ANSWER_LIMIT))
    assert answer.evidence.uid == 12345
    expected = user_report_data(tee=Tee.SEV_SNP, uid=12345, user_data=b"x")
    assert read_report(answer.evidence.report).report_data == expected


def test_more_data_than_fits_is_refused_at_both_ends(path: Path) -> None:
    with serving(user_socket=path):
        with pytest.raises(Misuse, match="at most 4096 bytes, got 4097"):
            ask(path, bytes(4097))
        too_long = exchange(path, write_frame(b"\x0a\x81\x20" + bytes(4097), limit=5000))
        assert too_long.refusal.category == "POLICY_INVALID"
        assert exchange(path, (1 << 20).to_bytes(4, "big")).refusal.category == "SIZE_LIMIT"
        assert exchange(path, write_frame(b"\xff\xff", limit=100)).refusal.category == "MALFORMED"


def test_a_refusal_reaches_the_one_who_asked(path: Path) -> None:
    with serving(FakeDevice(change=lambda _: b""), user_socket=path):
        with pytest.raises(DeviceError, match="refused: fake: what it returned is no report") as caught:
            ask(path, b"")
        assert caught.value.category is Category.UNAVAILABLE


def test_one_that_says_nothing_is_left_alone_only_so_long(path: Path) -> None:
    with serving(user_socket=path, request_seconds=0.2), socket.socket(socket.AF_UNIX) as client:
        client.settimeout(5)
        client.connect(str(path))
        assert client.recv(1) == b""


def test_ac_128_a_socket_left_by_a_killed_agent_is_replaced(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as killed:
        killed.bind(str(path))
    with serving(user_socket=path):
        assert ask(path, b"x").user_data == b"x"


def test_a_socket_somebody_listens_on_is_not_taken_over(path: Path) -> None:
    with serving(user_socket=path):
        with pytest.raises(EndpointError, match="somebody listens there already"), serving(user_socket=path):
            pass
        assert ask(path, b"x").user_data == b"x"


def test_a_file_is_not_replaced(path: Path) -> None:
    path.write_text("mine")
    with pytest.raises(EndpointError, match="something that is not a socket"), serving(user_socket=path):
        pass
    assert path.read_text() == "mine"
