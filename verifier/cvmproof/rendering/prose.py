"""A result in sentences: what was decided, every reason, and what to do next."""

from collections.abc import Iterator
from typing import Final

from cvmproof.document import AppraisalDocument, CheckDocument, ErrorDocument, FindingDocument
from cvmproof.rendering.next_steps import next_step
from cvmproof.rendering.tree import shorten
from cvmproof.spelling import escape

_FAILURES: Final = frozenset({"fail", "error"})
_NOT_A_TICKET: Final = (
    "This is what somebody wrote into a file. It opens nothing: whoever relies on the machine appraises its evidence."
)
_VERDICTS: Final = {
    "accepted": "The result says that the evidence was accepted.",
    "rejected": "The result says that the evidence was rejected: the machine is not to be trusted.",
    "undecided": "The result says that nothing could be decided: until it can, the machine is not to be trusted.",
}


def explain_appraisal(document: AppraisalDocument) -> str:
    """Put an appraisal into prose; every text in it is escaped again, since anybody can write a file."""
    return "\n\n".join(_paragraphs(document)) + "\n"


def explain_error(document: ErrorDocument) -> str:
    """Put an error into prose."""
    error = document["error"]
    lines = [f"There is no verdict. {error['class']} ({error['category']}): {_text(error['message'])}"]
    if error["hint"]:
        lines.append(f"Next: {_text(error['hint'])}")
    return "\n\n".join(lines) + "\n"


def _paragraphs(document: AppraisalDocument) -> Iterator[str]:
    yield f"{_VERDICTS[document['verdict']]} {_circumstances(document)}"
    if document["simulated"]:
        yield "It is SIMULATED: no vendor's root key stands behind it, and it says nothing about any real machine."
    failed = [check for check in document["checks"] if check["outcome"] in _FAILURES]
    undecided = [check for check in document["checks"] if check["outcome"] == "undecided"]
    yield from (_reason(check, "failed") for check in failed)
    yield from (_reason(check, "could not be answered") for check in undecided)
    error = document.get("error")
    if error and error["hint"]:
        yield f"Next: {_text(error['hint'])}"
    yield from (_finding(finding) for finding in document.get("findings", []))
    yield from (f"Note: {_text(note)}." for note in document["notes"])
    if document["unconstrained"]:
        yield f"Left open by every policy: {', '.join(map(_text, document['unconstrained']))}."
    yield _NOT_A_TICKET


def _circumstances(document: AppraisalDocument) -> str:
    policies = " and ".join(_text(policy["name"]) for policy in document["policies"]) or "no policy"
    until = f", for use until {_text(document['expires_at'])}" if document["expires_at"] else ""
    asked = sum(check["outcome"] != "unconstrained" for check in document["checks"])
    return f"It is of {_text(document['appraised_at'])}, under {policies}, with {asked} checks{until}."


def _reason(check: CheckDocument, verb: str) -> str:
    by = f" (asked by {_text(check['asked_by'])})" if check["asked_by"] else ""
    lines = [
        f"{_text(check['id'])} {verb}{by}: {_text(check['why'])}.",
        f"  Expected {shorten(_text(check['expected']))}, got {shorten(_text(check['got']))}.",
        f"  Kind: {check['category']}. Specification: {_text(check['spec'])}.",
    ]
    step = next_step(check["id"], check["category"])
    return "\n".join((*lines, f"  Next: {step}.") if step else lines)


def _finding(finding: FindingDocument) -> str:
    compared = f"expected {shorten(_text(finding['expected']))}, got {shorten(_text(finding['got']))}"
    return f"Noticed, {_text(finding['id'])}: {_text(finding['why'])}; {compared}."


def _text(text: str | None) -> str:
    return escape(text or "", _LIMIT)


_LIMIT: Final = 1000  # characters
