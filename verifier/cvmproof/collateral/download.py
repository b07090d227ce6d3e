"""One object over HTTP: one GET, bounded in size and time, refused unless it is plainly what was asked for.

No redirect is followed, nothing compressed is taken, no cookie kept, no credential sent, no proxy or certificate
setting read from the environment. Imported only when something is fetched.
"""

import re
import ssl
from collections.abc import Callable
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx

from cvmproof.collateral.answer import NotThereError, TryLaterError
from cvmproof.collateral.transport import DeadlineTransport
from cvmproof_formats.errors import CollateralError, EndpointError

_HEADERS = {"Accept-Encoding": "identity", "Accept": "*/*", "User-Agent": "cvmproof"}
_LOOKS_RIGHT = (b"\x30", b"-----BEGIN ")  # a DER SEQUENCE, or PEM
_SECONDS = re.compile(r"[0-9]{1,10}", re.ASCII)  # RFC 9110 section 10.2.3, delay-seconds; ten digits are 300 years
_LENGTH = re.compile(r"[0-9]{1,20}", re.ASCII)


def open_client(
    context: ssl.SSLContext, remaining: Callable[[], float], *, connect_timeout: float, read_timeout: float
) -> httpx.Client:
    """Make a client whose every wait ends when `remaining()` seconds are used up."""
    return httpx.Client(
        transport=DeadlineTransport(context, remaining),
        headers=_HEADERS,
        timeout=httpx.Timeout(read_timeout, connect=connect_timeout),
        follow_redirects=False,
        trust_env=False,
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
    )


def download(client: httpx.Client, url: str, *, limit: int, now: datetime, progress: Callable[[int], None]) -> bytes:
    """Get one object of at most `limit` bytes; `progress` is told the bytes so far.

    Raises CollateralError for an answer that is not the object (NotThereError, TryLaterError where it says so),
    EndpointError for a server that cannot prove its name.
    """
    try:
        with client.stream("GET", url) as response:
            _expect_ok(response, url, now)
            body = _read_body(response, url, limit, progress)
    except httpx.HTTPError as error:
        raise _unreachable(error, url) from error
    if not body.startswith(_LOOKS_RIGHT):
        kind = response.headers.get("content-type", "no content type")
        raise CollateralError(f"{url}: expected a certificate or a list, got something else ({kind!r:.80})")
    return body


def _expect_ok(response: httpx.Response, url: str, now: datetime) -> None:
    status = response.status_code
    if status == HTTPStatus.NOT_FOUND:
        raise NotThereError(f"{url}: the service has no such object (404)")
    if status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
        wait = _retry_after(response.headers.get("retry-after", ""), now)
        until = "" if wait is None else f", and asks to wait until {now + timedelta(seconds=wait):%Y-%m-%d %H:%M:%S %Z}"
        raise TryLaterError(f"{url}: the service has had too many requests ({status}){until}", wait=wait, limited=True)
    if response.has_redirect_location:
        target = response.headers["location"]
        raise CollateralError(f"{url}: expected the object, got a redirect to {target!r:.120}; none is followed")
    if response.is_server_error:
        raise TryLaterError(f"{url}: the service failed ({status})")
    if status != HTTPStatus.OK:
        raise CollateralError(f"{url}: expected 200, got {status}")
    encoding = response.headers.get("content-encoding", "identity")
    if encoding != "identity":
        raise CollateralError(f"{url}: expected plain bytes, got them encoded ({encoding!r:.40})")


def _read_body(response: httpx.Response, url: str, limit: int, progress: Callable[[int], None]) -> bytes:
    body = b""
    declared = response.headers.get("content-length", "")
    if _LENGTH.fullmatch(declared) and int(declared) > limit:
        raise CollateralError(f"{url}: expected at most {limit} bytes, got {declared} announced")
    for chunk in response.iter_raw():
        body += chunk
        if len(body) > limit:
            raise CollateralError(f"{url}: expected at most {limit} bytes, got more")
        progress(len(body))
    return body


def _retry_after(value: str, now: datetime) -> float | None:
    if _SECONDS.fullmatch(value):
        return float(value)
    try:
        return max((parsedate_to_datetime(value) - now).total_seconds(), 0.0)
    except (ValueError, TypeError):
        return None  # nothing that RFC 9110 section 10.2.3 knows


def _unreachable(error: httpx.HTTPError, url: str) -> CollateralError | EndpointError:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return EndpointError(f"{url}: the server's certificate is not trusted: {cause.verify_message}")
        cause = cause.__cause__ or cause.__context__
    return TryLaterError(f"{url}: could not be had: {str(error) or type(error).__name__}")
