"""What clients of AMD's and Intel's services share: they fill the store, and ask for as little as they can.

A fetch asks for one object once, however many threads and processes want it; what is fresh is not asked for again,
what the service does not have is not asked for again for some minutes, a wait it asks for is waited or, where that is
too long, the fetch ends at once.
"""

import logging
import ssl
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Generic, TypeVar

from cvmproof.collateral.answer import NotThereError, TryLaterError
from cvmproof.collateral.keys import Wanted
from cvmproof.collateral.store import CollateralStore, State, expect_aware
from cvmproof_formats.errors import Category, CollateralError, Misuse

if TYPE_CHECKING:
    import httpx

    from cvmproof.collateral.download import Downloaded

_log = logging.getLogger(__name__)

# A service that asks for years is asked again after an hour: one request, in a process that lives for months.
_LONGEST_PAUSE = 3600.0  # seconds

Progress = Callable[[Wanted, int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of a client: seconds, except for `attempts` per object and `requests` of the client in its life.

    `limited_wait` is for a 429 that does not say how long: AMD takes about one request in 10 s for the same object.
    """

    connect: float = 5.0
    read: float = 10.0
    deadline: float = 60.0
    attempts: int = 4
    first_wait: float = 1.0
    longest_wait: float = 10.0
    limited_wait: float = 10.0
    requests: int = 1_000


class Outcome(StrEnum):
    """What a fetch did for one object."""

    FETCHED = "fetched"
    KEPT = "kept"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What a fetch did for one object; `why` says why a refresh failed where the stored one is still good."""

    key: Wanted
    outcome: Outcome
    why: str = ""


KeyType = TypeVar("KeyType", bound=Wanted)


class ServiceClient(ABC, Generic[KeyType]):
    """Fetches from one service into one store; may be shared by threads."""

    def __init__(
        self,
        store: CollateralStore,
        *,
        ca_file: Path | None = None,
        limits: Limits | None = None,
        progress: Progress | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Take a store, and a file of CA certificates in place of the system's.

        Raises Misuse for a file without CA certificates.
        """
        self._store = store
        # The system's CAs, host names checked: there is no way to ask for less.
        self._context = _context(ca_file)
        self._limits = limits or Limits()
        self._progress = progress
        self._monotonic = monotonic
        self._counting = Lock()
        self._requests = 0
        self._paused_until = monotonic()

    @abstractmethod
    def _in_order(self, wanted: Iterable[KeyType]) -> tuple[KeyType, ...]:
        """Name what is asked for, each once, in the order in which it is needed to verify the rest."""

    @abstractmethod
    def _url(self, key: KeyType) -> str:
        """Say where the service has an object; raises Malformed for one that it does not have."""

    @abstractmethod
    def _replace(self, key: KeyType, session: "Session") -> None:
        """Fetch an object and put it in the store; raises CollateralError."""

    def fetch(self, wanted: Iterable[KeyType], now: datetime) -> tuple[Fetched, ...]:
        """Fill the store with these objects and the chains above them, as far as they are not there or are due.

        An object that is stored and still good is kept when asking again fails. Raises CollateralError after all were
        tried, for what is not there then; EndpointError at once, for a server that cannot prove its name.
        """
        expect_aware(now)
        ends = self._monotonic() + self._limits.deadline
        keys = self._in_order(wanted)
        if not any(self._is_due(key, now) for key in keys):
            return tuple(Fetched(key=key, outcome=Outcome.KEPT) for key in keys)
        with self._session(now, ends) as session:
            attempted = self._attempt_all(keys, session)
        errors = [found for found in attempted.values() if isinstance(found, CollateralError)]
        if errors:
            raise _together(errors)
        return tuple(found for found in attempted.values() if isinstance(found, Fetched))

    @contextmanager
    def _session(self, now: datetime, ends: float) -> Iterator["Session"]:
        from cvmproof.http.client import open_client  # noqa: PLC0415 -- httpx is imported when something is fetched

        def remaining() -> float:
            return ends - self._monotonic()

        limits = self._limits
        with open_client(self._context, remaining, connect_timeout=limits.connect, read_timeout=limits.read) as http:
            yield Session(http=http, now=now, remaining=remaining)

    def _attempt_all(self, keys: tuple[KeyType, ...], session: "Session") -> dict[Wanted, Fetched | CollateralError]:
        attempted: dict[Wanted, Fetched | CollateralError] = {}
        for key in keys:
            # Without the chain above it nothing can be verified, and the chain's own failure says it all.
            if not isinstance(attempted.get(key.chain), CollateralError):
                attempted[key] = self._attempt(key, session)
        return attempted

    def _attempt(self, key: KeyType, session: "Session") -> Fetched | CollateralError:
        try:
            return self._fill(key, session)
        except CollateralError as error:
            stored = self._store.look(key, session.now)
            if stored is None or stored.state is not State.FRESH:
                return error
            _log.warning("keeping the stored %s: %s", key, error)
            return Fetched(key=key, outcome=Outcome.KEPT, why=str(error))

    def _fill(self, key: KeyType, session: "Session") -> Fetched:
        if self._is_due(key, session.now):
            with self._store.lock(key, session.remaining()):
                # Whoever held the lock before has perhaps fetched it.
                if self._is_due(key, session.now):
                    self._replace(key, session)
                    return Fetched(key=key, outcome=Outcome.FETCHED)
        return Fetched(key=key, outcome=Outcome.KEPT)

    def _is_due(self, key: KeyType, now: datetime) -> bool:
        stored = self._store.look(key, now)
        return stored is None or stored.is_due(now)

    def _get(self, key: KeyType, session: "Session") -> "Downloaded":
        """Ask for an object, again where that may help; raises CollateralError, EndpointError."""
        from cvmproof.http.retrying import Waits, retrying  # noqa: PLC0415 -- as in `_session`

        limits = self._limits
        caller = retrying(
            Waits(
                attempts=limits.attempts,
                deadline=limits.deadline,
                first=limits.first_wait,
                longest=limits.longest_wait,
            )
        )
        return caller(lambda error: self._wait_before_next(error, session), self._get_once, key, session)

    def _wait_before_next(self, error: Exception, session: "Session") -> bool | float:
        if not isinstance(error, TryLaterError):
            return False
        wait = self._limits.limited_wait if error.limited and error.wait is None else error.wait
        if wait is None:
            return session.remaining() > self._limits.first_wait
        # A little longer than asked, so that the pause is over when the wait is.
        return wait + 0.01 if wait < session.remaining() else False

    def _get_once(self, key: KeyType, session: "Session") -> "Downloaded":
        from cvmproof.collateral import download  # noqa: PLC0415 -- as in `_session`

        self._expect_allowed(key, session.now)
        try:
            return download.download(
                session.http,
                self._url(key),
                limit=key.size_limit,
                now=session.now,
                progress=lambda size: self._progress(key, size) if self._progress else None,
            )
        except NotThereError:
            self._store.note_absent(key, session.now)
            raise
        except TryLaterError as error:
            if error.wait is not None:
                self._paused_until = self._monotonic() + min(error.wait, _LONGEST_PAUSE)
            raise

    def _expect_allowed(self, key: KeyType, now: datetime) -> None:
        pause = self._paused_until - self._monotonic()
        if pause > 0:
            until = now + timedelta(seconds=pause)
            message = f"{key}: the service has asked to wait; not asked again before {until:%Y-%m-%d %H:%M:%S %Z}"
            raise TryLaterError(message, wait=pause)
        with self._counting:
            if self._requests >= self._limits.requests:
                message = f"{key}: expected at most {self._limits.requests} requests of this client, all are used"
                raise CollateralError(message, category=Category.RATE_LIMIT)
            self._requests += 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One fetch under way: its connection pool, its time, and the seconds it has left."""

    http: "httpx.Client"
    now: datetime
    remaining: Callable[[], float]


def _context(ca_file: Path | None) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise Misuse(f"CA certificates {ca_file}: cannot be read: {error.strerror or error}") from error


def _together(errors: list[CollateralError]) -> CollateralError:
    first = errors[0]
    if len(errors) == 1:
        return first
    together = CollateralError("; ".join(str(error) for error in errors), category=first.category, hint=first.hint)
    together.__cause__ = first
    return together
