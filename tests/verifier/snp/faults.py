"""For each question one situation in which it alone says no, beside its accepted twin: design section 8.3.

`FAULTS` maps a question's id to (twin, faulty). A new question has no entry until somebody finds the situation that
only it notices; if there is none, it is decoration.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from tests.verifier.report_data.faults import report_data_faults
from tests.verifier.snp.situation import STRANGER, Situation, attackers_keys

from cvmproof_formats.snp.guest_policy import GUEST_POLICY_BITS
from cvmproof_formats.snp.key_flags import AUTHOR_KEY_EN, MASK_CHIP_KEY, flags_for
from cvmproof_formats.snp.platform_info import PLATFORM_INFO_BITS
from cvmproof_formats.snp.product import KeyKind
from cvmproof_formats.snp.report import HOST_REQUESTED
from cvmproof_formats.snp.tcb import Tcb
from cvmproof_simulator.psp import PLATFORMS, SIMULATED_MEASUREMENT

Fault = tuple[Situation, Situation]

GOOD = Situation()
VLEK = Situation(key=KeyKind.VLEK)
ATTACKER = attackers_keys(GOOD.product)
LEVEL = PLATFORMS[GOOD.product].tcb  # what the simulated Genoa part reports
AT_LEVEL = LEVEL.build(GOOD.product)
LOWER = Tcb(boot_loader=10, tee=0, snp=26, microcode=86).build(GOOD.product)
ASK_SERIAL = 0x20002
FLOOR = {"Genoa": {"boot_loader": 10, "tee": 0, "snp": 27, "microcode": 86}}
EVERY_LINE_FLOOR = {
    **FLOOR,
    "Milan": {"boot_loader": 0, "tee": 0, "snp": 0, "microcode": 0},
    "Turin": {"fmc": 0, "boot_loader": 0, "tee": 0, "snp": 0, "microcode": 0},
}
EVERY_LINE_MITIGATIONS = {"Genoa": [0, 1], "Milan": [1], "Turin": [0]}

CHAIN_FAULTS: dict[str, Fault] = {
    "snp.vek.profile": (GOOD, replace(GOOD, leaf={"serial": 5})),
    "snp.vek.kind": (GOOD, replace(GOOD, report={"key_flags": flags_for(KeyKind.VLEK)})),
    "snp.vek.product": (GOOD, replace(GOOD, report={"cpuid_family": 0x19, "cpuid_model": 0x01})),
    "snp.vek.tcb": (GOOD, replace(GOOD, says={"tcb": replace(LEVEL, snp=28)})),
    "snp.vek.chip_id": (GOOD, replace(GOOD, report={"chip_id": b"\x5a" * 64})),
    "snp.vek.signature": (GOOD, replace(GOOD, leaf={"signed_by": ATTACKER.ask})),
    "snp.chain.intermediate": (GOOD, replace(GOOD, intermediate={"path_length": 1})),
    "snp.chain.intermediate_signature": (GOOD, replace(GOOD, intermediate={"signed_by": ATTACKER.ark})),
    "snp.chain.root": (GOOD, replace(GOOD, keys=ATTACKER)),
    "snp.chain.root_signature": (GOOD, replace(GOOD, root={"signed_by": ATTACKER.ark})),
    "snp.chain.trust_set": (GOOD, replace(GOOD, trust="production")),
    "snp.chain.product": (GOOD, replace(GOOD, intermediate={"common_name": "SEV-VLEK-Genoa"})),
    "snp.chain.validity": (GOOD, replace(GOOD, leaf={"not_after": datetime(2026, 11, 20, tzinfo=UTC)})),
    "snp.crl.signature": (GOOD, replace(GOOD, crl={"signed_by": ATTACKER.ark})),
    "snp.crl.current": (GOOD, replace(GOOD, crl={"this_update": datetime(2025, 11, 1, tzinfo=UTC)})),
    "snp.crl.revoked": (GOOD, replace(GOOD, crl={"revoked": (ASK_SERIAL,)})),
    "snp.crl.rollback": (replace(GOOD, seen_before=timedelta()), replace(GOOD, seen_before=timedelta(seconds=1))),
    "policy.tee": (GOOD, replace(GOOD, takes_snp=False)),
}

REPORT_FAULTS: dict[str, Fault] = {
    "snp.signature.key": (GOOD, replace(GOOD, report={"key_flags": MASK_CHIP_KEY})),
    "snp.signature.report": (GOOD, replace(GOOD, signed_by=STRANGER)),
    "snp.report.guest_requested": (GOOD, replace(GOOD, report={"vmpl": HOST_REQUESTED})),
    "snp.tcb.layout": (GOOD, replace(GOOD, report={"launch_tcb": bytes.fromhex("0a0001000000 1b56")})),
    "snp.tcb.reported": (GOOD, replace(GOOD, report={"current_tcb": LOWER, "committed_tcb": LOWER})),
}


def demanding(faulty: Situation, **rules: object) -> Fault:
    """The ordinary machine passes these rules, the faulty one does not."""
    return replace(GOOD, rules=rules), replace(faulty, rules=rules)


def measured_by(author: bytes) -> Situation:
    """A launch whose ID key an author key signed."""
    return replace(GOOD, report={"key_flags": AUTHOR_KEY_EN, "author_key_digest": author})


POLICY_FAULTS: dict[str, Fault] = {
    "snp.product": (
        replace(GOOD, rules={"products": {"Turin": "forbidden"}}),
        replace(GOOD, rules={"products": {"Genoa": "forbidden"}}),
    ),
    "snp.report.version": demanding(replace(GOOD, version=3), minimum_report_version=4),
    "snp.signing_key": demanding(VLEK, signing_keys=["VCEK"]),
    "snp.csp_id": (
        replace(VLEK, csp_id="CN=one", rules={"csp_ids": ["CN=one"]}),
        replace(VLEK, csp_id="CN=another", rules={"csp_ids": ["CN=one"]}),
    ),
    "snp.vmpl": demanding(replace(GOOD, report={"vmpl": 1}), vmpls=[0]),
    "snp.measurement": demanding(
        replace(GOOD, report={"measurement": b"\x11" * 48}), measurements=[SIMULATED_MEASUREMENT.hex()]
    ),
    "snp.host_data": (
        replace(GOOD, report={"host_data": b"\x22" * 32}, rules={"host_data": ["22" * 32]}),
        replace(GOOD, report={"host_data": b"\x23" * 32}, rules={"host_data": ["22" * 32]}),
    ),
    "snp.id_key": (
        replace(GOOD, report={"id_key_digest": b"\x33" * 48}, rules={"id_key_digests": ["33" * 48]}),
        replace(GOOD, report={"id_key_digest": b"\x34" * 48}, rules={"id_key_digests": ["33" * 48]}),
    ),
    "snp.author_key": (
        replace(measured_by(b"\x44" * 48), rules={"author_key_digests": ["44" * 48]}),
        replace(measured_by(b"\x45" * 48), rules={"author_key_digests": ["44" * 48]}),
    ),
    "snp.family_id": (
        replace(GOOD, report={"family_id": b"\x55" * 16}, rules={"family_ids": ["55" * 16]}),
        replace(GOOD, report={"family_id": b"\x56" * 16}, rules={"family_ids": ["55" * 16]}),
    ),
    "snp.image_id": (
        replace(GOOD, report={"image_id": b"\x66" * 16}, rules={"image_ids": ["66" * 16]}),
        replace(GOOD, report={"image_id": b"\x67" * 16}, rules={"image_ids": ["66" * 16]}),
    ),
    "snp.guest_svn": (
        replace(GOOD, report={"guest_svn": 7}, rules={"minimum_guest_svn": 7}),
        replace(GOOD, report={"guest_svn": 6}, rules={"minimum_guest_svn": 7}),
    ),
    "snp.chip_id": (
        replace(GOOD, rules={"chip_ids": [GOOD.psp.chip_id.hex()]}),
        replace(GOOD, rules={"chip_ids": ["77" * 64]}),
    ),
    "snp.chip_id.denied": (
        replace(GOOD, rules={"denied_chip_ids": ["77" * 64]}),
        replace(GOOD, rules={"denied_chip_ids": [GOOD.psp.chip_id.hex()]}),
    ),
    "snp.chip_id.masked": demanding(replace(GOOD, report={"chip_id": bytes(64)}), masked_chip_id="forbidden"),
    "snp.report_id": (
        replace(GOOD, report={"report_id": b"\x88" * 32}, rules={"report_ids": ["88" * 32]}),
        replace(GOOD, report={"report_id": b"\x89" * 32}, rules={"report_ids": ["88" * 32]}),
    ),
    "snp.migration_agent": demanding(replace(GOOD, report={"report_id_ma": b"\x99" * 32}), migration_agent="forbidden"),
    "snp.firmware.minimum": demanding(
        replace(GOOD, report={"committed_build": 48}), minimum_firmware="1.55.49", committed_firmware="any"
    ),
    "snp.firmware.committed": (GOOD, replace(GOOD, report={"committed_build": 50})),
    "snp.tcb.floor.reported": (
        replace(GOOD, rules={"tcb_floor": EVERY_LINE_FLOOR}),
        # What runs and can't be taken back is above the floor; the key only proves less.
        replace(
            GOOD,
            tcb=replace(LEVEL, snp=26),
            report={"current_tcb": AT_LEVEL, "committed_tcb": AT_LEVEL, "launch_tcb": AT_LEVEL},
            rules={"tcb_floor": EVERY_LINE_FLOOR},
        ),
    ),
    "snp.tcb.floor.committed": demanding(replace(GOOD, report={"committed_tcb": LOWER}), tcb_floor=EVERY_LINE_FLOOR),
    "snp.tcb.floor.launch": demanding(replace(GOOD, report={"launch_tcb": LOWER}), tcb_floor=EVERY_LINE_FLOOR),
    "snp.mitigations.launch": demanding(
        replace(GOOD, report={"launch_mit_vector": 0b01}), launch_mitigations=EVERY_LINE_MITIGATIONS
    ),
    "snp.mitigations.current": demanding(
        replace(GOOD, report={"current_mit_vector": 0b10}), current_mitigations=EVERY_LINE_MITIGATIONS
    ),
    "snp.guest_policy.abi": (
        replace(GOOD, report={"policy": 0x30000 | 1 << 8 | 55}, rules={"minimum_abi": "1.55"}),
        replace(GOOD, report={"policy": 0x30000 | 1 << 8 | 54}, rules={"minimum_abi": "1.55"}),
    ),
    "snp.platform_info.unknown": (GOOD, replace(GOOD, report={"platform_info": 0x25 | 1 << 8})),
}

# Bits that are forbidden: 0 passes, 1 does not. The other direction is in the truth tables of test_bit_answers.py.
BIT_FAULTS: dict[str, Fault] = {
    f"snp.guest_policy.{bit.name}": (
        replace(GOOD, report={"policy": 1 << 17}, rules={"guest_policy": {bit.name: "forbidden"}}),
        replace(
            GOOD, report={"policy": 1 << 17 | bit.mask}, rules={"guest_policy": {"debug": "any", bit.name: "forbidden"}}
        ),
    )
    for bit in GUEST_POLICY_BITS
} | {
    f"snp.platform_info.{bit.name}": (
        replace(GOOD, report={"platform_info": 0}, rules={"platform_info": {bit.name: "forbidden"}}),
        replace(GOOD, report={"platform_info": bit.mask}, rules={"platform_info": {bit.name: "forbidden"}}),
    )
    for bit in PLATFORM_INFO_BITS
}

FAULTS = CHAIN_FAULTS | REPORT_FAULTS | POLICY_FAULTS | BIT_FAULTS | report_data_faults(GOOD)

# Questions whose no is that something at hand does not decide it.
LEAVES_UNDECIDED = frozenset({"snp.crl.current"})
