"""What both clients are made from: the address, the token, the calls, and how long to wait."""

import ssl
from dataclasses import dataclass

from cvmproof.http.base_url import read_base_url
from cvmproof.prism.calls import MOST_PER_PAGE, Calls
from cvmproof.prism.platform import PlatformSpelling
from cvmproof.prism.token import Token
from cvmproof_formats.errors import Misuse

TIMEOUT = 30.0  # seconds for a whole call, its repetitions among them
PAGE_SIZE = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Bounds within a call's timeout, in seconds, and how often it is tried at most; only GET is tried again."""

    connect: float = 5.0
    read: float = 10.0
    attempts: int = 4
    first_wait: float = 0.5
    longest_wait: float = 4.0


class Settings:
    """One service, domain and token; nothing that changes, so that threads and tasks may share it."""

    def __init__(
        self,
        base_url: str,
        *,
        domain: str,
        token: Token,
        timeout: float,
        tls: ssl.SSLContext | None,
        pace: Pace | None,
        spelling: PlatformSpelling | None,
    ) -> None:
        """Check it all. Raises EndpointError for an address that is not one we go to, Misuse for the rest."""
        self.base_url = read_base_url(
            base_url,
            what="API address",
            plain_http=True,
            plain_http_hint="plain http, which shows the token to the network, is taken from a loopback address only",
            path=True,
        )
        self.calls = Calls(domain, spelling or PlatformSpelling())
        self.domain, self.token = domain, token
        if not 0 < timeout < float("inf"):
            raise Misuse(f"timeout: expected seconds above zero, got {timeout}")
        self.timeout = timeout
        self.pace = pace or Pace()
        self.tls = tls or ssl.create_default_context()
        if self.tls.verify_mode is not ssl.CERT_REQUIRED or not self.tls.check_hostname:
            raise Misuse("tls: expected a context that checks certificates and host names, got one that does not")

    @property
    def longest_wait(self) -> float:
        """How long a wait of our own may be; short timeouts leave room for a few."""
        return min(self.pace.longest_wait, self.timeout / 8)


def expect_page_size(page_size: int) -> int:
    """Refuse a page size that the service does not have, before anything is asked."""
    if not 1 <= page_size <= MOST_PER_PAGE:
        raise Misuse(f"page_size: expected 1 to {MOST_PER_PAGE}, got {page_size}")
    return page_size
