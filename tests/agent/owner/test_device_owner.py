"""The device owner: statements and nothing else, for those who may ask, one at a time, whatever they do."""

import os
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.agent.machine import SOON, FakeDevice, eventually
from tests.agent.owner.owning import CHANNEL, ME, NONCE, ONLY_A_NONCE, front, owning, say

from cvmproof_agent.device import DeviceLost
from cvmproof_agent.owner import device_owner
from cvmproof_agent.owner.messages import Attest, Question, read_about, write_request
from cvmproof_agent.statement import NonceStatement, UserStatement
from cvmproof_formats.binding import Tee
from cvmproof_formats.errors import Category, DeviceError
from cvmproof_formats.frames import ANSWER_LIMIT, write_frame

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "device.sock"


def frame(message: bytes) -> bytes:
    return write_frame(message, limit=ANSWER_LIMIT)


def enc(*parts: bytes) -> bytes:
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


@pytest.mark.parametrize("tee", list(Tee))
@pytest.mark.parametrize("statement", [CHANNEL, ONLY_A_NONCE, UserStatement(uid=7, user_data=b"x")])
def test_a_front_gets_evidence_over_what_it_states(
    tee: Tee, statement: NonceStatement | UserStatement, path: Path
) -> None:
    device = FakeDevice(tee=tee, host_certificates=(b"a", b"b"), log=b"log")
    with owning(path, device):
        owned = front(path)
        evidence = owned.attest(statement, event_log=True)
        without = owned.attest(statement)
    assert (owned.tee, owned.name) == (tee, "fake")
    assert device.asked == [statement.report_data(tee)] * 2
    assert (evidence.binding, evidence.certificates, evidence.event_log) == (statement.kind, (b"a", b"b"), b"log")
    assert without.event_log is None
    assert device.closed.is_set()


def test_the_event_log_alone_can_be_had(path: Path) -> None:
    with owning(path, FakeDevice(log=b"log")):
        assert front(path).event_log() == b"log"
    with owning(path):
        assert front(path).event_log() is None


@pytest.mark.parametrize(
    "message",
    [
        enc(b"sign", bytes(64)),
        enc(b"attest", b"\0", bytes(64)),
        enc(b"attest", b"\0", b"raw", bytes(64)),
        enc(b"attest", b"\0", b"batch", b"server", NONCE),
        enc(b"attest", b"\0", b"nonce", b"server", bytes(64)),
        enc(b"attest", b"\0", b"user", bytes(4), bytes(4097)),
        enc(b"attest", b"\0", b"channel", b"server", NONCE, bytes(91), bytes(32)),
        b"",
        b"\xff" * 64,
    ],
)
def test_ac_121_whatever_it_sends_a_front_gets_no_report_over_bytes_or_a_domain_of_its_own(
    message: bytes, path: Path
) -> None:
    device = FakeDevice()
    with owning(path, device):
        answer = say(path, frame(message))
        with pytest.raises(DeviceError):
            read_about(answer[4:])
        assert front(path).attest(ONLY_A_NONCE).nonce == NONCE
    assert device.asked == [ONLY_A_NONCE.report_data(Tee.SEV_SNP)]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(data=st.binary(max_size=200))
def test_any_bytes_get_an_answer_or_the_end_of_the_connection(data: bytes, path: Path) -> None:
    device = FakeDevice()
    with owning(path, device):
        say(path, data)
        assert front(path).tee is Tee.SEV_SNP
    assert device.asked == []


def test_a_request_that_is_too_long_is_not_read(path: Path) -> None:
    with owning(path):
        assert say(path, (1 << 20).to_bytes(4, "big")) == b""
        assert front(path).name == "fake"


def test_another_uid_gets_no_word(path: Path) -> None:
    with owning(path, uids=frozenset({ME + 1})):
        assert say(path, frame(write_request(Question.ABOUT))) == b""


@pytest.mark.skipif(ME != 0, reason="only root can become somebody else")
def test_another_users_process_gets_no_word_though_the_socket_lets_it_in(path: Path, tmp_path: Path) -> None:
    for folder in (tmp_path, *tmp_path.parents[:-1]):
        folder.chmod(folder.stat().st_mode | 0o011)
    device = FakeDevice()
    with owning(path, device), socket.socket(socket.AF_UNIX) as peer:
        path.chmod(0o666)
        peer.settimeout(SOON)
        os.seteuid(12345)
        try:
            peer.connect(str(path))
        finally:
            os.seteuid(0)
        said = b""
        with suppress(BrokenPipeError, ConnectionResetError):  # it may close before it is asked
            peer.sendall(frame(write_request(Attest(statement=ONLY_A_NONCE, event_log=False))))
            said = peer.recv(1)
        assert said == b""
    assert device.asked == []


def test_the_front_and_root_are_those_who_may_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device_owner, "FRONT", "nobody")
    assert device_owner.front_uids() == {0, 65534}
    monkeypatch.setattr(device_owner, "FRONT", "no such user")
    assert device_owner.front_uids() == {0}


def test_ac_123_a_lost_device_is_not_asked_again_and_everybody_hears_that_it_is_lost(path: Path) -> None:
    def lose() -> None:
        raise DeviceLost("the key is gone", path="/dev/x", call="ioctl", errno=25, hint="restart the guest")

    device = FakeDevice(before=lose)
    with owning(path, device):
        owned = front(path)
        for _ in range(3):
            with pytest.raises(DeviceLost, match="the key is gone") as caught:
                owned.attest(ONLY_A_NONCE)
            assert (caught.value.errno, caught.value.hint) == (25, "restart the guest")
        assert front(path).name == "fake"
    assert len(device.asked) == 1


def test_a_device_that_fails_is_asked_again(path: Path) -> None:
    failures: list[Exception] = [DeviceError("busy", errno=16), RuntimeError("a bug")]

    def fail() -> None:
        if failures:
            raise failures.pop(0)

    with owning(path, FakeDevice(before=fail)):
        owned = front(path)
        with pytest.raises(DeviceError, match=r"^busy$"):
            owned.attest(ONLY_A_NONCE)
        with pytest.raises(DeviceError, match="the device failed: RuntimeError: a bug"):
            owned.attest(ONLY_A_NONCE)
        assert owned.attest(ONLY_A_NONCE).nonce == NONCE


def test_ac_122_a_device_that_returns_something_else_gives_no_evidence(path: Path) -> None:
    with owning(path, FakeDevice(change=lambda report: report[:-1])), pytest.raises(DeviceError, match="no report"):
        front(path).attest(ONLY_A_NONCE)


def test_one_that_says_nothing_keeps_others_only_so_long(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device_owner, "_REQUEST_SECONDS", 0.1)
    with owning(path), socket.socket(socket.AF_UNIX) as silent:
        silent.connect(str(path))
        assert front(path).name == "fake"


def test_one_that_dribbles_keeps_others_no_longer(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device_owner, "_REQUEST_SECONDS", 0.2)
    with owning(path), socket.socket(socket.AF_UNIX) as slow:
        slow.settimeout(SOON)
        slow.connect(str(path))
        with pytest.raises(OSError, match=r"."):  # noqa: PT012 -- whichever byte comes too late
            while True:
                slow.sendall(b"\0")
                time.sleep(0.05)
        assert front(path).name == "fake"


def test_who_left_before_its_turn_is_not_asked_for(path: Path) -> None:
    entered, go_on = threading.Event(), threading.Event()

    def wait() -> None:
        entered.set()
        go_on.wait(SOON)

    device = FakeDevice(before=wait)
    with owning(path, device):
        owned = front(path)
        first = threading.Thread(target=owned.attest, args=(ONLY_A_NONCE,))
        first.start()
        assert entered.wait(SOON)
        with socket.socket(socket.AF_UNIX) as impatient:
            impatient.connect(str(path))
            impatient.sendall(frame(write_request(Attest(statement=CHANNEL, event_log=False))))
        go_on.set()
        first.join(SOON)
        owned.attest(ONLY_A_NONCE)
    assert CHANNEL.report_data(Tee.SEV_SNP) not in device.asked
    assert len(device.asked) == 2


def test_nothing_may_follow_a_request(path: Path) -> None:
    device = FakeDevice()
    with owning(path, device):
        request = frame(write_request(Attest(statement=CHANNEL, event_log=False)))
        assert say(path, request + b"x", end=False) == b""
    assert device.asked == []


def test_ac_119_a_front_has_the_rate_that_is_allowed_and_no_more(path: Path) -> None:
    with owning(path, reports_per_second=10.0, report_burst=1):
        owned = front(path)
        started = time.monotonic()
        for _ in range(4):
            owned.attest(ONLY_A_NONCE)
        assert time.monotonic() - started >= 0.29


def test_a_front_that_finds_too_many_waiting_hears_that(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening, socket.socket(socket.AF_UNIX) as waiting:
        listening.bind(str(path))
        listening.listen(0)
        waiting.connect(str(path))
        with pytest.raises(DeviceError, match="too many wait already") as caught:
            front(path)
        assert caught.value.category is Category.RATE_LIMIT


def test_it_responds_unless_one_request_takes_longer_than_any_driver(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entered, go_on = threading.Event(), threading.Event()

    def wait() -> None:
        entered.set()
        go_on.wait(SOON)

    with owning(path, FakeDevice(before=wait)) as owner:
        assert owner.responds()
        asking = threading.Thread(target=front(path).attest, args=(ONLY_A_NONCE,))
        asking.start()
        assert entered.wait(SOON)
        assert owner.responds()
        monkeypatch.setattr(device_owner, "STUCK_SECONDS", 0.0)
        assert not owner.responds()
        assert not owner.stop(0.01)
        go_on.set()
        asking.join(SOON)
        assert owner.stop(SOON)
        assert not owner.responds()


def test_ac_128_a_socket_left_by_a_killed_owner_is_replaced(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as killed:
        killed.bind(str(path))
    with owning(path):
        assert front(path).attest(ONLY_A_NONCE).nonce == NONCE


def test_stopping_leaves_no_thread(path: Path) -> None:
    with owning(path):
        front(path)
    eventually(lambda: "device" not in [thread.name for thread in threading.enumerate()])
