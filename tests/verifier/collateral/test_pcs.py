"""Intel's service and a caching one, right and misbehaving: what is verified is kept, and nothing else."""

import logging
import ssl
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from urllib.parse import unquote

import pytest
import trustme

from cvmproof.collateral.endpoint import INTEL_PCS, INTEL_ROOT_CRL
from cvmproof.collateral.intel_keys import (
    EvaluationNumbersKey,
    IntelCertificatesKey,
    IntelCrlKey,
    IntelKey,
    QeIdentityKey,
    TcbInfoKey,
    Update,
    wanted_for_platform,
)
from cvmproof.collateral.pcs import PcsClient, read_chain_header
from cvmproof.collateral.service import Limits, Outcome
from cvmproof.collateral.store import CollateralStore, State
from cvmproof.trust import TrustRoots
from cvmproof_formats.errors import Category, CollateralError, EndpointError, Malformed, Misuse
from cvmproof_formats.pem import write_pem
from cvmproof_formats.tdx.hierarchy import Ca
from cvmproof_simulator import misbehaviour as fake
from cvmproof_simulator.keys.intel import generate_intel_keys
from cvmproof_simulator.misbehaviour import Answer, Misbehaviour
from cvmproof_simulator.tdx.ca import IntelCa
from cvmproof_simulator.tdx.collateral import Collateral as Knowledge
from cvmproof_simulator.tdx.pcs import FakePcs, issuer_chain
from cvmproof_simulator.tdx.platform import SoftwarePlatform

QUICK = Limits(connect=2.0, read=1.0, deadline=5.0, first_wait=0.001, longest_wait=0.002, limited_wait=0.001)
ROOT_CRL = "/IntelSGXRootCA.der"
ATTACKER = IntelCa(generate_intel_keys())


@pytest.fixture
def pcs(knowledge: Knowledge) -> Iterator[FakePcs]:
    with FakePcs(knowledge) as service:
        yield service


@pytest.fixture
def pccs(knowledge: Knowledge) -> Iterator[FakePcs]:
    with FakePcs(knowledge, caching=True) as service:
        yield service


@pytest.fixture
def intel(store: CollateralStore, pcs: FakePcs) -> PcsClient:
    return PcsClient(store, pcs.url, root_crl=ROOT_CRL, limits=QUICK)


def without_certificates(keys: tuple[IntelKey, ...]) -> list[IntelKey]:
    return [key for key in keys if not isinstance(key, IntelCertificatesKey)]


def test_everything_a_quote_wants_is_fetched(
    intel: PcsClient, store: CollateralStore, intels: tuple[IntelKey, ...], pcs: FakePcs, now: datetime
) -> None:
    fetched = intel.fetch(intels, now)
    assert [(one.key, one.outcome) for one in fetched] == [
        (key, Outcome.FETCHED) for key in without_certificates(intels)
    ]
    assert {found.state for found in store.show(now)} == {State.FRESH}
    assert len(store.show(now)) == 6  # with the certificates that came along
    assert pcs.requests == (ROOT_CRL, intels[2].url_path, intels[3].url_path, intels[4].url_path)


def test_a_caching_service_has_the_same_and_the_roots_list_in_hexadecimal(
    store: CollateralStore, pccs: FakePcs, knowledge: Knowledge, intels: tuple[IntelKey, ...], now: datetime
) -> None:
    PcsClient(store, pccs.url, limits=QUICK).fetch(intels, now)
    assert {found.state for found in store.show(now)} == {State.FRESH}
    assert pccs.requests[0] == "/sgx/certification/v4/rootcacrl"
    assert set(store.load(intels, now).intel_crls) == {knowledge.root_crl, knowledge.pck_crl}


def test_the_usual_address_of_a_caching_service_is_understood(
    store: CollateralStore, pccs: FakePcs, tcb_info: TcbInfoKey, now: datetime
) -> None:
    for ending in ("/", "/sgx/certification/v4", "/sgx/certification/v4/"):
        PcsClient(store, pccs.url + ending, limits=QUICK).fetch([tcb_info], now)
    assert pccs.requests == (tcb_info.url_path,)


def test_intels_own_root_list_lies_on_another_host(tmp_path: Path, root_crl: IntelCrlKey, tcb_info: TcbInfoKey) -> None:
    client = PcsClient(CollateralStore(folder=tmp_path, trust=TrustRoots.production()))
    assert client._url(root_crl) == INTEL_ROOT_CRL
    assert client._url(tcb_info) == INTEL_PCS + tcb_info.url_path


@pytest.mark.parametrize("form", [lambda d: write_pem(d, "X509 CRL"), lambda d: d.hex().encode(), lambda d: d])
def test_lists_are_taken_in_every_form(
    form: Callable[[bytes], bytes],
    intel: PcsClient,
    store: CollateralStore,
    pcs: FakePcs,
    knowledge: Knowledge,
    root_crl: IntelCrlKey,
    now: datetime,
) -> None:
    pcs.misbehave(fake.body(form(knowledge.root_crl)))
    intel.fetch([root_crl], now)
    assert store.load([root_crl], now).intel_crls == (knowledge.root_crl,)


@pytest.mark.parametrize("ca", Ca)
def test_the_list_of_each_pck_ca_is_fetched(ca: Ca, intel: PcsClient, store: CollateralStore, now: datetime) -> None:
    intel.fetch([IntelCrlKey.of_ca(ca)], now)
    assert {one.state for one in store.show(now)} == {State.FRESH}


def test_each_channel_and_number_is_asked_for_as_such(
    intel: PcsClient, store: CollateralStore, pcs: FakePcs, platform: SoftwarePlatform, now: datetime
) -> None:
    pcs.register(Knowledge.of(platform, now, number=21), early=True)
    pcs.register(Knowledge.of(platform, now, number=18))
    for issue, number in ((Update.STANDARD, 20), (Update.EARLY, 21), (18, 18)):
        wanted = (TcbInfoKey(fmspc=platform.fmspc, issue=issue), QeIdentityKey(issue=issue))
        intel.fetch(wanted, now)
        found = store.load(wanted, now)
        for signed in (found.tcb_infos[0], found.qe_identities[0]):
            assert f'"tcbEvaluationDataNumber":{number}'.encode() in signed.body


def test_a_caching_service_that_overlooks_the_number_is_found_out(
    store: CollateralStore, pccs: FakePcs, platform: SoftwarePlatform, now: datetime
) -> None:
    client = PcsClient(store, pccs.url, limits=QUICK)
    with pytest.raises(CollateralError, match="expected evaluation number 18, got 20") as caught:
        client.fetch([TcbInfoKey(fmspc=platform.fmspc, issue=18)], now)
    assert caught.value.category is Category.COLLATERAL_MISMATCH


def test_the_numbers_there_are_can_be_fetched(intel: PcsClient, store: CollateralStore, now: datetime) -> None:
    intel.fetch([EvaluationNumbersKey()], now)
    assert {one.state for one in store.show(now)} == {State.FRESH}


def test_what_is_fresh_is_not_asked_for_again_within_a_day(
    intel: PcsClient, intels: tuple[IntelKey, ...], pcs: FakePcs, now: datetime
) -> None:
    intel.fetch(intels, now)
    assert {one.outcome for one in intel.fetch(intels, now + timedelta(hours=23))} == {Outcome.KEPT}
    assert len(pcs.requests) == 4
    intel.fetch(intels, now + timedelta(hours=25))
    assert len(pcs.requests) == 8


def test_certificates_alone_are_nothing_to_ask_for(
    intel: PcsClient, signer: IntelCertificatesKey, pcs: FakePcs, now: datetime
) -> None:
    assert intel.fetch([signer], now) == ()
    assert pcs.requests == ()


def test_where_the_header_is_missing_stored_certificates_do(
    intel: PcsClient, store: CollateralStore, pcs: FakePcs, knowledge: Knowledge,
    signer: IntelCertificatesKey, tcb_info: TcbInfoKey, now: datetime,
) -> None:  # fmt: skip
    pcs.misbehave(fake.body(knowledge.tcb_info_response))
    with pytest.raises(CollateralError, match="TCB signing certificates: not in the store"):
        intel.fetch([tcb_info], now)
    store.put(signer, knowledge.signing_chain, now)
    assert intel.fetch([tcb_info], now)[0].outcome is Outcome.FETCHED


def test_the_names_of_headers_count_in_either_case(
    intel: PcsClient, pcs: FakePcs, knowledge: Knowledge, tcb_info: TcbInfoKey, now: datetime
) -> None:
    header = ("tcb-info-issuer-CHAIN", issuer_chain(knowledge.signing_chain))
    pcs.misbehave(fake.body(knowledge.tcb_info_response, header))
    assert intel.fetch([tcb_info], now)[0].outcome is Outcome.FETCHED


def test_a_new_certificate_of_the_signer_joins_the_old(
    intel: PcsClient, store: CollateralStore, pcs: FakePcs, knowledge: Knowledge,
    signer: IntelCertificatesKey, tcb_info: TcbInfoKey, now: datetime,
) -> None:  # fmt: skip
    intel.fetch([tcb_info], now)
    renewed = knowledge.authorities.with_tcb_signing(not_before=now)
    pcs.register(replace(knowledge, authorities=renewed))
    intel.fetch([tcb_info], now + timedelta(days=1))
    assert store.load([signer], now).certificates == (renewed.tcb_signing, knowledge.authorities.tcb_signing)


# Issuer chains in headers


def test_a_chain_is_percent_decoded_and_a_plus_stays_a_plus() -> None:
    pem = write_pem(bytes(range(248, 256)) * 40)
    assert b"+" in pem
    assert read_chain_header(issuer_chain(pem)) == pem
    assert read_chain_header(issuer_chain(pem).replace("%2B", "+")) == pem


@pytest.mark.parametrize("value", ["%ff", "%C3%A9", "\xe9"])
def test_a_chain_that_is_not_ascii_is_malformed(value: str) -> None:
    with pytest.raises(Malformed, match="issuer chain"):
        read_chain_header(value)


HeaderForger = Callable[[Knowledge], str]


@pytest.mark.parametrize(
    ("forge", "category"),
    [
        (lambda k: "x", Category.MALFORMED),
        (lambda k: "%E2%82%AC", Category.MALFORMED),
        (lambda k: unquote(issuer_chain(k.signing_chain)).replace("\n", ""), Category.MALFORMED),
        (lambda k: issuer_chain(k.signing_chain)[:-30], Category.MALFORMED),
        (lambda k: issuer_chain(write_pem(k.authorities.root)), Category.CHAIN),
        (lambda k: issuer_chain(k.pck_crl_chain), Category.CHAIN),
        (
            lambda k: issuer_chain(write_pem(k.authorities.root) + write_pem(k.authorities.tcb_signing)),
            Category.CHAIN,
        ),
        (lambda k: issuer_chain(write_pem(k.authorities.tcb_signing) * 20), Category.SIZE_LIMIT),
        (lambda k: issuer_chain(ATTACKER.signing_chain), Category.SIGNATURE),
        (
            lambda k: issuer_chain(write_pem(k.authorities.tcb_signing) + write_pem(ATTACKER.root)),
            Category.CHAIN,
        ),
    ],
)  # fmt: skip
def test_ac_054_a_bad_issuer_chain_keeps_everything_out(
    forge: HeaderForger,
    category: Category,
    intel: PcsClient,
    store: CollateralStore,
    pcs: FakePcs,
    knowledge: Knowledge,
    tcb_info: TcbInfoKey,
    now: datetime,
) -> None:
    pcs.misbehave(fake.body(knowledge.tcb_info_response, ("TCB-Info-Issuer-Chain", forge(knowledge))))
    with pytest.raises(CollateralError) as caught:
        intel.fetch([tcb_info], now)
    assert caught.value.category is category
    assert str(caught.value).startswith((f"{tcb_info}: ", f"{tcb_info.chain}: ", "Intel SGX "))
    assert store.show(now) == ()


def test_ac_054_a_header_without_end_is_unavailable(
    intel: PcsClient, store: CollateralStore, pcs: FakePcs, tcb_info: TcbInfoKey, now: datetime
) -> None:
    pcs.misbehave(fake.with_header("TCB-Info-Issuer-Chain", "A" * 2_000_000))
    with pytest.raises(CollateralError, match="could not be had") as caught:
        intel.fetch([tcb_info], now)
    assert caught.value.category is Category.UNAVAILABLE
    assert store.show(now) == ()


# AC 113: the service proves its name


def test_ac_113_plain_http_is_refused_before_any_request(store: CollateralStore, pcs: FakePcs) -> None:
    production = CollateralStore(folder=store.folder, trust=TrustRoots.production())
    for url in (pcs.url, "http://localhost:8081", "http://pccs.example", "ftp://127.0.0.1"):
        with pytest.raises(EndpointError, match="expected https") as caught:
            PcsClient(production, url)
        assert caught.value.category is Category.ENDPOINT
    assert pcs.requests == ()


def test_ac_113_even_simulated_plain_http_goes_to_this_machine_only(store: CollateralStore) -> None:
    for url in ("http://localhost:8081", "http://10.0.0.1", "http://pccs.example/sgx/certification/v4/"):
        with pytest.raises(EndpointError, match="expected https"):
            PcsClient(store, url)


@pytest.mark.parametrize("url", ["https://x/a?b", "https://x/#a", "https://x/../y", "https://u:p@x", "x", "https://"])
def test_ac_113_what_is_no_address_is_refused(url: str, store: CollateralStore) -> None:
    with pytest.raises(EndpointError):
        PcsClient(store, url)


@pytest.mark.parametrize(("name", "trusted"), [("127.0.0.1", True), ("127.0.0.1", False), ("pccs.example", True)])
def test_ac_113_a_caching_service_proves_its_name(
    name: str, *, trusted: bool, store: CollateralStore, knowledge: Knowledge, tcb_info: TcbInfoKey,
    now: datetime, tmp_path: Path,
) -> None:  # fmt: skip
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    ca_file = tmp_path / "ca.pem"
    (authority if trusted else trustme.CA()).cert_pem.write_to_path(str(ca_file))
    with FakePcs(knowledge, caching=True, tls=context) as service:
        client = PcsClient(store, service.url, ca_file=ca_file, limits=QUICK)
        if trusted and name == "127.0.0.1":
            assert client.fetch([tcb_info], now)[0].outcome is Outcome.FETCHED
            return
        with pytest.raises(EndpointError, match="certificate is not trusted") as caught:
            client.fetch([tcb_info], now)
        assert caught.value.category is Category.ENDPOINT
        assert service.requests == ()
    assert store.show(now) == ()


def test_a_file_without_ca_certificates_is_misuse(store: CollateralStore, tmp_path: Path) -> None:
    with pytest.raises(Misuse, match=r"CA certificates .*: cannot be read"):
        PcsClient(store, ca_file=tmp_path / "missing.pem")


# AC 114: the service misbehaves


@pytest.mark.parametrize(
    ("misbehaviour", "why", "requests"),
    [
        (fake.html(), "got something else", 1),
        (fake.body(b""), "got something else", 1),
        (fake.endless_body(), "expected at most", 1),
        (fake.announced_length(10_000_000_000), "10000000000 announced", 1),
        (fake.gzipped(), "got them encoded", 1),
        (fake.redirect("https://elsewhere.example/"), "none is followed", 1),
        (fake.status(400), "expected 200, got 400", 1),
        (fake.status(401), "expected 200, got 401", 1),
        (fake.status(404), r"no such object \(404\)", 1),
        (fake.status(410), r"no such object \(410\)", 1),
        (fake.status(461), "expected 200, got 461", 1),
        (fake.status(500), r"the service failed \(500\)", 4),
        (fake.status(503), r"too many requests \(503\)", 4),
        (fake.status(429), r"too many requests \(429\)", 4),
        (fake.cut_body(10), "could not be had", 4),
        (fake.reset(), "could not be had", 4),
        (fake.slow_body(60.0), "could not be had", None),
        (fake.slow_answer(60.0), "could not be had", None),
    ],
)  # fmt: skip
def test_ac_114_a_misbehaving_service_is_unavailable_and_bounded(
    misbehaviour: Misbehaviour,
    why: str,
    requests: int | None,
    store: CollateralStore,
    pcs: FakePcs,
    tcb_info: TcbInfoKey,
    now: datetime,
) -> None:
    pcs.misbehave(misbehaviour)
    client = PcsClient(store, pcs.url, limits=replace(QUICK, read=0.2, deadline=1.5))
    before = time.monotonic()
    with pytest.raises(CollateralError, match=why) as caught:
        client.fetch([tcb_info], now)
    assert time.monotonic() - before < 4
    assert caught.value.category is Category.UNAVAILABLE
    assert store.show(now) == ()
    assert requests is None or len(pcs.requests) == requests


def test_ac_114_while_the_service_wants_to_be_left_alone_nothing_is_asked(
    intel: PcsClient, pcs: FakePcs, intels: tuple[IntelKey, ...], now: datetime
) -> None:
    pcs.misbehave(fake.status(429, retry_after=1_000_000_000))
    for _ in range(3):
        with pytest.raises(CollateralError, match=r"ask(s|ed) to wait") as caught:
            intel.fetch(intels, now)
        assert caught.value.category is Category.UNAVAILABLE
    assert len(pcs.requests) == 1


def test_a_long_pause_ends_after_an_hour(
    store: CollateralStore, pcs: FakePcs, tcb_info: TcbInfoKey, now: datetime
) -> None:
    clock = [1000.0]
    intel = PcsClient(store, pcs.url, limits=QUICK, monotonic=lambda: clock[0])
    pcs.misbehave(fake.status(429, retry_after=1_000_000_000), times=1)
    for passed, why in ((0, "2058"), (3590, "asked to wait")):
        clock[0] += passed
        with pytest.raises(CollateralError, match=why):
            intel.fetch([tcb_info], now)
    clock[0] += 11
    assert intel.fetch([tcb_info], now)[0].outcome is Outcome.FETCHED


def test_what_is_not_there_is_not_asked_for_again_for_some_minutes(
    intel: PcsClient, pcs: FakePcs, now: datetime
) -> None:
    unknown = TcbInfoKey(fmspc=bytes(6))
    for why in ("404", "not asked again before 12:05:00"):
        with pytest.raises(CollateralError, match=why):
            intel.fetch([unknown], now)
    assert Counter(pcs.requests)[unknown.url_path] == 1
    with pytest.raises(CollateralError, match="404"):
        intel.fetch([unknown], now + timedelta(minutes=6))


def test_a_client_has_a_budget(
    store: CollateralStore, pcs: FakePcs, intels: tuple[IntelKey, ...], now: datetime
) -> None:
    client = PcsClient(store, pcs.url, root_crl=ROOT_CRL, limits=replace(QUICK, requests=2))
    with pytest.raises(CollateralError, match="expected at most 2 requests") as caught:
        client.fetch(intels, now)
    assert caught.value.category is Category.RATE_LIMIT


def test_many_at_once_ask_once(
    store: CollateralStore, pcs: FakePcs, intels: tuple[IntelKey, ...], now: datetime
) -> None:
    clients = [PcsClient(store, pcs.url, root_crl=ROOT_CRL, limits=replace(QUICK, deadline=30.0)) for _ in range(4)]
    pcs.misbehave(fake.slow_answer(0.05))
    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(client.fetch, intels, now) for client in clients * 2]:
            done.result()
    assert set(Counter(pcs.requests).values()) == {1}
    assert {found.state for found in store.show(now)} == {State.FRESH}


# AC 115: outages


def test_ac_115_in_an_outage_what_is_fresh_is_kept_and_said_so(
    intel: PcsClient, store: CollateralStore, pcs: FakePcs, intels: tuple[IntelKey, ...], now: datetime,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    intel.fetch(intels, now)
    before = store.load(intels, now)
    pcs.misbehave(fake.status(500))
    with caplog.at_level(logging.WARNING):
        fetched = intel.fetch(intels, now + timedelta(days=2))
    assert {(one.outcome, "the service failed (500)" in one.why) for one in fetched} == {(Outcome.KEPT, True)}
    assert "keeping the stored TCB info" in caplog.text
    assert store.load(intels, now) == before


def test_ac_115_in_an_outage_what_has_ended_stays_so(
    intel: PcsClient, store: CollateralStore, pcs: FakePcs, tcb_info: TcbInfoKey, now: datetime
) -> None:
    intel.fetch([tcb_info], now)
    pcs.misbehave(fake.status(500))
    later = now + timedelta(days=40)
    with pytest.raises(CollateralError, match="the service failed") as caught:
        intel.fetch([tcb_info], later)
    assert caught.value.category is Category.UNAVAILABLE
    stored = store.look(tcb_info, later)
    assert stored is not None
    assert stored.state is State.STALE


# AC 117: what failed does not enter


@pytest.mark.parametrize(
    ("change", "category"),
    [
        (fake.flipped(100), Category.SIGNATURE),
        (fake.flipped(-10), Category.SIGNATURE),
        (fake.flipped(0), Category.UNAVAILABLE),
        (fake.flipped(5), Category.MALFORMED),
        (fake.flipped(-1), Category.MALFORMED),
    ],
)
def test_ac_117_one_flipped_bit_keeps_an_object_out(
    change: Misbehaviour, category: Category, intel: PcsClient, store: CollateralStore, pcs: FakePcs,
    tcb_info: TcbInfoKey, now: datetime,
) -> None:  # fmt: skip
    pcs.misbehave(change)
    with pytest.raises(CollateralError) as caught:
        intel.fetch([tcb_info], now)
    assert caught.value.category is category
    assert store.load([tcb_info], now).tcb_infos == ()


def test_ac_117_an_attackers_service_fills_nothing(
    store: CollateralStore, knowledge: Knowledge, intels: tuple[IntelKey, ...], now: datetime
) -> None:
    with FakePcs(replace(knowledge, authorities=ATTACKER)) as service:
        with pytest.raises(CollateralError) as caught:
            PcsClient(store, service.url, root_crl=ROOT_CRL, limits=QUICK).fetch(intels, now)
        assert caught.value.category is Category.CHAIN
    assert store.show(now) == ()


def test_ac_117_the_other_platforms_answer_does_not_enter(
    intel: PcsClient, store: CollateralStore, pcs: FakePcs, knowledge: Knowledge, tcb_info: TcbInfoKey, now: datetime
) -> None:
    other = Knowledge.of(SoftwarePlatform(fmspc=bytes(6)), now)

    def swapped(right: Answer) -> Answer:
        return replace(right, body=other.tcb_info_response)

    pcs.misbehave(swapped)
    with pytest.raises(CollateralError, match="expected this FMSPC") as caught:
        intel.fetch([tcb_info], now)
    assert caught.value.category is Category.COLLATERAL_MISMATCH
    assert store.load([tcb_info], now).tcb_infos == ()


def test_ac_043_117_an_older_state_does_not_replace_a_newer(
    intel: PcsClient, store: CollateralStore, knowledge: Knowledge, platform: SoftwarePlatform, now: datetime
) -> None:
    wanted = wanted_for_platform(fmspc=platform.fmspc, ca=platform.ca)
    intel.fetch(wanted, now)
    before = store.load(wanted, now)
    older = Knowledge.of(platform, now - timedelta(days=11), number=19)
    with FakePcs(older) as service:
        behind = PcsClient(store, service.url, root_crl=ROOT_CRL, limits=QUICK)
        fetched = behind.fetch(wanted, now + timedelta(days=2))
    assert {(one.outcome, "as stored" in one.why) for one in fetched} == {(Outcome.KEPT, True)}
    assert store.load(wanted, now) == before
