"""What an SVSM says about the services it runs, such as a virtual TPM: a report of VMPL 0 over a manifest.

Follows Linux Documentation/ABI/testing/configfs-tsm-report (service_provider, manifestblob; Linux 6.11 and newer, shown
only where the kernel itself does not run at VMPL 0) and the SVSM specification, AMD 58019, attestation protocol.

The SVSM, and not the guest's kernel, asks for this report, and its REPORT_DATA is SHA-512 over our nonce and the
manifest. That is a way to appraise a virtual TPM, for a program that has the manifest and compares it. It is no
evidence of the agent: that would need the manifest beside the report, and a verifier that hashes both. So the agent's
devices never ask for it, and this function is for those who know what to do with the answer.
"""

import hashlib
from dataclasses import dataclass, field
from typing import Final

from cvmproof_agent.devices.patience import Patience
from cvmproof_agent.devices.snp.host_certificates import certificates_in
from cvmproof_agent.devices.tsm_entry import ROOT, new_entry
from cvmproof_agent.devices.tsm_request import SEV_GUEST, Wanted, ask
from cvmproof_formats.errors import Category, DeviceError, Malformed
from cvmproof_formats.snp.report import read_report

_SVSM: Final = "svsm"  # the only service_provider that Linux knows
_SVSM_VMPL: Final = 0  # AMD 58019: the SVSM runs at VMPL 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicesReport:
    """A report of 1184 bytes, the manifest that its REPORT_DATA is over, and the host's certificates."""

    report: bytes = field(repr=False)
    manifest: bytes = field(repr=False)
    certificates: tuple[bytes, ...] = field(default=(), repr=False)


def services_report_data(nonce: bytes, manifest: bytes) -> bytes:
    """Compute what the SVSM has reported: SHA-512 of both, one after the other; 64 bytes. AMD 58019."""
    return hashlib.sha512(nonce + manifest).digest()


def services_report(nonce: bytes, *, root: str = ROOT, patience: Patience | None = None) -> ServicesReport:
    """Have the SVSM report all of its services over a nonce of 64 bytes.

    Raises DeviceError where there is no SVSM (UNSUPPORTED), or where it answers with anything else.
    """
    _require_svsm(root)
    settings = (("service_provider", _SVSM),)
    answer = ask(
        Wanted(report_data=nonce, provider=SEV_GUEST, settings=settings, manifest=True), root=root, patience=patience
    )
    _require_over(answer.outblob, services_report_data(nonce, answer.manifest))
    certificates = certificates_in(answer.auxblob, source="SVSM")
    return ServicesReport(report=answer.outblob, manifest=answer.manifest, certificates=certificates)


def _require_svsm(root: str) -> None:
    with new_entry(root) as entry:
        if not (entry.has("service_provider") and entry.has("manifestblob")):
            raise DeviceError(
                f"{root}: this kernel shows no service_provider: there is no SVSM below it",
                category=Category.UNSUPPORTED,
                hint="an SVSM, and Linux 6.11 or newer that runs at another level than VMPL 0",
            )


def _require_over(report: bytes, expected: bytes) -> None:
    try:
        found = read_report(report)
    except Malformed as error:
        raise DeviceError(f"SVSM: what it returned is no report: {error}") from error
    if found.report_data != expected:
        raise DeviceError("SVSM: expected REPORT_DATA to be SHA-512 of nonce and manifest, got other bytes")
    if found.vmpl != _SVSM_VMPL:
        raise DeviceError(f"SVSM: expected a report of VMPL {_SVSM_VMPL}, got {found.vmpl}")
