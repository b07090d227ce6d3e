import http.client
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from cvmproof_formats.pem import read_pem
from cvmproof_formats.snp.product import KeyKind, ProductLine
from cvmproof_formats.snp.tcb import Tcb
from cvmproof_formats.snp.vek import read_vek
from cvmproof_formats.x509 import common_name, read_certificate, read_crl
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


def test_other_methods_than_get_are_405(kds: FakeKds) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", kds.port, timeout=5)
    connection.request("POST", CRL, body=b"x")
    response = connection.getresponse()
    assert (response.status, response.headers["Allow"]) == (405, "GET")
    connection.close()


def test_chips_of_other_authorities_are_served_with_theirs() -> None:
    other = AmdCa(ProductLine.MILAN).with_ask(serial=7)
    with FakeKds(replace(MILAN, ca=other)) as kds:
        assert read_certificate(read_pem(get(kds, CHAIN)[1])[0]).serial == 7


def test_lists_are_of_the_midnight_before_unless_told() -> None:
    with FakeKds(SoftwarePsp(ProductLine.MILAN, KeyKind.VLEK)) as kds:
        issued = read_crl(get(kds, CRL)[1]).this_update
    assert (issued.hour, issued.minute, issued.second) == (0, 0, 0)
    assert timedelta() <= datetime.now(UTC) - issued < timedelta(days=1, minutes=1)
