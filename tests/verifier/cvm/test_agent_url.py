"""Where a record says its agent is: a URL, or host and port."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from cvmproof.channel.address import read_agent_url
from cvmproof.cvm.agent_url import RULES, agent_url
from cvmproof.errors import Category, EndpointError
from cvmproof.prism.cvm import Cvm

RECORD = Cvm(id="cvm-1", agent_url="109.92.195.153:6104", status="online")


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("109.92.195.153:6104", "109.92.195.153:6104"),
        ("agent.example.com:7002", "agent.example.com:7002"),
        ("agent.example.com", "agent.example.com:443"),
        ("[2001:db8::1]:7002", "[2001:db8::1]:7002"),
        ("https://agent.example.com", "agent.example.com:443"),
    ],
)
def test_both_spellings_of_the_api_are_read(text: str, address: str) -> None:
    assert str(read_agent_url(agent_url(replace(RECORD, agent_url=text)))) == address


@pytest.mark.parametrize(
    "text",
    [
        "http://agent.example.com",
        "grpc://agent.example.com:7002",
        "user@agent.example.com:7002",
        "agent.example.com:7002/path",
        "agent.example.com:7002#@127.0.0.1",
        "agent.example.com:7002\r\nHost: other",
        "2130706433:7002",
        "127.1:7002",
        "unix:/run/agent.sock",
        " ",
    ],
)
def test_ac_112_anything_else_is_no_address(text: str) -> None:
    with pytest.raises(EndpointError, match="agent URL"):
        read_agent_url(agent_url(replace(RECORD, agent_url=text)))


def test_a_cvm_without_an_agent_is_not_there_yet() -> None:
    with pytest.raises(EndpointError, match="no agent_url yet, status Creating") as caught:
        agent_url(replace(RECORD, agent_url=None, status="Creating"))
    assert caught.value.category is Category.UNAVAILABLE


def test_a_deleted_cvm_is_not_there_any_more() -> None:
    with pytest.raises(EndpointError, match="deleted at 2026-11-01T00:00:00Z"):
        agent_url(replace(RECORD, deleted_at=datetime(2026, 11, 1, tzinfo=UTC)))


def test_the_ports_are_those_of_https_of_agents_and_those_that_prism_forwards() -> None:
    assert {443, 7002, 6100, 6200} <= RULES.ports
    assert not {22, 80, 6099, 6201, 8443} & RULES.ports
    assert RULES.allowed == ()
