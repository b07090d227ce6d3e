"""`cvmproof cvm forget`: which machine a CVM was at its first use, forgotten; nobody is asked for anything."""

from pathlib import Path

import click

from cvmproof.cli.exit_code import ExitCode
from cvmproof.cli.output import write_json, write_text
from cvmproof.cli.prism_api import place_command, place_of
from cvmproof.errors import CollateralError
from cvmproof.marks import CvmKey, Marks
from cvmproof.prism.document import CvmForgottenDocument
from cvmproof.prism.identifier import LONGEST, segment
from cvmproof.spelling import escape
from cvmproof.trust import TrustRoots


@place_command("forget")
@click.argument("cvm")
@click.option(
    "--trust",
    type=click.Choice(["production", "simulated"]),
    default="production",
    show_default=True,
    help="Under which root keys it was remembered.",
)
@click.option("--state", metavar="DIR", help="Where it was remembered; default: your own.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def forget(ctx: click.Context, /, *, cvm: str, trust: str, state: str | None, as_json: bool) -> int:
    """Forget which machine a CVM was at its first use (cvm verify --pin first-use): the next one is taken for it.

    Needs no token and no network. The policies that were seen stay remembered.
    """
    api, domain = place_of(ctx)
    segment(cvm, "CVM id")
    marks = Marks.default() if state is None else Marks(folder=Path(state) / "marks")
    key = CvmKey(trust=TrustRoots.named(trust).name, api=api, domain=domain, cvm=cvm)
    forgotten = _is_known(marks, key)
    if forgotten:
        marks.forget(key)
    document: CvmForgottenDocument = {
        "schema": "cvmproof.cvm-forgotten/1",
        "api": api,
        "domain": escape(domain, LONGEST),
        "trust": trust,
        "cvm": escape(cvm, LONGEST),
        "forgotten": forgotten,
    }
    if as_json:
        write_json(document)
    else:
        write_text(f"{'forgotten' if forgotten else 'nothing was remembered'}: {document['cvm']}, {trust} roots\n")
    return ExitCode.ACCEPTED


def _is_known(marks: Marks, key: CvmKey) -> bool:
    """Tell whether a machine is remembered; a mark that can't be read counts, since it is to go as well."""
    try:
        return marks.identity(key) is not None
    except CollateralError:
        return True
