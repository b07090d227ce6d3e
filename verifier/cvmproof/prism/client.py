"""The CVMs API, blocking.

    with PrismClient("https://prism.ultraviolet.rs/backends", domain=domain, token=Token.from_file(path)) as prism:
        for cvm in prism.cvms():
            print(cvm.id, cvm.status)

Every method raises EndpointError: `errors.ApiError` for an answer with another status, Unreachable for none, itself for
one that is not what the documentation says; and Misuse, before anything is sent, for what cannot be asked for. httpx is
loaded with this module.
"""

import ssl
import time
from collections.abc import Iterator
from typing import Self

import httpx

from cvmproof.http.client import open_client
from cvmproof.http.retrying import retrying
from cvmproof.prism.call import Call, T
from cvmproof.prism.calls import Filters
from cvmproof.prism.cvm import Cvm, CvmPage, CvmStat
from cvmproof.prism.exchange import HEADERS, BearerAuth, answer_of, body_of, failure_of, request_of, waits_of
from cvmproof.prism.paging import Paging
from cvmproof.prism.platform import PlatformSpelling
from cvmproof.prism.settings import PAGE_SIZE, TIMEOUT, Pace, Settings, expect_page_size
from cvmproof.prism.token import Token
from cvmproof.spelling import escape
from cvmproof_formats.errors import EndpointError, Misuse


class PrismClient:
    """Asks one service about one domain; may be shared by threads. Each call has its own connection and deadline."""

    def __init__(
        self,
        base_url: str,
        *,
        domain: str,
        token: Token,
        timeout: float = TIMEOUT,
        tls: ssl.SSLContext | None = None,
        pace: Pace | None = None,
        spelling: PlatformSpelling | None = None,
    ) -> None:
        """Take the base URL, the domain's id, the token, and seconds for each call.

        Raises EndpointError for an address that is neither https nor http to a loopback address, Misuse for a domain
        that cannot stand in a path or a `tls` that does not check certificates.
        """
        self._settings = Settings(
            base_url, domain=domain, token=token, timeout=timeout, tls=tls, pace=pace, spelling=spelling
        )
        self._closed = False

    @property
    def base_url(self) -> str:
        """Where the API is."""
        return self._settings.base_url

    @property
    def domain(self) -> str:
        """Which domain it is asked about."""
        return self._settings.domain

    def create(
        self, *, name: str, provider: str, vcpus: int, cc_platform: str, agent_log_level: str = "info"
    ) -> str | None:
        """Create a CVM; give its id if the service says it, which its documentation does not promise.

        Sent once: where no answer came, `cvms(name=...)` tells whether it was made.
        """
        return self._perform(
            self._settings.calls.create(
                name=name, provider=provider, vcpus=vcpus, cc_platform=cc_platform, agent_log_level=agent_log_level
            )
        )

    def page(
        self,
        *,
        limit: int | None = None,
        offset: int | None = None,
        name: str | None = None,
        status: str | None = None,
        days: int | None = None,
        cc_platform: str | None = None,
    ) -> CvmPage:
        """Get one page of the list, of at most 100 records."""
        filters = Filters(name=name, status=status, days=days, cc_platform=cc_platform)
        return self._perform(self._settings.calls.page(filters, limit=limit, offset=offset))

    def cvms(
        self,
        *,
        name: str | None = None,
        status: str | None = None,
        days: int | None = None,
        cc_platform: str | None = None,
        page_size: int = PAGE_SIZE,
    ) -> Iterator[Cvm]:
        """Go through the list page by page: no id twice, though it changes meanwhile, and at most 1,000 pages."""
        filters = Filters(name=name, status=status, days=days, cc_platform=cc_platform)
        self._settings.calls.page(filters, limit=expect_page_size(page_size), offset=0)  # what is wrong is said now
        return self._through(filters, page_size)

    def view(self, cvm: str) -> Cvm:
        """Get one record by its id."""
        return self._perform(self._settings.calls.view(cvm))

    def delete(self, cvm: str) -> None:
        """Delete a CVM. Sent once: a second time would be answered with 404."""
        self._perform(self._settings.calls.delete(cvm))

    def statistics(self, cvm: str, *, days: int | None = None) -> tuple[CvmStat, ...]:
        """Get when a CVM was online, over so many days."""
        return self._perform(self._settings.calls.statistics(cvm, days=days))

    def attestation_policy(self, cvm: str) -> bytes:
        """Get the bytes of the policy the control plane has for a CVM, at most 1 MiB; empty: it has none."""
        return self._perform(self._settings.calls.attestation_policy(cvm))

    def close(self) -> None:
        """Ask nothing more; no connection outlives its call."""
        self._closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"PrismClient({self._settings.base_url!r}, domain={escape(self._settings.domain)!r})"

    def _through(self, filters: Filters, page_size: int) -> Iterator[Cvm]:
        paging = Paging(page_size)
        while paging.offset is not None:
            call = self._settings.calls.page(filters, limit=page_size, offset=paging.offset)
            yield from paging.take(self._perform(call))

    def _perform(self, call: Call[T]) -> T:
        if self._closed:
            raise Misuse(f"{call.what}: the client is closed")
        settings, ends = self._settings, time.monotonic() + self._settings.timeout

        def remaining() -> float:
            return ends - time.monotonic()

        def wait(error: Exception) -> bool | float:
            return call.wait_before_next(error, remaining=remaining(), longest_wait=settings.longest_wait)

        pace = settings.pace
        with open_client(
            settings.tls, remaining, connect_timeout=pace.connect, read_timeout=pace.read, headers=HEADERS
        ) as http:
            http.auth = BearerAuth(settings.token)
            return retrying(waits_of(settings))(wait, self._once, call, http)

    def _once(self, call: Call[T], http: httpx.Client) -> T:
        try:
            response = http.send(request_of(call, self._settings, http), stream=True)
            try:
                answer = answer_of(response, _read_body(call, response))
            finally:
                response.close()
        except httpx.HTTPError as error:
            raise failure_of(call, error) from error
        return call.finish(answer, self._settings.token.reveal())


def _read_body(call: Call[T], response: httpx.Response) -> bytes:
    try:
        body = body_of(call, response)
        for chunk in response.iter_raw():
            body.take(chunk)
    except EndpointError:
        if call.needs_body(response.status_code):
            raise
        return b""
    return body.data
