"""What the API says of CVMs, as values. Texts are as sent: escape them before they are shown.

Enumerations are open. The known values are listed for completion and help; others are taken as they come.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from cvmproof.prism.platform import read_platform
from cvmproof_formats.binding import Tee

# In the documentation's sample, and in Prism's web page.
KNOWN_STATUSES: Final = ("running", "online", "offline", "creating", "starting")
# `provisioned` is the sample's; the others are the agent's own states.
KNOWN_STATES: Final = (
    "provisioned",
    "Idle",
    "ReceivingManifest",
    "ReceivingAlgorithm",
    "ReceivingData",
    "Running",
    "ConsumingResults",
    "Complete",
    "Failed",
)
# The documentation's list, `aws` of its samples, and `manager`, which is what the service sends.
KNOWN_PROVIDERS: Final = ("azure", "gcp", "external", "ultraviolet", "aws", "manager")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cvm:
    """One CVM as the control plane describes it: its word, not evidence."""

    id: str
    """The record's name, used in requests; `cvm_id` is another one, by which the guest knows itself."""
    name: str = ""
    cvm_id: str = ""
    agent_url: str | None = None
    """A URL or `host:port`, as sent; None where there is none yet. Attacker text until the evidence was accepted."""
    status: str = ""
    state: str = ""
    created_at: datetime | None = None
    deleted_at: datetime | None = None
    """None: not deleted (the service sends Go's zero time)."""
    provider: str = ""
    vcpus: int | None = None
    attestation: bytes | None = field(default=None, repr=False)
    """What the agent pushed when it started: a snapshot without a nonce of ours, on which nothing is opened."""
    attestation_token: bytes | None = field(default=None, repr=False)
    agent_log_level: str = ""
    monthly_cost_estimate: str = ""
    cc_platform: str = ""
    """As sent; `tee` is what it means."""
    unreadable: tuple[str, ...] = ()
    """Which of `attestation` and `attestation_token` were there but are not base64; they are None then."""

    @property
    def tee(self) -> Tee | None:
        """The platform by its name here; None for one that is not known."""
        return read_platform(self.cc_platform)


@dataclass(frozen=True, slots=True, kw_only=True)
class CvmPage:
    """One page of a list; `total`, `limit` and `offset` as the service says."""

    cvms: tuple[Cvm, ...]
    total: int
    limit: int
    offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CvmStat:
    """Whether a CVM was online at a moment."""

    id: str
    cvm_id: str
    timestamp: datetime
    online: bool
