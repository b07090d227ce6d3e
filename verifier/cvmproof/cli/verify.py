"""`cvmproof verify`: evidence in, a verdict with every reason out."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import click

from cvmproof.cli.arguments import read_freshness, read_policies, read_time
from cvmproof.cli.certificates import read_certificates
from cvmproof.cli.command import command, settings_of
from cvmproof.cli.files import read_named, title_of
from cvmproof.cli.gathering import Gathering, gather, open_high_water, open_store
from cvmproof.cli.output import say
from cvmproof.cli.telling import tell
from cvmproof.clock import require_plausible
from cvmproof.collateral.keys import Wanted
from cvmproof.trust import TrustRoots
from cvmproof_formats.evidence import FILE_LIMIT, read_evidence


@command("verify")
@click.argument("evidence")
@click.option("--nonce", metavar="HEX", help="The nonce you sent, 32 bytes.")
@click.option("--report-data", metavar="HEX", help="What REPORT_DATA must be, 64 bytes.")
@click.option("--no-freshness", is_flag=True, help="Take evidence that may be old or meant for somebody else.")
@click.option("--policy", required=True, metavar="FILE|builtin:NAME", help="What to demand.")
@click.option("--floor", metavar="FILE|builtin:NAME", help="A second policy that must accept as well.")
@click.option(
    "--certs", multiple=True, metavar="FILE", help="Certificates: DER, PEM, a table, or a folder; repeatable."
)
@click.option("--collateral", metavar="DIR", help="The collateral store, or a bundle; default: your own store.")
@click.option("--offline", is_flag=True, help="Fetch nothing.")
@click.option("--at", metavar="RFC3339", help="Appraise as of this time.")
@click.option(
    "--trust",
    type=click.Choice(["production", "simulated"]),
    default="production",
    show_default=True,
    help="Which compiled-in root keys to trust.",
)
@click.option("--state", metavar="DIR", help="Where to remember how new collateral was; default: your own.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--pccs", metavar="URL", help="Fetch Intel's collateral from this caching service (PCCS).")
@click.option("--pccs-ca", metavar="FILE", help="CA certificates (PEM) of that service, in place of the system's.")
@click.option("--kds", metavar="URL", hidden=True, help="Another address of AMD's service.")
@click.pass_context
def verify(
    ctx: click.Context,
    /,
    *,
    evidence: str,
    nonce: str | None,
    report_data: str | None,
    no_freshness: bool,
    policy: str,
    floor: str | None,
    certs: tuple[str, ...],
    collateral: str | None,
    offline: bool,
    at: str | None,
    trust: str,
    state: str | None,
    as_json: bool,
    pccs: str | None,
    pccs_ca: str | None,
    kds: str | None,
) -> int:
    """Appraise EVIDENCE: an SNP report or TDX quote, as it is or in an evidence file; - is stdin.

    A report may have a certificate table behind it, and a quote the zeros of the buffer it came in.

    Certificates, revocation lists and what Intel says about TCBs come from the evidence (certificates only), --certs
    and the collateral store; what is still missing is fetched from AMD or Intel, unless --offline or a check has failed
    already.
    """
    settings = settings_of(ctx)
    freshness = read_freshness(nonce=nonce, report_data=report_data, none=no_freshness)
    policies = read_policies(policy, floor)
    roots = TrustRoots.named(trust)
    moment = require_plausible(datetime.now(UTC)) if at is None else read_time(at)
    given = read_certificates(certs)
    case = Gathering(
        evidence=read_evidence(read_named(evidence, FILE_LIMIT, "evidence")),
        policies=policies,
        trust=roots,
        freshness=freshness,
        now=moment,
        given=given,
        high_water=open_high_water(state, roots) if at is None else None,
    )
    store = open_store(Path(collateral) if collateral else None, roots)

    def fetch(wanted: Sequence[Wanted]) -> None:
        from cvmproof.cli.fetching import fetch_collateral, read_services  # noqa: PLC0415 -- only where it is fetched
        from cvmproof.cli.logs import configure_logging  # noqa: PLC0415 -- nothing but a fetch logs

        configure_logging(settings)
        if at is not None:
            say("note: --at is given, and what is missing is fetched as of today; --offline would not")
        services = read_services(kds=kds, pccs=pccs, pccs_ca=pccs_ca)
        fetch_collateral(store, wanted, services=services, now=datetime.now(UTC))

    may_fetch = not offline and settings.get("offline") != "true"
    appraisal, error = gather(case, store, fetch=fetch if may_fetch else None)
    return tell(appraisal, policies, error, title=title_of(evidence), as_json=as_json, offline=not may_fetch)
