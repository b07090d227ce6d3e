"""CVM records of the fake Prism: the fields of its API in the two spellings that are known, and what holds them.

`documented` is the API's own documentation. `observed` is what a live service showed in August 2025: an agent_url
without scheme, the agent's state as `state`, a record id that is not the machine's id. What is not known is made up:
the words for a CVM that is being created, and the observed cc_platform, which is the label that stood on the page.
"""

import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta
from threading import RLock
from typing import Final, Literal, TypedDict, Unpack
from uuid import uuid4

from cvmproof_formats.errors import Misuse

Spelling = Literal["documented", "observed"]
Blob = bytes | str
"""Bytes, which are encoded in base64; or the text that is sent in place of base64, right or wrong."""

PROVIDERS: Final = {"aws", "azure", "external", "gcp", "manager", "ultraviolet"}
# Spellings of one platform: the documentation's prose, its example, and the label that was seen.
PLATFORMS: Final[Mapping[str, str]] = {
    "amd sev_snp": "sev-snp",
    "sev snp": "sev-snp",
    "sev-snp": "sev-snp",
    "sev_snp": "sev-snp",
    "snp": "sev-snp",
    "snp (amd secure nested paging)": "sev-snp",
    "intel tdx": "tdx",
    "intel-tdx": "tdx",
    "tdx": "tdx",
}
_LABELS: Final[Mapping[str, str]] = {"sev-snp": "SNP (AMD Secure Nested Paging)", "tdx": "Intel TDX"}
NOT_DELETED: Final = "0001-01-01T00:00:00Z"  # the zero time of the language that Prism is written in
_HOST = r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)"
_HOST_AND_PORT = re.compile(rf"{_HOST}:[0-9]{{1,5}}")
_PLAIN_URL = re.compile(rf"https://({_HOST})(:[0-9]{{1,5}})?")


class CvmFields(TypedDict, total=False):
    """What can be said about a CVM; the rest is made up."""

    id: str
    cvm_id: str
    agent_url: str
    status: str
    state: str
    created_at: datetime
    deleted_at: datetime | None
    provider: str
    vcpus: int
    attestation: Blob
    attestation_token: Blob
    agent_log_level: str
    monthly_cost_estimate: str
    cc_platform: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PrismCvm:
    """A record in the order of the API's documentation; each text is sent as it stands here."""

    id: str
    name: str
    cvm_id: str
    agent_url: str = ""
    status: str
    state: str
    created_at: datetime
    deleted_at: datetime | None = None
    provider: str
    vcpus: int = 2
    attestation: Blob = b""
    attestation_token: Blob = b""
    agent_log_level: str = "info"
    monthly_cost_estimate: str
    cc_platform: str = "sev-snp"

    def as_json(self) -> dict[str, object]:
        """The object of the API."""
        return {each.name: _as_value(getattr(self, each.name)) for each in fields(self)}


def _as_value(value: object) -> object:
    if isinstance(value, bytes):
        return as_base64(value)
    if isinstance(value, datetime):
        return as_time(value)
    return NOT_DELETED if value is None else value


def as_base64(blob: Blob) -> str:
    """Encode bytes; a text stays what it is."""
    return blob if isinstance(blob, str) else b64encode(blob).decode()


def as_time(moment: datetime) -> str:
    """RFC 3339 in UTC, with as many places of the second as it needs."""
    text = moment.astimezone(UTC).replace(tzinfo=None).isoformat()
    return f"{text.rstrip('0') if '.' in text else text}Z"


def new_cvm(name: str, given: CvmFields, spelling: Spelling, now: datetime) -> PrismCvm:
    """Make up what was not given, and put agent_url, provider and cc_platform into a spelling."""
    return _documented(name, given, now) if spelling == "documented" else _observed(name, given, now)


def _documented(name: str, given: CvmFields, now: datetime) -> PrismCvm:
    record_id = given.get("id", str(uuid4()))
    made_up = PrismCvm(
        id=record_id,
        name=name,
        cvm_id=record_id,
        status="running",
        state="provisioned",
        created_at=now.replace(microsecond=0),
        provider="ultraviolet",
        monthly_cost_estimate="$12.34",
    )
    cvm = replace(made_up, **given)
    without_scheme = _HOST_AND_PORT.fullmatch(cvm.agent_url)
    return replace(cvm, agent_url=f"https://{cvm.agent_url}" if without_scheme else cvm.agent_url)


def _observed(name: str, given: CvmFields, now: datetime) -> PrismCvm:
    made_up = PrismCvm(
        id=str(uuid4()),
        name=name,
        cvm_id=str(uuid4()),
        status="online",
        state="ReceivingManifest",
        created_at=now,
        provider="manager",
        monthly_cost_estimate="$",
    )
    cvm = replace(made_up, **given)
    plain = _PLAIN_URL.fullmatch(cvm.agent_url)
    return replace(
        cvm,
        agent_url=f"{plain[1]}{plain[2] or ':443'}" if plain else cvm.agent_url,
        provider="manager" if cvm.provider == "ultraviolet" else cvm.provider,
        cc_platform=_LABELS.get(PLATFORMS.get(cvm.cc_platform.lower(), ""), cvm.cc_platform),
    )


class Refused(Exception):
    """The service says no: status, what was wrong, and what was tried."""

    def __init__(self, status: int, error: str, message: str) -> None:
        super().__init__(error)
        self.status = status
        self.error = error
        self.message = message


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistic:
    """One sample of whether a CVM was online."""

    id: str
    timestamp: datetime
    online: bool


@dataclass(slots=True, kw_only=True)
class _Entry:
    domain: str
    cvm: PrismCvm
    policies: list[Blob]
    served: Blob | None = None
    shown: str | None = None
    statistics: list[Statistic] = field(default_factory=list)

    @property
    def policy(self) -> Blob:
        if self.served is not None:
            return self.served
        return self.policies[-1] if self.policies else b""


class CvmStore:
    """Records with their policies and statistics, by id; every method may be called by several threads at once.

    Those with a `domain` answer requests and raise Refused; the others are for whoever runs the fake, and raise Misuse.
    """

    def __init__(self, *, unique_names: bool, quota: int | None) -> None:
        self._lock = RLock()
        self._entries: dict[str, _Entry] = {}
        self._unique_names = unique_names
        self._quota = quota

    def create(self, domain: str, cvm: PrismCvm) -> None:
        """Add one that a client asked for; Refused (409) for a name that must be unique, (422) beyond the quota."""
        with self._lock:
            active = [entry.cvm for entry in self._entries.values() if entry.domain == domain]
            active = [one for one in active if one.deleted_at is None]
            if self._unique_names and any(one.name == cvm.name for one in active):
                raise Refused(409, "entity already exists", "failed to create cvm")
            if self._quota is not None and len(active) >= self._quota:
                raise Refused(422, "the plan of this workspace allows no more", "failed to create cvm")
            self.add(domain, cvm)

    def select(self, domain: str, wanted: Callable[[PrismCvm], bool]) -> list[PrismCvm]:
        """Those of a domain that are wanted, the newest first; of the same age, the one that came last."""
        with self._lock:
            found = [entry.cvm for entry in reversed(self._entries.values()) if entry.domain == domain]
        return sorted((cvm for cvm in found if wanted(cvm)), key=lambda cvm: cvm.created_at, reverse=True)

    def view(self, domain: str, record_id: str) -> PrismCvm:
        """The record that is shown under an id."""
        with self._lock:
            entry = self._find(domain, record_id)
            return entry.cvm if entry.shown is None else self._entry(entry.shown).cvm

    def delete(self, domain: str, record_id: str, now: datetime) -> None:
        """Mark as deleted; Refused (404) if it is already."""
        with self._lock:
            entry = self._find_active(domain, record_id)
            entry.cvm = replace(entry.cvm, deleted_at=now)

    def statistics_of(self, domain: str, record_id: str, since: datetime | None) -> tuple[str, list[Statistic]]:
        """The machine's id, and the samples since then, the newest first."""
        with self._lock:
            entry = self._find(domain, record_id)
            found = [one for one in entry.statistics if since is None or one.timestamp >= since]
            return entry.cvm.cvm_id, sorted(found, key=lambda one: one.timestamp, reverse=True)

    def policy_of(self, domain: str, record_id: str) -> Blob:
        """The policy that is served; none for a CVM that is deleted."""
        with self._lock:
            return self._find_active(domain, record_id).policy

    def add(self, domain: str, cvm: PrismCvm) -> None:
        """Add a record."""
        with self._lock:
            if cvm.id in self._entries:
                raise Misuse(f"there is a CVM {cvm.id[:60]!r} already")
            self._entries[cvm.id] = _Entry(domain=domain, cvm=cvm, policies=[])

    def get(self, record_id: str) -> PrismCvm:
        """The record as it is."""
        with self._lock:
            return self._entry(record_id).cvm

    def everything(self) -> tuple[PrismCvm, ...]:
        """Every record, deleted ones too, in the order in which they came."""
        with self._lock:
            return tuple(entry.cvm for entry in self._entries.values())

    def change(self, record_id: str, **changes: Unpack[CvmFields]) -> None:
        """Change fields to exactly these values."""
        with self._lock:
            entry = self._entry(record_id)
            entry.cvm = replace(entry.cvm, **changes)

    def add_statistic(self, record_id: str, timestamp: datetime, *, online: bool) -> None:
        """Add a sample; they are called stat-1, stat-2..."""
        with self._lock:
            statistics = self._entry(record_id).statistics
            statistics.append(Statistic(id=f"stat-{len(statistics) + 1}", timestamp=timestamp, online=online))

    def set_policy(self, record_id: str, policy: Blob) -> None:
        """Serve this from now on, and keep the older ones."""
        with self._lock:
            entry = self._entry(record_id)
            entry.policies.append(policy)
            entry.served = None

    def policies(self, record_id: str) -> tuple[Blob, ...]:
        """Every policy so far, the oldest first."""
        with self._lock:
            return tuple(self._entry(record_id).policies)

    def served_policy(self, record_id: str) -> Blob:
        """The policy that is served."""
        with self._lock:
            return self._entry(record_id).policy

    def serve(self, record_id: str, policy: Blob) -> None:
        """Serve this instead, without taking it for the CVM's own."""
        with self._lock:
            self._entry(record_id).served = policy

    def show(self, record_id: str, other_id: str) -> None:
        """Show another record under this id."""
        with self._lock:
            self._entry(record_id).shown = self._entry(other_id).cvm.id

    def tell_the_truth(self) -> None:
        """Show and serve each CVM's own record and newest policy again."""
        with self._lock:
            for entry in self._entries.values():
                entry.served = entry.shown = None

    def _entry(self, record_id: str) -> _Entry:
        try:
            return self._entries[record_id]
        except KeyError as error:
            raise Misuse(f"there is no CVM {record_id[:60]!r}") from error

    def _find(self, domain: str, record_id: str) -> _Entry:
        entry = self._entries.get(record_id)
        if entry is None or entry.domain != domain:
            raise Refused(404, "entity not found", "failed to view cvm")
        return entry

    def _find_active(self, domain: str, record_id: str) -> _Entry:
        entry = self._find(domain, record_id)
        if entry.cvm.deleted_at is not None:
            raise Refused(404, "entity not found", "the cvm is deleted")
        return entry


def days_before(now: datetime, days: int | None) -> datetime | None:
    """The start of a window of so many days; None without one."""
    return None if days is None else now - timedelta(days=days)
