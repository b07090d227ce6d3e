"""QE identity: which quoting enclaves Intel vouches for, and which of their versions are up to date.

Follows PCS API 4, "Enclave identity", version 2. Identities of other enclaves ("QE", "QVE", "QAE") look the same and
are signed by the same key, but say nothing about the quoting enclave of a TD.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from cvmproof_formats.pattern import Pattern
from cvmproof_formats.record import maker, record
from cvmproof_formats.tdx import canonical
from cvmproof_formats.tdx import signed_json as sj
from cvmproof_formats.tdx.tcb_level import SvnLevel, read_svn_levels, write_svn_levels

NAME: Final = "enclaveIdentity"
"""Name of the object in the response of the provisioning service."""
ID: Final = "TD_QE"
VERSION: Final = 2

# PCS API 4, enclave identity version 2: lengths in bytes.
_MISCSELECT, _ATTRIBUTES, _MRSIGNER = 4, 16, 32
_HIGHEST_PRODUCT = 0xFFFF
_HIGHEST_SVN = 0xFFFF  # ISVSVN of an enclave report has two bytes
_HIGHEST_EVALUATION_NUMBER = 0xFFFFFFFF
_NAMES = frozenset(
    {
        "id",
        "version",
        "issueDate",
        "nextUpdate",
        "tcbEvaluationDataNumber",
        "miscselect",
        "miscselectMask",
        "attributes",
        "attributesMask",
        "mrsigner",
        "isvprodid",
        "tcbLevels",
    }
)


@record
class QeIdentity:
    """What the report of a genuine TD quoting enclave says, and the levels of its ISVSVN.

    Masked bytes are compared with those of the report as they stand there.
    """

    issue_date: datetime
    next_update: datetime
    evaluation_number: int
    """tcbEvaluationDataNumber: which state of Intel's knowledge this is."""
    miscselect: bytes
    """4 bytes."""
    miscselect_mask: bytes
    attributes: bytes
    """16 bytes."""
    attributes_mask: bytes
    mrsigner: bytes
    """32 bytes."""
    isvprodid: int
    levels: Sequence[SvnLevel]


def read_qe_identity(body: bytes) -> QeIdentity:
    """Read a QE identity from the bytes that were signed.

    Raises Malformed; with category COLLATERAL_MISMATCH for another id than "TD_QE", UNSUPPORTED for another version or
    name, TCB for an unknown status, SIZE_LIMIT above 256 KiB or too many entries.
    """
    try:
        return _read_at_once(body) if _HEAD.pays() else _read_by_member(body)
    except canonical.UNUSUAL:
        return _read_by_member(body)


def _read_by_member(body: bytes) -> QeIdentity:
    found = sj.read_document(body, NAME, kind=ID, version=VERSION, required=_NAMES)
    issue_date, next_update = sj.validity(found, NAME)
    return QeIdentity(
        issue_date=issue_date,
        next_update=next_update,
        evaluation_number=sj.integer(
            found["tcbEvaluationDataNumber"], "tcbEvaluationDataNumber", _HIGHEST_EVALUATION_NUMBER
        ),
        miscselect=sj.octets(found["miscselect"], "miscselect", _MISCSELECT),
        miscselect_mask=sj.octets(found["miscselectMask"], "miscselectMask", _MISCSELECT),
        attributes=sj.octets(found["attributes"], "attributes", _ATTRIBUTES),
        attributes_mask=sj.octets(found["attributesMask"], "attributesMask", _ATTRIBUTES),
        mrsigner=sj.octets(found["mrsigner"], "mrsigner", _MRSIGNER),
        isvprodid=sj.integer(found["isvprodid"], "isvprodid", _HIGHEST_PRODUCT),
        levels=read_svn_levels(found["tcbLevels"], "QE tcbLevels", _HIGHEST_SVN),
    )


def _read_at_once(body: bytes) -> QeIdentity:
    """Read a QE identity in the form in which Intel writes it; raises one of `canonical.UNUSUAL` for any other."""
    text = canonical.text_of(body)
    head = _HEAD.compiled.match(text)
    if head is None:
        raise canonical.Unusual
    issued, until, evaluation_number, *octets, isvprodid = head.groups()
    levels, end = canonical.svn_levels(text, head.end(), _HIGHEST_SVN)
    issue_date, next_update = canonical.moment(issued), canonical.moment(until)
    if text[end:] != "}" or issue_date >= next_update:
        raise canonical.Unusual
    miscselect, miscselect_mask, attributes, attributes_mask, mrsigner = map(bytes.fromhex, octets)
    return _qe_identity(
        issue_date=issue_date,
        next_update=next_update,
        evaluation_number=canonical.number(evaluation_number, _HIGHEST_EVALUATION_NUMBER),
        miscselect=miscselect,
        miscselect_mask=miscselect_mask,
        attributes=attributes,
        attributes_mask=attributes_mask,
        mrsigner=mrsigner,
        isvprodid=canonical.number(isvprodid, _HIGHEST_PRODUCT),
        levels=levels,
    )


def build_qe_identity(identity: QeIdentity) -> bytes:
    """Write the bytes to be signed, in Intel's order; values are not checked, so that a test can state wrong ones."""
    return sj.build_body(
        {
            "id": ID,
            "version": VERSION,
            "issueDate": sj.write_moment(identity.issue_date),
            "nextUpdate": sj.write_moment(identity.next_update),
            "tcbEvaluationDataNumber": identity.evaluation_number,
            "miscselect": sj.write_hex(identity.miscselect),
            "miscselectMask": sj.write_hex(identity.miscselect_mask),
            "attributes": sj.write_hex(identity.attributes),
            "attributesMask": sj.write_hex(identity.attributes_mask),
            "mrsigner": sj.write_hex(identity.mrsigner),
            "isvprodid": identity.isvprodid,
            "tcbLevels": write_svn_levels(identity.levels),
        }
    )


_qe_identity = maker(QeIdentity)
_SIZES = {
    "miscselect": _MISCSELECT,
    "miscselectMask": _MISCSELECT,
    "attributes": _ATTRIBUTES,
    "attributesMask": _ATTRIBUTES,
    "mrsigner": _MRSIGNER,
}
# What comes before the levels, in Intel's order: see `build_qe_identity`.
_HEAD = Pattern(
    rf'\{{"id":"{ID}","version":{VERSION},"issueDate":{canonical.MOMENT},"nextUpdate":{canonical.MOMENT},'
    rf'"tcbEvaluationDataNumber":{canonical.NUMBER},'
    + "".join(f'"{name}":"([0-9a-fA-F]{{{2 * size}}})",' for name, size in _SIZES.items())
    + rf'"isvprodid":{canonical.NUMBER},"tcbLevels":\['
)
