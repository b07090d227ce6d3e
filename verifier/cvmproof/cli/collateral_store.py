"""`cvmproof collateral fetch | import | show`: the store of the user, or the one named with --collateral."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import click

from cvmproof.cli.command import command, settings_of
from cvmproof.cli.exit_code import ExitCode
from cvmproof.cli.fetching import fetch_collateral
from cvmproof.cli.files import read_named
from cvmproof.cli.gathering import open_store
from cvmproof.cli.logs import configure_logging
from cvmproof.cli.output import say, write_json, write_text
from cvmproof.collateral.keys import ChainKey, CrlKey, Wanted
from cvmproof.collateral.wanting import wanted_for_evidence
from cvmproof.errors import Category, Misuse
from cvmproof.rendering.columns import columns
from cvmproof.spelling import escape, spell_time
from cvmproof.trust import TrustRoots
from cvmproof_formats.evidence import FILE_LIMIT, read_evidence
from cvmproof_formats.snp.product import KeyKind, ProductLine

if TYPE_CHECKING:
    from cvmproof.collateral.bundle import Imported
    from cvmproof.collateral.store import CollateralStore

SCHEMA = "cvmproof.collateral/1"
_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


def store_options(function: Callable[_Arguments, _Result]) -> Callable[_Arguments, _Result]:
    """Add the options that say which store."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print one JSON object."),
        click.option(
            "--trust",
            type=click.Choice(["production", "simulated"]),
            default="production",
            show_default=True,
            help="Whose collateral.",
        ),
        click.option("--collateral", "folder", metavar="DIR", help="The store; default: your own."),
    ):
        function = option(function)
    return function


@command("fetch")
@click.option("--evidence", metavar="FILE", help="Fetch what this evidence needs; - is stdin.")
@click.option(
    "--product", type=click.Choice([p.value for p in ProductLine]), help="Fetch a product line's chain and list."
)
@click.option(
    "--key", type=click.Choice([k.value for k in KeyKind]), default="VCEK", show_default=True, help="For --product."
)
@store_options
@click.option("--kds", metavar="URL", hidden=True, help="Another address of AMD's service.")
@click.pass_context
def fetch(
    ctx: click.Context,
    /,
    *,
    evidence: str | None,
    product: str | None,
    key: str,
    folder: str | None,
    trust: str,
    as_json: bool,
    kds: str | None,
) -> int:
    """Fetch certificates and revocation lists from AMD into the store, for --evidence or for a --product."""
    settings = settings_of(ctx)
    wanted = _wanted(evidence, product, key)
    if settings.get("offline") == "true":
        raise Misuse("collateral fetch: offline is set in the environment or the configuration")
    configure_logging(settings)
    store = _open(folder, trust)
    fetched = fetch_collateral(store, wanted, kds=kds, now=datetime.now(UTC))
    if as_json:
        objects = [{"name": str(one.key), "outcome": one.outcome, "why": escape(one.why)} for one in fetched]
        write_json({"schema": SCHEMA, "folder": str(store.folder), "trust": trust, "fetched": objects})
    else:
        write_text(columns([(one.outcome, str(one.key), escape(one.why)) for one in fetched]))
    return ExitCode.ACCEPTED


@command("import")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@store_options
def import_(paths: Sequence[str], *, folder: str | None, trust: str, as_json: bool) -> int:
    """Take over certificates, revocation lists, folders of them and other stores; each is held against AMD's keys.

    The exit code is 4 where something was refused, other than files in a folder that are something else altogether.
    """
    store = _open(folder, trust)
    imported = store.import_([Path(path) for path in paths], datetime.now(UTC))
    taken = [(str(one.key), escape(str(one.source))) for one in imported.taken]
    refused = [(str(one.category), escape(str(one.source)), escape(one.reason)) for one in imported.refused]
    if as_json:
        document = {
            "schema": SCHEMA,
            "folder": str(store.folder),
            "trust": trust,
            "taken": [{"name": name, "source": source} for name, source in taken],
            "refused": [{"category": c, "source": source, "reason": reason} for c, source, reason in refused],
        }
        write_json(document)
    else:
        write_text(columns([("taken", *row) for row in taken]) or "nothing taken\n")
        for category, source, reason in refused:
            say(f"not taken {source}: {category}: {reason}")
    return ExitCode.UNDECIDED if _matters(imported, paths) else ExitCode.ACCEPTED


def _matters(imported: "Imported", paths: Sequence[str]) -> bool:
    """Tell whether something was refused that was meant to be taken: a folder may hold other files, too."""
    named = {Path(path) for path in paths}
    refused = [one for one in imported.refused if one.source in named or one.category is not Category.MALFORMED]
    return bool(refused) or not imported.taken


@command("show")
@store_options
def show(*, folder: str | None, trust: str, as_json: bool) -> int:
    """Show what is in the store, until when it is good, and what is wrong with it if it is not."""
    store = _open(folder, trust)
    found = store.show(datetime.now(UTC))
    rows = [
        (str(one.state), str(one.key), spell_time(one.valid_until) if one.valid_until else "", escape(one.why))
        for one in found
    ]
    if as_json:
        objects = [{"state": s, "name": name, "valid_until": until or None, "why": why} for s, name, until, why in rows]
        write_json({"schema": SCHEMA, "folder": str(store.folder), "trust": trust, "objects": objects})
    else:
        head = f"{escape(str(store.folder))}, {trust} roots\n"
        write_text(head + (columns(rows) or "nothing stored\n"))
    return ExitCode.ACCEPTED


def _open(folder: str | None, trust: str) -> "CollateralStore":
    return open_store(Path(folder) if folder else None, TrustRoots.named(trust))


def _wanted(evidence: str | None, product: str | None, key: str) -> tuple[Wanted, ...]:
    if evidence is not None and product is None:
        return wanted_for_evidence(read_evidence(read_named(evidence, FILE_LIMIT, "evidence")))
    if evidence is not None or product is None:
        raise Misuse("collateral fetch: expected either --evidence or --product")
    line, kind = ProductLine(product), KeyKind(key)
    return ChainKey(product=line, kind=kind), CrlKey(product=line, kind=kind)
