import socket
from ipaddress import ip_network

import pytest

from cvmproof.channel.address import URL_LIMIT, AddressRules, AgentAddress, read_agent_url, resolve
from cvmproof_formats.errors import Category, EndpointError

RULES = AddressRules()


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("https://cvm.example.com:7002", "cvm.example.com", 7002),
        ("https://cvm.example.com", "cvm.example.com", 443),
        ("https://cvm.example.com:7002/", "cvm.example.com", 7002),
        ("https://127.0.0.1:1", "127.0.0.1", 1),
        ("https://[::1]:65535", "::1", 65535),
        ("https://[2001:db8:0:0::1]", "2001:db8::1", 443),
        ("https://localhost:443", "localhost", 443),
        ("https://a-b.c3:443", "a-b.c3", 443),
    ],
)
def test_an_agent_url_is_a_host_and_a_port(url: str, host: str, port: int) -> None:
    assert read_agent_url(url) == AgentAddress(host=host, port=port)


@pytest.mark.parametrize(
    "url",
    [
        "http://cvm.example.com:7002",
        "grpc://cvm.example.com:7002",
        "HTTPS://cvm.example.com",
        "https:cvm.example.com",
        "//cvm.example.com",
        "cvm.example.com:7002",
        "",
        "https://",
        "https://:443",
        "https://user@cvm.example.com",
        "https://user:password@cvm.example.com:7002",
        "https://cvm.example.com:0",
        "https://cvm.example.com:65536",
        "https://cvm.example.com:+443",
        "https://cvm.example.com:4_43",
        "https://cvm.example.com:٤٤٣",
        "https://cvm.example.com:",
        "https://cvm.example.com/path",
        "https://cvm.example.com?query",
        "https://cvm.example.com#fragment",
        "https://cvm.example.com\\@evil.example",
        "https://cvm.example.com\r\nHost: evil.example",
        "https://cvm.example.com\n",
        " https://cvm.example.com",
        "https://cvm.example.com ",
        "https://cvm.example.com.",
        "https://.cvm.example.com",
        "https://cvm..example.com",
        "https://-cvm.example.com",
        "https://cvm_1.example.com",
        "https://2130706433",
        "https://127.1:443",
        "https://0x7f.1",
        "https://127.0.0.0x1",
        "https://0x7f000001",
        "https://127.0.0.01",
        "https://127.0.0.256",
        "https://1.2.3.4.5",
        "https://[127.0.0.1]",
        "https://[::1",
        "https://::1",
        "https://[::1%25lo]",
        "https://[fe80::1%eth0]",
        "https://[v1.a]",
        "https://сvm.example.com",  # noqa: RUF001 -- a Cyrillic letter is the point
        "https://xn--vm-vlc.example.com",
        "https://cvm.example.com\0",
        "https://" + "a." * URL_LIMIT + "example",
        "https://" + "a" * 64 + ".example",
    ],
)
def test_ac_112_whatever_else_an_agent_url_says_is_refused(url: str) -> None:
    with pytest.raises(EndpointError, match="agent URL") as caught:
        read_agent_url(url)
    assert caught.value.category is Category.ENDPOINT
    assert "\n" not in str(caught.value)


def refused(url: str, *found: str, rules: AddressRules = RULES) -> None:
    address = read_agent_url(url)
    with pytest.raises(EndpointError, match="agent URL") as caught:
        resolve(address, rules, lookup=lambda *_: found)
    assert caught.value.category is Category.ENDPOINT


NOT_PUBLIC = [
    "127.0.0.1",
    "127.255.255.254",
    "0.0.0.0",  # noqa: S104 -- nothing listens here
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "169.254.169.254",
    "192.0.2.1",
    "198.18.0.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::1",
    "::",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "fe80::1",
    "fec0::1",
    "fd00::1",
    "fc00::1",
    "ff02::1",
    "2001:db8::1",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
    "2001:0:7f00:1::",
]


@pytest.mark.parametrize("found", NOT_PUBLIC)
def test_ac_112_an_address_from_an_api_must_be_public(found: str) -> None:
    refused(f"https://[{found}]" if ":" in found else f"https://{found}", found)


@pytest.mark.parametrize("found", NOT_PUBLIC)
def test_ac_112_a_name_from_an_api_that_leads_inside_is_refused(found: str) -> None:
    refused("https://cvm.example.com:7002", found)
    refused("https://cvm.example.com:7002", "8.8.8.8", found)


@pytest.mark.parametrize("found", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8"])
def test_a_public_address_from_an_api_is_gone_to(found: str) -> None:
    assert resolve(read_agent_url("https://cvm.example.com"), RULES, lookup=lambda *_: (found,)) == (found,)


@pytest.mark.parametrize("port", [22, 80, 8443, 7003])
def test_ac_112_a_port_that_is_not_named_is_refused(port: int) -> None:
    refused(f"https://cvm.example.com:{port}", "8.8.8.8")
    rules = AddressRules(ports=frozenset({port}))
    assert resolve(read_agent_url(f"https://cvm.example.com:{port}"), rules, lookup=lambda *_: ("8.8.8.8",))


def test_an_operator_can_open_networks() -> None:
    rules = AddressRules(allowed=(ip_network("10.1.0.0/16"), ip_network("fd00:1::/32")))
    for inside in ("10.1.2.3", "fd00:1::5", "::ffff:10.1.2.3"):
        assert resolve(read_agent_url("https://cvm.example.com"), rules, lookup=lambda *_, ip=inside: (ip,))
    refused("https://cvm.example.com", "10.2.0.1", rules=rules)
    refused("https://cvm.example.com", "fd00:2::5", rules=rules)


@pytest.mark.parametrize("host", ["x.example.com.evil.net", "xexample.com", "example.com.evil.net", "example.net"])
def test_ac_112_a_host_that_only_contains_the_domain_is_refused(host: str) -> None:
    rules = AddressRules(domains=frozenset({"example.com"}))
    refused(f"https://{host}", "8.8.8.8", rules=rules)
    for good in ("example.com", "x.example.com"):
        assert resolve(read_agent_url(f"https://{good}"), rules, lookup=lambda *_: ("8.8.8.8",))


def test_ac_112_a_name_is_resolved_once() -> None:
    asked = []

    def rebinding(host: str, port: int) -> tuple[str, ...]:
        asked.append((host, port))
        return ("8.8.8.8",) if len(asked) == 1 else ("127.0.0.1",)

    assert resolve(read_agent_url("https://cvm.example.com"), RULES, lookup=rebinding) == ("8.8.8.8",)
    assert asked == [("cvm.example.com", 443)]


@pytest.mark.parametrize("found", ["127.0.0.1", "10.0.0.1", "fd00::1"])
def test_an_address_that_the_user_typed_is_the_users(found: str) -> None:
    assert resolve(read_agent_url("https://cvm.example.com:1"), lookup=lambda *_: (found,)) == (found,)


def test_a_name_without_an_address_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EndpointError, match="no such host") as caught:
        resolve(read_agent_url("https://cvm.example.com"), lookup=lambda *_: ())
    assert caught.value.category is Category.UNAVAILABLE

    def fails(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", fails)
    with pytest.raises(EndpointError, match="Name or service not known") as caught:
        resolve(read_agent_url("https://cvm.example.com"))
    assert caught.value.category is Category.UNAVAILABLE


def test_this_machine_is_found_by_its_name() -> None:
    assert set(resolve(read_agent_url("https://localhost:1"))) <= {"127.0.0.1", "::1"}


def test_an_address_is_spelled_as_in_a_url() -> None:
    assert str(AgentAddress(host="::1", port=1)) == "[::1]:1"
    assert str(AgentAddress(host="a.b", port=1)) == "a.b:1"
