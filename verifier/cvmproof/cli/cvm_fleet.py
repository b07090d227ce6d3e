"""`cvmproof cvm verify --all`: every CVM of a domain, a line for each, and the worst of them as the exit code."""

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from cvmproof.appraisal import Verdict
from cvmproof.cli.court import Court, Means
from cvmproof.cli.exit_code import ExitCode, exit_code_of
from cvmproof.cli.output import say, write_json, write_text
from cvmproof.cvm.examining import Outcome, examine
from cvmproof.cvm.fleet import Limits, examine_all
from cvmproof.cvm.fleet_document import EntryDocument, entry_document, fleet_document
from cvmproof.errors import Category, CvmproofError, EndpointError
from cvmproof.rendering.fleet import draw_fleet
from cvmproof.rendering.terminal import Terminal

if TYPE_CHECKING:
    from cvmproof.cvm.case import Demands
    from cvmproof.prism.client import PrismClient
    from cvmproof.prism.cvm import Cvm

# The worst first: our own bug, a no, bytes that fit nothing, a wrong policy, no answer from a machine, or none at all.
_WORST_FIRST: Final = (
    ExitCode.INTERNAL,
    ExitCode.REJECTED,
    ExitCode.MALFORMED,
    ExitCode.MISUSE,
    ExitCode.UNDECIDED,
    ExitCode.ENDPOINT,
    ExitCode.ACCEPTED,
)
_VERDICTS: Final = {
    Verdict.ACCEPTED: ExitCode.ACCEPTED,
    Verdict.REJECTED: ExitCode.REJECTED,
    Verdict.UNDECIDED: ExitCode.UNDECIDED,
}


def verify_all(
    client: "PrismClient",
    cvms: "Iterable[Cvm]",
    demands: "Demands",
    means: Means,
    *,
    limits: Limits,
    as_json: bool,
) -> ExitCode:
    """Verify every one of these CVMs, and tell what became of them in the order of the list.

    A list that breaks off, or names none, is an EndpointError in the result, beside what was verified until then.
    """
    order: list[str] = []

    def listed() -> "Iterator[Cvm]":
        for cvm in cvms:
            order.append(cvm.id)
            yield cvm

    def examined(cvm: "Cvm") -> Outcome:
        return examine(
            client, cvm, demands, trust=means.trust, judge_under=lambda policies: Court(policies, means).judge
        )

    entries: dict[str, EntryDocument] = {}
    codes: list[ExitCode] = []
    error: CvmproofError | None = None
    with _progress(order) as advance:
        try:
            for outcome in examine_all(listed(), examined, limits):
                entries[outcome.cvm.id] = entry_document(outcome)
                codes.append(code_of(outcome))
                advance(len(codes))
        except EndpointError as raised:
            error = raised
    if error is None and not codes:
        error = EndpointError("the API lists no such CVM: nothing was verified", category=Category.UNAVAILABLE)
    _tell([entries[name] for name in order if name in entries], error, as_json=as_json)
    return worst_of([*codes, *([exit_code_of(error)] if error else [])])


def code_of(outcome: Outcome) -> ExitCode:
    """Give the exit code that one CVM comes to."""
    if outcome.error is not None or outcome.appraisal is None:
        return exit_code_of(outcome.error or CvmproofError("neither an appraisal nor an error"))
    return _VERDICTS[outcome.appraisal.verdict]


def worst_of(codes: Sequence[ExitCode]) -> ExitCode:
    """Give the worst of several exit codes; none at all is our own bug."""
    return next((code for code in _WORST_FIRST if code in codes), ExitCode.INTERNAL)


def _tell(entries: Sequence[EntryDocument], error: CvmproofError | None, *, as_json: bool) -> None:
    document = fleet_document(entries, error)
    if as_json:
        write_json(document)
    else:
        write_text(draw_fleet(document, Terminal.of(sys.stdout)))


@contextmanager
def _progress(order: Sequence[str]) -> Iterator[Callable[[int], None]]:
    """Show how far it is: a bar on a terminal, a line now and then elsewhere."""
    if sys.stderr.isatty():
        from cvmproof.rendering.progress import Bar

        bar = Bar("verifying")
        try:
            yield lambda done: bar.show(done, len(order))
        finally:
            bar.close()
    else:
        yield lambda done: say(f"{done} verified") if done % _EVERY == 0 else None


_EVERY: Final = 100  # CVMs between two lines
