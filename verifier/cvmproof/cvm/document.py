"""A CVM's record and the findings about it, as parts of a result."""

from cvmproof.appraisal import Appraisal
from cvmproof.cvm.case import CvmCase
from cvmproof.cvm.fetched import FetchedPolicy
from cvmproof.document import CvmDocument, FetchedPolicyDocument, FindingDocument
from cvmproof.spelling import escape, spell_time


def cvm_document(case: CvmCase) -> CvmDocument:
    """Put a record into a document, its texts escaped."""
    cvm = case.cvm
    return {
        "id": escape(cvm.id),
        "name": escape(cvm.name),
        "cvm_id": escape(cvm.cvm_id),
        "agent_url": escape(cvm.agent_url or ""),
        "status": escape(cvm.status),
        "provider": escape(cvm.provider),
        "cc_platform": escape(cvm.cc_platform),
        "policy": _policy(case.fetched) if case.fetched else None,
    }


def finding_documents(case: CvmCase, appraisal: Appraisal) -> list[FindingDocument]:
    """Put what was found into documents."""
    return [
        {
            "id": finding.id,
            "category": finding.category,
            "expected": finding.expected,
            "got": finding.got,
            "why": finding.why,
        }
        for finding in case.findings_with(appraisal)
    ]


def _policy(fetched: FetchedPolicy) -> FetchedPolicyDocument:
    statement = fetched.statement
    return {
        "sha256": fetched.digest.hex(),
        "signed_by": statement.key_id.hex() if statement else None,
        "serial": statement.serial if statement else None,
        "expires_at": spell_time(statement.expires_at) if statement else None,
    }
