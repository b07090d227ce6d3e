"""The tree: a verdict with its reasons in groups, a line for what passed, all there is to say about what did not."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from cvmproof.document import AppraisalDocument, CheckDocument, FindingDocument
from cvmproof.rendering.next_steps import next_step
from cvmproof.rendering.terminal import Terminal
from cvmproof.snp.claims_document import SnpClaimsDocument
from cvmproof.tdx.claims_document import TdxClaimsDocument

GROUPS: Final = ("chain", "signature", "tcb", "policy", "binding")
_GROUP_BY_PREFIX: Final[Mapping[str, str]] = {
    "snp.vek.": "chain",
    "snp.chain.": "chain",
    "snp.crl.": "chain",
    "snp.signature.": "signature",
    "snp.tcb.": "tcb",
    "snp.firmware.": "tcb",
    "snp.mitigations.": "tcb",
    "tdx.pck.": "chain",
    "tdx.chain.": "chain",
    "tdx.signer.": "chain",
    "tdx.root_crl.": "chain",
    "tdx.pck_crl.": "chain",
    "tdx.crl.": "chain",
    "tdx.qe.svn": "tcb",
    "tdx.qe.": "signature",
    "tdx.signature.": "signature",
    "tdx.tcb_info.": "tcb",
    "tdx.qe_identity.": "tcb",
    "tdx.module.": "tcb",
    "tdx.tcb.": "tcb",
    "binding.": "binding",
    "freshness.": "binding",
}
_FAILURES: Final = frozenset({"fail", "error"})
_SOFTWARE: Final = frozenset({"snp.measurement", "tdx.mr_td"})
_LONG_HEX: Final = re.compile(r"\b([0-9a-f]{8})[0-9a-f]{16,}([0-9a-f]{8})\b")
_ROOTS: Final = frozenset({"snp.chain.root", "tdx.chain.root"})
_OPEN_WIDTH: Final = 96  # columns
_BIT_FIELDS: Final = ("guest_policy.", "platform_info.", "attributes.", "xfam.")
_VALUE_LIMIT: Final = 160  # characters
_SUMMARY_WIDTH: Final = 56  # columns
_EXIT_CODES: Final = {"accepted": 0, "rejected": 3, "undecided": 4}
_OPERATOR: Final = "operator"
_PINNED: Final = {"none": "no machine pinned", "machine": "machine pinned", "instance": "instance pinned"}


def group_of(check_id: str) -> str:
    """Name the group a check belongs to."""
    found = (group for prefix, group in _GROUP_BY_PREFIX.items() if check_id.startswith(prefix))
    return next(found, "policy")


def draw(document: AppraisalDocument, title: str, terminal: Terminal) -> str:
    """Draw an appraisal; `title` names the evidence, escaped by the caller."""
    lines = [f"{title}   {_what_it_is(document)}"]
    branches = [_branch(name, document, terminal) for name in GROUPS]
    branches = [branch for branch in branches if branch]
    branches += [_finding(finding, terminal) for finding in document.get("findings", [])]
    branches += [[f"{terminal.mark('open')} note       {note}"] for note in document["notes"]]
    if document["unconstrained"]:
        branches.append(_left_open(document["unconstrained"], terminal))
    lines += _attach(branches)
    return "".join(f"{line.rstrip()}\n" for line in (*lines, *_verdict_lines(document, terminal)))


def shorten(text: str) -> str:
    """Shorten long hexadecimal to its ends, and cut what is still long."""
    short = _LONG_HEX.sub(r"\1…\2", text)
    return short if len(short) <= _VALUE_LIMIT else f"{short[:_VALUE_LIMIT]}…"


def _what_it_is(document: AppraisalDocument) -> str:
    claims = document["claims"]
    if claims["tee"] == "tdx":
        platform = claims["platform"]
        return f"TDX · {platform['fmspc'] if platform else 'platform unknown'} · quote v{claims['version']}"
    product = claims["part"] or claims["product"] or "product line unknown"
    return f"SEV-SNP · {product} · {claims['key']} · report v{claims['version']}"


def _attach(branches: list[list[str]]) -> Iterator[str]:
    """Draw the lines that connect branches; a branch is its own line and those below it."""
    for index, branch in enumerate(branches):
        last = index == len(branches) - 1
        yield f"{'└─' if last else '├─'} {branch[0]}"
        yield from (f"{' ' if last else '│'}   {line}" for line in branch[1:])


def _branch(name: str, document: AppraisalDocument, terminal: Terminal) -> list[str]:
    asked = [check for check in document["checks"] if group_of(check["id"]) == name]
    asked = [check for check in asked if check["outcome"] != "unconstrained"]
    if not asked:
        return [f"{terminal.mark('open')} {name:<10} nothing asked"]
    failed = [check for check in asked if check["outcome"] in _FAILURES]
    undecided = [check for check in asked if check["outcome"] == "undecided"]
    outcome = "fail" if failed else "open" if undecided else "pass"
    summary = _summary(name, document) if outcome == "pass" else _counts(failed, undecided)
    lines = [f"{terminal.mark(outcome)} {name:<10} {summary:<{_SUMMARY_WIDTH}} {_number(len(asked))}"]
    several = len(document["policies"]) > 1
    below = [_reason(check, terminal, several=several) for check in _once(failed)]
    below += _waiting(_once(undecided), terminal, several=several)
    if name == "policy":
        below += _software(asked, terminal)
    return lines + list(_attach(below))


def _once(checks: list[CheckDocument]) -> list[CheckDocument]:
    """Put checks that several policies asked, with the same answer, into one."""
    found: dict[tuple[str, str, str], CheckDocument] = {}
    for check in checks:
        key = check["id"], check["expected"], check["got"]
        if key in found:
            found[key] = {**check, "asked_by": f"{found[key]['asked_by']} and {check['asked_by']}"}
        else:
            found[key] = check
    return list(found.values())


def _waiting(undecided: list[CheckDocument], terminal: Terminal, *, several: bool) -> Iterator[list[str]]:
    """Put the checks that wait for the same thing into one branch; say what is wrong with a thing that is there."""
    waiting: dict[str, list[CheckDocument]] = {}
    for check in undecided:
        if check["category"] == "UNAVAILABLE":
            waiting.setdefault(check["got"], []).append(check)
        else:
            yield _reason(check, terminal, several=several)
    for got, checks in waiting.items():
        names = f"{checks[0]['id']} and {len(checks) - 1} more" if len(checks) > 1 else checks[0]["id"]
        yield [f"{terminal.mark('open')} {terminal.paint(names, 'yellow')}   {got}"]
    if waiting:
        yield [f"{terminal.mark('open')} UNAVAILABLE   next: {next_step('', 'UNAVAILABLE')}"]


def _number(count: int) -> str:
    return f"{count} check" if count == 1 else f"{count} checks"


def _counts(failed: list[CheckDocument], undecided: list[CheckDocument]) -> str:
    words = [f"{len(failed)} failed"] if failed else []
    return ", ".join(words + ([f"{len(undecided)} undecided"] if undecided else []))


_BOUND_TO: Final = {"channel-bound": "this nonce, this TLS session", "key-bound": "this nonce, this TLS key"}


def _summary(name: str, document: AppraisalDocument) -> str:
    claims = document["claims"]
    if name == "chain":
        return f"{_links(claims)}, {_revocation(document)}"
    if name == "signature":
        return f"ECDSA {'P-256' if claims['tee'] == 'tdx' else 'P-384'} over the bytes received"
    if name == "tcb":
        return _tcb(claims)
    if name == "policy":
        return " and ".join(policy["name"] for policy in document["policies"])
    live = any(check["id"] == "binding.report_data" for check in document["checks"])
    return _BOUND_TO.get(document["assurance"], "this nonce, this connection" if live else "REPORT_DATA as expected")


def _links(claims: SnpClaimsDocument | TdxClaimsDocument) -> str:
    if claims["tee"] == "tdx":
        return "Intel's root pinned → CA → PCK"
    return f"ARK pinned → {'ASK → VCEK' if claims['key'] == 'VCEK' else 'ASVK → VLEK'}"


def _revocation(document: AppraisalDocument) -> str:
    known = not {"snp.crl.revoked", "tdx.crl.revoked"} & set(document["unconstrained"])
    return "none revoked" if known else "revocation unknown"


def _tcb(claims: SnpClaimsDocument | TdxClaimsDocument) -> str:
    if claims["tee"] != "tdx":
        return f"{claims['tcb']}, firmware {claims['firmware']['committed']}"
    number = claims["tcb_info_evaluation_number"]
    return (
        f"{claims['tcb']['status'] if claims['tcb'] else 'not rated'}, {claims['module']}, evaluation number {number}"
    )


def _software(asked: Iterable[CheckDocument], terminal: Terminal) -> list[list[str]]:
    """Show the launched software also where it is what was expected: it is what the verdict is about."""
    found = (check for check in asked if check["id"] in _SOFTWARE and check["outcome"] == "pass")
    check = next(found, None)
    if check is None:
        return []
    return [[f"{terminal.mark('pass')} {check['id']}   {shorten(check['got'])}, as expected"]]


def _reason(check: CheckDocument, terminal: Terminal, *, several: bool) -> list[str]:
    failed = check["outcome"] in _FAILURES
    mark = terminal.mark("fail" if failed else "open")
    name = terminal.paint(check["id"], "red" if failed else "yellow")
    asked_by = f", asked by {check['asked_by']}" if several and check["asked_by"] else ""
    step = next_step(check["id"], check["category"])
    return [
        f"{mark} {name}   expected {shorten(check['expected'])}   got {shorten(check['got'])}",
        f"  {check['category']}: {check['why']}   ({check['spec']}){asked_by}",
        *([f"  next: {step}"] if step else []),
    ]


def _finding(finding: FindingDocument, terminal: Terminal) -> list[str]:
    name = terminal.paint(finding["id"], "yellow")
    return [
        f"{terminal.mark('open')} finding    {name}   expected {shorten(finding['expected'])}   got"
        f" {shorten(finding['got'])}",
        f"  {finding['category']}: {finding['why']}",
    ]


def _left_open(ids: list[str], terminal: Terminal) -> list[str]:
    """List what nobody asked; bits by their number, since --json and `policy check` name each."""
    names = [name.removeprefix("snp.").removeprefix("tdx.") for name in ids]
    words = [name for name in names if not name.startswith(_BIT_FIELDS)]
    for prefix in _BIT_FIELDS:
        count = sum(name.startswith(prefix) for name in names)
        words += [f"{prefix.removesuffix('.')} ({count} rules)"] if count else []
    lines = [""]
    for word in words:
        if len(lines[-1]) + len(word) > _OPEN_WIDTH:
            lines.append("")
        lines[-1] += f"{word}, "
    lines[-1] = lines[-1].removesuffix(", ")
    indent = " " * (9 if terminal.fancy else 12)
    return [f"{terminal.mark('open')} {'left open':<10} {lines[0]}", *(f"{indent}{line}" for line in lines[1:])]


def _verdict_lines(document: AppraisalDocument, terminal: Terminal) -> Iterator[str]:
    verdict = document["verdict"]
    colour = {"accepted": "green", "rejected": "red"}.get(verdict, "yellow")
    words = terminal.paint(verdict.upper(), colour, "bold") + _simulated(document)
    yield f"{words}   {' · '.join(_circumstances(document))} · exit {_EXIT_CODES[verdict]}"
    error = document.get("error")
    if error and error["class"] != "Undecided":
        yield f"could not be fetched: {error['message']}"
        if error["hint"]:
            yield f"next: {error['hint']}"


def _simulated(document: AppraisalDocument) -> str:
    if not document["simulated"]:
        return ""
    root_seen = any(c["id"] in _ROOTS and c["outcome"] != "undecided" for c in document["checks"])
    return " (simulated)" if root_seen else " (simulated: no vendor root at hand)"


def _circumstances(document: AppraisalDocument) -> Iterator[str]:
    asked = [check for check in document["checks"] if check["outcome"] != "unconstrained"]
    if document["verdict"] == "accepted":
        source = f" by {document['identity_pin_source']}" if document["identity_pin_source"] else ""
        yield document["assurance"]
        yield _PINNED[document["identity_pinned"]] + source
        if document["policy_authority"] != _OPERATOR:
            yield f"software by {document['policy_authority']}"
        yield f"valid until {document['expires_at']}"
    else:
        outcome = "failed" if document["verdict"] == "rejected" else "undecided"
        outcomes = _FAILURES if outcome == "failed" else {"undecided"}
        yield f"{sum(check['outcome'] in outcomes for check in asked)} of {_number(len(asked))} {outcome}"
        yield "not to be trusted"
