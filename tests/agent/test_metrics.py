"""Metrics: counted, readable by Prometheus, and only on this machine."""

import http.client
import re
import socket
from pathlib import Path

import pytest
from tests.agent.machine import Client, serving

from cvmproof_agent.metrics import Metrics
from cvmproof_agent.metrics_socket import listen_for_metrics
from cvmproof_formats.errors import Misuse

LINE = re.compile(r'# (HELP|TYPE) \w+ .+|\w+(\{\w+="[\w-]+"(,\w+="[\w-]+")*\})? [0-9.e+-]+')


def fetch(path: Path, request: str = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n") -> str:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(5)
        client.connect(str(path))
        client.sendall(request.encode())
        received = b""
        while part := client.recv(65536):
            received += part
    return received.decode()


def test_what_happened_is_counted_in_prometheus_text(tmp_path: Path) -> None:
    path = tmp_path / "metrics"
    with serving(metrics_at=f"unix:{path}") as agent:
        with Client(agent.address) as client:
            client.ask()
        with Client(agent.address) as client:
            client.ask(b"short")
        text = fetch(path)
    head, _, body = text.partition("\r\n\r\n")
    assert head.startswith("HTTP/1.0 200 OK\r\nContent-Type: text/plain; version=0.0.4")
    assert [line for line in body.splitlines() if not LINE.fullmatch(line)] == []
    assert 'cvmproof_agent_evidence_total{binding="channel"} 1\n' in body
    assert 'cvmproof_agent_refusals_total{category="MALFORMED"} 1\n' in body
    assert "cvmproof_agent_device_seconds_count 1\n" in body
    assert not path.exists()


@pytest.mark.parametrize("request_", ["GET / HTTP/1.1\r\n\r\n", "POST /metrics HTTP/1.1\r\n\r\n", "x\r\n\r\n"])
def test_there_is_nothing_else_there(tmp_path: Path, request_: str) -> None:
    with serving(metrics_at=f"unix:{tmp_path / 'm'}"):
        assert fetch(tmp_path / "m", request_).startswith("HTTP/1.0 404 ")


def test_a_loopback_address_will_do() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with serving(metrics_at=f"127.0.0.1:{port}"):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        connection.request("GET", "/metrics")
        assert connection.getresponse().status == 200
        connection.close()


@pytest.mark.parametrize(
    "where", ["0.0.0.0:9100", "192.0.2.1:9100", "localhost:1", "127.0.0.1", "127.0.0.1:x", "[::]:1"]
)
def test_any_other_address_is_misuse(where: str) -> None:
    with pytest.raises(Misuse, match="unix:PATH or a loopback"):
        listen_for_metrics(where)


def test_nothing_is_there_unless_asked_for() -> None:
    assert Metrics().render().count("# TYPE") == 7
