"""What every answer says: the twins and faults of `faults.py`, put into words, to be compared with `wording.json`.

`python -m tests.verifier.snp.wording` writes the file anew; read the difference before it is committed.
"""

import json
from dataclasses import replace
from pathlib import Path

from tests.verifier.snp.faults import FAULTS, GOOD, VLEK
from tests.verifier.snp.situation import Situation

from cvmproof.check import Check

FILE = Path(__file__).with_suffix(".json")

NOTHING = frozenset({"leaf", "intermediate", "root", "crl"})
V2 = Situation(version=2)
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
    return {check.id: _words(check) for check in situation.appraise().checks if only in {None, check.id}}


def _words(check: Check) -> str:
    return f"{check.outcome} {check.category}: expected {check.expected} | got {check.got}"


if __name__ == "__main__":
    FILE.write_text(
        json.dumps({name: words_of(name) for name in SITUATIONS}, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )
