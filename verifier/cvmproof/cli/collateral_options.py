"""The options by which `verify`, `connect` and `cvm verify` get at collateral, and which roots it must lead to."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypedDict, TypeVar

import click

from cvmproof.cli.command import settings_of
from cvmproof.cli.gathering import open_store
from cvmproof.trust import TrustRoots

if TYPE_CHECKING:
    from cvmproof.collateral.endpoint import Services
    from cvmproof.collateral.store import CollateralStore

_Function = TypeVar("_Function", bound=Callable[..., Any])


class CollateralOptions(TypedDict):
    """The options as given."""

    certs: tuple[str, ...]
    collateral: str | None
    offline: bool
    trust: str
    state: str | None
    pccs: str | None
    pccs_ca: str | None
    kds: str | None


_OPTIONS: Final = (
    click.option(
        "--trust",
        type=click.Choice(["production", "simulated"]),
        default="production",
        show_default=True,
        help="Which compiled-in root keys to trust.",
    ),
    click.option(
        "--certs", multiple=True, metavar="FILE", help="Certificates: DER, PEM, a table, or a folder; repeatable."
    ),
    click.option("--collateral", metavar="DIR", help="The collateral store, or a bundle; default: your own store."),
    click.option("--offline", is_flag=True, help="Fetch no collateral."),
    click.option("--pccs", metavar="URL", help="Fetch Intel's collateral from this caching service (PCCS)."),
    click.option("--pccs-ca", metavar="FILE", help="CA certificates (PEM) of that service, in place of the system's."),
    click.option("--state", metavar="DIR", help="Where to remember what was verified before; default: your own."),
    click.option("--kds", metavar="URL", hidden=True, help="Another address of AMD's service."),
)


def collateral_options(function: _Function) -> _Function:
    """Give a command these options."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def roots_of(given: CollateralOptions) -> TrustRoots:
    """Give the trust set that is named."""
    return TrustRoots.named(given["trust"])


def store_of(given: CollateralOptions) -> "CollateralStore":
    """Open the store that is named, or the user's own."""
    folder = given["collateral"]
    return open_store(Path(folder) if folder else None, roots_of(given))


def services_of(given: CollateralOptions) -> "Services":
    """Say where collateral is fetched from."""
    from cvmproof.cli.fetching import read_services

    return read_services(kds=given["kds"], pccs=given["pccs"], pccs_ca=given["pccs_ca"])


def may_fetch(ctx: click.Context, given: CollateralOptions) -> bool:
    """Tell whether anything may be fetched at all: by the option, or by the settings."""
    return not given["offline"] and settings_of(ctx).get("offline") != "true"
