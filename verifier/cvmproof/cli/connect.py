"""`cvmproof connect`: a verdict over a live connection, and a local address that leads to what was accepted."""

from typing import Unpack

import click

from cvmproof.appraisal import Appraisal
from cvmproof.cli.arguments import read_policies
from cvmproof.cli.collateral_options import CollateralOptions, collateral_options
from cvmproof.cli.command import command
from cvmproof.cli.court import Court, read_means
from cvmproof.cli.forwarding import forward_until_stopped
from cvmproof.cli.pins import PIN_HELP, PIN_KINDS, read_pins
from cvmproof.cli.telling import tell
from cvmproof.errors import EndpointError, Misuse, Rejected, Undecided


@command("connect")
@click.argument("agent_url")
@click.option("--policy", required=True, metavar="FILE|builtin:NAME", help="What to demand.")
@click.option("--floor", metavar="FILE|builtin:NAME", help="A second policy that must accept as well.")
@click.option(
    "--pin",
    multiple=True,
    metavar=PIN_KINDS,
    help=f"Which machine or instance it must be. {PIN_HELP}. Repeatable, any one of a kind will do.",
)
@click.option("--any-software", is_flag=True, help="Take policies that do not say which software may run.")
@click.option(
    "--forward",
    metavar="127.0.0.1:PORT|unix:PATH",
    help="Listen there, and give each connection an attested one of its own, until interrupted.",
)
@collateral_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def connect(
    ctx: click.Context,
    /,
    *,
    agent_url: str,
    policy: str,
    floor: str | None,
    pin: tuple[str, ...],
    any_software: bool,
    forward: str | None,
    as_json: bool,
    **given: Unpack[CollateralOptions],
) -> int:
    """Connect to AGENT_URL and appraise evidence that is bound to this very connection.

    Nothing weaker is accepted, and nothing is sent before the verdict. With --forward other programs can talk to what
    was accepted; whoever may use that local address can.
    """
    policies = (*read_policies(policy, floor), *read_pins(pin))
    means = read_means(ctx, given)
    return _connect(agent_url, Court(policies, means), any_software=any_software, forward=forward, as_json=as_json)


def _connect(agent_url: str, court: Court, *, any_software: bool, forward: str | None, as_json: bool) -> int:
    from cvmproof.channel.address import read_agent_url
    from cvmproof.channel.connect import open_accepted
    from cvmproof.channel.forward import read_local_address
    from cvmproof.channel.judging import require_software

    try:
        title = str(read_agent_url(agent_url))
    except EndpointError as error:
        raise Misuse(str(error), category=error.category, hint=error.hint) from error
    require_software(court.policies, any_software=any_software)
    where = None if forward is None else read_local_address(forward)
    try:
        accepted = open_accepted(agent_url, court.judge)
    except (Rejected, Undecided) as error:
        return _tell(error.appraisal, court, title, as_json=as_json)
    accepted.connection.close()
    code = _tell(accepted.appraisal, court, title, as_json=as_json)
    if where is not None:
        forward_until_stopped(where, lambda: open_accepted(agent_url, court.judge))
    return code


def _tell(appraisal: Appraisal, court: Court, title: str, *, as_json: bool) -> int:
    offline = not court.means.may_fetch
    return tell(appraisal, court.policies, court.fetch_error, title=title, as_json=as_json, offline=offline)
