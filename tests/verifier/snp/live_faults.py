"""For each question about a live connection, the situation that it alone refuses; see `faults.py` for the others."""

from dataclasses import replace

from tests.verifier.channel.leaves import SIGNATURES_ONLY, key, leaf, read_leaf
from tests.verifier.snp.situation import Situation

from cvmproof.live import READER, ExpectedChannel, ExpectedKey
from cvmproof_formats.binding import BindingKind, Role, Tee, channel_report_data, key_report_data

NONCE = bytes(range(32))
EKM = bytes(range(32, 64))
LEAF = read_leaf(leaf(key(b"agent")))
CA_LEAF = read_leaf(leaf(key(b"agent"), usages=SIGNATURES_ONLY | {"key_cert_sign"}))

ON_CHANNEL = Situation(
    report_data=channel_report_data(role=Role.SERVER, tee=Tee.SEV_SNP, nonce=NONCE, spki=LEAF.spki, ekm=EKM),
    labels={"binding": BindingKind.CHANNEL, "role": Role.SERVER, "nonce": NONCE, "spki": LEAF.spki},
    freshness=ExpectedChannel(reader=READER, role=Role.SERVER, nonce=NONCE, leaf=LEAF, ekm=EKM),
)
ON_KEY = Situation(
    report_data=key_report_data(role=Role.SERVER, tee=Tee.SEV_SNP, nonce=NONCE, spki=LEAF.spki),
    labels={**ON_CHANNEL.labels, "binding": BindingKind.KEY},
    freshness=ExpectedKey(reader=READER, role=Role.SERVER, nonce=NONCE, leaf=LEAF),
)

LIVE_FAULTS: dict[str, tuple[Situation, Situation]] = {
    "binding.labels": (ON_CHANNEL, replace(ON_CHANNEL, labels={**ON_CHANNEL.labels, "role": Role.CLIENT})),
    "freshness.nonce": (ON_CHANNEL, replace(ON_CHANNEL, labels={**ON_CHANNEL.labels, "nonce": NONCE[::-1]})),
    "binding.leaf": (
        ON_KEY,
        replace(ON_KEY, freshness=ExpectedKey(reader=READER, role=Role.SERVER, nonce=NONCE, leaf=CA_LEAF)),
    ),
    "binding.report_data": (
        ON_CHANNEL,
        replace(
            ON_CHANNEL,
            freshness=ExpectedChannel(reader=READER, role=Role.SERVER, nonce=NONCE, leaf=LEAF, ekm=EKM[::-1]),
        ),
    ),
}
