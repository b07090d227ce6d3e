"""What a certificate or revocation list says, with AMD's and Intel's extensions; believed by nobody."""

from collections.abc import Iterator

from cvmproof.rendering.section import Section, spell_yes
from cvmproof.spelling import escape, spell_time
from cvmproof_formats.errors import Malformed
from cvmproof_formats.snp.vek import read_vek
from cvmproof_formats.tdx.pck import read_pck
from cvmproof_formats.x509 import Certificate, common_name, read_certificate, read_crl


def certificate_or_list(der: bytes) -> Section:
    """Read DER, whichever of the two it is; where it is neither, say why."""
    problems = []
    for read in (_certificate, _crl):
        try:
            return read(der)
        except Malformed as error:
            problems.append(escape(str(error)))
    return Section(
        "neither a certificate nor a revocation list",
        (("size", f"{len(der)} bytes"), ("as certificate", problems[0]), ("as revocation list", problems[1])),
    )


def _certificate(der: bytes) -> Section:
    certificate = read_certificate(der)
    fields = (
        ("subject", escape(common_name(certificate.subject))),
        ("issuer", escape(common_name(certificate.issuer))),
        ("serial", f"{certificate.serial:#x}"),
        ("not_before", spell_time(certificate.not_before)),
        ("not_after", spell_time(certificate.not_after)),
        *_of_amd(certificate),
        *_of_intel(certificate),
    )
    return Section("certificate", fields)


def _of_amd(certificate: Certificate) -> Iterator[tuple[str, str]]:
    try:
        identity = read_vek(certificate.extensions)
    except Malformed:
        return
    yield "key", identity.kind
    yield "product", f"{identity.product} ({identity.product_name})"
    yield "tcb", str(identity.tcb)
    if identity.hwid is not None:
        yield "hwid", identity.hwid.hex()
    if identity.csp_id is not None:
        yield "csp_id", escape(identity.csp_id)


def _of_intel(certificate: Certificate) -> Iterator[tuple[str, str]]:
    try:
        identity = read_pck(certificate)
    except Malformed:
        return
    yield "key", f"PCK, of the {identity.ca} CA"
    yield "fmspc", identity.fmspc.hex()
    yield "pceid", identity.pceid.hex()
    yield "pcesvn", str(identity.pcesvn)
    yield "components", " ".join(map(str, identity.components))
    yield "cpusvn", identity.cpusvn.hex()
    yield "ppid", identity.ppid.hex()
    yield "sgx_type", f"{identity.sgx_type:d} ({identity.sgx_type.name.lower()})"
    if identity.platform is not None:
        yield "platform_instance_id", identity.platform.instance_id.hex()
        for name in ("dynamic_platform", "cached_keys", "smt_enabled"):
            yield name, spell_yes(getattr(identity.platform, name))


def _crl(der: bytes) -> Section:
    crl = read_crl(der)
    fields = (
        ("issuer", escape(common_name(crl.issuer))),
        ("this_update", spell_time(crl.this_update)),
        ("next_update", spell_time(crl.next_update) if crl.next_update else "none"),
        ("revoked", ", ".join(f"{serial:#x}" for serial in sorted(crl.serials)[:32]) or "none"),
    )
    return Section("revocation list", fields)
