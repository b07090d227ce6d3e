"""`cvmproof inspect`: what a file says, field by field; nothing is checked."""

import click

from cvmproof.cli.command import command
from cvmproof.cli.exit_code import ExitCode
from cvmproof.cli.files import read_named, title_of
from cvmproof.cli.output import say, write_json, write_text
from cvmproof.rendering.columns import columns
from cvmproof.rendering.contents import sections_of
from cvmproof_formats.evidence import FILE_LIMIT

_NOTE = "nothing was checked: no signature, no certificate, no policy; anybody can write such a file"


@command("inspect")
@click.argument("file")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def inspect(file: str, *, as_json: bool) -> int:
    """Show what FILE says, field by field; - is stdin. Nothing is checked.

    FILE is an SNP report, a TDX quote, an evidence file of either, a certificate or revocation list (DER, PEM), a
    certificate table, or the event log of a TD (CCEL).
    """
    sections = sections_of(read_named(file, FILE_LIMIT, "file"))
    if as_json:
        parts = [{"title": section.title, "fields": dict(section.fields)} for section in sections]
        write_json({"schema": "cvmproof.inspection/1", "checked": False, "note": _NOTE, "sections": parts})
        return ExitCode.ACCEPTED
    body = "\n".join(f"{section.title}\n{columns(section.fields, indent='  ')}" for section in sections)
    write_text(f"{title_of(file)}\n\n{body}")
    say(_NOTE)
    return ExitCode.ACCEPTED
