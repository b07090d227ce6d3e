"""The gRPC side as ordinary clients see it: what there is on which path, and its limits."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial

import grpc
import pytest
from tests.agent.machine import SIMULATED, Client, FakeDevice, bridged, eventually, pinned, report_data, serving, unary

from cvmproof_agent import Device, open_device
from cvmproof_agent.device import DeviceLost
from cvmproof_agent.service import OFFERED, SERVICE
from cvmproof_formats.binding import Role, Tee, channel_report_data, key_report_data
from cvmproof_formats.tdx.event_log import read_event_log
from cvmproof_formats.tdx.quote import read_quote
from cvmproof_formats.tls import ALPN_ATTESTED, ALPN_H2
from cvmproof_protos.v1 import attestation_pb2, evidence_pb2
from cvmproof_protos.v1.attestation_pb2 import AttestedAnswer

NONCE = bytes(range(32))
METHODS = [method.name for method in attestation_pb2.DESCRIPTOR.services_by_name["Attestation"].methods]


def get_evidence(channel: grpc.Channel, nonce: bytes = NONCE, timeout: float = 5) -> evidence_pb2.Evidence:
    call = channel.unary_unary(
        f"/{SERVICE}/GetEvidence",
        attestation_pb2.EvidenceRequest.SerializeToString,
        evidence_pb2.Evidence.FromString,
    )
    answer: evidence_pb2.Evidence = call(attestation_pb2.EvidenceRequest(nonce=nonce), timeout=timeout)
    return answer


def raw(channel: grpc.Channel, path: str, request: bytes = b"") -> bytes:
    return unary(channel, path)(request, timeout=5)


def health(channel: grpc.Channel) -> bytes:
    return raw(channel, "/grpc.health.v1.Health/Check")


def refused(call: Callable[[], object]) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.RpcError) as caught:
        call()
    return caught.value.code(), caught.value.details() or ""


def test_ac_125_every_method_of_the_contract_has_a_path() -> None:
    assert sorted(METHODS) == sorted(name for names in OFFERED.values() for name in names)
    assert OFFERED.keys() == {ALPN_H2, ALPN_ATTESTED}


@pytest.mark.parametrize("method", METHODS)
def test_ac_125_a_method_is_there_on_its_path_and_unimplemented_on_the_other(method: str) -> None:
    def answered(channel: grpc.Channel) -> bool:
        try:
            list(channel.unary_stream(f"/{SERVICE}/{method}", bytes, bytes)(b"", timeout=5))
        except grpc.RpcError as error:
            return error.code() is not grpc.StatusCode.UNIMPLEMENTED
        return True

    with serving() as agent, pinned(agent) as channel, Client(agent.address) as client:
        assert answered(channel) == (method in OFFERED[ALPN_H2])
        client.ask()
        with bridged(client) as attested:
            assert answered(attested) == (method in OFFERED[ALPN_ATTESTED])


@pytest.mark.parametrize(
    "path", ["/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", "/grpc.channelz.v1.Channelz/GetServers"]
)
def test_ac_125_nothing_else_is_there(path: str) -> None:
    with serving() as agent, pinned(agent) as channel:
        assert refused(lambda: raw(channel, path))[0] is grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize("tee", Tee)
def test_evidence_on_h2_is_bound_to_the_key_and_says_so(tee: Tee) -> None:
    with serving(open_device(SIMULATED[tee])) as agent, pinned(agent) as channel:
        evidence = get_evidence(channel)
        expected = key_report_data(role=Role.SERVER, tee=tee, nonce=NONCE, spki=agent.spki)
        assert report_data(AttestedAnswer(evidence=evidence)) == expected
        assert (evidence.binding, evidence.role, evidence.spki) == ("key", "server", agent.spki)
        assert evidence.event_log == b""


@pytest.mark.parametrize("tee", Tee)
def test_ac_073_what_h2_signs_is_never_a_channel_binding(tee: Tee) -> None:
    device = open_device(SIMULATED[tee])
    with serving(device) as agent, Client(agent.address) as victim, pinned(agent) as channel:
        wanted = channel_report_data(role=Role.SERVER, tee=tee, nonce=NONCE, spki=agent.spki, ekm=victim.ekm(NONCE))
        for nonce in (NONCE, wanted[:32], wanted[32:]):
            assert report_data(AttestedAnswer(evidence=get_evidence(channel, nonce))) != wanted


@pytest.mark.parametrize("size", [0, 31, 33, 64])
def test_ac_066_a_nonce_of_another_length_is_refused(size: int) -> None:
    with serving() as agent, pinned(agent) as channel:
        code, details = refused(lambda: get_evidence(channel, bytes(size)))
        assert code is grpc.StatusCode.INVALID_ARGUMENT
        assert details == f"MALFORMED: nonce: expected exactly 32 bytes, got {size}"


def test_health_is_serving_and_an_unknown_service_is_not_found() -> None:
    with serving() as agent, pinned(agent) as channel:
        assert health(channel) == b"\x08\x01"
        assert raw(channel, "/grpc.health.v1.Health/Check", b"\x0a" + bytes((len(SERVICE),)) + SERVICE.encode())
        assert (
            refused(lambda: raw(channel, "/grpc.health.v1.Health/Check", b"\x0a\x01x"))[0] is grpc.StatusCode.NOT_FOUND
        )


def test_a_lost_device_fails_health_and_every_request_while_the_process_stays() -> None:
    def lose() -> None:
        raise DeviceLost("the driver gave up its key")

    device = FakeDevice(before=lose)
    with serving(device) as agent, pinned(agent) as channel:
        for _ in range(3):
            code, details = refused(lambda: get_evidence(channel))
            assert (code, details) == (grpc.StatusCode.UNAVAILABLE, "UNAVAILABLE: the driver gave up its key")
        assert health(channel) == b"\x08\x02"  # NOT_SERVING
    assert len(device.asked) == 1


@pytest.mark.parametrize("log", [os.urandom(200_000), os.urandom(64 * 1024), b"x", None])
def test_the_event_log_is_streamed_with_its_size_where_the_connection_was_appraised(log: bytes | None) -> None:
    chunks = stream_event_log(FakeDevice(log=log))
    assert b"".join(chunk.data for chunk in chunks) == (log or b"")
    assert {chunk.size for chunk in chunks} == ({len(log)} if log else set())
    assert all(len(chunk.data) == 64 * 1024 for chunk in chunks[:-1])


def test_the_log_of_a_simulated_td_explains_its_quotes() -> None:
    device = open_device("simulated:tdx")
    chunks = stream_event_log(device)
    registers = read_quote(device.report(bytes(64))).body.rtmrs
    assert read_event_log(b"".join(chunk.data for chunk in chunks)).replay() == registers


def stream_event_log(device: Device) -> list[attestation_pb2.EventLogChunk]:
    with serving(device) as agent, Client(agent.address) as client:
        client.ask()
        with bridged(client) as channel:
            stream = channel.unary_stream(
                f"/{SERVICE}/GetEventLog",
                attestation_pb2.EventLogRequest.SerializeToString,
                attestation_pb2.EventLogChunk.FromString,
            )
            return list(stream(attestation_pb2.EventLogRequest(), timeout=5))


@pytest.mark.parametrize("request_", [b"\x12" + b"\xff\x7f" + bytes(16383), bytes(70_000)])
def test_ac_111_a_larger_message_is_refused(request_: bytes) -> None:
    with serving() as agent, pinned(agent) as channel:
        code, _ = refused(lambda: raw(channel, f"/{SERVICE}/GetEvidence", request_))
        assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert get_evidence(channel).report


def test_ac_111_unknown_fields_and_deep_nesting_within_the_size_do_no_harm() -> None:
    unknown = b"".join(b"\xa0\x3f\x01" for _ in range(1000))
    nested = b"\xa3\x3f" * 2000
    with serving() as agent, pinned(agent) as channel:
        for request in (unknown, nested):
            code, _ = refused(partial(raw, channel, f"/{SERVICE}/GetEvidence", request))
            assert code in (grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.INTERNAL)
        assert get_evidence(channel).report


def test_ac_111_ten_thousand_headers_are_refused() -> None:
    headers = tuple((f"h{number}", "x") for number in range(10_000))
    with serving() as agent, pinned(agent) as channel:
        code, _ = refused(lambda: unary(channel, "/grpc.health.v1.Health/Check")(b"", timeout=5, metadata=headers))
        assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert health(channel) == b"\x08\x01"


def test_ac_111_an_endless_request_stream_is_cut() -> None:
    def endless() -> Iterator[bytes]:
        while True:
            yield bytes(100)

    with serving() as agent, pinned(agent) as channel:
        call: grpc.StreamUnaryMultiCallable[bytes, bytes] = channel.stream_unary(f"/{SERVICE}/GetEvidence")
        started = time.monotonic()
        assert isinstance(refused(lambda: call(endless(), timeout=5))[0], grpc.StatusCode)
        assert time.monotonic() - started < 8
        assert health(channel) == b"\x08\x01"


def test_ac_109_a_compressed_request_is_not_inflated() -> None:
    with serving() as agent, pinned(agent) as channel:
        code, _ = refused(
            lambda: unary(channel, f"/{SERVICE}/GetEvidence")(bytes(3000), timeout=5, compression=grpc.Compression.Gzip)
        )
        assert code in (grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.INTERNAL, grpc.StatusCode.INVALID_ARGUMENT)


def test_ac_119_a_thousand_requests_at_once_are_queued_to_a_bound_and_then_turned_away() -> None:
    device = FakeDevice()
    answered, codes = [], []
    with (
        serving(device, reports_per_second=20.0, report_burst=5, deadline_seconds=2.0) as agent,
        pinned(agent) as channel,
    ):
        call = unary(channel, f"/{SERVICE}/GetEvidence")
        started = time.monotonic()
        calls = [call.future(b"\x0a\x20" + os.urandom(32), timeout=20) for _ in range(1000)]
        for pending in calls:
            try:
                answered.append(pending.result())
            except grpc.RpcError as error:
                codes.append((error.code(), (error.details() or "").partition(":")[0]))
        seconds = time.monotonic() - started
    assert len(answered) + len(codes) == 1000
    assert len(answered) >= 5
    # The second is HTTP/2's own way to turn a stream away before anything looked at it (RFC 9113, REFUSED_STREAM).
    assert (grpc.StatusCode.RESOURCE_EXHAUSTED, "RATE_LIMIT") in codes
    assert {code for code, _ in codes} <= {grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE}
    assert all(text == "RATE_LIMIT" or "error code 7" in text for _, text in codes)
    assert len(device.asked) <= 5 + 20 * seconds + 1
    assert len(set(device.asked)) == len(device.asked) >= len(answered)


def _ignore(event: threading.Event) -> None:
    event.wait(5)


def test_health_answers_while_every_place_in_the_queue_is_taken() -> None:
    go_on = threading.Event()
    with (
        serving(FakeDevice(before=partial(_ignore, go_on)), reports_per_second=4.0, deadline_seconds=4.0) as agent,
        pinned(agent) as channel,
    ):
        call = unary(channel, f"/{SERVICE}/GetEvidence")
        waiting = [call.future(b"\x0a\x20" + os.urandom(32), timeout=5) for _ in range(30)]
        eventually(lambda: any(pending.done() for pending in waiting))
        assert health(channel) == b"\x08\x01"
        go_on.set()
        for pending in waiting:
            pending.cancel()


def test_a_client_that_gave_up_takes_no_report() -> None:
    entered, go_on = threading.Event(), threading.Event()

    def wait() -> None:
        entered.set()
        go_on.wait(5)

    device = FakeDevice(before=wait)
    with serving(device) as agent, pinned(agent) as channel:
        call = unary(channel, f"/{SERVICE}/GetEvidence")
        first, second = (call.future(b"\x0a\x20" + os.urandom(32), timeout=5) for _ in range(2))
        assert entered.wait(5)
        second.cancel()
        first.cancel()
        time.sleep(0.3)
        go_on.set()
        get_evidence(channel)
    assert len(device.asked) == 2
