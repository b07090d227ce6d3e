"""What every fake service of ours is: a server on this machine that remembers requests and misbehaves when told to."""

import logging
import ssl
from abc import ABC, abstractmethod
from collections import deque
from typing import Final, Self

from cvmproof_simulator.http_server import LOOPBACK, Request, Server
from cvmproof_simulator.misbehaviour import Answer, Misbehaviour, Rule, Rules

_log = logging.getLogger(__name__)

_REMEMBERED: Final = 10_000  # requests; older ones are forgotten
_CREDENTIALS: Final = {"authorization", "cookie", "proxy-authorization"}


class FakeService(ABC):
    """A SIMULATED service; it listens once it is made, answers in its context, and ends with it."""

    def __init__(self, name: str, *, tls: ssl.SSLContext | None = None, listen: tuple[str, int] = LOOPBACK) -> None:
        """Bind; `name` stands in every log line behind "SIMULATED". Raises OSError."""
        self._rules = Rules()
        self._received: deque[Request] = deque(maxlen=_REMEMBERED)
        self._name = f"SIMULATED {name}"
        self._server = Server(self._name, self._answer, tls=tls, listen=listen)

    def __enter__(self) -> Self:
        self._server.start()
        _log.info("%s listens on %s", self._name, self._server.url)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.stop()

    @property
    def url(self) -> str:
        """Where it listens."""
        return self._server.url

    @property
    def port(self) -> int:
        """Where it listens on 127.0.0.1."""
        return self._server.port

    @property
    def received(self) -> tuple[Request, ...]:
        """The requests so far, in order: the last 10,000."""
        return tuple(self._received.copy())

    @property
    def requests(self) -> tuple[str, ...]:
        """Paths asked for so far, in order, with their queries."""
        return tuple(request.target for request in self.received)

    @property
    def request_headers(self) -> tuple[tuple[tuple[str, str], ...], ...]:
        """Headers of the requests so far, in order."""
        return tuple(request.headers for request in self.received)

    @property
    def credentials(self) -> tuple[str, ...]:
        """Every Authorization, Proxy-Authorization and Cookie header so far: none, where no secret may go."""
        headers = (header for headers in self.request_headers for header in headers)
        return tuple(value for name, value in headers if name.lower() in _CREDENTIALS)

    def misbehave(
        self,
        misbehaviour: Misbehaviour,
        *,
        path: str = "",
        method: str = "",
        times: int | None = None,
        instead: bool = False,
    ) -> None:
        """Do this to requests whose path contains `path`, so many times, or for good; the latest said goes first.

        What was asked for is done all the same, and only the answer is lost; not done, if this happens `instead`.
        """
        rule = Rule(misbehaviour=misbehaviour, path=path, method=method, left=times, instead=instead)
        self._rules.add(rule)

    def behave(self) -> None:
        """Take back every misbehaviour."""
        self._rules.clear()

    def _answer(self, request: Request) -> Answer:
        self._received.append(request)
        rule = self._rules.take(request.method, request.target)
        return self._right_answer(request) if rule is None else rule.answer(lambda: self._right_answer(request))

    @abstractmethod
    def _right_answer(self, request: Request) -> Answer:
        """Say what a service that behaves answers."""


class Elsewhere(FakeService):
    """Somebody's server that no request should reach: it answers 404 and remembers what it was told."""

    def __init__(self, *, tls: ssl.SSLContext | None = None) -> None:
        super().__init__("stranger", tls=tls)

    def _right_answer(self, request: Request) -> Answer:
        _log.info("%s was asked for %.200r", self._name, request.target)
        return Answer(status=404, body=b"SIMULATED: nothing here\n")
