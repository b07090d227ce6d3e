"""`cvmproof connect`: a verdict over a live connection, and a local address that leads to what was accepted."""

import signal
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import click

from cvmproof.appraisal import Appraisal
from cvmproof.cli.arguments import read_hex_option, read_policies
from cvmproof.cli.certificates import read_certificates
from cvmproof.cli.command import command, settings_of
from cvmproof.cli.gathering import Gathering, gather, open_store
from cvmproof.cli.output import say
from cvmproof.cli.telling import tell
from cvmproof.collateral.collateral import Collateral
from cvmproof.collateral.keys import Wanted
from cvmproof.collateral.store import CollateralStore
from cvmproof.errors import CvmproofError, EndpointError, Misuse, Rejected, Undecided
from cvmproof.live import Live
from cvmproof.policy.pinning import pin_policy
from cvmproof.policy.policy import Authority, Policy
from cvmproof.trust import TrustRoots
from cvmproof_formats.evidence import Evidence

if TYPE_CHECKING:
    from cvmproof.channel.forward import LocalAddress

# AMD 56860, ATTESTATION_REPORT: CHIP_ID and REPORT_ID, bytes.
_PINS = {"machine": 64, "instance": 32}


@command("connect")
@click.argument("agent_url")
@click.option("--policy", required=True, metavar="FILE|builtin:NAME", help="What to demand.")
@click.option("--floor", metavar="FILE|builtin:NAME", help="A second policy that must accept as well.")
@click.option(
    "--pin",
    multiple=True,
    metavar="machine:HEX|instance:HEX",
    help="Which machine (CHIP_ID) or instance (REPORT_ID) it must be; repeatable, any one of a kind will do.",
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
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
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
    as_json: bool,
    kds: str | None,
) -> int:
    """Connect to AGENT_URL and appraise evidence that is bound to this very connection.

    Nothing weaker is accepted, and nothing is sent before the verdict. With --forward other programs can talk to what
    was accepted; whoever may use that local address can.
    """
    settings = settings_of(ctx)
    policies = with_pins(read_policies(policy, floor), pin)
    roots = TrustRoots.named(trust)
    may_fetch = not offline and settings.get("offline") != "true"
    court = Court(
        policies,
        roots,
        read_certificates(certs),
        open_store(Path(collateral) if collateral else None, roots),
        kds=kds,
        may_fetch=may_fetch,
    )
    return _connect(agent_url, court, any_software=any_software, forward=forward, as_json=as_json)


class Court:
    """Judges every connection of one command under the same terms."""

    def __init__(
        self,
        policies: Sequence[Policy],
        trust: TrustRoots,
        given: Collateral,
        store: CollateralStore,
        *,
        kds: str | None,
        may_fetch: bool,
    ) -> None:
        """Take the terms."""
        self.policies, self.may_fetch = policies, may_fetch
        self.fetch_error: CvmproofError | None = None
        self._trust, self._given, self._store, self._kds = trust, given, store, kds

    def judge(self, evidence: Evidence, expected: Live) -> Appraisal:
        """Appraise, fetching what is missing; raises Rejected or Undecided."""
        from cvmproof.channel.deadline import wall_clock  # noqa: PLC0415 -- a part of the channel

        case = Gathering(
            evidence=evidence,
            policies=self.policies,
            trust=self._trust,
            freshness=expected,
            now=wall_clock(),
            given=self._given,
        )
        appraisal, self.fetch_error = gather(case, self._store, fetch=self._fetch if self.may_fetch else None)
        appraisal.require_accepted(appraisal.appraised_at)
        return appraisal

    def _fetch(self, wanted: Sequence[Wanted]) -> None:
        from cvmproof.channel.deadline import wall_clock  # noqa: PLC0415 -- a part of the channel
        from cvmproof.cli.fetching import fetch_collateral  # noqa: PLC0415 -- only where something is fetched

        fetch_collateral(self._store, wanted, kds=self._kds, now=wall_clock())


def with_pins(policies: tuple[Policy, ...], pins: Sequence[str]) -> tuple[Policy, ...]:
    """Add a policy that demands the pinned machines and instances, and nothing else; raises Misuse."""
    if not pins:
        return policies
    demanded: dict[str, list[bytes]] = {kind: [] for kind in _PINS}
    for pin in pins:
        kind, _, value = pin.partition(":")
        if kind not in _PINS:
            raise Misuse(f"--pin: expected machine:HEX or instance:HEX, got {pin!r:.60}")
        demanded[kind].append(read_hex_option("--pin", value, _PINS[kind]))
    pinned = pin_policy(
        name="--pin",
        authority=Authority.OPERATOR,
        valid_for=min(policy.valid_for for policy in policies),
        chip_ids=demanded["machine"],
        report_ids=demanded["instance"],
    )
    return (*policies, pinned)


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
        _forward(agent_url, court, where)
    return code


def _tell(appraisal: Appraisal, court: Court, title: str, *, as_json: bool) -> int:
    offline = not court.may_fetch
    return tell(appraisal, court.policies, court.fetch_error, title=title, as_json=as_json, offline=offline)


def _forward(agent_url: str, court: Court, where: "LocalAddress") -> None:
    from cvmproof.channel.connect import open_accepted  # noqa: PLC0415 -- imports OpenSSL
    from cvmproof.channel.forward import Forwarder  # noqa: PLC0415 -- imports OpenSSL

    forwarder = Forwarder(where, lambda: open_accepted(agent_url, court.judge), report=say)

    def stop(_: int, __: FrameType | None) -> None:
        forwarder.stop()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    say(f"forwarding {forwarder.address}; each connection is appraised for itself, Ctrl-C ends it")
    forwarder.serve()
