"""Files made from code: the JSON Schema of results, the list of checks, the reference of policies, the help texts.

python -m cvmproof.generated            writes them
python -m cvmproof.generated --check    compares them and writes nothing; for a clone, not for an installed package
"""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from pathlib import Path

import click

from cvmproof.cli.command import LazyGroup
from cvmproof.cli.exit_code import ExitCode
from cvmproof.cli.main import cli
from cvmproof.document import SCHEMA, AppraisalDocument, ErrorDocument
from cvmproof.document_shape import json_schema
from cvmproof.policy.cose import ALG, CONTENT_TYPE, KID, OVERHEAD_LIMIT, TAG_SIGN1, Algorithm
from cvmproof.policy.floors import PROFILES, FloorProfile
from cvmproof.policy.policy import Revocation
from cvmproof.policy.reading import MAXIMUM_VALIDITY, POLICY_LIMIT
from cvmproof.policy.rules import Rules
from cvmproof.policy.signed import CVM_ID_LIMIT, CWT_CLAIMS, EXPIRY, POLICY_CONTENT_TYPE, PURPOSE, SERIAL, SUBJECT
from cvmproof.policy.snp_rules import SnpRules
from cvmproof.policy.tdx_rules import TdxRules
from cvmproof.prism.document import CVM_DOCUMENTS, CVM_SCHEMA
from cvmproof.snp.questions import SNP_QUESTIONS
from cvmproof_formats.bitfield import Bit
from cvmproof_formats.snp.guest_policy import GUEST_POLICY_BITS
from cvmproof_formats.snp.platform_info import PLATFORM_INFO_BITS
from cvmproof_formats.tdx.td_attributes import TD_ATTRIBUTE_BITS
from cvmproof_formats.tdx.xfam import XFAM_BITS

_MADE = "Made by `make generated`; change the code it is made from."
_WIDTH = 100  # columns of help texts


def appraisal_schema() -> str:
    """The JSON Schema of everything that `cvmproof verify --json` prints."""
    kinds = AppraisalDocument, ErrorDocument
    return _schema(SCHEMA, f"What `cvmproof verify --json` prints. {_MADE}", kinds)


def cvm_schema() -> str:
    """The JSON Schema of what the other commands of `cvmproof cvm` print with --json."""
    about = f"What `cvmproof cvm` prints with --json: all but `verify`, and no errors. {_MADE}"
    return _schema(CVM_SCHEMA, about, CVM_DOCUMENTS)


def _schema(title: str, description: str, kinds: Iterable[object]) -> str:
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"urn:{title.replace('.', ':').replace('/', ':')}",
        "title": title,
        "description": description,
        "oneOf": [json_schema(kind) for kind in kinds],
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
            "Each technology has a table, `[snp]` and `[tdx]`. A technology without a table is refused, and a policy",
            "has one table at least. A file that extends a built-in policy and has a table of its own takes only the",
            "technologies that it has tables for: the built-in policies leave the software of each open, and whoever",
            "names the software of one has not asked for any software of another.",
            "",
            "| name | meaning |",
            "|---|---|",
            "| `version` | 1 |",
            f"| `revocation` | {_revocations()}: whether a verdict needs the vendor's list |",
            f"| `valid_for` | seconds for which an acceptance lasts, 1 to {MAXIMUM_VALIDITY} |",
            "| `snp` | the rules for SEV-SNP; without it SNP evidence is refused |",
            "| `tdx` | the rules for TDX; without it TDX evidence is refused |",
            "",
            _rules("snp", SnpRules),
            _demands("snp.guest_policy", GUEST_POLICY_BITS),
            _demands("snp.platform_info", PLATFORM_INFO_BITS),
            _rules("tdx", TdxRules),
            "Registers are 48 bytes in hexadecimal, and may be all zero. MRTD is the firmware alone: what that boots",
            "stands in RTMR1 and RTMR2. A TCB that Intel revoked, or for which there is no level, is refused whatever",
            "the policy says, and so are attribute bits that must be zero.",
            "",
            "## `[tdx.minimum_module_svns]`: the lowest security version, or `any`",
            "",
            _table(("TDX module", "name"), iter(_MODULES)),
            "## `[tdx.platform]`: `required`, `forbidden` or `any`",
            "",
            _table(("fact", "of the PCK certificate"), iter(_PLATFORM_FACTS)),
            "Certificates of Intel's Processor CA say none of these, and so meet no demand of either kind.",
            "",
            _demands("tdx.attributes", TD_ATTRIBUTE_BITS),
            _demands("tdx.xfam", XFAM_BITS),
            "## TCB floors of SEV-SNP",
            "",
            "Microcode by silicon line, the other components by product line; each must be reached.",
            "",
            _table(("name", "dated", "product line", "snp", "microcode"), _floors()),
            _signed_policies(),
        )
    )


def cli_page() -> str:
    """The help text of every command."""
    parts = [f"# Command line\n\n{_MADE}\n\n{_exit_codes()}"]
    for path, command in _commands("cvmproof", cli):
        info = click.Context(command, info_name=path, terminal_width=_WIDTH, help_option_names=["-h", "--help"])
        parts.append(f"## `{path}`\n\n```text\n{command.get_help(info)}\n```\n")
    return "\n".join(parts)


def _signed_policies() -> str:
    return f"""\
## Signed policies

A control plane that serves both the address of an agent and its policy could serve any policy. An operator's signature
takes that from it: `cvmproof policy sign POLICY --cvm ID --serial N --expires RFC3339 --key PRIVATE.pem -o FILE`
writes a policy that holds for one CVM until a time, and `--policy-key PUBLIC.pem` takes no other. Keys are Ed25519,
P-256 or P-384: `openssl genpkey -algorithm ed25519 -out private.pem`, then
`openssl pkey -in private.pem -pubout -out public.pem`.

The file is a COSE_Sign1 (RFC 9052, tag {TAG_SIGN1}). Its payload is the policy file, byte for byte; with `--detached`
the payload is null, and the policy stays a file of its own. The unprotected header is empty, or holds the key id. The
protected header has no other parameters than these:

| parameter | value |
|---|---|
| {ALG} (alg) | {_algorithms()}; it fits the key |
| {CONTENT_TYPE} (content type) | `{POLICY_CONTENT_TYPE}` |
| {KID} (kid), may be left out | SHA-256 of the key's SubjectPublicKeyInfo |
| {CWT_CLAIMS} (CWT claims, RFC 9597) | a map of the three claims below, and no others |

| claim | value |
|---|---|
| {SUBJECT} (sub) | the CVM's id at the API, 1 to {CVM_ID_LIMIT} printable characters, compared exactly |
| {EXPIRY} (exp) | an integer, seconds since 1970; from then on the policy is refused |
| `"{SERIAL}"` | 0 to 2^63 - 1, higher with each policy for this CVM |

The external_aad is `{PURPOSE.decode()}`: signatures made for anything else don't count. Numbers and lengths have their
shortest form, no key stands twice, nothing is of indefinite length, nothing follows. A policy is at most {POLICY_LIMIT}
bytes, what is around it {OVERHEAD_LIMIT}.

| given | refused as |
|---|---|
| no signature, a bad one, one by another key, another algorithm | SIGNATURE |
| a policy for another CVM | IDENTITY |
| a policy that has ended | EXPIRED |
| a serial below one seen before, or the same one over another policy | ROLLBACK |
| another form, header or claim | POLICY_INVALID, SIZE_LIMIT |

A bad signature is never taken for none. `cvmproof policy check` and `show` print what is inside a signed policy, and
say whether its signature was checked, for which `--policy-key` is needed.

The verifier remembers the highest serial of each CVM, the SHA-256 of the last unsigned policy, and the machine that was
registered under the CVM's name, in `cvmproof/marks` under the user's state folder, apart for each trust set, API and
domain. A folder that others may write to is refused, and so is a file there that was damaged: the message says which,
and removing it starts anew. Whoever changes keys goes on counting.
"""


_MODULES = (
    ("1.5", "`TDX_01`"),
    ("2.0", "`TDX_03`"),
    ("another version, two hexadecimal digits", "`TDX_XX`"),
    ("1.0, which has no version", "`TDX_00`"),
)
_PLATFORM_FACTS = (
    ("`dynamic_platform`", "packages can be added to the platform"),
    ("`cached_keys`", "Intel's registration service keeps the platform's root keys"),
    ("`smt_enabled`", "a core runs two threads at once"),
)


def _rules(name: str, rules: type[Rules]) -> str:
    rows = ((f"`{rule.name}`", str(rule.metadata["meaning"])) for rule in fields(rules))
    return f"## `[{name}]`\n\n{_table(('rule', 'meaning'), rows)}"


def _demands(name: str, bits: tuple[Bit, ...]) -> str:
    return f"## `[{name}]`: `required`, `forbidden` or `any`\n\n{_bits(bits)}"


def _algorithms() -> str:
    return ", ".join(f"{int(algorithm)} ({algorithm.name})" for algorithm in Algorithm)


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
        root / "verifier" / "cvmproof" / "schema" / "cvm.schema.json": cvm_schema(),
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
