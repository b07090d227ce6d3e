"""`cvmproof verify`: evidence in, a verdict with every reason out."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Unpack

import click

from cvmproof.cli.arguments import read_freshness, read_policies, read_time
from cvmproof.cli.certificates import read_certificates
from cvmproof.cli.collateral_options import (
    CollateralOptions,
    collateral_options,
    may_fetch,
    roots_of,
    services_of,
    store_of,
)
from cvmproof.cli.command import command, settings_of
from cvmproof.cli.files import read_named, title_of
from cvmproof.cli.gathering import Gathering, gather, open_high_water
from cvmproof.cli.output import say
from cvmproof.cli.telling import tell
from cvmproof.clock import require_plausible
from cvmproof.collateral.keys import Wanted
from cvmproof_formats.evidence import FILE_LIMIT, read_evidence


@command("verify")
@click.argument("evidence")
@click.option("--nonce", metavar="HEX", help="The nonce you sent, 32 bytes.")
@click.option("--report-data", metavar="HEX", help="What REPORT_DATA must be, 64 bytes.")
@click.option("--no-freshness", is_flag=True, help="Take evidence that may be old or meant for somebody else.")
@click.option("--policy", required=True, metavar="FILE|builtin:NAME", help="What to demand.")
@click.option("--floor", metavar="FILE|builtin:NAME", help="A second policy that must accept as well.")
@click.option("--at", metavar="RFC3339", help="Appraise as of this time.")
@collateral_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
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
    at: str | None,
    as_json: bool,
    **given: Unpack[CollateralOptions],
) -> int:
    """Appraise EVIDENCE: an SNP report or TDX quote, as it is or in an evidence file; - is stdin.

    A report may have a certificate table behind it, and a quote the zeros of the buffer it came in.

    Certificates, revocation lists and what Intel says about TCBs come from the evidence (certificates only), --certs
    and the collateral store; what is still missing is fetched from AMD or Intel, unless --offline or a check has failed
    already.
    """
    freshness = read_freshness(nonce=nonce, report_data=report_data, none=no_freshness)
    policies, roots = read_policies(policy, floor), roots_of(given)
    case = Gathering(
        now=require_plausible(datetime.now(UTC)) if at is None else read_time(at),
        given=read_certificates(given["certs"]),
        evidence=read_evidence(read_named(evidence, FILE_LIMIT, "evidence")),
        policies=policies,
        trust=roots,
        freshness=freshness,
        high_water=open_high_water(given["state"], roots) if at is None else None,
    )
    store = store_of(given)

    def fetch(wanted: Sequence[Wanted]) -> None:
        from cvmproof.cli.fetching import fetch_collateral
        from cvmproof.cli.logs import configure_logging

        configure_logging(settings_of(ctx))
        if at is not None:
            say("note: --at is given, and what is missing is fetched as of today; --offline would not")
        fetch_collateral(store, wanted, services=services_of(given), now=datetime.now(UTC))

    fetching = may_fetch(ctx, given)
    appraisal, error = gather(case, store, fetch=fetch if fetching else None)
    return tell(appraisal, policies, error, title=title_of(evidence), as_json=as_json, offline=not fetching)
