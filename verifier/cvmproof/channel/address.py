"""An agent's URL: how it must be spelled, which addresses may be gone to, and that its name is resolved once.

One that a person typed is that person's. One that came from an API is text of whoever controls the API, and may name
our own loopback interface, a metadata service or a machine behind our firewall: `AddressRules` are for those.
"""

import re
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final

from cvmproof.spelling import escape
from cvmproof_formats.errors import Category, EndpointError

URL_LIMIT: Final = 300  # characters; a DNS name has at most 253
_SHAPE: Final = re.compile(r"https://(?P<host>\[[0-9a-f:.]+\]|[a-z0-9.-]+)(:(?P<port>[0-9]{1,5}))?/?", re.ASCII)
_LABEL: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
_NAME_LIMIT: Final = 253  # characters, RFC 1035 section 2.3.4
_HTTPS_PORT: Final = 443
_HIGHEST_PORT: Final = 65535
# RFC 6052, RFC 3056, RFC 4380: IPv6 addresses that lead to an IPv4 address within them.
_LEADING_TO_IPV4: Final = tuple(
    IPv6Network(net) for net in ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32")
)

IpAddress = IPv4Address | IPv6Address
Lookup = Callable[[str, int], Sequence[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentAddress:
    """Host (a lower-case DNS name, or an IP address without brackets) and port of an agent."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressRules:
    """Where a URL from an API may lead: public addresses and those in `allowed`, on `ports`.

    With `domains`, the host must be one of these names or end in a dot and one of them.
    """

    ports: frozenset[int] = frozenset({443, 7002})  # https, and where Cocos agents listen
    allowed: tuple[IPv4Network | IPv6Network, ...] = ()
    domains: frozenset[str] | None = None


def read_agent_url(url: str) -> AgentAddress:
    """Read https://host[:port], port 443 if none is given.

    Raises EndpointError for anything else: other schemes, credentials, paths, control characters, names that are not
    plain ASCII or are encoded from something else, and numbers that some libraries would take for an IPv4 address.
    """
    match = _SHAPE.fullmatch(url) if isinstance(url, str) and len(url) <= URL_LIMIT else None
    if match is None:
        raise EndpointError(f"agent URL: expected https://host:port in lower-case ASCII, got {escape(str(url), 120)}")
    host = match["host"]
    port = int(match["port"] or _HTTPS_PORT)
    if not 0 < port <= _HIGHEST_PORT:
        raise EndpointError(f"agent URL: expected a port from 1 to 65535, got {port}")
    return AgentAddress(host=_read_literal(host[1:-1]) if host.startswith("[") else _read_host(host), port=port)


def resolve(
    address: AgentAddress, rules: AddressRules | None = None, *, lookup: Lookup | None = None
) -> tuple[str, ...]:
    """Give the IP addresses to connect to, asking once; what comes back is connected to and never asked for again.

    `rules` are for addresses that came from an API; None for one that the user typed. Raises EndpointError where the
    rules forbid it, also if they forbid only one of several addresses; UNAVAILABLE where the name has no address.
    """
    if rules is not None:
        _require_allowed_name(address, rules)
    found = tuple(dict.fromkeys((lookup or _look_up)(address.host, address.port)))
    if not found:
        raise EndpointError(f"{address}: no such host", category=Category.UNAVAILABLE)
    if rules is not None:
        for each in found:
            _require_allowed(address, ip_address(each), rules)
    return found


def _read_literal(text: str) -> str:
    try:
        return str(IPv6Address(text))
    except ValueError as error:
        raise EndpointError(f"agent URL: expected an IPv6 address in brackets: {error}") from error


def _read_host(host: str) -> str:
    last = host.rpartition(".")[2]
    if last.isdigit() or last.startswith("0x"):
        # Some resolvers read 2130706433, 127.1 and 0x7f.1 as IPv4 addresses: only the dotted quad is one here.
        try:
            return str(IPv4Address(host))
        except ValueError as error:
            raise EndpointError(f"agent URL: expected a name or an IPv4 address in full: {error}") from error
    labels = host.split(".")
    if len(host) > _NAME_LIMIT or not all(_LABEL.fullmatch(label) for label in labels):
        raise EndpointError(f"agent URL: expected a DNS name, got {host}")
    if any(label.startswith("xn--") for label in labels):
        raise EndpointError(
            f"agent URL: {host} stands for a name in other characters, which may look like another name"
        )
    return host


def _look_up(host: str, port: int) -> Sequence[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise EndpointError(f"{host}: no address: {error.strerror}", category=Category.UNAVAILABLE) from error
    return [str(address[0]) for *_, address in found]


def _require_allowed_name(address: AgentAddress, rules: AddressRules) -> None:
    if address.port not in rules.ports:
        raise EndpointError(f"agent URL: expected a port of {sorted(rules.ports)}, got {address.port}")
    domains = rules.domains
    if domains is not None and not any(address.host == name or address.host.endswith(f".{name}") for name in domains):
        raise EndpointError(f"agent URL: expected a host in {', '.join(sorted(domains))}, got {address.host}")


def _require_allowed(address: AgentAddress, found: IpAddress, rules: AddressRules) -> None:
    if not _is_allowed(found, rules):
        where = address.host if address.host == str(found) else f"{address.host}, which is {found}"
        raise EndpointError(f"agent URL: {where}: not a public address", hint="--allow-address CIDR opens more")


def _is_allowed(found: IpAddress, rules: AddressRules) -> bool:
    if any(found in network for network in rules.allowed):
        return True
    if isinstance(found, IPv6Address):
        if found.ipv4_mapped:
            return _is_allowed(found.ipv4_mapped, rules)
        if any(found in network for network in _LEADING_TO_IPV4) or found.is_site_local:
            return False
    return found.is_global and not found.is_multicast and not found.is_reserved
