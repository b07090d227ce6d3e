"""What Intel's PCK certificates say about their platform: the SGX extensions.

Follows "Intel SGX PCK Certificate and Certificate Revocation List Profile Specification" 1.5. They are one X.509
extension whose value is a SEQUENCE of SEQUENCE { OID, value }; the TCB and the configuration are such sequences again.
Each entry is there exactly once, and there are no others.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import Final

from cvmproof_formats import der
from cvmproof_formats.errors import Malformed
from cvmproof_formats.pattern import Pattern
from cvmproof_formats.record import maker, record
from cvmproof_formats.tdx.hierarchy import SGX_EXTENSIONS, Ca, issuing_ca
from cvmproof_formats.x509 import Certificate

PPID: Final = f"{SGX_EXTENSIONS}.1"
TCB: Final = f"{SGX_EXTENSIONS}.2"
PCEID: Final = f"{SGX_EXTENSIONS}.3"
FMSPC: Final = f"{SGX_EXTENSIONS}.4"
SGX_TYPE: Final = f"{SGX_EXTENSIONS}.5"
PLATFORM_INSTANCE_ID: Final = f"{SGX_EXTENSIONS}.6"
CONFIGURATION: Final = f"{SGX_EXTENSIONS}.7"
COMPONENTS: Final = tuple(f"{TCB}.{number}" for number in range(1, 17))
PCESVN: Final = f"{TCB}.17"
CPUSVN: Final = f"{TCB}.18"
DYNAMIC_PLATFORM: Final = f"{CONFIGURATION}.1"
CACHED_KEYS: Final = f"{CONFIGURATION}.2"
SMT_ENABLED: Final = f"{CONFIGURATION}.3"

_HIGHEST_IN_ONE_BYTE = b"\x7f"  # X.690 8.3: the next bit is the sign; every INTEGER here may be as high
_ENUMERATED = 0x0A  # X.690 8.4: content as an INTEGER's


@dataclass(frozen=True, slots=True)
class Kind:
    """ASN.1 type of a value: its tag; the length of an OCTET STRING, or the highest number."""

    tag: int
    size: int = 0
    highest: int = 0


def _octets(size: int) -> Kind:
    return Kind(der.OCTET_STRING, size=size)


# PCK certificate profile specification, SGX extensions: OID, type and length, in the order in which Intel writes them.
TCB_ENTRIES: Final[Mapping[str, Kind]] = {
    **dict.fromkeys(COMPONENTS, Kind(der.INTEGER, highest=0xFF)),
    PCESVN: Kind(der.INTEGER, highest=0xFFFF),
    CPUSVN: _octets(16),
}
CONFIGURATION_ENTRIES: Final[Mapping[str, Kind]] = dict.fromkeys(
    (DYNAMIC_PLATFORM, CACHED_KEYS, SMT_ENABLED), Kind(der.BOOLEAN)
)
PROCESSOR_ENTRIES: Final[Mapping[str, Kind]] = {
    PPID: _octets(16),
    TCB: Kind(der.SEQUENCE),
    PCEID: _octets(2),
    FMSPC: _octets(6),
    SGX_TYPE: Kind(_ENUMERATED, highest=2),
}
PLATFORM_ENTRIES: Final[Mapping[str, Kind]] = {
    **PROCESSOR_ENTRIES,
    PLATFORM_INSTANCE_ID: _octets(16),
    CONFIGURATION: Kind(der.SEQUENCE),
}
ENTRIES: Final = {Ca.PROCESSOR: PROCESSOR_ENTRIES, Ca.PLATFORM: PLATFORM_ENTRIES}


class SgxType(IntEnum):
    """How the platform protects enclave memory."""

    STANDARD = 0
    SCALABLE = 1
    SCALABLE_WITH_INTEGRITY = 2


@record
class PckPlatform:
    """What only certificates of the Platform CA say: the machine as a whole."""

    instance_id: bytes
    """16 bytes; it changes when the machine is put together or set up anew."""
    dynamic_platform: bool
    """Packages can be added."""
    cached_keys: bool
    """Intel's registration service keeps the platform's root keys."""
    smt_enabled: bool


@record
class PckIdentity:
    """What a PCK certificate says about its processor package or platform."""

    ppid: bytes
    """16 bytes."""
    components: bytes
    """16 SVNs of a published TCB level, in the order of the level's `sgxtcbcomponents`."""
    pcesvn: int
    """0..65535."""
    cpusvn: bytes
    """16 bytes, opaque."""
    pceid: bytes
    """2 bytes."""
    fmspc: bytes
    """6 bytes: family, model, stepping, platform type, custom SKU."""
    sgx_type: SgxType
    platform: PckPlatform | None = None
    """None for certificates of the Processor CA."""

    @property
    def ca(self) -> Ca:
        """The authority whose set of entries this is."""
        return Ca.PROCESSOR if self.platform is None else Ca.PLATFORM


def read_pck(certificate: Certificate) -> PckIdentity:
    """Read the SGX extensions of a PCK certificate.

    Raises Malformed where there are none, they are critical, or they are not exactly the set that belongs to the
    authority its issuer names; with category CHAIN for an issuer that is neither of Intel's two.
    """
    extension = certificate.extension(SGX_EXTENSIONS)
    if extension is None:
        raise Malformed(f"PCK certificate: expected the SGX extensions {SGX_EXTENSIONS}, got none")
    if extension.critical:
        raise Malformed(f"extension {SGX_EXTENSIONS}: expected it non-critical, got critical")
    return read_sgx_extensions(extension.value, issuing_ca(certificate.issuer))


@lru_cache(maxsize=256)
def read_sgx_extensions(data: bytes, ca: Ca) -> PckIdentity:
    """Read the value of the SGX extension of a certificate that this authority issued, entries in any order.

    Raises Malformed for an entry that is missing, there twice, unknown, or of another type, length or range.
    """
    found = _read_at_once(data, ca) if _AT_ONCE[ca].pays() else None
    return _read_by_entry(data, ca) if found is None else found


def _read_by_entry(data: bytes, ca: Ca) -> PckIdentity:
    values = _entries(data, ENTRIES[ca], "SGX extensions")
    tcb = _entries(der.tlv(der.SEQUENCE, values[TCB]), TCB_ENTRIES, "SGX extensions, TCB")
    return PckIdentity(
        ppid=values[PPID],
        components=bytes(_number(tcb[oid]) for oid in COMPONENTS),
        pcesvn=_number(tcb[PCESVN]),
        cpusvn=tcb[CPUSVN],
        pceid=values[PCEID],
        fmspc=values[FMSPC],
        sgx_type=SgxType(_number(values[SGX_TYPE])),
        platform=_platform(values) if ca is Ca.PLATFORM else None,
    )


def build_sgx_extensions(identity: PckIdentity) -> bytes:
    """Write the value of the SGX extension in Intel's order.

    Values are not checked, so that a test can state wrong ones.
    """
    tcb = [der.integer(svn) for svn in (*identity.components, identity.pcesvn)]
    values = [
        der.octet_string(identity.ppid),
        _written(TCB_ENTRIES, [*tcb, der.octet_string(identity.cpusvn)]),
        der.octet_string(identity.pceid),
        der.octet_string(identity.fmspc),
        der.tlv(_ENUMERATED, bytes((identity.sgx_type,))),
    ]
    if (platform := identity.platform) is not None:
        flags = (platform.dynamic_platform, platform.cached_keys, platform.smt_enabled)
        values += [
            der.octet_string(platform.instance_id),
            _written(CONFIGURATION_ENTRIES, [der.boolean(flag) for flag in flags]),
        ]
    return _written(ENTRIES[identity.ca], values)


def _written(entries: Mapping[str, Kind], values: list[bytes]) -> bytes:
    return der.sequence(*(der.sequence(der.oid(oid), value) for oid, value in zip(entries, values, strict=True)))


def _platform(values: Mapping[str, bytes]) -> PckPlatform:
    configuration = _entries(
        der.tlv(der.SEQUENCE, values[CONFIGURATION]), CONFIGURATION_ENTRIES, "SGX extensions, configuration"
    )
    return PckPlatform(
        instance_id=values[PLATFORM_INSTANCE_ID],
        dynamic_platform=der.read_boolean(configuration[DYNAMIC_PLATFORM], "dynamicPlatform"),
        cached_keys=der.read_boolean(configuration[CACHED_KEYS], "cachedKeys"),
        smt_enabled=der.read_boolean(configuration[SMT_ENABLED], "smtEnabled"),
    )


def _entries(data: bytes, kinds: Mapping[str, Kind], what: str) -> dict[str, bytes]:
    """Read a SEQUENCE of SEQUENCE { OID, value } into the content of each value, exactly those in `kinds`."""
    values: dict[str, bytes] = {}
    at, end = der.only(data, 0, len(data), der.SEQUENCE, what)
    while at < end:
        start, at = der.expect(data, at, end, der.SEQUENCE, what)
        first, last = der.expect(data, start, at, der.OBJECT_IDENTIFIER, what)
        oid = der.read_oid(data[first:last])
        kind = kinds.get(oid)
        if kind is None or oid in values:
            raise Malformed(f"{what}: {oid} stands there twice" if kind else f"{what}: {oid} does not belong there")
        first, last = der.only(data, last, at, kind.tag, oid)
        values[oid] = content = data[first:last]
        # Most are small numbers in one byte; what does not fit is found the long way.
        if kind.tag != der.INTEGER or len(content) != 1 or content > _HIGHEST_IN_ONE_BYTE:
            _require_fit(oid, kind, content)
    if len(values) != len(kinds):
        missing = next(oid for oid in kinds if oid not in values)
        raise Malformed(f"{what}: expected {missing}, got none")
    return values


def _require_fit(oid: str, kind: Kind, content: bytes) -> None:
    if kind.tag == der.OCTET_STRING and len(content) != kind.size:
        raise Malformed(f"{oid}: expected {kind.size} bytes, got {len(content)}")
    if kind.tag in (der.INTEGER, _ENUMERATED):
        number = der.read_integer(content, oid)
        if number > kind.highest:
            raise Malformed(f"{oid}: expected 0..{kind.highest}, got {content[:8].hex()} (hexadecimal)")


def _number(content: bytes) -> int:
    return int.from_bytes(content, "big")


# --- as Intel writes them: all entries in order, in one step; what does not fit is not wrong, but read by entry -------


def _entry(oid: str, kind: Kind) -> bytes:
    """Write the pattern of an entry whose value is a group; an INTEGER of one byte has one for each of its forms."""
    name = der.oid(oid)

    def of(content: bytes, size: int) -> bytes:
        return rb"\x30" + re.escape(bytes((len(name) + 2 + size,)) + name + bytes((kind.tag, size))) + content

    if kind.tag == der.INTEGER:
        forms = [of(rb"([\x00-\x7f])", 1), of(rb"\x00([\x80-\xff])", 2)]
        if kind.highest > 0xFF:  # noqa: PLR2004 -- what a byte holds
            forms += [of(rb"([\x01-\x7f].)", 2), of(rb"\x00([\x80-\xff].)", 3)]
        return b"(?:" + b"|".join(forms) + b")"
    if kind.tag == _ENUMERATED:
        return of(b"([" + re.escape(bytes(range(kind.highest + 1))) + b"])", 1)
    return of(rb"(\x00|\xff)" if kind.tag == der.BOOLEAN else b"(.{%d})" % kind.size, kind.size or 1)


def _entries_pattern(kinds: Mapping[str, Kind]) -> bytes:
    return b"".join(_entry(oid, kind) for oid, kind in kinds.items())


_BEFORE_TCB = {oid: kind for oid, kind in PROCESSOR_ENTRIES.items() if oid == PPID}
_BEHIND_TCB = {oid: PROCESSOR_ENTRIES[oid] for oid in (PCEID, FMSPC, SGX_TYPE)}
_FLAGS = [der.sequence(der.oid(oid), der.boolean(value=True)) for oid in CONFIGURATION_ENTRIES]
_BEFORE_FLAGS = der.sequence(der.oid(CONFIGURATION), der.sequence(*_FLAGS)).removesuffix(b"".join(_FLAGS))
_PLATFORM_PART = (
    _entry(PLATFORM_INSTANCE_ID, PLATFORM_ENTRIES[PLATFORM_INSTANCE_ID])
    + re.escape(_BEFORE_FLAGS)
    + _entries_pattern(CONFIGURATION_ENTRIES)
)
_AT_ONCE = {
    ca: Pattern(
        rb"\x30\x82(..)("
        + _entries_pattern(_BEFORE_TCB)
        + rb"\x30\x82(..)"
        + re.escape(der.oid(TCB))
        + rb"\x30\x82(..)("
        + _entries_pattern(TCB_ENTRIES)
        + b")"
        + _entries_pattern(_BEHIND_TCB)
        + (_PLATFORM_PART if ca is Ca.PLATFORM else b"")
        + b")",
        re.DOTALL,
    )
    for ca in Ca
}
_TCB_START = len(der.oid(TCB)) + 4  # bytes before the TCB's own entries: its OID, a tag, 82 and two of length


def _read_at_once(data: bytes, ca: Ca) -> PckIdentity | None:
    found = _AT_ONCE[ca].compiled.fullmatch(data)
    if found is None:
        return None
    outer, content, ppid, whole_tcb, inner_tcb, tcb, *rest = found.groups(b"")
    size = len(tcb)
    if _number(outer) != len(content) or _number(inner_tcb) != size or _number(whole_tcb) != size + _TCB_START:
        return None
    pcesvn, (cpusvn, pceid, fmspc, sgx_type), platform = rest[32:36], rest[36:40], rest[40:]
    return _pck_identity(
        ppid=ppid,
        components=b"".join(rest[:32]),
        pcesvn=_number(b"".join(pcesvn)),
        cpusvn=cpusvn,
        pceid=pceid,
        fmspc=fmspc,
        sgx_type=_SGX_TYPES[sgx_type],
        platform=_pck_platform(
            instance_id=platform[0],
            dynamic_platform=platform[1] == _TRUE,
            cached_keys=platform[2] == _TRUE,
            smt_enabled=platform[3] == _TRUE,
        )
        if platform
        else None,
    )


_TRUE = b"\xff"
_SGX_TYPES = {bytes((kind,)): kind for kind in SgxType}
_pck_identity, _pck_platform = maker(PckIdentity), maker(PckPlatform)
