"""What an object must be before it enters the store: under a pinned ARK of this trust set, and what it is filed as.

The appraisal verifies everything again; this keeps a failed answer from taking the place of a good one, and is how a
fetch sees that what lies on the disk is no longer good. Dates are the store's question. Profile: AMD 57230, chapter 3.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from cryptography.exceptions import InvalidSignature

from cvmproof.collateral.keys import ChainKey, CrlKey, VcekKey, Wanted
from cvmproof.snp.chain import crl_problem, verify_link
from cvmproof.snp.profile import intermediate_names, intermediate_problem, leaf_problem, root_problem, root_product
from cvmproof.trust import TrustRoots
from cvmproof_formats.errors import Category, CollateralError, Malformed
from cvmproof_formats.pem import read_pem
from cvmproof_formats.snp.product import KeyKind, ProductLine
from cvmproof_formats.snp.vek import read_vek
from cvmproof_formats.x509 import Certificate, CertificateList, read_certificate, read_crl


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """A verified ARK and the ASK or ASVK it signed."""

    ark: Certificate
    intermediate: Certificate

    @property
    def valid_from(self) -> datetime:
        """The beginning of the chain's validity."""
        return max(self.ark.not_before, self.intermediate.not_before)

    @property
    def valid_until(self) -> datetime:
        """The end of the chain's validity."""
        return min(self.ark.not_after, self.intermediate.not_after)


def admit_chain(key: ChainKey, pem: bytes, trust: TrustRoots) -> Chain:
    """Read and verify a chain in AMD's order, intermediate then ARK.

    Raises CollateralError: MALFORMED, CHAIN (not pinned, not these certificates) or SIGNATURE.
    """
    with refusing(key):
        ders = read_pem(pem)
        if len(ders) != 2:  # noqa: PLR2004 -- the two that the docstring names
            raise refused(key, Category.CHAIN, f"expected 2 certificates, got {len(ders)}")
        intermediate = read_certificate(ders[0])
        ark = admit_root(key.product, ders[1], trust)
        if intermediate_names(intermediate) != (key.product, key.kind):
            raise refused(
                key, Category.CHAIN, "expected this chain's intermediate first, got a certificate so not named"
            )
        expect_fit(key, intermediate_problem(intermediate))
        verify_link(ark, intermediate)
    return Chain(ark=ark, intermediate=intermediate)


def admit_root(product: ProductLine, der: bytes, trust: TrustRoots) -> Certificate:
    """Read a root and hold it against AMD's profile, the trust set's pins and its own signature.

    Raises CollateralError: MALFORMED, CHAIN or SIGNATURE.
    """
    what = f"{product} root"
    with refusing(what):
        ark = read_certificate(der)
        pin = sha256(ark.spki).digest()
        if pin not in trust.ark_pins.get(product, frozenset()):
            detail = f"expected a key pinned in the {trust.name} trust set, got one with SHA-256 {pin.hex()}"
            raise refused(what, Category.CHAIN, detail)
        if root_product(ark) is not product:
            raise refused(what, Category.CHAIN, f"expected the name ARK-{product}, got another")
        expect_fit(what, root_problem(ark))
        verify_link(ark, ark)
    return ark


def admit_crl(key: CrlKey, der: bytes, ark: Certificate) -> CertificateList:
    """Read a revocation list and verify that a pinned ARK signed it and may.

    Raises CollateralError: MALFORMED, or CHAIN.
    """
    with refusing(key):
        crl = read_crl(der)
        expect_fit(key, crl_problem(der, ark))
    return crl


def admit_vcek(key: VcekKey, der: bytes, chain: Chain) -> Certificate:
    """Read a chip's certificate and verify that the ASK signed it and that it names this chip and TCB.

    Raises CollateralError: MALFORMED, CHAIN, SIGNATURE, or COLLATERAL_MISMATCH for another chip's or TCB's.
    """
    with refusing(key):
        leaf = read_certificate(der)
        expect_fit(key, leaf_problem(leaf))
        verify_link(chain.intermediate, leaf)
        identity = read_vek(leaf.extensions)
        if (identity.kind, identity.product) != (KeyKind.VCEK, key.product):
            detail = f"expected a {key.product} VCEK, got a {identity.product} {identity.kind}"
            raise refused(key, Category.COLLATERAL_MISMATCH, detail)
        if identity.hwid != key.hwid:
            raise refused(key, Category.COLLATERAL_MISMATCH, "expected this chip's hardware id, got another's")
        if identity.tcb != key.tcb:
            raise refused(key, Category.COLLATERAL_MISMATCH, f"expected TCB {key.tcb}, got {identity.tcb}")
    return leaf


def expect_fit(what: Wanted | str, problem: str) -> None:
    """Raise CollateralError (CHAIN) for a problem; "" is none."""
    if problem:
        raise refused(what, Category.CHAIN, problem)


@contextmanager
def refusing(what: Wanted | str) -> Iterator[None]:
    """Make a CollateralError about that object of what reading and verifying raise."""
    try:
        yield
    except Malformed as error:
        raise refused(what, error.category, str(error)) from error
    except InvalidSignature as error:
        raise refused(
            what, Category.SIGNATURE, "expected a signature by the key above it, got one that fails"
        ) from error


def refused(what: Wanted | str, category: Category, detail: str) -> CollateralError:
    """Make the error about that object."""
    return CollateralError(f"{what}: {detail}", category=category)
