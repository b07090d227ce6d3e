"""Evidence as it travels: raw reports, certificate tables, evidence files, and everything that is none of these."""

import base64
import gzip
import json
import random
import tracemalloc
import zlib
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.formats.tdx.quotes import quote

from cvmproof_formats.binding import SPKI_PREFIX, BindingKind, Role, Tee
from cvmproof_formats.errors import Category, CvmproofError, Malformed, Misuse
from cvmproof_formats.evidence import (
    CERTIFICATE_COUNT_LIMIT,
    EVENT_LOG_LIMIT,
    FILE_LIMIT,
    REPORT_LIMIT,
    SCHEMA,
    Evidence,
    read_evidence,
    write_evidence,
)
from cvmproof_formats.pem import write_pem
from cvmproof_formats.snp.certificate_table import ARK, ASK, CRL, VCEK, TableEntry, build_certificate_table
from cvmproof_formats.snp.product import ProductLine
from cvmproof_formats.snp.report import read_report
from cvmproof_simulator.psp import SoftwarePsp

PSP = SoftwarePsp(ProductLine.GENOA)
REPORT = PSP.report(bytes(64))
LEAF, INTERMEDIATE, ROOT = PSP.certificates()
TABLE = build_certificate_table(
    (TableEntry(guid=VCEK, data=LEAF), TableEntry(guid=ASK, data=INTERMEDIATE), TableEntry(guid=ARK, data=ROOT))
)
NONCE, SPKI = bytes(range(32)), SPKI_PREFIX + bytes(64)
BY_NONCE = Evidence(
    tee=Tee.SEV_SNP, report=REPORT, certificates=(LEAF,), binding=BindingKind.NONCE, role=Role.SERVER, nonce=NONCE
)
EVERY_KIND = [
    BY_NONCE,
    replace(BY_NONCE, binding=BindingKind.KEY, spki=SPKI),
    replace(BY_NONCE, binding=BindingKind.CHANNEL, spki=SPKI, role=Role.CLIENT),
    replace(BY_NONCE, binding=BindingKind.USER, role=None, nonce=None, uid=1000, user_data=b"hello"),
    replace(BY_NONCE, certificates=(), event_log=b"log"),
]
DOCUMENT = json.loads(write_evidence(BY_NONCE))


def refused(data: bytes, category: Category, message: str = ".") -> None:
    with pytest.raises(Malformed, match=message) as caught:
        read_evidence(data)
    assert caught.value.category is category


def changed(**values: object) -> bytes:
    return json.dumps({name: value for name, value in (DOCUMENT | values).items() if value is not ...}).encode()


# --- raw reports -----------------------------------------------------------------------------------------------------


def test_a_raw_report_carries_no_label() -> None:
    assert read_evidence(REPORT) == Evidence(tee=Tee.SEV_SNP, report=REPORT)


@pytest.mark.parametrize("behind", [b"", bytes(3065), b"\1"])
def test_a_raw_quote_carries_no_label_and_what_stands_behind_it_is_kept(behind: bytes) -> None:
    data = quote() + behind
    assert read_evidence(data) == Evidence(tee=Tee.TDX, report=data)


def test_ac_058_a_quote_of_any_version_is_never_taken_for_a_report() -> None:
    for version in (3, 4, 5, 6):
        data = version.to_bytes(2, "little") + quote()[2:]
        assert read_evidence(data).tee is Tee.TDX
    assert read_evidence(quote()[:28]).tee is Tee.TDX
    assert read_evidence(REPORT).tee is Tee.SEV_SNP


def test_a_raw_quote_has_at_most_64_kib() -> None:
    full = quote().ljust(REPORT_LIMIT, b"\0")
    assert read_evidence(full).report == full
    refused(full + b"\0", Category.SIZE_LIMIT)


def test_a_report_may_have_its_certificate_table_behind_it() -> None:
    evidence = read_evidence(REPORT + TABLE)
    assert evidence.report == REPORT
    assert evidence.certificates == (LEAF, INTERMEDIATE, ROOT)
    assert evidence.ignored_crls == 0
    padded = read_evidence(REPORT + TABLE + bytes(1000))
    assert padded == evidence


def test_certificates_in_a_table_may_be_pem_and_padded() -> None:
    entries = (
        TableEntry(guid=VCEK, data=write_pem(LEAF) + bytes(3)),
        TableEntry(guid=ASK, data=write_pem(INTERMEDIATE)),
    )
    assert read_evidence(REPORT + build_certificate_table(entries)).certificates == (LEAF, INTERMEDIATE)


def test_a_revocation_list_in_a_table_is_counted_and_not_taken() -> None:
    table = build_certificate_table((TableEntry(guid=VCEK, data=LEAF), TableEntry(guid=CRL, data=b"\x30\x00")))
    evidence = read_evidence(REPORT + table)
    assert (evidence.certificates, evidence.ignored_crls) == ((LEAF,), 1)


def test_ac_001_a_report_cut_at_any_length_is_malformed() -> None:
    for length in range(len(REPORT)):
        refused(REPORT[:length], Category.MALFORMED, "1184 bytes")


@pytest.mark.parametrize("byte", [b"\x00", b"\x01", b"\x0a", b"{"])
def test_ac_002_a_byte_behind_a_report_is_malformed(byte: bytes) -> None:
    refused(REPORT + byte, Category.MALFORMED)


@pytest.mark.parametrize("filling", [b"\x00", b"\x01", b" "])
def test_ac_002_a_megabyte_behind_a_report_is_too_large(filling: bytes) -> None:
    refused(REPORT + filling * (1 << 20), Category.SIZE_LIMIT)


def test_ac_006_random_bytes_are_refused_and_nothing_else_happens() -> None:
    source = random.Random(6)  # noqa: S311 - repeatable, not secret
    for _ in range(10_000):
        refuse_or_read(source.randbytes(1184))
        # Past the version, into the rest.
        refuse_or_read(bytes([source.randrange(2, 6), 0, 0, 0]) + source.randbytes(1180))
    for filling in (b"\x00", b"\xff"):
        with pytest.raises(Malformed, match="version"):
            read_report(filling * 1184)


def refuse_or_read(data: bytes) -> None:
    with pytest.raises(Malformed):
        read_report(read_evidence(data).report)


@given(st.binary(max_size=3000))
@example(REPORT + TABLE[:40])
@example(b"{")
def test_any_bytes_are_evidence_or_malformed(data: bytes) -> None:
    try:
        evidence = read_evidence(data)
        read_report(evidence.report)
    except CvmproofError:
        return


# --- evidence files --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("evidence", EVERY_KIND, ids=lambda e: f"{e.binding}")
def test_what_is_written_is_read(evidence: Evidence) -> None:
    assert read_evidence(write_evidence(evidence)) == evidence
    assert write_evidence(read_evidence(write_evidence(evidence))) == write_evidence(evidence)


@given(
    st.builds(
        Evidence,
        tee=st.sampled_from(Tee),
        report=st.binary(max_size=100),
        certificates=st.lists(st.binary(max_size=20), max_size=4).map(tuple),
        binding=st.just(BindingKind.KEY),
        role=st.sampled_from(Role),
        nonce=st.binary(min_size=32, max_size=32),
        spki=st.binary(min_size=91, max_size=91),
        event_log=st.none() | st.binary(max_size=50),
    )
)
def test_any_evidence_is_read_as_it_was_written(evidence: Evidence) -> None:
    assert read_evidence(write_evidence(evidence)) == evidence


def test_a_raw_report_has_no_file() -> None:
    with pytest.raises(Misuse, match="expected a kind of binding"):
        write_evidence(read_evidence(REPORT))


@pytest.mark.parametrize(
    ("values", "category"),
    [
        ({"schema": "cvmproof.evidence/2"}, Category.UNSUPPORTED),
        ({"schema": ...}, Category.UNSUPPORTED),
        ({"schema": 1}, Category.UNSUPPORTED),
        ({"tee": "tdx "}, Category.UNSUPPORTED),
        ({"tee": ...}, Category.UNSUPPORTED),
        ({"binding": "batch"}, Category.UNSUPPORTED),
        ({"binding": None}, Category.UNSUPPORTED),
        ({"role": "Server"}, Category.UNSUPPORTED),
        ({"role": ["server"]}, Category.UNSUPPORTED),
        ({"extra": 1}, Category.MALFORMED),
        ({"crls": []}, Category.MALFORMED),
        ({"nonce": ...}, Category.MALFORMED),
        ({"role": ...}, Category.MALFORMED),
        ({"spki": base64.b64encode(SPKI).decode()}, Category.MALFORMED),
        ({"nonce": base64.b64encode(bytes(31)).decode()}, Category.MALFORMED),
        ({"nonce": NONCE.hex()}, Category.MALFORMED),
        ({"nonce": None}, Category.MALFORMED),
        ({"report": ...}, Category.MALFORMED),
        ({"report": [REPORT.hex()]}, Category.MALFORMED),
        ({"certificates": ...}, Category.MALFORMED),
        ({"certificates": {}}, Category.MALFORMED),
        ({"certificates": [1]}, Category.MALFORMED),
        ({"certificates": ["QUJDRF=="]}, Category.MALFORMED),
        ({"certificates": [""] * (CERTIFICATE_COUNT_LIMIT + 1)}, Category.SIZE_LIMIT),
    ],
    ids=str,
)
def test_a_file_that_is_not_exactly_one_is_refused(values: dict[str, object], category: Category) -> None:
    assert read_evidence(changed()) == BY_NONCE
    refused(changed(**values), category)


@pytest.mark.parametrize("uid", [-1, 1 << 32, True, "0", 1.0, None])
def test_a_uid_is_32_bits(uid: object) -> None:
    by_user = json.loads(write_evidence(EVERY_KIND[3])) | {"uid": uid}
    refused(json.dumps(by_user).encode(), Category.MALFORMED, "uid")


@pytest.mark.parametrize("tee", ["sample", "none", "unspecified", "0", 0, "", None, "sim", "simulated"])
def test_ac_095_a_platform_that_is_none_is_unsupported(tee: object) -> None:
    refused(changed(tee=tee), Category.UNSUPPORTED, "tee: expected one of sev-snp, tdx")


@pytest.mark.parametrize("data", [b"{}", b'{"schema": "cvmproof.evidence/1"}', b"{", b"{} ", b'{"a":1,"a":1}'])
def test_a_file_that_says_nothing_is_refused(data: bytes) -> None:
    with pytest.raises(Malformed, match="evidence file"):
        read_evidence(data)


@pytest.mark.parametrize("name", sorted(DOCUMENT))
def test_a_name_that_stands_twice_is_refused(name: str) -> None:
    text = changed().decode()
    refused((text[:-1] + f', "{name}": {json.dumps(DOCUMENT[name])}}}').encode(), Category.MALFORMED, "stands twice")


@pytest.mark.parametrize("name", ["report", "nonce"])
def test_ac_087_base64_in_a_file_has_one_spelling(name: str) -> None:
    text = DOCUMENT[name]
    for wrong in (text + "\n", " " + text, text.rstrip("="), text[:4] + "\n" + text[4:], text.replace("A", "-", 1)):
        refused(changed(**{name: wrong}), Category.MALFORMED, name)


# --- limits ----------------------------------------------------------------------------------------------------------


def encoded(size: int) -> str:
    return base64.b64encode(bytes(size)).decode()


@pytest.mark.parametrize(
    "data",
    [
        REPORT + bytes(REPORT_LIMIT - 1184 + 1),
        b"\x01" * (REPORT_LIMIT + 1),
        b"{" + b" " * FILE_LIMIT,
        b" " * (FILE_LIMIT + 1) + b"{}",
        changed(report=encoded(REPORT_LIMIT + 1)),
        changed(certificates=[encoded(REPORT_LIMIT // 2)] * 2),
        changed(certificates=[encoded(REPORT_LIMIT + 1)]),
        changed(event_log=encoded(EVENT_LOG_LIMIT + 1)),
    ],
    ids=range(8),
)
def test_ac_108_evidence_over_a_limit_is_refused(data: bytes) -> None:
    refused(data, Category.SIZE_LIMIT)


def test_ac_108_evidence_at_its_limits_is_read() -> None:
    assert read_evidence(changed(event_log=encoded(EVENT_LOG_LIMIT))).event_log == bytes(EVENT_LOG_LIMIT)
    largest = REPORT_LIMIT - len(REPORT)
    assert read_evidence(changed(certificates=[encoded(largest)])).certificates == (bytes(largest),)


def test_ac_108_what_is_too_large_takes_no_memory_to_refuse() -> None:
    for data in (b"\x01" * (64 << 20), b"{" + b" " * (64 << 20)):
        tracemalloc.start()
        refused(data, Category.SIZE_LIMIT)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 2 * REPORT_LIMIT


@pytest.mark.parametrize("compress", [gzip.compress, zlib.compress], ids=["gzip", "zlib"])
def test_ac_109_nothing_is_ever_decompressed(compress: object) -> None:
    assert callable(compress)
    bomb = compress(bytes(10 << 20))
    tracemalloc.start()
    for bytes_ in (bomb, bomb + bomb, bomb[:1184]):
        with pytest.raises(Malformed):
            read_report(read_evidence(bytes_).report)
    assert tracemalloc.get_traced_memory()[1] < 2 * REPORT_LIMIT
    tracemalloc.stop()
    for packed in (compress(REPORT), compress(changed()), compress(REPORT) * 2):
        with pytest.raises(Malformed):
            read_report(read_evidence(packed).report)
    refused(compress(random.Random(1).randbytes(REPORT_LIMIT + 1)), Category.SIZE_LIMIT)  # noqa: S311 - repeatable
    packed_field = changed(report=base64.b64encode(compress(REPORT)).decode())
    with pytest.raises(Malformed):
        read_report(read_evidence(packed_field).report)


def test_the_schema_is_named_in_the_file() -> None:
    assert DOCUMENT["schema"] == SCHEMA == "cvmproof.evidence/1"
