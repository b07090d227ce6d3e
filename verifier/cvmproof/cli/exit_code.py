"""Exit codes, the same for every command, and which error leads to which."""

from enum import IntEnum

from cvmproof.errors import CollateralError, CvmproofError, EndpointError, EvidenceError, Misuse, Rejected
from cvmproof_formats.errors import DeviceError


class ExitCode(IntEnum):
    """What a command comes to."""

    ACCEPTED = 0
    MISUSE = 1
    MALFORMED = 2
    REJECTED = 3
    UNDECIDED = 4
    ENDPOINT = 5
    INTERNAL = 70


_BY_ERROR = (
    (Misuse, ExitCode.MISUSE),
    (Rejected, ExitCode.REJECTED),
    (EvidenceError, ExitCode.MALFORMED),
    (CollateralError, ExitCode.UNDECIDED),
    (EndpointError, ExitCode.ENDPOINT),
    (DeviceError, ExitCode.ENDPOINT),
)


def exit_code_of(error: CvmproofError) -> ExitCode:
    """Give the exit code for an error: whose fault it is decides."""
    return next((code for kind, code in _BY_ERROR if isinstance(error, kind)), ExitCode.INTERNAL)
