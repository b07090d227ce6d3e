"""Every error says whose fault it is.

    CvmproofError
      Misuse                  the caller, or the policy file, is wrong (also a ValueError)
      EvidenceError           the evidence is to blame
        Malformed             bytes that do not fit: what, where, expected, got
        (cvmproof.Rejected)   understood and refused, with the whole appraisal
      CollateralError         certificates, CRLs or TCB data are missing, stale or unreachable
        (cvmproof.Undecided)  no verdict without them, with the whole appraisal
      EndpointError           the other end of a connection, or its address
      DeviceError             the guest could not obtain evidence

Any bytes at all give a result or one of these, never another exception.
"""

from enum import StrEnum
from typing import ClassVar


class Category(StrEnum):
    """What kind of no it is; part of the `--json` contract."""

    MALFORMED = "MALFORMED"
    UNSUPPORTED = "UNSUPPORTED"
    SIZE_LIMIT = "SIZE_LIMIT"
    SIGNATURE = "SIGNATURE"
    CHAIN = "CHAIN"
    REVOKED = "REVOKED"
    EXPIRED = "EXPIRED"
    ROLLBACK = "ROLLBACK"
    COLLATERAL_MISMATCH = "COLLATERAL_MISMATCH"
    TCB = "TCB"
    DEBUG = "DEBUG"
    POLICY_MISMATCH = "POLICY_MISMATCH"
    PLATFORM = "PLATFORM"
    MEASUREMENT = "MEASUREMENT"
    IDENTITY = "IDENTITY"
    FRESHNESS = "FRESHNESS"
    BINDING = "BINDING"
    SIMULATED = "SIMULATED"
    POLICY_INVALID = "POLICY_INVALID"
    ENDPOINT = "ENDPOINT"
    UNAVAILABLE = "UNAVAILABLE"
    RATE_LIMIT = "RATE_LIMIT"
    INTERNAL = "INTERNAL"


class CvmproofError(Exception):
    """What every error of this project is; `category` is stable, `hint` says what to do next."""

    default_category: ClassVar[Category] = Category.INTERNAL

    def __init__(self, message: str, *, category: Category | None = None, hint: str = "") -> None:
        super().__init__(message)
        self.category = category or self.default_category
        self.hint = hint


class Misuse(CvmproofError, ValueError):
    """Called wrongly, or the policy is wrong."""

    default_category = Category.POLICY_INVALID


class EvidenceError(CvmproofError):
    """The evidence is to blame."""

    default_category = Category.MALFORMED


class Malformed(EvidenceError):
    """Bytes that do not fit their format, are of an unsupported version, or are too large."""


class CollateralError(CvmproofError):
    """Certificates, CRLs or TCB data are missing, stale, unreachable or not to be trusted."""

    default_category = Category.UNAVAILABLE


class EndpointError(CvmproofError):
    """The other end of a connection failed, or its address is not one we go to."""

    default_category = Category.ENDPOINT


class DeviceError(CvmproofError):
    """The guest could not obtain evidence.

    `path`, `call` and `errno` say where the kernel refused: a file or device, the call on it, the number it gave;
    empty and None where no call of the kernel's did.
    """

    default_category = Category.UNAVAILABLE

    def __init__(
        self,
        message: str,
        *,
        path: str = "",
        call: str = "",
        errno: int | None = None,
        category: Category | None = None,
        hint: str = "",
    ) -> None:
        super().__init__(message, category=category, hint=hint)
        self.path, self.call, self.errno = path, call, errno
