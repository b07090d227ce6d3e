"""Every way in which a service of ours can misbehave: each makes something else of the right answer.

    service.misbehave(status(500), path="/crl", times=2)
    service.misbehave(slow_body(1.0))

A test may bring one of its own: any function from the right `Answer` to another.
"""

import gzip
from collections.abc import Callable
from dataclasses import dataclass, replace
from threading import Lock


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One response: what is declared, what is sent, and how."""

    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""
    declared_length: int | None = None
    """Content-Length; None: the true one."""
    pause_per_byte: float = 0.0
    """Seconds before each byte of the body."""
    pause: float = 0.0
    """Seconds before the answer."""
    endless: bool = False
    reset: bool = False


Misbehaviour = Callable[[Answer], Answer]
"""What becomes of the right answer."""


def status(code: int, *, retry_after: str | int | None = None) -> Misbehaviour:
    """Answer with another status, such as 429 with a Retry-After."""
    headers = () if retry_after is None else (("Retry-After", str(retry_after)),)
    return lambda _: Answer(status=code, headers=headers, body=b"SIMULATED failure\n")


def slow_answer(seconds: float) -> Misbehaviour:
    """Wait before answering; other requests are answered meanwhile."""
    return lambda right: replace(right, pause=seconds)


def slow_body(seconds_per_byte: float) -> Misbehaviour:
    """Send the right body one byte at a time."""
    return lambda right: replace(right, pause_per_byte=seconds_per_byte)


def endless_body() -> Misbehaviour:
    """Send a body of which no length is declared until the client has had enough."""
    return lambda right: replace(right, endless=True)


def announced_length(size: int) -> Misbehaviour:
    """Declare another length than the body has; a larger one is a body cut short."""
    return lambda right: replace(right, declared_length=size)


def cut_body(size: int) -> Misbehaviour:
    """Send only the first bytes of what was declared."""
    return lambda right: replace(right, body=right.body[:size], declared_length=len(right.body))


def html() -> Misbehaviour:
    """Answer 200 with a page for people, as a captive portal does."""
    page = b"<!DOCTYPE html><html><body>SIMULATED: please log in</body></html>"
    return lambda _: Answer(headers=(("Content-Type", "text/html"),), body=page)


def gzipped() -> Misbehaviour:
    """Send the right body compressed, which the client did not ask for."""
    return lambda right: replace(
        right, headers=(*right.headers, ("Content-Encoding", "gzip")), body=gzip.compress(right.body)
    )


def redirect(url: str) -> Misbehaviour:
    """Send the client elsewhere."""
    return lambda _: Answer(status=302, headers=(("Location", url),))


def body(data: bytes, *headers: tuple[str, str]) -> Misbehaviour:
    """Answer 200 with these bytes: another chip's certificate, a forged or a stale list."""
    return lambda _: Answer(body=data, headers=headers)


def flipped(offset: int) -> Misbehaviour:
    """Flip the lowest bit of one byte of the right body; from the end if negative."""

    def flip(right: Answer) -> Answer:
        data = bytearray(right.body)
        data[offset] ^= 1
        return replace(right, body=bytes(data))

    return flip


def with_header(name: str, value: str) -> Misbehaviour:
    """Add a header to the right answer."""
    return lambda right: replace(right, headers=(*right.headers, (name, value)))


def reset() -> Misbehaviour:
    """Reset the connection instead of answering."""
    return lambda right: replace(right, reset=True)


@dataclass(slots=True, kw_only=True)
class Rule:
    """What is to be done to some requests: those by this method ("": any) whose target contains `path`."""

    misbehaviour: Misbehaviour
    path: str
    method: str
    left: int | None
    """How many more times; None: for good."""
    instead: bool
    """Whether what was asked for is not done at all; else it is done, and its answer is what changes."""

    def holds_for(self, method: str, target: str) -> bool:
        """Whether a request is one of those."""
        return self.path in target and self.method in {"", method} and self.left != 0

    def answer(self, right: Callable[[], Answer]) -> Answer:
        """Give another answer than the right one."""
        return self.misbehaviour(Answer() if self.instead else right())


class Rules:
    """What a service was told to do, the latest first; safe to use by several threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._rules: list[Rule] = []

    def add(self, rule: Rule) -> None:
        """Put a rule before the others."""
        with self._lock:
            self._rules.insert(0, rule)

    def clear(self) -> None:
        """Forget them all."""
        with self._lock:
            self._rules.clear()

    def take(self, method: str, target: str) -> Rule | None:
        """Give the rule for one request, which counts."""
        with self._lock:
            rule = next((rule for rule in self._rules if rule.holds_for(method, target)), None)
            if rule is not None and rule.left is not None:
                rule.left -= 1
            return rule
