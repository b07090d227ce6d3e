"""One call of the API, without I/O: the request as it goes out, and what each answer to it means."""

from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, Generic, TypeVar

from cvmproof.http.retry_after import read_http_date, read_retry_after
from cvmproof.prism.errors import (
    ApiError,
    ServerFailure,
    TooManyRequests,
    UnexpectedStatus,
    Unreachable,
    error_for,
)
from cvmproof.prism.reading import read_said
from cvmproof.spelling import escape
from cvmproof_formats.errors import EndpointError

T = TypeVar("T")

# An `{"error", "message"}` has some hundred bytes; of anything longer nothing is shown anyway.
ERROR_LIMIT: Final = 16 * 1024
# A gateway's word that it may work another time; a plain 500 is likely to be the same again.
_PASSING: Final = {HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the service sent back; headers that are missing are empty."""

    status: int
    body: bytes = b""
    location: str = ""
    retry_after: str = ""
    date: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Generic[T]):
    """One request and how its answer is read; `target` is path and query behind the base URL, percent-encoded."""

    what: str
    method: str
    target: str
    status: int
    limit: int
    read: Callable[[Answer], T]
    body: bytes = b""

    @property
    def repeatable(self) -> bool:
        """Whether it may be sent again: a second POST makes a second CVM, a second DELETE answers 404."""
        return self.method == "GET"

    @property
    def doubt(self) -> str:
        """What is not known when no answer came."""
        return "" if self.repeatable else "whether it was done is not known: list the CVMs before you ask again"

    def limit_for(self, status: int) -> int:
        """Give how many bytes the body of an answer may have."""
        return self.limit if status == self.status else ERROR_LIMIT

    def needs_body(self, status: int) -> bool:
        """Say whether an answer whose body cannot be had is none; otherwise the status says enough."""
        return status == self.status and self.repeatable

    def finish(self, answer: Answer, secret: str) -> T:
        """Read an answer. Raises EndpointError, in which `secret` does not stand even if the service repeats it."""
        try:
            if answer.status != self.status:
                raise self._refusal(answer)
            return self.read(answer)
        except EndpointError as error:
            if not _repeats(answer, secret):
                raise
            loud = error
        # Outside the handler: the error that quotes the answer is not chained to this one.
        raise _without_words(loud, f"{self.what}: the answer ({answer.status}) is not what was asked for")

    def unreachable(self, why: str) -> Unreachable:
        """Make the error for a request without an answer."""
        return Unreachable(f"{self.what}: no answer: {escape(why)}", hint=self.doubt)

    def wait_before_next(self, error: Exception, *, remaining: float, longest_wait: float) -> bool | float:
        """Say whether to ask again: False, True for a wait of at most `longest_wait`, or the seconds asked for."""
        if not self.repeatable or not _passes(error):
            return False
        wait = error.wait if isinstance(error, TooManyRequests | ServerFailure) else None
        if wait is None:
            return not isinstance(error, TooManyRequests) and remaining > longest_wait
        # A little longer than asked, so that the pause is over when the wait is.
        return wait + 0.01 if wait + 0.01 < remaining else False

    def _refusal(self, answer: Answer) -> EndpointError:
        kind, said = error_for(answer.status), read_said(answer.body)
        words = ": ".join(word for word in dict.fromkeys(said) if word)
        message = f"{self.what}: expected {self.status}, got {answer.status}"
        if kind is UnexpectedStatus and answer.location:
            message += f", a redirect to {escape(answer.location, 80)!r}; none is followed"
        wait = read_retry_after(answer.retry_after, read_http_date(answer.date))
        if wait is not None and issubclass(kind, TooManyRequests | ServerFailure):
            message += f", to wait {wait:.0f} s"
        return kind(f"{message}: {words}" if words else message, status=answer.status, said=said, wait=wait)


def _passes(error: Exception) -> bool:
    if isinstance(error, ServerFailure):
        return error.status in _PASSING
    return isinstance(error, TooManyRequests | Unreachable)


def _without_words(error: EndpointError, what: str) -> EndpointError:
    message = f"{what}, and repeats the token: not shown"
    if isinstance(error, ApiError):
        return type(error)(message, status=error.status, wait=error.wait)
    return type(error)(message, category=error.category)


def _repeats(answer: Answer, secret: str) -> bool:
    return secret in answer.location or secret.encode("ascii") in answer.body
