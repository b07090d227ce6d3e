"""Evidence as it travels: the evidence file, the raw report with or without its certificate table, and the raw quote.

The file is strict JSON, `schema: "cvmproof.evidence/1"`, bytes in base64: see `docs/evidence.md`. What it says about
itself (kind of binding, role, nonce, key) is a label; only what the report signed counts.
"""

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

from cvmproof_formats.binding import NONCE_SIZE, SPKI_SIZE, USER_DATA_LIMIT, BindingKind, Role, Tee
from cvmproof_formats.encoding import read_base64, read_json, require_size, write_base64
from cvmproof_formats.errors import Category, Malformed, Misuse
from cvmproof_formats.evidence_fields import CERTIFICATE_COUNT_LIMIT, EVENT_LOG_LIMIT, REPORT_LIMIT, Evidence
from cvmproof_formats.pem import certificates as read_certificates
from cvmproof_formats.record import maker
from cvmproof_formats.snp import certificate_table
from cvmproof_formats.snp.report import REPORT_SIZE, read_report
from cvmproof_formats.tdx.resemblance import resembles_quote

__all__ = [
    "CERTIFICATE_COUNT_LIMIT",
    "EVENT_LOG_LIMIT",
    "FILE_LIMIT",
    "REPORT_LIMIT",
    "SCHEMA",
    "Evidence",
    "read_evidence",
    "write_evidence",
]

SCHEMA = "cvmproof.evidence/1"

# Of what is read at all, design section 8.5.
FILE_LIMIT = 6 * 1024 * 1024  # bytes: report and event log at their limits in base64, and the names

_REQUIRED_WITH = {
    BindingKind.CHANNEL: frozenset({"role", "nonce", "spki"}),
    BindingKind.KEY: frozenset({"role", "nonce", "spki"}),
    BindingKind.NONCE: frozenset({"role", "nonce"}),
    BindingKind.USER: frozenset({"uid", "user_data"}),
}
_LABELS = frozenset({"role", "nonce", "spki", "uid", "user_data"})
_FIELDS = frozenset({"schema", "tee", "binding", "report", "certificates", "event_log"}) | _LABELS

_evidence = maker(Evidence)
Choice = TypeVar("Choice", bound=StrEnum)


def read_evidence(data: bytes) -> Evidence:
    """Read an evidence file, a raw SNP report with or without a certificate table behind it, or a raw TDX quote.

    A quote is kept with whatever stands behind it: `read_padded_quote` says whether that is padding.

    Raises Malformed; with category SIZE_LIMIT before anything too large is parsed, UNSUPPORTED for other kinds.
    """
    if data.lstrip(b" \t\r\n")[:1] == b"{":
        return _read_file(data)
    return _read_raw(data)


def write_evidence(evidence: Evidence) -> bytes:
    """Write an evidence file: UTF-8 JSON with a new line at its end.

    Raises Misuse for evidence without a kind of binding: a raw report travels as it is.
    """
    if evidence.binding is None:
        raise Misuse("evidence file: expected a kind of binding, got none")
    document: dict[str, object] = {"schema": SCHEMA, "tee": evidence.tee, "binding": evidence.binding}
    for name in ("role", "nonce", "spki", "uid", "user_data"):
        value = getattr(evidence, name)
        if value is not None:
            document[name] = write_base64(value) if isinstance(value, bytes) else value
    document["report"] = write_base64(evidence.report)
    document["certificates"] = [write_base64(certificate) for certificate in evidence.certificates]
    if evidence.event_log is not None:
        document["event_log"] = write_base64(evidence.event_log)
    return (json.dumps(document, indent=1) + "\n").encode()


def _read_raw(data: bytes) -> Evidence:
    require_size(data, what="raw report with certificate table, or raw quote", limit=REPORT_LIMIT)
    if resembles_quote(data):
        return _evidence(tee=Tee.TDX, report=data)
    report, table = data[:REPORT_SIZE], data[REPORT_SIZE:]
    if len(report) < REPORT_SIZE:
        raise Malformed(
            f"evidence: expected an SNP report of {REPORT_SIZE} bytes, a TDX quote or an evidence file,"
            f" got {len(data)} bytes"
        )
    if not table:
        return Evidence(tee=Tee.SEV_SNP, report=report)
    read_report(report)  # first: of bytes that are no report at all, the table has nothing useful to say
    entries = certificate_table.read_certificate_table(table)
    certificates = [
        der
        for entry in entries
        if entry.guid in certificate_table.CERTIFICATES
        for der in read_certificates(entry.data.rstrip(b"\0") if entry.data[:1] == b"-" else entry.data)
    ]
    crls = sum(entry.guid == certificate_table.CRL for entry in entries)
    return Evidence(tee=Tee.SEV_SNP, report=report, certificates=tuple(certificates), ignored_crls=crls)


def _read_file(data: bytes) -> Evidence:
    document = read_json(data, what="evidence file", limit=FILE_LIMIT)
    if not isinstance(document, dict):
        raise Malformed("evidence file: expected one JSON object")
    if document.get("schema") != SCHEMA:
        raise Malformed(
            f"evidence file: schema: expected {SCHEMA!r}, got {str(document.get('schema'))[:40]!r}",
            category=Category.UNSUPPORTED,
        )
    _refuse_names(document, _FIELDS, "unknown")
    binding = _choice(document, "binding", BindingKind)
    _require_labels(document, binding)
    report = _bytes(document, "report")
    certificates = _certificates(document)
    require_size(b"".join((report, *certificates)), what="report with its certificates", limit=REPORT_LIMIT)
    return Evidence(
        tee=_choice(document, "tee", Tee),
        binding=binding,
        report=report,
        certificates=certificates,
        role=_choice(document, "role", Role) if "role" in document else None,
        nonce=_bytes(document, "nonce", size=NONCE_SIZE) if "nonce" in document else None,
        spki=_bytes(document, "spki", size=SPKI_SIZE) if "spki" in document else None,
        uid=_uid(document) if "uid" in document else None,
        user_data=_bytes(document, "user_data", limit=USER_DATA_LIMIT) if "user_data" in document else None,
        event_log=_bytes(document, "event_log", limit=EVENT_LOG_LIMIT) if "event_log" in document else None,
    )


def _require_labels(document: Mapping[str, object], binding: BindingKind) -> None:
    needed = _REQUIRED_WITH[binding]
    missing = needed - document.keys()
    if missing:
        raise Malformed(f"evidence file: {binding} binding needs {', '.join(sorted(missing))}")
    _refuse_names(dict.fromkeys(document.keys() & _LABELS), needed, f"not part of {binding} binding")


def _refuse_names(document: Mapping[str, object], known: frozenset[str], why: str) -> None:
    strange = sorted(document.keys() - known)
    if strange:
        raise Malformed(f"evidence file: {strange[0][:40]!r} is {why}")


def _choice(document: Mapping[str, object], name: str, choices: type[Choice]) -> Choice:
    value = document.get(name)
    for choice in choices:
        if type(value) is str and value == choice:
            return choice
    expected = ", ".join(choices)
    raise Malformed(
        f"evidence file: {name}: expected one of {expected}, got {str(value)[:40]!r}", category=Category.UNSUPPORTED
    )


def _bytes(document: Mapping[str, object], name: str, *, size: int | None = None, limit: int = REPORT_LIMIT) -> bytes:
    value = document.get(name)
    if not isinstance(value, str):
        raise Malformed(f"evidence file: {name}: expected base64 in a string")
    data = read_base64(value, what=f"evidence file: {name}", size=size)
    require_size(data, what=f"evidence file: {name}", limit=limit)
    return data


def _certificates(document: Mapping[str, object]) -> tuple[bytes, ...]:
    value = document.get("certificates")
    if not isinstance(value, list):
        raise Malformed("evidence file: certificates: expected a list")
    if len(value) > CERTIFICATE_COUNT_LIMIT:
        raise Malformed(
            f"evidence file: certificates: expected at most {CERTIFICATE_COUNT_LIMIT}, got {len(value)}",
            category=Category.SIZE_LIMIT,
        )
    return tuple(_bytes({"certificates": item}, "certificates") for item in value)


def _uid(document: Mapping[str, object]) -> int:
    value = document.get("uid")
    if type(value) is not int or not 0 <= value < 1 << 32:
        raise Malformed("evidence file: uid: expected an integer from 0 to 2^32 - 1")
    return value
