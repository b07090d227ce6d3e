"""Exit codes, the same as those of the other commands of this distribution, and which error leads to which."""

from enum import IntEnum

from cvmproof_formats.errors import CvmproofError, DeviceError, EndpointError, EvidenceError, Misuse


class ExitCode(IntEnum):
    """What a command comes to."""

    DONE = 0
    MISUSE = 1
    MALFORMED = 2
    REFUSED = 3
    ENDPOINT = 5
    INTERNAL = 70


_BY_ERROR = (
    (Misuse, ExitCode.MISUSE),
    (EvidenceError, ExitCode.MALFORMED),
    (EndpointError, ExitCode.ENDPOINT),
    (DeviceError, ExitCode.ENDPOINT),
)


def exit_code_of(error: CvmproofError) -> ExitCode:
    """Give the exit code for an error: whose fault it is decides."""
    return next((code for kind, code in _BY_ERROR if isinstance(error, kind)), ExitCode.INTERNAL)
