"""Binds evidence to what the agent itself knows: its key, one TLS session, the uid of a local peer.

Callers bring a nonce or user data; nobody brings REPORT_DATA. docs/binding.md
"""

from collections.abc import Hashable
from concurrent.futures import Future

from cvmproof_agent.collecting import collect_for_user
from cvmproof_agent.dispatcher import Dispatcher
from cvmproof_agent.gathering import gather, read_event_log
from cvmproof_formats.binding import BindingKind, Role, Tee, channel_report_data, key_report_data
from cvmproof_formats.evidence_fields import Evidence


class Binder:
    """The server's end of the binding, over one TLS key; the futures raise what the dispatcher and device raise."""

    def __init__(self, dispatcher: Dispatcher, *, tee: Tee, spki: bytes) -> None:
        """Take the owner of the device, and the key (91 bytes of DER) of the listener."""
        self._dispatcher, self._tee, self._spki = dispatcher, tee, spki

    def channel(
        self, *, nonce: bytes, ekm: bytes, event_log: bool = False, network: Hashable = None
    ) -> Future[Evidence]:
        """Bind to one TLS session by its exporter value (32 bytes, context the nonce).

        Raises Misuse for other lengths, RateLimited, DeviceError.
        """
        data = channel_report_data(role=Role.SERVER, tee=self._tee, nonce=nonce, spki=self._spki, ekm=ekm)
        labels = self._labels(BindingKind.CHANNEL, nonce)
        return self._dispatcher.submit(
            lambda device: gather(device, data, labels, event_log=event_log), network=network
        )

    def key(self, *, nonce: bytes, network: Hashable = None, seconds: float | None = None) -> Future[Evidence]:
        """Bind to the TLS key; may block as long as the device does; raises as `channel`."""
        data = key_report_data(role=Role.SERVER, tee=self._tee, nonce=nonce, spki=self._spki)
        labels = self._labels(BindingKind.KEY, nonce)
        return self._dispatcher.submit(
            lambda device: gather(device, data, labels), network=network, seconds=seconds, may_block=True
        )

    def user(self, *, uid: int, user_data: bytes) -> Future[Evidence]:
        """Bind to a uid, which the caller has from the kernel, and what it said; raises as `channel`."""
        return self._dispatcher.submit(
            lambda device: collect_for_user(device, uid=uid, user_data=user_data), network=("uid", uid)
        )

    def event_log(self, *, network: Hashable = None, seconds: float | None = None) -> Future[bytes | None]:
        """Read the event log, None where there is none."""
        return self._dispatcher.submit(read_event_log, network=network, seconds=seconds)

    def _labels(self, binding: BindingKind, nonce: bytes) -> Evidence:
        return Evidence(tee=self._tee, report=b"", binding=binding, role=Role.SERVER, nonce=nonce, spki=self._spki)
