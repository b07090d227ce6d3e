"""What an answer of the service can mean when it is not the object."""

from cvmproof_formats.errors import CollateralError


class TryLaterError(CollateralError):
    """It may work another time; `wait` is how many seconds the service asked for, None if it did not say.

    `limited`: there were too many requests, so that an early repetition only makes it worse.
    """

    def __init__(self, message: str, *, wait: float | None = None, limited: bool = False) -> None:
        super().__init__(message)
        self.wait = wait
        self.limited = limited


class NotThereError(CollateralError):
    """The service answered that it has no such object."""
