"""Binds evidence to what the agent itself knows: its key, one TLS session, the uid of a local peer.

Callers bring a nonce or user data; nobody brings REPORT_DATA. docs/binding.md
"""

from collections.abc import Hashable
from concurrent.futures import Future

from cvmproof_agent.attester import Attester
from cvmproof_agent.dispatcher import Dispatcher
from cvmproof_agent.statement import ChannelStatement, KeyStatement, Statement, UserStatement
from cvmproof_formats.binding import Role
from cvmproof_formats.evidence_fields import Evidence


class Binder:
    """The server's end of the binding, over one TLS key; the futures raise what the dispatcher and device raise."""

    def __init__(self, dispatcher: Dispatcher[Attester], *, spki: bytes) -> None:
        """Take who has the device, and the key (91 bytes of DER) of the listener."""
        self._dispatcher, self._spki = dispatcher, spki

    def channel(
        self, *, nonce: bytes, ekm: bytes, event_log: bool = False, network: Hashable = None
    ) -> Future[Evidence]:
        """Bind to one TLS session by its exporter value (32 bytes, context the nonce).

        Raises Misuse for other lengths, RateLimited, DeviceError.
        """
        statement = ChannelStatement(role=Role.SERVER, nonce=nonce, spki=self._spki, ekm=ekm)
        return self._attest(statement, event_log=event_log, network=network)

    def key(self, *, nonce: bytes, network: Hashable = None, seconds: float | None = None) -> Future[Evidence]:
        """Bind to the TLS key; may block as long as the device does; raises as `channel`."""
        statement = KeyStatement(role=Role.SERVER, nonce=nonce, spki=self._spki)
        return self._attest(statement, network=network, seconds=seconds, may_block=True)

    def user(self, *, uid: int, user_data: bytes) -> Future[Evidence]:
        """Bind to a uid, which the caller has from the kernel, and what it said; raises as `channel`."""
        return self._attest(UserStatement(uid=uid, user_data=user_data), network=("uid", uid))

    def event_log(self, *, network: Hashable = None, seconds: float | None = None) -> Future[bytes | None]:
        """Read the event log, None where there is none."""
        return self._dispatcher.submit(lambda attester: attester.event_log(), network=network, seconds=seconds)

    def _attest(
        self,
        statement: Statement,
        *,
        network: Hashable,
        event_log: bool = False,
        seconds: float | None = None,
        may_block: bool = False,
    ) -> Future[Evidence]:
        return self._dispatcher.submit(
            lambda attester: attester.attest(statement, event_log=event_log),
            network=network,
            seconds=seconds,
            may_block=may_block,
        )
