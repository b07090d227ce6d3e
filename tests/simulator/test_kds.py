import gzip
import http.client
import logging
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
import trustme

from cvmproof_formats.pem import read_pem
from cvmproof_formats.snp.product import KeyKind, ProductLine
from cvmproof_formats.snp.tcb import Tcb
from cvmproof_formats.snp.vek import read_vek
from cvmproof_formats.x509 import common_name, read_certificate, read_crl
from cvmproof_simulator import kds as fake
from cvmproof_simulator.ca import AmdCa
from cvmproof_simulator.kds import FakeKds
from cvmproof_simulator.psp import SoftwarePsp

ISSUED = datetime(2026, 11, 20, tzinfo=UTC)
MILAN = SoftwarePsp(ProductLine.MILAN)
TURIN = SoftwarePsp(ProductLine.TURIN)
CHAIN = "/vcek/v1/Milan/cert_chain"
CRL = "/vcek/v1/Milan/crl"
VCEK = f"/vcek/v1/Milan/{MILAN.chip_id.hex()}?blSPL=04&teeSPL=0&snpSPL=27&ucodeSPL=222"


@pytest.fixture
def kds() -> Iterator[FakeKds]:
    with FakeKds(MILAN, TURIN, issued=ISSUED) as service:
        yield service


def get(kds: FakeKds, path: str) -> tuple[http.client.HTTPResponse, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", kds.port, timeout=5)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response, response.read()
    finally:
        connection.close()


@pytest.mark.parametrize(("kind", "name"), [("vcek", "SEV-Milan"), ("vlek", "SEV-VLEK-Milan")])
def test_a_chain_is_the_intermediate_then_the_root(kind: str, name: str, kds: FakeKds) -> None:
    _, data = get(kds, f"/{kind}/v1/Milan/cert_chain")
    assert [common_name(read_certificate(der).subject) for der in read_pem(data)] == [name, "ARK-Milan"]


@pytest.mark.parametrize("kind", ["vcek", "vlek"])
def test_a_list_is_served_under_both_kinds(kind: str, kds: FakeKds) -> None:
    _, data = get(kds, f"/{kind}/v1/Milan/crl")
    assert read_crl(data).this_update == ISSUED


def test_a_vcek_is_served_at_whatever_tcb_is_asked_for(kds: FakeKds) -> None:
    _, data = get(kds, VCEK.replace("snpSPL=27", "snpSPL=3"))
    identity = read_vek(read_certificate(data).extensions)
    assert identity.tcb == Tcb(boot_loader=4, tee=0, snp=3, microcode=222)
    assert identity.hwid == MILAN.chip_id


def test_a_turin_vcek_is_asked_for_by_eight_bytes(kds: FakeKds) -> None:
    query = "fmcSPL=1&blSPL=1&teeSPL=1&snpSPL=4&ucodeSPL=81"
    _, data = get(kds, f"/vcek/v1/Turin/{TURIN.chip_id[:8].hex()}?{query}")
    assert data == TURIN.vek()


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/vcek/v1/Venice/crl",
        "/vcek/v1/Genoa/crl",
        "/vcek/v2/Milan/crl",
        "/vlek/v1/Milan/cert",
        "/vcek/v1/Milan/" + "00" * 64 + "?blSPL=4&teeSPL=0&snpSPL=27&ucodeSPL=222",
        VCEK.partition("?")[0],
        VCEK.replace("blSPL", "fmcSPL"),
        VCEK.replace("=27", "=999"),
        VCEK.replace("=27", "=x"),
    ],
)
def test_what_amd_would_not_have_is_404(path: str, kds: FakeKds) -> None:
    response, _ = get(kds, path)
    assert response.status == 404


def test_requests_are_counted_in_order(kds: FakeKds) -> None:
    get(kds, CHAIN)
    get(kds, CRL)
    assert kds.requests == (CHAIN, CRL)
    assert dict(kds.request_headers[0])["Host"] == f"127.0.0.1:{kds.port}"


def test_a_misbehaviour_may_hold_for_one_path_and_some_times(kds: FakeKds) -> None:
    kds.misbehave(fake.status(429, retry_after=7), path="/crl", times=1)
    assert get(kds, CHAIN)[0].status == 200
    response, _ = get(kds, CRL)
    assert (response.status, response.headers["Retry-After"]) == (429, "7")
    assert get(kds, CRL)[0].status == 200


def test_a_misbehaviour_can_be_taken_back(kds: FakeKds) -> None:
    kds.misbehave(fake.status(500))
    assert get(kds, CRL)[0].status == 500
    kds.behave()
    assert get(kds, CRL)[0].status == 200


def test_the_service_can_answer_anything(kds: FakeKds) -> None:
    right = get(kds, CRL)[1]
    kds.misbehave(fake.body(b"anything", ("X-Header", "value")), times=1)
    response, data = get(kds, CRL)
    assert (data, response.headers["X-Header"]) == (b"anything", "value")
    kds.misbehave(fake.html(), times=1)
    assert get(kds, CRL)[1].startswith(b"<!DOCTYPE html>")
    kds.misbehave(fake.redirect("https://elsewhere.example/"), times=1)
    assert get(kds, CRL)[0].headers["Location"] == "https://elsewhere.example/"
    kds.misbehave(fake.gzipped(), times=1)
    response, data = get(kds, CRL)
    assert (gzip.decompress(data), response.headers["Content-Encoding"]) == (right, "gzip")
    kds.misbehave(fake.flipped(-1), times=1)
    assert get(kds, CRL)[1] == right[:-1] + bytes([right[-1] ^ 1])
    kds.misbehave(fake.with_header("Set-Cookie", "a=b"), times=1)
    assert get(kds, CRL)[0].headers["Set-Cookie"] == "a=b"


def test_a_body_can_be_cut_short(kds: FakeKds) -> None:
    kds.misbehave(fake.cut_body(10))
    with pytest.raises(http.client.IncompleteRead, match="10 bytes read"):
        get(kds, CRL)


def test_another_length_can_be_announced(kds: FakeKds) -> None:
    kds.misbehave(fake.announced_length(5))
    assert len(get(kds, CRL)[1]) == 5


def test_a_connection_can_be_reset(kds: FakeKds) -> None:
    kds.misbehave(fake.reset())
    with pytest.raises(ConnectionError):
        get(kds, CRL)


def test_a_body_can_be_slow_and_others_are_served_meanwhile(kds: FakeKds) -> None:
    kds.misbehave(fake.slow_body(0.02), path="/crl")
    with socket.create_connection(("127.0.0.1", kds.port), timeout=5) as slow:
        slow.sendall(f"GET {CRL} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert get(kds, CHAIN)[0].status == 200
        slow.settimeout(5)
        assert slow.recv(1)


def test_stopping_ends_slow_and_endless_answers() -> None:
    with FakeKds(MILAN) as kds:
        kds.misbehave(fake.slow_body(60.0), path="/crl")
        kds.misbehave(fake.slow_answer(60.0), path="/cert_chain")
        connections = [socket.create_connection(("127.0.0.1", kds.port), timeout=5) for _ in range(2)]
        for connection, path in zip(connections, (CRL, CHAIN), strict=True):
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        while len(kds.requests) < 2:
            time.sleep(0.01)
        before = time.monotonic()
    assert time.monotonic() - before < 5
    for connection in connections:
        connection.close()
    assert not [thread for thread in threading.enumerate() if "SIMULATED" in thread.name]


def test_an_endless_body_goes_on_until_the_client_leaves(kds: FakeKds) -> None:
    kds.misbehave(fake.endless_body())
    with socket.create_connection(("127.0.0.1", kds.port), timeout=5) as connection:
        connection.sendall(f"GET {CRL} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        received = 0
        while received < 1_000_000:
            received += len(connection.recv(65_536))


def test_a_client_that_says_nothing_does_not_hold_up_tls() -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    with FakeKds(MILAN, tls=context) as kds, socket.create_connection(("127.0.0.1", kds.port)):
        assert kds.url == f"https://127.0.0.1:{kds.port}"
        connection = http.client.HTTPSConnection("127.0.0.1", kds.port, timeout=5, context=client)
        connection.request("GET", CRL)
        assert connection.getresponse().status == 200
        connection.close()


def test_chips_of_other_authorities_are_served_with_theirs() -> None:
    other = AmdCa(ProductLine.MILAN).with_ask(serial=7)
    with FakeKds(replace(MILAN, ca=other)) as kds:
        assert read_certificate(read_pem(get(kds, CHAIN)[1])[0]).serial == 7


def test_lists_are_a_day_old_unless_told() -> None:
    with FakeKds(SoftwarePsp(ProductLine.MILAN, KeyKind.VLEK)) as kds:
        age = datetime.now(UTC) - read_crl(get(kds, CRL)[1]).this_update
    assert timedelta(days=1) <= age < timedelta(days=1, minutes=1)


def test_every_log_line_says_simulated(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with FakeKds(MILAN) as kds:
        get(kds, CRL)
        get(kds, "/nothing")
    ours = [record.getMessage() for record in caplog.records if record.name == fake.__name__]
    assert ours
    assert all("SIMULATED" in line for line in ours)
