"""TCB info: which versions of a TDX platform and its modules Intel calls up to date.

Follows PCS API 4, "TCB info (TDX)", version 3. Version 2 and id "SGX" are never about a TD. Levels are kept in the
file's order; `rank_of` says which of two is the higher one.
"""

import re
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from itertools import starmap
from operator import attrgetter
from typing import Final

from cvmproof_formats.errors import Malformed
from cvmproof_formats.pattern import Pattern
from cvmproof_formats.record import maker, record
from cvmproof_formats.tdx import canonical
from cvmproof_formats.tdx import signed_json as sj
from cvmproof_formats.tdx.read_levels import ReadLevels
from cvmproof_formats.tdx.tcb_level import (
    MAXIMUM_LEVELS,
    OPTIONAL,
    REQUIRED,
    SvnLevel,
    read_rating,
    read_svn_levels,
    write_rating,
    write_svn_levels,
)
from cvmproof_formats.tdx.tcb_status import PLATFORM_STATUSES, TcbStatus

NAME: Final = "tcbInfo"
"""Name of the object in the response of the provisioning service."""
ID: Final = "TDX"
VERSION: Final = 3
COMPONENTS: Final = 16

# PCS API 4, TCB info version 3: lengths in bytes.
_FMSPC, _PCE_ID, _MRSIGNER, _ATTRIBUTES = 6, 2, 48, 8
_HIGHEST_PCESVN = 0xFFFF
_HIGHEST_COMPONENT = 0xFF  # an SVN of TEE_TCB_SVN or of a PCK certificate is a byte
_HIGHEST_EVALUATION_NUMBER = 0xFFFFFFFF
_MAXIMUM_MODULES = 16  # two seen

_INFO = frozenset(
    {
        "id",
        "version",
        "issueDate",
        "nextUpdate",
        "fmspc",
        "pceId",
        "tcbType",
        "tcbEvaluationDataNumber",
        "tdxModule",
        "tcbLevels",
    }
)
_INFO_OPTIONAL = frozenset({"tdxModuleIdentities"})
_MODULE = frozenset({"mrsigner", "attributes", "attributesMask"})
_IDENTITY = _MODULE | {"id", "tcbLevels"}
_TCB = frozenset({"sgxtcbcomponents", "pcesvn", "tdxtcbcomponents"})
_COMPONENT = frozenset({"svn"})
_COMPONENT_OPTIONAL = frozenset({"category", "type"})
# Two upper-case digits of TEE_TCB_SVN[1].
_IDENTITY_ID = re.compile(r"TDX_([0-9A-F]{2})")

Label = tuple[str | None, str | None]
"""Category and type of a component, for people."""
Labels = tuple[Label, ...]

_NO_LABEL: Label = (None, None)
_BIOS: Label = ("BIOS", None)
SGX_LABELS: Final[Labels] = (
    ("BIOS", "Early Microcode Update"),
    ("OS/VMM", "SGX Late Microcode Update"),
    ("OS/VMM", "TXT SINIT"),
    _BIOS,
    _BIOS,
    _BIOS,
    _NO_LABEL,
    ("OS/VMM", "SEAMLDR ACM"),
    *(_NO_LABEL,) * 8,
)
"""How Intel labels a platform's SGX components."""
TDX_LABELS: Final[Labels] = (
    ("OS/VMM", "TDX Module"),
    ("OS/VMM", "TDX Module"),
    ("OS/VMM", "TDX Late Microcode Update"),
    *(_NO_LABEL,) * 13,
)
"""How Intel labels a platform's TDX components."""


@record
class PlatformLevel:
    """A level of the platform: what its SVNs have to reach, each by itself, and what Intel says about it then."""

    sgx: bytes
    """16 SVNs, for those of the PCK certificate."""
    pcesvn: int
    tdx: bytes
    """16 SVNs, for TEE_TCB_SVN."""
    tcb_date: datetime
    status: TcbStatus
    advisories: tuple[str, ...] = ()
    sgx_labels: Labels = SGX_LABELS
    tdx_labels: Labels = TDX_LABELS


PlatformRank = tuple[bytes, int, bytes]
"""What a level demands: SGX's SVNs, PCESVN and TDX's SVNs."""
rank_of = attrgetter("sgx", "pcesvn", "tdx")
"""Rank of a level: of two that differ, the leftmost difference decides which is higher."""


@record
class TdxModule:
    """What a TDX module has to say about itself."""

    mrsigner: bytes
    """48 bytes; zero for modules signed by Intel."""
    attributes: bytes
    """8 bytes, of SEAM_ATTRIBUTES."""
    attributes_mask: bytes
    """8 bytes."""


@record
class ModuleIdentity:
    """A module of one major version (TEE_TCB_SVN[1]), and the levels of its minor version (TEE_TCB_SVN[0])."""

    version: int
    module: TdxModule
    levels: Sequence[SvnLevel]

    @property
    def id(self) -> str:
        """The id in the file, like "TDX_01"."""
        return f"TDX_{self.version:02X}"


@record
class TcbInfo:
    """TCB info of one kind of platform."""

    issue_date: datetime
    next_update: datetime
    fmspc: bytes
    """6 bytes."""
    pce_id: bytes
    """2 bytes."""
    evaluation_number: int
    """tcbEvaluationDataNumber: which state of Intel's knowledge this is."""
    module: TdxModule
    """For modules without a major version."""
    module_identities: tuple[ModuleIdentity, ...] = ()
    """Empty in files from before TDX 1.5."""
    levels: Sequence[PlatformLevel]

    def identity(self, version: int) -> ModuleIdentity | None:
        """Find the identity of the modules of one major version."""
        for found in self.module_identities:
            if found.version == version:
                return found
        return None


def read_tcb_info(body: bytes) -> TcbInfo:
    """Read TCB info from the bytes that were signed.

    Raises Malformed; with category COLLATERAL_MISMATCH for another id than "TDX", UNSUPPORTED for another version,
    tcbType or name, TCB for an unknown status, SIZE_LIMIT above 256 KiB or too many entries.
    """
    try:
        return _read_at_once(body) if _HEAD.pays() else _read_by_member(body)
    except canonical.UNUSUAL:
        return _read_by_member(body)


def _read_by_member(body: bytes) -> TcbInfo:
    found = sj.read_document(body, NAME, kind=ID, version=VERSION, required=_INFO, optional=_INFO_OPTIONAL)
    # PCS API 4: how levels are compared; 0, component by component, is the only way there is.
    sj.require_number(found["tcbType"], "tcbType", 0)
    issue_date, next_update = sj.validity(found, NAME)
    return TcbInfo(
        issue_date=issue_date,
        next_update=next_update,
        fmspc=sj.octets(found["fmspc"], "fmspc", _FMSPC),
        pce_id=sj.octets(found["pceId"], "pceId", _PCE_ID),
        evaluation_number=sj.integer(
            found["tcbEvaluationDataNumber"], "tcbEvaluationDataNumber", _HIGHEST_EVALUATION_NUMBER
        ),
        module=_module(sj.members(found["tdxModule"], "tdxModule", _MODULE), "tdxModule"),
        module_identities=_identities(found["tdxModuleIdentities"]) if "tdxModuleIdentities" in found else (),
        levels=_levels(found["tcbLevels"]),
    )


def _read_at_once(body: bytes) -> TcbInfo:
    """Read TCB info in the form in which Intel writes it; raises one of `canonical.UNUSUAL` for any other."""
    text = canonical.text_of(body)
    head = _HEAD.compiled.match(text)
    if head is None:
        raise canonical.Unusual
    issued, until, fmspc, pce_id, evaluation_number, *about_module = head.groups()
    at = head.end()
    identities: tuple[ModuleIdentity, ...] = ()
    if text.startswith(_IDENTITIES_START, at):
        identities, at = _identities_at_once(text, at + len(_IDENTITIES_START))
        at += 1
    if not text.startswith(_LEVELS_START, at) or text[at - 1] != ",":
        raise canonical.Unusual
    levels, at = _levels_at_once(text, at + len(_LEVELS_START))
    issue_date, next_update = canonical.moment(issued), canonical.moment(until)
    if text[at:] != "}" or issue_date >= next_update:
        raise canonical.Unusual
    return _tcb_info(
        issue_date=issue_date,
        next_update=next_update,
        fmspc=bytes.fromhex(fmspc),
        pce_id=bytes.fromhex(pce_id),
        evaluation_number=canonical.number(evaluation_number, _HIGHEST_EVALUATION_NUMBER),
        module=_module_at_once(about_module),
        module_identities=identities,
        levels=levels,
    )


def _identities_at_once(text: str, at: int) -> tuple[tuple[ModuleIdentity, ...], int]:
    found: list[ModuleIdentity] = []
    behind = "},"
    while behind == "},":
        head = _IDENTITY_HEAD.compiled.match(text, at)
        if head is None:
            raise canonical.Unusual
        version, *about_module = head.groups()
        levels, end = canonical.svn_levels(text, head.end(), _HIGHEST_COMPONENT)
        found.append(_module_identity(version=int(version, 16), module=_module_at_once(about_module), levels=levels))
        at, behind = end + 2, text[end : end + 2]
    distinct = len({identity.version for identity in found}) == len(found)
    if behind != "}]" or len(found) > _MAXIMUM_MODULES or not distinct:
        raise canonical.Unusual
    return tuple(found), at


def _module_at_once(groups: list[str]) -> TdxModule:
    mrsigner, attributes, attributes_mask = map(bytes.fromhex, groups)
    return _tdx_module(mrsigner=mrsigner, attributes=attributes, attributes_mask=attributes_mask)


def _levels_at_once(text: str, at: int) -> tuple[Sequence[PlatformLevel], int]:
    found, end = canonical.entries(text, at, _LEVEL.compiled)
    # Of a level's two lists mostly one differs from the level above, so each is read where it changes.
    sgx = _each_changed([entry[0] for entry in found], _SGX_SVNS)
    tdx = _each_changed([entry[2] for entry in found], _TDX_SVNS)
    pcesvns = [int(entry[1]) for entry in found]
    ranks = [*zip(sgx, pcesvns, tdx, strict=True)]
    if len(set(ranks)) != len(ranks) or max(pcesvns) > _HIGHEST_PCESVN:
        raise canonical.Unusual
    return ReadLevels(ranks, [entry[3:6] for entry in found], _platform_level), end


def _platform_level(rank: PlatformRank, texts: canonical.Groups) -> PlatformLevel:
    sgx, pcesvn, tdx = rank
    tcb_date, status, advisories = canonical.rating_of(texts)
    return _new_level(sgx=sgx, pcesvn=pcesvn, tdx=tdx, tcb_date=tcb_date, status=status, advisories=advisories)


def _each_changed(texts: list[str], pattern: Pattern[str]) -> list[bytes]:
    svns, before, read = b"", "", []
    for text in texts:
        if text != before:
            svns, before = _svns_at_once(text, pattern), text
        read.append(svns)
    return read


def _svns_at_once(text: str, pattern: Pattern[str]) -> bytes:
    found = pattern.compiled.fullmatch(text)
    if found is None:
        raise canonical.Unusual
    return bytes(map(_SVNS.__getitem__, found.groups()))


def build_tcb_info(info: TcbInfo, *, fmspc_in_upper_case: bool = False) -> bytes:
    """Write the bytes to be signed, in Intel's order; values are not checked, so that a test can state wrong ones.

    Intel has written FMSPCs in either case.
    """
    identities = [_write_identity(identity) for identity in info.module_identities]
    return sj.build_body(
        {
            "id": ID,
            "version": VERSION,
            "issueDate": sj.write_moment(info.issue_date),
            "nextUpdate": sj.write_moment(info.next_update),
            "fmspc": sj.write_hex(info.fmspc) if fmspc_in_upper_case else info.fmspc.hex(),
            "pceId": sj.write_hex(info.pce_id),
            "tcbType": 0,
            "tcbEvaluationDataNumber": info.evaluation_number,
            "tdxModule": _write_module(info.module),
            **({"tdxModuleIdentities": identities} if identities else {}),
            "tcbLevels": [_write_level(level) for level in info.levels],
        }
    )


def _module(found: sj.Members, what: str) -> TdxModule:
    return TdxModule(
        mrsigner=sj.octets(found["mrsigner"], f"{what}, mrsigner", _MRSIGNER),
        attributes=sj.octets(found["attributes"], f"{what}, attributes", _ATTRIBUTES),
        attributes_mask=sj.octets(found["attributesMask"], f"{what}, attributesMask", _ATTRIBUTES),
    )


def _identities(value: object) -> tuple[ModuleIdentity, ...]:
    what = "tdxModuleIdentities"
    identities = tuple(_identity(entry, what) for entry in sj.array(value, what, _MAXIMUM_MODULES))
    sj.require_distinct(identities, what, lambda identity: identity.version)
    return identities


def _identity(value: object, what: str) -> ModuleIdentity:
    found = sj.members(value, what, _IDENTITY)
    name = sj.text(found["id"], f"{what}, id")
    matched = _IDENTITY_ID.fullmatch(name)
    if matched is None:
        raise Malformed(f'{what}, id: expected "TDX_" and two digits like "0A", got {name!a}')
    return ModuleIdentity(
        version=int(matched[1], 16),
        module=_module(found, what),
        levels=read_svn_levels(found["tcbLevels"], f"{name}, tcbLevels", _HIGHEST_COMPONENT),
    )


def _levels(value: object) -> tuple[PlatformLevel, ...]:
    levels = tuple(_level(entry) for entry in sj.array(value, "tcbLevels", MAXIMUM_LEVELS))
    sj.require_distinct(levels, "tcbLevels", rank_of)
    return levels


def _level(value: object) -> PlatformLevel:
    found = sj.members(value, "tcbLevels", REQUIRED, OPTIONAL)
    tcb = sj.members(found["tcb"], "tcbLevels, tcb", _TCB)
    tcb_date, status, advisories = read_rating(found, "tcbLevels", PLATFORM_STATUSES)
    sgx, sgx_labels = _components(tcb["sgxtcbcomponents"], "sgxtcbcomponents")
    tdx, tdx_labels = _components(tcb["tdxtcbcomponents"], "tdxtcbcomponents")
    return PlatformLevel(
        sgx=sgx,
        pcesvn=sj.integer(tcb["pcesvn"], "pcesvn", _HIGHEST_PCESVN),
        tdx=tdx,
        tcb_date=tcb_date,
        status=status,
        advisories=advisories,
        sgx_labels=sgx_labels,
        tdx_labels=tdx_labels,
    )


def _components(value: object, what: str) -> tuple[bytes, Labels]:
    entries = sj.array(value, what, MAXIMUM_LEVELS)
    if len(entries) != COMPONENTS:
        raise Malformed(f"{what}: expected {COMPONENTS} components, got {len(entries)}")
    try:
        return _read_components(tuple(entries))
    except TypeError as error:
        # A list in a component, and so nothing the cache could look up.
        raise Malformed(f"{what}: expected components of a number and texts: {error}") from error


@lru_cache(maxsize=256)
def _read_components(entries: tuple[object, ...]) -> tuple[bytes, Labels]:
    """Read a whole list; levels mostly differ in one of their two."""
    svns, labels = zip(*map(_component, entries), strict=True)
    return bytes(svns), labels


@lru_cache(maxsize=1024)
def _component(value: object) -> tuple[int, Label]:
    """Read one component; the few there are stand in every level of every file."""
    found = sj.members(value, "tcb component", _COMPONENT, _COMPONENT_OPTIONAL)
    category, kind = (sj.text(found[n], f"component, {n}") if n in found else None for n in ("category", "type"))
    return sj.integer(found["svn"], "component, svn", _HIGHEST_COMPONENT), (category, kind)


def _write_level(level: PlatformLevel) -> dict[str, object]:
    return {
        "tcb": {
            "sgxtcbcomponents": list(starmap(_write_component, zip(level.sgx, level.sgx_labels, strict=True))),
            "pcesvn": level.pcesvn,
            "tdxtcbcomponents": list(starmap(_write_component, zip(level.tdx, level.tdx_labels, strict=True))),
        },
        **write_rating(level.tcb_date, level.status, level.advisories),
    }


def _write_component(svn: int, label: Label) -> dict[str, object]:
    named = zip(("category", "type"), label, strict=True)
    return {"svn": svn, **{name: text for name, text in named if text is not None}}


def _write_module(module: TdxModule) -> dict[str, object]:
    return {
        "mrsigner": sj.write_hex(module.mrsigner),
        "attributes": sj.write_hex(module.attributes),
        "attributesMask": sj.write_hex(module.attributes_mask),
    }


def _write_identity(identity: ModuleIdentity) -> dict[str, object]:
    return {"id": identity.id, **_write_module(identity.module), "tcbLevels": write_svn_levels(identity.levels)}


def _pattern(labels: Labels) -> str:
    """Write the pattern of a list of components with these labels, each SVN a group."""
    return re.escape(_written(labels)).replace('"svn":0', '"svn":([0-9]+)')


def _written(labels: Labels) -> str:
    return sj.build_body([_write_component(0, label) for label in labels]).decode("ascii")


_SVNS = {str(svn): svn for svn in range(_HIGHEST_COMPONENT + 1)}
_new_level, _module_identity = maker(PlatformLevel), maker(ModuleIdentity)
_tdx_module, _tcb_info = maker(TdxModule), maker(TcbInfo)
_HEX_MODULE = (
    f'"mrsigner":"([0-9a-fA-F]{{{2 * _MRSIGNER}}})","attributes":"([0-9a-fA-F]{{{2 * _ATTRIBUTES}}})",'
    f'"attributesMask":"([0-9a-fA-F]{{{2 * _ATTRIBUTES}}})"'
)
# What comes before the lists, in Intel's order: see `build_tcb_info`.
_HEAD = Pattern(
    rf'\{{"id":"{ID}","version":{VERSION},"issueDate":{canonical.MOMENT},"nextUpdate":{canonical.MOMENT},'
    f'"fmspc":"([0-9a-fA-F]{{{2 * _FMSPC}}})","pceId":"([0-9a-fA-F]{{{2 * _PCE_ID}}})","tcbType":0,'
    rf'"tcbEvaluationDataNumber":{canonical.NUMBER},"tdxModule":\{{{_HEX_MODULE}\}},'
)
_IDENTITIES_START, _LEVELS_START = '"tdxModuleIdentities":[', '"tcbLevels":['
_IDENTITY_HEAD = Pattern(rf'\{{"id":"{_IDENTITY_ID.pattern}",{_HEX_MODULE},"tcbLevels":\[')
_SGX_SVNS, _TDX_SVNS = Pattern(_pattern(SGX_LABELS)), Pattern(_pattern(TDX_LABELS))


def _any_components(labels: Labels) -> str:
    """Write the pattern of such a list by its length alone, up to the bracket: 16 SVNs of one to three digits."""
    length = len(_written(labels)) - len("[]")
    return rf"(\[.{{{length},{length + 2 * COMPONENTS}}}?\])"


_LEVEL = Pattern(
    rf'\{{"tcb":\{{"sgxtcbcomponents":{_any_components(SGX_LABELS)},"pcesvn":{canonical.NUMBER},'
    rf'"tdxtcbcomponents":{_any_components(TDX_LABELS)}\}},{canonical.rating(PLATFORM_STATUSES)}\}}{canonical.BEHIND}',
    re.DOTALL,
)
