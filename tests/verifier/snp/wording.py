"""What every answer says: the twins and faults of `faults.py`, put into words, to be compared with `wording.json`.

`python -m tests.verifier.snp.wording` writes the file anew; read the difference before it is committed.
"""

import json
from dataclasses import replace
from pathlib import Path

from tests.verifier.report_data.faults import EKM, LEAF, NONCE, bound_to_channel, bound_to_nonce
from tests.verifier.snp.faults import EVERY_LINE_MITIGATIONS, FAULTS, GOOD, VLEK
from tests.verifier.snp.situation import Situation

from cvmproof.check import Check
from cvmproof.live import READER, ExpectedChannel
from cvmproof_formats.binding import Role
from cvmproof_formats.snp.product import ProductLine

FILE = Path(__file__).with_suffix(".json")

ON_CHANNEL = bound_to_channel(GOOD)
NOTHING = frozenset({"leaf", "intermediate", "root", "crl"})
V2 = Situation(version=2)
LOWEST = {"boot_loader": 0, "tee": 0, "snp": 0, "microcode": 0}
# Situations in which answers are missing, and some in which they come out in other words than in any fault.
OTHERS = {
    "no certificates, no list": replace(GOOD, without=NOTHING),
    "no intermediate": replace(GOOD, without=frozenset({"intermediate"})),
    "no root": replace(GOOD, without=frozenset({"root"})),
    "no list, tolerated": replace(GOOD, without=frozenset({"crl"}), revocation="if-available"),
    "version 2 without a certificate": replace(V2, without=NOTHING, base="recommended", rules={"measurements": "any"}),
    "version 2 asked about mitigations": replace(
        V2, without=NOTHING, rules={"current_mitigations": {"Genoa": [0], "Milan": [0], "Turin": [0]}}
    ),
    "a VLEK": VLEK,
    "a VLEK without certificates": replace(VLEK, without=NOTHING, rules={"csp_ids": ["CN=somebody"]}),
    "a VLEK under a policy that names chips": replace(VLEK, rules={"masked_chip_id": "forbidden"}),
    "version 2": V2,
    "a VCEK where a provider is wanted": replace(
        GOOD, rules={"csp_ids": ["CN=somebody"], "signing_keys": ["VCEK", "VLEK"]}
    ),
    "no author key where one is wanted": replace(GOOD, rules={"author_key_digests": ["44" * 48]}),
    "a product line that the policy rules out and says no more about": Situation(
        product=ProductLine.TURIN,
        rules={
            "products": {"Turin": "forbidden"},
            "tcb_floor": dict.fromkeys(("Milan", "Genoa"), LOWEST),
            "launch_mitigations": {"Milan": [1], "Genoa": [1]},
        },
    ),
    "no mitigation at all": replace(
        GOOD, report={"current_mit_vector": 0}, rules={"current_mitigations": EVERY_LINE_MITIGATIONS}
    ),
    "a nonce and no label": replace(bound_to_nonce(GOOD), labels={}),
    "the client's evidence sent back to it": replace(
        ON_CHANNEL,
        labels={**ON_CHANNEL.labels, "role": Role.CLIENT},
        freshness=ExpectedChannel(reader=READER, role=Role.CLIENT, nonce=NONCE, leaf=LEAF, ekm=EKM),
    ),
}


# Of a fault only its own answer, of the others every one.
SITUATIONS: dict[str, tuple[Situation, str | None]] = {
    **{f"{name}: as it should be": (twin, name) for name, (twin, _) in FAULTS.items()},
    **{f"{name}: the fault": (faulty, name) for name, (_, faulty) in FAULTS.items()},
    **{name: (situation, None) for name, situation in OTHERS.items()},
}


def words_of(name: str) -> dict[str, str]:
    """Answers in words, by id: `outcome category: expected … | got …`."""
    situation, only = SITUATIONS[name]
    return {check.id: in_words(check) for check in situation.appraise().checks if only in {None, check.id}}


def in_words(check: Check) -> str:
    """One check in one line."""
    return f"{check.outcome} {check.category}: expected {check.expected} | got {check.got}"


if __name__ == "__main__":
    FILE.write_text(
        json.dumps({name: words_of(name) for name in SITUATIONS}, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )
