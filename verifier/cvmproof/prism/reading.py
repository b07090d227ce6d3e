"""What the API's answers mean: JSON bytes to values. Unknown names are left alone, since an API grows.

Every function raises EndpointError that names the field, what was expected and what came.
"""

from urllib.parse import unquote, urlsplit

from cvmproof.prism.cvm import Cvm, CvmPage, CvmStat
from cvmproof.prism.fields import Fields
from cvmproof.prism.identifier import is_identifier
from cvmproof.spelling import escape
from cvmproof_formats.encoding import read_json
from cvmproof_formats.errors import Category, EndpointError, Malformed

_SAID_LIMIT = 120  # characters of the service's own words


def read_object(body: bytes, what: str) -> Fields:
    """Read one JSON object, strictly."""
    try:
        value = read_json(body, what=what, limit=len(body))
    except Malformed as error:
        raise EndpointError(escape(str(error), 300)) from error
    return Fields(value, what)


def read_cvm(fields: Fields) -> Cvm:
    """Read a record; all but `id` may be missing."""
    unreadable = tuple(name for name in ("attestation", "attestation_token") if not _is_readable(fields, name))
    return Cvm(
        id=fields.identifier("id"),
        name=fields.text("name"),
        cvm_id=fields.text("cvm_id"),
        agent_url=fields.text("agent_url") or None,
        status=fields.text("status"),
        state=fields.text("state"),
        created_at=fields.moment("created_at"),
        deleted_at=fields.moment("deleted_at"),
        provider=fields.text("provider"),
        vcpus=fields.whole("vcpus"),
        attestation=_snapshot(fields, "attestation", unreadable),
        attestation_token=_snapshot(fields, "attestation_token", unreadable),
        agent_log_level=fields.text("agent_log_level"),
        monthly_cost_estimate=fields.text("monthly_cost_estimate"),
        cc_platform=fields.text("cc_platform"),
        unreadable=unreadable,
    )


def read_view(fields: Fields, asked: str) -> Cvm:
    """Read the record that was asked for; another one is refused (IDENTITY)."""
    cvm = read_cvm(fields)
    if cvm.id != asked:
        message = f"{fields.what}: id: expected {escape(asked, 80)!r}, got {escape(cvm.id, 80)!r}"
        raise EndpointError(message, category=Category.IDENTITY)
    return cvm


def read_page(fields: Fields, *, limit: int | None, offset: int) -> CvmPage:
    """Read a page; what was asked for stands in for numbers that are missing."""
    cvms = tuple(read_cvm(record) for record in fields.objects("cvms"))
    total, echoed_limit, echoed_offset = (fields.whole(name) for name in ("total", "limit", "offset"))
    return CvmPage(
        cvms=cvms,
        total=offset + len(cvms) if total is None else total,
        limit=(len(cvms) if limit is None else limit) if echoed_limit is None else echoed_limit,
        offset=offset if echoed_offset is None else echoed_offset,
    )


def read_statistics(fields: Fields) -> tuple[CvmStat, ...]:
    """Read when a CVM was online; `cvm_id` may be either of its two names."""
    return tuple(_read_stat(record) for record in fields.objects("cvm_stats"))


def read_attestation_policy(fields: Fields) -> bytes:
    """Read a policy's bytes; empty is possible, and means that there is none."""
    if not fields.has("attestation_policy"):
        raise EndpointError(f"{fields.what}: attestation_policy: expected base64, got nothing")
    return fields.blob("attestation_policy")


def read_created(body: bytes, location: str) -> str | None:
    """Find the new CVM's id, which the documentation leaves out: in the body, else in Location, else nowhere.

    It was created, whatever the answer looks like: nothing is raised.
    """
    try:
        return read_object(body, "answer").identifier("id")
    except EndpointError:
        return _last_segment(location)


def read_said(body: bytes) -> tuple[str, str]:
    """Give the service's `error` and `message`, escaped and cut; empty for a body of any other form."""
    try:
        fields = read_object(body, "answer")
        return escape(fields.text("error"), _SAID_LIMIT), escape(fields.text("message"), _SAID_LIMIT)
    except EndpointError:
        return "", ""


def _read_stat(fields: Fields) -> CvmStat:
    timestamp = fields.moment("timestamp")
    if timestamp is None:
        raise EndpointError(f"{fields.what}: timestamp: expected a time as in RFC 3339, got none")
    return CvmStat(
        id=fields.text("id"), cvm_id=fields.text("cvm_id"), timestamp=timestamp, online=fields.truth("status")
    )


def _is_readable(fields: Fields, name: str) -> bool:
    fields.text(name)  # another type than text is refused, not noted
    try:
        fields.blob(name)
    except EndpointError:
        return False
    return True


def _snapshot(fields: Fields, name: str, unreadable: tuple[str, ...]) -> bytes | None:
    return None if name in unreadable else fields.blob(name) or None


def _last_segment(location: str) -> str | None:
    try:
        parts = urlsplit(location).path.split("/")
    except ValueError:
        return None
    name = unquote(parts[-1])
    return name if parts[-2:-1] == ["cvms"] and is_identifier(name) else None
