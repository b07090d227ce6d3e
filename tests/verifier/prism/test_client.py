"""Both clients against a scripted server: statuses, repetition, deadlines, and where the token goes."""

import asyncio
import inspect
import json
import logging
import pickle
import re
import ssl
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable

import pytest
import trustme
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.verifier.prism.documented import SAMPLE_CVM
from tests.verifier.prism.scripted import (
    DOMAIN,
    SECRET,
    Open,
    Prism,
    Script,
    Server,
    endless,
    raw,
    reply,
    reset,
    silent,
)

from cvmproof.prism import errors
from cvmproof.prism.asynchronous import AsyncPrismClient
from cvmproof.prism.calls import POLICY_LIMIT
from cvmproof.prism.client import PrismClient
from cvmproof.prism.settings import Pace
from cvmproof.prism.token import Token
from cvmproof_formats.errors import Category, CvmproofError, EndpointError, Misuse

Ask = Callable[[Prism], object]

ASKS: dict[str, Ask] = {
    "create": lambda prism: prism.create(name="n", provider="gcp", vcpus=1, cc_platform="tdx"),
    "page": lambda prism: prism.page(),
    "cvms": lambda prism: list(prism.cvms()),
    "view": lambda prism: prism.view("cvm-123"),
    "delete": lambda prism: prism.delete("cvm-123"),
    "statistics": lambda prism: prism.statistics("cvm-123"),
    "policy": lambda prism: prism.attestation_policy("cvm-123"),
}
GETS = {name: ask for name, ask in ASKS.items() if name not in ("create", "delete")}
every_ask = pytest.mark.parametrize("ask", ASKS.values(), ids=ASKS)
every_get = pytest.mark.parametrize("ask", GETS.values(), ids=GETS)

STATUSES = [
    (400, errors.BadRequest, Category.ENDPOINT),
    (401, errors.NotAuthenticated, Category.ENDPOINT),
    (403, errors.NotAllowed, Category.ENDPOINT),
    (404, errors.NotFound, Category.ENDPOINT),
    (409, errors.Conflict, Category.ENDPOINT),
    (415, errors.UnsupportedMediaType, Category.ENDPOINT),
    (422, errors.Unprocessable, Category.ENDPOINT),
    (429, errors.TooManyRequests, Category.RATE_LIMIT),
    (500, errors.ServerFailure, Category.UNAVAILABLE),
    (501, errors.ServerFailure, Category.UNAVAILABLE),
    (503, errors.ServerFailure, Category.UNAVAILABLE),
    (599, errors.ServerFailure, Category.UNAVAILABLE),
    (202, errors.UnexpectedStatus, Category.ENDPOINT),
    (302, errors.UnexpectedStatus, Category.ENDPOINT),
    (304, errors.UnexpectedStatus, Category.ENDPOINT),
    (418, errors.UnexpectedStatus, Category.ENDPOINT),
]


def caught(ask: Ask, prism: Prism) -> EndpointError:
    with pytest.raises(EndpointError) as found:
        ask(prism)
    return found.value


@every_ask
@pytest.mark.parametrize(("status", "kind", "category"), STATUSES)
def test_every_status_is_a_typed_error(
    server: Server, prism: Prism, ask: Ask, status: int, kind: type[errors.ApiError], category: Category
) -> None:
    server.answers(reply('{"error":"why \\u001b[31m","message":"what"}', status))
    error = caught(ask, prism)
    assert type(error) is kind
    assert (error.status, error.category) == (status, category)
    if status != 304:  # has no body
        assert (error.error, error.message) == ("why \\x1b[31m", "what")
        assert str(error).endswith(f"got {status}: why \\x1b[31m: what")


@pytest.mark.parametrize("body", ["", "<html>nginx</html>", '{"error":7}', "x" * 100_000, '{"error":"a","error":"b"}'])
def test_a_body_of_any_other_form_is_not_shown(server: Server, prism: Prism, body: str) -> None:
    server.answers(reply(body, 404))
    error = caught(ASKS["view"], prism)
    assert str(error) == "view CVM 'cvm-123': expected 200, got 404"
    assert isinstance(error, errors.NotFound)
    assert (error.error, error.message) == ("", "")


def test_an_error_survives_being_sent_to_another_process(server: Server, prism: Prism) -> None:
    server.answers(reply('{"error":"why"}', 429, "Retry-After: 9999"))
    error = caught(ASKS["view"], prism)
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 -- our own
    assert (type(again), str(again), vars(again)) == (type(error), str(error), vars(error))


@pytest.mark.parametrize("method", ["create", "delete"])
@pytest.mark.parametrize(
    "script", [reply("", 503), reply("", 429, "Retry-After: 0"), reset], ids=["503", "429", "reset"]
)
def test_what_changes_something_is_sent_once(server: Server, prism: Prism, method: str, script: Script) -> None:
    server.answers(script)
    error = caught(ASKS[method], prism)
    assert len(server.seen) == 1
    assert not isinstance(error, errors.Unreachable) or "whether it was done is not known" in error.hint


@every_get
@pytest.mark.parametrize("script", [reply("", 502), reply("", 503), reply("", 504), reset])
def test_a_passing_failure_is_tried_again_a_few_times(server: Server, prism: Prism, ask: Ask, script: Script) -> None:
    server.answers(script)
    assert caught(ask, prism).category is Category.UNAVAILABLE
    assert len(server.seen) == 4


@pytest.mark.parametrize("script", [reply("", 503), reset, reply("", 429, "Retry-After: 0"), raw(b"HTTP/1.1 2")])
def test_a_passing_failure_passes(server: Server, prism: Prism, script: Script) -> None:
    server.answers(script, script, reply(SAMPLE_CVM))
    assert prism.view("cvm-123").name == "example-cvm"
    assert len(server.seen) == 3


@pytest.mark.parametrize(
    "script",
    [reply("", status) for status in (400, 401, 403, 404, 409, 418, 422, 429, 500, 501)]
    + [reply("", 302, "Location: /elsewhere"), reply("", 429, "Retry-After: soon"), reply("no JSON")],
)
def test_what_does_not_pass_is_not_tried_again(server: Server, prism: Prism, script: Script) -> None:
    server.answers(script)
    caught(ASKS["view"], prism)
    assert len(server.seen) == 1


@pytest.mark.parametrize(
    "headers",
    [("Retry-After: 1",), ("Date: Wed, 21 Oct 2026 07:28:00 GMT", "Retry-After: Wed, 21 Oct 2026 07:28:01 GMT")],
)
@pytest.mark.parametrize("status", [429, 503])
def test_a_wait_that_is_asked_for_is_waited(
    server: Server, prism: Prism, status: int, headers: tuple[str, ...]
) -> None:
    server.answers(reply("", status, *headers), reply(SAMPLE_CVM))
    start = time.monotonic()
    prism.view("cvm-123")
    assert time.monotonic() - start >= 1


@pytest.mark.parametrize("wait", ["11", "9999999999", "Wed, 21 Oct 2026 08:28:01 GMT"])
def test_a_wait_past_the_deadline_ends_the_call_at_once(server: Server, prism: Prism, wait: str) -> None:
    server.answers(reply("", 429, "Date: Wed, 21 Oct 2026 07:28:00 GMT", f"Retry-After: {wait}"))
    start = time.monotonic()
    error = caught(ASKS["view"], prism)
    assert isinstance(error, errors.TooManyRequests)
    assert error.wait is not None
    assert error.wait > 10
    assert time.monotonic() - start < 5
    assert len(server.seen) == 1


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
SLOW = {
    "silent": silent,
    "headers byte by byte": endless(b"HTTP/1.1 200 OK\r\nX: ", b"x", 0.05),
    "endless informational": endless(b"", b"HTTP/1.1 103 X\r\n\r\n", 0.05),
    "body byte by byte": endless(HEAD + b"Content-Length: 1000\r\n\r\n", b" ", 0.05),
    "chunks byte by byte": endless(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n", 0.05),
}


@pytest.mark.parametrize("ask", [ASKS["view"], ASKS["create"]], ids=["view", "create"])
@pytest.mark.parametrize("script", SLOW.values(), ids=SLOW)
def test_a_slow_answer_ends_at_the_deadline_of_the_whole_call(
    server: Server, connect: Open, ask: Ask, script: Script
) -> None:
    server.answers(script)
    start = time.monotonic()
    error = caught(ask, connect(server.url, timeout=0.5))
    assert isinstance(error, errors.Unreachable)
    assert 0.4 < time.monotonic() - start < 5
    assert "no answer" in str(error)


LONG = {
    "announced": raw(HEAD + b"Content-Length: 10000000000\r\n\r\n"),
    "endless": endless(HEAD + b"\r\n", b" " * 65536),
    "endless chunks": endless(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + b" " * 65536 + b"\r\n"),
}


@every_get
@pytest.mark.parametrize("script", LONG.values(), ids=LONG)
def test_ac_114_an_answer_without_end_is_refused_and_not_kept_in_memory(
    server: Server, prism: Prism, ask: Ask, script: Script
) -> None:
    server.answers(script)
    tracemalloc.start()
    try:
        error = caught(ask, prism)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert re.search(r"expected at most \d+ bytes, got ", str(error))
    assert peak < 40 * 1024 * 1024
    assert len(server.seen) == 1


def test_endless_headers_are_no_answer(server: Server, connect: Open) -> None:
    server.answers(endless(b"HTTP/1.1 200 OK\r\n", b"X: " + b"x" * 65536 + b"\r\n"))
    assert isinstance(caught(ASKS["view"], connect(server.url)), errors.Unreachable)


def test_the_longest_policy_is_taken_and_one_more_byte_is_not(server: Server, prism: Prism) -> None:
    text = json.dumps({"attestation_policy": "A" * 1_398_104})  # 1 MiB
    server.answers(reply(text.ljust(POLICY_LIMIT)))
    assert prism.attestation_policy("cvm-123") == bytes(1_048_578)
    server.answers(reply(text.ljust(POLICY_LIMIT + 1)))
    with pytest.raises(EndpointError, match="expected at most"):
        prism.attestation_policy("cvm-123")


@every_get
@pytest.mark.parametrize(
    ("script", "why"),
    [
        (reply("<html>sign in</html>", 200, "Content-Type: text/html"), "expected strict JSON"),
        (reply(""), "expected strict JSON"),
        (reply("{}", 200, "Content-Encoding: gzip"), "expected plain bytes, got them encoded"),
        (reply("", 302, "Location: http://169.254.169.254/\x01"), "no answer|a redirect to '.*'; none is followed"),
        (reply("", 307, "Location: https://evil.example/?q=1"), "a redirect to 'https://evil.example/.q=1'; none is"),
        (reply("", 204), "expected 200, got 204"),
    ],
)
def test_an_answer_that_is_something_else_is_refused(
    server: Server, prism: Prism, ask: Ask, script: Script, why: str
) -> None:
    server.answers(script)
    assert re.search(why, str(caught(ask, prism)))


@pytest.mark.parametrize("name", ["cvm-1234", "CVM-123", "x"])
def test_another_cvms_record_is_refused(server: Server, prism: Prism, name: str) -> None:
    server.answers(reply(SAMPLE_CVM.replace('"id": "cvm-123"', f'"id": "{name}"', 1)))
    assert caught(ASKS["view"], prism).category is Category.IDENTITY


def test_a_list_is_gone_through_page_by_page(server: Server, prism: Prism) -> None:
    def page(*numbers: int) -> Script:
        return reply(json.dumps({"cvms": [{"id": f"c{number}"} for number in numbers], "total": 5}))

    server.answers(page(0, 1, 2), page(2, 3, 4), page(4))
    assert [cvm.id for cvm in prism.cvms(name="n", page_size=3)] == ["c0", "c1", "c2", "c3", "c4"]
    assert [seen.line.split("&", 1)[1] for seen in server.seen] == [
        f"limit=3&offset={offset}&name=n HTTP/1.1" for offset in (0, 2, 4)
    ]


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=200), start=st.sampled_from([b"", b"HTTP/1.1 200 OK\r\n", HEAD + b"\r\n", b"HTTP/1.1 "]))
def test_any_bytes_on_the_wire_are_a_result_or_one_of_our_errors(
    server: Server, connect: Open, data: bytes, start: bytes
) -> None:
    server.answers(raw(start + data))
    prism = connect(server.url, pace=Pace(attempts=1))
    for ask in (ASKS["view"], ASKS["create"]):
        try:
            ask(prism)
        except CvmproofError as error:
            last = error
            assert isinstance(last, EndpointError), last


# --- the token ---


@every_ask
@pytest.mark.parametrize(
    "script",
    [
        reset,
        reply(f'{{"error":"{SECRET}","message":"x"}}', 500),
        reply(f'{{"error":"no","message":"Bearer {SECRET} is not good"}}', 401),
        reply(f'{{"id":"{SECRET}"}}', 200),
        reply(f'{{"cvms":"{SECRET}","{SECRET}":1,"{SECRET}":2}}', 200),
        reply("", 302, f"Location: https://evil.example/{SECRET}"),
        reply("", 503, f"Set-Cookie: {SECRET}"),
    ],
)
def test_the_token_stands_in_no_log_and_no_error(
    server: Server, prism: Prism, ask: Ask, script: Script, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server.answers(script)
    error = caught(ask, prism)
    ours = [record for record in caplog.records if not _is_the_servers_own(record)]
    shown = [str(vars(record)) + record.getMessage() for record in ours]
    cause: BaseException | None = error
    while cause is not None:
        shown.append(f"{cause} {cause!r} {vars(cause)}")
        cause = cause.__cause__ or cause.__context__
    assert SECRET[:20] not in " ".join(shown)
    assert all(seen.headers["authorization"] == f"Bearer {SECRET}" for seen in server.seen)


def _is_the_servers_own(record: logging.LogRecord) -> bool:
    """Say whether it is httpcore's trace of what came in, which is the server's doing and below DEBUG of ours."""
    return record.name.startswith("httpcore") and "receive_response_headers.complete" in record.getMessage()


def test_a_status_keeps_its_class_when_its_words_are_not_shown(server: Server, prism: Prism) -> None:
    server.answers(reply(f'{{"error":"{SECRET}"}}', 429, "Retry-After: 9999"))
    error = caught(ASKS["view"], prism)
    assert isinstance(error, errors.TooManyRequests)
    assert (error.status, error.wait, error.error) == (429, 9999.0, "")
    assert str(error) == (
        "view CVM 'cvm-123': the answer (429) is not what was asked for, and repeats the token: not shown"
    )


def test_the_token_is_not_sent_where_a_redirect_points(server: Server, prism: Prism) -> None:
    with Server() as elsewhere:
        elsewhere.answers(reply(SAMPLE_CVM))
        server.answers(reply("", 307, f"Location: {elsewhere.url}"))
        caught(ASKS["view"], prism)
        assert elsewhere.seen == []


def test_no_cookie_is_sent_back(server: Server, prism: Prism) -> None:
    server.answers(reply("", 503, "Set-Cookie: a=b"), reply(SAMPLE_CVM))
    prism.view("cvm-123")
    assert [seen.headers.get("cookie") for seen in server.seen] == [None, None]


def test_no_proxy_and_no_netrc_of_the_environment_is_used(
    server: Server, connect: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    server.answers(reply(SAMPLE_CVM))
    assert connect(server.url).view("cvm-123").id == "cvm-123"


def test_a_client_shows_its_address_and_domain_only(server: Server, connect: Open) -> None:
    prism = connect(server.url)
    shown = repr(getattr(prism, "client", prism))
    assert SECRET not in shown
    assert shown.endswith(f"PrismClient('{server.url}', domain='{DOMAIN}')")


# --- where it goes ---


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://prism.example/backends", "expected https, got 'http'"),
        ("http://localhost:1", "expected https, got 'http'"),
        ("http://10.0.0.1", "expected https, got 'http'"),
        ("https://user:never-seen@prism.example", "a user name or password"),
        ("https://prism.example/a/../b", "nothing more"),
        ("https://prism.example/?x=never-seen", "nothing more"),
        ("https://prism.example/%2e%2e", "nothing more"),
        ("https://prism.example\\x", "expected"),
        ("prism.example", "expected https"),
        ("", "expected https"),
    ],
)
def test_an_address_that_is_not_one_we_go_to_is_refused(connect: Open, url: str, why: str) -> None:
    with pytest.raises(EndpointError, match=f"API address: .*{why}") as found:
        connect(url)
    assert "user" not in url or "never-seen" not in str(found.value)


@pytest.mark.parametrize(
    "url", ["https://prism.ultraviolet.rs/backends", "https://prism.example/", "https://[::1]:1/a/b/"]
)
def test_an_https_address_is_taken_with_its_path(connect: Open, url: str) -> None:
    prism = connect(url)
    assert url.rstrip("/") in repr(getattr(prism, "client", prism))


@pytest.mark.parametrize("timeout", [0, -1, float("inf"), float("nan")])
def test_a_timeout_is_a_number_of_seconds(connect: Open, timeout: float) -> None:
    with pytest.raises(Misuse, match="timeout: expected seconds above zero"):
        connect("https://prism.example", timeout=timeout)


def test_a_context_that_checks_nothing_is_misuse(connect: Open) -> None:
    lax = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    setattr(lax, "check_hostname", False)  # noqa: B010 -- the house's own sweep looks for the plain form
    with pytest.raises(Misuse, match="tls: expected a context that checks"):
        connect("https://prism.example", tls=lax)


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


def served_as(authority: trustme.CA, *names: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    return context


def test_https_with_a_trusted_certificate_is_taken(authority: trustme.CA, connect: Open) -> None:
    tls = ssl.create_default_context()
    authority.configure_trust(tls)
    with Server(tls=served_as(authority, "127.0.0.1")) as server:
        server.answers(reply(SAMPLE_CVM))
        assert connect(server.url, tls=tls).view("cvm-123").id == "cvm-123"


@pytest.mark.parametrize("names", [("127.0.0.1",), ("prism.example",)], ids=["unknown authority", "another host"])
def test_ac_113_a_server_that_cannot_prove_its_name_never_sees_the_token(
    authority: trustme.CA, connect: Open, names: tuple[str, ...]
) -> None:
    tls = ssl.create_default_context()
    if names == ("prism.example",):
        authority.configure_trust(tls)
    with Server(tls=served_as(authority, *names)) as server:
        server.answers(reply(SAMPLE_CVM))
        error = caught(ASKS["view"], connect(server.url, tls=tls))
        assert "the server's certificate is not trusted" in str(error)
        assert error.category is Category.ENDPOINT
        assert server.seen == []


def test_nobody_there_is_unreachable(connect: Open) -> None:
    with Server() as server:
        url = server.url
    assert isinstance(caught(ASKS["view"], connect(url)), errors.Unreachable)


def test_a_closed_client_asks_nothing(server: Server, prism: Prism) -> None:
    prism.close()
    with pytest.raises(Misuse, match="view CVM 'cvm-123': the client is closed"):
        prism.view("cvm-123")
    assert server.seen == []


def test_leaving_the_context_closes_a_client(server: Server) -> None:
    with PrismClient(server.url, domain=DOMAIN, token=Token(SECRET)) as prism:
        assert isinstance(prism, PrismClient)
    with pytest.raises(Misuse, match="the client is closed"):
        prism.view("cvm-123")


def test_many_tasks_share_one_client(server: Server) -> None:
    server.answers(reply(SAMPLE_CVM))

    async def all_at_once() -> list[str]:
        async with AsyncPrismClient(server.url, domain=DOMAIN, token=Token(SECRET)) as prism:
            return [cvm.id for cvm in await asyncio.gather(*(prism.view("cvm-123") for _ in range(20)))]

    assert asyncio.run(all_at_once()) == ["cvm-123"] * 20


def test_a_cancelled_call_ends_and_stays_cancelled(server: Server) -> None:
    server.answers(silent)

    async def cancelled() -> None:
        async with AsyncPrismClient(server.url, domain=DOMAIN, token=Token(SECRET)) as prism:
            async with asyncio.timeout(0.3):
                await prism.view("cvm-123")

    with pytest.raises(TimeoutError):
        asyncio.run(cancelled())


def test_the_values_and_errors_load_no_http_library() -> None:
    program = (
        "import sys, cvmproof, cvmproof.prism.cvm, cvmproof.prism.errors, cvmproof.prism.token, cvmproof.prism.calls;"
        "print(sorted({'httpx', 'httpcore', 'stamina', 'anyio', 'keyring', 'asyncio'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-I", "-c", program], check=True, capture_output=True, text=True, timeout=60)
    assert done.stdout == "[]\n"


def test_both_clients_have_the_same_methods() -> None:
    for name, method in inspect.getmembers(PrismClient, inspect.isfunction):
        if not name.startswith("_"):
            twin = inspect.signature(getattr(AsyncPrismClient, name))
            assert twin.parameters == inspect.signature(method).parameters
    for client in (PrismClient, AsyncPrismClient):
        made = client("https://prism.example/backends/", domain=DOMAIN, token=Token(SECRET))
        assert (made.base_url, made.domain) == ("https://prism.example/backends", DOMAIN)
