"""What the API can answer instead of what was asked for: one class for each status.

All are EndpointErrors, which end a command with 5. The service's own words are in `.error` and `.message`, escaped and
cut; a body in any other form than its `{"error", "message"}` is not shown.
"""

from http import HTTPStatus
from typing import ClassVar

from cvmproof_formats.errors import Category, EndpointError


class Unreachable(EndpointError):
    """No answer: no connection, a broken one, or none in time."""

    default_category = Category.UNAVAILABLE


class ApiError(EndpointError):
    """The service answered with another status than the documented one."""

    default_hint: ClassVar[str] = ""

    def __init__(
        self,
        message: str,
        *,
        status: int = 0,
        said: tuple[str, str] = ("", ""),
        wait: float | None = None,
        hint: str = "",
    ) -> None:
        """Take the status, the service's `error` and `message`, and the seconds it asks to wait."""
        super().__init__(message, hint=hint or self.default_hint)
        self.status = status
        self.error, self.message = said
        self.wait = wait


class BadRequest(ApiError):
    """400: the service does not understand the request."""


class NotAuthenticated(ApiError):
    """401: the token is missing, wrong or expired."""

    default_hint = "tokens expire, often after an hour: issue a new one"


class NotAllowed(ApiError):
    """403: the token is good, but not for this."""

    default_hint = "look whether the token's user belongs to this domain, and whether its plan allows this"


class NotFound(ApiError):
    """404: there is no such CVM, or none with a policy."""


class Conflict(ApiError):
    """409: it contradicts what is there."""


class UnsupportedMediaType(ApiError):
    """415: the service takes another form of body."""


class Unprocessable(ApiError):
    """422: understood, but it could not be done."""


class TooManyRequests(ApiError):
    """429: asked too often; `wait` is how long to wait, None where the service did not say."""

    default_category = Category.RATE_LIMIT


class ServerFailure(ApiError):
    """5xx: the service failed."""

    default_category = Category.UNAVAILABLE


class UnexpectedStatus(ApiError):
    """Any other status, redirects among them: none is followed."""


_BY_STATUS: dict[int, type[ApiError]] = {
    HTTPStatus.BAD_REQUEST: BadRequest,
    HTTPStatus.UNAUTHORIZED: NotAuthenticated,
    HTTPStatus.FORBIDDEN: NotAllowed,
    HTTPStatus.NOT_FOUND: NotFound,
    HTTPStatus.CONFLICT: Conflict,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: UnsupportedMediaType,
    HTTPStatus.UNPROCESSABLE_ENTITY: Unprocessable,
    HTTPStatus.TOO_MANY_REQUESTS: TooManyRequests,
}


def error_for(status: int) -> type[ApiError]:
    """Give the class for a status."""
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    return ServerFailure if HTTPStatus.INTERNAL_SERVER_ERROR <= status < 600 else UnexpectedStatus  # noqa: PLR2004 -- RFC 9110 section 15.6: all that start with 5
