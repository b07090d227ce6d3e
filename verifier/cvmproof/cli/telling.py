"""Telling a verdict: one JSON object, or a tree for people; and the exit code that goes with it."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass

from cvmproof.appraisal import Appraisal, Verdict
from cvmproof.cli.exit_code import ExitCode
from cvmproof.cli.output import write_json, write_text
from cvmproof.document import (
    AppraisalDocument,
    CvmDocument,
    FindingDocument,
    appraisal_document,
    error_detail,
)
from cvmproof.errors import CvmproofError, Undecided
from cvmproof.policy.policy import Policy

_EXIT_CODES = {
    Verdict.ACCEPTED: ExitCode.ACCEPTED,
    Verdict.REJECTED: ExitCode.REJECTED,
    Verdict.UNDECIDED: ExitCode.UNDECIDED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What an API says of the machine that was appraised, and what was found to contradict."""

    cvm: CvmDocument
    findings: Sequence[FindingDocument]


def tell(
    appraisal: Appraisal,
    policies: Sequence[Policy],
    error: CvmproofError | None,
    *,
    title: str,
    as_json: bool,
    offline: bool,
    origin: Origin | None = None,
) -> ExitCode:
    """Write an appraisal to standard output; `error` is that of a fetch that failed, if one did.

    `origin` is what the API says of the machine, where it was taken from one.
    """
    document = appraisal_document(appraisal, policies)
    if origin is not None:
        document["cvm"] = origin.cvm
        document["findings"] = list(origin.findings)
    if appraisal.verdict is Verdict.UNDECIDED:
        document["error"] = error_detail(error or _what_is_missing(appraisal, offline=offline))
    if as_json:
        write_json(document)
    else:
        _draw(document, title)
    return _EXIT_CODES[appraisal.verdict]


def _draw(document: AppraisalDocument, title: str) -> None:
    from cvmproof.rendering.terminal import Terminal
    from cvmproof.rendering.tree import draw

    write_text(draw(document, title, Terminal.of(sys.stdout)))


def _what_is_missing(appraisal: Appraisal, *, offline: bool) -> CvmproofError:
    try:
        appraisal.require_accepted(appraisal.appraised_at)
    except Undecided as error:
        how = "cvmproof collateral fetch --evidence FILE where there is a network, cvmproof collateral import FILE"
        error.hint = how if offline else f"{how}, or --certs FILE"
        return error
    raise AssertionError("an undecided appraisal was taken for an accepted one")
