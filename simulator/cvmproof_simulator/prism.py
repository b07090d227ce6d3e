"""A SIMULATED Prism: its CVMs API over real HTTP on this machine, honest, broken or bent on deceiving.

    with FakePrism(domain="workspace", token="secret") as prism:
        prism.url                                          http://127.0.0.1:40123/backends
        good = prism.add("cvm-good", agent_url="https://127.0.0.1:40101", policy=policy)
        prism.set_policy(good, newer)                      serves it, and keeps the older one
        prism.misbehave(status(503), path="/statistics", times=2)

What a control plane that lies can do is here too, and `behave` takes it back:

        prism.swap(good, agent_url=theirs, policy=theirs)  another machine and the policy that takes it, together
        prism.serve_policy(good, 0)                        yesterday's policy
        prism.serve_policy_of(good, other)                 another CVM's
        prism.serve_no_policy(good)
        prism.answer_view_as(good, other)                  another CVM's record
        prism.between_pages(hook)                          the list changes while it is read

Who writes a client can ask for `spelling="documented"` and `"observed"`: see prism_cvms. Errors are not documented at
all; they are what the library below the real service gives: {"error", "message"}, or nothing (`empty_errors`).
"""

import json
import secrets
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Final, Unpack
from urllib.parse import unquote
from uuid import uuid4

from cvmproof_simulator.fake_service import FakeService
from cvmproof_simulator.http_server import LOOPBACK, Request
from cvmproof_simulator.misbehaviour import Answer
from cvmproof_simulator.prism_cvms import (
    Blob,
    CvmFields,
    CvmStore,
    PrismCvm,
    Refused,
    Spelling,
    as_base64,
    as_time,
    days_before,
    new_cvm,
)
from cvmproof_simulator.prism_query import Creation, ListQuery, bad_request, read_days, read_query

BASE_PATH: Final = "/backends"
_BEARER: Final = "Bearer "
_JSON: Final = (("Content-Type", "application/json"),)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Call:
    """A request that may be answered: by somebody who may, with a query that can be read."""

    domain: str
    parameters: Mapping[str, str]
    request: Request


_Action = Callable[[_Call], Answer]


def _utc_now() -> datetime:
    return datetime.now(UTC)


class FakePrism(FakeService):
    """The SIMULATED service: one domain (workspace) and the token for it; further ones with `admit`."""

    def __init__(
        self,
        *,
        domain: str | None = None,
        token: str | None = None,
        spelling: Spelling = "documented",
        clock: Callable[[], datetime] = _utc_now,
        answers_with_id: bool = False,
        unique_names: bool = False,
        quota: int | None = None,
        empty_errors: bool = False,
        tls: ssl.SSLContext | None = None,
        listen: tuple[str, int] = LOOPBACK,
    ) -> None:
        """Make it; domain and token are random unless given.

        `answers_with_id`: a CVM's creation is answered with its id, which is not documented. `unique_names`: a name
        that is taken is 409. `quota`: more CVMs than that are 422. `empty_errors`: no error has a body.
        """
        super().__init__("Prism", tls=tls, listen=listen)
        self.domain = domain or str(uuid4())
        self.token = token or secrets.token_urlsafe(32)
        self._tokens = {self.token: self.domain}
        self._spelling: Spelling = spelling
        self._clock = clock
        self._answers_with_id = answers_with_id
        self._empty_errors = empty_errors
        self._between_pages: Callable[[], object] | None = None
        self._store = CvmStore(unique_names=unique_names, quota=quota)

    @property
    def url(self) -> str:
        """The base URL of the API."""
        return super().url + BASE_PATH

    # --- who may ask --------------------------------------------------------------------------------------------------
    def admit(self, token: str, domain: str | None = None) -> None:
        """Take one more token, for this domain or another."""
        self._tokens[token] = domain or self.domain

    def revoke(self, token: str) -> None:
        """Take a token no longer: it has expired."""
        self._tokens.pop(token, None)

    # --- what there is ------------------------------------------------------------------------------------------------
    def add(
        self, name: str, *, policy: Blob | None = None, domain: str | None = None, **fields: Unpack[CvmFields]
    ) -> str:
        """Add a CVM, of which agent_url, provider and cc_platform are put into the spelling, and give its id.

        Raises Misuse.
        """
        cvm = new_cvm(name, fields, self._spelling, self._clock())
        self._store.add(domain or self.domain, cvm)
        if policy is not None:
            self._store.set_policy(cvm.id, policy)
        return cvm.id

    def cvm(self, cvm: str) -> PrismCvm:
        """The record of an id; raises Misuse."""
        return self._store.get(cvm)

    @property
    def cvms(self) -> tuple[PrismCvm, ...]:
        """Every record, deleted ones too, in the order in which they came."""
        return self._store.everything()

    def change(self, cvm: str, /, **changes: Unpack[CvmFields]) -> None:
        """Change fields of a record to exactly these values; raises Misuse."""
        self._store.change(cvm, **changes)

    def delete(self, cvm: str) -> None:
        """Delete a CVM as a client would."""
        self._store.change(cvm, deleted_at=self._clock())

    def add_statistic(self, cvm: str, timestamp: datetime, *, online: bool) -> None:
        """Add a sample of whether it was online; raises Misuse."""
        self._store.add_statistic(cvm, timestamp, online=online)

    def set_policy(self, cvm: str, policy: Blob) -> None:
        """Serve this policy from now on, and keep the older ones; raises Misuse."""
        self._store.set_policy(cvm, policy)

    def policies(self, cvm: str) -> tuple[Blob, ...]:
        """Every policy that was set, the oldest first; raises Misuse."""
        return self._store.policies(cvm)

    # --- how it deceives ----------------------------------------------------------------------------------------------
    def swap(self, cvm: str, *, agent_url: str, policy: Blob) -> None:
        """Put another machine and another policy in place of a CVM's, together; `behave` does not know the old ones."""
        self._store.change(cvm, agent_url=agent_url)
        self._store.set_policy(cvm, policy)

    def serve_policy(self, cvm: str, index: int) -> None:
        """Serve one of the CVM's policies, the oldest being 0; raises Misuse and IndexError."""
        self._store.serve(cvm, self._store.policies(cvm)[index])

    def serve_policy_of(self, cvm: str, other: str) -> None:
        """Serve the policy that another CVM has now; raises Misuse."""
        self._store.serve(cvm, self._store.served_policy(other))

    def serve_no_policy(self, cvm: str) -> None:
        """Serve an empty policy; raises Misuse."""
        self._store.serve(cvm, b"")

    def answer_view_as(self, cvm: str, other: str) -> None:
        """Show another CVM's record under this id; raises Misuse."""
        self._store.show(cvm, other)

    def between_pages(self, hook: Callable[[], object] | None) -> None:
        """Call this before each page of a list but the first; None: no longer."""
        self._between_pages = hook

    def behave(self) -> None:
        """Take back every misbehaviour, and show and serve what is each CVM's own."""
        super().behave()
        self._between_pages = None
        self._store.tell_the_truth()

    # --- what it answers ----------------------------------------------------------------------------------------------
    def _right_answer(self, request: Request) -> Answer:
        domain, actions = self._find_route([unquote(part) for part in request.path.split("/")])
        if not actions:
            return Answer(status=404, headers=(("Content-Type", "text/plain"),), body=b"404 page not found\n")
        if request.method not in actions:
            return Answer(status=405, headers=(("Allow", ", ".join(sorted(actions))),))
        try:
            return actions[request.method](self._admitted(domain, request))
        except Refused as refused:
            body = b"" if self._empty_errors else _encode({"error": refused.error, "message": refused.message})
            return Answer(status=refused.status, headers=_JSON, body=body)

    def _find_route(self, parts: list[str]) -> tuple[str, Mapping[str, _Action]]:
        """Give the domain and what each method does; nothing for a path that names nothing."""
        domain, actions = "", dict[str, _Action]()
        match parts:
            case _ if "" in parts[1:]:
                pass  # an empty name names nothing
            case ["", "backends", domain, "cvms"]:
                actions = {"GET": self._list}
            case ["", "backends", domain, "cvms", cvm]:
                actions = {"GET": partial(self._view, cvm), "DELETE": partial(self._delete, cvm)}
            case ["", "backends", domain, "cvms", cvm, "statistics"]:
                actions = {"GET": partial(self._statistics, cvm)}
            case ["", "backends", domain, "cvms", cvm, "attestation_policy"]:
                actions = {"GET": partial(self._policy, cvm)}
            case ["", "backends", domain, "cvms", provider, vcpus, platform]:
                actions = {"POST": partial(self._create, provider, vcpus, platform)}
        return domain, actions

    def _admitted(self, domain: str, request: Request) -> _Call:
        header = request.header("Authorization") or ""
        # The scheme is compared to the letter, as the library does.
        owner = self._tokens.get(header.removeprefix(_BEARER)) if header.startswith(_BEARER) else None
        if owner is None:
            raise Refused(401, "missing or invalid bearer user token", "failed to perform authentication")
        if owner != domain:
            raise Refused(403, "the token is for another domain", "failed to perform authorization")
        parameters = read_query(request.query)
        if parameters.get("domainID", domain) != domain:
            raise bad_request("domainID is not the domain of the path")
        return _Call(domain=domain, parameters=parameters, request=request)

    def _create(self, provider: str, vcpus: str, platform: str, call: _Call) -> Answer:
        content_type = call.request.header("Content-Type") or ""
        wanted = Creation.read(provider, vcpus, platform, content_type, call.request.body)
        given: CvmFields = {
            "agent_log_level": wanted.agent_log_level,
            "cc_platform": wanted.cc_platform,
            "provider": wanted.provider,
            "state": "Idle",
            "status": "Creating",
            "vcpus": wanted.vcpus,
        }
        cvm = new_cvm(wanted.name, given, self._spelling, self._clock())
        self._store.create(call.domain, cvm)
        return _answer({"id": cvm.id}, status=201) if self._answers_with_id else Answer(status=201)

    def _list(self, call: _Call) -> Answer:
        query = ListQuery.read(call.parameters)
        if query.offset and self._between_pages is not None:
            self._between_pages()
        now = self._clock()
        found = self._store.select(call.domain, lambda cvm: query.wants(cvm, now))
        page = found[query.offset : query.offset + query.limit]
        cvms = [cvm.as_json() for cvm in page]
        return _answer({"cvms": cvms, "total": len(found), "limit": query.limit, "offset": query.offset})

    def _view(self, cvm: str, call: _Call) -> Answer:
        return _answer(self._store.view(call.domain, cvm).as_json())

    def _delete(self, cvm: str, call: _Call) -> Answer:
        self._store.delete(call.domain, cvm, self._clock())
        return Answer(status=204)

    def _statistics(self, cvm: str, call: _Call) -> Answer:
        since = days_before(self._clock(), read_days(call.parameters))
        cvm_id, samples = self._store.statistics_of(call.domain, cvm, since)
        stats = [
            {"id": one.id, "cvm_id": cvm_id, "timestamp": as_time(one.timestamp), "status": one.online}
            for one in samples
        ]
        return _answer({"cvm_stats": stats})

    def _policy(self, cvm: str, call: _Call) -> Answer:
        return _answer({"attestation_policy": as_base64(self._store.policy_of(call.domain, cvm))})


def _answer(said: Mapping[str, object], *, status: int = 200) -> Answer:
    return Answer(status=status, headers=_JSON, body=_encode(said))


def _encode(said: Mapping[str, object]) -> bytes:
    # A client may have put half a surrogate into a name.
    return json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace") + b"\n"
