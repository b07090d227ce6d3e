"""What a quote says, as a document: Intel's spelling, and null where nothing is said."""

from dataclasses import replace

import pytest
from tests.verifier.tdx.situation import STRANGER, Situation, claims_of

from cvmproof.tdx.claims_document import TdxClaimsDocument, tdx_claims_document
from cvmproof_formats.tdx.hierarchy import Ca
from cvmproof_formats.tdx.tcb_status import TcbStatus
from cvmproof_simulator.tdx.collateral import MODULE_ADVISORIES, QE_ADVISORIES
from cvmproof_simulator.tdx.platform import PCESVNS, SIMULATED_COMPONENTS, SIMULATED_FMSPC
from cvmproof_simulator.tdx.quoting_enclave import SIMULATED_QE_MRENCLAVE, SIMULATED_QE_MRSIGNER
from cvmproof_simulator.tdx.td import SIMULATED_MRTD, SoftwareModule

S = TcbStatus
GOOD = Situation()
FIFTH = Situation(version=5)
BODY = claims_of(GOOD).quote.body
ORDINARY = {
    "tee": "tdx",
    "version": 4,
    "body_type": 2,
    "tcb": {"status": "UpToDate", "platform": "UpToDate", "module": "UpToDate", "qe": "UpToDate", "advisories": []},
    "tcb_launch": "UpToDate",
    "tcb_current": None,
    "tcb_date": "2026-08-12T00:00:00Z",
    "tcb_info_evaluation_number": 20,
    "qe_identity_evaluation_number": 20,
    "tee_tcb_svn": "0d010400000000000000000000000000",
    "tee_tcb_svn2": None,
    "module": "tdx1/svn13/late4",
    "mr_seam": BODY.mr_seam.hex(),
    "mr_signer_seam": "00" * 48,
    "seam_attributes": "0x0",
    "attributes": {"value": "0x10000000", "set": ["sept_ve_disable"]},
    "xfam": {
        "value": "0x602e7",
        "set": [
            "x87",
            "sse",
            "avx",
            "avx512_opmask",
            "avx512_zmm_hi256",
            "avx512_hi16_zmm",
            "pkru",
            "amx_tilecfg",
            "amx_tiledata",
        ],
    },
    "mr_td": SIMULATED_MRTD.hex(),
    "mr_config_id": "00" * 48,
    "mr_owner": "00" * 48,
    "mr_owner_config": "00" * 48,
    "rtmr0": BODY.rtmr0.hex(),
    "rtmr1": BODY.rtmr1.hex(),
    "rtmr2": BODY.rtmr2.hex(),
    "rtmr3": "00" * 48,
    "mr_service_td": None,
    "report_data": bytes(range(64)).hex(),
    "quoting_enclave": {
        "mrsigner": SIMULATED_QE_MRSIGNER.hex(),
        "mrenclave": SIMULATED_QE_MRENCLAVE.hex(),
        "isvprodid": 2,
        "isvsvn": 7,
    },
    "platform": {
        "ca": "platform",
        "fmspc": SIMULATED_FMSPC.hex(),
        "pceid": "0000",
        "pcesvn": 13,
        "ppid": GOOD.platform.ppid.hex(),
        "components": list(SIMULATED_COMPONENTS),
        "sgx_type": 1,
        "instance_id": GOOD.platform.instance_id.hex(),
        "dynamic_platform": True,
        "cached_keys": True,
        "smt_enabled": True,
    },
}


def document_of(situation: Situation) -> TdxClaimsDocument:
    return tdx_claims_document(claims_of(situation))


def test_an_ordinary_quote_says_all_of_this() -> None:
    assert document_of(GOOD) == ORDINARY


def test_a_longer_body_says_what_runs_now_and_which_service_td_is_bound() -> None:
    updated = replace(FIFTH, launched_by=SoftwareModule.rated(S.OUT_OF_DATE), quote={"mr_service_td": b"\1" * 48})
    document = document_of(updated)
    assert (document["version"], document["body_type"]) == (5, 3)
    assert (document["tee_tcb_svn"][:6], (document["tee_tcb_svn2"] or "")[:6]) == ("060104", "0d0104")
    assert (document["tcb_launch"], document["tcb_current"]) == ("OutOfDate", "UpToDate")
    assert document["mr_service_td"] == "01" * 48
    # The state is that of both together, the parts are those at launch.
    assert document["tcb"] == {
        "status": "TDRelaunchAdvised",
        "platform": "UpToDate",
        "module": "OutOfDate",
        "qe": "UpToDate",
        "advisories": list(MODULE_ADVISORIES),
    }


@pytest.mark.parametrize("status", TcbStatus)
def test_a_state_is_spelled_as_intel_does(status: TcbStatus) -> None:
    if status.startswith("TDRelaunch"):
        return
    document = document_of(Situation(machine={"pcesvn": PCESVNS[status]}))
    assert document["tcb"] is not None
    assert document["tcb"]["status"] == document["tcb_launch"] == status.value
    assert document["tcb"]["platform"] == (None if status is S.NOT_SUPPORTED else status.value)


def test_without_a_level_that_fits_there_are_no_parts_and_no_date() -> None:
    document = document_of(Situation(rating={"quoting_enclave": S.NOT_SUPPORTED}))
    assert document["tcb"] == {"status": "NotSupported", "platform": None, "module": None, "qe": None, "advisories": []}
    assert document["tcb_date"] is None


def test_a_module_without_a_version_has_no_state_of_its_own() -> None:
    document = document_of(Situation(module=SoftwareModule(version=0, svn=5), machine={"qe_svn": 5}))
    assert document["module"] == "tdx0/svn5/late4"
    assert document["tcb"] == {
        "status": "OutOfDate",
        "platform": "UpToDate",
        "module": None,
        "qe": "OutOfDate",
        "advisories": list(QE_ADVISORIES),
    }
    assert document["tcb_date"] == "2025-08-13T00:00:00Z"


def test_the_state_is_said_whatever_the_verdict() -> None:
    for refused in (
        replace(GOOD, quote={"signed_by": STRANGER}),
        replace(GOOD, quote={"td_attributes": 1}),
        replace(GOOD, rules={"mr_tds": ["11" * 48]}),
    ):
        assert document_of(refused)["tcb"] == document_of(GOOD)["tcb"]


def test_what_nobody_said_is_null() -> None:
    bare = document_of(replace(GOOD, without=frozenset({"tcb_info", "qe_identity"})))
    assert (bare["tcb"], bare["tcb_launch"], bare["tcb_current"], bare["tcb_date"]) == (None, None, None, None)
    assert (bare["tcb_info_evaluation_number"], bare["qe_identity_evaluation_number"]) == (None, None)
    assert document_of(replace(GOOD, pck={"drop": ("1.2.840.113741.1.13.1",)}))["platform"] is None


def test_the_processor_cas_certificate_says_nothing_of_the_platform() -> None:
    platform = document_of(Situation(ca=Ca.PROCESSOR))["platform"]
    assert platform is not None
    assert platform["ca"] == "processor"
    said = [platform["instance_id"], platform["dynamic_platform"], platform["cached_keys"], platform["smt_enabled"]]
    assert said == [None] * 4
    off = document_of(Situation(machine={"dynamic_platform": False, "cached_keys": False, "smt_enabled": False}))
    assert off["platform"] is not None
    switches = off["platform"]["dynamic_platform"], off["platform"]["cached_keys"], off["platform"]["smt_enabled"]
    assert switches == (False, False, False)
