"""The errors of cvmproof; `cvmproof_formats.errors` draws the tree.

`Rejected` and `Undecided` carry the whole appraisal: every check, not only the first that failed.
"""

from typing import TYPE_CHECKING

from cvmproof_formats.errors import (
    Category,
    CollateralError,
    CvmproofError,
    DeviceError,
    EndpointError,
    EvidenceError,
    Malformed,
    Misuse,
)

if TYPE_CHECKING:
    from cvmproof.appraisal import Appraisal

__all__ = [
    "Category",
    "CollateralError",
    "CvmproofError",
    "DeviceError",
    "EndpointError",
    "EvidenceError",
    "Malformed",
    "Misuse",
    "Rejected",
    "Undecided",
]


class Rejected(EvidenceError):
    """Understood and refused; `appraisal` holds every reason."""

    def __init__(self, message: str, *, appraisal: "Appraisal", category: Category) -> None:
        super().__init__(message, category=category)
        self.appraisal = appraisal


class Undecided(CollateralError):
    """Neither accepted nor refused, because something needed was not at hand; `appraisal` says what."""

    def __init__(self, message: str, *, appraisal: "Appraisal", category: Category) -> None:
        super().__init__(message, category=category)
        self.appraisal = appraisal
