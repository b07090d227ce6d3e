"""What is asked of REPORT_DATA, the same of every technology: for each question the situation that it alone refuses."""

from dataclasses import replace
from typing import TypeVar

from tests.verifier.channel.leaves import SIGNATURES_ONLY, key, leaf, read_leaf
from tests.verifier.snp.situation import Situation as SnpSituation
from tests.verifier.tdx.situation import Situation as TdxSituation

from cvmproof.freshness import ExpectedNonce, ExpectedReportData
from cvmproof.live import READER, ExpectedChannel, ExpectedKey
from cvmproof_formats.binding import BindingKind, Role, channel_report_data, key_report_data, nonce_report_data

NONCE = bytes(range(32))
EKM = bytes(range(32, 64))
LEAF = read_leaf(leaf(key(b"agent")))
CA_LEAF = read_leaf(leaf(key(b"agent"), usages=SIGNATURES_ONLY | {"key_cert_sign"}))

S = TypeVar("S", SnpSituation, TdxSituation)


def bound_to_nonce(good: S) -> S:
    """The same, from a file, for a nonce of the verifier's."""
    return replace(
        good,
        report_data=nonce_report_data(role=Role.SERVER, tee=good.evidence.tee, nonce=NONCE),
        labels={"binding": BindingKind.NONCE, "role": Role.SERVER, "nonce": NONCE},
        freshness=ExpectedNonce(NONCE),
    )


def bound_to_key(good: S) -> S:
    """The same, over a TLS connection, for its key."""
    return replace(
        good,
        report_data=key_report_data(role=Role.SERVER, tee=good.evidence.tee, nonce=NONCE, spki=LEAF.spki),
        labels={"binding": BindingKind.KEY, "role": Role.SERVER, "nonce": NONCE, "spki": LEAF.spki},
        freshness=ExpectedKey(reader=READER, role=Role.SERVER, nonce=NONCE, leaf=LEAF),
    )


def bound_to_channel(good: S) -> S:
    """The same, over a TLS connection, for this very one."""
    return replace(
        good,
        report_data=channel_report_data(role=Role.SERVER, tee=good.evidence.tee, nonce=NONCE, spki=LEAF.spki, ekm=EKM),
        labels={"binding": BindingKind.CHANNEL, "role": Role.SERVER, "nonce": NONCE, "spki": LEAF.spki},
        freshness=ExpectedChannel(reader=READER, role=Role.SERVER, nonce=NONCE, leaf=LEAF, ekm=EKM),
    )


def report_data_faults(good: S) -> dict[str, tuple[S, S]]:
    """Twin and fault by the question's id."""
    from_file, on_key, on_channel = bound_to_nonce(good), bound_to_key(good), bound_to_channel(good)
    other_channel = ExpectedChannel(reader=READER, role=Role.SERVER, nonce=NONCE, leaf=LEAF, ekm=EKM[::-1])
    leaf_of_a_ca = ExpectedKey(reader=READER, role=Role.SERVER, nonce=NONCE, leaf=CA_LEAF)
    return {
        "binding.domain": (
            from_file,
            replace(from_file, labels={"binding": BindingKind.CHANNEL, "role": Role.SERVER}),
        ),
        "freshness.report_data": (good, replace(good, freshness=ExpectedReportData(good.report_data[::-1]))),
        "binding.labels": (on_channel, replace(on_channel, labels={**on_channel.labels, "role": Role.CLIENT})),
        "freshness.nonce": (on_channel, replace(on_channel, labels={**on_channel.labels, "nonce": NONCE[::-1]})),
        "binding.leaf": (on_key, replace(on_key, freshness=leaf_of_a_ca)),
        "binding.report_data": (on_channel, replace(on_channel, freshness=other_channel)),
    }


def wrong_expectations(good: S) -> dict[str, tuple[S, S]]:
    """For each way to bind evidence the twin, and the same evidence where another nonce was sent."""
    other = NONCE[::-1]
    from_file, on_key, on_channel = bound_to_nonce(good), bound_to_key(good), bound_to_channel(good)
    other_key = ExpectedKey(reader=READER, role=Role.SERVER, nonce=other, leaf=LEAF)
    other_channel = ExpectedChannel(reader=READER, role=Role.SERVER, nonce=other, leaf=LEAF, ekm=EKM)
    return {
        "report data": (good, replace(good, freshness=ExpectedReportData(bytes(64)))),
        "nonce": (from_file, replace(from_file, freshness=ExpectedNonce(other))),
        "key": (on_key, replace(on_key, freshness=other_key)),
        "channel": (on_channel, replace(on_channel, freshness=other_channel)),
    }
