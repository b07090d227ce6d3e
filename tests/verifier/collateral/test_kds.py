import itertools
import json
import logging
import ssl
import subprocess
import sys
import threading
import time
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

import cvmproof
from cvmproof.collateral.kds import Fetched, KdsClient, Limits, Outcome
from cvmproof.collateral.keys import AmdKey, ChainKey, CrlKey, VcekKey, Wanted
from cvmproof.collateral.store import CollateralStore, State
from cvmproof.trust import TrustRoots
from cvmproof_formats.errors import Category, CollateralError, EndpointError, Malformed, Misuse
from cvmproof_formats.snp.product import KeyKind, ProductLine
from cvmproof_simulator import misbehaviour as fake
from cvmproof_simulator.ca import AmdCa
from cvmproof_simulator.kds import FakeKds
from cvmproof_simulator.keys import checked_in_keys
from cvmproof_simulator.misbehaviour import Misbehaviour
from cvmproof_simulator.psp import SoftwarePsp

ClientWith = Callable[[Limits], KdsClient]
QUICK = Limits(connect=2.0, read=1.0, deadline=5.0, first_wait=0.001, longest_wait=0.002, limited_wait=0.001)


@pytest.fixture
def wanted(chain: ChainKey, crl: CrlKey, vcek: VcekKey) -> tuple[AmdKey, ...]:
    return chain, crl, vcek


def test_everything_a_report_wants_is_fetched(
    client: KdsClient, store: CollateralStore, wanted: tuple[AmdKey, ...], kds: FakeKds, now: datetime
) -> None:
    fetched = client.fetch(wanted, now)
    assert [(one.key, one.outcome) for one in fetched] == [(key, Outcome.FETCHED) for key in wanted]
    assert {found.state for found in store.show(now)} == {State.FRESH}
    assert kds.requests == tuple(key.url_path for key in wanted)


@pytest.mark.parametrize("product", ProductLine)
@pytest.mark.parametrize("kind", KeyKind)
def test_every_product_line_and_kind_is_fetched(
    product: ProductLine, kind: KeyKind, store: CollateralStore, now: datetime
) -> None:
    psp = SoftwarePsp(product, kind)
    with FakeKds(psp, issued=now) as kds:
        KdsClient(store, kds.url, limits=QUICK).fetch(
            [CrlKey(product=product, kind=kind), ChainKey(product=product, kind=kind)], now
        )
    assert [found.state for found in store.show(now)] == [State.FRESH] * 2


def test_the_chain_above_is_fetched_first(
    client: KdsClient, vcek: VcekKey, crl: CrlKey, chain: ChainKey, kds: FakeKds, now: datetime
) -> None:
    client.fetch([vcek, crl], now)
    assert kds.requests == (chain.url_path, vcek.url_path, crl.url_path)


def test_what_is_fresh_is_not_asked_for_again(
    client: KdsClient, wanted: tuple[AmdKey, ...], kds: FakeKds, now: datetime
) -> None:
    client.fetch(wanted, now)
    again = client.fetch(wanted, now + timedelta(hours=23))
    assert set(again) == {Fetched(key=key, outcome=Outcome.KEPT) for key in wanted}
    assert len(kds.requests) == 3


def test_a_list_of_yesterday_is_asked_for_again(
    client: KdsClient, wanted: tuple[AmdKey, ...], crl: CrlKey, kds: FakeKds, now: datetime
) -> None:
    client.fetch(wanted, now)
    client.fetch(wanted, now + timedelta(hours=25))
    assert Counter(kds.requests)[crl.url_path] == 2
    assert len(kds.requests) == 4


def test_a_tampered_file_is_fetched_again(
    client: KdsClient, store: CollateralStore, vcek: VcekKey, kds: FakeKds, now: datetime
) -> None:
    client.fetch([vcek], now)
    store.path(vcek).write_bytes(b"tampered")
    client.fetch([vcek], now)
    assert Counter(kds.requests)[vcek.url_path] == 2
    assert store.load([vcek], now).certificates != (b"tampered",)


def test_an_expired_certificate_is_fetched_again(
    client: KdsClient, vcek: VcekKey, psp: SoftwarePsp, kds: FakeKds, now: datetime
) -> None:
    client.fetch([vcek], now)
    later = now.replace(year=now.year + 8)
    kds.misbehave(fake.body(psp.vek(not_before=later)), path=vcek.url_path)
    client.fetch([vcek], later)
    assert Counter(kds.requests)[vcek.url_path] == 2


def test_progress_is_told(store: CollateralStore, kds: FakeKds, chain: ChainKey, now: datetime) -> None:
    told: list[tuple[Wanted, int]] = []
    KdsClient(store, kds.url, limits=QUICK, progress=lambda key, size: told.append((key, size))).fetch([chain], now)
    assert told[-1] == (chain, store.path(chain).stat().st_size)


def test_a_request_says_nothing_about_us(client: KdsClient, chain: ChainKey, kds: FakeKds, now: datetime) -> None:
    client.fetch([chain], now)
    [headers] = kds.request_headers
    assert {name.lower() for name, _ in headers} == {"host", "accept", "accept-encoding", "connection", "user-agent"}
    assert dict(headers)["Accept-Encoding"] == "identity"


def test_no_cookie_is_sent_back(client: KdsClient, chain: ChainKey, crl: CrlKey, kds: FakeKds, now: datetime) -> None:
    kds.misbehave(fake.with_header("Set-Cookie", "id=1; Path=/"))
    client.fetch([chain, crl], now)
    assert not [name for headers in kds.request_headers for name, _ in headers if name.lower() == "cookie"]


def test_proxies_and_credentials_of_the_environment_are_not_used(
    client: KdsClient, chain: ChainKey, kds: FakeKds, now: datetime, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login user password secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    client.fetch([chain], now)
    assert "Authorization" not in dict(kds.request_headers[0])


def test_a_time_without_a_zone_is_misuse(client: KdsClient, chain: ChainKey, now: datetime) -> None:
    with pytest.raises(Misuse, match="aware"):
        client.fetch([chain], now.replace(tzinfo=None))


def test_a_list_of_no_kind_cannot_be_fetched(client: KdsClient, now: datetime) -> None:
    with pytest.raises(Malformed, match="no kind"):
        client.fetch([CrlKey(product=ProductLine.MILAN, kind=None)], now)


# AC 113: the service proves its name


@contextmanager
def tls_service(psp: SoftwarePsp, *names: str) -> Iterator[tuple[FakeKds, trustme.CA]]:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    with FakeKds(psp, tls=context, issued=datetime(2026, 11, 20, tzinfo=UTC)) as kds:
        yield kds, authority


def write_ca(authority: trustme.CA, folder: Path) -> Path:
    path = folder / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return path


def test_https_with_a_trusted_certificate_is_taken(
    store: CollateralStore, psp: SoftwarePsp, chain: ChainKey, now: datetime, tmp_path: Path
) -> None:
    with tls_service(psp, "127.0.0.1") as (kds, authority):
        client = KdsClient(store, kds.url, ca_file=write_ca(authority, tmp_path), limits=QUICK)
        assert client.fetch([chain], now)[0].outcome is Outcome.FETCHED


def test_ac_113_a_certificate_of_an_unknown_authority_is_refused(
    store: CollateralStore, psp: SoftwarePsp, chain: ChainKey, now: datetime
) -> None:
    with tls_service(psp, "127.0.0.1") as (kds, _):
        with pytest.raises(EndpointError, match=f"^{kds.url}{chain.url_path}: the server's certificate") as caught:
            KdsClient(store, kds.url, limits=QUICK).fetch([chain], now)
        assert kds.requests == ()
    assert caught.value.category is Category.ENDPOINT
    assert store.show(now) == ()


def test_ac_113_a_certificate_of_another_host_is_refused(
    store: CollateralStore, psp: SoftwarePsp, chain: ChainKey, now: datetime, tmp_path: Path
) -> None:
    with tls_service(psp, "kdsintf.amd.com", "localhost") as (kds, authority):
        with pytest.raises(EndpointError, match="certificate is not trusted") as caught:
            KdsClient(store, kds.url, ca_file=write_ca(authority, tmp_path), limits=QUICK).fetch([chain], now)
        assert kds.requests == ()
    assert caught.value.category is Category.ENDPOINT


def test_ac_113_plain_http_is_refused_before_any_request(store: CollateralStore, kds: FakeKds) -> None:
    production = CollateralStore(folder=store.folder, trust=TrustRoots.production())
    with pytest.raises(EndpointError, match="expected https") as caught:
        KdsClient(production, kds.url)
    assert caught.value.category is Category.ENDPOINT
    assert kds.requests == ()


def test_ac_113_no_code_turns_certificate_checks_off() -> None:
    folder = Path(cvmproof.__file__).parent
    forbidden = ("verify=False", "CERT_NONE", "_create_unverified_context", "check_hostname = False", "CERT_OPTIONAL")
    found = [
        (path.name, text)
        for path in folder.rglob("*.py")
        for text in forbidden
        if text in path.read_text(encoding="utf-8")
    ]
    assert found == []


def test_plain_http_on_a_tls_port_is_unavailable(
    store: CollateralStore, kds: FakeKds, chain: ChainKey, now: datetime
) -> None:
    client = KdsClient(store, f"https://127.0.0.1:{kds.port}", limits=QUICK)
    with pytest.raises(CollateralError, match="could not be had") as caught:
        client.fetch([chain], now)
    assert caught.value.category is Category.UNAVAILABLE


# AC 114: the service misbehaves


@pytest.mark.parametrize(
    ("misbehaviour", "why", "requests"),
    [
        (fake.html(), r"expected a certificate or a list, got something else \('text/html'\)", 1),
        (fake.body(b""), r"expected a certificate or a list, got something else \('no content type'\)", 1),
        (fake.endless_body(), "expected at most", 1),
        (fake.announced_length(10_000_000_000), "10000000000 announced", 1),
        (fake.gzipped(), "expected plain bytes, got them encoded", 1),
        (fake.with_header("Content-Encoding", "br"), "expected plain bytes", 1),
        (fake.redirect("https://elsewhere.example/"), "got a redirect to 'https://elsewhere.example/'", 1),
        (fake.status(304), "expected 200, got 304", 1),
        (fake.status(204), "expected 200, got 204", 1),
        (fake.status(403), "expected 200, got 403", 1),
        (fake.status(404), "no such object", 1),
        (fake.status(500), "the service failed \\(500\\)", 4),
        (fake.status(503), "too many requests \\(503\\)$", 4),
        (fake.status(429), "too many requests \\(429\\)$", 4),
        (fake.cut_body(10), "could not be had", 4),
        (fake.reset(), "could not be had", 4),
        (fake.slow_body(60.0), "could not be had", None),
        (fake.slow_answer(60.0), "could not be had", None),
    ],
)
def test_ac_114_a_misbehaving_service_is_unavailable_and_bounded(
    misbehaviour: Misbehaviour,
    why: str,
    requests: int | None,
    store: CollateralStore,
    kds: FakeKds,
    chain: ChainKey,
    now: datetime,
) -> None:
    kds.misbehave(misbehaviour)
    client = KdsClient(store, kds.url, limits=replace(QUICK, read=0.2, deadline=1.5))
    before = time.monotonic()
    with pytest.raises(CollateralError, match=why) as caught:
        client.fetch([chain], now)
    assert time.monotonic() - before < 4
    assert caught.value.category is Category.UNAVAILABLE
    assert str(caught.value).startswith(f"{kds.url}{chain.url_path}: ")
    assert store.show(now) == ()
    assert requests is None or len(kds.requests) == requests


@pytest.mark.parametrize("seconds_per_byte", [0.02, 0.3])
def test_ac_114_a_slow_body_ends_at_the_deadline(
    seconds_per_byte: float, store: CollateralStore, kds: FakeKds, chain: ChainKey, now: datetime
) -> None:
    kds.misbehave(fake.slow_body(seconds_per_byte))
    client = KdsClient(store, kds.url, limits=replace(QUICK, read=10.0, deadline=0.8, attempts=1))
    before = time.monotonic()
    with pytest.raises(CollateralError, match="could not be had") as caught:
        client.fetch([chain], now)
    assert time.monotonic() - before < 4
    assert caught.value.category is Category.UNAVAILABLE


def test_ac_114_past_the_deadline_nothing_is_sent(
    store: CollateralStore, kds: FakeKds, chain: ChainKey, now: datetime
) -> None:
    clock = itertools.count(step=100)
    client = KdsClient(store, kds.url, limits=QUICK, monotonic=lambda: next(clock))
    with pytest.raises(CollateralError, match="the deadline of the whole fetch has passed") as caught:
        client.fetch([chain], now)
    assert caught.value.category is Category.UNAVAILABLE
    assert kds.requests == ()


def test_ac_114_an_endless_body_is_not_kept_in_memory(
    client: KdsClient, kds: FakeKds, chain: ChainKey, crl: CrlKey, now: datetime
) -> None:
    client.fetch([chain], now)
    kds.misbehave(fake.endless_body())
    tracemalloc.start()
    with pytest.raises(CollateralError, match="got more") as caught:
        client.fetch([crl], now)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert caught.value.category is Category.UNAVAILABLE
    assert peak < 4_000_000


def test_ac_114_a_redirect_is_not_followed_even_to_ourselves(
    client: KdsClient, kds: FakeKds, chain: ChainKey, now: datetime
) -> None:
    kds.misbehave(fake.redirect(kds.url + chain.url_path), times=1)
    with pytest.raises(CollateralError, match="none is followed") as caught:
        client.fetch([chain], now)
    assert caught.value.category is Category.UNAVAILABLE
    assert len(kds.requests) == 1


@pytest.mark.parametrize("code", [500, 502, 503, 429])
def test_a_passing_failure_is_tried_again(
    code: int, client: KdsClient, kds: FakeKds, chain: ChainKey, now: datetime
) -> None:
    kds.misbehave(fake.status(code), times=3)
    assert client.fetch([chain], now)[0].outcome is Outcome.FETCHED
    assert len(kds.requests) == 4


@pytest.mark.parametrize("misbehaviour", [fake.reset(), fake.cut_body(100)])
def test_a_broken_connection_is_tried_again(
    misbehaviour: Misbehaviour, client: KdsClient, kds: FakeKds, chain: ChainKey, now: datetime
) -> None:
    kds.misbehave(misbehaviour, times=1)
    assert client.fetch([chain], now)[0].outcome is Outcome.FETCHED


def test_a_wait_the_service_asks_for_is_waited(client: KdsClient, kds: FakeKds, chain: ChainKey, now: datetime) -> None:
    kds.misbehave(fake.status(429, retry_after=1), times=1)
    before = time.monotonic()
    client.fetch([chain], now)
    assert time.monotonic() - before >= 1
    assert len(kds.requests) == 2


@pytest.mark.parametrize(
    ("retry_after", "until"),
    [
        (1_000_000_000, "2058-07-30 13:46:40 UTC"),
        (60, "2026-11-21 12:01:00 UTC"),
        ("Sat, 21 Nov 2026 13:00:00 GMT", "2026-11-21 13:00:00 UTC"),
        ("9" * 400, None),
    ],
)
def test_ac_114_a_wait_past_the_deadline_ends_the_fetch_at_once(
    retry_after: str | int, until: str | None, client: KdsClient, kds: FakeKds, chain: ChainKey, now: datetime
) -> None:
    kds.misbehave(fake.status(429, retry_after=retry_after))
    before = time.monotonic()
    with pytest.raises(CollateralError, match="too many requests" if until is None else until) as caught:
        client.fetch([chain], now)
    assert time.monotonic() - before < 4
    assert caught.value.category is Category.UNAVAILABLE
    assert until is None or len(kds.requests) == 1


def test_ac_114_while_the_service_wants_to_be_left_alone_nothing_is_asked(
    client: KdsClient, kds: FakeKds, wanted: tuple[AmdKey, ...], now: datetime
) -> None:
    kds.misbehave(fake.status(429, retry_after=1_000_000_000))
    for _ in range(3):
        with pytest.raises(CollateralError, match=r"ask(s|ed) to wait") as caught:
            client.fetch(wanted, now)
        assert caught.value.category is Category.UNAVAILABLE
    assert len(kds.requests) == 1


def test_a_long_pause_ends_after_an_hour(store: CollateralStore, kds: FakeKds, chain: ChainKey, now: datetime) -> None:
    clock = [1000.0]
    client = KdsClient(store, kds.url, limits=QUICK, monotonic=lambda: clock[0])
    kds.misbehave(fake.status(429, retry_after=1_000_000_000), times=1)
    with pytest.raises(CollateralError, match="2058"):
        client.fetch([chain], now)
    clock[0] += 3599.5
    said = f"^{chain}: the service has asked to wait; not asked again before 2026-11-21 12:00:00 UTC"
    with pytest.raises(CollateralError, match=said):
        client.fetch([chain], now)
    clock[0] += 1
    assert client.fetch([chain], now)[0].outcome is Outcome.FETCHED


def test_whoever_comes_towards_the_end_of_a_pause_waits_for_it(
    store: CollateralStore, kds: FakeKds, chain: ChainKey, now: datetime
) -> None:
    passed = [0.0]
    client = KdsClient(store, kds.url, limits=QUICK, monotonic=lambda: time.monotonic() + passed[0])
    kds.misbehave(fake.status(429, retry_after=10), times=1)
    with pytest.raises(CollateralError, match="asks to wait"):
        client.fetch([chain], now)
    passed[0] = 9.5
    assert client.fetch([chain], now)[0].outcome is Outcome.FETCHED
    assert len(kds.requests) == 2


def test_an_unreadable_wait_counts_as_none(client: KdsClient, kds: FakeKds, chain: ChainKey, now: datetime) -> None:
    for value in ("soon", "1.5", "Sat, 99 Nov"):
        kds.misbehave(fake.status(429, retry_after=value), times=1)
    assert client.fetch([chain], now)[0].outcome is Outcome.FETCHED
    assert len(kds.requests) == 4


def test_a_missing_certificate_is_not_asked_for_again_for_some_minutes(
    client: KdsClient, store: CollateralStore, kds: FakeKds, psp: SoftwarePsp, now: datetime
) -> None:
    unknown = VcekKey(product=psp.product, hwid=bytes([7]) * 64, tcb=psp.reported_tcb)
    for why in ("404", "not asked again before 12:05:00"):
        with pytest.raises(CollateralError, match=why) as caught:
            client.fetch([unknown], now)
        assert caught.value.category is Category.UNAVAILABLE
    with pytest.raises(CollateralError, match="not asked again"):
        KdsClient(store, kds.url, limits=QUICK).fetch([unknown], now + timedelta(minutes=4))
    assert Counter(kds.requests)[unknown.url_path] == 1
    with pytest.raises(CollateralError, match="404"):
        client.fetch([unknown], now + timedelta(minutes=6))
    assert Counter(kds.requests)[unknown.url_path] == 2


def test_a_client_has_a_budget(
    client_with: ClientWith, kds: FakeKds, wanted: tuple[AmdKey, ...], now: datetime
) -> None:
    client = client_with(replace(QUICK, requests=2))
    with pytest.raises(CollateralError, match="expected at most 2 requests") as caught:
        client.fetch(wanted, now)
    assert caught.value.category is Category.RATE_LIMIT
    assert len(kds.requests) == 2


def test_retries_count_against_the_budget(
    client_with: ClientWith, kds: FakeKds, chain: ChainKey, now: datetime
) -> None:
    kds.misbehave(fake.status(500))
    with pytest.raises(CollateralError, match=f"^{chain}: expected at most 3 requests"):
        client_with(replace(QUICK, requests=3)).fetch([chain], now)
    assert len(kds.requests) == 3


@pytest.mark.parametrize(("status", "requests"), [(429, 1), (500, 4)])
def test_too_many_requests_have_a_wait_of_their_own(
    status: int, requests: int, client_with: ClientWith, kds: FakeKds, chain: ChainKey, now: datetime
) -> None:
    kds.misbehave(fake.status(status))
    with pytest.raises(CollateralError):
        client_with(replace(QUICK, limited_wait=60.0)).fetch([chain], now)
    assert len(kds.requests) == requests


@pytest.mark.parametrize(("status", "retry_after", "requests"), [(429, None, 4), (500, None, 1), (429, 5, 1)])
def test_a_wait_up_to_the_deadline_itself_is_too_long(
    status: int, retry_after: int | None, requests: int, store: CollateralStore, kds: FakeKds, chain: ChainKey,
    now: datetime,
) -> None:  # fmt: skip
    kds.misbehave(fake.status(status, retry_after=retry_after))
    limits = replace(QUICK, deadline=5.0, first_wait=5.0)
    with pytest.raises(CollateralError):
        KdsClient(store, kds.url, limits=limits, monotonic=lambda: 1000.0).fetch([chain], now)
    assert len(kds.requests) == requests


def test_all_that_failed_is_said(client: KdsClient, kds: FakeKds, wanted: tuple[AmdKey, ...], now: datetime) -> None:
    kds.misbehave(fake.status(403), path="/crl")
    kds.misbehave(fake.status(404), path="blSPL")
    with pytest.raises(CollateralError, match=r"/crl: expected 200, got 403; .*404") as caught:
        client.fetch(wanted, now)
    assert str(caught.value.__cause__).endswith("/crl: expected 200, got 403")


def test_of_all_that_failed_the_first_says_what_to_do(
    client: KdsClient, kds: FakeKds, wanted: tuple[AmdKey, ...], ca: AmdCa, now: datetime
) -> None:
    kds.misbehave(fake.body(ca.crl(now - timedelta(days=3000))), path="/crl")
    kds.misbehave(fake.status(404), path="blSPL")
    with pytest.raises(CollateralError, match=r"got one that ended .*404") as caught:
        client.fetch(wanted, now)
    assert caught.value.category is Category.EXPIRED
    assert caught.value.hint == "a bundle for another time: cvmproof collateral import --out DIR"


def test_what_depends_on_a_chain_that_failed_is_not_tried(
    client: KdsClient, kds: FakeKds, wanted: tuple[AmdKey, ...], chain: ChainKey, now: datetime
) -> None:
    kds.misbehave(fake.status(403))
    with pytest.raises(CollateralError, match=r"^\S+/cert_chain: expected 200, got 403$"):
        client.fetch(wanted, now)
    assert kds.requests == (chain.url_path,)


def test_a_file_without_ca_certificates_is_misuse(store: CollateralStore, kds: FakeKds, tmp_path: Path) -> None:
    (tmp_path / "empty.pem").touch()
    for name, why in (("missing.pem", "No such file or directory"), ("empty.pem", r"\[X509: NO_CERTIFICATE")):
        with pytest.raises(Misuse, match=rf"CA certificates .*: cannot be read: {why}"):
            KdsClient(store, kds.url, ca_file=tmp_path / name)


def test_a_service_that_is_not_there_is_unavailable(store: CollateralStore, chain: ChainKey, now: datetime) -> None:
    with FakeKds() as gone:
        url = gone.url
    with pytest.raises(CollateralError, match="could not be had") as caught:
        KdsClient(store, url, limits=QUICK).fetch([chain], now)
    assert caught.value.category is Category.UNAVAILABLE


# AC 115: outages


def test_ac_115_in_an_outage_what_is_fresh_is_kept_and_said_so(
    filled: CollateralStore,
    kds: FakeKds,
    crl: CrlKey,
    wanted: tuple[AmdKey, ...],
    now: datetime,
    caplog: pytest.LogCaptureFixture,
) -> None:
    kds.misbehave(fake.status(500))
    before = filled.load(wanted, now)
    with caplog.at_level(logging.WARNING):
        fetched = KdsClient(filled, kds.url, limits=QUICK).fetch(wanted, now + timedelta(days=2))
    why = f"{kds.url}{crl.url_path}: the service failed (500)"
    assert set(fetched) == {Fetched(key=key, outcome=Outcome.KEPT, why=why if key == crl else "") for key in wanted}
    assert caplog.messages[-1] == f"keeping the stored Milan VCEK revocation list: {why}"
    assert filled.load(wanted, now) == before


def test_ac_115_in_an_outage_a_stale_list_is_unavailable_and_stays_stale(
    filled: CollateralStore, kds: FakeKds, crl: CrlKey, now: datetime
) -> None:
    kds.misbehave(fake.status(500))
    later = now + timedelta(days=400)
    with pytest.raises(CollateralError, match="the service failed") as caught:
        KdsClient(filled, kds.url, limits=QUICK).fetch([crl], later)
    assert caught.value.category is Category.UNAVAILABLE
    assert len(filled.load([crl], later).crls) == 1
    stored = filled.look(crl, later)
    assert stored is not None
    assert stored.state is State.STALE


def test_ac_115_in_an_outage_without_a_store_nothing_is_there(
    client: KdsClient, store: CollateralStore, kds: FakeKds, wanted: tuple[AmdKey, ...], now: datetime
) -> None:
    kds.misbehave(fake.status(500))
    with pytest.raises(CollateralError, match="the service failed") as caught:
        client.fetch(wanted, now)
    assert caught.value.category is Category.UNAVAILABLE
    assert store.load(wanted, now).crls == ()


# AC 117: what failed does not enter


@pytest.mark.parametrize(
    ("make", "category"),
    [
        (lambda ca, now: ca.crl(now, signed_by=checked_in_keys(ProductLine.GENOA).ark), Category.CHAIN),
        (lambda ca, now: AmdCa(ProductLine.GENOA).crl(now), Category.CHAIN),
        (lambda ca, now: ca.crl(now - timedelta(days=400)), Category.EXPIRED),
        (lambda ca, now: ca.crl(now + timedelta(days=1)), Category.EXPIRED),
        (lambda ca, now: ca.crl(now, lifetime=None), Category.CHAIN),
        (lambda ca, now: ca.crl(now)[:-1], Category.MALFORMED),
        (lambda ca, now: ca.ark, Category.MALFORMED),
    ],
)
def test_ac_117_a_forged_or_stale_list_does_not_enter(
    make: Callable[[AmdCa, datetime], bytes],
    category: Category,
    client: KdsClient,
    store: CollateralStore,
    kds: FakeKds,
    ca: AmdCa,
    crl: CrlKey,
    now: datetime,
) -> None:
    kds.misbehave(fake.body(make(ca, now)), path="/crl")
    with pytest.raises(CollateralError, match="Milan VCEK revocation list") as caught:
        client.fetch([crl], now)
    assert caught.value.category is category
    assert store.load([crl], now).crls == ()


def test_ac_117_an_older_list_does_not_replace_a_newer(
    filled: CollateralStore, kds: FakeKds, ca: AmdCa, crl: CrlKey, now: datetime
) -> None:
    before = filled.load([crl], now)
    kds.misbehave(fake.body(ca.crl(now - timedelta(days=100))), path="/crl")
    [_, fetched] = KdsClient(filled, kds.url, limits=QUICK).fetch([crl], now + timedelta(days=2))
    assert (fetched.outcome, "or later, as stored" in fetched.why) == (Outcome.KEPT, True)
    assert filled.load([crl], now) == before


@pytest.mark.parametrize(
    ("make", "category"),
    [
        (lambda: SoftwarePsp(ProductLine.MILAN, chip_secret=b"another").vek(), Category.COLLATERAL_MISMATCH),
        (
            lambda: SoftwarePsp(ProductLine.MILAN).vek(signed_by=checked_in_keys(ProductLine.GENOA).ask),
            Category.SIGNATURE,
        ),
    ],
)
def test_ac_117_a_wrong_certificate_does_not_enter(
    make: Callable[[], bytes],
    category: Category,
    client: KdsClient,
    store: CollateralStore,
    kds: FakeKds,
    vcek: VcekKey,
    now: datetime,
) -> None:
    client.fetch([vcek.chain], now - timedelta(days=1))
    kds.misbehave(fake.body(make()), path=vcek.url_path)
    with pytest.raises(CollateralError, match="VCEK of Milan chip") as caught:
        client.fetch([vcek], now)
    assert caught.value.category is category
    # Another key under the intermediate's name would explain a signature that fails, and nothing else.
    assert Counter(kds.requests)[vcek.chain.url_path] == (2 if category is Category.SIGNATURE else 1)
    assert store.load([vcek], now).certificates == ()


def test_ac_117_one_flipped_bit_keeps_an_object_out(
    client: KdsClient, store: CollateralStore, kds: FakeKds, vcek: VcekKey, now: datetime
) -> None:
    kds.misbehave(fake.flipped(-1), path=vcek.url_path)
    with pytest.raises(
        CollateralError, match=r"chip .*: expected a signature by the key above it, got one that"
    ) as caught:
        client.fetch([vcek], now)
    assert caught.value.category is Category.SIGNATURE
    assert store.load([vcek], now).certificates == ()


def test_ac_117_an_attackers_service_fills_nothing(
    store: CollateralStore, wanted: tuple[AmdKey, ...], psp: SoftwarePsp, now: datetime
) -> None:
    attacker = AmdCa(psp.product, checked_in_keys(ProductLine.GENOA))
    with FakeKds(replace(psp, ca=attacker), issued=now) as kds:
        with pytest.raises(CollateralError, match="pinned in the simulated trust set") as caught:
            KdsClient(store, kds.url, limits=QUICK).fetch(wanted, now)
        assert len(kds.requests) == 1
    assert caught.value.category is Category.CHAIN
    assert store.show(now) == ()


def test_an_intermediate_issued_anew_is_noticed(
    client: KdsClient, store: CollateralStore, kds: FakeKds, ca: AmdCa, psp: SoftwarePsp, vcek: VcekKey, now: datetime
) -> None:
    client.fetch([vcek], now)
    keys = checked_in_keys(psp.product)
    renewed = AmdCa(psp.product, replace(keys, ask=checked_in_keys(ProductLine.GENOA).ask))
    second = replace(psp, chip_secret=b"second", ca=renewed.with_ask(not_before=now - timedelta(days=1)))
    kds.register(second)
    key = VcekKey(product=psp.product, hwid=second.chip_id, tcb=second.reported_tcb)
    client.fetch([key], now + timedelta(days=1))
    assert store.load([key], now).certificates == (second.vek(),)


@pytest.mark.parametrize(
    ("age", "asked"),
    [
        (timedelta(0), 1),
        (timedelta(hours=1) - timedelta(seconds=1), 1),
        (timedelta(hours=1), 2),
        (timedelta(seconds=-1), 2),  # somebody set the clock back
    ],
)
def test_a_chain_of_the_last_hour_is_not_what_makes_a_signature_fail(
    age: timedelta, asked: int, client: KdsClient, kds: FakeKds, psp: SoftwarePsp, vcek: VcekKey, now: datetime
) -> None:
    client.fetch([vcek], now)
    other = replace(psp, chip_secret=b"other")
    kds.register(other)
    key = VcekKey(product=psp.product, hwid=other.chip_id, tcb=other.reported_tcb)
    kds.misbehave(fake.flipped(-1), path=key.url_path)
    with pytest.raises(CollateralError, match="expected a signature"):
        client.fetch([key], now + age)
    assert Counter(kds.requests)[vcek.chain.url_path] == asked


def test_ac_117_many_threads_want_one_object_and_it_is_asked_for_once(
    store: CollateralStore, kds: FakeKds, chain: ChainKey, crl: CrlKey, now: datetime
) -> None:
    kds.misbehave(fake.slow_answer(0.1))
    clients = [KdsClient(store, kds.url, limits=replace(QUICK, deadline=20.0)) for _ in range(2)]
    start = threading.Barrier(8)

    def fetch(number: int) -> None:
        start.wait()
        clients[number % 2].fetch([chain, crl], now)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(fetch, range(8)))
    assert Counter(kds.requests) == {chain.url_path: 1, crl.url_path: 1}


_FETCH = """
import sys, pathlib, datetime
from cvmproof.collateral.kds import KdsClient
from cvmproof.collateral.keys import ChainKey
from cvmproof.collateral.store import CollateralStore
from cvmproof.trust import TrustRoots
from cvmproof_formats.snp.product import KeyKind, ProductLine
store = CollateralStore(folder=pathlib.Path(sys.argv[1]), trust=TrustRoots.simulated())
key = ChainKey(product=ProductLine.MILAN, kind=KeyKind.VCEK)
KdsClient(store, sys.argv[2]).fetch([key], datetime.datetime.fromisoformat(sys.argv[3]))
"""


def test_ac_117_several_processes_want_one_object_and_it_is_asked_for_once(
    store: CollateralStore, kds: FakeKds, chain: ChainKey, now: datetime
) -> None:
    kds.misbehave(fake.slow_answer(0.5))
    command = [sys.executable, "-c", _FETCH, str(store.folder), kds.url, now.isoformat()]
    others = [subprocess.Popen(command) for _ in range(3)]
    assert [other.wait(60) for other in others] == [0, 0, 0]
    assert kds.requests == (chain.url_path,)


# AC 118: nothing grows


@pytest.mark.skipif(sys.platform != "linux", reason="counts descriptors in /proc")
def test_ac_118_two_hundred_fetches_leave_no_descriptor_and_no_thread(
    store: CollateralStore, kds: FakeKds, chain: ChainKey, now: datetime
) -> None:
    client = KdsClient(store, kds.url, limits=replace(QUICK, attempts=2))
    misbehaviours = (fake.status(500), fake.html(), fake.reset(), fake.cut_body(5), fake.endless_body())

    def fetch(number: int) -> None:
        kds.behave()
        kds.misbehave(misbehaviours[number % len(misbehaviours)])
        with pytest.raises(CollateralError):
            client.fetch([chain], now)

    for number in range(5):
        fetch(number)
    settle()
    before = descriptors_and_threads()
    for number in range(200):
        fetch(number)
    settle()
    after = descriptors_and_threads()
    assert after[0] <= before[0]
    assert after[1] <= before[1]


def descriptors_and_threads() -> tuple[int, int]:
    return len(list(Path("/proc/self/fd").iterdir())), threading.active_count()


def settle() -> None:
    """Wait until the service's threads have seen that their clients are gone."""
    end = time.monotonic() + 10
    while time.monotonic() < end and any("process_request" in thread.name for thread in threading.enumerate()):
        time.sleep(0.01)


def test_importing_the_client_loads_no_http_library() -> None:
    script = "import sys, json, cvmproof.collateral.kds; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True, timeout=60)
    loaded = set(json.loads(done.stdout))
    assert loaded & {"httpx", "httpcore", "stamina", "tenacity", "filelock", "platformdirs"} == set()
