"""The six calls of the CVMs API, built from checked arguments and nothing sent.

`domainID` stands in the path and again in the query, as in every example of the documentation.
"""

import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final
from urllib.parse import quote

from cvmproof.prism.call import ERROR_LIMIT, Answer, Call
from cvmproof.prism.cvm import Cvm, CvmPage, CvmStat
from cvmproof.prism.identifier import segment
from cvmproof.prism.platform import PlatformSpelling
from cvmproof.prism.reading import (
    read_attestation_policy,
    read_created,
    read_object,
    read_page,
    read_statistics,
    read_view,
)
from cvmproof.spelling import escape
from cvmproof_formats.errors import Misuse

MOST_PER_PAGE: Final = 100  # the most that SuperMQ, on which Prism is built, gives at once (api/http/common.go)
MOST_DAYS: Final = 36_500
MOST_VCPUS: Final = 65_535
_TEXT_LIMIT: Final = 256  # characters of a name or a filter

# Bytes. Evidence with its certificates is at most 64 KiB, an event log 4 MiB, a policy 1 MiB, a frame of both 5 MiB
# (our own limits); base64 makes 4 of 3. A page has room for 100 records with 60 KiB of evidence each.
_BASE64_OF_5_MIB: Final = 5 * 1024 * 1024 * 4 // 3 + 4
RECORD_LIMIT: Final = 1024 * 1024 + _BASE64_OF_5_MIB
PAGE_LIMIT: Final = 8 * 1024 * 1024
STATISTICS_LIMIT: Final = 4 * 1024 * 1024
POLICY_LIMIT: Final = 1024 * 1024 * 4 // 3 + 4 + 1024

Query = tuple[tuple[str, str | int | None], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Which CVMs a list has; None leaves a filter out. `status` is what the service takes, such as `Active`."""

    name: str | None = None
    status: str | None = None
    days: int | None = None
    cc_platform: str | None = None


class Calls:
    """Builds the calls for one domain."""

    def __init__(self, domain: str, spelling: PlatformSpelling) -> None:
        """Take the domain's id and how platforms are spelled; raises Misuse for what cannot stand in a path."""
        self._domain, self._in_path = domain, segment(domain, "domain")
        self._spelling = spelling

    def create(
        self, *, name: str, provider: str, vcpus: int, cc_platform: str, agent_log_level: str
    ) -> Call[str | None]:
        """POST /{domainID}/cvms/{provider}/{vcpu}/{cc_platform}."""
        spelled = self._spelling.of(cc_platform)
        parts = (
            segment(provider, "provider"),
            str(_within(vcpus, 1, MOST_VCPUS, "vcpus")),
            segment(spelled, "cc_platform"),
        )
        texts = {"name": _text(name, "name"), "agent_log_level": _text(agent_log_level, "agent_log_level")}
        return Call(
            what=f"create CVM {escape(name, 80)!r}",
            method="POST",
            target=self._target(*parts),
            status=HTTPStatus.CREATED,
            limit=RECORD_LIMIT,
            body=json.dumps(texts, separators=(", ", ":")).encode("ascii"),
            read=lambda answer: read_created(answer.body, answer.location),
        )

    def page(self, filters: Filters, *, limit: int | None, offset: int | None) -> Call[CvmPage]:
        """GET /{domainID}/cvms."""
        what = "list CVMs"
        query: Query = (
            ("limit", None if limit is None else _within(limit, 1, MOST_PER_PAGE, "limit")),
            ("offset", None if offset is None else _within(offset, 0, 2**63 - 1, "offset")),
            ("name", None if filters.name is None else _text(filters.name, "name")),
            ("status", None if filters.status is None else _text(filters.status, "status")),
            ("days", _days(filters.days)),
            ("cc_platform", None if filters.cc_platform is None else self._platform(filters.cc_platform)),
        )

        def read(answer: Answer) -> CvmPage:
            return read_page(read_object(answer.body, what), limit=limit, offset=offset or 0)

        target = self._target(query=query)
        return Call(what=what, method="GET", target=target, status=HTTPStatus.OK, limit=PAGE_LIMIT, read=read)

    def view(self, cvm: str) -> Call[Cvm]:
        """GET /{domainID}/cvms/{id}."""
        what, target = self._of_cvm("view", cvm)
        return Call(
            what=what,
            method="GET",
            target=target,
            status=HTTPStatus.OK,
            limit=RECORD_LIMIT,
            read=lambda answer: read_view(read_object(answer.body, what), cvm),
        )

    def delete(self, cvm: str) -> Call[None]:
        """DELETE /{domainID}/cvms/{id}."""
        what, target = self._of_cvm("delete", cvm)
        return Call(
            what=what,
            method="DELETE",
            target=target,
            status=HTTPStatus.NO_CONTENT,
            limit=ERROR_LIMIT,
            read=lambda _: None,
        )

    def statistics(self, cvm: str, *, days: int | None) -> Call[tuple[CvmStat, ...]]:
        """GET /{domainID}/cvms/{id}/statistics."""
        what, target = self._of_cvm("statistics of", cvm, "statistics", query=(("days", _days(days)),))
        return Call(
            what=what,
            method="GET",
            target=target,
            status=HTTPStatus.OK,
            limit=STATISTICS_LIMIT,
            read=lambda answer: read_statistics(read_object(answer.body, what)),
        )

    def attestation_policy(self, cvm: str) -> Call[bytes]:
        """GET /{domainID}/cvms/{id}/attestation_policy."""
        what, target = self._of_cvm("attestation policy of", cvm, "attestation_policy")
        return Call(
            what=what,
            method="GET",
            target=target,
            status=HTTPStatus.OK,
            limit=POLICY_LIMIT,
            read=lambda answer: read_attestation_policy(read_object(answer.body, what)),
        )

    def _of_cvm(self, doing: str, cvm: str, *below: str, query: Query = ()) -> tuple[str, str]:
        target = self._target(segment(cvm, "CVM id"), *below, query=query)
        return f"{doing} CVM {escape(cvm, 80)!r}", target

    def _target(self, *below: str, query: Query = ()) -> str:
        pairs: Query = (("domainID", self._domain), *query)
        written = "&".join(f"{name}={quote(str(value), safe='')}" for name, value in pairs if value is not None)
        return "/".join(("", self._in_path, "cvms", *below)) + "?" + written

    def _platform(self, text: str) -> str:
        return _text(self._spelling.of(text), "cc_platform")


def _text(text: str, what: str) -> str:
    if not 0 < len(text) <= _TEXT_LIMIT or not text.isprintable():
        raise Misuse(f"{what}: expected 1 to {_TEXT_LIMIT} printable characters, got {escape(text, 80)!r}")
    return text


def _days(days: int | None) -> int | None:
    return None if days is None else _within(days, 1, MOST_DAYS, "days")


def _within(number: int, least: int, most: int, what: str) -> int:
    if isinstance(number, bool) or not least <= number <= most:
        raise Misuse(f"{what}: expected {least} to {most}, got {escape(str(number), 40)}")
    return number
