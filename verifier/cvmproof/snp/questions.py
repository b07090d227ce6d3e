"""Everything that is asked of SEV-SNP evidence: the table from which follows, before a run, which ids must answer.

Ids are stable and never reused. `rule` names the policy field that must demand something for a question to be asked.
"""

from cvmproof.check import Question
from cvmproof.policy_questions import TEE_QUESTION
from cvmproof.report_data.questions import REPORT_DATA_QUESTIONS
from cvmproof_formats.errors import Category
from cvmproof_formats.snp.guest_policy import GUEST_POLICY_BITS
from cvmproof_formats.snp.platform_info import PLATFORM_INFO_BITS

_ABI = "AMD 56860"
_KDS = "AMD 57230"


def _ask(id_: str, category: Category, why: str, spec: str, rule: str | None = None) -> Question:
    return Question(id=id_, category=category, why=why, spec=spec, rule=rule)


CHAIN_QUESTIONS = (
    _ask(
        "snp.vek.profile",
        Category.CHAIN,
        "the certificate is not that of an AMD endorsement key",
        f"{_KDS}, VCEK certificate; AMD 58369",
    ),
    _ask(
        "snp.vek.kind",
        Category.COLLATERAL_MISMATCH,
        "the report names another kind of key than the certificate is for",
        f"{_ABI}, SIGNING_KEY",
    ),
    _ask(
        "snp.vek.product",
        Category.COLLATERAL_MISMATCH,
        "the key belongs to another product line than the CPU",
        f"{_KDS}, productName; {_ABI}, CPUID_FAM_ID",
    ),
    _ask(
        "snp.vek.tcb",
        Category.COLLATERAL_MISMATCH,
        "the key is for another TCB than the report claims",
        f"{_KDS}, SPL extensions; {_ABI}, REPORTED_TCB",
    ),
    _ask(
        "snp.vek.chip_id", Category.COLLATERAL_MISMATCH, "the key is another chip's", f"{_KDS}, hwID; {_ABI}, CHIP_ID"
    ),
    _ask(
        "snp.vek.signature",
        Category.CHAIN,
        "the endorsement key's certificate was not signed by AMD's intermediate",
        f"{_KDS}, certificate chain",
    ),
    _ask(
        "snp.chain.intermediate",
        Category.CHAIN,
        "the certificate is not that of AMD's intermediate CA",
        f"{_KDS}, ASK certificate; AMD 58369, ASVK",
    ),
    _ask(
        "snp.chain.intermediate_signature",
        Category.CHAIN,
        "the intermediate was not signed by the root",
        f"{_KDS}, certificate chain",
    ),
    _ask(
        "snp.chain.root",
        Category.CHAIN,
        "whoever made this root can vouch for anything",
        f"{_KDS}, ARK certificate; pinned by SHA-256 of SubjectPublicKeyInfo",
    ),
    _ask("snp.chain.root_signature", Category.CHAIN, "the root certificate was changed", f"{_KDS}, ARK certificate"),
    _ask(
        "snp.chain.trust_set",
        Category.SIMULATED,
        "the private key of a simulated root is public",
        "trust sets, SECURITY.md",
    ),
    _ask(
        "snp.chain.product",
        Category.COLLATERAL_MISMATCH,
        "root, intermediate and endorsement key belong to different lines",
        f"{_KDS}, certificate chain",
    ),
    _ask("snp.chain.validity", Category.EXPIRED, "a certificate is not valid at this time", "RFC 5280 section 4.1.2.5"),
    _ask(
        "snp.crl.signature", Category.CHAIN, "the revocation list is not the root's", "RFC 5280 section 5", "revocation"
    ),
    _ask(
        "snp.crl.current",
        Category.EXPIRED,
        "an old revocation list does not know what was revoked since",
        "RFC 5280 section 5.1.2.5",
        "revocation",
    ),
    _ask(
        "snp.crl.revoked", Category.REVOKED, "AMD has withdrawn the certificate", "RFC 5280 section 5.3", "revocation"
    ),
    _ask(
        "snp.crl.rollback",
        Category.ROLLBACK,
        "a newer revocation list was seen before, and this one may not know what that one revoked",
        "docs/collateral.md, high-water marks",
    ),
)

REPORT_QUESTIONS = (
    _ask(
        "snp.signature.key",
        Category.SIGNATURE,
        "the host masked the chip's key, so nothing vouches for the report",
        f"{_ABI}, MASK_CHIP_KEY",
    ),
    _ask(
        "snp.signature.report",
        Category.SIGNATURE,
        "the report is not what the endorsement key signed",
        f"{_ABI}, SIGNATURE; FIPS 186-5",
    ),
    _ask(
        "snp.report.guest_requested",
        Category.POLICY_MISMATCH,
        "the host asked for this report, not the guest",
        f"{_ABI}, VMPL and SNP_HV_REPORT_REQ",
    ),
    _ask("snp.tcb.layout", Category.TCB, "a TCB is not laid out as this product line has it", f"{_ABI}, TCB_VERSION"),
    _ask(
        "snp.tcb.reported",
        Category.TCB,
        "the platform reports more than it runs",
        f"{_ABI}, REPORTED_TCB and CURRENT_TCB",
    ),
)

POLICY_QUESTIONS = (
    _ask(
        "snp.product",
        Category.PLATFORM,
        "this product line is not taken, or only for chips named",
        f"{_ABI}, CPUID_FAM_ID; {_KDS}",
        "products",
    ),
    _ask(
        "snp.report.version",
        Category.POLICY_MISMATCH,
        "older reports leave out what later ones say",
        f"{_ABI}, VERSION",
        "minimum_report_version",
    ),
    _ask(
        "snp.signing_key",
        Category.POLICY_MISMATCH,
        "this kind of endorsement key is not taken",
        f"{_ABI}, SIGNING_KEY",
        "signing_keys",
    ),
    _ask(
        "snp.csp_id",
        Category.IDENTITY,
        "another provider than expected vouches for the machine",
        "AMD 58369, cspID",
        "csp_ids",
    ),
    _ask(
        "snp.vmpl",
        Category.POLICY_MISMATCH,
        "software at another privilege level asked for the report",
        f"{_ABI}, VMPL",
        "vmpls",
    ),
    _ask(
        "snp.measurement",
        Category.MEASUREMENT,
        "different software was launched",
        f"{_ABI}, MEASUREMENT",
        "measurements",
    ),
    _ask(
        "snp.host_data",
        Category.IDENTITY,
        "the guest was launched with another configuration",
        f"{_ABI}, HOST_DATA",
        "host_data",
    ),
    _ask(
        "snp.id_key",
        Category.IDENTITY,
        "nobody trusted vouched for this launch",
        f"{_ABI}, ID_KEY_DIGEST",
        "id_key_digests",
    ),
    _ask(
        "snp.author_key",
        Category.IDENTITY,
        "nobody trusted vouched for the ID key",
        f"{_ABI}, AUTHOR_KEY_DIGEST",
        "author_key_digests",
    ),
    _ask("snp.family_id", Category.POLICY_MISMATCH, "another family of guests", f"{_ABI}, FAMILY_ID", "family_ids"),
    _ask("snp.image_id", Category.POLICY_MISMATCH, "another image", f"{_ABI}, IMAGE_ID", "image_ids"),
    _ask("snp.guest_svn", Category.POLICY_MISMATCH, "an outdated guest", f"{_ABI}, GUEST_SVN", "minimum_guest_svn"),
    _ask(
        "snp.chip_id",
        Category.IDENTITY,
        "another machine, or one that hides which it is",
        f"{_ABI}, CHIP_ID",
        "chip_ids",
    ),
    _ask(
        "snp.chip_id.denied",
        Category.IDENTITY,
        "a machine that is ruled out, or one that hides which it is",
        f"{_ABI}, CHIP_ID",
        "denied_chip_ids",
    ),
    _ask(
        "snp.chip_id.masked",
        Category.IDENTITY,
        "the host hides which machine this is",
        f"{_ABI}, CHIP_ID and MASK_CHIP_ID",
        "masked_chip_id",
    ),
    _ask("snp.report_id", Category.IDENTITY, "another launch of a guest", f"{_ABI}, REPORT_ID", "report_ids"),
    _ask(
        "snp.migration_agent",
        Category.POLICY_MISMATCH,
        "a migration agent can move the guest elsewhere",
        f"{_ABI}, REPORT_ID_MA",
        "migration_agent",
    ),
    _ask(
        "snp.firmware.minimum",
        Category.TCB,
        "the platform can go back to older firmware",
        f"{_ABI}, COMMITTED_VERSION",
        "minimum_firmware",
    ),
    _ask(
        "snp.firmware.committed",
        Category.TCB,
        "committed and running firmware are not related as expected",
        f"{_ABI}, COMMITTED_TCB and CURRENT_TCB",
        "committed_firmware",
    ),
    _ask(
        "snp.tcb.floor.reported",
        Category.TCB,
        "known faults of older firmware let the host forge or read",
        f"{_ABI}, REPORTED_TCB",
        "tcb_floor",
    ),
    _ask(
        "snp.tcb.floor.committed",
        Category.TCB,
        "the platform can go back to faulty firmware",
        f"{_ABI}, COMMITTED_TCB",
        "tcb_floor",
    ),
    _ask(
        "snp.tcb.floor.launch",
        Category.TCB,
        "the guest was launched by faulty firmware",
        f"{_ABI}, LAUNCH_TCB",
        "tcb_floor",
    ),
    _ask(
        "snp.mitigations.launch",
        Category.TCB,
        "a known fault was open when the guest was launched",
        f"{_ABI}, LAUNCH_MIT_VECTOR",
        "launch_mitigations",
    ),
    _ask(
        "snp.mitigations.current",
        Category.TCB,
        "a known fault is open",
        f"{_ABI}, CURRENT_MIT_VECTOR",
        "current_mitigations",
    ),
    _ask(
        "snp.guest_policy.abi",
        Category.POLICY_MISMATCH,
        "the guest can run on older firmware interfaces",
        f"{_ABI}, GUEST_POLICY bits 15:0",
        "minimum_abi",
    ),
    _ask(
        "snp.platform_info.unknown",
        Category.PLATFORM,
        "the platform does something not yet defined",
        f"{_ABI}, PLATFORM_INFO bits 63:8",
        "unknown_platform_bits",
    ),
)

GUEST_POLICY_QUESTIONS = tuple(
    _ask(
        f"snp.guest_policy.{bit.name}",
        Category.DEBUG if bit.name == "debug" else Category.POLICY_MISMATCH,
        bit.meaning if bit.name in {"debug", "migrate_ma"} else f"what this bit says is not as demanded: {bit.meaning}",
        f"{_ABI}, GUEST_POLICY bit {bit.index}",
        f"guest_policy.{bit.name}",
    )
    for bit in GUEST_POLICY_BITS
)

PLATFORM_INFO_QUESTIONS = tuple(
    _ask(
        f"snp.platform_info.{bit.name}",
        Category.PLATFORM,
        f"what this bit says is not as demanded: {bit.meaning}",
        f"{_ABI}, PLATFORM_INFO bit {bit.index}",
        f"platform_info.{bit.name}",
    )
    for bit in PLATFORM_INFO_BITS
)

SNP_QUESTIONS = (
    *CHAIN_QUESTIONS,
    *REPORT_QUESTIONS,
    *POLICY_QUESTIONS,
    *GUEST_POLICY_QUESTIONS,
    *PLATFORM_INFO_QUESTIONS,
    TEE_QUESTION,
    *REPORT_DATA_QUESTIONS,
)
