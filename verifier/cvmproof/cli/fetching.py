"""Fetching with something to look at once it takes over a second: lines, or a moving line on a terminal."""

import sys
from collections.abc import Sequence
from pathlib import Path
from threading import Lock, Timer
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from cvmproof.cli.output import say
from cvmproof.collateral.endpoint import AMD_KDS, INTEL_PCS, Services
from cvmproof.collateral.keys import Wanted
from cvmproof.errors import EndpointError, Misuse

if TYPE_CHECKING:
    from datetime import datetime

    from cvmproof.collateral.service import Fetched
    from cvmproof.collateral.store import CollateralStore

QUIET_FOR = 1.0  # seconds


def read_services(*, kds: str | None, pccs: str | None, pccs_ca: str | None = None) -> Services:
    """Read the options that name other addresses than the vendors' own; None: not given."""
    return Services(
        kds=AMD_KDS if kds is None else kds,
        pccs=INTEL_PCS if pccs is None else pccs,
        pccs_ca=None if pccs_ca is None else Path(pccs_ca),
    )


def fetch_collateral(
    store: "CollateralStore", wanted: Sequence[Wanted], *, services: Services, now: "datetime"
) -> "tuple[Fetched, ...]":
    """Fill a store from the vendors' services, or from others.

    Raises CollateralError or EndpointError as the clients do, Misuse for an address that is none.
    """
    from cvmproof.collateral import vendors

    try:
        services.expect_addresses(store.trust)
    except EndpointError as error:
        raise Misuse(str(error), category=error.category, hint=error.hint) from error
    with FetchProgress() as progress:
        return vendors.fetch_wanted(store, wanted, now, services=services, progress=progress.update)


class Display(Protocol):
    """Something that shows which object is being fetched."""

    def show(self, text: str) -> None:
        """Say what is happening."""

    def close(self) -> None:
        """Come to an end."""


class FetchProgress:
    """Says nothing for a second, then what is being fetched."""

    def __init__(self, quiet_for: float = QUIET_FOR) -> None:
        """Take how long to say nothing, in seconds."""
        self._timer = Timer(quiet_for, self._begin)
        self._timer.daemon = True
        self._lock = Lock()
        self._text, self._over = "fetching collateral", False
        self._display: Display | None = None

    def __enter__(self) -> Self:
        self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        with self._lock:
            self._over = True
            if self._display:
                self._display.close()

    def update(self, wanted: Wanted, size: int) -> None:
        """Take how many bytes of an object are here."""
        with self._lock:
            self._text = f"fetching the {wanted}, {size} bytes"
            if self._display:
                self._display.show(self._text)

    def _begin(self) -> None:
        with self._lock:
            if not self._over:
                display = _display()
                display.show(self._text)
                self._display = display


def _display() -> Display:
    if sys.stderr.isatty():
        from cvmproof.rendering.progress import Spinner

        return Spinner()
    return _Lines()


class _Lines:
    """A line for each object."""

    def __init__(self) -> None:
        self._last = ""

    def show(self, text: str) -> None:
        """Write a line when another object is its subject."""
        what, _, _ = text.rpartition(", ")
        if (what or text) != self._last:
            self._last = what or text
            say(self._last)

    def close(self) -> None:
        """Leave the lines as they are."""
