"""A machine whose TLS key has leaked, and what a client that binds to that key alone takes somebody else for.

The one module of the simulator that knows the agent and the verifier: the demo needs both ends in one place. They are
loaded by the functions, so that nothing else of the simulator does.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch

if TYPE_CHECKING:
    from OpenSSL import SSL

    from cvmproof_agent.tls_key import TlsKey

_PATIENCE = 10.0  # seconds for a call


@dataclass(frozen=True, slots=True, kw_only=True)
class Leaking:
    """An agent that runs, and a TLS server's context with its own key, as whoever got hold of the key makes one."""

    address: tuple[str, int]
    context: "SSL.Context"


@contextmanager
def leaking_agent(device: str) -> Iterator[Leaking]:
    """Run an agent in this process, and hand out its key; no agent does that for itself."""
    from cvmproof_agent import serve  # noqa: PLC0415 -- the simulator works without the agent
    from cvmproof_agent.device import open_device  # noqa: PLC0415 -- of the agent too
    from cvmproof_agent.tls_key import TlsKey  # noqa: PLC0415 -- of the agent too

    key = TlsKey.generate()
    agent = serve.Agent(open_device(device))
    with patch.object(serve, "TlsKey", _Known(key)):
        agent.start()
    try:
        yield Leaking(address=agent.address, context=key.server_context())
    finally:
        agent.stop()


@dataclass(frozen=True, slots=True)
class _Known:
    """Makes the one key that the attacker has as well."""

    key: "TlsKey"

    def generate(self) -> "TlsKey":
        return self.key


def tell_key_bound(url: str, words: str, *, policies: Sequence[Path], collateral: Path) -> str:
    """Say something to whoever is accepted by key-bound evidence, and give the grade of that verdict.

    `collateral` is a store. Raises EndpointError, Malformed, Rejected or Undecided where nobody is accepted.
    """
    import grpc  # noqa: PLC0415 -- as heavy as the rest of the simulator
    from grpc_health.v1.health_pb2 import HealthCheckRequest  # noqa: PLC0415 -- imports grpc

    import cvmproof  # noqa: PLC0415 -- the simulator works without the verifier

    trust = cvmproof.TrustRoots.simulated()
    demanded = [cvmproof.read_policy(path.read_bytes(), name=path.name) for path in policies]
    store = cvmproof.CollateralStore(folder=collateral, trust=trust)
    marks = cvmproof.HighWaterStore(folder=collateral.parent / "high-water", trust=trust)
    with cvmproof.connect_key_bound(
        url, policies=demanded, trust=trust, collateral=store, offline=True, high_water=marks
    ) as deceived:
        check: grpc.UnaryUnaryMultiCallable[bytes, bytes] = deceived.channel.unary_unary("/grpc.health.v1.Health/Check")
        with suppress(grpc.RpcError):  # the agent has no such service, but by then it was said
            check(HealthCheckRequest(service=words).SerializeToString(), timeout=_PATIENCE)
        return str(deceived.appraisal.assurance)
