"""What every answer says: the twins and faults of `faults.py`, put into words, to be compared with `wording.json`.

`python -m tests.verifier.tdx.wording` writes the file anew; read the difference before it is committed.
"""

import json
from dataclasses import replace
from pathlib import Path

from tests.verifier.snp.wording import in_words
from tests.verifier.tdx.faults import DAY, FAULTS, FIFTH, GOOD
from tests.verifier.tdx.situation import STRANGER, Situation

from cvmproof.collateral.collateral import Collateral
from cvmproof.high_water import HighWater
from cvmproof_formats.tdx.hierarchy import Ca
from cvmproof_formats.tdx.tcb_status import TcbStatus
from cvmproof_simulator.tdx.td import SoftwareModule

FILE = Path(__file__).with_suffix(".json")

EVERYTHING = frozenset({"signer", "root_crl", "pck_crl", "tcb_info", "qe_identity"})
RULES = {
    "tcb_statuses": ["UpToDate"],
    "denied_advisories": ["INTEL-SA-01397"],
    "minimum_evaluation_number": 18,
    "evaluation_numbers": "equal",
    "minimum_tcb_date": "2025-01-01",
    "fmspcs": ["00" * 6],
    "ppids": ["11" * 16],
    "denied_ppids": ["22" * 16],
    "platform_instance_ids": ["33" * 16],
    "platform": {"smt_enabled": "forbidden"},
}
# Situations in which answers are missing, and some in which they come out in other words than in any fault.
OTHERS = {
    "no collateral": replace(GOOD, without=EVERYTHING, rules=RULES),
    "no lists, tolerated": replace(GOOD, without=frozenset({"root_crl", "pck_crl"}), revocation="if-available"),
    "lists that can't be read": replace(
        GOOD, without=frozenset({"root_crl", "pck_crl"}), after=Collateral(intel_crls=(b"junk",))
    ),
    "TCB info and QE identity of SGX": replace(
        GOOD,
        tcb_info_rewritten=((b'"TDX"', b'"SGX"'),),
        qe_identity_rewritten=((b'"TD_QE"', b'"QE"'),),
    ),
    "a certificate that says nothing": replace(GOOD, pck={"drop": ("1.2.840.113741.1.13.1",)}, rules=RULES),
    "no collateral, and something was seen before": replace(
        GOOD, without=EVERYTHING, high_water=HighWater.nothing("simulated")
    ),
    "nothing was seen before": replace(GOOD, high_water=HighWater.nothing("simulated")),
    "the Processor CA": replace(Situation(ca=Ca.PROCESSOR), rules=RULES),
    "a module of an unknown version": Situation(module=SoftwareModule(version=2)),
    "a module of no version": Situation(
        module=SoftwareModule(version=0, svn=4), rules={"minimum_module_svns": {"TDX_01": 13, "TDX_03": "any"}}
    ),
    "a module that was updated": replace(
        FIFTH,
        launched_by=SoftwareModule.rated(TcbStatus.OUT_OF_DATE),
        rules={**RULES, "minimum_module_svns": {"TDX_01": "any"}, "mr_service_tds": ["44" * 48]},
    ),
    "no level for the enclave, and revoked": Situation(
        rating={"quoting_enclave": TcbStatus.NOT_SUPPORTED, "platform": TcbStatus.REVOKED}, rules=RULES
    ),
    "collateral that is not yet issued": replace(GOOD, now=GOOD.now - 30 * DAY),
    "a key that is none": replace(GOOD, quote={"attestation_key": bytes(64)}),
    "another signer": replace(GOOD, signer={"signed_by": STRANGER, "common_name": "Intel SGX TCB Signing"}),
}

# Of a fault only its own answer, of the others every one that is not as in the ordinary case.
SITUATIONS: dict[str, tuple[Situation, str | None]] = {
    **{f"{name}: as it should be": (twin, name) for name, (twin, _) in FAULTS.items()},
    **{f"{name}: the fault": (faulty, name) for name, (_, faulty) in FAULTS.items()},
    **{name: (situation, None) for name, situation in OTHERS.items()},
}


def words_of(name: str) -> dict[str, str]:
    """Answers in words, by id: `outcome category: expected … | got …`."""
    situation, only = SITUATIONS[name]
    checks = {check.id: in_words(check) for check in situation.appraise().checks if only in {None, check.id}}
    if only is not None:
        return checks
    ordinary = {check.id: in_words(check) for check in GOOD.appraise().checks}
    return {id_: words for id_, words in checks.items() if words != ordinary.get(id_)}


if __name__ == "__main__":
    FILE.write_text(
        json.dumps({name: words_of(name) for name in SITUATIONS}, indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )
