"""`cvmproof collateral fetch | import | show`: the store of the user, or the one named with --collateral."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec, TypeVar

import click

from cvmproof.cli.arguments import read_hex_option
from cvmproof.cli.command import command, settings_of
from cvmproof.cli.exit_code import ExitCode
from cvmproof.cli.fetching import fetch_collateral, read_services
from cvmproof.cli.files import read_named
from cvmproof.cli.gathering import open_store
from cvmproof.cli.logs import configure_logging
from cvmproof.cli.output import say, write_json, write_text
from cvmproof.collateral.intel_keys import FMSPC_SIZE, HIGHEST_NUMBER, Issue, Update, wanted_for_platform
from cvmproof.collateral.keys import ChainKey, CrlKey, Wanted
from cvmproof.collateral.wanting import wanted_for_evidence
from cvmproof.errors import Category, Misuse
from cvmproof.rendering.columns import columns
from cvmproof.spelling import escape, spell_time
from cvmproof.trust import TrustRoots
from cvmproof_formats.binding import Tee
from cvmproof_formats.evidence import FILE_LIMIT, read_evidence
from cvmproof_formats.snp.product import KeyKind, ProductLine
from cvmproof_formats.tdx.hierarchy import Ca

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
    "--product", type=click.Choice([p.value for p in ProductLine]), help="AMD: fetch a product line's chain and list."
)
@click.option(
    "--key", type=click.Choice([k.value for k in KeyKind]), default="VCEK", show_default=True, help="For --product."
)
@click.option("--fmspc", metavar="HEX", help="Intel: fetch what quotes of this kind of platform need; 6 bytes.")
@click.option(
    "--ca", type=click.Choice([c.value for c in Ca]), default=Ca.PLATFORM.value, show_default=True, help="For --fmspc."
)
@click.option("--update", type=click.Choice([u.value for u in Update]), help="Intel: which channel; default: standard.")
@click.option("--evaluation-number", type=int, metavar="N", help="Intel: this tcbEvaluationDataNumber, no channel's.")
@store_options
@click.option("--pccs", metavar="URL", help="Fetch Intel's collateral from this caching service (PCCS).")
@click.option("--pccs-ca", metavar="FILE", help="CA certificates (PEM) of that service, in place of the system's.")
@click.option("--kds", metavar="URL", hidden=True, help="Another address of AMD's service.")
@click.pass_context
def fetch(
    ctx: click.Context,
    /,
    *,
    evidence: str | None,
    product: str | None,
    key: str,
    fmspc: str | None,
    ca: str,
    update: str | None,
    evaluation_number: int | None,
    folder: str | None,
    trust: str,
    as_json: bool,
    pccs: str | None,
    pccs_ca: str | None,
    kds: str | None,
) -> int:
    """Fetch collateral from AMD or Intel into the store, for --evidence, a --product or an --fmspc.

    That is certificates and revocation lists; of Intel also TCB info and the identity of the quoting enclave.
    """
    settings = settings_of(ctx)
    issue = _issue(update, evaluation_number)
    wanted = _wanted(Asked(evidence=evidence, product=product, key=key, fmspc=fmspc, ca=ca, issue=issue))
    if settings.get("offline") == "true":
        raise Misuse("collateral fetch: offline is set in the environment or the configuration")
    configure_logging(settings)
    store = _open(folder, trust)
    services = read_services(kds=kds, pccs=pccs, pccs_ca=pccs_ca)
    fetched = fetch_collateral(store, wanted, services=services, now=datetime.now(UTC))
    if as_json:
        objects = [{"name": str(one.key), "outcome": one.outcome, "why": escape(one.why)} for one in fetched]
        write_json({"schema": SCHEMA, "folder": str(store.folder), "trust": trust, "fetched": objects})
    else:
        write_text(columns([(one.outcome, str(one.key), escape(one.why)) for one in fetched]))
    return ExitCode.ACCEPTED


@command("import")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@click.option("--out", metavar="DIR", help="Make an offline bundle there, whatever the time it is about.")
@store_options
def import_(paths: Sequence[str], *, out: str | None, folder: str | None, trust: str, as_json: bool) -> int:
    """Take over files as AMD and Intel hand them out, folders of them and other stores, in any order.

    Certificates, revocation lists (DER, PEM, hexadecimal), TCB infos and QE identities (JSON): each is held against the
    compiled-in root keys. The store takes what is valid now; a bundle (--out), for `verify --offline --collateral DIR`,
    takes any dates, and a PCK CA's list without that CA's certificate, which each quote brings.

    The exit code is 4 where something was refused, other than files in a folder that are something else altogether.
    """
    if out is not None and folder is not None:
        raise Misuse("collateral import: expected --out or --collateral, got both")
    store = _open(folder if out is None else out, trust)
    imported = store.import_([Path(path) for path in paths], datetime.now(UTC), as_bundle=out is not None)
    if as_json:
        write_json({"schema": SCHEMA, "folder": str(store.folder), "trust": trust, **_document(imported)})
    else:
        write_text(_table(imported) or "nothing taken\n")
        for one in imported.refused:
            say(f"not taken {escape(str(one.source))}: {one.category}: {escape(one.reason)}")
    return ExitCode.UNDECIDED if _matters(imported, paths) else ExitCode.ACCEPTED


def _document(imported: "Imported") -> dict[str, object]:
    return {
        "taken": [
            {"name": str(one.key), "source": escape(str(one.source)), "verified": one.verified}
            for one in imported.taken
        ],
        "refused": [
            {"category": one.category, "source": escape(str(one.source)), "reason": escape(one.reason)}
            for one in imported.refused
        ],
    }


def _table(imported: "Imported") -> str:
    later = "not verified yet: no certificate of that CA is here, each quote brings it"
    return columns(
        [("taken", str(one.key), escape(str(one.source)), "" if one.verified else later) for one in imported.taken]
    )


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
    loose = [escape(path.name) for path in store.loose()]
    rows = [
        (str(one.state), str(one.key), spell_time(one.valid_until) if one.valid_until else "", escape(one.why))
        for one in found
    ]
    if as_json:
        objects = [{"state": s, "name": name, "valid_until": until or None, "why": why} for s, name, until, why in rows]
        head = {"schema": SCHEMA, "folder": str(store.folder), "trust": trust}
        write_json({**head, "objects": objects, "loose": loose})
    else:
        head_line = f"{escape(str(store.folder))}, {trust} roots\n"
        rows += [("loose", name, "", "verified where it is used") for name in loose]
        write_text(head_line + (columns(rows) or "nothing stored\n"))
    return ExitCode.ACCEPTED


def _open(folder: str | None, trust: str) -> "CollateralStore":
    return open_store(Path(folder) if folder else None, TrustRoots.named(trust))


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the options of `fetch` say; `issue` is None where none was named."""

    evidence: str | None
    product: str | None
    key: str
    fmspc: str | None
    ca: str
    issue: Issue | None


def _issue(update: str | None, number: int | None) -> Issue | None:
    if update is not None and number is not None:
        raise Misuse("collateral fetch: expected --update or --evaluation-number, got both")
    if number is not None and not 0 <= number <= HIGHEST_NUMBER:
        raise Misuse(f"--evaluation-number: expected 0 to {HIGHEST_NUMBER}, got {number}")
    return number if update is None else Update(update)


def _wanted(asked: Asked) -> tuple[Wanted, ...]:
    if sum(one is not None for one in (asked.evidence, asked.product, asked.fmspc)) != 1:
        raise Misuse("collateral fetch: expected one of --evidence, --product and --fmspc")
    issue = Update.STANDARD if asked.issue is None else asked.issue
    if asked.fmspc is not None:
        fmspc = read_hex_option("--fmspc", asked.fmspc, FMSPC_SIZE)
        return wanted_for_platform(fmspc=fmspc, ca=Ca(asked.ca), issue=issue)
    if asked.evidence is not None:
        evidence = read_evidence(read_named(asked.evidence, FILE_LIMIT, "evidence"))
        if evidence.tee is Tee.TDX or asked.issue is None:
            return wanted_for_evidence(evidence, issue)
    if asked.issue is not None:
        raise Misuse("collateral fetch: --update and --evaluation-number are for Intel's collateral")
    line, kind = ProductLine(asked.product or ""), KeyKind(asked.key)
    return ChainKey(product=line, kind=kind), CrlKey(product=line, kind=kind)
