"""Answers about evidence that came over a TLS connection of the verifier's own: is it about this very one."""

from cvmproof.check import Answer, failed, passed, require
from cvmproof.live import ExpectedChannel, Live
from cvmproof.report_data.answering import Bound, answers
from cvmproof_formats.binding import BindingKind, Role, Tee, channel_report_data, key_report_data, nonce_report_data
from cvmproof_formats.errors import Malformed, Misuse
from cvmproof_formats.x509 import KeyUsage, key_usage

# The leaf's key signs handshakes and nothing else: a pin on a key that may sign certificates holds for others as well.
_HANDSHAKES_ONLY = KeyUsage(digital_signature=True)


@answers("binding.labels")
def binding_labels(case: Bound) -> Answer:
    """The evidence must say that it is bound as expected, by this end of the connection, to this key."""
    live, evidence = _live(case), case.evidence
    kind = BindingKind.CHANNEL if type(live) is ExpectedChannel else BindingKind.KEY
    expected, got = f"{kind} binding by the {live.role}", f"{evidence.binding or 'no'} binding by {_by(evidence.role)}"
    if expected != got:
        return failed(expected, got)
    expected = "the key of this connection"
    return passed(expected, expected) if evidence.spki == live.leaf.spki else failed(expected, "another key")


@answers("freshness.nonce")
def freshness_nonce(case: Bound) -> Answer:
    """The evidence must answer the nonce that was sent over this connection."""
    expected = "the nonce just sent"
    same = case.evidence.nonce == _live(case).nonce
    return passed(expected, expected) if same else failed(expected, "another nonce or none")


@answers("binding.leaf")
def binding_leaf(case: Bound) -> Answer:
    """The attester's certificate must allow its key to sign handshakes, and nothing else."""
    expected = "keyUsage digitalSignature only"
    try:
        usage = key_usage(_live(case).leaf)
    except Malformed as error:
        return failed(expected, str(error))
    return require(usage == _HANDSHAKES_ONLY, expected, _spell_usage(usage))


@answers("binding.report_data")
def binding_report_data(case: Bound) -> Answer:
    """REPORT_DATA must be what role, TEE, nonce, key and, for a channel, exporter value of this connection come to."""
    live, found = _live(case), case.report_data
    try:
        expected = _report_data(live, live.role, case.evidence.tee)
    except Misuse as error:
        return failed("an uncompressed P-256 key in the attester's certificate", str(error))
    if found == expected:
        return passed(expected, found)
    return failed(expected, _explain(live, case.evidence.tee, found) or found)


def _live(case: Bound) -> Live:
    if not isinstance(case.freshness, Live):
        raise TypeError(f"{type(case.freshness).__name__}, where a live connection was to be judged")
    return case.freshness


def _by(role: Role | None) -> str:
    return f"the {role}" if role else "nobody"


def _spell_usage(usage: KeyUsage | None) -> str:
    if usage is None:
        return "no keyUsage"
    return "keyUsage " + ", ".join(name for name in KeyUsage.__dataclass_fields__ if getattr(usage, name))


def _report_data(live: Live, role: Role, tee: Tee) -> bytes:
    if isinstance(live, ExpectedChannel):
        return channel_report_data(role=role, tee=tee, nonce=live.nonce, spki=live.leaf.spki, ekm=live.ekm)
    return key_report_data(role=role, tee=tee, nonce=live.nonce, spki=live.leaf.spki)


def _explain(live: Live, tee: Tee, found: bytes) -> str | None:
    """Recognize what else REPORT_DATA may be made of: the same nonce in another domain, or the other end's evidence."""
    other = Role.CLIENT if live.role is Role.SERVER else Role.SERVER
    candidates = {
        _report_data(live, other, tee): f"evidence by the {other}: somebody's own, sent back",
        key_report_data(role=live.role, tee=tee, nonce=live.nonce, spki=live.leaf.spki): "bound to the TLS key alone",
        nonce_report_data(role=live.role, tee=tee, nonce=live.nonce): "bound to the nonce alone",
    }
    return candidates.get(found)
