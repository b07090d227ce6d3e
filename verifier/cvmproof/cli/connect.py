"""`cvmproof connect`: a verdict over a live connection, and a local address that leads to what was accepted."""

from pathlib import Path

import click

from cvmproof.appraisal import Appraisal
from cvmproof.cli.arguments import read_policies
from cvmproof.cli.certificates import read_certificates
from cvmproof.cli.command import command, settings_of
from cvmproof.cli.court import Court, Means
from cvmproof.cli.fetching import read_services
from cvmproof.cli.forwarding import forward_until_stopped
from cvmproof.cli.gathering import open_high_water, open_store
from cvmproof.cli.pins import PIN_HELP, PIN_KINDS, read_pins
from cvmproof.cli.telling import tell
from cvmproof.errors import EndpointError, Misuse, Rejected, Undecided
from cvmproof.trust import TrustRoots


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
@click.option(
    "--certs", multiple=True, metavar="FILE", help="Certificates: DER, PEM, a table, or a folder; repeatable."
)
@click.option("--collateral", metavar="DIR", help="The collateral store, or a bundle; default: your own store.")
@click.option("--offline", is_flag=True, help="Fetch no collateral.")
@click.option(
    "--trust",
    type=click.Choice(["production", "simulated"]),
    default="production",
    show_default=True,
    help="Which compiled-in root keys to trust.",
)
@click.option("--any-software", is_flag=True, help="Take policies that do not say which software may run.")
@click.option(
    "--forward",
    metavar="127.0.0.1:PORT|unix:PATH",
    help="Listen there, and give each connection an attested one of its own, until interrupted.",
)
@click.option("--state", metavar="DIR", help="Where to remember how new collateral was; default: your own.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--pccs", metavar="URL", help="Fetch Intel's collateral from this caching service (PCCS).")
@click.option("--pccs-ca", metavar="FILE", help="CA certificates (PEM) of that service, in place of the system's.")
@click.option("--kds", metavar="URL", hidden=True, help="Another address of AMD's service.")
@click.pass_context
def connect(
    ctx: click.Context,
    /,
    *,
    agent_url: str,
    policy: str,
    floor: str | None,
    pin: tuple[str, ...],
    certs: tuple[str, ...],
    collateral: str | None,
    offline: bool,
    trust: str,
    any_software: bool,
    forward: str | None,
    state: str | None,
    as_json: bool,
    pccs: str | None,
    pccs_ca: str | None,
    kds: str | None,
) -> int:
    """Connect to AGENT_URL and appraise evidence that is bound to this very connection.

    Nothing weaker is accepted, and nothing is sent before the verdict. With --forward other programs can talk to what
    was accepted; whoever may use that local address can.
    """
    settings = settings_of(ctx)
    policies = (*read_policies(policy, floor), *read_pins(pin))
    roots = TrustRoots.named(trust)
    means = Means(
        trust=roots,
        given=read_certificates(certs),
        store=open_store(Path(collateral) if collateral else None, roots),
        services=read_services(kds=kds, pccs=pccs, pccs_ca=pccs_ca),
        high_water=open_high_water(state, roots),
        may_fetch=not offline and settings.get("offline") != "true",
    )
    return _connect(agent_url, Court(policies, means), any_software=any_software, forward=forward, as_json=as_json)


def _connect(agent_url: str, court: Court, *, any_software: bool, forward: str | None, as_json: bool) -> int:
    from cvmproof.channel.address import read_agent_url  # noqa: PLC0415 -- OpenSSL is for those who connect
    from cvmproof.channel.connect import open_accepted  # noqa: PLC0415 -- imports OpenSSL
    from cvmproof.channel.forward import read_local_address  # noqa: PLC0415 -- imports OpenSSL
    from cvmproof.channel.judging import require_software  # noqa: PLC0415 -- a part of the channel

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
