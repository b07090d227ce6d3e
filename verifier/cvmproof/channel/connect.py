"""Connecting: dial, shake hands, exchange, appraise; only then is there a channel.

    with cvmproof.connect("https://cvm.example:7002", policies=[policy], trust=TrustRoots.production()) as attested:
        stub = MyServiceStub(attested.channel)

Nothing but the nonce's frame leaves before the verdict, and after a rejected one nothing at all. There is no fallback
to a weaker binding and no time but the present one.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from cvmproof.appraisal import Appraisal, Assurance
from cvmproof.channel.address import AddressRules, read_agent_url, resolve
from cvmproof.channel.channel import AttestedChannel, channel_through
from cvmproof.channel.deadline import Deadline, Lease, lease_until
from cvmproof.channel.exchange import ask
from cvmproof.channel.judging import Judge, Terms
from cvmproof.channel.tls import TlsConnection, dial
from cvmproof.channel.tunnel import Options, Tunnel
from cvmproof.collateral.collateral import Collateral
from cvmproof.collateral.store import CollateralStore
from cvmproof.errors import CvmproofError
from cvmproof.high_water_store import HighWaterStore
from cvmproof.policy.policy import Policy
from cvmproof.trust import TrustRoots
from cvmproof_formats.tls import ALPN_ATTESTED

_log = logging.getLogger(__name__)
DIAL_LIMIT = 10.0  # seconds to connect and to shake hands


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """A connection whose other end was accepted; whoever has it closes it."""

    connection: TlsConnection
    appraisal: Appraisal

    @property
    def lease(self) -> Lease:
        """How long it may be used."""
        return lease_of(self.appraisal)


def connect(
    agent_url: str,
    *,
    policies: Sequence[Policy],
    trust: TrustRoots,
    collateral: Collateral | CollateralStore | None = None,
    any_software: bool = False,
    offline: bool = False,
    high_water: HighWaterStore | None = None,
    rules: AddressRules | None = None,
    options: Options = (),
) -> AttestedChannel:
    """Connect to an agent and hand out a channel over that connection, if its evidence is accepted as channel-bound.

    `collateral` None is the user's own store; a store is filled from the vendor's service unless `offline`.
    `high_water` is where it is remembered how new collateral was, None the user's own place for that. `rules` are for a
    URL that came from an API, None for one that the user typed. `options` are gRPC's. Raises Misuse for policies that
    leave the software open, unless `any_software`; EndpointError; Malformed; Rejected or Undecided.
    """
    terms = terms_of(policies, trust, collateral, any_software=any_software, offline=offline, high_water=high_water)

    def reopen() -> AttestedChannel:
        accepted = open_accepted(agent_url, terms.judge, rules=rules)
        tunnel = Tunnel(accepted.connection, accepted.lease)
        return AttestedChannel(tunnel, channel_through(tunnel, options), accepted.appraisal, reopen=reopen)

    return reopen()


def open_accepted(agent_url: str, judge: Judge, *, rules: AddressRules | None = None) -> Accepted:
    """Connect, exchange and judge; `judge` raises for what it does not accept.

    Raises as `connect` does; the connection is closed then.
    """
    address = read_agent_url(agent_url)
    connection = dial(address, resolve(address, rules), alpn=ALPN_ATTESTED, deadline=Deadline(DIAL_LIMIT))
    try:
        answered = ask(connection)
        appraisal = judge(answered.evidence, answered.expected)
        require_grade(appraisal, Assurance.CHANNEL_BOUND)
    except BaseException as error:
        connection.close()
        _log.info("%s: %s", address, getattr(error, "category", type(error).__name__))
        raise
    _log.info("%s: accepted, %s", address, appraisal.assurance)
    return Accepted(connection=connection, appraisal=appraisal)


def terms_of(
    policies: Sequence[Policy],
    trust: TrustRoots,
    collateral: Collateral | CollateralStore | None,
    *,
    any_software: bool,
    offline: bool,
    high_water: HighWaterStore | None = None,
) -> Terms:
    """Put a caller's terms together; raises Misuse.

    Whoever brings collateral as a value keeps it, and remembers how new it was; for a store, the user's own state does.
    """
    return Terms(
        policies=tuple(policies),
        trust=trust,
        collateral=CollateralStore.default(trust) if collateral is None else collateral,
        high_water=high_water or (None if isinstance(collateral, Collateral) else HighWaterStore.default(trust)),
        any_software=any_software,
        offline=offline,
    )


def require_grade(appraisal: Appraisal, grade: Assurance) -> None:
    """Refuse an appraisal that is not accepted, or not of this grade, whoever made it."""
    appraisal.require_accepted(appraisal.appraised_at)
    if appraisal.assurance is not grade:
        raise CvmproofError(f"expected an appraisal that is {grade}, got one that is {appraisal.assurance}")


def lease_of(appraisal: Appraisal) -> Lease:
    """Give the lease that an accepted appraisal comes to."""
    if appraisal.expires_at is None:
        raise CvmproofError("an accepted appraisal without an end")
    return lease_until(appraisal.expires_at)
