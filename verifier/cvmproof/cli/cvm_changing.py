"""`cvmproof cvm create | delete`: each sent once, and never again by itself."""

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypedDict

import click

from cvmproof.cli.command import settings_of
from cvmproof.cli.exit_code import ExitCode
from cvmproof.cli.logs import configure_logging
from cvmproof.cli.output import say, write_json, write_text
from cvmproof.cli.prism_api import api_command, open_client
from cvmproof.cli.proposing import propose
from cvmproof.errors import EndpointError, Misuse
from cvmproof.prism.cvm import KNOWN_PROVIDERS, Cvm
from cvmproof.prism.document import CvmCreatedDocument, CvmDeletedDocument, record_document
from cvmproof.prism.identifier import LONGEST
from cvmproof.rendering.terminal import Terminal
from cvmproof.spelling import escape
from cvmproof_formats.binding import Tee

if TYPE_CHECKING:
    from cvmproof.prism.client import PrismClient

_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
_SOFT = "the API keeps the record with the time of its deletion: cvmproof cvm list --status Inactive"
_NEVER = datetime.min.replace(tzinfo=UTC)


class _Wanted(TypedDict):
    name: str
    provider: str
    vcpus: int
    cc_platform: str
    agent_log_level: str


@api_command("create")
@click.option("--name", required=True, metavar="TEXT", help="Its name; nothing says that names are unique.")
@click.option("--provider", required=True, shell_complete=propose(*KNOWN_PROVIDERS), help="Where it is to run.")
@click.option("--vcpus", required=True, type=int, metavar="N", help="How many virtual CPUs.")
@click.option(
    "--cc-platform", required=True, shell_complete=propose(*Tee), metavar="sev-snp|tdx|TEXT", help="Which technology."
)
@click.option(
    "--agent-log-level",
    shell_complete=propose("debug", "info", "warn", "error"),
    default="info",
    show_default=True,
    help="What its agent logs.",
)
@_JSON
@click.pass_context
def create(
    ctx: click.Context,
    /,
    *,
    name: str,
    provider: str,
    vcpus: int,
    cc_platform: str,
    agent_log_level: str,
    as_json: bool,
) -> int:
    """Create a CVM, and print its id.

    The API need not say the id: it is then the one of that name that was not listed before.
    """
    configure_logging(settings_of(ctx))
    wanted: _Wanted = {
        "name": name,
        "provider": provider,
        "vcpus": vcpus,
        "cc_platform": cc_platform,
        "agent_log_level": agent_log_level,
    }
    with open_client(ctx) as client:
        document = _create(client, wanted)
    for note in document["notes"]:
        say(f"note: {note}")
    if as_json:
        write_json(document)
    else:
        say(f"created: {document['name']}")
        write_text("".join(f"{one}\n" for one in document["ids"]))
    return ExitCode.ACCEPTED


@api_command("delete")
@click.argument("cvm")
@click.option("--yes", is_flag=True, help="Do not ask.")
@_JSON
@click.pass_context
def delete(ctx: click.Context, /, *, cvm: str, yes: bool, as_json: bool) -> int:
    """Delete a CVM; asks first on a terminal, and elsewhere only with --yes."""
    configure_logging(settings_of(ctx))
    if not yes and not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise Misuse("delete: expected --yes, since there is no terminal to ask at; nothing was deleted")
    with open_client(ctx) as client:
        if not yes and not _confirmed(client.view(cvm)):
            raise Misuse("delete: not confirmed; nothing was deleted")
        client.delete(cvm)
        document: CvmDeletedDocument = {
            "schema": "cvmproof.cvm-deleted/1",
            "api": client.base_url,
            "domain": escape(client.domain, LONGEST),
            "id": escape(cvm, LONGEST),
            "note": _SOFT,
        }
    if as_json:
        write_json(document)
    else:
        write_text(f"deleted: {document['id']}\n")
        say(_SOFT)
    return ExitCode.ACCEPTED


def _create(client: "PrismClient", wanted: "_Wanted") -> CvmCreatedDocument:
    """Create it, and tell by the ids that were there before which is new."""
    name = wanted["name"]
    before = {cvm.id for cvm in _named(client, name)}
    said = client.create(**wanted)
    found, notes = _look_up(client, name)
    new = [said] if said else [cvm.id for cvm in found if cvm.id not in before]
    if not new and not notes:
        notes.append("it was created, and is not listed yet: cvmproof cvm list --name NAME shows its id later")
    if len(new) > 1:
        notes.append(f"{len(new)} CVMs of this name were created at this moment, and one of them is yours")
    if before:
        notes.append(f"{len(found) or len(before)} CVMs have this name now")
    return {
        "schema": "cvmproof.cvm-created/1",
        "api": client.base_url,
        "domain": escape(client.domain, LONGEST),
        "name": escape(name, LONGEST),
        "ids": [escape(one, LONGEST) for one in new],
        "same_name": [record_document(cvm) for cvm in found],
        "notes": notes,
    }


def _look_up(client: "PrismClient", name: str) -> tuple[list[Cvm], list[str]]:
    """Look for the name again; that it can't be done is a note and no error, since the CVM was created."""
    try:
        return _named(client, name), []
    except EndpointError as error:
        return [], [f"it was created, and could not be looked up: {escape(str(error), 1000)}"]


def _named(client: "PrismClient", name: str) -> list[Cvm]:
    """Find the CVMs of exactly this name, the newest first."""
    found = (cvm for cvm in client.cvms(name=name) if cvm.name == name)
    return sorted(found, key=lambda cvm: cvm.created_at or _NEVER, reverse=True)


def _confirmed(cvm: Cvm) -> bool:
    words = f"delete CVM {escape(cvm.id, LONGEST)}, name {escape(cvm.name)}, status {escape(cvm.status)}? [y/N] "
    sys.stderr.write(Terminal.of(sys.stderr).fit(words))
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}
