"""What is fuzzed: each function takes bytes from outside, and may do two things with them.

It gives a result or raises one of our errors. Anything else is a finding.
"""

from collections.abc import Callable
from dataclasses import fields
from datetime import UTC, datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import cvmproof
from cvmproof.policy.signed import claimed_statement, sign_policy
from cvmproof_agent.owner import messages
from cvmproof_agent.statement import NonceStatement
from cvmproof_formats.binding import BindingKind, Role, Tee
from cvmproof_formats.errors import CvmproofError, DeviceError, Malformed
from cvmproof_formats.evidence import read_evidence, write_evidence
from cvmproof_formats.evidence_fields import Evidence
from cvmproof_formats.pem import certificates
from cvmproof_formats.snp.certificate import read_amd_certificate, read_amd_crl
from cvmproof_formats.snp.certificate_table import VCEK, TableEntry, build_certificate_table, read_certificate_table
from cvmproof_formats.snp.product import ProductLine
from cvmproof_formats.snp.report import AttestationReport
from cvmproof_formats.tdx.certificate import read_intel_certificate
from cvmproof_formats.tdx.crl import read_intel_crl
from cvmproof_formats.tdx.evaluation_numbers import build_evaluation_numbers, read_evaluation_numbers
from cvmproof_formats.tdx.event_log import read_event_log
from cvmproof_formats.tdx.qe_identity import NAME as QE_IDENTITY
from cvmproof_formats.tdx.qe_identity import read_qe_identity
from cvmproof_formats.tdx.quote import read_padded_quote
from cvmproof_formats.tdx.signed_json import read_signed
from cvmproof_formats.tdx.tcb_info import NAME as TCB_INFO
from cvmproof_formats.tdx.tcb_info import read_tcb_info
from cvmproof_formats.tdx.tdreport import read_tdreport
from cvmproof_formats.x509 import read_certificate, read_crl
from cvmproof_simulator.psp import SoftwarePsp
from cvmproof_simulator.tdx.collateral import Collateral, simulated_evaluation_numbers
from cvmproof_simulator.tdx.td import SoftwareTd

AT = datetime(2026, 11, 1, tzinfo=UTC)
GENUINE = cvmproof.builtin_policy("genuine")


def read_policy(data: bytes) -> object:
    """Read a policy of either form."""
    return cvmproof.read_policy(data, name="fuzzed")


def appraise(data: bytes) -> object:
    """Appraise, and render the whole result."""
    appraisal = cvmproof.appraise(
        read_evidence(data),
        policies=[GENUINE],
        trust=cvmproof.TrustRoots.simulated(),
        freshness=cvmproof.NoFreshness(),
        now=AT,
    )
    return [str(check) for check in appraisal.checks]


def tcb_info(data: bytes) -> object:
    """Read TCB info as it is sent."""
    return read_tcb_info(read_signed(data, TCB_INFO).body)


def qe_identity(data: bytes) -> object:
    """Read a QE identity as it is sent."""
    return read_qe_identity(read_signed(data, QE_IDENTITY).body)


def same(at_once: Callable[[bytes], object], strict: Callable[[bytes], object]) -> Callable[[bytes], object]:
    """Give a target that reads at once what the strict reader takes too, and reads the same."""

    def read(data: bytes) -> object:
        found = at_once(data)
        try:
            expected = strict(data)
        except Malformed as error:
            raise AssertionError(f"read at once, and refused by the strict reader: {error}") from error
        if _every_field(found) != _every_field(expected):
            raise AssertionError(f"read at once as {found}, strictly as {expected}")
        return found

    return read


def _every_field(value: object) -> list[object]:
    """Those too that are left out of its own comparison."""
    return [getattr(value, field.name) for field in fields(value)]  # type: ignore[arg-type]  # a dataclass


def owner_answer(data: bytes) -> object:
    """Read evidence as the device owner sends it to its front."""
    return messages.read_evidence(data, NonceStatement(role=Role.SERVER, nonce=bytes(32)))


TARGETS: dict[str, Callable[[bytes], object]] = {
    "amd-certificate": same(read_amd_certificate, read_certificate),
    "amd-crl": same(read_amd_crl, read_crl),
    "appraise": appraise,
    "certificate": read_certificate,
    "certificate-table": read_certificate_table,
    "crl": read_crl,
    "evaluation-numbers": read_evaluation_numbers,
    "event-log": read_event_log,
    "evidence": read_evidence,
    "intel-certificate": same(read_intel_certificate, read_certificate),
    "intel-crl": same(read_intel_crl, read_crl),
    "owner-answer": owner_answer,
    "owner-request": messages.read_request,
    "pem": certificates,
    "policy": read_policy,
    "qe-identity": qe_identity,
    "quote": read_padded_quote,
    "report": AttestationReport.parse,
    "signed-policy": claimed_statement,
    "tcb-info": tcb_info,
    "tdreport": read_tdreport,
}


def once(name: str) -> Callable[[bytes], None]:
    """The target of that name, silent about our own errors only."""
    target = TARGETS[name]

    def run(data: bytes) -> None:
        try:
            target(data)
        except CvmproofError:
            return

    return run


def seeds() -> tuple[bytes, ...]:
    """Inputs to begin with: what the simulator makes and an operator writes, for every target alike."""
    return (*_of_a_guest(), *_of_a_td(), *_of_an_operator(), *_of_an_owner())


def _of_a_guest() -> tuple[bytes, ...]:
    psp = SoftwarePsp(ProductLine.GENOA)
    report, certificates = psp.report(bytes(64)), psp.certificates()
    table = build_certificate_table((TableEntry(guid=VCEK, data=certificates[0]),))
    evidence = Evidence(
        tee=Tee.SEV_SNP,
        report=report,
        certificates=certificates,
        binding=BindingKind.NONCE,
        role=Role.SERVER,
        nonce=bytes(32),
    )
    return (report, report + table, table, write_evidence(evidence), *certificates, psp.authorities.crl(AT))


def _of_a_td() -> tuple[bytes, ...]:
    td = SoftwareTd()
    known = Collateral.of(td.platform, AT)
    numbers = build_evaluation_numbers(simulated_evaluation_numbers(AT))
    measured = (td.quote(bytes(64)), td.quote(bytes(64), version=5), td.tdreport(bytes(64)), td.event_log(size=0))
    named = (known.pck_crl, *td.platform.certificates())
    return (*measured, *named, known.tcb_info_response, known.qe_identity_response, known.pck_crl_chain, numbers)


def _of_an_operator() -> tuple[bytes, ...]:
    policy = b'{"extends": "builtin:genuine", "revocation": "required"}'
    key = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    return (policy, sign_policy(policy, private_key=key, cvm_id="one", serial=1, expires_at=AT))


def _of_an_owner() -> tuple[bytes, ...]:
    statement = NonceStatement(role=Role.SERVER, nonce=bytes(32))
    asked = messages.write_request(messages.Attest(statement=statement, event_log=True))
    return (asked, messages.write_answer(statement.evidence(Tee.SEV_SNP)), messages.write_failure(DeviceError("busy")))
