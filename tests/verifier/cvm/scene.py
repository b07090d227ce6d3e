"""A fake Prism, honest agents behind it, and the operator's side, ready to be changed."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import TypedDict, Unpack

from tests.verifier.channel.fake_agent import FakeAgent, collateral
from tests.verifier.policy.signing import KEY, signers

from cvmproof.channel.address import AddressRules
from cvmproof.cvm.agent_url import RULES
from cvmproof.cvm.appraising import AttestedCvm, appraise_cvm
from cvmproof.cvm.case import Demands
from cvmproof.cvm.fetched import Vouching
from cvmproof.marks import Marks
from cvmproof.policy.cose import PrivateKey
from cvmproof.policy.policy import Policy
from cvmproof.policy.reading import read_policy
from cvmproof.policy.signed import sign_policy
from cvmproof.prism.client import PrismClient
from cvmproof.prism.token import Token
from cvmproof.trust import TrustRoots
from cvmproof_simulator.prism import FakePrism
from cvmproof_simulator.psp import SIMULATED_MEASUREMENT

TRUST = TrustRoots.simulated()
TOKEN = "a-token-that-nobody-else-may-see"  # noqa: S105 -- of a fake service
LOOPBACK = replace(RULES, ports=frozenset(range(1024, 65536)), allowed=(ip_network("127.0.0.0/8"),))
OTHER_SOFTWARE = b"\x91" * 48


def policy_bytes(measurement: bytes = SIMULATED_MEASUREMENT, rules: str = "") -> bytes:
    """A policy that takes the simulated guest, with other software or more rules of `[snp]`."""
    return f'extends = "builtin:recommended"\n\n[snp]\nmeasurements = ["{measurement.hex()}"]\n{rules}'.encode()


POLICY = policy_bytes()
FLOOR = read_policy(POLICY, name="floor")


def signed(
    cvm: str, *, serial: int = 1, policy: bytes = POLICY, key: PrivateKey = KEY, expires: datetime | None = None
) -> bytes:
    """A policy signed by the operator for this CVM, for a day."""
    end = expires or datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)
    return sign_policy(policy, private_key=key, cvm_id=cvm, serial=serial, expires_at=end)


SIGNED_ONLY = Vouching(signers=signers())


class DemandChanges(TypedDict, total=False):
    """What a test demands otherwise."""

    marks: Marks
    policy: Policy | None
    floors: tuple[Policy, ...]
    pins: tuple[Policy, ...]
    vouching: Vouching
    trust_control_plane: bool
    any_software: bool
    pin_first_use: bool
    rules: AddressRules


@dataclass
class Scene:
    """A domain with one honest CVM in it."""

    prism: FakePrism
    agent: FakeAgent
    client: PrismClient
    cvm: str
    demands: Demands

    def appraise(self, cvm: str | None = None, /, **changes: Unpack[DemandChanges]) -> AttestedCvm:
        """Appraise a CVM, with some demands changed."""
        return appraise_cvm(
            self.client,
            cvm or self.cvm,
            demands=replace(self.demands, **changes),
            trust=TRUST,
            collateral=collateral(),
            offline=True,
        )

    @property
    def leaked(self) -> bool:
        """Whether the token was ever seen by the agent."""
        return TOKEN.encode() in bytes(self.agent.received) or any(TOKEN.encode() in r for r in self.agent.requests)


@contextmanager
def scene(folder: Path, *, policy: bytes = POLICY, floors: tuple[Policy, ...] = (FLOOR,)) -> Iterator[Scene]:
    """Set it up; `folder` is for what is remembered."""
    with FakePrism(domain="workspace", token=TOKEN) as prism, FakeAgent() as agent:
        cvm = prism.add("cvm-good", agent_url=agent.url, policy=policy)
        demands = Demands(marks=Marks(folder=folder / "marks"), floors=floors, rules=LOOPBACK)
        with PrismClient(prism.url, domain="workspace", token=Token(TOKEN)) as client:
            yield Scene(prism, agent, client, cvm, demands)
