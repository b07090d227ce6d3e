"""The requests, against the curl lines of the API's documentation, and which arguments are never sent."""

from datetime import UTC, datetime

import pytest
from tests.verifier.prism.documented import SAMPLE_CVM, SAMPLE_LIST, SAMPLE_POLICY, SAMPLE_STATISTICS
from tests.verifier.prism.scripted import DOMAIN, SECRET, Open, Prism, Server, reply

from cvmproof.prism.cvm import Cvm, CvmPage, CvmStat
from cvmproof.prism.platform import PlatformSpelling
from cvmproof_formats.binding import Tee
from cvmproof_formats.errors import EndpointError, Misuse

HERE = f"/backends/{DOMAIN}/cvms"
ID = f"domainID={DOMAIN}"

SAMPLE = Cvm(
    id="cvm-123",
    name="example-cvm",
    cvm_id="cvm-123",
    agent_url="https://agent.example.com",
    status="running",
    state="provisioned",
    created_at=datetime(2025, 7, 17, 9, tzinfo=UTC),
    deleted_at=None,
    provider="aws",
    vcpus=2,
    attestation=None,
    attestation_token=None,
    agent_log_level="info",
    monthly_cost_estimate="$12.34",
    cc_platform="sev-snp",
    unreadable=("attestation", "attestation_token"),  # the samples have words where base64 belongs
)


def asked(server: Server) -> str:
    """Give the one request line, after a look at what every request must have."""
    (seen,) = server.seen
    assert seen.headers["authorization"] == f"Bearer {SECRET}"
    assert seen.headers["accept-encoding"] == "identity"
    assert seen.headers["host"] == f"127.0.0.1:{server.port}"
    assert "cookie" not in seen.headers
    return seen.line


def test_create_is_the_documented_request(server: Server, prism: Prism) -> None:
    server.answers(reply("", 201))
    assert prism.create(name="example-cvm", provider="aws", vcpus=2, cc_platform="sev-snp") is None
    assert asked(server) == f"POST {HERE}/aws/2/sev-snp?{ID} HTTP/1.1"
    assert server.seen[0].body == b'{"name":"example-cvm", "agent_log_level":"info"}'
    assert server.seen[0].headers["content-type"] == "application/json"


def test_list_is_the_documented_request_and_answer(server: Server, prism: Prism) -> None:
    server.answers(reply(SAMPLE_LIST))
    assert prism.page(limit=10) == CvmPage(cvms=(SAMPLE,), total=1, limit=10, offset=0)
    assert asked(server) == f"GET {HERE}?{ID}&limit=10 HTTP/1.1"
    assert server.seen[0].body == b""
    assert "content-type" not in server.seen[0].headers


def test_view_is_the_documented_request_and_answer(server: Server, prism: Prism) -> None:
    server.answers(reply(SAMPLE_CVM))
    assert prism.view("cvm-123") == SAMPLE
    assert asked(server) == f"GET {HERE}/cvm-123?{ID} HTTP/1.1"
    assert SAMPLE.tee is Tee.SEV_SNP


def test_delete_is_the_documented_request_and_answer(server: Server, prism: Prism) -> None:
    server.answers(reply("", 204))
    prism.delete("cvm-123")
    assert asked(server) == f"DELETE {HERE}/cvm-123?{ID} HTTP/1.1"


def test_statistics_are_the_documented_request_and_answer(server: Server, prism: Prism) -> None:
    server.answers(reply(SAMPLE_STATISTICS))
    assert prism.statistics("cvm-123", days=7) == (
        CvmStat(id="stat-1", cvm_id="cvm-123", timestamp=datetime(2025, 7, 17, 8, tzinfo=UTC), online=True),
        CvmStat(id="stat-2", cvm_id="cvm-123", timestamp=datetime(2025, 7, 16, 8, tzinfo=UTC), online=False),
    )
    assert asked(server) == f"GET {HERE}/cvm-123/statistics?{ID}&days=7 HTTP/1.1"


def test_the_policy_is_the_documented_request_and_its_sample_is_no_base64(server: Server, prism: Prism) -> None:
    server.answers(reply(SAMPLE_POLICY))
    with pytest.raises(EndpointError, match="attestation policy of CVM 'cvm-123': attestation_policy: expected base64"):
        prism.attestation_policy("cvm-123")
    assert asked(server) == f"GET {HERE}/cvm-123/attestation_policy?{ID} HTTP/1.1"


@pytest.mark.parametrize("written", ["cG9saWN5IQ==", "cG9saWN5IQ"])
def test_a_policy_is_read_with_and_without_padding(server: Server, prism: Prism, written: str) -> None:
    server.answers(reply(SAMPLE_POLICY.replace("base64-policy-blob", written)))
    assert prism.attestation_policy("cvm-123") == b"policy!"


def test_every_filter_reaches_the_query(server: Server, prism: Prism) -> None:
    server.answers(reply(SAMPLE_LIST))
    prism.page(limit=100, offset=7, name="a b&c=d", status="Active", days=30, cc_platform="Intel TDX")
    query = f"{ID}&limit=100&offset=7&name=a%20b%26c%3Dd&status=Active&days=30&cc_platform=tdx"
    assert asked(server) == f"GET {HERE}?{query} HTTP/1.1"


def test_what_is_not_asked_for_is_left_out(server: Server, prism: Prism) -> None:
    server.answers(reply(SAMPLE_LIST))
    prism.page()
    assert asked(server) == f"GET {HERE}?{ID} HTTP/1.1"


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("SEV SNP", "SEV%20SNP"),
        ("sev-snp", "SEV%20SNP"),
        (Tee.TDX, "Intel%20TDX"),
        ("cca/1", None),
        ("cca 1", "cca%201"),
    ],
)
def test_a_platform_is_sent_in_the_spelling_that_was_set(
    server: Server, connect: Open, given: str, sent: str | None
) -> None:
    server.answers(reply("", 201))
    prism = connect(server.url, spelling=PlatformSpelling(sev_snp="SEV SNP", tdx="Intel TDX"))
    if sent is None:
        with pytest.raises(Misuse, match="cc_platform: expected 1 to 256 printable characters without slashes"):
            prism.create(name="n", provider="gcp", vcpus=1, cc_platform=given)
        assert server.seen == []
        return
    prism.create(name="n", provider="gcp", vcpus=1, cc_platform=given)
    assert asked(server) == f"POST {HERE}/gcp/1/{sent}?{ID} HTTP/1.1"


@pytest.mark.parametrize(
    ("body", "headers", "found"),
    [
        ("", (), None),
        ('{"id":"new-1"}', (), "new-1"),
        (SAMPLE_CVM, (), "cvm-123"),
        ("", (f"Location: {HERE}/new-2",), "new-2"),
        ("", (f"Location: https://prism.example{HERE}/new%203?x=1",), "new 3"),
        ('{"id":"new-1"}', (f"Location: {HERE}/new-2",), "new-1"),
        ("<html>made</html>", (), None),
        ('{"id":7}', (f"Location: {HERE}/",), None),
        ('{"id":"../x"}', ("Location: /elsewhere/x",), None),
        ("", ("Location: https://[::1/cvms/x",), None),
        ("x" * 9_000_000, (), None),
    ],
)
def test_the_id_of_what_was_created_is_taken_from_where_it_is(
    server: Server, prism: Prism, body: str, headers: tuple[str, ...], found: str | None
) -> None:
    server.answers(reply(body, 201, *headers))
    assert prism.create(name="n", provider="gcp", vcpus=1, cc_platform="tdx") == found


NOT_IDENTIFIERS = [
    "",
    ".",
    "..",
    "../",
    "a/b",
    "a\\b",
    "\0",
    "a\nb",
    "\x7f",
    "\ud800",
    "\u202e",
    "x" * 257,
    "x" * 10_240,
]


@pytest.mark.parametrize("name", NOT_IDENTIFIERS, ids=range(len(NOT_IDENTIFIERS)))
def test_a_name_that_cannot_stand_in_a_path_is_misuse_before_anything_is_sent(
    server: Server, prism: Prism, connect: Open, name: str
) -> None:
    for ask in (prism.view, prism.delete, prism.statistics, prism.attestation_policy):
        with pytest.raises(Misuse, match="CVM id: expected 1 to 256 printable characters without slashes") as caught:
            ask(name)
        assert len(str(caught.value)) < 500
    for part in ("provider", "cc_platform"):
        with pytest.raises(Misuse, match=part):
            prism.create(**{"name": "n", "provider": "p", "vcpus": 1, "cc_platform": "tdx", part: name})  # type: ignore[arg-type]  # one of two texts
    with pytest.raises(Misuse, match="domain: expected"):
        connect(server.url, domain=name)
    assert server.seen == []


@pytest.mark.parametrize(
    ("name", "sent"),
    [("%2e%2e", "%252e%252e"), ("a?b#c", "a%3Fb%23c"), ("é", "%C3%A9"), ("a b", "a%20b"), ("...", "...")],
)
def test_a_name_stands_percent_encoded_in_the_path(server: Server, prism: Prism, name: str, sent: str) -> None:
    server.answers(reply("", 204))
    prism.delete(name)
    assert asked(server) == f"DELETE {HERE}/{sent}?{ID} HTTP/1.1"


@pytest.mark.parametrize("wrong", [{"limit": 0}, {"limit": 101}, {"limit": True}, {"offset": -1}, {"days": 0}])
def test_numbers_out_of_their_range_are_misuse(server: Server, prism: Prism, wrong: dict[str, int]) -> None:
    with pytest.raises(Misuse, match=f"{next(iter(wrong))}: expected [01] to"):
        prism.page(**wrong)  # type: ignore[arg-type]  # numbers all
    assert server.seen == []


@pytest.mark.parametrize("vcpus", [0, -1, 65_536, True])
def test_a_number_of_processors_out_of_its_range_is_misuse(server: Server, prism: Prism, vcpus: int) -> None:
    with pytest.raises(Misuse, match="vcpus: expected 1 to"):
        prism.create(name="n", provider="gcp", vcpus=vcpus, cc_platform="tdx")
    assert server.seen == []


@pytest.mark.parametrize("text", ["", "a\nb", "x" * 257])
def test_texts_that_are_empty_long_or_unprintable_are_misuse(server: Server, prism: Prism, text: str) -> None:
    for name in ("name", "status", "cc_platform"):
        with pytest.raises(Misuse, match=f"{name}: expected 1 to 256 printable characters"):
            prism.page(**{name: text})  # type: ignore[arg-type]  # texts all
    with pytest.raises(Misuse, match="agent_log_level: expected 1 to 256 printable characters"):
        prism.create(name="n", provider="gcp", vcpus=1, cc_platform="tdx", agent_log_level=text)
    assert server.seen == []


@pytest.mark.parametrize("page_size", [0, 101, -1])
def test_a_page_size_out_of_its_range_is_misuse_before_anything_is_sent(
    server: Server, prism: Prism, page_size: int
) -> None:
    with pytest.raises(Misuse, match="page_size: expected 1 to 100"):
        prism.cvms(page_size=page_size)
    assert server.seen == []
