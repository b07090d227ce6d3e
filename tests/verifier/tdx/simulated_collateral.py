"""Inputs whose collateral or platform is another one: each thing changed, and signed again by whoever signs it."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import product

from tests.verifier.tdx.differential import Input
from tests.verifier.tdx.json_changes import changes_of, forms_of, members
from tests.verifier.tdx.simulated_input import COLLATERAL, ISSUED, NOW, PLATFORM, REPORT_DATA, TD, good_input, input_of
from tests.verifier.tdx.simulated_quotes import STRANGER, put, signatures

from cvmproof_formats import der
from cvmproof_formats.pem import write_pem
from cvmproof_formats.tdx.hierarchy import SGX_EXTENSIONS, Ca
from cvmproof_formats.tdx.pck import SgxType
from cvmproof_formats.tdx.signed_json import Signed
from cvmproof_formats.tdx.tcb_status import PART_STATUSES, TcbStatus
from cvmproof_formats.x509 import (
    AUTHORITY_KEY_IDENTIFIER,
    BASIC_CONSTRAINTS,
    CRL_DISTRIBUTION_POINTS,
    CRL_NUMBER,
    KEY_USAGE,
    SUBJECT_KEY_IDENTIFIER,
    Extension,
    KeyUsage,
    read_certificate,
)
from cvmproof_simulator.psp import derive_key
from cvmproof_simulator.tdx.ca import CertificateChanges, CrlChanges, IntelCa
from cvmproof_simulator.tdx.collateral import Collateral
from cvmproof_simulator.tdx.platform import PCESVNS, QE_SVNS, SoftwarePlatform
from cvmproof_simulator.tdx.td import MODULE_2_0, MODULE_SVNS, SoftwareModule, SoftwareTd

_CA = IntelCa()
_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)
_UNKNOWN = Extension(oid="1.2.3.4.5", value=der.null())
_UNKNOWN_CRITICAL = Extension(oid="1.2.3.4.5", value=der.null(), critical=True)
_ECDSA_SHA384 = der.sequence(der.oid("1.2.840.10045.4.3.3"))
_P384 = derive_key(b"a stranger's", curve="P-384")


def _signed(body: bytes) -> Signed:
    return Signed(body=body, signature=_CA.sign(body))


def other_tcb_infos() -> Iterator[Input]:
    """TCB info with one member changed, signed; then in other forms, signed and not."""
    good = good_input().tcb_info
    for name in members(good.body):
        for change, body in changes_of(good.body, name):
            yield good_input().but(f"TCB info, {name}", change, tcb_info=_signed(body))
    for change, body in forms_of(good.body):
        yield good_input().but("TCB info, form", f"signed, {change}", tcb_info=_signed(body))
        yield good_input().but("TCB info, form", change, tcb_info=good._replace(body=body))
    for change, signature in signatures(good.signature):
        yield good_input().but("TCB info, signature", change, tcb_info=good._replace(signature=signature))
    for at in range(0, len(good.body), 97):
        changed = good._replace(body=put(good.body, at, bytes([good.body[at] ^ 1])))
        yield good_input().but("TCB info, a bit", f"{at}", tcb_info=changed)


def other_qe_identities() -> Iterator[Input]:
    """The same of the QE identity."""
    good = good_input().qe_identity
    for name in members(good.body):
        for change, body in changes_of(good.body, name):
            yield good_input().but(f"QE identity, {name}", change, qe_identity=_signed(body))
    for change, body in forms_of(good.body):
        yield good_input().but("QE identity, form", f"signed, {change}", qe_identity=_signed(body))
        yield good_input().but("QE identity, form", change, qe_identity=good._replace(body=body))
    for change, signature in signatures(good.signature):
        yield good_input().but("QE identity, signature", change, qe_identity=good._replace(signature=signature))
    for at in range(0, len(good.body), 31):
        changed = good._replace(body=put(good.body, at, bytes([good.body[at] ^ 1])))
        yield good_input().but("QE identity, a bit", f"{at}", qe_identity=changed)


def other_levels() -> Iterator[Input]:
    """Levels of the platform with other members."""
    body = good_input().tcb_info.body
    component, first = b'{"svn":4', body[body.index(b'"sgxtcbcomponents":[') :]
    sixteen = first[: first.index(b"]") + 1]
    changes = {
        "15 components": body.replace(sixteen, sixteen.replace(b",{}]", b"]").rpartition(b",{")[0] + b"]"),
        "17 components": body.replace(sixteen, sixteen[:-1] + b',{"svn":0}]'),
        "no levels": body[: body.rindex(b'"tcbLevels":')] + b'"tcbLevels":[]}',
        "levels missing": body[: body.rindex(b',"tcbLevels":')] + b"}",
        **{
            f"SVN {value.decode()}": body.replace(component, b'{"svn":' + value, 1)
            for value in (b"256", b"-1", b"4.0", b'"4"', b"true", b"null", b"04", b"3", b"5")
        },
        "component without SVN": body.replace(b'"svn"', b'"other"', 1),
    }
    for change, changed in changes.items():
        yield good_input().but("TCB info, levels", change, tcb_info=_signed(changed))


def other_orders() -> Iterator[Input]:
    """Levels in another order, too many, too few: of the platform, and of the quoting enclave."""
    levels = tuple(COLLATERAL.tcb_info.levels)
    orders = {"reversed": levels[::-1], "rotated": levels[3:] + levels[:3], "the last alone": levels[-1:]}
    orders |= {"the first twice": levels[:1] + levels, "the second twice": levels[:2] + levels[1:]}
    for change, order in orders.items():
        yield input_of("TCB info, levels", change, collateral=COLLATERAL.with_tcb_info(levels=order))
    enclaves = tuple(COLLATERAL.qe_identity.levels)
    of_enclave = {"reversed": enclaves[::-1], "none": (), "the first twice": enclaves[:1] + enclaves}
    of_enclave |= {f"{svn}": (replace(enclaves[0], isvsvn=svn),) for svn in range(10)}
    for change, found in of_enclave.items():
        yield input_of("QE identity, levels", change, collateral=COLLATERAL.with_qe_identity(levels=found))


def other_modules() -> Iterator[Input]:
    """Identities of other TDX modules, in another order, with other members."""
    identities = COLLATERAL.tcb_info.module_identities
    for change, given in {
        "none": (),
        "the older one": identities[1:],
        "the newer one": identities[:1],
        "reversed": identities[::-1],
        "the same twice": identities + identities[1:],
        "another one": (replace(identities[1], version=2),),
        "one of version 0": (replace(identities[1], version=0), *identities),
        "no levels": tuple(replace(identity, levels=()) for identity in identities),
        "levels reversed": tuple(replace(identity, levels=identity.levels[::-1]) for identity in identities),
        "another signer": tuple(
            replace(i, module=replace(i.module, mrsigner=b"\1".rjust(48, b"\0"))) for i in identities
        ),
        "other attributes": tuple(
            replace(i, module=replace(i.module, attributes=b"\1".ljust(8, b"\0"))) for i in identities
        ),
        "no mask": tuple(replace(i, module=replace(i.module, attributes_mask=bytes(8))) for i in identities),
    }.items():
        collateral = COLLATERAL.with_tcb_info(module_identities=given)
        yield input_of("TCB info, module identities", change, collateral=collateral)


def other_states() -> Iterator[Input]:
    """Every status of platform, module and quoting enclave together, and modules that were updated under the TD."""
    for platform, module, enclave in product(PCESVNS, MODULE_SVNS[1], QE_SVNS):
        machine = PLATFORM.rated(platform).with_quoting_enclave(enclave)
        quote = replace(TD, platform=machine, module=SoftwareModule.rated(module)).quote(REPORT_DATA)
        yield input_of("state", f"{platform}, {module}, {enclave}", quote=quote)
    for platform, module, launched_by in product(PCESVNS, MODULE_SVNS[1], MODULE_SVNS[1]):
        td = replace(
            TD,
            platform=PLATFORM.rated(platform),
            module=SoftwareModule.rated(module),
            launched_by=SoftwareModule.rated(launched_by),
        )
        yield input_of(
            "state, updated", f"{platform}, {launched_by} to {module}", quote=td.quote(REPORT_DATA, version=5)
        )
    for status, parts in product(sorted(PCESVNS), sorted(PART_STATUSES)):
        collateral = COLLATERAL.rating(platform=status, module=parts)
        yield input_of("state, said", f"{status}, {parts}", collateral=collateral)
    for numbers, version, late in product(((MODULE_2_0, 7), (0, 5), (0, 4), (2, 13)), (4, 5), (0, 3, 4, 5)):
        other = SoftwareModule(version=numbers[0], svn=numbers[1], late_update=late)
        quote = replace(TD, module=other).quote(REPORT_DATA, version=version)
        yield input_of("state, other modules", f"{other} v{version}", quote=quote)


def other_platforms() -> Iterator[Input]:
    """Other platforms, by what their PCK certificates say."""
    for index in range(16):
        for value in (0, 1, 255):
            components = put(PLATFORM.components, index, bytes([value]))
            yield _of_platform("PCK, components", f"{index}: {value}", replace(PLATFORM, components=components))
    for pcesvn in (0, 1, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 255, 256, 65535):
        yield _of_platform("PCK, PCESVN", f"{pcesvn}", replace(PLATFORM, pcesvn=pcesvn))
    for index in range(12):
        other = put(PLATFORM.fmspc, index % 6, bytes([PLATFORM.fmspc[index % 6] ^ 1 << index % 8]))
        yield _of_platform("PCK, FMSPC", other.hex(), replace(PLATFORM, fmspc=other))
    for index in range(12):
        other = put(PLATFORM.pceid, index % 2, bytes([1 << index % 8]))
        yield _of_platform("PCK, PCEID", other.hex(), replace(PLATFORM, pceid=other))
    for ca, kind, flags in product(Ca, SgxType, (True, False)):
        machine = replace(PLATFORM, ca=ca, sgx_type=kind, dynamic_platform=flags, smt_enabled=not flags)
        yield _of_platform("PCK, kind of platform", f"{ca} {kind} {flags}", machine, Collateral.of(machine, ISSUED))
        yield _of_platform("PCK, kind of platform", f"{ca} {kind} {flags}, other CRL", machine)


def _of_platform(field: str, change: str, machine: SoftwarePlatform, collateral: Collateral = COLLATERAL) -> Input:
    return input_of(field, change, quote=SoftwareTd(platform=machine).quote(REPORT_DATA), collateral=collateral)


def certificate_changes(own: KeyUsage) -> dict[str, CertificateChanges]:
    """Everything that can be wrong with a certificate but its key."""
    return {
        "nothing": {},
        "another serial": {"serial": 5},
        "serial zero": {"serial": 0},
        "a long serial": {"serial": 1 << 159},
        "not yet valid": {"not_before": NOW + _SECOND},
        "valid from now": {"not_before": NOW},
        "expired": {"not_after": NOW - _SECOND},
        "valid till now": {"not_after": NOW},
        "another name": {"common_name": "Intel SGX Something"},
        "another organization": {"organization": "Another Corporation"},
        "another issuer": {"issuer": "Intel SGX Something"},
        "signed by a stranger": {"signed_by": STRANGER},
        "version 1": {"version": 1},
        "SHA-384 stated": {"algorithm": _ECDSA_SHA384},
        "SHA-384 stated outside": {"outer_algorithm": _ECDSA_SHA384},
        "no key usage": {"drop": (KEY_USAGE,)},
        "no basic constraints": {"drop": (BASIC_CONSTRAINTS,)},
        "no authority key id": {"drop": (AUTHORITY_KEY_IDENTIFIER,)},
        "no subject key id": {"drop": (SUBJECT_KEY_IDENTIFIER,)},
        "no CRL distribution point": {"drop": (CRL_DISTRIBUTION_POINTS,)},
        "no SGX extensions": {"drop": (SGX_EXTENSIONS,)},
        "another authority key id": {"authority_key_id": bytes(20)},
        "another subject key id": {"subject_key_id": bytes(20)},
        "another CRL address": {"crl_uri": "https://example.com/crl"},
        "an unknown extension": {"add": (_UNKNOWN,)},
        "an unknown critical extension": {"add": (_UNKNOWN_CRITICAL,)},
        "key usage all": {"key_usage": KeyUsage(digital_signature=True, key_cert_sign=True, crl_sign=True)},
        "key usage certificates": {"key_usage": KeyUsage(key_cert_sign=True)},
        "key usage lists": {"key_usage": KeyUsage(crl_sign=True)},
        "key usage signatures": {"key_usage": KeyUsage(digital_signature=True)},
        "key usage agreement": {"key_usage": replace(own, key_agreement=True)},
        "a CA": {"ca": True},
        "no CA": {"ca": False, "path_length": None},
        "path length 0": {"ca": True, "path_length": 0},
        "path length 3": {"ca": True, "path_length": 3},
        "no path length": {"ca": True, "path_length": None},
        "CRL address critical": {"critical": (CRL_DISTRIBUTION_POINTS,)},
    }


def other_certificates() -> Iterator[Input]:
    """Each certificate changed: leaf, PCK CA, root, TCB signer."""
    usage = KeyUsage(digital_signature=True, content_commitment=True)
    for change, changes in certificate_changes(usage).items():
        quote = TD.quote(REPORT_DATA, pck_chain=PLATFORM.pck_chain(**changes))
        yield good_input().but("PCK certificate", change, quote=quote)
    for change, changes in certificate_changes(KeyUsage(key_cert_sign=True, crl_sign=True)).items():
        yield _of_authorities("PCK CA", change, _CA.with_platform(**changes))
        yield _of_authorities("root", change, _CA.with_root(**changes))
        yield _of_authorities("TCB signer", change, _CA.with_tcb_signing(**changes))
    for at in range(0, len(PLATFORM.pck()), 53):
        certificates = [put(PLATFORM.pck(), at, bytes([PLATFORM.pck()[at] ^ 1])), _CA.platform, _CA.root]
        text = b"".join(map(write_pem, certificates)) + b"\0"
        yield good_input().but("PCK certificate, a bit", f"{at}", quote=TD.quote(REPORT_DATA, pck_chain=text))


def _of_authorities(field: str, change: str, authorities: IntelCa) -> Input:
    machine = replace(PLATFORM, authorities=authorities)
    given = input_of(
        field, change, quote=SoftwareTd(platform=machine).quote(REPORT_DATA), collateral=Collateral.of(machine, ISSUED)
    )
    # dcap-qvl takes a key and a name for a root, and these stay the same.
    return replace(given, root=_CA.root)


def other_signing_chains() -> Iterator[Input]:
    """Other certificates beside TCB info and QE identity."""
    signer, root = _CA.tcb_signing, _CA.root
    stranger = IntelCa().with_tcb_signing(signed_by=STRANGER).tcb_signing
    chains = {
        "as it is": (signer, root),
        "without root": (signer,),
        "root first": (root, signer),
        "the root alone": (root,),
        "the signer twice": (signer, signer, root),
        "the root twice": (signer, root, root),
        "the PCK CA": (_CA.platform, root),
        "the PCK": (PLATFORM.pck(), _CA.platform, root),
        "the PCK CA too": (signer, _CA.platform, root),
        "a stranger's": (stranger, root),
        "a stranger's first": (stranger, signer, root),
        "a stranger's last": (signer, stranger, root),
        "the Processor CA too": (signer, _CA.processor, root),
        "the signer behind the root": (signer, root, signer),
    }
    for change, certificates in chains.items():
        text = b"".join(map(write_pem, certificates))
        yield good_input().but("signing chain", change, signing_chain=text)
        if certificates[0] == signer:
            yield good_input().but("CRL issuer chain", change, pck_crl_chain=text)
    for change, key in (("by the root", _CA.key("root")), ("by the PCK", PLATFORM.pck_key), ("by another", STRANGER)):
        collateral = COLLATERAL.signing(signed_by=key)
        yield input_of("signing chain", f"signed {change}", collateral=collateral)
    text = good_input().signing_chain
    for change, changed in {
        "empty": b"",
        "text in front": b"text\n" + text,
        "CRLF": text.replace(b"\n", b"\r\n"),
    }.items():
        yield good_input().but("signing chain", change, signing_chain=changed)
        yield good_input().but("CRL issuer chain", change, pck_crl_chain=changed)


def crl_changes() -> dict[str, CrlChanges]:
    """Everything that can be wrong with a revocation list."""
    return {
        "nothing": {},
        "others revoked": {"revoked": (5, 6)},
        "all revoked": {
            "revoked": (PLATFORM.pck_serial, *(_CA.serial(role) for role in ("platform", "processor", "tcb_signing")))
        },
        "the PCK revoked": {"revoked": (PLATFORM.pck_serial,)},
        "the PCK CA revoked": {"revoked": (_CA.serial("platform"),)},
        "the other CA revoked": {"revoked": (_CA.serial("processor"),)},
        "the signer revoked": {"revoked": (_CA.serial("tcb_signing"),)},
        "the root revoked": {"revoked": (_CA.serial("root"),)},
        "revoked without a reason": {"revoked": (PLATFORM.pck_serial, _CA.serial("platform")), "reason": None},
        "removed from the list": {"revoked": (PLATFORM.pck_serial, _CA.serial("platform")), "reason": 8},
        "on hold": {"revoked": (PLATFORM.pck_serial, _CA.serial("platform")), "reason": 6},
        "no nextUpdate": {"lifetime": None},
        "ended": {"lifetime": NOW - ISSUED - _SECOND},
        "ends now": {"lifetime": NOW - ISSUED},
        "ends next": {"lifetime": NOW - ISSUED + _SECOND},
        "another number": {"number": 1 << 64},
        "another issuer": {"issuer": "Intel SGX Something"},
        "the root's name": {"issuer": "Intel SGX Root CA"},
        "signed by a stranger": {"signed_by": STRANGER},
        "signed by the other CA": {"signed_by": _CA.key("processor")},
        "SHA-384 stated": {"algorithm": _ECDSA_SHA384},
        "no number": {"drop": (CRL_NUMBER,)},
        "no authority key id": {"drop": (AUTHORITY_KEY_IDENTIFIER,)},
        "an unknown extension": {"add": (_UNKNOWN,)},
        "an unknown critical extension": {"add": (_UNKNOWN_CRITICAL,)},
    }


def other_lists() -> Iterator[Input]:
    """Each revocation list changed, damaged, or another one."""
    for change, changes in crl_changes().items():
        yield good_input().but("root CRL", change, root_crl=COLLATERAL.with_root_crl(**changes).root_crl)
        yield good_input().but("PCK CRL", change, pck_crl=COLLATERAL.with_pck_crl(**changes).pck_crl)
    root_crl, pck_crl = COLLATERAL.root_crl, COLLATERAL.pck_crl
    other = {
        "the other one": (pck_crl, root_crl),
        "the Processor CA's": (root_crl, _CA.pck_crl(Ca.PROCESSOR, ISSUED)),
        "empty": (b"", b""),
        "a certificate": (_CA.root, _CA.platform),
        "PEM": (write_pem(root_crl, "X509 CRL"), write_pem(pck_crl, "X509 CRL")),
        "a byte behind": (root_crl + b"\0", pck_crl + b"\0"),
        "twice": (root_crl * 2, pck_crl * 2),
        "hexadecimal": (root_crl.hex().encode(), pck_crl.hex().encode()),
        "cut": (root_crl[:-1], pck_crl[:-1]),
        "of the future": (_CA.root_crl(NOW + _SECOND), _CA.pck_crl(Ca.PLATFORM, NOW + _SECOND)),
        "of now": (_CA.root_crl(NOW), _CA.pck_crl(Ca.PLATFORM, NOW)),
    }
    for change, (of_root, of_authority) in other.items():
        yield good_input().but("root CRL", change, root_crl=of_root)
        yield good_input().but("PCK CRL", change, pck_crl=of_authority)
    for at in range(0, len(root_crl), 17):
        yield good_input().but("root CRL, a bit", f"{at}", root_crl=put(root_crl, at, bytes([root_crl[at] ^ 1])))
    for at in range(0, len(pck_crl), 17):
        yield good_input().but("PCK CRL, a bit", f"{at}", pck_crl=put(pck_crl, at, bytes([pck_crl[at] ^ 1])))


def other_times() -> Iterator[Input]:
    """One second before and behind every date, and each date itself."""
    dates: list[tuple[str, datetime]] = []
    for name, certificate in (("PCK", PLATFORM.pck()), ("PCK CA", _CA.platform), ("signer", _CA.tcb_signing)):
        found = read_certificate(certificate)
        dates += [(f"{name}, start", found.not_before), (f"{name}, end", found.not_after)]
    dates += [
        ("issued", ISSUED),
        ("TCB info, end", ISSUED + 30 * _DAY),
        ("now", NOW),
        ("root CRL", ISSUED + 365 * _DAY),
    ]
    for (name, date), step in product(dates, (-_DAY, -_SECOND, timedelta(), _SECOND, _DAY)):
        yield good_input().but("time", f"{name} {step}", now=date + step)
    for change, make in _AT_ITS_OWN_TIME.items():
        for step in (-_SECOND, timedelta(), _SECOND):
            yield replace(make(), field="time, of one thing", change=f"{change} {step}", now=NOW + step)


def _issued_now(collateral: Collateral) -> Callable[[], Input]:
    return lambda: input_of("time", "", collateral=collateral)


_AT_ITS_OWN_TIME = {
    "TCB info issued": _issued_now(COLLATERAL.with_tcb_info(issue_date=NOW)),
    "TCB info ends": _issued_now(COLLATERAL.with_tcb_info(next_update=NOW)),
    "QE identity issued": _issued_now(COLLATERAL.with_qe_identity(issue_date=NOW)),
    "QE identity ends": _issued_now(COLLATERAL.with_qe_identity(next_update=NOW)),
    "root CRL issued": _issued_now(replace(COLLATERAL, root_crl_issued=NOW)),
    "PCK CRL issued": _issued_now(replace(COLLATERAL, pck_crl_issued=NOW)),
    "root CRL ends": _issued_now(COLLATERAL.with_root_crl(lifetime=NOW - ISSUED)),
    "PCK CRL ends": _issued_now(COLLATERAL.with_pck_crl(lifetime=NOW - ISSUED)),
}


def other_collateral() -> Iterator[Input]:
    """Genuine collateral that is not this one's: swapped, of others, of another number."""
    good = good_input()
    other = input_of("", "", collateral=Collateral.of(replace(PLATFORM, fmspc=b"\x51\xd0\0\0\0\1"), ISSUED, number=19))
    yield good.but("collateral", "TCB info of other platforms", tcb_info=other.tcb_info)
    yield good.but("collateral", "QE identity of another number", qe_identity=other.qe_identity)
    yield good.but(
        "collateral", "TCB info and QE identity swapped", tcb_info=good.qe_identity, qe_identity=good.tcb_info
    )
    yield good.but("collateral", "QE identity twice", tcb_info=good.qe_identity)
    yield good.but("collateral", "TCB info twice", qe_identity=good.tcb_info)
    yield good.but("collateral", "lists swapped", root_crl=good.pck_crl, pck_crl=good.root_crl)
    for status in (TcbStatus.OUT_OF_DATE, TcbStatus.REVOKED, TcbStatus.NOT_SUPPORTED):
        yield input_of("collateral", f"{status} enclave", collateral=COLLATERAL.rating(quoting_enclave=status))
    for number in (0, 1, 17, 21, 100, 65535):
        yield input_of("collateral", f"number {number}", collateral=Collateral.of(PLATFORM, ISSUED, number=number))
    stranger = replace(PLATFORM, secret=b"another machine")
    yield _of_platform("collateral", "another machine", stranger)


COLLATERALS = (
    other_tcb_infos,
    other_qe_identities,
    other_levels,
    other_orders,
    other_modules,
    other_states,
    other_platforms,
    other_certificates,
    other_signing_chains,
    other_lists,
    other_times,
    other_collateral,
)
