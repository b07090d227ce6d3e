"""Everything that is asked of TDX evidence: the table from which follows, before a run, which ids must answer.

Ids are stable and never reused. `rule` names the policy field that must demand something for a question to be asked.
"""

from cvmproof.check import Question
from cvmproof.policy_questions import TEE_QUESTION
from cvmproof.report_data.questions import REPORT_DATA_QUESTIONS
from cvmproof_formats.bitfield import Bit
from cvmproof_formats.errors import Category
from cvmproof_formats.tdx.td_attributes import TD_ATTRIBUTE_BITS, UNDER_DEBUG
from cvmproof_formats.tdx.xfam import XFAM_BITS

_PCK = "Intel, PCK certificate profile 1.5"
_QUOTE = "Intel DCAP, quote format"
_PCS = "Intel PCS API 4"
_ABI = "Intel 348551"
_QVL = "Intel quote verification library 1.27"
GRACE = "collateral_grace"  # the rule that says how long after its end collateral may be used


def _ask(id_: str, category: Category, why: str, spec: str, rule: str | None = None) -> Question:
    return Question(id=id_, category=category, why=why, spec=spec, rule=rule)


CHAIN_QUESTIONS = (
    _ask("tdx.pck.profile", Category.CHAIN, "the certificate is not that of a platform's key", _PCK),
    _ask("tdx.pck.signature", Category.CHAIN, "the platform key's certificate was not signed by Intel's CA", _PCK),
    _ask("tdx.chain.intermediate", Category.CHAIN, "the certificate is not that of Intel's PCK CA", _PCK),
    _ask("tdx.chain.intermediate_signature", Category.CHAIN, "the CA was not signed by the root", _PCK),
    _ask(
        "tdx.chain.root",
        Category.CHAIN,
        "whoever made this root can vouch for anything",
        f"{_PCK}, root CA; pinned by SHA-256 of SubjectPublicKeyInfo",
    ),
    _ask("tdx.chain.root_signature", Category.CHAIN, "the root certificate was changed", f"{_PCK}, root CA"),
    _ask(
        "tdx.chain.trust_set",
        Category.SIMULATED,
        "the private key of a simulated root is public",
        "trust sets, SECURITY.md",
    ),
    _ask("tdx.chain.validity", Category.EXPIRED, "a certificate is not valid at this time", "RFC 5280 section 4.1.2.5"),
    _ask("tdx.signer.profile", Category.CHAIN, "the certificate is not that of Intel's TCB signing key", _PCK),
    _ask("tdx.signer.signature", Category.CHAIN, "the TCB signing key was not signed by the root", _PCK),
    _ask("tdx.signer.validity", Category.EXPIRED, "the certificate is not valid now", "RFC 5280 section 4.1.2.5"),
)

REVOCATION_QUESTIONS = (
    _ask(
        "tdx.root_crl.signature",
        Category.CHAIN,
        "the revocation list is not the root's",
        "RFC 5280 section 5",
        "revocation",
    ),
    _ask(
        "tdx.root_crl.current",
        Category.EXPIRED,
        "an old revocation list does not know what was revoked since",
        "RFC 5280 section 5.1.2.5",
        "revocation",
    ),
    _ask(
        "tdx.pck_crl.signature",
        Category.CHAIN,
        "the revocation list is not that of the platform key's CA",
        "RFC 5280 section 5",
        "revocation",
    ),
    _ask(
        "tdx.pck_crl.current",
        Category.EXPIRED,
        "an old revocation list does not know what was revoked since",
        "RFC 5280 section 5.1.2.5",
        "revocation",
    ),
    _ask(
        "tdx.crl.revoked", Category.REVOKED, "Intel has withdrawn the certificate", "RFC 5280 section 5.3", "revocation"
    ),
)

_SEEN = "docs/collateral.md, high-water marks"

ROLLBACK_QUESTIONS = (
    _ask("tdx.root_crl.rollback", Category.ROLLBACK, "a newer revocation list of the root was seen before", _SEEN),
    _ask("tdx.pck_crl.rollback", Category.ROLLBACK, "a newer revocation list of the PCK CA was seen before", _SEEN),
    _ask("tdx.tcb_info.rollback", Category.ROLLBACK, "newer TCB info was seen before, which may say otherwise", _SEEN),
    _ask(
        "tdx.qe_identity.rollback",
        Category.ROLLBACK,
        "a newer QE identity was seen before, which may say otherwise",
        _SEEN,
    ),
)

QUOTE_QUESTIONS = (
    _ask(
        "tdx.qe.signature",
        Category.SIGNATURE,
        "the quoting enclave's report is not what the platform's key signed",
        f"{_QUOTE}, QE report signature",
    ),
    _ask(
        "tdx.qe.binding",
        Category.SIGNATURE,
        "the quoting enclave does not vouch for the key that signed the quote",
        f"{_QUOTE}, QE report, report data",
    ),
    _ask(
        "tdx.signature.quote",
        Category.SIGNATURE,
        "the quote is not what the attestation key signed",
        f"{_QUOTE}, quote signature; FIPS 186-5",
    ),
)

COLLATERAL_QUESTIONS = (
    _ask(
        "tdx.tcb_info.signature",
        Category.SIGNATURE,
        "the TCB info is not what Intel signed",
        f"{_PCS}, TCB info",
    ),
    _ask("tdx.tcb_info.form", Category.MALFORMED, "the TCB info can't be read, so it decides nothing", _PCS),
    _ask(
        "tdx.tcb_info.current",
        Category.EXPIRED,
        "old TCB info does not know what was found since",
        f"{_PCS}, issueDate and nextUpdate",
        GRACE,
    ),
    _ask(
        "tdx.tcb_info.fmspc",
        Category.COLLATERAL_MISMATCH,
        "the TCB info is about another kind of platform",
        f"{_PCS}, fmspc",
    ),
    _ask(
        "tdx.tcb_info.pceid",
        Category.COLLATERAL_MISMATCH,
        "the TCB info is about another provisioning enclave",
        f"{_PCS}, pceId",
    ),
    _ask(
        "tdx.qe_identity.signature",
        Category.SIGNATURE,
        "the QE identity is not what Intel signed",
        f"{_PCS}, enclave identity",
    ),
    _ask("tdx.qe_identity.form", Category.MALFORMED, "the QE identity can't be read, so it decides nothing", _PCS),
    _ask(
        "tdx.qe_identity.current",
        Category.EXPIRED,
        "an old QE identity does not know what was found since",
        f"{_PCS}, issueDate and nextUpdate",
        GRACE,
    ),
)

ENCLAVE_QUESTIONS = (
    _ask(
        "tdx.qe.mrsigner",
        Category.COLLATERAL_MISMATCH,
        "somebody else than Intel made the quoting enclave",
        f"{_PCS}, enclave identity, mrsigner",
    ),
    _ask(
        "tdx.qe.product",
        Category.COLLATERAL_MISMATCH,
        "another enclave than the quoting enclave made the quote",
        f"{_PCS}, enclave identity, isvprodid",
    ),
    _ask(
        "tdx.qe.miscselect",
        Category.COLLATERAL_MISMATCH,
        "the quoting enclave is not set up as Intel's is",
        f"{_PCS}, enclave identity, miscselect",
    ),
    _ask(
        "tdx.qe.attributes",
        Category.COLLATERAL_MISMATCH,
        "the quoting enclave is not set up as Intel's is",
        f"{_PCS}, enclave identity, attributes",
    ),
    _ask(
        "tdx.qe.debug",
        Category.DEBUG,
        "the host can read the keys of a quoting enclave under debug",
        "Intel SDM volume 3D, ATTRIBUTES bit 1",
    ),
    _ask(
        "tdx.module.identity",
        Category.COLLATERAL_MISMATCH,
        "Intel says nothing about TDX modules of this version",
        f"{_PCS}, TCB info, tdxModuleIdentities",
    ),
    _ask(
        "tdx.module.signer",
        Category.COLLATERAL_MISMATCH,
        "somebody else than Intel made the TDX module",
        f"{_PCS}, TCB info, mrsigner; {_ABI}, MRSIGNERSEAM",
    ),
    _ask(
        "tdx.module.attributes",
        Category.COLLATERAL_MISMATCH,
        "the TDX module is not set up as Intel's is",
        f"{_PCS}, TCB info, attributes; {_ABI}, SEAMATTRIBUTES",
    ),
)

TCB_QUESTIONS = (
    _ask(
        "tdx.tcb.level",
        Category.TCB,
        "no level that Intel publishes fits, so nobody vouches for this TCB",
        f"{_QVL}, TCB levels",
    ),
    _ask("tdx.tcb.revoked", Category.TCB, "Intel has withdrawn its trust in this TCB", f"{_PCS}, tcbStatus"),
    _ask(
        "tdx.tcb.status",
        Category.TCB,
        "the platform lacks fixes or settings that this status stands for",
        f"{_PCS}, tcbStatus; {_QVL}",
        "tcb_statuses",
    ),
    _ask(
        "tdx.tcb.advisories",
        Category.TCB,
        "a security advisory that the policy names applies to the platform",
        f"{_PCS}, advisoryIDs",
        "denied_advisories",
    ),
    _ask(
        "tdx.tcb.evaluation_number",
        Category.ROLLBACK,
        "collateral from before a TCB recovery does not know what it fixed",
        f"{_PCS}, tcbEvaluationDataNumber",
        "minimum_evaluation_number",
    ),
    _ask(
        "tdx.tcb.evaluation_numbers",
        Category.ROLLBACK,
        "TCB info and QE identity are of different states of Intel's knowledge",
        f"{_PCS}, tcbEvaluationDataNumber",
        "evaluation_numbers",
    ),
    _ask(
        "tdx.tcb.date", Category.TCB, "the TCB is older than the policy takes", f"{_PCS}, tcbDate", "minimum_tcb_date"
    ),
    _ask(
        "tdx.qe.svn",
        Category.TCB,
        "the quoting enclave is older than the policy takes",
        f"{_QUOTE}, ISVSVN",
        "minimum_qe_svn",
    ),
    _ask(
        "tdx.module.svn",
        Category.TCB,
        "the TDX module is older than the policy takes",
        f"{_ABI}, TEE_TCB_SVN",
        "minimum_module_svns",
    ),
)

PLATFORM_QUESTIONS = (
    _ask("tdx.fmspc", Category.PLATFORM, "the policy does not take this kind of platform", f"{_PCK}, FMSPC", "fmspcs"),
    _ask("tdx.ppid", Category.IDENTITY, "another machine than the ones named", f"{_PCK}, PPID", "ppids"),
    _ask("tdx.ppid.denied", Category.IDENTITY, "the policy never takes this machine", f"{_PCK}, PPID", "denied_ppids"),
    _ask(
        "tdx.platform_instance_id",
        Category.IDENTITY,
        "another machine than the ones named, or one set up anew",
        f"{_PCK}, PlatformInstanceID",
        "platform_instance_ids",
    ),
    *(
        _ask(
            f"tdx.platform.{name}",
            Category.PLATFORM,
            f"the platform is not set up as demanded: {meaning}",
            f"{_PCK}, Configuration",
            f"platform.{name}",
        )
        for name, meaning in (
            ("dynamic_platform", "packages can be added to it"),
            ("cached_keys", "Intel keeps its root keys"),
            ("smt_enabled", "hardware threads share a core"),
        )
    ),
)

_MEASURED = "other software runs, or in another configuration"
_CONFIGURED = "whoever launched the TD gave it another value"

SOFTWARE_QUESTIONS = (
    _ask("tdx.mr_seam", Category.MEASUREMENT, "another TDX module than the ones named", f"{_ABI}, MRSEAM", "mr_seams"),
    _ask("tdx.mr_td", Category.MEASUREMENT, "different software was launched", f"{_ABI}, MRTD", "mr_tds"),
    *(_ask(f"tdx.rtmr{i}", Category.MEASUREMENT, _MEASURED, f"{_ABI}, RTMR{i}", f"rtmr{i}") for i in range(4)),
    _ask("tdx.mr_config_id", Category.IDENTITY, _CONFIGURED, f"{_ABI}, MRCONFIGID", "mr_config_ids"),
    _ask("tdx.mr_owner", Category.IDENTITY, _CONFIGURED, f"{_ABI}, MROWNER", "mr_owners"),
    _ask("tdx.mr_owner_config", Category.IDENTITY, _CONFIGURED, f"{_ABI}, MROWNERCONFIG", "mr_owner_configs"),
    _ask(
        "tdx.mr_service_td",
        Category.POLICY_MISMATCH,
        "a service TD that can move or change this one is not the one named",
        f"{_ABI}, MRSERVICETD",
        "mr_service_tds",
    ),
)


def _attribute_category(bit: Bit) -> Category:
    return Category.DEBUG if bit.mask & UNDER_DEBUG else Category.POLICY_MISMATCH


ATTRIBUTE_QUESTIONS = (
    _ask(
        "tdx.attributes.under_debug",
        Category.DEBUG,
        "a bit is set that puts a TD under debug, though nobody has said how",
        f"{_ABI}, ATTRIBUTES bits 7:0",
    ),
    _ask(
        "tdx.attributes.reserved",
        Category.POLICY_MISMATCH,
        "bits are set that must be zero",
        f"{_ABI}, ATTRIBUTES",
    ),
    _ask(
        "tdx.attributes.unknown",
        Category.POLICY_MISMATCH,
        "the TD does something that is not yet described",
        f"{_ABI}, ATTRIBUTES",
        "unknown_attribute_bits",
    ),
    *(
        _ask(
            f"tdx.attributes.{bit.name}",
            _attribute_category(bit),
            f"what this bit says is not as demanded: {bit.meaning}",
            f"{_ABI}, ATTRIBUTES bit {bit.index}",
            f"attributes.{bit.name}",
        )
        for bit in TD_ATTRIBUTE_BITS
    ),
    _ask(
        "tdx.xfam.fixed",
        Category.POLICY_MISMATCH,
        "no TD runs without these features",
        f"{_ABI}, XFAM bits 0 and 1",
    ),
    _ask(
        "tdx.xfam.unknown",
        Category.POLICY_MISMATCH,
        "the TD may use features that are not yet described",
        f"{_ABI}, XFAM",
        "unknown_xfam_bits",
    ),
    *(
        _ask(
            f"tdx.xfam.{bit.name}",
            Category.POLICY_MISMATCH,
            f"whether the TD may use this is not as demanded: {bit.meaning}",
            f"{_ABI}, XFAM bit {bit.index}",
            f"xfam.{bit.name}",
        )
        for bit in XFAM_BITS
    ),
)

TDX_QUESTIONS = (
    *CHAIN_QUESTIONS,
    *REVOCATION_QUESTIONS,
    *ROLLBACK_QUESTIONS,
    *QUOTE_QUESTIONS,
    *COLLATERAL_QUESTIONS,
    *ENCLAVE_QUESTIONS,
    *TCB_QUESTIONS,
    *PLATFORM_QUESTIONS,
    *SOFTWARE_QUESTIONS,
    *ATTRIBUTE_QUESTIONS,
    TEE_QUESTION,
    *REPORT_DATA_QUESTIONS,
)
