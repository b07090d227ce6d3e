"""Intel's authorities by name, and how much is read of what their service sends: all that names of collateral need.

Follows "Intel SGX PCK Certificate and Certificate Revocation List Profile Specification" 1.5.
"""

from enum import StrEnum
from typing import Final

ROOT_NAME: Final = "Intel SGX Root CA"
PLATFORM_NAME: Final = "Intel SGX PCK Platform CA"
PROCESSOR_NAME: Final = "Intel SGX PCK Processor CA"
TCB_SIGNING_NAME: Final = "Intel SGX TCB Signing"

MAXIMUM_RESPONSE: Final = 256 * 1024  # bytes; the largest TCB info seen has 8 KiB


class Ca(StrEnum):
    """Which of the two authorities issued a PCK certificate, as the parameter `ca` of PCS spells it."""

    PLATFORM = "platform"
    PROCESSOR = "processor"
