"""`cvmproof-simulator`: SIMULATED machines to try the verifier with; no production trust set accepts their roots."""

import signal
import sys
from contextlib import ExitStack
from dataclasses import fields
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Final, Never, cast

import click

from cvmproof_formats.encoding import read_hex
from cvmproof_formats.errors import CvmproofError, Malformed, Misuse
from cvmproof_formats.snp.product import KeyKind, ProductLine
from cvmproof_formats.snp.report import AttestationReport
from cvmproof_simulator.evidence import collateral_files, nonce_evidence
from cvmproof_simulator.prism_command import handling, prism
from cvmproof_simulator.psp import ReportFields, SoftwarePsp

_NOTE = "SIMULATED: the keys are public; only --trust simulated accepts this"
_MISUSE = 1
# Windows has no SIGHUP.
_ENDING: Final = [each for each in signal.Signals if each.name in {"SIGINT", "SIGTERM", "SIGHUP"}]
_KINDS = {field.name: field.type for field in fields(AttestationReport)}
_FIELDS = ReportFields.__optional_keys__


class Program(click.Group):
    """The commands; errors are one sentence and exit code 1."""

    def invoke(self, ctx: click.Context) -> object:
        """Run, and put our own errors into words."""
        try:
            return super().invoke(ctx)
        except CvmproofError as error:
            raise click.ClickException(f"{error.category}: {error}") from error


@click.group(cls=Program, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="cvmproof", message="cvmproof-simulator %(version)s")
def cli() -> None:
    """SIMULATED SEV-SNP machines, and the services around them, to try the verifier without hardware."""


cli.add_command(prism)


@cli.command()
@click.option("--keep", is_flag=True, help="Leave the CVMs, the fakes and the files in place until Ctrl-C.")
@click.option("--no-color", is_flag=True, help="No colours.")
@click.option(
    "--first-step", type=int, default=1, hidden=True, help="Number of the first step: `make demo` has one before."
)
def demo(*, keep: bool, no_color: bool, first_step: int) -> None:
    """Show the verifier accept a CVM that an API lists, and refuse another one and a relay, with every reason."""
    if find_spec("grpc_health") is None:
        raise Misuse("the demo runs an agent: pip install 'cvmproof[agent]'")
    with ExitStack() as handlers:
        for number in _ENDING:
            handlers.enter_context(handling(number, _end))
        from cvmproof_simulator.demo import Demo  # noqa: PLC0415 -- starts servers, which other commands do without

        status = Demo(keep=keep, color=not no_color and sys.stdout.isatty(), first_step=first_step).run()
    sys.exit(status)


def _end(*_: object) -> Never:
    """Begin to clean up; nothing interrupts that again."""
    for number in _ENDING:
        signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


@cli.command()
@click.option("--nonce", required=True, metavar="HEX", help="The nonce that the verifier chose, 32 bytes.")
@click.option("--product", type=click.Choice([p.value for p in ProductLine]), default="Genoa", show_default=True)
@click.option("--key", type=click.Choice([k.value for k in KeyKind]), default="VCEK", show_default=True)
@click.option("--report-version", type=click.IntRange(2, 5), default=5, show_default=True)
@click.option(
    "--set", "changes", multiple=True, metavar="FIELD=VALUE", help="Change a field of the report before signing."
)
@click.option("--certificates", is_flag=True, help="Put the certificates into the evidence.")
@click.option("--collateral", metavar="DIR", help="Write certificates and a revocation list there.")
@click.option("-o", "--output", default="-", metavar="FILE", help="Where to write; default: standard output.")
def evidence(
    *,
    nonce: str,
    product: str,
    key: str,
    report_version: int,
    changes: tuple[str, ...],
    certificates: bool,
    collateral: str | None,
    output: str,
) -> None:
    """Write an evidence file of a SIMULATED machine, right or wrong: --set policy=0xb0000 is a debug guest."""
    psp = SoftwarePsp(ProductLine(product), KeyKind(key), version=report_version)
    data = nonce_evidence(psp, read_hex(nonce, what="--nonce"), read_changes(changes), with_certificates=certificates)
    if collateral is not None:
        _write_all(Path(collateral), psp)
    if output == "-":
        sys.stdout.buffer.write(data)
    else:
        Path(output).write_bytes(data)
    click.echo(_NOTE, err=True)


def read_changes(changes: tuple[str, ...]) -> ReportFields:
    """Read FIELD=VALUE: numbers as 5 or 0x5, bytes in hexadecimal of their full length.

    Raises Malformed.
    """
    found: dict[str, int | bytes] = {}
    for change in changes:
        name, equals, value = change.partition("=")
        if name not in _FIELDS or not equals:
            raise Malformed(f"--set {change[:60]!r}: expected FIELD=VALUE with a field of {', '.join(sorted(_FIELDS))}")
        found[name] = _read_number(name, value) if _KINDS[name] is int else read_hex(value, what=f"--set {name}")
    return cast("ReportFields", found)


def _read_number(name: str, value: str) -> int:
    try:
        return int(value, 0)
    except ValueError as error:
        raise Malformed(f"--set {name}: expected a number like 5 or 0x5, got {value[:60]!r}") from error


def _write_all(folder: Path, psp: SoftwarePsp) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in collateral_files(psp, datetime.now(UTC).replace(microsecond=0)).items():
        (folder / name).write_bytes(data)


def main() -> None:
    """Run the command line of this process."""
    try:
        status = cli.main(standalone_mode=False)
    except click.ClickException as error:
        error.show()
        status = _MISUSE
    except click.Abort:
        status = _MISUSE
    sys.exit(status if isinstance(status, int) else 0)
