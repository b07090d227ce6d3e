"""One object over HTTP: one GET, bounded in size and time, refused unless it is plainly what was asked for.

No redirect is followed, nothing compressed is taken, no cookie kept, no credential sent, no proxy or certificate
setting read from the environment. Imported only when something is fetched.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus

import httpx

from cvmproof.collateral.answer import NotThereError, TryLaterError
from cvmproof.http.body import BoundedBody
from cvmproof.http.failure import untrusted_certificate, why
from cvmproof.http.retry_after import read_retry_after
from cvmproof_formats.errors import CollateralError

# A DER SEQUENCE, that in hexadecimal, PEM, or JSON.
_LOOKS_RIGHT = (b"\x30\x82", b"\x30\x81", b"308", b"-----BEGIN ", b"{")
# Intel says so of evaluation numbers that it no longer serves.
_NOT_THERE = (HTTPStatus.NOT_FOUND, HTTPStatus.GONE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Downloaded:
    """What was answered; names of headers count in either case."""

    body: bytes
    headers: Mapping[str, str]


def download(
    client: httpx.Client, url: str, *, limit: int, now: datetime, progress: Callable[[int], None]
) -> Downloaded:
    """Get one object of at most `limit` bytes; `progress` is told the bytes so far.

    Raises CollateralError for an answer that is not the object (NotThereError, TryLaterError where it says so),
    EndpointError for a server that cannot prove its name.
    """
    try:
        with client.stream("GET", url) as response:
            _expect_ok(response, url, now)
            body = _read_body(response, url, limit, progress)
    except httpx.HTTPError as error:
        later = TryLaterError(f"{url}: could not be had: {why(error)}")
        raise untrusted_certificate(error, url) or later from error
    if not body.startswith(_LOOKS_RIGHT):
        kind = response.headers.get("content-type", "no content type")
        raise CollateralError(f"{url}: expected a certificate or a list, got something else ({kind!r:.80})")
    return Downloaded(body=body, headers=response.headers)


def _expect_ok(response: httpx.Response, url: str, now: datetime) -> None:
    status = response.status_code
    if status in _NOT_THERE:
        raise NotThereError(f"{url}: the service has no such object ({status})")
    if status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
        wait = read_retry_after(response.headers.get("retry-after", ""), now)
        until = "" if wait is None else f", and asks to wait until {now + timedelta(seconds=wait):%Y-%m-%d %H:%M:%S %Z}"
        raise TryLaterError(f"{url}: the service has had too many requests ({status}){until}", wait=wait, limited=True)
    if response.has_redirect_location:
        target = response.headers["location"]
        raise CollateralError(f"{url}: expected the object, got a redirect to {target!r:.120}; none is followed")
    if response.is_server_error:
        raise TryLaterError(f"{url}: the service failed ({status})")
    if status != HTTPStatus.OK:
        raise CollateralError(f"{url}: expected 200, got {status}")


def _read_body(response: httpx.Response, url: str, limit: int, progress: Callable[[int], None]) -> bytes:
    body = BoundedBody(response.headers, what=url, limit=limit, refuse=CollateralError)
    for chunk in response.iter_raw():
        progress(body.take(chunk))
    return body.data
