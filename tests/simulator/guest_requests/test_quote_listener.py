"""The quote service outside of a virtual machine turns its machine's TDREPORTs into quotes, and no others."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from cvmproof_formats.tdx.quote import read_quote
from cvmproof_simulator.devices import qgs_messages as qgs
from cvmproof_simulator.guest_requests.answering import answers_of
from cvmproof_simulator.guest_requests.connections import read
from cvmproof_simulator.guest_requests.quote_listener import QuoteListener
from cvmproof_simulator.machines.tdx import read_tdx

DATA = bytes(range(64))
TD = read_tdx([])


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    # Relative: the path of a socket is at most 107 bytes long.
    monkeypatch.chdir(tmp_path)
    return Path("quotes")


@pytest.fixture
def service(path: Path) -> Iterator[QuoteListener]:
    with QuoteListener(answers_of(TD), path) as listening:
        yield listening


def ask(path: Path, *messages: bytes) -> list[bytes]:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(20)
        connection.connect(str(path))
        answers = []
        for message in messages:
            connection.sendall(qgs.FRAME.pack(len(message)) + message)
            (size,) = qgs.FRAME.unpack(read(connection, qgs.FRAME.size))
            answers.append(read(connection, size))
        return answers


def error_of(response: bytes) -> int:
    return qgs.Header.parse(response[: qgs.Header.layout_size]).error_code


def test_each_of_its_own_reports_becomes_a_quote(service: QuoteListener, path: Path) -> None:
    message = qgs.build_request(TD.tdreport(DATA))
    for response in ask(path, message, message):
        assert error_of(response) == 0
        assert read_quote(response[qgs.Header.layout_size + 8 :]).body.report_data == DATA
    assert service.answered == 2


def test_another_machines_report_becomes_none(service: QuoteListener, path: Path) -> None:
    (response,) = ask(path, qgs.build_request(read_tdx(["machine=another"]).tdreport(DATA)))
    assert error_of(response) == qgs.ERROR_UNEXPECTED
    assert service.answered == 0


def test_a_message_that_is_none_is_refused_in_words(service: QuoteListener, path: Path) -> None:
    refused, quoted = ask(path, bytes(24), qgs.build_request(TD.tdreport(DATA)))
    assert (error_of(refused), error_of(quoted)) == (qgs.ERROR_UNEXPECTED, 0)


def test_a_message_that_is_too_long_ends_the_connection(service: QuoteListener, path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(20)
        connection.connect(str(path))
        connection.sendall(qgs.FRAME.pack(qgs.LARGEST_REQUEST + 1))
        assert connection.recv(1) == b""
