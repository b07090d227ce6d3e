"""`cvmproof policy new | from-evidence`: policies written for people to read before they use them."""

from collections.abc import Sequence
from pathlib import Path

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

_MEASUREMENT_SIZE, _CHIP_ID_SIZE, _HOST_DATA_SIZE = 48, 64, 32  # bytes, AMD 56860, ATTESTATION_REPORT


@command("new")
@click.option("--from", "base", required=True, metavar="builtin:NAME", help="The built-in policy to complete.")
@click.option("--measurement", multiple=True, metavar="HEX", help="Software that may run, 48 bytes; repeatable.")
@click.option(
    "--pin-chip", multiple=True, metavar="HEX", help="A chip that is taken, its CHIP_ID of 64 bytes; repeatable."
)
@click.option("--host-data", multiple=True, metavar="HEX", help="A launch configuration, 32 bytes; repeatable.")
@click.option("-o", "--output", default=STDIN, metavar="FILE", help="Where to write; default: standard output.")
@click.option("--force", is_flag=True, help="Overwrite FILE.")
def new(
    *,
    base: str,
    measurement: Sequence[str],
    pin_chip: Sequence[str],
    host_data: Sequence[str],
    output: str,
    force: bool,
) -> int:
    """Write a policy that extends a built-in one with what only you can know."""
    builtin_bytes(base.removeprefix(BUILTIN_PREFIX))
    if not base.startswith(BUILTIN_PREFIX):
        raise Misuse(f"--from: expected {BUILTIN_PREFIX}NAME, got {base!r:.60}")
    rules: dict[str, TomlValue] = {}
    for name, option, values, size in (
        ("measurements", "--measurement", measurement, _MEASUREMENT_SIZE),
        ("chip_ids", "--pin-chip", pin_chip, _CHIP_ID_SIZE),
        ("host_data", "--host-data", host_data, _HOST_DATA_SIZE),
    ):
        if values:
            rules[name] = [read_hex_option(option, value, size).hex() for value in dict.fromkeys(values)]
    if not rules:
        raise Misuse(
            "expected at least one --measurement, --pin-chip or --host-data: a policy says something of its own"
        )
    head = f"# Completes {base}: see cvmproof policy show {base} for what else is demanded.\n"
    body = write_toml({"extends": base, "snp": rules}, {"snp.measurements": "software that may run"})
    _write(head + body, output, force=force)
    return ExitCode.ACCEPTED


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
