"""What a fake service remembers, and where no secret may go."""

import http.client
import logging
from collections.abc import Mapping

import pytest

from cvmproof_simulator.fake_service import Elsewhere


def get(port: int, path: str, headers: Mapping[str, str]) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path, headers=dict(headers))
        return connection.getresponse().status
    finally:
        connection.close()


def test_requests_are_counted_in_order() -> None:
    with Elsewhere() as service:
        assert service.url == f"http://127.0.0.1:{service.port}"
        assert [get(service.port, path, {"X-Number": path}) for path in ("/1", "/2?a=b")] == [404, 404]
        assert service.requests == ("/1", "/2?a=b")
        assert dict(service.request_headers[0])["Host"] == f"127.0.0.1:{service.port}"
    assert [request.header("x-number") for request in service.received] == ["/1", "/2?a=b"]
    assert [(request.method, request.path, request.query) for request in service.received[1:]] == [("GET", "/2", "a=b")]
    assert service.received[0].header("none") is None


@pytest.mark.parametrize("name", ["Authorization", "authorization", "Cookie", "Proxy-Authorization"])
def test_a_secret_sent_to_a_stranger_is_seen(name: str) -> None:
    with Elsewhere() as service:
        get(service.port, "/", {"Accept": "text/html"})
        assert not service.credentials
        get(service.port, "/", {name: "Bearer secret"})
    assert service.credentials == ("Bearer secret",)


def test_every_log_line_says_simulated_and_none_a_secret(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with Elsewhere() as service:
        get(service.port, "/\x7fnothing".replace("\x7f", "%1b"), {"Authorization": "Bearer secret"})
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("cvmproof_simulator.")]
    assert len(ours) >= 2
    assert all("SIMULATED" in line and "secret" not in line for line in ours)
