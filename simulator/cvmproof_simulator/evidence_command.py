"""`cvmproof-simulator evidence`: an evidence file of a SIMULATED machine of either technology, right or wrong."""

import sys
from collections.abc import Mapping
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import cast, get_type_hints

import click
from click.core import ParameterSource

from cvmproof_formats.binding import Tee
from cvmproof_formats.encoding import read_hex
from cvmproof_formats.errors import Malformed, Misuse
from cvmproof_formats.snp.product import KeyKind, ProductLine
from cvmproof_formats.snp.report import AttestationReport
from cvmproof_formats.tdx.hierarchy import Ca
from cvmproof_formats.tdx.tcb_status import TcbStatus
from cvmproof_simulator.evidence import collateral_files, list_issued, nonce_evidence
from cvmproof_simulator.psp import ReportFields, SoftwarePsp
from cvmproof_simulator.tdx import evidence as tdx_evidence
from cvmproof_simulator.tdx.collateral import Collateral
from cvmproof_simulator.tdx.platform import PCESVNS, SoftwarePlatform
from cvmproof_simulator.tdx.quoting_enclave import QuoteChanges
from cvmproof_simulator.tdx.td import SoftwareTd

_NOTE = "SIMULATED: the keys are public; only --trust simulated accepts this"

Kinds = Mapping[str, object]
"""Fields that --set can change, and whether they are numbers (int) or bytes."""

SNP_FIELDS: Kinds = {
    field.name: field.type for field in fields(AttestationReport) if field.name in ReportFields.__optional_keys__
}
TDX_FIELDS: Kinds = {name: kind for name, kind in get_type_hints(QuoteChanges).items() if kind in (int, bytes)}
_OPTIONS_OF = {
    Tee.SEV_SNP: ("product", "key", "report_version", "certificates"),
    Tee.TDX: ("quote_version", "pck_ca", "tcb_status", "event_log"),
}

_HELP = """Write an evidence file of a SIMULATED machine, right or wrong.

\b
--set policy=0xb0000                       an SNP guest that can be debugged
--tee tdx --set td_attributes=0x10000001   a TD that can be debugged
--tee tdx --tcb-status OutOfDate           a TD on a machine that lacks updates
"""


@click.command("evidence", help=_HELP)
@click.option("--nonce", required=True, metavar="HEX", help="The nonce that the verifier chose, 32 bytes.")
@click.option("--tee", type=click.Choice([t.value for t in Tee]), default=Tee.SEV_SNP.value, show_default=True)
@click.option("--product", type=click.Choice([p.value for p in ProductLine]), default="Genoa", show_default=True)
@click.option("--key", type=click.Choice([k.value for k in KeyKind]), default="VCEK", show_default=True)
@click.option("--report-version", type=click.IntRange(2, 5), default=5, show_default=True)
@click.option("--certificates", is_flag=True, help="Put the certificates into the evidence; a quote has its own.")
@click.option("--quote-version", type=click.IntRange(4, 5), default=4, show_default=True)
@click.option("--pck-ca", type=click.Choice([c.value for c in Ca]), default="platform", show_default=True)
@click.option(
    "--tcb-status",
    type=click.Choice([s.value for s in PCESVNS]),
    default="UpToDate",
    show_default=True,
    metavar="STATUS",
    help="What TCB info says of the machine, in Intel's spelling; NotSupported: no level.",
)
@click.option("--event-log", is_flag=True, help="Put the log of the boot into the evidence.")
@click.option(
    "--set",
    "changes",
    multiple=True,
    metavar="FIELD=VALUE",
    help="Change a field of the report or quote before signing; those of the QE report start with qe_.",
)
@click.option("--collateral", metavar="DIR", help="Write what the evidence is checked with there.")
@click.option("-o", "--output", default="-", metavar="FILE", help="Where to write; default: standard output.")
@click.pass_context
def evidence(
    ctx: click.Context,
    *,
    nonce: str,
    tee: str,
    product: str,
    key: str,
    report_version: int,
    certificates: bool,
    quote_version: int,
    pck_ca: str,
    tcb_status: str,
    event_log: bool,
    changes: tuple[str, ...],
    collateral: str | None,
    output: str,
) -> None:
    """Write an evidence file."""
    _refuse_options_of_the_other(ctx, Tee(tee))
    chosen = read_hex(nonce, what="--nonce")
    if tee == Tee.TDX:
        td = SoftwareTd(platform=SoftwarePlatform(ca=Ca(pck_ca)).rated(TcbStatus(tcb_status)))
        quote = cast("QuoteChanges", read_changes(changes, TDX_FIELDS))
        data = tdx_evidence.nonce_evidence(td, chosen, quote, version=quote_version, with_event_log=event_log)
        files = Collateral.of(td.platform, list_issued(_now())).files
    else:
        psp = SoftwarePsp(ProductLine(product), KeyKind(key), version=report_version)
        report = cast("ReportFields", read_changes(changes, SNP_FIELDS))
        data = nonce_evidence(psp, chosen, report, with_certificates=certificates)
        files = collateral_files(psp, _now())
    if collateral is not None:
        _write_all(Path(collateral), files)
    if output == "-":
        sys.stdout.buffer.write(data)
    else:
        Path(output).write_bytes(data)
    click.echo(_NOTE, err=True)


def read_changes(changes: tuple[str, ...], kinds: Kinds) -> Mapping[str, int | bytes]:
    """Read FIELD=VALUE: numbers as 5 or 0x5, bytes in hexadecimal of their full length.

    Raises Malformed.
    """
    found: dict[str, int | bytes] = {}
    for change in changes:
        name, equals, value = change.partition("=")
        if name not in kinds or not equals:
            raise Malformed(f"--set {change[:60]!r}: expected FIELD=VALUE with a field of {', '.join(sorted(kinds))}")
        found[name] = _read_number(name, value) if kinds[name] is int else read_hex(value, what=f"--set {name}")
    return found


def _read_number(name: str, value: str) -> int:
    try:
        return int(value, 0)
    except ValueError as error:
        raise Malformed(f"--set {name}: expected a number like 5 or 0x5, got {value[:60]!r}") from error


def _refuse_options_of_the_other(ctx: click.Context, tee: Tee) -> None:
    other = Tee.SEV_SNP if tee is Tee.TDX else Tee.TDX
    for name in _OPTIONS_OF[other]:
        if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            raise Misuse(f"--{name.replace('_', '-')} is about {other} evidence, and --tee says {tee}")


def _write_all(folder: Path, files: Mapping[str, bytes]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (folder / name).write_bytes(data)


def _now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)
