"""`cvmproof policy new | from-evidence`: policies written for people to read before they use them."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import click

from cvmproof.cli.arguments import read_hex_option
from cvmproof.cli.command import command
from cvmproof.cli.exit_code import ExitCode
from cvmproof.cli.files import STDIN, read_named, title_of
from cvmproof.cli.output import say, write_text
from cvmproof.errors import Misuse
from cvmproof.policy.reading import BUILTIN_PREFIX, builtin_bytes, read_policy
from cvmproof.policy.writing import TomlValue, write_toml
from cvmproof.rendering.claimed_policy import claimed_policy
from cvmproof_formats.evidence import FILE_LIMIT, read_evidence

_FIRMWARE_ALONE = "firmware is named, what it boots is not: --rtmr1 and --rtmr2 say which kernel and initial RAM disk"


class _Option(NamedTuple):
    """An option for reference values: the table and rule it fills in, and their length in bytes."""

    name: str
    table: str
    rule: str
    size: int
    help: str


# AMD 56860, ATTESTATION_REPORT; Intel's DCAP quote format, TD Quote Body; PCK certificate profile, SGX extensions.
_OPTIONS = (
    _Option("measurement", "snp", "measurements", 48, "SEV-SNP: software that may run"),
    _Option("pin-chip", "snp", "chip_ids", 64, "SEV-SNP: a chip that is taken, its CHIP_ID"),
    _Option("host-data", "snp", "host_data", 32, "SEV-SNP: a launch configuration"),
    _Option("mrtd", "tdx", "mr_tds", 48, "TDX: firmware that may run, its MRTD"),
    _Option("rtmr0", "tdx", "rtmr0", 48, "TDX: settings of the firmware"),
    _Option("rtmr1", "tdx", "rtmr1", 48, "TDX: boot loader and kernel"),
    _Option("rtmr2", "tdx", "rtmr2", 48, "TDX: command line and initial RAM disk"),
    _Option("rtmr3", "tdx", "rtmr3", 48, "TDX: what the running system measures"),
    _Option("mrconfigid", "tdx", "mr_config_ids", 48, "TDX: a launch configuration"),
    _Option("pin-ppid", "tdx", "ppids", 16, "TDX: a processor that is taken, its PPID"),
    _Option("pin-platform", "tdx", "platform_instance_ids", 16, "TDX: a platform that is taken, its instance id"),
)


def _reference_options(function: Callable[..., int]) -> Callable[..., int]:
    for option in reversed(_OPTIONS):
        text = f"{option.help}, {option.size} bytes; repeatable."
        function = click.option(f"--{option.name}", option.rule, multiple=True, metavar="HEX", help=text)(function)
    return function


@command("new")
@click.option("--from", "base", required=True, metavar="builtin:NAME", help="The built-in policy to complete.")
@_reference_options
@click.option("-o", "--output", default=STDIN, metavar="FILE", help="Where to write; default: standard output.")
@click.option("--force", is_flag=True, help="Overwrite FILE.")
def new(*, base: str, output: str, force: bool, **given: tuple[str, ...]) -> int:
    """Write a policy that extends a built-in one with what only you can know.

    It takes the technologies of which something is named, and refuses the other.
    """
    builtin_bytes(base.removeprefix(BUILTIN_PREFIX))
    if not base.startswith(BUILTIN_PREFIX):
        raise Misuse(f"--from: expected {BUILTIN_PREFIX}NAME, got {base!r:.60}")
    tables = _read_tables(given)
    if not tables:
        raise Misuse("expected at least one --measurement, --mrtd or the like: a policy says something of its own")
    head = f"# Completes {base}: see cvmproof policy show {base} for what else is demanded.\n"
    comments = {"snp.measurements": "software that may run", "tdx.mr_tds": "firmware that may run"}
    _write(head + write_toml({"extends": base, **tables}, comments), output, force=force)
    tdx = tables.get("tdx", {})
    if "mr_tds" in tdx and not {"rtmr1", "rtmr2"} <= tdx.keys():
        say(_FIRMWARE_ALONE)
    return ExitCode.ACCEPTED


def _read_tables(given: Mapping[str, tuple[str, ...]]) -> dict[str, dict[str, TomlValue]]:
    tables: dict[str, dict[str, TomlValue]] = {}
    for option in _OPTIONS:
        values = [read_hex_option(f"--{option.name}", value, option.size).hex() for value in given[option.rule]]
        if values:
            tables.setdefault(option.table, {})[option.rule] = list(dict.fromkeys(values))
    return tables


@command("from-evidence")
@click.argument("file")
@click.option("-o", "--output", default=STDIN, metavar="OUT", help="Where to write; default: standard output.")
@click.option("--force", is_flag=True, help="Overwrite OUT.")
def from_evidence(file: str, *, output: str, force: bool) -> int:
    """Write a policy that demands what the evidence in FILE claims; - is stdin. The claims are not checked.

    Take evidence of a machine that you trust already, read what was written, and only then use it.
    """
    evidence = read_evidence(read_named(file, FILE_LIMIT, "evidence"))
    _write(claimed_policy(evidence, title_of(file)), output, force=force)
    say("nothing was checked: the policy repeats what the evidence claims; read it before you use it")
    return ExitCode.ACCEPTED


def _write(text: str, output: str, *, force: bool) -> None:
    """Write a policy, after reading it as a policy: what is written is valid."""
    read_policy(text.encode("utf-8"), name="the policy to be written")
    if output == STDIN:
        write_text(text)
        return
    try:
        with Path(output).open("w" if force else "x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except FileExistsError as error:
        raise Misuse(f"{output!r:.200}: is there already", hint="--force overwrites it") from error
    except OSError as error:
        raise Misuse(f"{output!r:.200}: can't be written: {error.strerror}") from error
    say(f"written: {output}")
