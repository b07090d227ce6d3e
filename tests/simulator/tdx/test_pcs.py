"""The fake service answers as Intel's does, or as a caching one, and as badly as it is told."""

import http.client
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import unquote

import pytest

from cvmproof_formats.pem import read_pem
from cvmproof_formats.tdx.evaluation_numbers import read_evaluation_numbers
from cvmproof_formats.tdx.hierarchy import Ca
from cvmproof_formats.tdx.signed_json import read_signed
from cvmproof_formats.tdx.tcb_info import read_tcb_info
from cvmproof_formats.x509 import read_crl
from cvmproof_simulator.misbehaviour import flipped, status
from cvmproof_simulator.tdx.ca import IntelCa
from cvmproof_simulator.tdx.collateral import Collateral
from cvmproof_simulator.tdx.pcs import FakePcs, issuer_chain
from cvmproof_simulator.tdx.platform import SoftwarePlatform

ISSUED = datetime(2026, 11, 20, tzinfo=UTC)
PLATFORM = SoftwarePlatform()
OTHER = SoftwarePlatform(fmspc=bytes.fromhex("AB0000000000"), ca=Ca.PROCESSOR)
FMSPC = PLATFORM.fmspc.hex().upper()
CURRENT = Collateral.of(PLATFORM, ISSUED)
OLDER = Collateral.of(PLATFORM, ISSUED, number=19)
EARLY = Collateral.of(PLATFORM, ISSUED, number=21)
OTHERS = Collateral.of(OTHER, ISSUED)
TCB = f"/tdx/certification/v4/tcb?fmspc={FMSPC}"
QE = "/tdx/certification/v4/qe/identity"
NUMBERS = "/tdx/certification/v4/tcbevaluationdatanumbers"
PCK_CRL = "/sgx/certification/v4/pckcrl"
ROOT_CRL = "/sgx/certification/v4/rootcacrl"


@pytest.fixture
def pcs() -> Iterator[FakePcs]:
    with FakePcs(OLDER, CURRENT, OTHERS) as service:
        service.register(EARLY, early=True)
        yield service


@pytest.fixture
def pccs() -> Iterator[FakePcs]:
    with FakePcs(OLDER, CURRENT, caching=True) as service:
        yield service


def get(service: FakePcs, path: str, method: str = "GET") -> tuple[http.client.HTTPResponse, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=5)
    try:
        connection.request(method, path)
        response = connection.getresponse()
        return response, response.read()
    finally:
        connection.close()


def chain(response: http.client.HTTPResponse, header: str) -> tuple[bytes, ...]:
    text = response.getheader(header)
    assert text is not None
    assert not {"\n", " ", "+"} & set(text)
    return read_pem(unquote(text).encode())


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", CURRENT),
        ("&update=standard", CURRENT),
        ("&update=early", EARLY),
        ("&tcbEvaluationDataNumber=19", OLDER),
        ("&tcbEvaluationDataNumber=21", EARLY),
    ],
)
def test_tcb_info_by_update_and_by_number(query: str, expected: Collateral, pcs: FakePcs) -> None:
    response, data = get(pcs, TCB + query)
    assert (response.status, response.getheader("Content-Type")) == (200, "application/json")
    assert data == expected.tcb_info_response
    assert chain(response, "TCB-Info-Issuer-Chain") == (IntelCa().tcb_signing, IntelCa().root)
    assert len(response.getheader("Request-ID") or "") == 32
    response, data = get(pcs, QE + query.replace("&", "?"))
    assert data == expected.qe_identity_response
    assert chain(response, "SGX-Enclave-Identity-Issuer-Chain") == (IntelCa().tcb_signing, IntelCa().root)


def test_an_fmspc_is_found_in_either_case(pcs: FakePcs) -> None:
    _, data = get(pcs, "/tdx/certification/v4/tcb?fmspc=ab0000000000")
    assert read_tcb_info(read_signed(data, "tcbInfo").body).fmspc == OTHER.fmspc


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/", 404),
        ("/tdx/certification/v3/tcb?fmspc=" + FMSPC, 404),
        ("/sgx/certification/v4/tcb?fmspc=" + FMSPC, 404),
        (ROOT_CRL, 404),
        ("/tdx/certification/v4/tcb", 400),
        ("/tdx/certification/v4/tcb?fmspc=xyz", 400),
        ("/tdx/certification/v4/tcb?fmspc=000000000000", 404),
        (TCB + "&fmspc=" + FMSPC, 400),
        (TCB + "&update", 400),
        (TCB + "&update=late", 400),
        (TCB + "&update=early&tcbEvaluationDataNumber=20", 400),
        (TCB + "&tcbEvaluationDataNumber=x", 400),
        (TCB + "&tcbEvaluationDataNumber=18", 410),
        (TCB + "&tcbEvaluationDataNumber=22", 404),
        (QE + "?tcbEvaluationDataNumber=18", 410),
        (PCK_CRL, 400),
        (PCK_CRL + "?ca=root", 400),
        (PCK_CRL + "?ca=PLATFORM", 400),
        (PCK_CRL + "?ca=platform&encoding=hex", 400),
    ],
)
def test_what_can_not_be_answered_is_refused_with_its_status(path: str, code: int, pcs: FakePcs) -> None:
    response, data = get(pcs, path)
    assert (response.status, data) == (code, b"")
    assert response.getheader("Request-ID")


def test_only_get_is_allowed(pcs: FakePcs) -> None:
    assert get(pcs, TCB, "POST")[0].status == 405


@pytest.mark.parametrize("ca", Ca)
def test_a_pck_list_in_its_encodings(ca: Ca, pcs: FakePcs) -> None:
    expected = (OTHERS if ca is Ca.PROCESSOR else CURRENT).pck_crl
    response, data = get(pcs, f"{PCK_CRL}?ca={ca}&encoding=der")
    assert data == expected
    assert chain(response, "SGX-PCK-CRL-Issuer-Chain") == (IntelCa().intermediate(ca), IntelCa().root)
    for query in ("&encoding=pem", ""):
        response, data = get(pcs, f"{PCK_CRL}?ca={ca}{query}")
        assert read_pem(data, "X509 CRL") == (expected,)


def test_the_other_authoritys_list_is_there_too() -> None:
    with FakePcs(CURRENT) as pcs:
        _, data = get(pcs, f"{PCK_CRL}?ca=processor&encoding=der")
    assert read_crl(data) == read_crl(IntelCa().pck_crl(Ca.PROCESSOR, ISSUED))


def test_the_roots_list_stands_where_the_certificates_say(pcs: FakePcs) -> None:
    assert get(pcs, "/IntelSGXRootCA.der")[1] == CURRENT.root_crl
    assert read_pem(get(pcs, "/IntelSGXRootCA.crl")[1], "X509 CRL") == (CURRENT.root_crl,)


def test_numbers_and_fmspcs_are_listed(pcs: FakePcs) -> None:
    response, data = get(pcs, NUMBERS)
    found = read_evaluation_numbers(read_signed(data, "tcbEvaluationDataNumbers").body)
    assert [entry.number for entry in found.numbers] == [21, 20, 19]
    assert chain(response, "TCB-Evaluation-Data-Numbers-Issuer-Chain")[1] == IntelCa().root
    _, data = get(pcs, "/sgx/certification/v4/fmspcs?platform=all")
    assert [entry["fmspc"] for entry in json.loads(data)] == [FMSPC, OTHER.fmspc.hex().upper()]


def test_what_was_early_becomes_the_standard(pcs: FakePcs) -> None:
    pcs.register(EARLY)
    assert get(pcs, TCB)[1] == EARLY.tcb_info_response


def test_what_is_known_is_replaced(pcs: FakePcs) -> None:
    newer = CURRENT.with_tcb_info(issue_date=ISSUED + timedelta(hours=1))
    pcs.register(newer)
    assert get(pcs, TCB)[1] == newer.tcb_info_response


def test_a_caching_service_gives_lists_in_hexadecimal_and_calls_them_pem(pccs: FakePcs) -> None:
    response, data = get(pccs, ROOT_CRL)
    assert response.getheader("Content-Type") == "application/x-pem-file"
    assert bytes.fromhex(data.decode()) == CURRENT.root_crl
    for query in ("", "&encoding=pem"):
        response, data = get(pccs, f"{PCK_CRL}?ca=platform{query}")
        assert response.getheader("Content-Type") == "application/x-pem-file"
        assert bytes.fromhex(data.decode()) == CURRENT.pck_crl
        assert chain(response, "SGX-PCK-CRL-Issuer-Chain")[0] == IntelCa().platform
    for query in ("?ca=platform&encoding=der", "?ca=PLATFORM&encoding=DER"):
        response, data = get(pccs, PCK_CRL + query)
        assert (response.getheader("Content-Type"), data) == ("application/pkix-crl", CURRENT.pck_crl)


@pytest.mark.parametrize(
    ("path", "code", "body"),
    [
        (TCB.replace(FMSPC, "000000000000"), 404, b"No cache data for this platform."),
        (PCK_CRL, 400, b"Invalid request parameters."),
    ],
)
def test_a_caching_service_refuses_in_its_own_words(path: str, code: int, body: bytes, pccs: FakePcs) -> None:
    response, data = get(pccs, path)
    assert (response.status, data) == (code, body)


def test_a_caching_service_overlooks_evaluation_numbers(pccs: FakePcs) -> None:
    assert get(pccs, TCB + "&tcbEvaluationDataNumber=19")[1] == CURRENT.tcb_info_response
    assert get(pccs, NUMBERS)[0].status == 404
    assert get(pccs, "/IntelSGXRootCA.der")[0].status == 404


def test_a_service_that_knows_nothing_says_so() -> None:
    with FakePcs() as pcs:
        assert [get(pcs, path)[0].status for path in (TCB, QE, NUMBERS, "/IntelSGXRootCA.der")] == [404] * 4


def test_the_end_of_an_api_is_announced() -> None:
    with FakePcs(CURRENT, warning='299 - "SIMULATED: API v4 ends"') as pcs:
        for path in (TCB, "/nowhere"):
            assert get(pcs, path)[0].getheader("Warning") == '299 - "SIMULATED: API v4 ends"'


def test_it_misbehaves_as_told(pcs: FakePcs) -> None:
    pcs.misbehave(status(503, retry_after=1), path="/tcb?", times=1)
    assert get(pcs, TCB)[0].status == 503
    pcs.misbehave(flipped(50), path="/qe/identity")
    assert get(pcs, QE)[1] != CURRENT.qe_identity_response
    pcs.behave()
    assert get(pcs, QE)[1] == CURRENT.qe_identity_response
    assert pcs.requests == (TCB, QE, QE)


def test_a_chain_in_a_header_is_percent_encoded() -> None:
    text = issuer_chain(IntelCa().signing_chain)
    assert text.startswith("-----BEGIN%20CERTIFICATE-----%0A")
    assert unquote(text).encode() == IntelCa().signing_chain
