"""From a CVM's name to a channel: record and policy from the API, evidence from the agent, one verdict.

    with PrismClient(url, domain=domain, token=Token.from_file(path)) as client:
        demands = Demands(floors=(floor,))
        with cvmproof.appraise_cvm(client, "cvm-123", demands=demands, trust=TrustRoots.production()) as cvm:
            stub = MyServiceStub(cvm.channel)

What the API says is where to look, and a policy to hold the CVM to. Whether it is trusted is for the evidence, under
that policy and the operator's own.
"""

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self

import grpc
import grpc.aio

from cvmproof.appraisal import Appraisal
from cvmproof.channel.asynchronous import AsyncAttestedChannel, connect_async
from cvmproof.channel.channel import AttestedChannel
from cvmproof.channel.connect import connect
from cvmproof.channel.deadline import wall_clock
from cvmproof.channel.tunnel import Options
from cvmproof.collateral.collateral import Collateral
from cvmproof.collateral.store import CollateralStore
from cvmproof.cvm.case import CvmCase, Demands, open_case, remember_accepted
from cvmproof.cvm.finding import Finding
from cvmproof.errors import Rejected, Undecided
from cvmproof.high_water_store import HighWaterStore
from cvmproof.marks import AnotherMachine, CvmKey
from cvmproof.prism.asynchronous import AsyncPrismClient
from cvmproof.prism.client import PrismClient
from cvmproof.prism.cvm import Cvm
from cvmproof.trust import TrustRoots


class AttestedCvm:
    """A CVM whose evidence was accepted, and the connection to it; close it, or use it as a context manager."""

    def __init__(self, case: CvmCase, attested: AttestedChannel, renew: Callable[[], "AttestedCvm"]) -> None:
        """Take over a connection; `cvmproof.appraise_cvm` makes these."""
        self.cvm: Cvm = case.cvm
        self.appraisal: Appraisal = attested.appraisal
        self.findings: tuple[Finding, ...] = case.findings_with(attested.appraisal)
        self.attested = attested
        self._renew = renew

    def __repr__(self) -> str:
        return f"<AttestedCvm {self.cvm.id!r}, {self.attested!r}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def channel(self) -> grpc.Channel:
        """The channel; raises Undecided (EXPIRED) once the verdict has expired."""
        return self.attested.channel

    def renew(self) -> "AttestedCvm":
        """Close the connection and begin again with the API: record, policy, connection and verdict are new."""
        self.close()
        return self._renew()

    def close(self) -> None:
        """End the connection; safe to call again."""
        self.attested.close()


class AsyncAttestedCvm:
    """As AttestedCvm, for asyncio."""

    def __init__(
        self, case: CvmCase, attested: AsyncAttestedChannel, renew: Callable[[], Awaitable["AsyncAttestedCvm"]]
    ) -> None:
        """Take over a connection; `cvmproof.appraise_cvm_async` makes these."""
        self.cvm: Cvm = case.cvm
        self.appraisal: Appraisal = attested.appraisal
        self.findings: tuple[Finding, ...] = case.findings_with(attested.appraisal)
        self.attested = attested
        self._renew = renew

    def __repr__(self) -> str:
        return f"<AsyncAttestedCvm {self.cvm.id!r}, {self.attested!r}>"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def channel(self) -> grpc.aio.Channel:
        """The channel; raises Undecided (EXPIRED) once the verdict has expired."""
        return self.attested.channel

    async def renew(self) -> "AsyncAttestedCvm":
        """As AttestedCvm.renew."""
        await self.close()
        return await self._renew()

    async def close(self) -> None:
        """End the connection; safe to call again."""
        await self.attested.close()


def appraise_cvm(
    client: PrismClient,
    cvm_id: str,
    *,
    demands: Demands,
    trust: TrustRoots,
    collateral: Collateral | CollateralStore | None = None,
    offline: bool = False,
    high_water: HighWaterStore | None = None,
    options: Options = (),
) -> AttestedCvm:
    """Take a CVM's record and policy from the API, connect to its agent, and appraise it over that connection.

    `collateral`, `offline`, `high_water` and `options` are those of `connect`. Raises EndpointError for the API and for
    an agent_url that may not be gone to; Misuse for a policy that is not taken; Malformed, Rejected or Undecided for
    the evidence, each with the findings as its notes.
    """

    def attempt() -> AttestedCvm:
        case = read_case(client, cvm_id, demands, trust)
        try:
            attested = connect(
                case.url,
                policies=case.policies,
                trust=trust,
                collateral=collateral,
                any_software=demands.any_software,
                offline=offline,
                high_water=high_water,
                rules=demands.rules,
                options=options,
            )
        except (Rejected, Undecided) as error:
            _add_findings(error, case)
            raise
        try:
            remember_accepted(case, attested.appraisal, demands.marks)
        except BaseException:
            attested.close()
            raise
        return AttestedCvm(case, attested, attempt)

    try:
        return attempt()
    except AnotherMachine:  # registered since the case was opened: it is the one to be judged against
        return attempt()


async def appraise_cvm_async(
    client: AsyncPrismClient,
    cvm_id: str,
    *,
    demands: Demands,
    trust: TrustRoots,
    collateral: Collateral | CollateralStore | None = None,
    offline: bool = False,
    high_water: HighWaterStore | None = None,
    options: Options = (),
) -> AsyncAttestedCvm:
    """Do as `appraise_cvm` does, without holding up the event loop."""

    async def attempt() -> AsyncAttestedCvm:
        case = await _read_case_async(client, cvm_id, demands, trust)
        try:
            attested = await connect_async(
                case.url,
                policies=case.policies,
                trust=trust,
                collateral=collateral,
                any_software=demands.any_software,
                offline=offline,
                high_water=high_water,
                rules=demands.rules,
                options=options,
            )
        except (Rejected, Undecided) as error:
            _add_findings(error, case)
            raise
        try:
            await asyncio.to_thread(remember_accepted, case, attested.appraisal, demands.marks)
        except BaseException:
            await attested.close()
            raise
        return AsyncAttestedCvm(case, attested, attempt)

    try:
        return await attempt()
    except AnotherMachine:
        return await attempt()


def read_case(client: PrismClient, cvm_id: str, demands: Demands, trust: TrustRoots) -> CvmCase:
    """Take a CVM's record and policy from the API; raises as `open_case` does, and EndpointError for the API."""
    return case_of(client, client.view(cvm_id), demands, trust)


def case_of(client: PrismClient, cvm: Cvm, demands: Demands, trust: TrustRoots) -> CvmCase:
    """Take the policy of a CVM whose record is at hand; raises as `read_case` does."""
    policy = b"" if demands.policy is not None else client.attestation_policy(cvm.id)
    return open_case(cvm, policy, demands, key=_key(client, cvm, trust), now=wall_clock())


async def _read_case_async(client: AsyncPrismClient, cvm_id: str, demands: Demands, trust: TrustRoots) -> CvmCase:
    cvm = await client.view(cvm_id)
    policy = b"" if demands.policy is not None else await client.attestation_policy(cvm_id)
    key = _key(client, cvm, trust)
    return await asyncio.to_thread(open_case, cvm, policy, demands, key=key, now=wall_clock())


def _key(client: PrismClient | AsyncPrismClient, cvm: Cvm, trust: TrustRoots) -> CvmKey:
    return CvmKey(trust=trust.name, api=client.base_url, domain=client.domain, cvm=cvm.id)


def _add_findings(error: Rejected | Undecided, case: CvmCase) -> None:
    for finding in case.findings_with(error.appraisal):
        error.add_note(str(finding))
