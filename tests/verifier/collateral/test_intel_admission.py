"""What admission gives back, and what it says of an object that is refused: which one it is, and why."""

import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest

from cvmproof.collateral.intel_admission import admit_certificate, admit_certificates, admit_intel_crl, admit_signed
from cvmproof.collateral.intel_keys import (
    Authority,
    EvaluationNumbersKey,
    IntelCertificatesKey,
    IntelCrlKey,
    QeIdentityKey,
    SignedKey,
    TcbInfoKey,
)
from cvmproof.trust import TrustRoots
from cvmproof_formats.errors import Category, CollateralError
from cvmproof_formats.pem import write_pem
from cvmproof_formats.x509 import Certificate, read_certificate
from cvmproof_simulator.keys.intel import generate_intel_keys
from cvmproof_simulator.tdx.ca import IntelCa
from cvmproof_simulator.tdx.collateral import Collateral as Knowledge

TRUST = TrustRoots.simulated()
ATTACKER = IntelCa(generate_intel_keys())
SIGNERS = IntelCertificatesKey(authority=Authority.TCB_SIGNING)
PLATFORM_LIST = IntelCrlKey(authority=Authority.PLATFORM)


def pem(*ders: bytes) -> bytes:
    return b"".join(map(write_pem, ders))


def refusal(words: str, admit: Callable[[], object], category: Category) -> None:
    """See that it is refused with exactly these words."""
    with pytest.raises(CollateralError, match=rf"^{re.escape(words)}$") as caught:
        admit()
    assert caught.value.category is category


@pytest.mark.parametrize(
    ("authority", "forge", "words", "category"),
    [
        (
            Authority.TCB_SIGNING,
            lambda ca: ca.with_tcb_signing(common_name="x").tcb_signing,
            "certificate: expected one of Intel SGX Root CA, Intel SGX PCK Platform CA, Intel SGX PCK Processor CA, "
            "Intel SGX TCB Signing, got 'x'",
            Category.CHAIN,
        ),
        (
            Authority.ROOT,
            lambda ca: ATTACKER.root,
            "Intel SGX Root CA: expected the key pinned in the simulated trust set, got another",
            Category.CHAIN,
        ),
        (
            Authority.PLATFORM,
            lambda ca: ATTACKER.platform,
            "Intel SGX PCK Platform CA: under the root key of the simulated trust set: its signature is not the "
            "issuer's",
            Category.SIGNATURE,
        ),
    ],
)
def test_ac_054_a_forged_certificate_is_refused_by_its_name(
    authority: Authority,
    forge: Callable[[IntelCa], bytes],
    words: str,
    category: Category,
    knowledge: Knowledge,
) -> None:
    good = {
        Authority.TCB_SIGNING: knowledge.authorities.tcb_signing,
        Authority.ROOT: knowledge.authorities.root,
        Authority.PLATFORM: knowledge.authorities.platform,
    }
    assert admit_certificate(read_certificate(good[authority]), TRUST) is authority
    forged = read_certificate(forge(knowledge.authorities))
    refusal(words, lambda: admit_certificate(forged, TRUST), category)


def test_a_certificate_in_another_profile_is_refused_by_its_name(knowledge: Knowledge) -> None:
    forged = read_certificate(knowledge.authorities.with_tcb_signing(ca=True).tcb_signing)
    with pytest.raises(CollateralError, match=r"^Intel SGX TCB Signing: .*basic constraints"):
        admit_certificate(forged, TRUST)


def test_a_root_may_stand_behind_several_certificates_of_one_authority(knowledge: Knowledge) -> None:
    ca = knowledge.authorities
    newer = ca.with_tcb_signing(serial=7).tcb_signing
    both = tuple(map(read_certificate, (newer, ca.tcb_signing)))
    assert admit_certificates(SIGNERS, pem(newer, ca.tcb_signing, ca.root), TRUST) == both
    assert admit_certificates(SIGNERS, pem(newer, ca.tcb_signing), TRUST) == both
    for wrong in (pem(newer, ca.root, ca.tcb_signing), pem(ca.root, newer, ca.tcb_signing)):
        with pytest.raises(CollateralError, match="perhaps the root behind it"):
            admit_certificates(SIGNERS, wrong, TRUST)


def test_certificates_are_refused_by_what_they_were_to_be(knowledge: Knowledge) -> None:
    ca = knowledge.authorities
    refusal(
        "Intel TCB signing certificates: expected tcb_signing and perhaps the root behind it, got platform, then root",
        lambda: admit_certificates(SIGNERS, pem(ca.platform, ca.root), TRUST),
        Category.CHAIN,
    )
    with pytest.raises(CollateralError, match=r"^Intel TCB signing certificates: PEM: expected 1 to"):
        admit_certificates(SIGNERS, b"", TRUST)


# Revocation lists


def platform_certificates(*authorities: IntelCa) -> tuple[Certificate, ...]:
    return tuple(read_certificate(one.platform) for one in authorities)


def test_a_list_comes_with_the_certificate_it_was_verified_under(knowledge: Knowledge) -> None:
    other, own = platform_certificates(ATTACKER, knowledge.authorities)
    assert admit_intel_crl(PLATFORM_LIST, knowledge.pck_crl, (other, own), TRUST)[1] is own
    assert admit_intel_crl(IntelCrlKey(authority=Authority.ROOT), knowledge.root_crl, (), TRUST)[1] is None


def test_ac_042_a_list_that_no_certificate_verifies_is_refused_with_each_ones_reason(knowledge: Knowledge) -> None:
    [other] = platform_certificates(ATTACKER)
    stranger = read_certificate(knowledge.authorities.processor)
    not_signed, not_named = "its signature is not the issuer's", "its issuer is another name than the authority's"
    for issuers, why in (
        ((), "its authority's certificate is not at hand"),
        ((other, other), not_signed),
        ((other, stranger), f"{not_signed}; {not_named}"),
    ):
        refusal(
            f"Intel PCK Platform CA revocation list: {why}",
            partial(admit_intel_crl, PLATFORM_LIST, knowledge.pck_crl, issuers, TRUST),
            Category.CHAIN,
        )


def test_a_root_list_is_refused_by_its_name(knowledge: Knowledge) -> None:
    refusal(
        "Intel root revocation list: it does not say when the next one comes",
        lambda: admit_intel_crl(
            IntelCrlKey(authority=Authority.ROOT), knowledge.with_root_crl(lifetime=None).root_crl, (), TRUST
        ),
        Category.CHAIN,
    )


# JSON that the TCB signer signs


@pytest.fixture
def signers(knowledge: Knowledge) -> tuple[Certificate, ...]:
    return tuple(read_certificate(one.tcb_signing) for one in (ATTACKER, knowledge.authorities))


def test_json_comes_with_the_certificate_of_its_signer(
    knowledge: Knowledge, tcb_info: TcbInfoKey, signers: tuple[Certificate, ...]
) -> None:
    assert admit_signed(tcb_info, knowledge.tcb_info_response, signers) == (knowledge.tcb_info, signers[1])


def test_ac_052_json_is_refused_by_what_it_was_to_be(
    knowledge: Knowledge, tcb_info: TcbInfoKey, signers: tuple[Certificate, ...]
) -> None:
    forged = replace(knowledge, authorities=ATTACKER)
    others: tuple[tuple[SignedKey, bytes], ...] = (
        (tcb_info, forged.tcb_info_response),
        (QeIdentityKey(), forged.qe_identity_response),
    )
    for key, data in others:
        refusal(
            f"{key}: expected a signature by the TCB signing key, got one that fails",
            partial(admit_signed, key, data, signers[1:]),
            Category.SIGNATURE,
        )
    with pytest.raises(CollateralError, match=r"^TCB evaluation data numbers: tcbEvaluationDataNumbers: expected"):
        admit_signed(EvaluationNumbersKey(), b"", signers)


def test_json_of_another_platform_or_number_is_refused_by_what_was_asked_for(
    knowledge: Knowledge, tcb_info: TcbInfoKey, signers: tuple[Certificate, ...]
) -> None:
    fmspc = knowledge.tcb_info.fmspc.hex().upper()
    refusal(
        f"TCB info of FMSPC 010203040506, standard: expected this FMSPC, got {fmspc}",
        lambda: admit_signed(TcbInfoKey(fmspc=bytes.fromhex("010203040506")), knowledge.tcb_info_response, signers),
        Category.COLLATERAL_MISMATCH,
    )
    refusal(
        f"TCB info of FMSPC {fmspc}, evaluation number 19: expected evaluation number 19, got 20",
        lambda: admit_signed(replace(tcb_info, issue=19), knowledge.tcb_info_response, signers),
        Category.COLLATERAL_MISMATCH,
    )
