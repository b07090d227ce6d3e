"""Files made from code: the JSON Schema of results, the list of checks, the reference of policies, the help texts.

python -m cvmproof.generated            writes them
python -m cvmproof.generated --check    compares them and writes nothing; for a clone, not for an installed package
"""

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path

import click

from cvmproof.cli.command import LazyGroup
from cvmproof.cli.exit_code import ExitCode
from cvmproof.cli.main import cli
from cvmproof.document import SCHEMA, AppraisalDocument, ErrorDocument
from cvmproof.document_shape import json_schema
from cvmproof.policy.floors import PROFILES, FloorProfile
from cvmproof.policy.policy import Revocation
from cvmproof.policy.reading import MAXIMUM_VALIDITY
from cvmproof.policy.snp_rules import SnpRules
from cvmproof.snp.questions import SNP_QUESTIONS
from cvmproof_formats.bitfield import Bit
from cvmproof_formats.snp.guest_policy import GUEST_POLICY_BITS
from cvmproof_formats.snp.platform_info import PLATFORM_INFO_BITS

_MADE = "Made by `make generated`; change the code it is made from."
_WIDTH = 100  # columns of help texts


def appraisal_schema() -> str:
    """The JSON Schema of everything that `cvmproof verify --json` prints."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:{SCHEMA.replace('.', ':').replace('/', ':')}",
        "title": SCHEMA,
        "description": f"What `cvmproof verify --json` prints. {_MADE}",
        "oneOf": [json_schema(AppraisalDocument), json_schema(ErrorDocument)],
    }
    return json.dumps(schema, indent=1) + "\n"


def checks_page() -> str:
    """Every check: id, category, why, specification, and the policy rule that asks it."""
    rows = ((f"`{q.id}`", q.category, q.why, q.spec, f"`{q.rule}`" if q.rule else "always") for q in SNP_QUESTIONS)
    head = (
        f"# Checks\n\n{_MADE}\n\n"
        "Every check answers one question. A failed one shows its category, what was expected, what was found and\n"
        "why it matters. One with a rule is asked where that rule of the policy demands something. Ids are never used\n"
        "again.\n\n"
    )
    return head + _table(("id", "category", "a no means", "specification", "asked by"), rows)


def policy_page() -> str:
    """Every rule of a policy, and the named TCB floors."""
    rules = ((f"`{rule.name}`", str(rule.metadata["meaning"])) for rule in fields(SnpRules))
    return "\n".join(
        (
            "# Policies",
            "",
            _MADE,
            "",
            "A policy is TOML, or JSON with the same names, of version 1. Nothing is optional by omission: what does",
            'not matter is written `"any"`, and each result lists it. `extends = "builtin:NAME"` takes from a built-in',
            "policy whatever the file does not say itself. `cvmproof policy show FILE` prints the whole.",
            "",
            "| name | meaning |",
            "|---|---|",
            "| `version` | 1 |",
            f"| `revocation` | {_revocations()}: whether a verdict needs the vendor's list |",
            f"| `valid_for` | seconds for which an acceptance lasts, 1 to {MAXIMUM_VALIDITY} |",
            "| `snp` | the rules for SEV-SNP; without it SNP evidence is refused |",
            "",
            "## `[snp]`",
            "",
            _table(("rule", "meaning"), rules),
            "## `[snp.guest_policy]`: `required`, `forbidden` or `any`",
            "",
            _bits(GUEST_POLICY_BITS),
            "## `[snp.platform_info]`: `required`, `forbidden` or `any`",
            "",
            _bits(PLATFORM_INFO_BITS),
            "## TCB floors",
            "",
            "Microcode by silicon line, the other components by product line; each must be reached.",
            "",
            _table(("name", "dated", "product line", "snp", "microcode"), _floors()),
        )
    )


def cli_page() -> str:
    """The help text of every command."""
    parts = [f"# Command line\n\n{_MADE}\n\n{_exit_codes()}"]
    for path, command in _commands("cvmproof", cli):
        info = click.Context(command, info_name=path, terminal_width=_WIDTH, help_option_names=["-h", "--help"])
        parts.append(f"## `{path}`\n\n```text\n{command.get_help(info)}\n```\n")
    return "\n".join(parts)


def _revocations() -> str:
    return " or ".join(f"`{name}`" for name in Revocation)


def _exit_codes() -> str:
    meanings = (
        (ExitCode.ACCEPTED, "accepted"),
        (ExitCode.MISUSE, "used wrongly, or the policy is wrong"),
        (ExitCode.MALFORMED, "the evidence is malformed, unsupported or too large"),
        (ExitCode.REJECTED, "rejected"),
        (ExitCode.UNDECIDED, "undecided: collateral is missing, stale or unreachable"),
        (ExitCode.ENDPOINT, "the endpoint or device failed"),
        (ExitCode.INTERNAL, "our bug"),
    )
    return _table(("exit code", "means"), ((str(int(code)), meaning) for code, meaning in meanings))


def _commands(path: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    yield path, command
    if isinstance(command, LazyGroup):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            if below is not None:
                yield from _commands(f"{path} {name}", below)


def _bits(bits: tuple[Bit, ...]) -> str:
    return _table(("bit", "index", "1 means"), ((f"`{bit.name}`", str(bit.index), bit.meaning) for bit in bits))


def _floors() -> Iterator[tuple[str, ...]]:
    for profile in PROFILES.values():
        yield from _floor(profile)


def _floor(profile: FloorProfile) -> Iterator[tuple[str, ...]]:
    for product, level in profile.products.items():
        microcode = ", ".join(f"{part} {value}" for part, value in level.microcode.items())
        yield f"`{profile.name}`", profile.dated.isoformat(), product, str(level.snp), microcode


def _table(head: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    lines += [f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in row)} |" for row in rows]
    return "\n".join(lines) + "\n"


def generated_files(root: Path) -> Mapping[Path, str]:
    """What each generated file of a clone at `root` must contain."""
    return {
        root / "verifier" / "cvmproof" / "schema" / "appraisal.schema.json": appraisal_schema(),
        root / "docs" / "checks.md": checks_page(),
        root / "docs" / "policy.md": policy_page(),
        root / "docs" / "cli.md": cli_page(),
    }


def main(arguments: list[str]) -> int:
    """Write the files, or with --check say which differ; gives the exit code."""
    root = Path(__file__).resolve().parents[2]
    if not (root / "pyproject.toml").is_file():
        sys.stderr.write("cvmproof.generated works in a clone, next to docs/\n")
        return 1
    wanted = generated_files(root)
    stale = [path for path, text in wanted.items() if not path.is_file() or path.read_text("utf-8") != text]
    if "--check" in arguments:
        for path in stale:
            sys.stderr.write(f"{path.relative_to(root)} is not what the code says: make generated\n")
        return 1 if stale else 0
    for path in stale:
        path.parent.mkdir(exist_ok=True)
        path.write_text(wanted[path], "utf-8")
        sys.stdout.write(f"wrote {path.relative_to(root)}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
