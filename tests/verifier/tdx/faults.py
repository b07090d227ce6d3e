"""For each question one situation in which it alone says no, beside its accepted twin: design section 8.3.

`FAULTS` maps a question's id to (twin, faulty). A new question has no entry until somebody finds the situation that
only it notices; if there is none, it is decoration.
"""

import hashlib
from dataclasses import replace
from datetime import timedelta
from types import MappingProxyType

from tests.verifier.report_data.faults import report_data_faults
from tests.verifier.tdx.situation import ATTACKER, ISSUED, STRANGER, Situation, later

from cvmproof.high_water import QE_IDENTITY_NAME, HighWater, Mark, crl_name, tcb_info_name
from cvmproof_formats.tdx.qe_report import ENCLAVE_DEBUG
from cvmproof_formats.tdx.tcb_status import TcbStatus
from cvmproof_formats.tdx.td_attributes import RESERVED, TD_ATTRIBUTE_BITS, UNDER_DEBUG, UNNAMED
from cvmproof_formats.tdx.xfam import ALWAYS_ONE, XFAM_BITS
from cvmproof_formats.tdx.xfam import RESERVED as UNKNOWN_XFAM
from cvmproof_formats.x509 import KeyUsage
from cvmproof_simulator.psp import spki_of
from cvmproof_simulator.tdx.collateral import EVALUATION_NUMBER
from cvmproof_simulator.tdx.platform import SIMULATED_FMSPC
from cvmproof_simulator.tdx.quoting_enclave import QE_ATTRIBUTES, QE_PRODUCT
from cvmproof_simulator.tdx.td import SIMULATED_MRTD, SIMULATED_XFAM, SoftwareModule, SoftwareTd

Fault = tuple[Situation, Situation]

GOOD = Situation()
FIFTH = Situation(version=5)
OLD = GOOD.platform.rated(TcbStatus.OUT_OF_DATE).pcesvn
DAY = timedelta(days=1)
OVERDUE = later(days=-1)  # an end of what was for use until then
ZERO = bytes(48)


def value(byte: int, size: int = 48) -> bytes:
    """A value that nothing has by itself."""
    return bytes((byte,)) * size


def lowest_bit(mask: int) -> int:
    """One bit of a mask."""
    return mask & -mask


CHAIN_FAULTS: dict[str, Fault] = {
    "tdx.pck.profile": (GOOD, replace(GOOD, pck={"key_usage": KeyUsage(digital_signature=True)})),
    "tdx.pck.signature": (GOOD, replace(GOOD, pck={"signed_by": ATTACKER.platform})),
    "tdx.chain.intermediate": (GOOD, replace(GOOD, authority={"path_length": 1})),
    "tdx.chain.intermediate_signature": (GOOD, replace(GOOD, authority={"signed_by": ATTACKER.root})),
    "tdx.chain.root": (GOOD, replace(GOOD, keys=ATTACKER)),
    "tdx.chain.root_signature": (GOOD, replace(GOOD, root={"signed_by": ATTACKER.root})),
    "tdx.chain.trust_set": (GOOD, replace(GOOD, trust="production")),
    "tdx.chain.validity": (GOOD, replace(GOOD, pck={"not_after": OVERDUE})),
    "tdx.signer.profile": (GOOD, replace(GOOD, signer={"key_usage": KeyUsage(digital_signature=True)})),
    "tdx.signer.signature": (GOOD, replace(GOOD, signer={"signed_by": ATTACKER.root})),
    "tdx.signer.validity": (GOOD, replace(GOOD, signer={"not_after": OVERDUE})),
    "tdx.root_crl.signature": (GOOD, replace(GOOD, root_crl={"signed_by": ATTACKER.root})),
    "tdx.root_crl.current": (GOOD, replace(GOOD, root_crl={"lifetime": OVERDUE - ISSUED})),
    "tdx.pck_crl.signature": (GOOD, replace(GOOD, pck_crl={"signed_by": ATTACKER.platform})),
    "tdx.pck_crl.current": (GOOD, replace(GOOD, pck_crl={"lifetime": OVERDUE - ISSUED})),
    "tdx.crl.revoked": (GOOD, replace(GOOD, pck_crl={"revoked": (GOOD.platform.pck_serial,)})),
}

QUOTE_FAULTS: dict[str, Fault] = {
    "tdx.qe.signature": (GOOD, replace(GOOD, quote={"qe_signed_by": STRANGER})),
    "tdx.qe.binding": (GOOD, replace(GOOD, quote={"qe_report_data": value(1, 64)})),
    "tdx.signature.quote": (GOOD, replace(GOOD, quote={"signed_by": STRANGER})),
    "tdx.qe.mrsigner": (GOOD, replace(GOOD, quote={"qe_mr_signer": value(1, 32)})),
    "tdx.qe.product": (GOOD, replace(GOOD, quote={"qe_isv_prod_id": QE_PRODUCT + 1})),
    "tdx.qe.miscselect": (GOOD, replace(GOOD, quote={"qe_miscselect": b"\1\0\0\0"})),
    "tdx.qe.attributes": (GOOD, replace(GOOD, quote={"qe_attributes": b"\x95" + QE_ATTRIBUTES[1:]})),
    "tdx.qe.debug": (
        GOOD,
        replace(GOOD, quote={"qe_attributes": bytes((QE_ATTRIBUTES[0] | ENCLAVE_DEBUG,)) + QE_ATTRIBUTES[1:]}),
    ),
    "tdx.module.signer": (GOOD, replace(GOOD, quote={"mr_signer_seam": value(1)})),
    "tdx.module.attributes": (GOOD, replace(GOOD, quote={"seam_attributes": 1})),
}

COLLATERAL_FAULTS: dict[str, Fault] = {
    "tdx.tcb_info.signature": (GOOD, replace(GOOD, tcb_info_signed_by=STRANGER)),
    "tdx.tcb_info.current": (GOOD, replace(GOOD, tcb_info={"next_update": OVERDUE})),
    "tdx.tcb_info.fmspc": (GOOD, replace(GOOD, tcb_info={"fmspc": bytes(6)})),
    "tdx.tcb_info.pceid": (GOOD, replace(GOOD, tcb_info={"pce_id": b"\0\1"})),
    "tdx.qe_identity.signature": (GOOD, replace(GOOD, qe_identity_signed_by=STRANGER)),
    "tdx.qe_identity.current": (GOOD, replace(GOOD, qe_identity={"next_update": OVERDUE})),
    "tdx.tcb.level": (GOOD, replace(GOOD, rating={"platform": TcbStatus.NOT_SUPPORTED})),
    "tdx.tcb.revoked": (GOOD, replace(GOOD, rating={"module": TcbStatus.REVOKED})),
}


def remembering(name: str, mark: Mark) -> Fault:
    """What is at hand is as new as what was seen before, or was issued a second earlier."""
    newer = mark._replace(issued=mark.issued + timedelta(seconds=1))
    twin, faulty = (HighWater(trust="simulated", marks=MappingProxyType({name: seen})) for seen in (mark, newer))
    return replace(GOOD, high_water=twin), replace(GOOD, high_water=faulty)


def key_sha256(of: str) -> bytes:
    """The SHA-256 of an authority's key."""
    return hashlib.sha256(spki_of(GOOD.authorities.key("root" if of == "root" else "platform"))).digest()


OF_JSON, OF_LIST = Mark(number=EVALUATION_NUMBER, issued=ISSUED), Mark(number=0, issued=ISSUED)
ROLLBACK_FAULTS: dict[str, Fault] = {
    "tdx.root_crl.rollback": remembering(crl_name(key_sha256("root")), OF_LIST),
    "tdx.pck_crl.rollback": remembering(crl_name(key_sha256("platform")), OF_LIST),
    "tdx.tcb_info.rollback": remembering(tcb_info_name(SIMULATED_FMSPC), OF_JSON),
    "tdx.qe_identity.rollback": remembering(QE_IDENTITY_NAME, OF_JSON),
}


def demanding(faulty: Situation, **rules: object) -> Fault:
    """The ordinary machine passes these rules, the faulty one does not."""
    return replace(GOOD, rules=rules), replace(faulty, rules=rules)


OUT_OF_DATE = replace(GOOD, machine={"pcesvn": OLD})

POLICY_FAULTS: dict[str, Fault] = {
    "policy.tee": (GOOD, replace(GOOD, takes_tdx=False)),
    "tdx.tcb.status": demanding(OUT_OF_DATE, tcb_statuses=["UpToDate"]),
    "tdx.tcb.advisories": demanding(OUT_OF_DATE, denied_advisories=["SIMULATED-SA-00003"]),
    "tdx.tcb.evaluation_number": demanding(
        replace(GOOD, number=EVALUATION_NUMBER - 1), minimum_evaluation_number=EVALUATION_NUMBER
    ),
    "tdx.tcb.evaluation_numbers": demanding(
        replace(GOOD, qe_identity={"evaluation_number": EVALUATION_NUMBER + 1}), evaluation_numbers="equal"
    ),
    "tdx.tcb.date": demanding(OUT_OF_DATE, minimum_tcb_date="2026-08-12"),
    "tdx.qe.svn": demanding(replace(GOOD, machine={"qe_svn": 6}), minimum_qe_svn=7),
    "tdx.module.svn": demanding(
        replace(GOOD, module=SoftwareModule(svn=12)), minimum_module_svns={"TDX_01": 13, "TDX_03": "any"}
    ),
    "tdx.fmspc": (
        replace(GOOD, rules={"fmspcs": [SIMULATED_FMSPC.hex()]}),
        replace(GOOD, rules={"fmspcs": ["00" * 6]}),
    ),
    "tdx.ppid": demanding(replace(GOOD, machine={"secret": b"another"}), ppids=[GOOD.platform.ppid.hex()]),
    "tdx.ppid.denied": (
        replace(GOOD, rules={"denied_ppids": ["11" * 16]}),
        replace(GOOD, rules={"denied_ppids": [GOOD.platform.ppid.hex()]}),
    ),
    "tdx.platform_instance_id": demanding(
        replace(GOOD, machine={"secret": b"another"}), platform_instance_ids=[GOOD.platform.instance_id.hex()]
    ),
    "tdx.platform.dynamic_platform": demanding(
        replace(GOOD, machine={"dynamic_platform": False}), platform={"dynamic_platform": "required"}
    ),
    "tdx.platform.cached_keys": demanding(
        replace(GOOD, machine={"cached_keys": False}), platform={"cached_keys": "required"}
    ),
    "tdx.platform.smt_enabled": demanding(
        replace(GOOD, machine={"smt_enabled": False}), platform={"smt_enabled": "required"}
    ),
    "tdx.mr_service_td": demanding(replace(FIFTH, quote={"mr_service_td": value(1)}), mr_service_tds=[ZERO.hex()]),
    "tdx.attributes.under_debug": (GOOD, replace(GOOD, quote={"td_attributes": lowest_bit(RESERVED & UNDER_DEBUG)})),
    "tdx.attributes.reserved": (GOOD, replace(GOOD, quote={"td_attributes": lowest_bit(RESERVED & ~UNDER_DEBUG)})),
    "tdx.attributes.unknown": demanding(
        replace(GOOD, quote={"td_attributes": lowest_bit(UNNAMED)}), unknown_attribute_bits="forbidden"
    ),
    "tdx.xfam.fixed": (GOOD, replace(GOOD, quote={"xfam": SIMULATED_XFAM & ~lowest_bit(ALWAYS_ONE)})),
    "tdx.xfam.unknown": demanding(
        replace(GOOD, quote={"xfam": SIMULATED_XFAM | lowest_bit(UNKNOWN_XFAM)}), unknown_xfam_bits="forbidden"
    ),
}

TD = SoftwareTd().body(bytes(64))
REGISTER_FAULTS: dict[str, Fault] = {
    "tdx.mr_seam": demanding(replace(GOOD, quote={"mr_seam": value(1)}), mr_seams=[TD.mr_seam.hex()]),
    "tdx.mr_td": demanding(replace(GOOD, quote={"mr_td": value(1)}), mr_tds=[SIMULATED_MRTD.hex()]),
    "tdx.rtmr0": demanding(replace(GOOD, quote={"rtmr0": value(1)}), rtmr0=[TD.rtmr0.hex()]),
    "tdx.rtmr1": demanding(replace(GOOD, quote={"rtmr1": value(1)}), rtmr1=[TD.rtmr1.hex()]),
    "tdx.rtmr2": demanding(replace(GOOD, quote={"rtmr2": value(1)}), rtmr2=[TD.rtmr2.hex()]),
    "tdx.rtmr3": demanding(replace(GOOD, quote={"rtmr3": value(1)}), rtmr3=[ZERO.hex()]),
    "tdx.mr_config_id": demanding(replace(GOOD, quote={"mr_config_id": value(1)}), mr_config_ids=[ZERO.hex()]),
    "tdx.mr_owner": demanding(replace(GOOD, quote={"mr_owner": value(1)}), mr_owners=[ZERO.hex()]),
    "tdx.mr_owner_config": demanding(replace(GOOD, quote={"mr_owner_config": value(1)}), mr_owner_configs=[ZERO.hex()]),
}

# Bits that are forbidden: 0 passes, 1 does not. The other direction is in the truth tables of test_td_answers.py. Where
# a bit is always 1, only a policy that forbids it all the same makes the difference.
BIT_FAULTS: dict[str, Fault] = (
    {
        f"tdx.attributes.{bit.name}": (
            replace(GOOD, quote={"td_attributes": 0}, rules={"attributes": {bit.name: "forbidden"}}),
            replace(GOOD, quote={"td_attributes": bit.mask}, rules={"attributes": {bit.name: "forbidden"}}),
        )
        for bit in TD_ATTRIBUTE_BITS
    }
    | {
        f"tdx.xfam.{bit.name}": (
            replace(GOOD, quote={"xfam": ALWAYS_ONE}, rules={"xfam": {bit.name: "forbidden"}}),
            replace(GOOD, quote={"xfam": ALWAYS_ONE | bit.mask}, rules={"xfam": {bit.name: "forbidden"}}),
        )
        for bit in XFAM_BITS
        if not bit.mask & ALWAYS_ONE
    }
    | {
        f"tdx.xfam.{bit.name}": (
            replace(GOOD, rules={"xfam": {bit.name: "required"}}),
            replace(GOOD, rules={"xfam": {bit.name: "forbidden"}}),
        )
        for bit in XFAM_BITS
        if bit.mask & ALWAYS_ONE
    }
)

FAULTS = (
    CHAIN_FAULTS
    | QUOTE_FAULTS
    | COLLATERAL_FAULTS
    | ROLLBACK_FAULTS
    | POLICY_FAULTS
    | REGISTER_FAULTS
    | BIT_FAULTS
    | report_data_faults(GOOD)
)

# Questions whose no is that something at hand does not decide it.
LEAVES_UNDECIDED = frozenset(
    {"tdx.root_crl.current", "tdx.pck_crl.current", "tdx.tcb_info.current", "tdx.qe_identity.current"}
)

# Questions that never say no alone: what can't be read is not current, about no platform and rated by nobody, and of a
# module that TCB info does not know no level fits. This list may only shrink.
NEVER_ALONE = frozenset({"tdx.tcb_info.form", "tdx.qe_identity.form", "tdx.module.identity"})
