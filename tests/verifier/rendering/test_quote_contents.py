"""What is shown of a quote and of the log of a boot: everything, and nothing is believed."""

import dataclasses
import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from cvmproof.rendering.contents import sections_of
from cvmproof_formats.errors import Category, Malformed
from cvmproof_formats.tdx.body import TdBody, TdBody15
from cvmproof_formats.tdx.event_log import EV_IPL, EV_SEPARATOR
from cvmproof_formats.tdx.header import QuoteHeader
from cvmproof_formats.tdx.hierarchy import Ca
from cvmproof_formats.tdx.pck import PckIdentity, PckPlatform
from cvmproof_formats.tdx.qe_report import EnclaveReport
from cvmproof_simulator.tdx.boot import event
from cvmproof_simulator.tdx.evidence import nonce_evidence, wrap
from cvmproof_simulator.tdx.platform import SoftwarePlatform
from cvmproof_simulator.tdx.td import SoftwareTd

TD = SoftwareTd()
DATA, NONCE = bytes(range(64)), bytes(32)


def shown(data: bytes) -> dict[str, Mapping[str, str]]:
    """Each section's fields by its title; of several certificates by their subject."""
    found: dict[str, Mapping[str, str]] = {}
    for title, fields in sections_of(data):
        names = [name for name, _ in fields]
        assert len(set(names)) == len(names)  # in JSON they are keys
        by_name = dict(fields)
        assert by_name.get("subject", title) not in found
        found[by_name.get("subject", title)] = by_name
    return found


@pytest.mark.parametrize("version", [4, 5])
def test_every_field_of_header_body_enclave_and_certificate_is_shown(version: int) -> None:
    parts = shown(TD.quote(DATA, version=version))
    assert list(parts) == [
        "TDX quote",
        "TD 1.0 report body (type 2)" if version == 4 else "TD 1.5 report body (type 3)",
        "quoting enclave's report",
        "Intel SGX PCK Certificate",
        "Intel SGX PCK Platform CA",
        "Intel SGX Root CA",
    ]
    header, body, enclave, pck = list(parts.values())[:4]
    assert {name for name, _ in QuoteHeader.fields()} <= header.keys()
    assert {name for name, _ in (TdBody if version == 4 else TdBody15).fields()} == body.keys()
    assert {name for name, _ in EnclaveReport.fields()} <= enclave.keys()
    said = {field.name for kind in (PckIdentity, PckPlatform) for field in dataclasses.fields(kind)} - {
        "platform",
        "instance_id",
    }
    assert said | {"platform_instance_id"} <= pck.keys()
    assert body["report_data"] == DATA.hex()
    assert pck["fmspc"] == TD.platform.fmspc.hex()


def test_bits_are_shown_by_their_names_and_those_without_a_name_too() -> None:
    body = shown(TD.quote(DATA, td_attributes=0x10000003, xfam=0x3 | 1 << 20))["TD 1.0 report body (type 2)"]
    assert body["td_attributes"] == "0x10000003: debug, sept_ve_disable, 0x2 without a name"
    assert body["xfam"] == "0x100003: x87, sse, 0x100000 without a name"
    assert body["tee_tcb_svn"].endswith(": tdx1/svn13/late4, TDX_01")


def test_a_machine_of_the_processor_ca_says_less() -> None:
    pck = shown(SoftwareTd(platform=SoftwarePlatform(ca=Ca.PROCESSOR)).quote(DATA))["Intel SGX PCK Certificate"]
    assert pck["key"] == "PCK, of the processor CA"
    assert "platform_instance_id" not in pck


def test_padding_is_shown_and_anything_else_behind_a_quote_is_refused() -> None:
    assert shown(TD.quote(DATA) + bytes(70))["TDX quote"]["padding"] == "70 zero bytes behind the quote"
    assert "padding" not in shown(TD.quote(DATA))["TDX quote"]
    with pytest.raises(Malformed, match="expected zero bytes behind its end"):
        sections_of(TD.quote(DATA) + b"\0\1")


def test_a_forged_quote_is_shown_just_the_same() -> None:
    assert shown(TD.quote(DATA, signature=bytes(64)))["TDX quote"]["signature"] == "00" * 64


def test_a_quote_that_is_not_read_here_is_refused_by_name() -> None:
    with pytest.raises(Malformed, match="version: expected 4 or 5, got 3") as caught:
        sections_of(b"\3" + TD.quote(DATA)[1:])
    assert caught.value.category is Category.UNSUPPORTED


def test_a_chain_that_is_none_is_said_to_be_none() -> None:
    assert "problem" in shown(TD.quote(DATA, pck_chain=b"-----BEGIN NOTHING"))["PCK chain"]


def test_an_evidence_file_is_shown_with_its_labels_and_without_a_log_where_it_has_none() -> None:
    parts = shown(nonce_evidence(TD, NONCE))
    assert parts["evidence file"]["tee"] == "tdx"
    assert "TDX quote" in parts
    assert "event log" not in parts


def test_a_log_is_summarised_and_held_against_the_quote() -> None:
    log = shown(nonce_evidence(TD, NONCE, with_event_log=True))["event log"]
    assert (log["size"], log["events"]) == ("65536 bytes", str(len(TD.events)))
    assert [log[f"rtmr{number}"].endswith("as in the quote") for number in range(4)] == [True] * 4
    assert log["ipl 1"] == "rtmr2: kernel_cmdline: root=/dev/vda1 ro console=hvc0"
    assert not {"contradicted", "unseparated"} & log.keys()


def test_a_log_of_another_boot_is_seen_and_rtmr3_is_not_judged_by_it() -> None:
    other = TD.measure(event(2, EV_IPL, b"x")).extend(3, bytes(48))
    log = shown(wrap(other.quote(DATA), NONCE, TD.event_log()))["event log"]
    assert re.fullmatch("2 events, replayed: [0-9a-f]{96}, and not what the quote says", log["rtmr2"])
    assert re.fullmatch("0 events, replayed: 0{96}; not all that extends it is logged", log["rtmr3"])


def test_what_is_odd_about_a_log_is_shown() -> None:
    events = (event(0, EV_SEPARATOR, b"\1\0\0\0", digest=bytes(48)), event(2, EV_IPL, b"\x1b[2J", digest=bytes(48)))
    log = shown(SoftwareTd(events=events).event_log())["event log"]
    assert log["contradicted"].startswith("1 with data")
    assert log["unseparated"] == "rtmr0"
    assert log["ipl 1"] == r"rtmr2: \x1b[2J (not what was measured)"


def test_of_many_lines_a_few_are_shown() -> None:
    log = shown(SoftwareTd(events=tuple(event(2, EV_IPL, b"%d" % i) for i in range(20))).event_log())["event log"]
    assert (log["ipl 8"], log["ipl"]) == ("rtmr2: 7", "12 more")


def test_a_log_by_itself_may_be_larger_than_any_evidence_and_a_broken_one_says_why() -> None:
    data = TD.event_log(size=1 << 20)
    assert shown(data)["event log"]["size"] == "1048576 bytes"
    assert "expected nothing but ff" in shown(data[:-1] + b"\1")["event log"]["problem"]
    assert "problem" in shown(wrap(TD.quote(DATA), NONCE, b"no log"))["event log"]


def test_recorded_logs_and_quotes_are_shown(recorded: Path) -> None:
    log = shown((recorded / "tdx/ccel/CCEL_data_gcp").read_bytes())["event log"]
    assert (log["events"], log["size"]) == ("21", "262144 bytes")
    for path in (recorded / "tdx/padded").glob("[0a]*"):  # behind the other one there is more than padding
        padding = int(path.stem.partition("plus")[2])
        assert shown(path.read_bytes())["TDX quote"]["padding"] == f"{padding} zero bytes behind the quote"
