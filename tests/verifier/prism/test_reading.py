"""What answers mean, without a network."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.verifier.prism.documented import SAMPLE_CVM

from cvmproof.prism.call import Answer
from cvmproof.prism.calls import Calls, Filters
from cvmproof.prism.cvm import Cvm
from cvmproof.prism.platform import PlatformSpelling
from cvmproof.prism.reading import read_cvm, read_object, read_page, read_said, read_statistics, read_view
from cvmproof_formats.binding import Tee
from cvmproof_formats.encoding import write_base64
from cvmproof_formats.errors import Category, CvmproofError, EndpointError

Json = dict[str, object]


def cvm_of(**changes: object) -> Cvm:
    return read_cvm(read_object(json.dumps({"id": "a", **changes}).encode(), "view CVM 'a'"))


def test_a_record_needs_no_more_than_its_id() -> None:
    assert cvm_of() == Cvm(id="a")
    assert cvm_of(**dict.fromkeys(json.loads(SAMPLE_CVM), None) | {"id": "a"}) == Cvm(id="a")


def test_names_that_are_not_known_are_left_alone() -> None:
    assert cvm_of(region="eu", nested={"a": [1, None]}) == Cvm(id="a")


@pytest.mark.parametrize("text", ["https://agent.example.com", "109.92.195.153:6104", "javascript:x", "  "])
def test_an_agent_url_stays_as_it_was_sent(text: str) -> None:
    assert cvm_of(agent_url=text).agent_url == text


def test_an_empty_agent_url_is_none() -> None:
    assert cvm_of(agent_url="").agent_url is None


@pytest.mark.parametrize("text", ["$", "$12.34", "free"])
def test_an_estimate_is_text(text: str) -> None:
    assert cvm_of(monthly_cost_estimate=text).monthly_cost_estimate == text


@pytest.mark.parametrize("text", ["online", "Creating", "ReceivingManifest", "something new"])
def test_enumerations_are_open(text: str) -> None:
    cvm = cvm_of(status=text, state=text, provider=text, cc_platform=text, agent_log_level=text)
    assert {cvm.status, cvm.state, cvm.provider, cvm.cc_platform, cvm.agent_log_level} == {text}
    assert cvm.tee is None


@pytest.mark.parametrize(
    ("text", "tee"),
    [
        *(
            (text, Tee.SEV_SNP)
            for text in ("sev-snp", "sev_snp", "SEV SNP", "snp", "SNP", "AMD SEV_SNP", "AMD SEV-SNP")
        ),
        ("SNP (AMD Secure Nested Paging)", Tee.SEV_SNP),
        *((text, Tee.TDX) for text in ("tdx", "TDX", "intel-tdx", "Intel TDX", "INTEL_TDX")),
        *((text, None) for text in ("", "sev", "sgx", "tdx2", "snp" + " " * 100, "\u017fnp", "Azure")),
    ],
)
def test_a_platform_is_known_in_every_spelling(text: str, tee: Tee | None) -> None:
    assert cvm_of(cc_platform=text).tee is tee


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2025-07-17T09:00:00Z", datetime(2025, 7, 17, 9, tzinfo=UTC)),
        ("2025-07-17T11:00:00+02:00", datetime(2025, 7, 17, 9, tzinfo=UTC)),
        ("2025-07-17T09:00:00.123456789Z", datetime(2025, 7, 17, 9, 0, 0, 123456, tzinfo=UTC)),
        ("2025-07-17T09:00:00.5Z", datetime(2025, 7, 17, 9, 0, 0, 500000, tzinfo=UTC)),
        ("0001-01-01T00:00:00Z", None),
        ("0001-01-01T00:00:00.000Z", None),
        ("0001-01-01T02:00:00+02:00", None),
        ("", None),
    ],
)
def test_times_are_read_in_utc_and_the_zero_time_is_none(text: str, moment: datetime | None) -> None:
    cvm = cvm_of(created_at=text, deleted_at=text)
    assert cvm.created_at == cvm.deleted_at == moment
    assert moment is None or (cvm.created_at is not None and cvm.created_at.utcoffset() == timedelta(0))


@pytest.mark.parametrize(
    "text",
    [
        "2025-07-17",
        "2025-07-17 09:00:00Z",
        "2025-07-17T09:00:00",
        "2025-13-17T09:00:00Z",
        "2025-07-17T09:00:60Z",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+02:00",
        "9999-12-31T23:59:59-02:00",
        "2025-07-17T09:00:00+99:00",
        "2025-07-17T09:00:00.1234567890Z",
        "٢٠٢٥-07-17T09:00:00Z",
        "yesterday",
        "x" * 1000,
    ],
)
def test_any_other_time_is_refused(text: str) -> None:
    with pytest.raises(EndpointError, match="view CVM 'a': created_at: expected a time as in RFC 3339, got '"):
        cvm_of(created_at=text)


@pytest.mark.parametrize("data", [b"", b"a", b"ab", b"abc", b"\xff\xfe\xfb"])
def test_base64_is_read_with_and_without_padding(data: bytes) -> None:
    for text in (write_base64(data), write_base64(data).rstrip("=")):
        cvm = cvm_of(attestation=text, attestation_token=text)
        assert cvm.attestation == cvm.attestation_token == (data or None)
        assert cvm.unreadable == ()


@pytest.mark.parametrize("text", ["YQ=", "YR==", "YR", "Y", "Y Q", "YQ==\n", "__-_", "YQ===", "é", "=", "YQ==YQ=="])
def test_a_snapshot_in_anything_else_is_none_and_named(text: str) -> None:
    cvm = cvm_of(attestation=text, attestation_token="YQ")  # noqa: S106 -- a field of a record
    assert (cvm.attestation, cvm.attestation_token, cvm.unreadable) == (None, b"a", ("attestation",))


@pytest.mark.parametrize("text", ["YQ=", "YR==", "YR", "Y", "Y Q", "YQ==\n", "__-_", "YQ===", "é", "="])
def test_a_policy_in_anything_else_is_refused(text: str) -> None:
    call = Calls("d", PlatformSpelling()).attestation_policy("a")
    with pytest.raises(EndpointError, match="attestation_policy: expected"):
        call.finish(Answer(status=200, body=json.dumps({"attestation_policy": text}).encode()), "secret")


@pytest.mark.parametrize("value", ["", None])
def test_an_empty_policy_is_empty(value: object) -> None:
    call = Calls("d", PlatformSpelling()).attestation_policy("a")
    assert call.finish(Answer(status=200, body=json.dumps({"attestation_policy": value}).encode()), "secret") == b""


WRONG: list[tuple[str, object, str]] = [
    *((name, 5, "text, got the number 5") for name in ("name", "cvm_id", "agent_url", "status", "state", "provider")),
    *((name, 5, "text, got the number 5") for name in ("attestation", "attestation_token", "agent_log_level")),
    *((name, ["x"], "text, got a list") for name in ("monthly_cost_estimate", "cc_platform", "created_at")),
    ("deleted_at", {}, "text, got an object"),
    ("id", True, "text, got true"),
    ("id", None, "1 to 256 printable characters without slashes, got nothing"),
    ("id", "", "1 to 256 printable characters without slashes, got nothing"),
    ("id", "../x", "1 to 256 printable characters without slashes, got '../x'"),
    ("name", "\ud800", "Unicode text, got half a surrogate pair"),
    *(
        ("vcpus", value, "a whole number, not negative, of 64 bits, got ")
        for value in ("2", 2.0, -1, True, 2**64, list[object]())
    ),
]


@pytest.mark.parametrize(("name", "value", "why"), WRONG)
def test_a_wrong_type_names_the_field_what_was_expected_and_what_came(name: str, value: object, why: str) -> None:
    with pytest.raises(EndpointError) as caught:
        cvm_of(**{"id": "a", name: value})
    assert str(caught.value).startswith(f"view CVM 'a': {name}: expected {why}")
    assert caught.value.category is Category.ENDPOINT


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "expected strict JSON"),
        (b"<html></html>", "expected strict JSON"),
        (b"[]", "expected an object, got a list"),
        (b"null", "expected an object, got nothing"),
        (b'"text"', "expected an object, got text"),
        (b'{"id":"a","id":"b"}', "stands twice"),
        (b'{"id":"a"} x', "expected strict JSON"),
        (b'\xef\xbb\xbf{"id":"a"}', "expected strict JSON"),
        (b'{"id":"a","vcpus":NaN}', "expected strict JSON"),
        (b'{"id":"\xff"}', "expected strict JSON"),
        (b'{"vcpus":' + b"9" * 10_000 + b"}", "expected strict JSON"),
        (b"[" * 100_000, "expected strict JSON"),
    ],
)
def test_what_is_no_strict_json_object_is_refused(body: bytes, why: str) -> None:
    with pytest.raises(EndpointError, match=why):
        read_cvm(read_object(body, "view CVM 'a'"))


def test_another_record_than_the_one_asked_for_is_refused() -> None:
    fields = read_object(b'{"id":"b","cvm_id":"a"}', "view CVM 'a'")
    with pytest.raises(EndpointError, match="view CVM 'a': id: expected 'a', got 'b'") as caught:
        read_view(fields, "a")
    assert caught.value.category is Category.IDENTITY


@pytest.mark.parametrize("body", [b'{"cvms":null}', b'{"cvms":[]}'])
def test_an_empty_list_is_empty_however_it_is_written(body: bytes) -> None:
    page = read_page(read_object(body, "list CVMs"), limit=10, offset=3)
    assert (page.cvms, page.total, page.limit, page.offset) == ((), 3, 10, 3)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"{}", "list CVMs: cvms: expected a list, got nothing"),
        (b'{"cvms":{}}', "list CVMs: cvms: expected a list, got an object"),
        (b'{"cvms":[{"id":"a"},5]}', r"list CVMs: cvms\[1\]: expected an object, got the number 5"),
        (b'{"cvms":[{"id":"a"},{"id":7}]}', r"list CVMs: cvms\[1\]: id: expected text, got the number 7"),
        (b'{"cvms":[],"total":"1"}', "list CVMs: total: expected a whole number"),
    ],
)
def test_a_list_in_any_other_form_is_refused(body: bytes, why: str) -> None:
    with pytest.raises(EndpointError, match=why):
        read_page(read_object(body, "list CVMs"), limit=None, offset=0)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"status": "true"}, "status: expected true or false, got text"),
        ({"status": 1}, "status: expected true or false, got the number 1"),
        ({"timestamp": None}, "timestamp: expected a time as in RFC 3339, got none"),
        ({"timestamp": "0001-01-01T00:00:00Z"}, "timestamp: expected a time as in RFC 3339, got none"),
        ({"timestamp": "now"}, "timestamp: expected a time as in RFC 3339, got 'now'"),
    ],
)
def test_a_sample_in_any_other_form_is_refused(changes: Json, why: str) -> None:
    sample = {"id": "s", "cvm_id": "c", "timestamp": "2025-07-17T08:00:00Z", "status": True}
    with pytest.raises(EndpointError, match=rf"statistics: cvm_stats\[0\]: {why}"):
        read_statistics(read_object(json.dumps({"cvm_stats": [sample | changes]}).encode(), "statistics"))


def test_the_services_words_are_escaped_and_cut() -> None:
    error, message = read_said(json.dumps({"error": "a\x1b[2J\n\u202e", "message": "m" * 10_000}).encode())
    assert error.isprintable()
    assert len(message) < 200


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"error":5}', b'{"error":"a","error":"b"}', b'"x"'])
def test_words_in_any_other_form_are_not_shown(body: bytes) -> None:
    assert read_said(body) == ("", "")


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
# Two days from either end, since the same moment is also written in other zones.
moments = st.integers(2 * 86_400_000_000, 3_652_057 * 86_400_000_000).map(
    lambda microseconds: datetime(1, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
)


@given(
    cvm=st.builds(
        Cvm,
        id=st.from_regex(r"[a-zA-Z0-9 é%?#_-]{1,40}", fullmatch=True),
        name=texts,
        cvm_id=texts,
        agent_url=st.none() | texts.filter(bool),
        status=texts,
        state=texts,
        created_at=st.none() | moments,
        deleted_at=st.none() | moments,
        provider=texts,
        vcpus=st.none() | st.integers(0, 2**64 - 1),
        attestation=st.none() | st.binary(min_size=1),
        attestation_token=st.none() | st.binary(min_size=1),
        agent_log_level=texts,
        monthly_cost_estimate=texts,
        cc_platform=texts,
        unreadable=st.just(()),
    ),
    padded=st.booleans(),
    hours=st.integers(-23, 23),
)
def test_a_record_survives_the_way_there_and_back(cvm: Cvm, padded: bool, hours: int) -> None:
    assert read_cvm(read_object(json.dumps(written(cvm, padded=padded, hours=hours)).encode(), "view")) == cvm


def written(cvm: Cvm, *, padded: bool, hours: int) -> Json:
    """Write a record as the service would."""

    def moment(value: datetime | None) -> str:
        zone = timezone(timedelta(hours=hours))
        return "0001-01-01T00:00:00Z" if value is None else value.astimezone(zone).isoformat()

    def blob(value: bytes | None) -> str:
        text = write_base64(value or b"")
        return text if padded else text.rstrip("=")

    names = ("id", "name", "cvm_id", "status", "state", "provider", "vcpus", "agent_log_level", "cc_platform")
    return {
        **{name: getattr(cvm, name) for name in (*names, "monthly_cost_estimate")},
        "agent_url": cvm.agent_url or "",
        "created_at": moment(cvm.created_at),
        "deleted_at": moment(cvm.deleted_at),
        "attestation": blob(cvm.attestation),
        "attestation_token": blob(cvm.attestation_token),
    }


CALLS = Calls("d", PlatformSpelling())
EVERY_CALL = (
    CALLS.create(name="n", provider="p", vcpus=1, cc_platform="tdx", agent_log_level="info"),
    CALLS.page(Filters(), limit=10, offset=None),
    CALLS.view("cvm-123"),
    CALLS.delete("cvm-123"),
    CALLS.statistics("cvm-123", days=None),
    CALLS.attestation_policy("cvm-123"),
)
leaves = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["cvm-123", "YQ"])
names = st.sampled_from(
    [*json.loads(SAMPLE_CVM), "cvms", "cvm_stats", "attestation_policy", "total", "error", "message"]
)
values = st.recursive(
    leaves, lambda below: st.lists(below, max_size=3) | st.dictionaries(names | st.text(), below), max_leaves=12
)


@pytest.mark.parametrize("call", EVERY_CALL, ids=lambda call: call.what)
@given(
    status=st.sampled_from([200, 201, 204]) | st.integers(100, 999),
    body=st.binary() | values.map(lambda value: json.dumps(value).encode()),
    headers=st.tuples(st.text(), st.text() | st.sampled_from(["5", "Wed, 21 Oct 2026 07:28:00 GMT"]), st.text()),
)
def test_any_answer_is_a_result_or_one_of_our_errors(
    call: object, status: int, body: bytes, headers: tuple[str, str, str]
) -> None:
    location, retry_after, date = headers
    answer = Answer(status=status, body=body, location=location, retry_after=retry_after, date=date)
    found = error_of(lambda: call.finish(answer, "secret"))  # type: ignore[attr-defined]  # one of six types
    assert found is None or isinstance(found, EndpointError)
    assert found is None or (str(found).isprintable() and len(str(found)) < 1000)


def error_of(run: Callable[[], object]) -> CvmproofError | None:
    try:
        run()
    except CvmproofError as error:
        return error
    return None
