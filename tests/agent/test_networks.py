"""Shares of networks: an IPv4 /24 and an IPv6 /64 are one, and what is remembered is bounded."""

import ipaddress

import pytest

from cvmproof_agent import networks as networks_module
from cvmproof_agent.limits import Limits
from cvmproof_agent.networks import Networks, TooMany, network_of
from cvmproof_formats.errors import Category

HERE = network_of("192.0.2.1")


@pytest.mark.parametrize(
    ("host", "network"),
    [
        ("192.0.2.7", "192.0.2.0/24"),
        ("192.0.2.255", "192.0.2.0/24"),
        ("192.0.3.0", "192.0.3.0/24"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::", "2001:db8:1:3::/64"),
        ("::ffff:192.0.2.7", "192.0.2.0/24"),
        ("fe80::1%eth0", "fe80::/64"),
    ],
)
def test_a_network_is_what_one_client_easily_has(host: str, network: str) -> None:
    assert network_of(host) == ipaddress.ip_network(network)


def test_connections_at_a_time_are_counted_by_network_and_given_back() -> None:
    networks = Networks(Limits(connections_per_network=1))
    with networks.admit(HERE, 0.0):
        with pytest.raises(TooMany, match="1 connections of one network") as caught, networks.admit(HERE, 0.0):
            pass
        assert caught.value.category is Category.RATE_LIMIT
        with networks.admit(network_of("198.51.100.1"), 0.0):
            assert networks.connections == 2
    assert networks.connections == 0
    with networks.admit(HERE, 0.0):
        assert networks.connections == 1


def test_new_connections_come_at_a_rate() -> None:
    networks = Networks(Limits(handshakes_per_second=2.0, handshake_burst=1))
    with networks.admit(HERE, 0.0):
        pass
    with pytest.raises(TooMany, match="2 connections a second"), networks.admit(HERE, 0.4):
        pass
    with networks.admit(HERE, 0.5):
        pass


def test_a_place_is_given_back_whatever_happens_in_it() -> None:
    networks = Networks(Limits())
    with pytest.raises(OSError, match="reset"), networks.admit(HERE, 0.0):
        raise OSError("reset")
    assert networks.connections == 0


def test_networks_that_hold_nothing_are_forgotten_and_too_many_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(networks_module, "NETWORKS", 3)
    networks = Networks(Limits(handshakes_per_second=1.0, handshake_burst=1))
    with networks.admit(network_of("10.0.0.1"), 0.0):
        for number in (1, 2):
            with networks.admit(network_of(f"10.0.{number}.1"), 0.0):
                pass
        with pytest.raises(TooMany, match="more than 3 networks"), networks.admit(network_of("10.0.3.1"), 0.5):
            pass
        with networks.admit(network_of("10.0.3.1"), 1.0):
            assert len(networks._shares) == 2
