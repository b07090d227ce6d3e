"""The fake Prism against its API's documentation, run by curl, and against everybody who means it ill."""

import http.client
import json
import os
import re
import shlex
import socket
import subprocess
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvmproof_formats.errors import Misuse
from cvmproof_simulator import misbehaviour as does
from cvmproof_simulator.fake_service import Elsewhere
from cvmproof_simulator.prism import FakePrism
from cvmproof_simulator.prism_cvms import Spelling

DOMAIN = "c1adf32-3dac-4aad-bead-ae96fe071239"
TOKEN = "t" * 40
BASE = "https://prism.ultraviolet.rs/backends"
CVMS = f"{BASE}/{DOMAIN}/cvms"
NOON = datetime(2025, 7, 17, 12, tzinfo=UTC)
AUTHORIZED = {"Authorization": f"Bearer {TOKEN}"}
CREATION = {"name": "example-cvm", "agent_log_level": "info"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def said(self) -> dict[str, object]:
        said: dict[str, object] = json.loads(self.body)
        return said

    @property
    def names(self) -> list[str]:
        cvms = self.said["cvms"]
        assert isinstance(cvms, list)
        return [cvm["name"] for cvm in cvms]


def ask(
    prism: FakePrism,
    path: str = "",
    *,
    method: str = "GET",
    body: bytes | None = None,
    headers: Mapping[str, str] = AUTHORIZED,
) -> Reply:
    """Ask for a path below the domain's cvms."""
    connection = http.client.HTTPConnection("127.0.0.1", prism.port, timeout=10)
    try:
        connection.request(method, f"/backends/{prism.domain}/cvms{path}", body=body, headers=dict(headers))
        response = connection.getresponse()
        return Reply(status=response.status, headers=dict(response.headers.items()), body=response.read())
    finally:
        connection.close()


def create(
    prism: FakePrism,
    path: str = "/ultraviolet/2/sev-snp",
    *,
    body: bytes = json.dumps(CREATION).encode(),
    content_type: str = "application/json",
) -> Reply:
    return ask(prism, path, method="POST", body=body, headers={**AUTHORIZED, "Content-Type": content_type})


@pytest.fixture
def prism() -> Iterator[FakePrism]:
    with FakePrism(domain=DOMAIN, token=TOKEN, clock=lambda: NOON) as prism:
        yield prism


# --- the documentation ------------------------------------------------------------------------------------------------

CURL_LINES = f"""
curl -X POST "{CVMS}/aws/2/sev-snp?domainID={DOMAIN}" \\
  -H "Authorization: Bearer <token>" \\
  -H "Content-Type: application/json" \\
  -d '{{"name":"example-cvm", "agent_log_level":"info"}}'

curl -X GET "{CVMS}?domainID={DOMAIN}&limit=10" \\
  -H "Authorization: Bearer <token>"

curl -X GET "{CVMS}/cvm-123?domainID={DOMAIN}" \\
  -H "Authorization: Bearer <token>"

curl -X DELETE "{CVMS}/cvm-123?domainID={DOMAIN}" \\
  -H "Authorization: Bearer <token>"

curl -X GET "{CVMS}/cvm-123/statistics?domainID={DOMAIN}&days=7" \\
  -H "Authorization: Bearer <token>"

curl -X GET "{CVMS}/cvm-123/attestation_policy?domainID={DOMAIN}" \\
  -H "Authorization: Bearer <token>"
"""
CREATE, LIST, VIEW, DELETE, STATISTICS, POLICY = CURL_LINES.strip().split("\n\n")
CVM = {
    "id": "cvm-123",
    "name": "example-cvm",
    "cvm_id": "cvm-123",
    "agent_url": "https://agent.example.com",
    "status": "running",
    "state": "provisioned",
    "created_at": "2025-07-17T09:00:00Z",
    "deleted_at": "0001-01-01T00:00:00Z",
    "provider": "aws",
    "vcpus": 2,
    "attestation": "base64-blob",
    "attestation_token": "base64-token",
    "agent_log_level": "info",
    "monthly_cost_estimate": "$12.34",
    "cc_platform": "sev-snp",
}
STATS = [
    {"id": "stat-1", "cvm_id": "cvm-123", "timestamp": "2025-07-17T08:00:00Z", "status": True},
    {"id": "stat-2", "cvm_id": "cvm-123", "timestamp": "2025-07-16T08:00:00Z", "status": False},
]
SAMPLES = {
    LIST: {"cvms": [CVM], "total": 1, "limit": 10, "offset": 0},
    VIEW: CVM,
    STATISTICS: {"cvm_stats": STATS},
    POLICY: {"attestation_policy": "base64-policy-blob"},
}


@pytest.fixture
def documented(prism: FakePrism) -> FakePrism:
    """It holds the record of the documentation, and nothing else."""
    cvm = prism.add(
        "example-cvm",
        id="cvm-123",
        agent_url="https://agent.example.com",
        created_at=datetime(2025, 7, 17, 9, tzinfo=UTC),
        provider="aws",
        attestation="base64-blob",
        attestation_token="base64-token",  # noqa: S106 -- a public sample
        policy="base64-policy-blob",
    )
    prism.add_statistic(cvm, datetime(2025, 7, 17, 8, tzinfo=UTC), online=True)
    prism.add_statistic(cvm, datetime(2025, 7, 16, 8, tzinfo=UTC), online=False)
    return prism


def run(curl: Path, line: str, prism: FakePrism) -> Reply:
    """Run a line of the documentation, and read what curl prints."""
    words = shlex.split(line.replace("\\\n", " ").replace(BASE, prism.url).replace("<token>", TOKEN))
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    done = subprocess.run(
        [str(curl), "--disable", "--silent", "--show-error", "--include", "--max-time", "20", *words[1:]],
        env=environment,
        capture_output=True,
        check=True,
    )
    head, _, body = done.stdout.partition(b"\r\n\r\n")
    first, *headers = head.decode().split("\r\n")
    pairs = [(name, value) for name, _, value in (header.partition(": ") for header in headers)]
    return Reply(status=int(first.split()[1]), headers=dict(pairs), body=body)


@pytest.mark.parametrize("line", SAMPLES, ids=["list", "view", "statistics", "policy"])
def test_a_documented_request_gets_the_documented_answer(
    line: str, documented: FakePrism, tool: Callable[[str], Path]
) -> None:
    reply = run(tool("curl"), line, documented)
    assert (reply.status, reply.headers["Content-Type"]) == (200, "application/json")
    assert reply.said == SAMPLES[line]
    assert json.dumps(reply.said) == json.dumps(SAMPLES[line]), "the names stand in the order of the documentation"


def test_the_documented_creation_is_201_without_a_body(prism: FakePrism, tool: Callable[[str], Path]) -> None:
    reply = run(tool("curl"), CREATE, prism)
    assert (reply.status, reply.body) == (201, b"")
    (cvm,) = prism.cvms
    assert (cvm.name, cvm.provider, cvm.vcpus, cvm.cc_platform) == ("example-cvm", "aws", 2, "sev-snp")
    assert cvm.agent_log_level == "info"
    assert ask(prism).said["cvms"] == [cvm.as_json()]
    assert cvm.as_json().keys() == CVM.keys()


def test_the_documented_deletion_is_204(documented: FakePrism, tool: Callable[[str], Path]) -> None:
    curl = tool("curl")
    reply = run(curl, DELETE, documented)
    assert (reply.status, reply.body) == (204, b"")
    assert run(curl, LIST, documented).names == []
    assert run(curl, VIEW, documented).said == CVM | {"deleted_at": "2025-07-17T12:00:00Z"}


def test_these_are_the_lines_and_samples_of_the_documentation(recorded: Path) -> None:
    text = (recorded.parent / "reference" / "prism_cvms_api.md").read_text("utf-8")
    blocks = re.findall(r"^```(\w*)\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    lines = [CREATE, LIST, VIEW, DELETE, STATISTICS, POLICY]
    assert [block.strip() for kind, block in blocks if kind == "bash"] == lines
    assert [json.loads(block) for kind, block in blocks if kind == "json"] == [CREATION, *SAMPLES.values()]


# --- who may ask ------------------------------------------------------------------------------------------------------

PATHS = [
    ("GET", ""),
    ("GET", "/cvm-123"),
    ("DELETE", "/cvm-123"),
    ("GET", "/cvm-123/statistics"),
    ("GET", "/cvm-123/attestation_policy"),
    ("POST", "/aws/2/sev-snp"),
]


@pytest.mark.parametrize(("method", "path"), PATHS)
@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer ", "Bearer wrong", TOKEN, f"Basic {TOKEN}", f"bearer {TOKEN}"]
)
def test_without_the_token_nothing_is_answered(
    documented: FakePrism, method: str, path: str, header: str | None
) -> None:
    before = documented.cvms
    headers = {} if header is None else {"Authorization": header}
    assert ask(documented, path, method=method, headers=headers).status == 401
    assert documented.cvms == before


@pytest.mark.parametrize(("method", "path"), PATHS)
def test_the_token_of_another_domain_is_403(documented: FakePrism, method: str, path: str) -> None:
    documented.admit("another", "another-domain")
    assert ask(documented, path, method=method, headers={"Authorization": "Bearer another"}).status == 403


def test_a_domain_sees_its_own_cvms_only(documented: FakePrism) -> None:
    theirs = documented.add("theirs", domain="another-domain", policy=b"theirs")
    assert ask(documented).names == ["example-cvm"]
    for method, path in PATHS[1:5]:
        assert ask(documented, path.replace("cvm-123", theirs), method=method).status == 404


def test_a_token_may_be_added_and_expire(documented: FakePrism) -> None:
    documented.admit("second")
    assert ask(documented, headers={"Authorization": "Bearer second"}).status == 200
    documented.revoke("second")
    assert ask(documented, headers={"Authorization": "Bearer second"}).status == 401
    assert ask(documented).status == 200


def test_domain_and_token_are_random_unless_given() -> None:
    with FakePrism() as one, FakePrism() as other:
        assert one.domain != other.domain
        assert len(one.token) >= 32
        assert one.token != other.token


# --- errors -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "?limit=0", 400),
        ("GET", "?domainID=another", 400),
        ("GET", "/cvm-123?domainID=another", 400),
        ("GET", "/none", 404),
        ("DELETE", "/none", 404),
        ("GET", "/none/statistics", 404),
        ("GET", "/none/attestation_policy", 404),
        ("GET", "/cvm-123/statistics?days=many", 400),
        ("POST", "/aws/2/sev-snp", 415),
    ],
)
def test_an_error_is_an_object_of_two_texts_or_has_no_body(
    documented: FakePrism, method: str, path: str, status: int
) -> None:
    reply = ask(documented, path, method=method)
    assert (reply.status, reply.headers["Content-Type"]) == (status, "application/json")
    assert {name: type(value) for name, value in reply.said.items()} == {"error": str, "message": str}
    with FakePrism(domain=DOMAIN, token=TOKEN, empty_errors=True) as terse:
        terse.add("example-cvm", id="cvm-123")
        reply = ask(terse, path, method=method)
        assert (reply.status, reply.body) == (status, b"")


@pytest.mark.parametrize("path", ["/", "//statistics/x/y", "/cvm-123/", "/cvm-123/policy", "/a/b/c/d", "x"])
def test_a_path_that_is_none_is_404_in_plain_text(documented: FakePrism, path: str) -> None:
    reply = ask(documented, path)
    assert (reply.status, reply.headers["Content-Type"]) == (404, "text/plain")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "", "GET"),
        ("PUT", "/cvm-123", "DELETE, GET"),
        ("DELETE", "/cvm-123/statistics", "GET"),
        ("POST", "/cvm-123/attestation_policy", "GET"),
        ("GET", "/aws/2/sev-snp", "POST"),
        ("HEAD", "", "GET"),
    ],
)
def test_a_method_that_a_path_has_not_is_405(documented: FakePrism, method: str, path: str, allowed: str) -> None:
    reply = ask(documented, path, method=method)
    assert (reply.status, reply.headers["Allow"]) == (405, allowed)


# --- create -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/ultraviolet/1/sev-snp",
        "/azure/512/SEV%20SNP",
        "/gcp/2/Intel%20TDX",
        "/external/2/intel-tdx",
        "/manager/2/tdx",
        "/aws/2/snp",
        "/aws/2/AMD%20SEV_SNP",
    ],
)
def test_a_cvm_can_be_created(prism: FakePrism, path: str) -> None:
    assert create(prism, path).status == 201
    assert [cvm.status for cvm in prism.cvms] == ["Creating"]
    assert ask(prism, f"/{prism.cvms[0].id}/attestation_policy").said == {"attestation_policy": ""}


@pytest.mark.parametrize(
    "path",
    [
        "/nobody/2/sev-snp",
        "/aws/0/sev-snp",
        "/aws/-1/sev-snp",
        "/aws/513/sev-snp",
        "/aws/two/sev-snp",
        "/aws/%D9%A2/sev-snp",
        "/aws/2/sgx",
    ],
)
def test_a_cvm_that_can_not_be_is_not_created(prism: FakePrism, path: str) -> None:
    assert create(prism, path).status == 400
    assert prism.cvms == ()


@pytest.mark.parametrize(
    "body",
    [
        b'{"name":"a"}',
        b'{"name":"a","agent_log_level":"DEBUG"}',
        b'{"name":"a","unknown":[1]}',
        json.dumps({"name": "n" * 1024}).encode(),
    ],
)
def test_a_body_may_say_no_more_than_a_name(prism: FakePrism, body: bytes) -> None:
    assert create(prism, body=body).status == 201


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"\xff",
        b"{}",
        b'{"name":""}',
        b'{"name":5}',
        b'{"name":"a","agent_log_level":"loud"}',
        b'{"name":"a","agent_log_level":5}',
        json.dumps({"name": "n" * 1025}).encode(),
        b"[" * 60_000,
        b'{"name":' + b"9" * 5000 + b"}",
    ],
)
def test_a_body_that_says_less_is_400(prism: FakePrism, body: bytes) -> None:
    assert create(prism, body=body).status == 400
    assert prism.cvms == ()


def test_a_body_that_is_too_large_is_413(prism: FakePrism) -> None:
    assert create(prism, body=b'{"name":"a"}' + b" " * 65_536).status == 413
    assert prism.cvms == ()


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/json", 201),
        ("Application/JSON; charset=utf-8", 201),
        ("application/x-www-form-urlencoded", 415),
        ("text/application/json", 415),
        ("", 415),
    ],
)
def test_a_body_says_that_it_is_json(prism: FakePrism, content_type: str, status: int) -> None:
    assert create(prism, content_type=content_type).status == status


def test_a_name_may_be_taken_twice_unless_told_otherwise(prism: FakePrism) -> None:
    assert [create(prism).status for _ in range(2)] == [201, 201]
    with FakePrism(domain=DOMAIN, token=TOKEN, unique_names=True) as strict:
        assert [create(strict).status for _ in range(2)] == [201, 409]
        strict.delete(strict.cvms[0].id)
        assert create(strict).status == 201


def test_a_plan_may_allow_no_more() -> None:
    with FakePrism(domain=DOMAIN, token=TOKEN, quota=1) as prism:
        assert [create(prism).status for _ in range(2)] == [201, 422]
        assert len(prism.cvms) == 1


def test_a_creation_may_be_answered_with_the_id() -> None:
    with FakePrism(domain=DOMAIN, token=TOKEN, answers_with_id=True) as prism:
        assert create(prism).said == {"id": prism.cvms[0].id}


# --- list -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def many(prism: FakePrism) -> FakePrism:
    """Twelve CVMs, an hour apart, the last one the newest; deleted, of the other platform, offline and older ones."""
    for number in range(12):
        prism.add(f"cvm-{number:02}", id=str(number), created_at=NOON - timedelta(hours=12 - number))
    prism.add("gone", id="gone", created_at=NOON - timedelta(days=1))
    prism.delete("gone")
    prism.add("other", cc_platform="tdx", status="offline", created_at=NOON - timedelta(days=3))
    return prism


NEWEST = [f"cvm-{number:02}" for number in range(11, -1, -1)]
ALIVE = [*NEWEST, "other"]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ALIVE[:10]),
        ("limit=1", ALIVE[:1]),
        ("limit=100", ALIVE),
        ("limit=3&offset=11", ALIVE[11:]),
        ("offset=13", []),
        ("offset=9223372036854775807", []),
        ("name=cvm-0", NEWEST[2:]),
        ("name=CVM-03", ["cvm-03"]),
        ("name=%25", []),
        ("name=", ALIVE[:10]),
        ("status=Active&limit=100", ALIVE),
        ("status=inactive", ["gone"]),
        ("status=deleted", ["gone"]),
        ("status=all&name=o", ["gone", "other"]),
        ("status=offline", ["other"]),
        ("status=online", []),
        ("days=1&limit=100", NEWEST),
        ("days=36500&limit=100", ALIVE),
        ("cc_platform=tdx", ["other"]),
        ("cc_platform=Intel%20TDX", ["other"]),
        ("cc_platform=sev-snp&limit=100", NEWEST),
        ("cc_platform=", ALIVE[:10]),
        (f"domainID={DOMAIN}&limit=1", ALIVE[:1]),
        ("unknown=1&limit=1", ALIVE[:1]),
    ],
)
def test_a_list_is_of_what_was_asked_for(many: FakePrism, query: str, names: Sequence[str]) -> None:
    assert ask(many, f"?{query}").names == names


@pytest.mark.parametrize(
    "query",
    [
        *("limit=", "limit=0", "limit=-1", "limit=101", "limit=1e1", "limit=%2B1", "limit=" + "9" * 5000),
        *("limit=%D9%A1", "limit=1&limit=2", "offset=", "offset=-1", "offset=1.0", "offset=9223372036854775808"),
        *("name=" + "n" * 1025, "name=a&name=b", "status=nonsense", "status=active&status=all"),
        *(
            "days=",
            "days=0",
            "days=-1",
            "days=36501",
            "days=week",
            "cc_platform=sgx",
            "cc_platform=tdx&cc_platform=tdx",
        ),
        *("domainID=", "domainID=another", "&".join(f"p{number}=1" for number in range(51))),
    ],
)
def test_a_list_of_what_can_not_be_asked_for_is_400(many: FakePrism, query: str) -> None:
    assert ask(many, f"?{query}").status == 400


def test_a_page_says_where_it_stands(many: FakePrism) -> None:
    said = ask(many, "?limit=5&offset=10").said
    assert (said["total"], said["limit"], said["offset"]) == (13, 5, 10)


def test_pages_overlap_when_a_cvm_comes_between_them(many: FakePrism) -> None:
    many.between_pages(lambda: many.add("new"))
    first, second = (ask(many, f"?limit=5&offset={offset}").names for offset in (0, 5))
    assert set(first) & set(second) == {first[-1]}
    many.behave()
    assert "new" not in ask(many, "?limit=5&offset=5").names
    assert len(many.cvms) == 15


def test_pages_leave_a_cvm_out_when_one_goes_between_them(many: FakePrism) -> None:
    many.between_pages(lambda: many.delete("11"))
    names = [name for offset in (0, 5) for name in ask(many, f"?limit=5&offset={offset}").names]
    assert "cvm-06" not in names


# --- the others -------------------------------------------------------------------------------------------------------


def test_a_deleted_cvm_is_there_to_be_looked_at_and_no_more(documented: FakePrism) -> None:
    assert ask(documented, "/cvm-123", method="DELETE").status == 204
    assert ask(documented, "/cvm-123", method="DELETE").status == 404
    assert ask(documented, "/cvm-123").said["deleted_at"] == "2025-07-17T12:00:00Z"
    assert ask(documented, "/cvm-123/statistics").said == {"cvm_stats": STATS}
    assert ask(documented, "/cvm-123/attestation_policy").status == 404
    assert ask(documented, "?status=inactive").names == ["example-cvm"]


@pytest.mark.parametrize(("query", "count"), [("", 2), ("?days=1", 1), ("?days=2", 2)])
def test_statistics_are_of_the_window_asked_for(documented: FakePrism, query: str, count: int) -> None:
    assert ask(documented, f"/cvm-123/statistics{query}").said == {"cvm_stats": STATS[:count]}


def test_statistics_come_newest_first(documented: FakePrism) -> None:
    documented.add_statistic("cvm-123", NOON, online=True)
    said = ask(documented, "/cvm-123/statistics").said["cvm_stats"]
    assert isinstance(said, list)
    assert [one["id"] for one in said] == ["stat-3", "stat-1", "stat-2"]


@pytest.mark.parametrize("query", ["days=0", "days=", "days=x", "days=1&days=2"])
def test_statistics_of_no_window_are_400(documented: FakePrism, query: str) -> None:
    assert ask(documented, f"/cvm-123/statistics?{query}").status == 400


def policy_of(prism: FakePrism, cvm: str) -> bytes:
    encoded = ask(prism, f"/{cvm}/attestation_policy").said["attestation_policy"]
    assert isinstance(encoded, str)
    return b64decode(encoded, validate=True)


def test_a_policy_is_the_newest_in_base64(prism: FakePrism) -> None:
    cvm = prism.add("a", policy=b"older")
    prism.set_policy(cvm, b"newer")
    assert policy_of(prism, cvm) == b"newer"
    assert prism.policies(cvm) == (b"older", b"newer")


def test_an_external_cvm_has_an_empty_policy(prism: FakePrism) -> None:
    assert policy_of(prism, prism.add("a", provider="external")) == b""


def test_a_text_goes_out_as_it_stands_where_base64_should_be(prism: FakePrism) -> None:
    cvm = prism.add("a", policy="no base64!", attestation="YQ", attestation_token=b"a")
    assert ask(prism, f"/{cvm}/attestation_policy").said == {"attestation_policy": "no base64!"}
    said = ask(prism, f"/{cvm}").said
    assert (said["attestation"], said["attestation_token"]) == ("YQ", "YQ==")


# --- a control plane that lies ----------------------------------------------------------------------------------------


def test_url_and_policy_can_be_swapped_together(prism: FakePrism) -> None:
    cvm = prism.add("a", agent_url="https://127.0.0.1:1", policy=b"ours")
    prism.swap(cvm, agent_url="http://169.254.169.254/latest", policy=b"theirs")
    assert ask(prism, f"/{cvm}").said["agent_url"] == "http://169.254.169.254/latest"
    assert policy_of(prism, cvm) == b"theirs"


def test_another_policy_can_be_served_until_it_behaves(prism: FakePrism) -> None:
    cvm, other = prism.add("a", policy=b"yesterday's"), prism.add("b", policy=b"other")
    prism.set_policy(cvm, b"today's")
    prism.serve_policy(cvm, 0)
    assert policy_of(prism, cvm) == b"yesterday's"
    prism.serve_policy_of(cvm, other)
    assert policy_of(prism, cvm) == b"other"
    prism.serve_no_policy(cvm)
    assert policy_of(prism, cvm) == b""
    prism.behave()
    assert policy_of(prism, cvm) == b"today's"


def test_another_record_can_be_shown_until_it_behaves(prism: FakePrism) -> None:
    cvm, other = prism.add("a"), prism.add("b")
    prism.answer_view_as(cvm, other)
    assert ask(prism, f"/{cvm}").said["id"] == other
    prism.behave()
    assert ask(prism, f"/{cvm}").said["id"] == cvm


def test_fields_can_be_changed_to_anything(prism: FakePrism) -> None:
    cvm = prism.add("a", agent_url="127.0.0.1:1")
    prism.change(cvm, agent_url="127.0.0.1:1", vcpus=-5, cc_platform="toaster", state="Running")
    said = ask(prism, f"/{cvm}").said
    assert said == prism.cvm(cvm).as_json()
    assert (said["agent_url"], said["vcpus"], said["cc_platform"]) == ("127.0.0.1:1", -5, "toaster")
    assert ask(prism, "?cc_platform=snp").names == []


@pytest.mark.parametrize(
    "do",
    [
        lambda prism: prism.cvm("none"),
        lambda prism: prism.set_policy("none", b""),
        lambda prism: prism.serve_policy("none", 0),
        lambda prism: prism.serve_policy_of("a", "none"),
        lambda prism: prism.answer_view_as("a", "none"),
        lambda prism: prism.swap("none", agent_url="", policy=b""),
        lambda prism: prism.add("second", id="a"),
    ],
)
def test_whoever_runs_it_hears_of_a_cvm_that_is_not_there(prism: FakePrism, do: Callable[[FakePrism], None]) -> None:
    prism.add("a", id="a")
    with pytest.raises(Misuse, match=r"there is (no|a) CVM '(none|a)'"):
        do(prism)


def test_it_misbehaves_as_every_fake_service(documented: FakePrism) -> None:
    documented.misbehave(does.status(503, retry_after=1), method="DELETE", instead=True)
    documented.misbehave(does.html(), path="/attestation_policy")
    assert ask(documented, "/cvm-123", method="DELETE").status == 503
    assert ask(documented, "/cvm-123/attestation_policy").body.startswith(b"<!DOCTYPE")
    assert ask(documented, "/cvm-123").said == CVM


def test_an_answer_can_be_lost_after_what_was_asked_for_was_done(documented: FakePrism) -> None:
    documented.misbehave(does.reset(), times=1)
    with pytest.raises(ConnectionError):
        create(documented)
    assert len(documented.cvms) == 2


def test_a_client_that_takes_its_token_elsewhere_is_seen(documented: FakePrism, tool: Callable[[str], Path]) -> None:
    with Elsewhere() as elsewhere:
        documented.misbehave(does.redirect(f"{elsewhere.url}/here"))
        run(tool("curl"), VIEW, documented)
        assert not elsewhere.requests
        run(tool("curl"), f"{VIEW} --location", documented)
        assert elsewhere.requests == ("/here",)
        assert not elsewhere.credentials, "curl keeps it from another port"
        run(tool("curl"), f"{VIEW} --location-trusted", documented)
        assert elsewhere.credentials == (f"Bearer {TOKEN}",)
    assert set(documented.credentials) == {f"Bearer {TOKEN}"}


# --- the observed spelling --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spelling", "values"),
    [
        ("documented", ("https://127.0.0.1:6104", "running", "provisioned", "ultraviolet", "sev-snp", "$12.34")),
        (
            "observed",
            ("127.0.0.1:6104", "online", "ReceivingManifest", "manager", "SNP (AMD Secure Nested Paging)", "$"),
        ),
    ],
)
def test_a_spelling_is_of_every_field_that_has_two(spelling: Spelling, values: tuple[str, ...]) -> None:
    with FakePrism(domain=DOMAIN, token=TOKEN, spelling=spelling) as prism:
        cvm = prism.add("a", agent_url="https://127.0.0.1:6104", provider="ultraviolet")
        prism.add_statistic(cvm, NOON, online=True)
        said = ask(prism, f"/{cvm}").said
        names = ("agent_url", "status", "state", "provider", "cc_platform", "monthly_cost_estimate")
        assert tuple(said[name] for name in names) == values
        assert (said["id"] == said["cvm_id"]) is (spelling == "documented")
        assert f'"cvm_id":"{said["cvm_id"]}"'.encode() in ask(prism, f"/{cvm}/statistics").body
        assert create(prism).status == 201
        assert ask(prism, "?name=example&cc_platform=sev-snp").names == ["example-cvm"]


# --- many at once, and anything at all --------------------------------------------------------------------------------


def test_many_may_write_at_once() -> None:
    with FakePrism(domain=DOMAIN, token=TOKEN, quota=40) as prism, ThreadPoolExecutor(8) as pool:
        created = list(pool.map(lambda _: create(prism).status, range(60)))
        assert (created.count(201), created.count(422)) == (40, 20)
        assert len({cvm.id for cvm in prism.cvms}) == 40
        ids = [cvm.id for cvm in prism.cvms for _ in range(2)]
        deleted = list(pool.map(lambda cvm: ask(prism, f"/{cvm}", method="DELETE").status, ids))
        assert (deleted.count(204), deleted.count(404)) == (40, 40)
        assert ask(prism, "?status=inactive").said["total"] == 40
        assert len(prism.received) == len(prism.requests) == 60 + 80 + 1


@pytest.fixture(scope="module")
def shared() -> Iterator[FakePrism]:
    with FakePrism(domain=DOMAIN, token=TOKEN) as prism:
        prism.add("example-cvm", id="cvm-123", policy=b"policy")
        yield prism


METHODS = st.sampled_from(["GET", "POST", "DELETE", "PUT", "HEAD", "OPTIONS"]) | st.from_regex(
    r"[A-Z]{1,8}", fullmatch=True
)
WORDS = st.sampled_from(
    ["", "backends", DOMAIN, "cvms", "cvm-123", "statistics", "attestation_policy", "aws", "2", "tdx"]
)
PARTS = (
    WORDS | st.text().map(lambda text: quote(text.encode("utf-8", "replace"))) | st.text("%/?&=.:[]@0aZ", max_size=9)
)
KEYS = st.sampled_from(["limit", "offset", "name", "status", "days", "cc_platform", "domainID"]) | PARTS
VALUES = st.sampled_from(["1", "all", "tdx", DOMAIN, "-1", "9" * 30]) | PARTS
BODIES = st.binary(max_size=300) | st.dictionaries(
    st.sampled_from(["name", "agent_log_level", "x"]),
    st.none() | st.integers() | st.text(st.characters(), max_size=20) | st.lists(st.floats(), max_size=3),
).map(lambda said: json.dumps(said).encode())
TARGETS = st.one_of(
    st.lists(PARTS, max_size=9).map("/".join),
    st.lists(WORDS, max_size=5).map(lambda parts: "/".join(["", "backends", DOMAIN, "cvms", *parts])),
)


@given(
    METHODS, TARGETS, st.lists(st.tuples(KEYS, VALUES), max_size=4), BODIES, st.sampled_from(["application/json", "x"])
)
def test_any_request_is_answered_and_none_breaks_it(
    shared: FakePrism, method: str, target: str, pairs: list[tuple[str, str]], body: bytes, content_type: str
) -> None:
    query = "&".join(f"{key}={value}" for key, value in pairs)
    head = f"{method} /{target.lstrip('/')}{'?' if pairs else ''}{query} HTTP/1.1\r\nHost: x\r\n"
    head += f"Authorization: Bearer {TOKEN}\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    answer = send(shared, head.encode() + body)
    version, status, _ = answer.split(b" ", 2)
    assert version == b"HTTP/1.1"
    assert int(status) in {200, 201, 204, 400, 404, 405, 415, 501}


@given(st.binary(max_size=200))
def test_bytes_that_are_no_request_harm_nobody(shared: FakePrism, data: bytes) -> None:
    send(shared, data)
    assert ask(shared, "/cvm-123").status == 200


def send(prism: FakePrism, data: bytes) -> bytes:
    """Send bytes and no more, and give all that comes back within ten seconds."""
    with socket.create_connection(("127.0.0.1", prism.port), timeout=10) as connection:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        received = b""
        while piece := connection.recv(65_536):
            received += piece
    return received
