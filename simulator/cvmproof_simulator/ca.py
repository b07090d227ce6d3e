"""SIMULATED certificate authorities in AMD's profile: ARK, ASK, ASVK, leaves and CRLs, right or wrong on purpose.

Everything follows AMD 57230 and 58369 as real certificates show it, except the keys and the organization's name.
Whatever a test wants to be different is one keyword argument, and the same arguments always give the same bytes:

    AmdCa(ProductLine.GENOA).ask
    AmdCa(ProductLine.GENOA).with_ask(path_length=None, form=Pss(digest="sha256", salt=20)).ask
    AmdCa(ProductLine.GENOA, generate_keys())                  an attacker with the same names, serials and extensions
    AmdCa(ProductLine.GENOA, checked_in_keys(ProductLine.MILAN))                   a root that is not Genoa's
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from types import MappingProxyType
from typing import Final, Literal, TypedDict, Unpack

from cvmproof_formats import der
from cvmproof_formats.snp.hierarchy import SIMULATED_ORGANIZATION, build_name
from cvmproof_formats.snp.product import KeyKind, ProductLine
from cvmproof_formats.snp.vek import VekIdentity, build_extensions
from cvmproof_formats.x509 import (
    CRL_DISTRIBUTION_POINTS,
    CRL_NUMBER,
    SUBJECT_KEY_IDENTIFIER,
    BasicConstraints,
    Extension,
    KeyUsage,
)
from cvmproof_simulator.issuing import Draft, ListDraft, authority_key, edited, issue, issue_crl, years_later
from cvmproof_simulator.keys import CaKeys, checked_in_keys
from cvmproof_simulator.rsa_pss import Pss, RsaKey, RsaSigner, SignatureForm

# AMD's roots live 25 years, VCEKs 7, VLEKs 1; the dates are constants so that the same arguments give the same bytes.
CA_NOT_BEFORE: Final = datetime(2020, 1, 1, tzinfo=UTC)
CA_NOT_AFTER: Final = datetime(2045, 1, 1, tzinfo=UTC)
LEAF_NOT_BEFORE: Final = {
    KeyKind.VCEK: datetime(2026, 1, 1, tzinfo=UTC),
    KeyKind.VLEK: datetime(2026, 6, 1, tzinfo=UTC),
}
LEAF_YEARS: Final = {KeyKind.VCEK: 7, KeyKind.VLEK: 1}
CRL_LIFETIME: Final = timedelta(days=366)

Role = Literal["ark", "ask", "asvk"]

# AMD's serial numbers: product number, then which certificate.
_SERIALS: Final[Mapping[ProductLine, Mapping[Role, int]]] = {
    ProductLine.MILAN: {"ark": 0x10000, "ask": 0x10001, "asvk": 0x10101},
    ProductLine.GENOA: {"ark": 0x20000, "ask": 0x20002, "asvk": 0x20101},
    ProductLine.TURIN: {"ark": 0x30000, "ask": 0x30001, "asvk": 0x30101},
}
_COMMON_NAMES: Final[Mapping[Role, str]] = {"ark": "ARK-{}", "ask": "SEV-{}", "asvk": "SEV-VLEK-{}"}


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateProfile:
    """What every certificate here has; None stands for what AMD's own profile says."""

    common_name: str
    serial: int
    not_before: datetime
    not_after: datetime
    organization: str = SIMULATED_ORGANIZATION
    version: int = 3
    issuer: str | None = None
    """Common name of the issuer; None: the subject of the certificate above."""
    signed_by: RsaKey | None = None
    """None: the key of the certificate above."""
    form: SignatureForm = field(default_factory=Pss)
    outer_algorithm: bytes | None = None
    """The unsigned AlgorithmIdentifier (DER); None: the same as inside."""
    spki: bytes | None = None
    """SubjectPublicKeyInfo (DER)."""
    drop: tuple[str, ...] = ()
    """OIDs of extensions to leave out."""
    replace: tuple[Extension, ...] = ()
    """Extensions to put in place of those with the same OID."""
    critical: tuple[str, ...] = ()
    """OIDs of extensions to mark critical."""
    add: tuple[Extension, ...] = ()
    """Extensions to write behind the others, duplicates included."""

    @property
    def subject(self) -> bytes:
        """The subject, a Name in DER."""
        return build_name(self.common_name, self.organization)

    def edited(self, extensions: Iterable[Extension]) -> tuple[Extension, ...]:
        """Apply drop, replace, critical and add."""
        return edited(extensions, drop=self.drop, put=self.replace, critical=self.critical, add=self.add)


@dataclass(frozen=True, slots=True, kw_only=True)
class CaProfile(CertificateProfile):
    """What an ARK, ASK or ASVK has besides."""

    ca: bool = True
    path_length: int | None = None
    key_usage: KeyUsage | None
    """None: no such extension."""


class CertificateChanges(TypedDict, total=False):
    """The fields of CertificateProfile, each optional."""

    common_name: str
    serial: int
    not_before: datetime
    not_after: datetime
    organization: str
    version: int
    issuer: str | None
    signed_by: RsaKey | None
    form: SignatureForm
    outer_algorithm: bytes | None
    spki: bytes | None
    drop: tuple[str, ...]
    replace: tuple[Extension, ...]
    critical: tuple[str, ...]
    add: tuple[Extension, ...]


class CaChanges(CertificateChanges, total=False):
    """The fields of CaProfile, each optional."""

    ca: bool
    path_length: int | None
    key_usage: KeyUsage | None


@dataclass(frozen=True, slots=True, repr=False)
class AmdCa:
    """The SIMULATED authorities of one product line; certificates are DER. `keys` None: the checked-in ones."""

    product: ProductLine
    keys: CaKeys | None = None
    ark_profile: CaProfile | None = field(default=None, kw_only=True)
    ask_profile: CaProfile | None = field(default=None, kw_only=True)
    asvk_profile: CaProfile | None = field(default=None, kw_only=True)

    def __repr__(self) -> str:
        return f"<SIMULATED AMD CA for {self.product}>"

    def with_ark(self, **changes: Unpack[CaChanges]) -> "AmdCa":
        """The same authorities with another root certificate."""
        return replace(self, ark_profile=replace(self._profile("ark"), **changes))

    def with_ask(self, **changes: Unpack[CaChanges]) -> "AmdCa":
        """The same authorities with another intermediate for VCEKs."""
        return replace(self, ask_profile=replace(self._profile("ask"), **changes))

    def with_asvk(self, **changes: Unpack[CaChanges]) -> "AmdCa":
        """The same authorities with another intermediate for VLEKs."""
        return replace(self, asvk_profile=replace(self._profile("asvk"), **changes))

    @property
    def ark(self) -> bytes:
        """The root certificate, signed by itself."""
        return self._certificate("ark")

    @property
    def ask(self) -> bytes:
        """The intermediate that signs VCEKs, signed by the ARK."""
        return self._certificate("ask")

    @property
    def asvk(self) -> bytes:
        """The intermediate that signs VLEKs, signed by the ARK."""
        return self._certificate("asvk")

    def intermediate(self, kind: KeyKind) -> bytes:
        """The ASK or the ASVK."""
        return self.ask if kind is KeyKind.VCEK else self.asvk

    def leaf(self, identity: VekIdentity, public_key: bytes, **changes: Unpack[CertificateChanges]) -> bytes:
        """A VCEK or VLEK certificate for a public key (SubjectPublicKeyInfo, DER), signed by the ASK or ASVK.

        `not_after` follows `not_before` by AMD's 7 years (VCEK) or 1 year (VLEK) unless given.
        """
        kind = identity.kind
        not_before = changes.get("not_before", LEAF_NOT_BEFORE[kind])
        profile = CertificateProfile(
            common_name=f"SEV-{kind}",
            serial=0,
            not_before=not_before,
            not_after=years_later(not_before, LEAF_YEARS[kind]),
            spki=public_key,
        )
        profile = replace(profile, **changes)
        above: Role = "ask" if kind is KeyKind.VCEK else "asvk"
        extensions = profile.edited(build_extensions(identity))
        return issue(
            _draft(profile, profile.spki or public_key, extensions, self._profile(above).subject, self._key(above))
        )

    def crl(
        self,
        this_update: datetime,
        *,
        revoked: Iterable[int] = (),
        lifetime: timedelta | None = CRL_LIFETIME,
        number: int = 1,
        issuer: str | None = None,
        signed_by: RsaKey | None = None,
        form: SignatureForm | None = None,
        drop: tuple[str, ...] = (),
        add: tuple[Extension, ...] = (),
    ) -> bytes:
        """A CRL in DER, signed by the ARK; `revoked` are serial numbers, `lifetime` None leaves nextUpdate out."""
        ark = self._profile("ark")
        extensions = (
            authority_key(_key_identifier(self._key("ark"))),
            Extension(oid=CRL_NUMBER, value=der.integer(number)),
        )
        return issue_crl(
            ListDraft(
                issuer=build_name(issuer, ark.organization) if issuer else ark.subject,
                this_update=this_update,
                next_update=None if lifetime is None else this_update + lifetime,
                revoked=tuple(revoked),
                extensions=edited(extensions, drop=drop, add=add),
                signer=RsaSigner(form=form or Pss(), key=signed_by or self._key("ark")),
            )
        )

    def _key(self, role: Role) -> RsaKey:
        keys = self.keys or checked_in_keys(self.product)
        return {"ark": keys.ark, "ask": keys.ask, "asvk": keys.asvk}[role]

    def _profile(self, role: Role) -> CaProfile:
        changed = {"ark": self.ark_profile, "ask": self.ask_profile, "asvk": self.asvk_profile}[role]
        return changed or amd_profile(self.product, role)

    def _certificate(self, role: Role) -> bytes:
        profile, key, root = self._profile(role), self._key(role), self._key("ark")
        extensions = profile.edited(_ca_extensions(profile, self.product, role, key, root))
        return issue(_draft(profile, profile.spki or key.spki, extensions, self._profile("ark").subject, root))


@lru_cache
def amd_profile(product: ProductLine, role: Role) -> CaProfile:
    """AMD's own profile of an ARK, ASK or ASVK."""
    root = role == "ark"
    return CaProfile(
        common_name=_COMMON_NAMES[role].format(product.value),
        serial=_SERIALS[product][role],
        not_before=CA_NOT_BEFORE,
        not_after=CA_NOT_AFTER,
        form=Pss(trailer_field=True),
        path_length=None if root else 0,
        key_usage=KeyUsage(key_cert_sign=True, crl_sign=root),
    )


def ark_pins() -> Mapping[ProductLine, bytes]:
    """SHA-256 of the SubjectPublicKeyInfo of each checked-in root: what the simulated trust set pins."""
    return MappingProxyType(
        {product: hashlib.sha256(checked_in_keys(product).ark.spki).digest() for product in ProductLine}
    )


def _draft(
    profile: CertificateProfile, spki: bytes, extensions: tuple[Extension, ...], issuer: bytes, key: RsaKey
) -> Draft:
    return Draft(
        version=profile.version,
        serial=profile.serial,
        issuer=build_name(profile.issuer, profile.organization) if profile.issuer else issuer,
        subject=profile.subject,
        not_before=profile.not_before,
        not_after=profile.not_after,
        spki=spki,
        extensions=extensions,
        signer=RsaSigner(form=profile.form, key=profile.signed_by or key),
        outer_algorithm=profile.outer_algorithm,
    )


def _ca_extensions(
    profile: CaProfile, product: ProductLine, role: Role, key: RsaKey, root: RsaKey
) -> tuple[Extension, ...]:
    """AMD's extensions in AMD's order, which differs between roots and intermediates."""
    own_key = Extension(oid=SUBJECT_KEY_IDENTIFIER, value=der.octet_string(_key_identifier(key)))
    constraints = BasicConstraints(ca=profile.ca, path_length=profile.path_length).build()
    usage = () if profile.key_usage is None else (profile.key_usage.build(),)
    points = _distribution_points(f"https://kdsintf.amd.com/{'vlek' if role == 'asvk' else 'vcek'}/v1/{product}/crl")
    if role == "ark":
        return (*usage, own_key, constraints, points)
    return (own_key, authority_key(_key_identifier(root)), constraints, *usage, points)


def _key_identifier(key: RsaKey) -> bytes:
    return hashlib.sha1(key.public_key, usedforsecurity=False).digest()


def _distribution_points(url: str) -> Extension:
    location = der.tlv(0x86, url.encode("ascii"))  # GeneralName uniformResourceIdentifier
    point = der.sequence(der.explicit(0, der.explicit(0, location)))
    return Extension(oid=CRL_DISTRIBUTION_POINTS, value=der.sequence(point))
