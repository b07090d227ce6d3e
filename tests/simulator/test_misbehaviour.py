"""Each misbehaviour, over real HTTP."""

import gzip
import http.client
from collections.abc import Iterator

import pytest

from cvmproof_simulator import misbehaviour as fake
from cvmproof_simulator.fake_service import FakeService
from cvmproof_simulator.http_server import Request
from cvmproof_simulator.misbehaviour import Answer, Rule

RIGHT = b"the right answer, long enough to be cut"


class Service(FakeService):
    def _right_answer(self, request: Request) -> Answer:
        return Answer(body=RIGHT, headers=(("Content-Type", "text/plain"),))


@pytest.fixture
def service() -> Iterator[Service]:
    with Service("service") as service:
        yield service


def get(service: FakeService, path: str = "/") -> tuple[http.client.HTTPResponse, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=5)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response, response.read()
    finally:
        connection.close()


def test_a_misbehaviour_may_hold_for_one_path_and_some_times(service: Service) -> None:
    service.misbehave(fake.status(429, retry_after=7), path="/crl", times=1)
    assert get(service, "/chain")[0].status == 200
    response, _ = get(service, "/crl")
    assert (response.status, response.headers["Retry-After"]) == (429, "7")
    assert get(service, "/crl")[0].status == 200


def test_a_misbehaviour_may_hold_for_one_method() -> None:
    rule = Rule(misbehaviour=fake.reset(), path="/a", method="DELETE", left=None, instead=False)
    assert [rule.holds_for(*request) for request in (("GET", "/a"), ("DELETE", "/b"), ("DELETE", "/a"))] == [0, 0, 1]


@pytest.mark.parametrize("instead", [False, True])
def test_a_misbehaviour_comes_after_what_was_asked_for_or_instead_of_it(*, instead: bool) -> None:
    done = []

    class Counting(FakeService):
        def _right_answer(self, request: Request) -> Answer:
            done.append(request)
            return Answer()

    with Counting("counting") as counting:
        counting.misbehave(fake.status(503), instead=instead)
        assert get(counting)[0].status == 503
    assert len(done) == (not instead)


def test_the_latest_misbehaviour_goes_first_and_the_older_one_after_it(service: Service) -> None:
    service.misbehave(fake.status(500))
    service.misbehave(fake.status(503), times=1)
    assert [get(service)[0].status for _ in range(3)] == [503, 500, 500]


def test_a_misbehaviour_can_be_taken_back(service: Service) -> None:
    service.misbehave(fake.status(500))
    assert get(service)[0].status == 500
    service.behave()
    assert get(service)[0].status == 200


def test_the_service_can_answer_anything(service: Service) -> None:
    service.misbehave(fake.body(b"anything", ("X-Header", "value")), times=1)
    response, data = get(service)
    assert (data, response.headers["X-Header"]) == (b"anything", "value")
    service.misbehave(fake.html(), times=1)
    assert get(service)[1].startswith(b"<!DOCTYPE html>")
    service.misbehave(fake.redirect("https://elsewhere.example/"), times=1)
    assert get(service)[0].headers["Location"] == "https://elsewhere.example/"
    service.misbehave(fake.gzipped(), times=1)
    response, data = get(service)
    assert (gzip.decompress(data), response.headers["Content-Encoding"]) == (RIGHT, "gzip")
    service.misbehave(fake.flipped(-1), times=1)
    assert get(service)[1] == RIGHT[:-1] + bytes([RIGHT[-1] ^ 1])
    service.misbehave(fake.with_header("Set-Cookie", "a=b"), times=1)
    assert get(service)[0].headers["Set-Cookie"] == "a=b"


def test_a_body_can_be_cut_short(service: Service) -> None:
    service.misbehave(fake.cut_body(10))
    with pytest.raises(http.client.IncompleteRead, match="10 bytes read"):
        get(service)


def test_another_length_can_be_announced(service: Service) -> None:
    service.misbehave(fake.announced_length(5))
    assert get(service)[1] == RIGHT[:5]


def test_a_connection_can_be_reset(service: Service) -> None:
    service.misbehave(fake.reset())
    with pytest.raises(ConnectionError):
        get(service)
