import contextlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cvmproof.http.base_url import read_base_url
from cvmproof_formats.errors import Category, EndpointError


def read(url: str, *, plain_http: bool = False, path: bool = False) -> str:
    return read_base_url(url, what="address", plain_http=plain_http, plain_http_hint="why", path=path)


@pytest.mark.parametrize("url", ["https://a.example", "https://a.example:8443/", "https://[::1]:1", "https://10.0.0.1"])
def test_https_is_taken_without_the_slash_at_its_end(url: str) -> None:
    assert read(url) == url.removesuffix("/")


@pytest.mark.parametrize("path", ["/a", "/a/", "/a/b.c/~d-e_f", "/...", "/"])
def test_a_path_is_taken_where_there_may_be_one(path: str) -> None:
    assert read(f"https://a.example{path}", path=True) == f"https://a.example{path.rstrip('/')}"
    if path != "/":
        with pytest.raises(EndpointError, match="and nothing more"):
            read(f"https://a.example{path}")


@pytest.mark.parametrize(
    "path", ["/..", "/.", "/a/../b", "/a/./b", "//", "/a//b", "/%2e%2e", "/a;b", "/a\\b", "/é", "/a b"]
)
def test_a_path_that_means_another_is_refused(path: str) -> None:
    with pytest.raises(EndpointError, match="and nothing more"):
        read(f"https://a.example{path}", path=True)


@pytest.mark.parametrize(
    "url", ["https://a.example?", "https://a.example/?x", "https://a.example#", "https://a.example/#x"]
)
def test_a_query_and_a_fragment_are_refused(url: str) -> None:
    with pytest.raises(EndpointError, match="and nothing more"):
        read(url, path=True)


@pytest.mark.parametrize(
    "url", ["https://u:never-seen@a.example", "https://never-seen@a.example", "http://never-seen@127.0.0.1"]
)
def test_credentials_are_refused_and_not_shown(url: str) -> None:
    with pytest.raises(EndpointError, match="got one with a user name or password") as caught:
        read(url, plain_http=True, path=True)
    assert "never-seen" not in str(caught.value)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://[::1]:1", "http://127.8.9.10"])
def test_plain_http_is_taken_to_loopback_where_it_is_allowed(url: str) -> None:
    assert read(url, plain_http=True) == url
    with pytest.raises(EndpointError, match="expected https, got 'http'") as caught:
        read(url)
    assert (caught.value.hint, caught.value.category) == ("why", Category.ENDPOINT)


@pytest.mark.parametrize(
    "host", ["localhost", "127.1", "10.0.0.1", "[::ffff:127.0.0.1]", "127.0.0.1.example", "0x7f000001"]
)
def test_plain_http_is_refused_to_anything_else(host: str) -> None:
    with pytest.raises(EndpointError, match="expected https, got 'http'"):
        read(f"http://{host}:1", plain_http=True)


@pytest.mark.parametrize("host", ["a\\b", "a%62", "[fe80::1%25eth0]", "a*", "a$b", "a,b", "a(b"])
def test_a_host_that_libraries_read_differently_is_refused(host: str) -> None:
    with pytest.raises(EndpointError, match="address: expected"):
        read(f"https://{host}", path=True)


@given(st.text() | st.text(alphabet="htps:/[]@.%0127\0\r\n#?é\\").map("https://a".__add__))
@example("https://[")
@example("https://\ud800")
def test_any_text_is_an_address_or_an_endpoint_error(text: str) -> None:
    with contextlib.suppress(EndpointError):
        assert read(text, path=True).startswith("https://")
