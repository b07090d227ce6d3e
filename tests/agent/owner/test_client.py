"""A device of another process: asked anew after a restart, and not where somebody else listens."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.agent.machine import SOON, Client, FakeDevice, pinned, report_data, serving, unary
from tests.agent.owner.owning import ME, NONCE, ONLY_A_NONCE, front, owning

from cvmproof_agent import collect
from cvmproof_agent.attester import open_attester
from cvmproof_agent.device import DeviceLost
from cvmproof_agent.owner import client
from cvmproof_agent.owner.client import OwnedDevice
from cvmproof_agent.owner.messages import About, Attest, Question, read_request, write_answer
from cvmproof_formats.binding import Tee
from cvmproof_formats.errors import DeviceError
from cvmproof_formats.frames import ANSWER_LIMIT, read_frame, write_frame


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "device.sock"


@contextmanager
def answering(path: Path, *answers: bytes) -> Iterator[list[Attest | Question]]:
    """Somebody who gives these answers, whole frames, and what was asked."""
    asked: list[Attest | Question] = []

    def serve() -> None:
        for answer in answers:
            peer, _ = listening.accept()
            with peer:
                asked.append(read_request(read_frame(peer.recv, limit=ANSWER_LIMIT)))
                peer.sendall(answer)

    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield asked
        finally:
            thread.join(SOON)


def frame(message: bytes) -> bytes:
    return write_frame(message, limit=ANSWER_LIMIT)


ABOUT = frame(write_answer(About(tee=Tee.SEV_SNP, name="fake")))


def test_an_agent_serves_channel_bound_evidence_of_another_process(path: Path) -> None:
    device = FakeDevice()
    with owning(path, device), serving(front(path)) as agent, Client(agent.address) as asking:
        assert report_data(asking.ask(NONCE)) == asking.expected(NONCE)
    assert device.closed.is_set()


def test_an_agent_whose_owner_lost_the_device_says_that_it_does_not_serve(path: Path) -> None:
    def lose() -> None:
        raise DeviceLost("the key is gone", errno=25)

    with owning(path, FakeDevice(before=lose)), serving(front(path)) as agent:
        with Client(agent.address) as asking:
            assert asking.ask(NONCE).refusal.message == "the key is gone"
        with pinned(agent) as channel:
            assert unary(channel, "/grpc.health.v1.Health/Check")(b"") == b"\x08\x02"  # NOT_SERVING


def test_evidence_for_a_file_can_be_had_of_it(path: Path) -> None:
    with owning(path):
        assert collect(front(path), nonce=NONCE).nonce == NONCE


def test_each_end_restarts_without_the_other(path: Path) -> None:
    with owning(path):
        owned = front(path)
        assert owned.attest(ONLY_A_NONCE).nonce == NONCE
    with pytest.raises(DeviceError, match=r"did not answer at .*: (Connection refused|No such file)") as caught:
        owned.attest(ONLY_A_NONCE)
    assert not isinstance(caught.value, DeviceLost)
    assert "systemctl status cvmproof-device" in caught.value.hint
    with owning(path):
        assert owned.attest(ONLY_A_NONCE).nonce == NONCE


def test_an_owner_that_dies_under_a_request_fails_that_request_only(path: Path) -> None:
    with answering(path, ABOUT, ABOUT[:9]) as asked:
        owned = front(path)
        with pytest.raises(DeviceError, match="before the connection ended"):
            owned.attest(ONLY_A_NONCE)
        assert asked == [Question.ABOUT, Attest(statement=ONLY_A_NONCE, event_log=False)]
    path.unlink()
    with owning(path):
        assert owned.attest(ONLY_A_NONCE).nonce == NONCE


def test_a_socket_of_somebody_else_is_not_asked(path: Path) -> None:
    with owning(path) as owner, pytest.raises(DeviceError, match=f"expected a socket of uid {ME + 1}, got one of {ME}"):
        OwnedDevice(path, owner=ME + 1)
    assert not owner.responds()


def test_the_installed_agent_asks_root_at_one_path() -> None:
    assert (str(client.SOCKET), client.ROOT) == ("/run/cvmproof-device/device.sock", 0)
    if not client.SOCKET.exists():
        with pytest.raises(DeviceError, match=r"did not answer at /run/cvmproof-device/device.sock"):
            open_attester("owner")


@pytest.mark.parametrize(
    "answer", [frame(b""), frame(b"\0\0\0\5about"), frame(b"nonsense"), (1 << 30).to_bytes(4, "big")]
)
def test_an_answer_that_is_none_is_an_error_of_the_device(answer: bytes, path: Path) -> None:
    with answering(path, answer), pytest.raises(DeviceError, match="is no answer"):
        front(path)
    path.unlink()
    with answering(path, ABOUT, answer, answer):
        owned = front(path)
        with pytest.raises(DeviceError, match="is no answer"):
            owned.attest(ONLY_A_NONCE)
        with pytest.raises(DeviceError, match="is no answer"):
            owned.event_log()


def test_evidence_of_another_technology_is_refused(path: Path) -> None:
    other = frame(write_answer(ONLY_A_NONCE.evidence(Tee.TDX)))
    with answering(path, ABOUT, other), pytest.raises(DeviceError, match="expected evidence of sev-snp, got tdx"):
        front(path).attest(ONLY_A_NONCE)
