"""An httpx client as we want it: a new connection for each request, no redirects, no cookies, nothing from outside.

One deadline lies over everything: in the blocking client through its transport, in the other one through
`asyncio.timeout` around each call.
"""

import ssl
from collections.abc import Mapping
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx

from cvmproof.http.deadline_transport import DeadlineTransport, Remaining

_HEADERS = {"Accept-Encoding": "identity", "Accept": "*/*", "User-Agent": "cvmproof"}
_NO_HEADERS: Mapping[str, str] = {}


def open_client(
    context: ssl.SSLContext,
    remaining: Remaining,
    *,
    connect_timeout: float,
    read_timeout: float,
    headers: Mapping[str, str] = _NO_HEADERS,
) -> httpx.Client:
    """Make a client whose every wait ends when `remaining()` seconds are used up."""
    return httpx.Client(
        transport=DeadlineTransport(context, remaining),
        headers={**_HEADERS, **headers},
        timeout=httpx.Timeout(read_timeout, connect=connect_timeout),
        follow_redirects=False,
        trust_env=False,
        cookies=_no_cookies(),
    )


def open_async_client(
    context: ssl.SSLContext,
    *,
    connect_timeout: float,
    read_timeout: float,
    headers: Mapping[str, str] = _NO_HEADERS,
) -> httpx.AsyncClient:
    """Make a client for asyncio; the deadline is the caller's `asyncio.timeout`."""
    transport = httpx.AsyncHTTPTransport(
        verify=context, trust_env=False, http1=True, http2=False, limits=httpx.Limits(max_keepalive_connections=0)
    )
    return httpx.AsyncClient(
        transport=transport,
        headers={**_HEADERS, **headers},
        timeout=httpx.Timeout(read_timeout, connect=connect_timeout),
        follow_redirects=False,
        trust_env=False,
        cookies=_no_cookies(),
    )


def _no_cookies() -> CookieJar:
    return CookieJar(DefaultCookiePolicy(allowed_domains=()))
