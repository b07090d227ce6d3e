"""The exchange: evidence of the very session that asked, for those who keep to the rules."""

import os
import threading
import time

import pytest
from OpenSSL import SSL
from tests.agent.machine import SIMULATED, Client, FakeDevice, report_data, serving

from cvmproof_agent import open_device
from cvmproof_formats.binding import Role, Tee, key_report_data, nonce_report_data
from cvmproof_formats.frames import write_frame
from cvmproof_formats.tdx.event_log import read_event_log
from cvmproof_formats.tdx.quote import read_quote
from cvmproof_protos.v1.attestation_pb2 import AttestedAnswer, AttestedRequest

NONCE = bytes(range(32))
FRAME = write_frame(AttestedRequest(nonce=NONCE).SerializeToString(), limit=256)


def refusal(answer: AttestedAnswer) -> tuple[str, str]:
    return answer.refusal.category, answer.refusal.message


@pytest.mark.parametrize("tee", Tee)
def test_evidence_is_bound_to_nonce_key_and_session(tee: Tee) -> None:
    with serving(open_device(SIMULATED[tee])) as agent, Client(agent.address) as client:
        answer = client.ask(NONCE)
        assert answer.evidence.tee == tee
        assert report_data(answer) == client.expected(NONCE, tee)
        assert client.spki == agent.spki == answer.evidence.spki
        assert (answer.evidence.binding, answer.evidence.role, answer.evidence.nonce) == ("channel", "server", NONCE)


def test_two_sessions_with_one_nonce_get_different_evidence() -> None:
    with serving() as agent, Client(agent.address) as one, Client(agent.address) as other:
        assert report_data(one.ask(NONCE)) != report_data(other.ask(NONCE))
        assert one.spki == other.spki


@pytest.mark.parametrize("tee", Tee)
def test_ac_073_no_domain_but_the_channel_is_signed_here(tee: Tee) -> None:
    with serving(open_device(SIMULATED[tee])) as agent, Client(agent.address) as client:
        got = report_data(client.ask(NONCE))
        role = Role.SERVER
        others = {
            NONCE.ljust(64, b"\0"),
            nonce_report_data(role=role, tee=tee, nonce=NONCE),
            key_report_data(role=role, tee=tee, nonce=NONCE, spki=agent.spki),
        }
        assert got not in others


@pytest.mark.parametrize("size", [0, 1, 31, 33, 64, 200])
def test_ac_066_a_nonce_of_another_length_is_refused(size: int) -> None:
    device = FakeDevice()
    with serving(device) as agent, Client(agent.address) as client:
        category, message = refusal(client.ask(bytes(size)))
        assert category == "MALFORMED"
        assert message == f"nonce: expected exactly 32 bytes, got {size}"
        assert client.end() == b""
    assert device.asked == []


def test_a_message_that_is_none_is_refused() -> None:
    with serving() as agent, Client(agent.address) as client:
        client.tls.sendall(write_frame(b"\xff" * 8, limit=256))
        assert refusal(client.answer()) == ("MALFORMED", "frame: expected an AttestedRequest")


@pytest.mark.parametrize("size", [257, 65536, 2**32 - 1])
def test_ac_111_a_larger_frame_is_refused_before_it_is_read(size: int) -> None:
    with serving() as agent, Client(agent.address) as client:
        client.tls.sendall(size.to_bytes(4, "big") + bytes(1000))
        assert refusal(client.answer())[0] == "SIZE_LIMIT"
        assert client.end() == b""


def test_ac_110_a_frame_that_comes_byte_by_byte_ends_the_connection() -> None:
    with serving(request_seconds=0.5) as agent, Client(agent.address) as client:
        started = time.monotonic()
        with pytest.raises((SSL.Error, OSError)):  # noqa: PT012 -- which byte is too late is not ours to say
            for byte in FRAME:
                client.tls.sendall(bytes((byte,)))
                time.sleep(0.1)
        assert time.monotonic() - started < len(FRAME) * 0.1


def test_a_client_that_says_nothing_is_left_alone_only_so_long() -> None:
    with serving(request_seconds=0.3) as agent, Client(agent.address) as client:
        assert client.end() == b""


def test_bytes_behind_the_frame_in_the_same_record_end_the_connection() -> None:
    with serving() as agent, Client(agent.address) as client:
        client.tls.sendall(FRAME + b"P")
        assert client.end() == b""


def test_bytes_while_the_device_works_end_the_connection_without_an_answer() -> None:
    asked, go_on = threading.Event(), threading.Event()

    def wait() -> None:
        asked.set()
        go_on.wait(5)

    with serving(FakeDevice(before=wait)) as agent, Client(agent.address) as client:
        client.tls.sendall(FRAME)
        assert asked.wait(5)
        client.tls.sendall(b"PRI * HTTP/2.0")
        assert client.end() == b""
        go_on.set()


def test_a_client_that_left_is_not_waited_for() -> None:
    asked, go_on = threading.Event(), threading.Event()

    def wait() -> None:
        asked.set()
        go_on.wait(5)

    device = FakeDevice(before=wait)
    with serving(device) as agent:
        with Client(agent.address) as first:
            first.tls.sendall(FRAME)
            assert asked.wait(5)
            with Client(agent.address) as second:
                second.tls.sendall(FRAME)
                time.sleep(0.2)
        time.sleep(0.2)
        go_on.set()
        with Client(agent.address) as third:
            assert third.ask().HasField("evidence")
    assert len(device.asked) == 2


def test_the_event_log_comes_only_when_asked_for() -> None:
    device = FakeDevice(log=os.urandom(300_000))
    with serving(device) as agent:
        with Client(agent.address) as client:
            assert client.ask().evidence.event_log == b""
        with Client(agent.address) as client:
            assert client.ask(event_log=True).evidence.event_log == device.log


def test_the_event_log_of_a_td_comes_beside_the_quote_and_explains_it() -> None:
    with serving(open_device("simulated:tdx")) as agent:
        with Client(agent.address) as client:
            assert client.ask().evidence.event_log == b""
        with Client(agent.address) as client:
            evidence = client.ask(event_log=True).evidence
    assert read_event_log(evidence.event_log).replay() == read_quote(evidence.report).body.rtmrs


def test_a_device_that_fails_is_told_as_unavailable() -> None:
    def fail() -> None:
        raise OSError(5, "Input/output error")

    with serving(FakeDevice(before=fail)) as agent, Client(agent.address) as client:
        category, message = refusal(client.ask())
        assert category == "UNAVAILABLE"
        assert "the device failed" in message
