"""Queries and bodies of the fake Prism's API: what they may say, and a refusal for all else.

Limits are those of the library that the service is built on, as far as they are known: limit 1 to 100, 10 if it is not
said; names of at most 1024 characters. Unknown parameters are ignored, repeated ones refused.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Self
from urllib.parse import parse_qsl

from cvmproof_simulator.prism_cvms import PLATFORMS, PROVIDERS, PrismCvm, Refused, days_before

DEFAULT_LIMIT: Final = 10
LARGEST_LIMIT: Final = 100
_LARGEST_OFFSET: Final = 2**63 - 1
_LONGEST_NAME: Final = 1024
_MOST_DAYS: Final = 36_500
_MOST_VCPUS: Final = 512
_MOST_PARAMETERS: Final = 50
_NUMBER = re.compile(r"[0-9]{1,19}")
_ACTIVE, _DELETED, _EVERY = {"", "active"}, {"inactive", "deleted"}, {"all"}
# Of a CVM that is not deleted: the words that were documented or seen.
_LIVE: Final = {
    *("creating", "starting", "running", "online", "offline", "stopped", "warning", "disconnected", "failed"),
}
_LOG_LEVELS: Final = {"debug", "info", "warn", "error"}


def bad_request(error: str) -> Refused:
    """A refusal of something malformed."""
    return Refused(400, error, "malformed request")


def read_query(query: str) -> Mapping[str, str]:
    """Read parameters; raises Refused (400) for repeated or too many ones."""
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=_MOST_PARAMETERS)
    except ValueError as error:
        raise bad_request("invalid query parameters") from error
    if len(dict(pairs)) != len(pairs):
        raise bad_request("repeated query parameters")
    return dict(pairs)


def read_number(parameters: Mapping[str, str], name: str, default: int, least: int, most: int) -> int:
    """Read a decimal number; raises Refused (400)."""
    text = parameters.get(name, str(default))
    if not _NUMBER.fullmatch(text) or not least <= int(text) <= most:
        raise bad_request(f"invalid {name}: expected a number from {least} to {most}")
    return int(text)


def read_days(parameters: Mapping[str, str]) -> int | None:
    """Read the window; None without one. Raises Refused (400)."""
    return read_number(parameters, "days", 1, 1, _MOST_DAYS) if "days" in parameters else None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListQuery:
    """What a list was asked for."""

    limit: int
    offset: int
    name: str
    status: str
    days: int | None
    platform: str

    @classmethod
    def read(cls, parameters: Mapping[str, str]) -> Self:
        """Raises Refused (400)."""
        return cls(
            limit=read_number(parameters, "limit", DEFAULT_LIMIT, 1, LARGEST_LIMIT),
            offset=read_number(parameters, "offset", 0, 0, _LARGEST_OFFSET),
            name=_read_name(parameters),
            status=_read_status(parameters),
            days=read_days(parameters),
            platform=_read_platform(parameters),
        )

    def wants(self, cvm: PrismCvm, now: datetime) -> bool:
        """Whether a CVM is to be listed: its name may stand anywhere in the CVM's, in capitals or not."""
        since = days_before(now, self.days)
        return (
            self._wants_status(cvm)
            and self.name.lower() in cvm.name.lower()
            and (since is None or cvm.created_at >= since)
            and (not self.platform or PLATFORMS.get(cvm.cc_platform.lower()) == self.platform)
        )

    def _wants_status(self, cvm: PrismCvm) -> bool:
        if self.status in _EVERY:
            return True
        if self.status in _DELETED:
            return cvm.deleted_at is not None
        return cvm.deleted_at is None and (self.status in _ACTIVE or self.status == cvm.status.lower())


def _read_name(parameters: Mapping[str, str]) -> str:
    name = parameters.get("name", "")
    if len(name) > _LONGEST_NAME:
        raise bad_request("invalid name size")
    return name


def _read_status(parameters: Mapping[str, str]) -> str:
    status = parameters.get("status", "").lower()
    if status not in _ACTIVE | _DELETED | _EVERY | _LIVE:
        raise bad_request("invalid status")
    return status


def _read_platform(parameters: Mapping[str, str]) -> str:
    text = parameters.get("cc_platform", "").lower()
    if text and text not in PLATFORMS:
        raise bad_request("invalid cc_platform")
    return PLATFORMS.get(text, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Creation:
    """What a new CVM was asked to be; provider and platform as they were written."""

    name: str
    agent_log_level: str
    provider: str
    vcpus: int
    cc_platform: str

    @classmethod
    def read(cls, provider: str, vcpus: str, platform: str, content_type: str, body: bytes) -> Self:
        """Raises Refused: 415 for another content type than JSON, else 400."""
        if content_type.partition(";")[0].strip().lower() != "application/json":
            raise Refused(415, "unsupported content type", "failed to create cvm")
        said = _read_object(body)
        name, level = said.get("name"), said.get("agent_log_level", "info")
        if not isinstance(name, str) or not 0 < len(name) <= _LONGEST_NAME:
            raise bad_request("invalid name size")
        if not isinstance(level, str) or level.lower() not in _LOG_LEVELS:
            raise bad_request(f"invalid agent_log_level: expected one of {', '.join(sorted(_LOG_LEVELS))}")
        if provider not in PROVIDERS:
            raise bad_request("invalid provider")
        if platform.lower() not in PLATFORMS:
            raise bad_request("invalid cc_platform")
        count = read_number({"vcpu": vcpus}, "vcpu", 1, 1, _MOST_VCPUS)
        return cls(name=name, agent_log_level=level, provider=provider, vcpus=count, cc_platform=platform)


def _read_object(body: bytes) -> Mapping[str, object]:
    try:
        said: object = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise bad_request("malformed entity specification") from error
    if not isinstance(said, dict):
        raise bad_request("malformed entity specification")
    return said
