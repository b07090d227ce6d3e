import contextlib
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cvmproof.collateral.endpoint import AMD_KDS, INTEL_PCS, Services, read_endpoint, read_pccs
from cvmproof.trust import TrustRoots
from cvmproof_formats.errors import Category, EndpointError


@pytest.mark.parametrize("url", [AMD_KDS, "https://kds.example:8443", "https://kds.example/", "https://[::1]:8443"])
@pytest.mark.parametrize("trust", [TrustRoots.production(), TrustRoots.simulated()], ids=lambda trust: trust.name)
def test_https_is_taken_whatever_the_trust_set(url: str, trust: TrustRoots) -> None:
    assert read_endpoint(url, trust).url == url.removesuffix("/")


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000", "http://[::1]:8000"])
def test_plain_http_is_taken_from_loopback_under_simulated_trust(url: str) -> None:
    assert read_endpoint(url, TrustRoots.simulated()).url == url


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000", "http://[::1]:8000", "http://kdsintf.amd.com"])
def test_ac_113_plain_http_is_refused_under_production_trust(url: str) -> None:
    with pytest.raises(EndpointError, match="expected https, got 'http'") as caught:
        read_endpoint(url, TrustRoots.production())
    assert caught.value.category is Category.ENDPOINT


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost:8000",
        "http://127.1:8000",
        "http://2130706433",
        "http://0x7f.1",
        "http://10.0.0.1",
        "http://127.0.0.1.example",
        "http://kdsintf.amd.com",
        "http://[::ffff:127.0.0.1]:8000",
        "ftp://127.0.0.1",
        "file://127.0.0.1",
        "unix://127.0.0.1",
        "127.0.0.1:8000",
    ],
)
def test_ac_113_plain_http_is_refused_where_the_address_is_not_literally_loopback(url: str) -> None:
    with pytest.raises(EndpointError, match="KDS address: expected https") as caught:
        read_endpoint(url, TrustRoots.simulated())
    assert caught.value.category is Category.ENDPOINT


@pytest.mark.parametrize(
    "url",
    [
        "",
        "https://",
        "https:///path",
        "https://user@kds.example",
        "https://user:secret@kds.example",
        "https://@kds.example",
        "https://kds.example/path",
        "https://kds.example?x=1",
        "https://kds.example#x",
        "https://kds.example:port",
        "https://kds.example:99999",
        "https://kds.example:0",
        "https://kds..example",
        "https://" + "k" * 64 + ".example",
        "https://kds example",
        "https://kds.example\r\nX: y",
        "https://kds.exämple",
        "https://[::1",
    ],
)
def test_an_address_that_is_more_or_less_than_a_host_is_refused(url: str) -> None:
    with pytest.raises(EndpointError, match="KDS address") as caught:
        read_endpoint(url, TrustRoots.simulated())
    assert caught.value.category is Category.ENDPOINT


@given(st.text() | st.text(alphabet="htps:/[]@.%0127\0\r\n#?é").map("http://127.0.0.1".__add__))
@example("https://[")
@example("https://\ud800")
def test_any_text_is_an_address_or_an_endpoint_error(text: str) -> None:
    with contextlib.suppress(EndpointError):
        assert read_endpoint(text, TrustRoots.production()).url.startswith("https://")


@pytest.mark.parametrize("ending", ["", "/", "/sgx/certification/v4", "/sgx/certification/v4/"])
def test_a_pccs_address_may_end_as_it_is_usually_written(ending: str) -> None:
    assert read_pccs(f"https://pccs.example:8081{ending}", TrustRoots.production()).url == "https://pccs.example:8081"
    below = read_pccs(f"https://x.example/intel{ending}", TrustRoots.production())
    assert below.url == "https://x.example/intel"


@pytest.mark.parametrize(("read", "service"), [(read_endpoint, "KDS"), (read_pccs, "PCCS")])
def test_ac_113_whoever_writes_plain_http_is_told_where_it_may_be(
    read: Callable[[str, TrustRoots], object], service: str
) -> None:
    with pytest.raises(EndpointError) as caught:
        read("http://10.0.0.1", TrustRoots.simulated())
    assert caught.value.args[0] == f"{service} address: expected https, got 'http'"
    assert caught.value.hint == f"plain http is for a fake {service} on a loopback address with simulated trust only"


def test_ac_113_every_address_of_services_is_looked_at() -> None:
    assert (Services().kds, Services().pccs) == (AMD_KDS, INTEL_PCS)
    Services().expect_addresses(TrustRoots.production())
    for services in (Services(kds="http://127.0.0.1:1"), Services(pccs="http://127.0.0.1:1")):
        services.expect_addresses(TrustRoots.simulated())
        with pytest.raises(EndpointError, match="expected https"):
            services.expect_addresses(TrustRoots.production())
