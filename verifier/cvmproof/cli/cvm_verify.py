"""`cvmproof cvm verify`: from a CVM's name to a verdict, or from a whole domain to one for each."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Unpack

import click

from cvmproof.cli.collateral_options import CollateralOptions, collateral_options
from cvmproof.cli.court import Court, Means, read_means
from cvmproof.cli.cvm_demands import DemandOptions, demand_options, read_demands
from cvmproof.cli.exit_code import ExitCode
from cvmproof.cli.forwarding import forward_until_stopped
from cvmproof.cli.prism_api import api_command, open_client
from cvmproof.cli.telling import Origin, tell
from cvmproof.errors import CvmproofError, Misuse
from cvmproof.policy.policy import Policy
from cvmproof.spelling import escape

if TYPE_CHECKING:
    from cvmproof.channel.judging import Judge
    from cvmproof.cvm.case import Demands
    from cvmproof.cvm.examining import Outcome
    from cvmproof.prism.client import PrismClient


class VerifyOptions(DemandOptions, CollateralOptions):
    """What is demanded, and what it is judged with."""


@api_command("verify")
@click.argument("cvm", required=False)
@click.option("--all", "every", is_flag=True, help="Every CVM of the domain, a line for each.")
@click.option("--name", help="With --all: only CVMs of this name.")
@click.option("--status", help="With --all: only CVMs of this status.")
@click.option("--concurrency", type=click.IntRange(1, 64), default=8, show_default=True, help="So many at once.")
@click.option("--per-host", type=click.IntRange(1, 64), default=4, show_default=True, help="So many at one host.")
@demand_options
@collateral_options
@click.option(
    "--forward",
    metavar="127.0.0.1:PORT|unix:PATH",
    help="Listen there, and give each connection an attested one of its own, until interrupted.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def verify(
    ctx: click.Context,
    /,
    *,
    cvm: str | None,
    every: bool,
    name: str | None,
    status: str | None,
    concurrency: int,
    per_host: int,
    forward: str | None,
    as_json: bool,
    **given: Unpack[VerifyOptions],
) -> int:
    """Take a CVM's address and policy from the API, connect to its agent, and appraise it over that connection.

    Which software may run is not for the API alone to say: name it in a --floor, have the policy signed, pin it, or say
    --trust-control-plane. With --all every CVM is verified, and the exit code is the worst of them.
    """
    if every == (cvm is not None):
        raise Misuse("expected one CVM, or --all")
    if not every and (name or status):
        raise Misuse("--name and --status choose among CVMs, with --all")
    if every and forward is not None:
        raise Misuse("--forward leads to one CVM: name it instead of --all")
    means = read_means(ctx, given)
    demands = read_demands(given)
    with open_client(ctx) as client:
        if cvm is not None:
            return _verify_one(client, cvm, demands, means, forward=forward, as_json=as_json)
        from cvmproof.cli.cvm_fleet import verify_all
        from cvmproof.cvm.fleet import Limits

        listed = client.cvms(name=name, status=status)
        limits = Limits(concurrency=concurrency, per_host=per_host)
        return verify_all(client, listed, demands, means, limits=limits, as_json=as_json)


def _verify_one(
    client: "PrismClient", cvm: str, demands: "Demands", means: Means, *, forward: str | None, as_json: bool
) -> int:
    from cvmproof.channel.connect import open_accepted
    from cvmproof.channel.forward import read_local_address
    from cvmproof.cvm.examining import examine

    where = None if forward is None else read_local_address(forward)
    courts: list[Court] = []

    def judge_under(policies: Sequence[Policy]) -> "Judge":
        courts.append(Court(policies, means))
        return courts[-1].judge

    outcome = examine(client, client.view(cvm), demands, trust=means.trust, judge_under=judge_under)
    code = _tell(outcome, courts, means, as_json=as_json)
    if where is not None and outcome.case is not None and code is ExitCode.ACCEPTED:
        url, court = outcome.case.url, courts[-1]
        forward_until_stopped(where, lambda: open_accepted(url, court.judge, rules=demands.rules))
    return code


def _tell(outcome: "Outcome", courts: Sequence[Court], means: Means, *, as_json: bool) -> ExitCode:
    from cvmproof.cvm.document import cvm_document, finding_documents

    case, appraisal = outcome.case, outcome.appraisal
    if outcome.error is not None or case is None or appraisal is None:
        raise outcome.error or CvmproofError("neither an appraisal nor an error")
    return tell(
        appraisal,
        case.policies,
        courts[-1].fetch_error,
        title=escape(case.cvm.name or case.cvm.id),
        as_json=as_json,
        offline=not means.may_fetch,
        origin=Origin(cvm=cvm_document(case), findings=finding_documents(case, appraisal)),
    )
