"""Answers about the quote's two signatures, the quoting enclave, and the TDX module."""

from functools import lru_cache

from cryptography.exceptions import InvalidSignature

from cvmproof.check import Absent, Answer, failed, passed, require, undecided
from cvmproof.signature import load_p256_key, verify_p256
from cvmproof.tdx.answering import answers, answers_host
from cvmproof.tdx.case import TdxCase
from cvmproof.tdx.host import HostAsked
from cvmproof_formats.errors import Malformed
from cvmproof_formats.tdx.p256 import key_spki
from cvmproof_formats.tdx.qe_report import ENCLAVE_DEBUG, attestation_key_report_data
from cvmproof_formats.tdx.tcb_info import ModuleIdentity, TdxModule
from cvmproof_formats.tdx.tee_tcb_svn import MODULE_VERSION, TeeTcbSvn

NO_TCB_INFO = Absent("TCB info of this platform that can be read")
NO_QE_IDENTITY = Absent("QE identity that can be read")
_ATTRIBUTES_SIZE = 8  # bytes, SEAMATTRIBUTES


@answers("tdx.qe.signature")
def qe_signature(case: TdxCase) -> Answer:
    """The platform's key must have signed the quoting enclave's report as received."""
    expected, qe = "the platform key's signature", case.quote.qe
    if case.backing.chain.key is None:
        return undecided(expected, Absent("a P-256 key in the PCK certificate"))
    return _holds(_qe_signature_problem(case.backing.chain.leaf.spki, qe.signature, qe.signed), expected)


@lru_cache(maxsize=1024)
def _qe_signature_problem(spki: bytes, signature: bytes, report: bytes) -> str:
    """Verify once for each platform: its quoting enclave vouches for one attestation key, and that for many quotes."""
    try:
        verify_p256(load_p256_key(spki), signature, report)
    except InvalidSignature:
        return "another signature"
    return ""


@answers("tdx.qe.binding")
def qe_binding(case: TdxCase) -> Answer:
    """The enclave's report data must be made of the attestation key, all 64 bytes of it."""
    quote = case.quote
    expected = attestation_key_report_data(
        attestation_key=quote.attestation_key, authentication_data=quote.qe.authentication_data
    )
    found = quote.qe.report_data
    return require(found == expected, expected, found)


@answers("tdx.signature.quote")
def signature_quote(case: TdxCase) -> Answer:
    """The attestation key must have signed header and body as received."""
    expected, quote = "the attestation key's signature", case.quote
    try:
        verify_p256(load_p256_key(key_spki(quote.attestation_key)), quote.signature, quote.signed)
    except Malformed as error:
        return failed(expected, str(error))
    except InvalidSignature:
        return failed(expected, "another signature")
    return passed(expected, expected)


@answers_host("tdx.qe.mrsigner")
def qe_mrsigner(host: HostAsked) -> Answer:
    """The enclave must be signed by whom the identity names."""
    identity = host.identity
    if identity is None:
        return undecided("the signer that Intel names", NO_QE_IDENTITY)
    found = host.enclave.mr_signer
    return require(found == identity.mrsigner, identity.mrsigner, found)


@answers_host("tdx.qe.product")
def qe_product(host: HostAsked) -> Answer:
    """The enclave must be the product that the identity names."""
    identity = host.identity
    if identity is None:
        return undecided("the product that Intel names", NO_QE_IDENTITY)
    found = host.enclave.isv_prod_id
    return require(found == identity.isvprodid, identity.isvprodid, found)


@answers_host("tdx.qe.miscselect")
def qe_miscselect(host: HostAsked) -> Answer:
    """MISCSELECT must be what the identity says, under its mask."""
    identity = host.identity
    if identity is None:
        return undecided("the MISCSELECT that Intel names", NO_QE_IDENTITY)
    return _agrees(host.enclave.miscselect, identity.miscselect, identity.miscselect_mask)


@answers_host("tdx.qe.attributes")
def qe_attributes(host: HostAsked) -> Answer:
    """ATTRIBUTES must be what the identity says, under its mask; debugging is asked for itself."""
    identity = host.identity
    if identity is None:
        return undecided("the ATTRIBUTES that Intel names", NO_QE_IDENTITY)
    return _agrees(host.enclave.attributes, identity.attributes, identity.attributes_mask, but=ENCLAVE_DEBUG)


@answers_host("tdx.qe.debug")
def qe_debug(host: HostAsked) -> Answer:
    """The enclave may not run under debug, whatever an identity says."""
    found = host.enclave.flags & ENCLAVE_DEBUG
    return require(found == 0, "DEBUG 0", "DEBUG 1" if found else "DEBUG 0")


@answers_host("tdx.module.identity")
def module_identity(host: HostAsked) -> Answer:
    """A module with a version must be one that TCB info speaks of, the one of now as well."""
    info, current = host.info, host.module.current
    if info is None:
        return undecided("an identity of this TDX module", NO_TCB_INFO)
    launch = host.module.launched_by.tee_tcb_svn
    for svn in (launch,) if current is None else (launch, current):
        version = svn[MODULE_VERSION]
        if version and info.identity(version) is None:
            known = ", ".join(identity.id for identity in info.module_identities) or "none"
            return failed(("one of", known), TeeTcbSvn.read(svn).module_id)
    return passed("an identity of this TDX module", "there")


@answers_host("tdx.module.signer")
def module_signer(host: HostAsked) -> Answer:
    """MRSIGNERSEAM must be what TCB info says of this module."""
    module = _module(host)
    if module is None:
        return undecided("the signer that Intel names", NO_TCB_INFO)
    found = host.module.launched_by.mr_signer_seam
    return require(found == module.mrsigner, module.mrsigner, found)


@answers_host("tdx.module.attributes")
def module_attributes(host: HostAsked) -> Answer:
    """SEAMATTRIBUTES must be zero, and what TCB info says of this module."""
    module = _module(host)
    if module is None:
        return undecided("the attributes that Intel names", NO_TCB_INFO)
    found = host.module.launched_by.seam_attributes.to_bytes(_ATTRIBUTES_SIZE, "little")
    return require(found == module.attributes and not any(found), module.attributes, found)


def _agrees(found: bytes, expected: bytes, mask: bytes, *, but: int = 0) -> Answer:
    """Answer whether two values of one length are the same under a mask, these bits left out."""
    if found == expected:  # under any mask
        return passed(expected, found)
    kept = int.from_bytes(mask, "little") & ~but
    differing = (int.from_bytes(found, "little") ^ int.from_bytes(expected, "little")) & kept
    return require(not differing, expected, found)


def _holds(problem: str, expected: str) -> Answer:
    return failed(expected, problem) if problem else passed(expected, expected)


def _module(host: HostAsked) -> TdxModule | None:
    """Give what TCB info says of the module that launched the TD: by its version, or of modules without one."""
    info = host.info
    if info is None:
        return None
    found: ModuleIdentity | None = info.identity(host.module.launched_by.tee_tcb_svn[MODULE_VERSION])
    return found.module if found else info.module
