"""`cvmproof policy check | list | show`: what a policy demands, and what it leaves open."""

import json

import click

from cvmproof.cli.command import command
from cvmproof.cli.exit_code import ExitCode
from cvmproof.cli.output import say, write_json, write_text
from cvmproof.cli.policy_signing import open_shown_policy, policy_key_option
from cvmproof.errors import Misuse
from cvmproof.policy.floors import PROFILES
from cvmproof.policy.policy import Policy
from cvmproof.policy.reading import BUILTIN_NAMES, BUILTIN_PREFIX, builtin_bytes, builtin_policy
from cvmproof.policy.writing import effective_document, left_open, write_toml
from cvmproof.rendering.columns import columns
from cvmproof.spelling import escape
from cvmproof_formats.binding import Tee

SCHEMA = "cvmproof.policy-summary/1"


@command("check")
@click.argument("file")
@policy_key_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def check(file: str, *, policy_key: tuple[str, ...], as_json: bool) -> int:
    """Read the policy in FILE strictly, and say what it leaves open; of a signed one also who signed it."""
    shown = open_shown_policy(file, policy_key)
    policy = shown.policy
    if as_json:
        write_json({"schema": SCHEMA, **_summary(policy), **shown.document()})
        return ExitCode.ACCEPTED
    taken, refused = ", ".join(policy.tees), ", ".join(tee for tee in Tee if tee not in policy.tees)
    any_software = " and ".join(policy.tees_of_any_software)
    software = f"it says nothing about which software may run with {any_software}\n" if any_software else ""
    open_names = left_open(policy)
    write_text(
        f"{escape(policy.name)}: a policy of version 1, SHA-256 {policy.digest.hex()}\n"
        f"{shown.text()}"
        f"takes {taken}{f', refuses {refused}' if refused else ''}\n"
        f"{software}left open ({len(open_names)}): {', '.join(open_names) or 'nothing'}\n"
    )
    return ExitCode.ACCEPTED


@command("list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def list_(*, as_json: bool) -> int:
    """List the built-in policies, and the named TCB floors that a policy can demand."""
    policies = [(f"{BUILTIN_PREFIX}{name}", _first_sentence(name), _completed_by(name)) for name in BUILTIN_NAMES]
    floors = [(floor.name, floor.dated.isoformat(), floor.source) for floor in PROFILES.values()]
    if as_json:
        document = {
            "schema": "cvmproof.policies/1",
            "policies": [{"name": n, "about": about, "needs": needs} for n, about, needs in policies],
            "tcb_floors": [{"name": n, "dated": dated, "source": source} for n, dated, source in floors],
        }
        write_json(document)
    else:
        rows = columns([(name, about) for name, about, _ in policies], indent="  ")
        write_text(f"policies\n{rows}\nTCB floors\n{columns(floors, indent='  ')}")
    return ExitCode.ACCEPTED


@command("show")
@click.argument("file", metavar="FILE|builtin:NAME")
@policy_key_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON, which is a policy too.")
def show(file: str, *, policy_key: tuple[str, ...], as_json: bool) -> int:
    """Print the whole policy, with everything that extends brought in; the output is a policy itself.

    What it leaves open goes to standard error, and so does who signed it.
    """
    name = file.removeprefix(BUILTIN_PREFIX)
    if not as_json and not policy_key and file.startswith(BUILTIN_PREFIX):
        write_text(builtin_bytes(name).decode("utf-8"))
        needs = _completed_by(name)
        if needs:
            say(f"to be completed: {needs}")
        return ExitCode.ACCEPTED
    shown = open_shown_policy(file, policy_key)
    policy = shown.policy
    document = effective_document(policy)
    write_text(f"{json.dumps(document, indent=1)}\n" if as_json else write_toml(document))
    if shown.statement is not None:
        say(shown.text().rstrip("\n"))
    say(f"left open: {', '.join(left_open(policy)) or 'nothing'}")
    return ExitCode.ACCEPTED


def _summary(policy: Policy) -> dict[str, object]:
    return {
        "name": escape(policy.name),
        "sha256": policy.digest.hex(),
        "tees": list(policy.tees),
        "constrains_software": policy.constrains_software,
        "left_open": list(left_open(policy)),
    }


def _first_sentence(name: str) -> str:
    comment = builtin_bytes(name).decode("utf-8").partition("\nversion")[0]
    text = " ".join(line.removeprefix("#").strip() for line in comment.splitlines())
    return text.removeprefix(f"{BUILTIN_PREFIX}{name}: ").partition(". ")[0]


def _completed_by(name: str) -> str:
    try:
        builtin_policy(name)
    except Misuse as error:
        return error.hint
    return ""
