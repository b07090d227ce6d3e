"""The SGX extensions of a PCK certificate: exactly the set of its authority, or Malformed."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.formats.at_once import agree, changes

from cvmproof_formats import der
from cvmproof_formats.errors import Category, Malformed
from cvmproof_formats.pem import read_pem
from cvmproof_formats.tdx import hierarchy, pck
from cvmproof_formats.tdx.hierarchy import Ca, build_extensions, build_name
from cvmproof_formats.tdx.p256 import key_spki
from cvmproof_formats.tdx.pck import (
    PckIdentity,
    PckPlatform,
    SgxType,
    build_sgx_extensions,
    read_pck,
    read_sgx_extensions,
)
from cvmproof_formats.x509 import Certificate, Extension, basic_constraints, key_usage, read_certificate

PLATFORM = PckIdentity(
    ppid=bytes(range(16)),
    components=bytes(range(1, 17)),
    pcesvn=13,
    cpusvn=bytes(range(16, 32)),
    pceid=bytes(2),
    fmspc=bytes.fromhex("90C06F000000"),
    sgx_type=SgxType.SCALABLE,
    platform=PckPlatform(
        instance_id=bytes(range(16, 0, -1)), dynamic_platform=True, cached_keys=False, smt_enabled=True
    ),
)
PROCESSOR = replace(PLATFORM, sgx_type=SgxType.STANDARD, platform=None)
EVERY = (PLATFORM, PROCESSOR)
TCB_OIDS = (*pck.COMPONENTS, pck.PCESVN, pck.CPUSVN)
OIDS = [(identity, oid) for identity in EVERY for oid in pck.ENTRIES[identity.ca]]
NESTED = {pck.TCB: pck.TCB_ENTRIES, pck.CONFIGURATION: pck.CONFIGURATION_ENTRIES}
EVERY_OID = [*OIDS, *((PLATFORM, oid) for entries in NESTED.values() for oid in entries)]

Entry = tuple[str, bytes]


def entries_of(value: bytes) -> list[Entry]:
    """The (OID, value) pairs of a SEQUENCE of them; values as DER."""
    found = []
    at, end = der.only(value, 0, len(value), der.SEQUENCE, "entries")
    while at < end:
        start, at = der.expect(value, at, end, der.SEQUENCE, "entry")
        first, last = der.expect(value, start, at, der.OBJECT_IDENTIFIER, "OID")
        found.append((der.read_oid(value[first:last]), value[last:at]))
    return found


def written(entries: list[Entry]) -> bytes:
    return der.sequence(*(der.sequence(der.oid(oid), value) for oid, value in entries))


def edited(identity: PckIdentity, oid: str, edit: Callable[[list[Entry], int], list[Entry]]) -> bytes:
    """The extensions with the list changed in which this OID stands; `edit` gets the list and the OID's place in it."""
    outer = entries_of(build_sgx_extensions(identity))
    names = [name for name, _ in outer]
    if oid in names:
        return written(edit(outer, names.index(oid)))
    parent = next(name for name, entries in NESTED.items() if oid in entries)
    inner = entries_of(dict(outer)[parent])
    changed = written(edit(inner, [name for name, _ in inner].index(oid)))
    return written([(name, changed if name == parent else value) for name, value in outer])


def with_value(identity: PckIdentity, oid: str, value: bytes) -> bytes:
    return edited(identity, oid, lambda entries, n: [*entries[:n], (oid, value), *entries[n + 1 :]])


def certificate(*extensions: Extension, issuer: str = hierarchy.PLATFORM_NAME) -> Certificate:
    dates = (datetime(2026, 1, 1, tzinfo=UTC), datetime(2033, 1, 1, tzinfo=UTC))
    tbs = der.sequence(
        der.explicit(0, der.integer(2)),
        der.integer(1 << 159),
        hierarchy.ECDSA_SHA256,
        build_name(issuer),
        der.sequence(*map(der.time, dates)),
        build_name(hierarchy.PCK_NAME),
        key_spki(bytes(64)),
        der.explicit(3, der.sequence(*(extension.build() for extension in extensions))),
    )
    return read_certificate(der.sequence(tbs, hierarchy.ECDSA_SHA256, der.bit_string(b"signature")))


def extensions(identity: PckIdentity) -> tuple[Extension, ...]:
    return build_extensions(
        hierarchy.PCK,
        authority_key_id=bytes(20),
        subject_key_id=bytes(20),
        crl_uri=hierarchy.PCK.crl_uris[0],
        sgx=build_sgx_extensions(identity),
    )


@pytest.mark.parametrize("identity", EVERY)
def test_what_is_written_is_read_back_in_any_order(identity: PckIdentity) -> None:
    data = build_sgx_extensions(identity)
    assert read_sgx_extensions(data, identity.ca) == identity
    assert read_sgx_extensions(written(entries_of(data)[::-1]), identity.ca) == identity
    backwards = edited(identity, pck.CPUSVN, lambda entries, _: entries[::-1])
    assert read_sgx_extensions(backwards, identity.ca) == identity


def test_the_set_of_entries_belongs_to_the_authority() -> None:
    assert (PLATFORM.ca, PROCESSOR.ca) == (Ca.PLATFORM, Ca.PROCESSOR)
    with pytest.raises(Malformed, match=r"13\.1\.6 does not belong there"):
        read_sgx_extensions(build_sgx_extensions(PLATFORM), Ca.PROCESSOR)
    with pytest.raises(Malformed, match=r"expected 1\.2\.840\.113741\.1\.13\.1\.6, got none"):
        read_sgx_extensions(build_sgx_extensions(PROCESSOR), Ca.PLATFORM)


@pytest.mark.parametrize(("identity", "oid"), EVERY_OID)
def test_every_entry_is_needed_once(identity: PckIdentity, oid: str) -> None:
    with pytest.raises(Malformed, match=f"expected {oid}, got none"):
        read_sgx_extensions(edited(identity, oid, lambda e, n: e[:n] + e[n + 1 :]), identity.ca)
    with pytest.raises(Malformed, match=f"{oid} stands there twice"):
        read_sgx_extensions(edited(identity, oid, lambda e, n: [*e, e[n]]), identity.ca)


@pytest.mark.parametrize(("identity", "oid"), EVERY_OID)
@pytest.mark.parametrize("foreign", ["1.2.840.113741.1.13.1.8", "1.2.840.113741.1.13.1.2.19", "2.5.29.15"])
def test_an_entry_from_elsewhere_is_refused(identity: PckIdentity, oid: str, foreign: str) -> None:
    with pytest.raises(Malformed, match=f"{foreign} does not belong there"):
        read_sgx_extensions(edited(identity, oid, lambda e, _: [*e, (foreign, der.integer(0))]), identity.ca)


@pytest.mark.parametrize(("identity", "oid"), EVERY_OID)
def test_an_entry_of_another_type_or_with_something_behind_it_is_refused(identity: PckIdentity, oid: str) -> None:
    for value in (b"", der.null(), der.utf8("x"), der.tlv(0x80, b"\0")):
        with pytest.raises(Malformed, match=f"{oid}|DER at"):
            read_sgx_extensions(with_value(identity, oid, value), identity.ca)
    longer = edited(identity, oid, lambda e, n: [*e[:n], (oid, e[n][1] + b"\5\0"), *e[n + 1 :]])
    with pytest.raises(Malformed, match="more behind"):
        read_sgx_extensions(longer, identity.ca)


@pytest.mark.parametrize("oid", [pck.PPID, pck.PCEID, pck.FMSPC, pck.PLATFORM_INSTANCE_ID, pck.CPUSVN])
def test_octets_have_their_length(oid: str) -> None:
    size = {pck.PCEID: 2, pck.FMSPC: 6}.get(oid, 16)
    assert read_sgx_extensions(with_value(PLATFORM, oid, der.octet_string(b"\xff" * size)), Ca.PLATFORM)
    for wrong in (0, size - 1, size + 1, 2 * size):
        with pytest.raises(Malformed, match=f"{oid}: expected {size} bytes, got {wrong}"):
            read_sgx_extensions(with_value(PLATFORM, oid, der.octet_string(bytes(wrong))), Ca.PLATFORM)


@pytest.mark.parametrize("oid", [*pck.COMPONENTS, pck.PCESVN])
def test_ac_040_an_svn_stays_in_its_range(oid: str) -> None:
    highest = 65535 if oid == pck.PCESVN else 255
    got = read_sgx_extensions(with_value(PLATFORM, oid, der.integer(highest)), Ca.PLATFORM)
    assert highest in (got.pcesvn, *got.components)
    with pytest.raises(Malformed, match=rf"{oid}: expected 0\.\.{highest}"):
        read_sgx_extensions(with_value(PLATFORM, oid, der.integer(highest + 1)), Ca.PLATFORM)
    with pytest.raises(Malformed, match="non-negative"):
        read_sgx_extensions(with_value(PLATFORM, oid, der.integer(-1)), Ca.PLATFORM)
    with pytest.raises(Malformed, match=rf"{oid}: expected 0\.\.{highest}"):
        read_sgx_extensions(with_value(PLATFORM, oid, der.integer(1 << 16000)), Ca.PLATFORM)
    with pytest.raises(Malformed, match="shortest"):
        read_sgx_extensions(with_value(PLATFORM, oid, b"\x02\x02\0\1"), Ca.PLATFORM)


@pytest.mark.parametrize("value", list(SgxType))
def test_the_type_of_a_platform_is_one_of_three(value: SgxType) -> None:
    identity = replace(PLATFORM, sgx_type=value)
    assert read_sgx_extensions(build_sgx_extensions(identity), Ca.PLATFORM) == identity
    with pytest.raises(Malformed, match=r"expected 0\.\.2"):
        read_sgx_extensions(with_value(PLATFORM, pck.SGX_TYPE, der.tlv(0x0A, b"\3")), Ca.PLATFORM)


@pytest.mark.parametrize("content", [b"\1", b"", b"\xff\xff"])
@pytest.mark.parametrize("oid", list(pck.CONFIGURATION_ENTRIES))
def test_a_configuration_flag_has_one_spelling(oid: str, content: bytes) -> None:
    for right in (b"\0", b"\xff"):
        assert read_sgx_extensions(with_value(PLATFORM, oid, der.tlv(der.BOOLEAN, right)), Ca.PLATFORM)
    with pytest.raises(Malformed, match="BOOLEAN of 00 or ff"):
        read_sgx_extensions(with_value(PLATFORM, oid, der.tlv(der.BOOLEAN, content)), Ca.PLATFORM)


def test_a_certificate_is_read_by_the_set_of_its_issuer() -> None:
    assert read_pck(certificate(*extensions(PLATFORM))) == PLATFORM
    assert read_pck(certificate(*extensions(PROCESSOR), issuer=hierarchy.PROCESSOR_NAME)) == PROCESSOR
    with pytest.raises(Malformed, match="does not belong there"):
        read_pck(certificate(*extensions(PLATFORM), issuer=hierarchy.PROCESSOR_NAME))
    with pytest.raises(Malformed, match="issuer: expected") as caught:
        read_pck(certificate(*extensions(PLATFORM), issuer=hierarchy.ROOT_NAME))
    assert caught.value.category is Category.CHAIN


def test_a_certificate_without_the_extension_or_with_a_critical_one_is_refused() -> None:
    *others, sgx = extensions(PLATFORM)
    with pytest.raises(Malformed, match="got none"):
        read_pck(certificate(*others))
    with pytest.raises(Malformed, match="non-critical"):
        read_pck(certificate(*others, sgx._replace(critical=True)))


@pytest.mark.parametrize("identity", EVERY)
def test_extensions_cut_short_or_with_a_byte_behind_are_refused(identity: PckIdentity) -> None:
    data = build_sgx_extensions(identity)
    for cut in (*(data[:n] for n in range(len(data))), data + b"\0"):
        with pytest.raises(Malformed):
            read_sgx_extensions(cut, identity.ca)


@given(value=st.binary(max_size=80), ca=st.sampled_from(Ca))
def test_any_bytes_give_an_identity_or_malformed(value: bytes, ca: Ca) -> None:
    with suppress(Malformed):
        read_sgx_extensions(value, ca)


@given(where=st.sampled_from(EVERY_OID), value=st.binary(max_size=40))
def test_any_value_of_an_entry_gives_an_identity_or_malformed(where: tuple[PckIdentity, str], value: bytes) -> None:
    identity, oid = where
    with suppress(Malformed):
        read_sgx_extensions(with_value(identity, oid, value), identity.ca)


def chains(folder: Path) -> Iterator[tuple[str, tuple[bytes, ...]]]:
    """The certificates that the whole quotes of a folder carry."""
    for path in sorted(folder.glob("*.bin")):
        data = path.read_bytes()
        start, end = data.find(b"-----BEGIN"), data.rfind(b"-----END CERTIFICATE-----\n")
        with suppress(Malformed):  # quotes that were cut or damaged
            if len(found := read_pem(data[start : end + len(b"-----END CERTIFICATE-----\n")])) == 3:
                yield path.name, found


def test_every_recorded_pck_certificate_is_read_and_its_extensions_written_again_exactly(recorded: Path) -> None:
    seen = 0
    for _, (leaf, intermediate, _) in chains(recorded / "tdx" / "quotes"):
        got = read_certificate(leaf)
        identity = read_pck(got)
        sgx = got.extension(hierarchy.SGX_EXTENSIONS)
        assert sgx is not None
        assert build_sgx_extensions(identity) == sgx.value
        assert identity.ca is Ca.PLATFORM
        assert got.issuer == read_certificate(intermediate).subject == build_name(hierarchy.PLATFORM_NAME)
        assert got.subject == build_name(hierarchy.PCK_NAME)
        assert (key_usage(got), basic_constraints(got)) == (hierarchy.PCK.key_usage, hierarchy.PCK.basic_constraints)
        assert tuple(extension.oid for extension in got.extensions) == hierarchy.PCK.extensions
        seen += 1
    assert seen > 60


def test_certificates_of_test_platforms_are_read_too(recorded: Path) -> None:
    leaves = [read_pck(read_certificate(chain[0])) for _, chain in chains(recorded / "tdx" / "bad")]
    assert leaves


# --- read at once -----------------------------------------------------------------------------------------------------

HIGHEST = replace(PLATFORM, components=b"\xff" * 16, pcesvn=0xFFFF)


@pytest.mark.parametrize(
    "identity",
    [
        PLATFORM,
        PROCESSOR,
        HIGHEST,
        *(replace(PLATFORM, pcesvn=number) for number in (0, 127, 128, 255, 256, 0x7FFF, 0x8000)),
        *(replace(PLATFORM, components=bytes((svn, *range(120, 135)))) for svn in (0, 127, 128, 255)),
        *(replace(PLATFORM, sgx_type=kind) for kind in SgxType),
    ],
)
def test_what_intel_writes_is_read_at_once_and_as_entry_by_entry(identity: PckIdentity) -> None:
    data, ca = build_sgx_extensions(identity), identity.ca
    assert pck._read_at_once(data, ca) == pck._read_by_entry(data, ca) == identity


@pytest.mark.parametrize("identity", [PLATFORM, PROCESSOR, HIGHEST])
def test_no_change_is_taken_at_once_that_is_refused_or_read_otherwise_entry_by_entry(identity: PckIdentity) -> None:
    ca = identity.ca
    at_once, strict = (partial(reader, ca=ca) for reader in (pck._read_at_once, pck._read_by_entry))
    assert sum(agree(at_once, strict, changed) for changed in changes(build_sgx_extensions(identity))) > 100
    other = Ca.PROCESSOR if ca is Ca.PLATFORM else Ca.PLATFORM
    assert pck._read_at_once(build_sgx_extensions(identity), other) is None
