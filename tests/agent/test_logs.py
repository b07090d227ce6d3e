"""AC-126 and AC-127: what is logged, and what never is."""

import json
import logging

import pytest
from _pytest.logging import LogCaptureFixture
from tests.agent.machine import Client, FakeDevice, pinned, report_data, serving, unary

from cvmproof_agent.logs import JsonLines, TextLines, escape
from cvmproof_formats.binding import NONCE_SIZE


def record(message: str) -> logging.LogRecord:
    return logging.LogRecord("cvmproof_agent.x", logging.INFO, "x.py", 1, message, None, None)


@pytest.mark.parametrize("text", ["a\nb", "\x1b[2J", "\u202ereversed", "\x00", "\u00e9", "\ud800"])
def test_ac_127_whatever_a_text_contains_it_stays_on_its_line(text: str) -> None:
    for formatter in (JsonLines(), TextLines()):
        line = formatter.format(record(text))
        assert line.isascii()
        assert line.isprintable()


def test_ac_127_a_megabyte_is_cut() -> None:
    assert len(JsonLines().format(record("x" * 1_000_000))) < 1300


def test_a_json_line_is_an_object() -> None:
    document = json.loads(JsonLines().format(record("told")))
    assert document.keys() == {"time", "level", "logger", "message"}
    assert (document["level"], document["message"]) == ("info", "told")


def test_printable_text_is_left_alone() -> None:
    assert escape("plain text, 100 %") == "plain text, 100 %"


def test_ac_126_a_full_run_at_debug_logs_no_nonce_key_exporter_value_or_evidence(caplog: LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    nonce = bytes(range(100, 100 + NONCE_SIZE))
    with serving() as agent:
        with Client(agent.address) as client:
            answer = client.ask(nonce)
            secrets = {nonce, client.ekm(nonce), client.spki, report_data(answer), answer.evidence.report[:48]}
        with pinned(agent) as channel:
            secrets.add(unary(channel, "/cvmproof.v1.Attestation/GetEvidence")(b"\x0a\x20" + nonce, timeout=5)[:48])
        with Client(agent.address) as client:
            client.ask(nonce[:31])
        with Client(agent.address, alpn=None) as client:
            client.end()
    text = caplog.text.lower()
    assert "listening" in text
    for secret in secrets:
        for spelled in (secret.hex(), repr(secret)[2:-1].lower(), secret[:16].hex()):
            assert spelled not in text


def test_ac_126_a_report_that_is_refused_is_not_spelled_out(caplog: LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    device = FakeDevice(change=lambda report: report[:80] + bytes(64) + report[144:])
    with serving(device) as agent, Client(agent.address) as client:
        message = client.ask().refusal.message
    assert device.asked[0].hex()[:16] not in caplog.text + message
