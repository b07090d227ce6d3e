"""SIMULATED certificate authorities in Intel's profile: root, PCK CAs, TCB signer, PCK certificates and CRLs.

Everything follows Intel's "PCK Certificate and Certificate Revocation List Profile Specification" 1.5 and real
certificates, except the keys and the organization's name. Whatever a test wants to be different is one keyword
argument, right or wrong, and the same arguments always give the same bytes:

    IntelCa().root
    IntelCa().with_platform(path_length=1, drop=(KEY_USAGE,)).platform
    IntelCa(generate_intel_keys())                         an attacker with the same names and extensions
    IntelCa().pck(identity, spki, not_after=yesterday)
    IntelCa().pck_crl(Ca.PLATFORM, now, revoked=[serial])
    IntelCa().sign(body)                                   r || s of the TCB signer
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final, Literal, TypedDict, Unpack

from cvmproof_formats import der
from cvmproof_formats.pem import write_pem
from cvmproof_formats.tdx import hierarchy, signed_json
from cvmproof_formats.tdx.hierarchy import Ca, Profile
from cvmproof_formats.tdx.pck import PckIdentity, build_sgx_extensions
from cvmproof_formats.x509 import COMMON_NAME, CRL_NUMBER, BasicConstraints, Extension, KeyUsage
from cvmproof_simulator.issuing import (
    KEY_COMPROMISE,
    Draft,
    ListDraft,
    authority_key,
    edited,
    issue,
    issue_crl,
    years_later,
)
from cvmproof_simulator.keys.intel import IntelKeys, checked_in_intel_keys
from cvmproof_simulator.psp import spki_of
from cvmproof_simulator.tdx.ecdsa import EcdsaSigner, Key, point_of, sign_raw

SIMULATED_INTEL: Final = hierarchy.SIMULATED_ORGANIZATION

Role = Literal["root", "platform", "processor", "tcb_signing"]

# Intel's root lives till the last second of 2049, the PCK CAs 15 years, TCB signing and PCK certificates 7; the dates
# are constants so that the same arguments give the same bytes.
ROOT_NOT_AFTER: Final = datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC)
CA_NOT_BEFORE: Final = datetime(2020, 1, 1, tzinfo=UTC)
CA_NOT_AFTER: Final = datetime(2035, 1, 1, tzinfo=UTC)
LEAF_NOT_BEFORE: Final = datetime(2026, 1, 1, tzinfo=UTC)
LEAF_YEARS: Final = 7
ROOT_CRL_LIFETIME: Final = timedelta(days=365)
PCK_CRL_LIFETIME: Final = timedelta(days=30)

_COUNTRY, _LOCALITY, _STATE, _ORGANIZATION = "2.5.4.6", "2.5.4.7", "2.5.4.8", "2.5.4.10"
_PROFILES: Final[dict[Role, Profile]] = {
    "root": hierarchy.ROOT,
    "platform": hierarchy.PLATFORM_CA,
    "processor": hierarchy.PROCESSOR_CA,
    "tcb_signing": hierarchy.TCB_SIGNING,
}
_ROLES: Final[dict[Ca, Role]] = {Ca.PLATFORM: "platform", Ca.PROCESSOR: "processor"}


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateProfile:
    """What a certificate here has; None stands for what Intel's own profile says."""

    common_name: str
    serial: int
    not_before: datetime
    not_after: datetime
    crl_uri: str
    key_usage: KeyUsage
    ca: bool
    path_length: int | None
    organization: str = SIMULATED_INTEL
    version: int = 3
    issuer: str | None = None
    """Common name of the issuer; None: the subject of the certificate above."""
    signed_by: Key | None = None
    """None: the key of the certificate above."""
    algorithm: bytes | None = None
    """The AlgorithmIdentifier (DER) to state; the signature stays ECDSA with SHA-256."""
    outer_algorithm: bytes | None = None
    """The unsigned AlgorithmIdentifier (DER); None: the same as inside."""
    spki: bytes | None = None
    """SubjectPublicKeyInfo (DER)."""
    authority_key_id: bytes | None = None
    subject_key_id: bytes | None = None
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
        return intel_name(self.common_name, self.organization)


class CertificateChanges(TypedDict, total=False):
    """The fields of CertificateProfile, each optional."""

    common_name: str
    serial: int
    not_before: datetime
    not_after: datetime
    crl_uri: str
    key_usage: KeyUsage
    ca: bool
    path_length: int | None
    organization: str
    version: int
    issuer: str | None
    signed_by: Key | None
    algorithm: bytes | None
    outer_algorithm: bytes | None
    spki: bytes | None
    authority_key_id: bytes | None
    subject_key_id: bytes | None
    drop: tuple[str, ...]
    replace: tuple[Extension, ...]
    critical: tuple[str, ...]
    add: tuple[Extension, ...]


class CrlChanges(TypedDict, total=False):
    """What a revocation list may have else than Intel's own."""

    revoked: Iterable[int]
    """Serial numbers."""
    lifetime: timedelta | None
    """None leaves nextUpdate out."""
    number: int
    reason: int | None
    issuer: str
    """Common name."""
    signed_by: Key
    algorithm: bytes
    drop: tuple[str, ...]
    add: tuple[Extension, ...]


@dataclass(frozen=True, slots=True, repr=False)
class IntelCa:
    """The SIMULATED authorities; certificates are DER. `keys` None: the checked-in ones; a profile None: Intel's."""

    keys: IntelKeys | None = None
    root_profile: CertificateProfile | None = None
    platform_profile: CertificateProfile | None = None
    processor_profile: CertificateProfile | None = None
    tcb_signing_profile: CertificateProfile | None = None

    def __repr__(self) -> str:
        return "<SIMULATED Intel CA>"

    def with_root(self, **changes: Unpack[CertificateChanges]) -> "IntelCa":
        """The same authorities with another root certificate."""
        return replace(self, root_profile=replace(self.profile("root"), **changes))

    def with_platform(self, **changes: Unpack[CertificateChanges]) -> "IntelCa":
        """The same authorities with another PCK Platform CA."""
        return replace(self, platform_profile=replace(self.profile("platform"), **changes))

    def with_processor(self, **changes: Unpack[CertificateChanges]) -> "IntelCa":
        """The same authorities with another PCK Processor CA."""
        return replace(self, processor_profile=replace(self.profile("processor"), **changes))

    def with_tcb_signing(self, **changes: Unpack[CertificateChanges]) -> "IntelCa":
        """The same authorities with another certificate of the TCB signer."""
        return replace(self, tcb_signing_profile=replace(self.profile("tcb_signing"), **changes))

    @property
    def root(self) -> bytes:
        """The root certificate, signed by itself."""
        return self._certificate("root")

    @property
    def platform(self) -> bytes:
        """The PCK Platform CA, signed by the root."""
        return self._certificate("platform")

    @property
    def processor(self) -> bytes:
        """The PCK Processor CA, signed by the root."""
        return self._certificate("processor")

    @property
    def tcb_signing(self) -> bytes:
        """The certificate of who signs TCB info and identities, signed by the root."""
        return self._certificate("tcb_signing")

    def intermediate(self, ca: Ca) -> bytes:
        """The PCK CA of that name."""
        return self._certificate(_ROLES[ca])

    def pck_chain(self, ca: Ca) -> bytes:
        """PCK CA and root in PEM: SGX-PCK-CRL-Issuer-Chain."""
        return write_pem(self.intermediate(ca)) + write_pem(self.root)

    @property
    def signing_chain(self) -> bytes:
        """TCB signer and root in PEM: TCB-Info-Issuer-Chain and its like."""
        return write_pem(self.tcb_signing) + write_pem(self.root)

    def pck(self, identity: PckIdentity, public_key: bytes, **changes: Unpack[CertificateChanges]) -> bytes:
        """A PCK certificate for a public key (SubjectPublicKeyInfo, DER), signed by the CA its identity belongs to.

        `not_after` follows `not_before` by Intel's 7 years unless given; the serial number follows from key and
        identity.
        """
        above = _ROLES[identity.ca]
        extension = build_sgx_extensions(identity)
        not_before = changes.get("not_before", LEAF_NOT_BEFORE)
        profile = CertificateProfile(
            common_name=hierarchy.PCK_NAME,
            serial=pck_serial(public_key, extension),
            not_before=not_before,
            not_after=years_later(not_before, LEAF_YEARS),
            crl_uri=hierarchy.PCK.crl_uris[hierarchy.PCK.issuers.index(_PROFILES[above].subject)],
            key_usage=hierarchy.PCK.key_usage,
            ca=False,
            path_length=None,
        )
        return self._issued(replace(profile, **changes), hierarchy.PCK, public_key, above, sgx=extension)

    def root_crl(self, this_update: datetime, **changes: Unpack[CrlChanges]) -> bytes:
        """The root's CRL in DER: what it says of PCK CAs and the TCB signer."""
        return self._crl("root", this_update, ROOT_CRL_LIFETIME, changes)

    def pck_crl(self, ca: Ca, this_update: datetime, **changes: Unpack[CrlChanges]) -> bytes:
        """A PCK CA's CRL in DER: what it says of PCK certificates."""
        return self._crl(_ROLES[ca], this_update, PCK_CRL_LIFETIME, changes)

    def sign(self, body: bytes, *, signed_by: Key | None = None) -> bytes:
        """Sign bytes as TCB info is signed: r || s by the TCB signer, 64 bytes."""
        return sign_raw(signed_by or self.key("tcb_signing"), body)

    def sign_json(
        self, name: str, body: bytes, *, signed_by: Key | None = None, signature: bytes | None = None
    ) -> bytes:
        """A response of the provisioning service: an object of that name, exactly these bytes, and its signature."""
        signature = self.sign(body, signed_by=signed_by) if signature is None else signature
        return signed_json.build_signed(name, signed_json.Signed(body=body, signature=signature))

    def key(self, role: Role) -> Key:
        """The private key of one of them."""
        keys = self.keys or checked_in_intel_keys()
        return {
            "root": keys.root,
            "platform": keys.platform,
            "processor": keys.processor,
            "tcb_signing": keys.tcb_signing,
        }[role]

    def serial(self, role: Role) -> int:
        """The serial number of one of their certificates."""
        return self.profile(role).serial

    def profile(self, role: Role) -> CertificateProfile:
        """What one of their certificates says."""
        changed = {
            "root": self.root_profile,
            "platform": self.platform_profile,
            "processor": self.processor_profile,
            "tcb_signing": self.tcb_signing_profile,
        }[role]
        return changed or intel_profile(role, self.key(role))

    def _certificate(self, role: Role) -> bytes:
        return self._issued(self.profile(role), _PROFILES[role], spki_of(self.key(role)), "root")

    def _issued(
        self, profile: CertificateProfile, kind: Profile, public_key: bytes, above: Role, *, sgx: bytes = b""
    ) -> bytes:
        issuer = self.profile(above)
        public_key = profile.spki or public_key
        return issue(
            Draft(
                version=profile.version,
                serial=profile.serial,
                issuer=intel_name(profile.issuer, profile.organization) if profile.issuer else issuer.subject,
                subject=profile.subject,
                not_before=profile.not_before,
                not_after=profile.not_after,
                spki=public_key,
                extensions=_extensions(profile, kind, public_key, self.key(above), sgx),
                signer=EcdsaSigner(key=profile.signed_by or self.key(above), declared=profile.algorithm),
                outer_algorithm=profile.outer_algorithm,
            )
        )

    def _crl(self, role: Role, this_update: datetime, lifetime: timedelta, changes: CrlChanges) -> bytes:
        own = self.profile(role)
        living = changes.get("lifetime", lifetime)
        extensions = (
            Extension(oid=CRL_NUMBER, value=der.integer(changes.get("number", 1))),
            authority_key(_key_identifier(self.key(role))),
        )
        name = changes.get("issuer")
        return issue_crl(
            ListDraft(
                issuer=own.subject if name is None else intel_name(name, own.organization),
                this_update=this_update,
                next_update=None if living is None else this_update + living,
                revoked=tuple(changes.get("revoked", ())),
                reason=changes.get("reason", KEY_COMPROMISE),
                extensions=edited(extensions, drop=changes.get("drop", ()), add=changes.get("add", ())),
                signer=EcdsaSigner(key=changes.get("signed_by") or self.key(role), declared=changes.get("algorithm")),
            )
        )


def intel_profile(role: Role, key: Key) -> CertificateProfile:
    """Intel's own profile of a root, PCK CA or TCB signer with that key: the serial number is the key's identifier."""
    kind = _PROFILES[role]
    signer = role == "tcb_signing"
    return CertificateProfile(
        common_name=kind.subject,
        serial=int.from_bytes(_key_identifier(key), "big"),
        not_before=LEAF_NOT_BEFORE if signer else CA_NOT_BEFORE,
        not_after=years_later(LEAF_NOT_BEFORE, LEAF_YEARS) if signer else _CA_ENDS[role],
        crl_uri=kind.crl_uris[0],
        key_usage=kind.key_usage,
        ca=kind.basic_constraints.ca,
        path_length=kind.basic_constraints.path_length,
    )


_CA_ENDS: Final[dict[Role, datetime]] = {
    "root": ROOT_NOT_AFTER,
    "platform": CA_NOT_AFTER,
    "processor": CA_NOT_AFTER,
}


@lru_cache
def intel_name(common_name: str, organization: str = SIMULATED_INTEL) -> bytes:
    """A Name (DER) as Intel writes them: CN, O, L, ST, C."""
    attributes = (
        (COMMON_NAME, der.utf8(common_name)),
        (_ORGANIZATION, der.utf8(organization)),
        (_LOCALITY, der.utf8("Santa Clara")),
        (_STATE, der.utf8("CA")),
        (_COUNTRY, der.printable("US")),
    )
    return der.sequence(*(der.set_of(der.sequence(der.oid(oid), value)) for oid, value in attributes))


def pck_serial(public_key: bytes, extension: bytes) -> int:
    """The serial number of the PCK certificate for a key and an SGX extension (both DER): 160 bits at most."""
    return int.from_bytes(hashlib.sha256(b"SIMULATED serial\0" + public_key + extension).digest()[:20], "big")


def intel_root_pin() -> bytes:
    """SHA-256 of the SubjectPublicKeyInfo of the checked-in root: what the simulated trust set pins."""
    return hashlib.sha256(spki_of(checked_in_intel_keys().root)).digest()


def _extensions(
    profile: CertificateProfile, kind: Profile, public_key: bytes, above: Key, sgx: bytes
) -> tuple[Extension, ...]:
    said = replace(
        kind,
        key_usage=profile.key_usage,
        basic_constraints=BasicConstraints(ca=profile.ca, path_length=profile.path_length),
    )
    extensions = hierarchy.build_extensions(
        said,
        authority_key_id=_key_identifier(above) if profile.authority_key_id is None else profile.authority_key_id,
        subject_key_id=_spki_identifier(public_key) if profile.subject_key_id is None else profile.subject_key_id,
        crl_uri=profile.crl_uri,
        sgx=sgx,
    )
    return edited(extensions, drop=profile.drop, put=profile.replace, critical=profile.critical, add=profile.add)


def _key_identifier(key: Key) -> bytes:
    return hashlib.sha1(point_of(key), usedforsecurity=False).digest()


def _spki_identifier(spki: bytes) -> bytes:
    """Identifier of any public key: SHA-1 of the content of its BIT STRING (RFC 5280 4.2.1.2)."""
    outer, end = der.only(spki, 0, len(spki), der.SEQUENCE, "SubjectPublicKeyInfo")
    _, behind = der.expect(spki, outer, end, der.SEQUENCE, "algorithm")
    start, end = der.only(spki, behind, end, der.BIT_STRING, "key")
    return hashlib.sha1(spki[start + 1 : end], usedforsecurity=False).digest()
