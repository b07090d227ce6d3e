"""The document of an appraisal: what it says, in the shape that its schema has."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Unpack, cast

import jsonschema
import pytest

import cvmproof
from cvmproof.document import AppraisalDocument, ErrorDocument, appraisal_document, error_detail, error_document
from cvmproof.document_shape import read_document
from cvmproof.snp.claims_document import SnpClaimsDocument
from cvmproof_formats.snp.product import KeyKind, ProductLine
from cvmproof_simulator.psp import ReportFields, SoftwarePsp

NOW = datetime(2026, 9, 1, 12, tzinfo=UTC)


def claims_of(found: AppraisalDocument) -> SnpClaimsDocument:
    return cast("SnpClaimsDocument", found["claims"])


def document(psp: SoftwarePsp, **fields: Unpack[ReportFields]) -> AppraisalDocument:
    policies = [cvmproof.builtin_policy("genuine")]
    appraisal = cvmproof.appraise(
        cvmproof.read_evidence(psp.report(bytes(range(64)), **fields)),
        policies=policies,
        trust=cvmproof.TrustRoots.simulated(),
        freshness=cvmproof.ExpectedReportData(bytes(range(64))),
        now=NOW,
        collateral=cvmproof.Collateral(certificates=psp.certificates()),
    )
    return appraisal_document(appraisal, policies)


@pytest.mark.parametrize("version", [2, 3, 4, 5])
@pytest.mark.parametrize("key", KeyKind)
@pytest.mark.parametrize("product", ProductLine)
def test_every_kind_of_report_gives_a_document_of_the_schema(
    root: Path, product: ProductLine, key: KeyKind, version: int
) -> None:
    found = json.loads(json.dumps(document(SoftwarePsp(product, key, version=version))))
    schema = json.loads((root / "verifier/cvmproof/schema/appraisal.schema.json").read_text())
    jsonschema.validate(found, schema)
    assert read_document(found, AppraisalDocument, "result") == found


def test_its_head_says_what_was_decided_when_and_by_whose_word() -> None:
    found = document(SoftwarePsp(ProductLine.GENOA))
    assert found["schema"] == "cvmproof.appraisal/1"
    assert (found["verdict"], found["assurance"], found["simulated"]) == ("accepted", "evidence-only", True)
    assert (found["identity_pinned"], found["identity_pin_source"]) == ("none", None)
    assert (found["appraised_at"], found["expires_at"]) == ("2026-09-01T12:00:00Z", "2026-09-01T12:10:00Z")
    assert found["policies"][0]["name"] == "builtin:genuine"
    assert len(found["policies"][0]["sha256"]) == 64
    assert "snp.measurement" in found["unconstrained"]


def test_a_rejected_result_has_no_end_and_every_check() -> None:
    found = document(SoftwarePsp(ProductLine.GENOA), policy=0xB0000)
    assert (found["verdict"], found["expires_at"]) == ("rejected", None)
    failed = [check for check in found["checks"] if check["outcome"] == "fail"]
    assert [(check["id"], check["category"], check["expected"], check["got"]) for check in failed] == [
        ("snp.guest_policy.debug", "DEBUG", "0", "1")
    ]


def test_what_a_report_leaves_out_is_null() -> None:
    claims = claims_of(document(SoftwarePsp(ProductLine.MILAN, KeyKind.VLEK, version=2)))
    assert (claims["cpuid"], claims["mitigations"], claims["chip_id"], claims["part"]) == (None, None, None, None)


def test_a_tcb_that_does_not_fit_is_null() -> None:
    claims = claims_of(document(SoftwarePsp(ProductLine.GENOA), launch_tcb=b"\0\0\xff" + bytes(5)))
    assert claims["launch_tcb"] is None
    assert claims["reported_tcb"] is not None


def test_an_error_is_a_document_of_its_own_escaped() -> None:
    error = cvmproof.Misuse("a\x1b[2J", hint="do \u202e this")
    found = error_document(error_detail(error))
    assert read_document(found, ErrorDocument, "result")["error"] == {
        "class": "Misuse",
        "category": "POLICY_INVALID",
        "message": "a\\x1b[2J",
        "hint": "do \\u202e this",
    }
