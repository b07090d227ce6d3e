"""Certificates and CRLs: exactly their fields or Malformed, with and without cryptography's loader."""

import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest
from cryptography import x509 as generic
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key
from cryptography.utils import CryptographyDeprecationWarning
from hypothesis import given
from hypothesis import strategies as st

from cvmproof_formats import der
from cvmproof_formats.errors import Category, Malformed
from cvmproof_formats.x509 import (
    BASIC_CONSTRAINTS,
    COMMON_NAME,
    KEY_USAGE,
    PSS_SHA384,
    SHA384,
    BasicConstraints,
    Certificate,
    Extension,
    KeyUsage,
    basic_constraints,
    common_name,
    key_usage,
    pss_algorithm,
    read_certificate,
    read_crl,
)

ALGORITHM = pss_algorithm(digest=SHA384, salt=48, trailer_field=False)
NAME = der.sequence(der.set_of(der.sequence(der.oid(COMMON_NAME), der.utf8("SEV-Genoa"))))
EMPTY_NAME = der.sequence()
SPKI = der.sequence(der.sequence(der.oid("1.2.840.10045.2.1")), der.bit_string(b"\x04" + bytes(96)))
DATES = (datetime(2026, 1, 1, tzinfo=UTC), datetime(2050, 6, 1, tzinfo=UTC))
CONSTRAINTS = BasicConstraints(ca=True, path_length=0).build()
USAGE = KeyUsage(key_cert_sign=True).build()
V3 = der.explicit(0, der.integer(2))
SIGNATURE = der.bit_string(b"signature")


def extensions_of(*extensions: bytes) -> bytes:
    return der.explicit(3, der.sequence(*extensions))


def certificate(
    *,
    version: bytes = V3,
    serial: bytes = der.integer(0),
    algorithm: bytes = ALGORITHM,
    issuer: bytes = NAME,
    validity: bytes = der.sequence(*map(der.time, DATES)),
    subject: bytes = NAME,
    spki: bytes = SPKI,
    behind_key: bytes = b"",
    extensions: bytes = extensions_of(CONSTRAINTS.build(), USAGE.build()),
    outer_algorithm: bytes = ALGORITHM,
    signature: bytes = SIGNATURE,
) -> bytes:
    tbs = der.sequence(version, serial, algorithm, issuer, validity, subject, spki, behind_key, extensions)
    return der.sequence(tbs, outer_algorithm, signature)


def crl(
    *,
    version: bytes = der.integer(1),
    algorithm: bytes = ALGORITHM,
    issuer: bytes = NAME,
    this_update: bytes = der.time(DATES[0]),
    next_update: bytes = der.time(DATES[1]),
    entries: bytes = b"",
    extensions: bytes = der.explicit(0, der.sequence(USAGE.build())),
    behind: bytes = b"",
) -> bytes:
    tbs = der.sequence(version, algorithm, issuer, this_update, next_update, entries, extensions, behind)
    return der.sequence(tbs, ALGORITHM, SIGNATURE)


def entry(serial: int, *extensions: Extension) -> bytes:
    written = der.sequence(*(extension.build() for extension in extensions)) if extensions else b""
    return der.sequence(der.integer(serial), der.time(DATES[0]), written)


def with_extension(oid: str, value: bytes) -> Certificate:
    return read_certificate(certificate(extensions=extensions_of(Extension(oid=oid, value=value).build())))


def test_a_certificate_is_read_field_by_field_as_slices_of_what_was_received() -> None:
    data = certificate()
    got = read_certificate(data)
    assert got.der is data
    assert (got.version, got.serial, got.issuer, got.subject, got.spki) == (3, 0, NAME, NAME, SPKI)
    assert (got.not_before, got.not_after) == DATES
    assert got.extensions == (CONSTRAINTS, USAGE)
    assert (got.signature_algorithm, got.signature) == (ALGORITHM, b"signature")
    assert der.sequence(got.tbs, ALGORITHM, SIGNATURE) == data
    assert got.extension(KEY_USAGE) == USAGE
    assert got.extension("2.5.29.37") is None


def test_certificates_are_equal_when_their_bytes_are() -> None:
    assert read_certificate(certificate()) == read_certificate(certificate())
    assert len({read_certificate(certificate()), read_certificate(certificate(serial=der.integer(1)))}) == 2


def test_a_serial_of_zeros_only_is_not_the_shortest() -> None:
    assert read_certificate(certificate(serial=b"\x02\x01\0")).serial == 0
    with pytest.raises(Malformed, match="shortest"):
        read_certificate(certificate(serial=b"\x02\x15" + bytes(21)))


def test_a_version_1_certificate_has_no_extensions() -> None:
    got = read_certificate(certificate(version=b"", extensions=b""))
    assert (got.version, got.extensions) == (1, ())
    with pytest.raises(Malformed, match="expected 3 where there are extensions, got 1"):
        read_certificate(certificate(version=b""))


@pytest.mark.parametrize("size", [1, 20])
@pytest.mark.parametrize("first", [b"\x7f", b"\xff"])
def test_a_serial_has_up_to_20_bytes_without_its_sign(size: int, first: bytes) -> None:
    serial = int.from_bytes(first + bytes(size - 1), "big")
    assert read_certificate(certificate(serial=der.integer(serial))).serial == serial
    assert read_crl(crl(entries=der.sequence(entry(serial)))).serials == {serial}
    with pytest.raises(Malformed, match="at most 20 bytes, got 21"):
        read_certificate(certificate(serial=der.integer(1 << 160)))


ONE_TIME = der.sequence(der.time(DATES[0]))
THREE_TIMES = der.sequence(*(der.time(DATES[0]),) * 3)
FALSE_WRITTEN = der.sequence(der.oid(KEY_USAGE), der.tlv(der.BOOLEAN, b"\0"), der.octet_string(b""))
NO_VALUE = der.sequence(der.oid(KEY_USAGE))
TWO_VALUES = der.sequence(der.oid(KEY_USAGE), der.octet_string(b""), der.octet_string(b""))


@pytest.mark.parametrize(
    ("data", "why"),
    [
        pytest.param(certificate() + b"\0", "got 1 more behind", id="a byte behind"),
        pytest.param(b"", "end of the data", id="nothing"),
        pytest.param(certificate(version=der.explicit(0, der.integer(1))), "expected 3", id="version 2"),
        pytest.param(certificate(version=der.explicit(0, der.integer(0))), "expected 3", id="version 1 written"),
        pytest.param(certificate(version=der.explicit(0, der.integer(3))), "expected 3", id="version 4"),
        pytest.param(certificate(version=der.explicit(0, der.integer(2), b"\5\0")), "more behind", id="two versions"),
        pytest.param(certificate(serial=der.integer(-1)), "non-negative", id="negative serial"),
        pytest.param(certificate(serial=b"\x02\x02\0\1"), "shortest", id="serial not the shortest"),
        pytest.param(certificate(serial=b"\x02\x00"), "no content", id="empty serial"),
        pytest.param(certificate(serial=der.null()), "tag", id="serial of another type"),
        pytest.param(certificate(outer_algorithm=max(PSS_SHA384)), "inside and outside", id="two algorithms"),
        pytest.param(certificate(issuer=der.set_of()), "certificate issuer", id="issuer of another type"),
        pytest.param(certificate(subject=der.sequence(der.null())), "distinguished name", id="odd name"),
        pytest.param(certificate(subject=der.sequence(der.set_of())), "at least one", id="empty set in a name"),
        pytest.param(certificate(validity=ONE_TIME), "end of the data", id="one time"),
        pytest.param(certificate(validity=THREE_TIMES), "validity: expected no more", id="three times"),
        pytest.param(certificate(spki=der.sequence()), "end of the data", id="empty key"),
        pytest.param(certificate(spki=SPKI.replace(b"\0\4", b"\1\4", 1)), "whole bytes", id="odd bits in the key"),
        pytest.param(certificate(behind_key=der.tlv(0x81, b"\0id")), "extensions", id="issuer unique id"),
        pytest.param(certificate(extensions=extensions_of()), "at least one", id="no extension in the list"),
        pytest.param(certificate(extensions=der.explicit(3)), "end of the data", id="no list of extensions"),
        pytest.param(certificate(extensions=extensions_of(USAGE.build()) + b"\5\0"), "more behind", id="behind them"),
        pytest.param(certificate(extensions=extensions_of(USAGE.build(), USAGE.build())), "one twice", id="one twice"),
        pytest.param(certificate(extensions=extensions_of(FALSE_WRITTEN)), "left out", id="FALSE written"),
        pytest.param(certificate(extensions=extensions_of(NO_VALUE)), "end of the data", id="no value"),
        pytest.param(certificate(extensions=extensions_of(TWO_VALUES)), "more behind", id="two values"),
        pytest.param(certificate(signature=der.octet_string(b"x")), "signature", id="signature of another type"),
        pytest.param(certificate(signature=der.bit_string(b"x", 1)), "whole bytes", id="odd bits in the signature"),
        pytest.param(certificate(signature=b""), "end of the data", id="no signature"),
        pytest.param(certificate(signature=SIGNATURE * 2), "more behind", id="two signatures"),
    ],
)
def test_ac16_any_other_certificate_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(Malformed, match=why) as refused:
        read_certificate(data)
    assert refused.value.category is Category.MALFORMED


@pytest.mark.parametrize(("read", "limit"), [(read_certificate, 8192), (read_crl, 65536)])
def test_too_much_is_refused_before_it_is_read(read: Callable[[bytes], object], limit: int) -> None:
    with pytest.raises(Malformed, match=f"at most {limit} bytes, got {limit + 1}") as refused:
        read(bytes(limit + 1))
    assert refused.value.category is Category.SIZE_LIMIT
    with pytest.raises(Malformed, match="expected tag 0x30") as refused:
        read(bytes(limit))
    assert refused.value.category is Category.MALFORMED


def test_a_crl_is_read_field_by_field() -> None:
    reason = Extension(oid="2.5.29.21", value=b"\x0a\x01\x01")
    data = crl(entries=der.sequence(entry(7), entry(0x10001, reason), entry(7)))
    got = read_crl(data)
    assert got.der is data
    assert (got.issuer, got.this_update, got.next_update) == (NAME, *DATES)
    assert got.serials == {7, 0x10001}
    assert got.extensions == (USAGE,)
    assert der.sequence(got.tbs, ALGORITHM, SIGNATURE) == data
    assert (got.signature_algorithm, got.signature) == (ALGORITHM, b"signature")


def test_a_crl_may_lack_next_update_entries_and_extensions() -> None:
    got = read_crl(crl(next_update=b"", extensions=b""))
    assert (got.next_update, got.serials, got.extensions) == (None, frozenset(), ())
    assert read_crl(crl(entries=der.sequence())).serials == frozenset()


@pytest.mark.parametrize(
    ("data", "why"),
    [
        pytest.param(crl() + b"\0", "got 1 more behind", id="a byte behind"),
        pytest.param(crl(version=b""), "CRL version", id="version 1"),
        pytest.param(crl(version=der.integer(2)), "expected 2", id="version 3"),
        pytest.param(crl(algorithm=max(PSS_SHA384)), "inside and outside", id="two algorithms"),
        pytest.param(crl(this_update=b"", next_update=b""), "thisUpdate", id="no dates"),
        pytest.param(crl(next_update=der.null()), "extensions", id="nextUpdate of another type"),
        pytest.param(crl(entries=der.sequence(der.sequence(der.integer(1)))), "end of the data", id="entry, no date"),
        pytest.param(crl(entries=der.sequence(der.integer(1))), "revoked certificate", id="entry of another type"),
        pytest.param(crl(entries=der.sequence(entry(-1))), "non-negative", id="negative serial"),
        pytest.param(crl(entries=der.sequence(entry(1, USAGE, USAGE))), "one twice", id="entry extension twice"),
        pytest.param(crl(extensions=der.explicit(3, der.sequence(USAGE.build()))), "expected tag", id="another tag"),
        pytest.param(crl(extensions=der.explicit(0, der.sequence())), "at least one", id="no extension in the list"),
        pytest.param(crl(behind=der.null()), "more behind", id="behind the extensions"),
    ],
)
def test_any_other_crl_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(Malformed, match=why) as refused:
        read_crl(data)
    assert refused.value.category is Category.MALFORMED


def test_a_crl_entry_with_a_critical_extension_is_not_guessed_at() -> None:
    certificate_issuer = Extension(oid="2.5.29.29", value=b"", critical=True)
    with pytest.raises(Malformed, match=r"CRL entry 7: critical extension 2\.5\.29\.29") as refused:
        read_crl(crl(entries=der.sequence(entry(7, certificate_issuer))))
    assert refused.value.category is Category.UNSUPPORTED


@pytest.mark.parametrize("write", [der.utf8, der.printable])
def test_a_common_name_is_text(write: Callable[[str], bytes]) -> None:
    assert common_name(der.sequence(der.set_of(der.sequence(der.oid(COMMON_NAME), write("ARK-Milan"))))) == "ARK-Milan"


def common_names(*values: bytes) -> bytes:
    return der.sequence(*(der.set_of(der.sequence(der.oid(COMMON_NAME), value)) for value in values))


@pytest.mark.parametrize(
    ("name", "why"),
    [
        pytest.param(EMPTY_NAME, "got 0", id="none"),
        pytest.param(common_names(der.utf8("ARK-Milan"), der.utf8("ARK-Milan")), "got 2", id="two"),
        pytest.param(common_names(der.ia5_string("ARK-Milan")), "as UTF8String or", id="another type"),
        pytest.param(common_names(der.tlv(der.UTF8_STRING, b"\xff")), "not text", id="not UTF-8"),
        pytest.param(common_names(der.tlv(der.PRINTABLE_STRING, b"\xc3\xa9")), "not text", id="not ASCII"),
        pytest.param(NAME + b"\0", "more behind", id="a byte behind"),
        pytest.param(common_names(der.utf8("a") + der.null()), "name attribute", id="a value behind"),
    ],
)
def test_any_other_name_has_no_common_name(name: bytes, why: str) -> None:
    with pytest.raises(Malformed, match=why):
        common_name(name)


@pytest.mark.parametrize("ca", [True, False])
@pytest.mark.parametrize("path_length", [None, 0, 3])
def test_basic_constraints_come_back(*, ca: bool, path_length: int | None) -> None:
    expected = BasicConstraints(ca=ca, path_length=path_length)
    assert basic_constraints(with_extension(BASIC_CONSTRAINTS, expected.build().value)) == expected


@pytest.mark.parametrize(
    ("extension", "words"),
    [
        (BasicConstraints(ca=True, path_length=0), "CA, path length 0"),
        (BasicConstraints(ca=True), "CA"),
        (BasicConstraints(ca=False), "no CA"),
        (KeyUsage(digital_signature=True, crl_sign=True), "digital_signature and crl_sign"),
        (KeyUsage(), "nothing"),
    ],
)
def test_an_extension_is_put_into_words(extension: BasicConstraints | KeyUsage, words: str) -> None:
    assert str(extension) == words


@pytest.mark.parametrize(
    "value", ["", "3000ff", "3003010100", "3003010101", "30060201000101ff", "3003020180", "0101ff"]
)
def test_other_basic_constraints_are_refused(value: str) -> None:
    with pytest.raises(Malformed, match=r"basicConstraints|DER at"):
        basic_constraints(with_extension(BASIC_CONSTRAINTS, bytes.fromhex(value)))


@given(st.builds(KeyUsage, **dict.fromkeys(KeyUsage.__dataclass_fields__, st.booleans())))
def test_key_usages_come_back(usage: KeyUsage) -> None:
    assert key_usage(with_extension(KEY_USAGE, usage.build().value)) == usage


@pytest.mark.parametrize(
    ("usage", "written", "shortest"),
    [
        (KeyUsage(digital_signature=True, content_commitment=True), "030201c0", "030206c0"),
        (KeyUsage(key_cert_sign=True, crl_sign=True), "03020106", "03020106"),
        (KeyUsage(decipher_only=True), "0303070080", "0303070080"),
    ],
)
def test_key_usages_are_written_through_crl_sign_or_as_short_as_der_asks(
    usage: KeyUsage, written: str, shortest: str
) -> None:
    assert usage.build().value.hex() == written
    assert usage.build(shortest=True).value.hex() == shortest
    assert key_usage(with_extension(KEY_USAGE, bytes.fromhex(shortest))) == usage


@pytest.mark.parametrize(
    ("value", "usage"),
    [
        ("03020104", KeyUsage(key_cert_sign=True)),  # as AMD's intermediates have it
        ("03020204", KeyUsage(key_cert_sign=True)),  # as DER would have it
        ("03020106", KeyUsage(key_cert_sign=True, crl_sign=True)),
        ("03020780", KeyUsage(digital_signature=True)),
        ("0303070080", KeyUsage(decipher_only=True)),
    ],
)
def test_key_usages_with_and_without_trailing_zeros_are_read(value: str, usage: KeyUsage) -> None:
    assert key_usage(with_extension(KEY_USAGE, bytes.fromhex(value))) == usage


@pytest.mark.parametrize(
    "value",
    ["", "0300", "030100", "030101", "03020304", "03020804", "0303060080", "03030780c0", "030300ffff", "04020104"],
)
def test_other_key_usages_are_refused(value: str) -> None:
    with pytest.raises(Malformed, match=r"keyUsage|DER at"):
        key_usage(with_extension(KEY_USAGE, bytes.fromhex(value)))


def test_a_certificate_without_these_extensions_has_neither() -> None:
    bare = read_certificate(certificate(extensions=b""))
    assert basic_constraints(bare) is None
    assert key_usage(bare) is None


def read_everything(data: bytes) -> None:
    with suppress(Malformed):
        read_crl(data)
    with suppress(Malformed):
        got = read_certificate(data)
        for read in (basic_constraints, key_usage):
            with suppress(Malformed):
                read(got)
        for name in (got.issuer, got.subject):
            with suppress(Malformed):
                common_name(name)


@given(st.binary(max_size=300))
def test_any_bytes_give_a_value_or_malformed(data: bytes) -> None:
    read_everything(data)
    read_everything(der.sequence(der.sequence(data), ALGORITHM, SIGNATURE))


PARTS = ("version", "serial", "issuer", "validity", "subject", "spki", "extensions", "signature")


@given(st.sampled_from(PARTS), st.binary(max_size=60))
def test_any_bytes_in_place_of_a_field_give_a_value_or_malformed(part: str, data: bytes) -> None:
    read_everything(certificate(**{part: data}))


@pytest.mark.parametrize("data", [certificate(), crl(entries=der.sequence(entry(7), entry(8)))])
def test_every_flipped_bit_and_every_cut_gives_a_value_or_malformed(data: bytes) -> None:
    for at in range(len(data)):
        for bit in range(8):
            read_everything(data[:at] + bytes((data[at] ^ 1 << bit,)) + data[at + 1 :])
        with pytest.raises(Malformed, match=r"DER|expected"):
            (read_certificate if data == certificate() else read_crl)(data[:at])


@pytest.fixture(scope="module")
def real(recorded: Path) -> dict[str, bytes]:
    folders = ("roots", "veks", "vek-only")
    return {path.name: path.read_bytes() for folder in folders for path in (recorded / "snp" / folder).glob("*.der")}


def test_every_byte_of_real_certificates_can_change_without_another_exception(real: dict[str, bytes]) -> None:
    random = Random(1)  # noqa: S311  # which values are tried, not a secret
    newest = {len(data): data for _, data in sorted(real.items())}
    for data in newest.values():
        for at in range(len(data)):
            read_everything(data[:at] + bytes((random.randrange(256),)) + data[at + 1 :])


def test_a_real_crl_is_read(recorded: Path) -> None:
    got = read_crl((recorded / "snp" / "crl" / "ark_milan_2023.crl.der").read_bytes())
    assert common_name(got.issuer) == "ARK-Milan"
    assert (got.this_update.year, got.next_update and got.next_update.year, got.serials) == (2023, 2024, frozenset())
    assert got.signature_algorithm in PSS_SHA384


def test_every_real_certificate_uses_one_of_the_two_forms_of_pss(real: dict[str, bytes]) -> None:
    assert {read_certificate(data).signature_algorithm for data in real.values()} == PSS_SHA384


@pytest.fixture
def deprecated_serials() -> Iterator[None]:
    """cryptography warns that a coming release refuses serial number 0; only this comparison needs its loader."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=CryptographyDeprecationWarning)
        yield


def test_canary_our_reader_agrees_with_cryptographys_on_every_field(
    real: dict[str, bytes], deprecated_serials: None
) -> None:
    for name, data in real.items():
        ours = read_certificate(data)
        try:
            theirs = generic.load_der_x509_certificate(data)
        except ValueError:
            pytest.skip("this cryptography refuses serial number 0, as announced: nothing is left to compare with")
        assert described(ours) == described_by_cryptography(theirs), name
        assert common_name(ours.issuer) == theirs.issuer.get_attributes_for_oid(generic.NameOID.COMMON_NAME)[0].value
        assert common_name(ours.subject) == theirs.subject.get_attributes_for_oid(generic.NameOID.COMMON_NAME)[0].value
        assert (basic_constraints(ours), key_usage(ours)) == constraints_by_cryptography(theirs), name


def described(got: Certificate) -> tuple[object, ...]:
    raw = [(e.oid, e.critical) for e in got.extensions]
    amd = [(e.oid, e.value) for e in got.extensions if e.oid.startswith("1.3.6.1.4.1.3704")]
    algorithm = got.signature_algorithm[4 : 4 + got.signature_algorithm[3]]
    names = got.issuer, got.subject, got.spki
    return (got.version, got.serial, got.tbs, got.not_before, got.not_after, got.signature, names, raw, amd, algorithm)


def described_by_cryptography(got: generic.Certificate) -> tuple[object, ...]:
    raw = [(e.oid.dotted_string, e.critical) for e in got.extensions]
    unknown = [e.value for e in got.extensions if isinstance(e.value, generic.UnrecognizedExtension)]
    amd = [(value.oid.dotted_string, value.value) for value in unknown]
    spki = got.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    algorithm = der.oid(got.signature_algorithm_oid.dotted_string)[2:]
    names = got.issuer.public_bytes(), got.subject.public_bytes(), spki
    dates = got.not_valid_before_utc, got.not_valid_after_utc
    version = got.version.value + 1
    return (version, got.serial_number, got.tbs_certificate_bytes, *dates, got.signature, names, raw, amd, algorithm)


def constraints_by_cryptography(got: generic.Certificate) -> tuple[BasicConstraints | None, KeyUsage | None]:
    try:
        constraints = got.extensions.get_extension_for_class(generic.BasicConstraints).value
        usage = got.extensions.get_extension_for_class(generic.KeyUsage).value
    except generic.ExtensionNotFound:
        return None, None
    signing = KeyUsage(key_cert_sign=usage.key_cert_sign, crl_sign=usage.crl_sign)
    rest = KeyUsage(
        digital_signature=usage.digital_signature,
        content_commitment=usage.content_commitment,
        key_encipherment=usage.key_encipherment,
        data_encipherment=usage.data_encipherment,
        key_agreement=usage.key_agreement,
    )
    assert rest == KeyUsage()
    return BasicConstraints(ca=constraints.ca, path_length=constraints.path_length), signing


def test_canary_a_cryptography_that_refuses_serial_0_changes_nothing(
    real: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise ValueError("serial number 0 is not allowed")

    for loader in ("load_der_x509_certificate", "load_pem_x509_certificate", "load_der_x509_crl"):
        monkeypatch.setattr(generic, loader, refuse)
    vceks = [read_certificate(data) for data in real.values() if read_certificate(data).serial == 0]
    assert vceks
    for vcek in vceks:
        assert common_name(vcek.subject) in {"SEV-VCEK", "SEV-VLEK"}
        assert isinstance(load_der_public_key(vcek.spki), EllipticCurvePublicKey)


def test_every_recorded_certificate_and_crl_of_intel_is_read(recorded: Path) -> None:
    certificates = sorted((recorded / "tdx" / "collateral" / "certs").glob("*.der"))
    crls = sorted((recorded / "tdx" / "collateral" / "crl").glob("*.der"))
    assert certificates
    assert crls
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        for path in certificates:
            certificate_theirs = generic.load_der_x509_certificate(path.read_bytes())
            certificate_ours = read_certificate(path.read_bytes())
            assert certificate_ours.serial == certificate_theirs.serial_number
            assert certificate_ours.tbs == certificate_theirs.tbs_certificate_bytes
        for path in crls:
            theirs = generic.load_der_x509_crl(path.read_bytes())
            ours = read_crl(path.read_bytes())
            assert ours.serials == {revoked.serial_number for revoked in theirs}
            assert (ours.this_update, ours.next_update) == (theirs.last_update_utc, theirs.next_update_utc)
