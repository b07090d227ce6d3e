"""`cvmproof cvm list | show | stats`: what an API says of CVMs; nothing is checked."""

import sys
from itertools import islice
from typing import TYPE_CHECKING

import click

from cvmproof.cli.command import settings_of
from cvmproof.cli.exit_code import ExitCode
from cvmproof.cli.logs import configure_logging
from cvmproof.cli.output import say, write_json, write_text
from cvmproof.cli.prism_api import api_command, open_client
from cvmproof.cli.proposing import propose
from cvmproof.prism.cvm import KNOWN_STATUSES
from cvmproof.prism.document import (
    NOT_CHECKED,
    CvmListDocument,
    CvmShownDocument,
    CvmStatsDocument,
    record_document,
    sample_documents,
)
from cvmproof.prism.identifier import LONGEST
from cvmproof.spelling import escape
from cvmproof_formats.binding import Tee

if TYPE_CHECKING:
    from cvmproof.prism.client import PrismClient

_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
_PAGE = 50  # CVMs asked for at once


@api_command("list")
@click.option("--name", metavar="TEXT", help="Only CVMs with this in their name.")
@click.option(
    "--status",
    shell_complete=propose("Active", "Inactive", *KNOWN_STATUSES),
    help="Only those of this status; default: active.",
)
@click.option("--days", type=int, metavar="N", help="Only those of the last N days.")
@click.option(
    "--cc-platform", shell_complete=propose(*Tee), metavar="sev-snp|tdx|TEXT", help="Only those of this platform."
)
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="At most so many; default: all.")
@_JSON
@click.pass_context
def list_(
    ctx: click.Context,
    /,
    *,
    name: str | None,
    status: str | None,
    days: int | None,
    cc_platform: str | None,
    limit: int | None,
    as_json: bool,
) -> int:
    """List the CVMs of a domain, as the API describes them; nothing is checked.

    What a filter means is up to the API: a part of a name may be enough.
    """
    configure_logging(settings_of(ctx))
    with open_client(ctx) as client:
        cvms = client.cvms(name=name, status=status, days=days, cc_platform=cc_platform, page_size=_page_size(limit))
        # One more than asked for tells whether there are more.
        records = [record_document(cvm) for cvm in islice(cvms, None if limit is None else limit + 1)]
        document: CvmListDocument = {
            "schema": "cvmproof.cvm-list/1",
            "api": client.base_url,
            "domain": escape(client.domain, LONGEST),
            "cvms": records[:limit],
            "complete": limit is None or len(records) <= limit,
        }
    if as_json:
        write_json(document)
    else:
        _draw_list(document)
    return ExitCode.ACCEPTED


@api_command("show")
@click.argument("cvm")
@_JSON
@click.pass_context
def show(ctx: click.Context, /, *, cvm: str, as_json: bool) -> int:
    """Show what the API says of a CVM, field by field; nothing is checked."""
    configure_logging(settings_of(ctx))
    with open_client(ctx) as client:
        document: CvmShownDocument = {
            "schema": "cvmproof.cvm/1",
            "api": client.base_url,
            "domain": escape(client.domain, LONGEST),
            "checked": False,
            "note": NOT_CHECKED,
            "cvm": record_document(client.view(cvm)),
        }
    if as_json:
        write_json(document)
        return ExitCode.ACCEPTED
    from cvmproof.rendering.cvms import cvm_fields

    write_text(cvm_fields(document["cvm"]))
    say(NOT_CHECKED)
    return ExitCode.ACCEPTED


@api_command("stats")
@click.argument("cvm")
@click.option("--days", type=int, metavar="N", help="Of the last N days; default: what the API gives.")
@_JSON
@click.pass_context
def stats(ctx: click.Context, /, *, cvm: str, days: int | None, as_json: bool) -> int:
    """Show when a CVM was online, as the API says."""
    configure_logging(settings_of(ctx))
    with open_client(ctx) as client:
        document = _stats(client, cvm, days)
    if as_json:
        write_json(document)
    else:
        _draw_stats(document)
    return ExitCode.ACCEPTED


def _page_size(limit: int | None) -> int:
    return _PAGE if limit is None else min(limit + 1, _PAGE)


def _stats(client: "PrismClient", cvm: str, days: int | None) -> CvmStatsDocument:
    samples = sample_documents(client.statistics(cvm, days=days))
    online = sum(sample["online"] for sample in samples)
    return {
        "schema": "cvmproof.cvm-stats/1",
        "api": client.base_url,
        "domain": escape(client.domain, LONGEST),
        "cvm": escape(cvm, LONGEST),
        "online": online,
        "offline": len(samples) - online,
        "samples": samples,
    }


def _draw_list(document: CvmListDocument) -> None:
    from cvmproof.rendering.cvms import cvm_table
    from cvmproof.rendering.table import width_of
    from cvmproof.rendering.terminal import Terminal

    if not document["cvms"]:
        write_text(f"no CVMs in the domain {document['domain']}, as far as asked for\n")
        return
    write_text(cvm_table(document["cvms"], Terminal.of(sys.stdout), width_of(sys.stdout)))
    if not document["complete"]:
        say(f"there are more than {len(document['cvms'])}: a higher --limit shows them")


def _draw_stats(document: CvmStatsDocument) -> None:
    from cvmproof.rendering.cvms import online_legend, online_line, online_table
    from cvmproof.rendering.table import width_of
    from cvmproof.rendering.terminal import Terminal

    samples = document["samples"]
    if not samples:
        write_text(f"no samples of {document['cvm']} in that time\n")
        return
    width = width_of(sys.stdout)
    counts = f"{len(samples)} samples, {document['online']} online, {document['offline']} offline"
    head = f"{online_line(samples, width)}\n{online_legend()}   {counts}\n\n"
    write_text(head + online_table(samples, Terminal.of(sys.stdout), width))
