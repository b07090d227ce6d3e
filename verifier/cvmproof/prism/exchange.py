"""What a call looks like to httpx, for both clients. Imported only when something is asked."""

from collections.abc import Generator

import httpx

from cvmproof.http.body import BoundedBody
from cvmproof.http.failure import untrusted_certificate, why
from cvmproof.http.retrying import Waits
from cvmproof.prism.call import Answer, Call, T
from cvmproof.prism.settings import Settings
from cvmproof.prism.token import Token
from cvmproof_formats.errors import EndpointError

HEADERS = {"Accept": "application/json"}


class BearerAuth(httpx.Auth):
    """Puts the token into the request's header and nowhere else; httpx itself masks that header when it is shown."""

    def __init__(self, token: Token) -> None:
        """Take the token."""
        self._token = token

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """Add the header (RFC 6750 section 2.1)."""
        request.headers["Authorization"] = f"Bearer {self._token.reveal()}"
        yield request


def request_of(call: Call[T], settings: Settings, client: httpx.Client | httpx.AsyncClient) -> httpx.Request:
    """Write the request."""
    headers = {"Content-Type": "application/json"} if call.body else {}
    return client.build_request(
        call.method, settings.base_url + call.target, content=call.body or None, headers=headers
    )


def body_of(call: Call[T], response: httpx.Response) -> BoundedBody:
    """Make what takes the body; raises EndpointError for one that is announced too long, or encoded."""
    limit = call.limit_for(response.status_code)
    return BoundedBody(response.headers, what=call.what, limit=limit, refuse=EndpointError)


def answer_of(response: httpx.Response, body: bytes) -> Answer:
    """Take out of a response what its meaning rests on."""
    location, retry_after, date = (response.headers.get(name, "") for name in ("location", "retry-after", "date"))
    return Answer(status=response.status_code, body=body, location=location, retry_after=retry_after, date=date)


def failure_of(call: Call[T], error: httpx.HTTPError) -> EndpointError:
    """Make the error for a request that got no answer."""
    return untrusted_certificate(error, call.what) or call.unreachable(why(error))


def waits_of(settings: Settings) -> Waits:
    """Give the waits between attempts."""
    return Waits(
        attempts=settings.pace.attempts,
        deadline=settings.timeout,
        first=min(settings.pace.first_wait, settings.longest_wait),
        longest=settings.longest_wait,
    )
