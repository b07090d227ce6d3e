"""A guest's kernel is answered as by firmware and hypervisor, also where its question makes no sense."""

import errno

import pytest

from cvmproof_formats.snp.certificate_table import ARK, ASK, VCEK, VLEK, read_certificate_table
from cvmproof_formats.snp.report import AttestationReport
from cvmproof_formats.tdx.quote import read_quote
from cvmproof_simulator.guest_requests.answering import (
    INVALID_LENGTH,
    INVALID_PARAMETER,
    Answers,
    answers_of,
)
from cvmproof_simulator.guest_requests.frames import CERTIFICATE_PAGES, PAGE, Kind, ReportRequest, SnpQuestion
from cvmproof_simulator.machines.described import read_machine

REPORT_DATA = bytes(range(64))
HEAD = 32  # bytes of MSG_REPORT_RSP before the report


def snp_question(*, vmpl: int = 0, pages: int = CERTIFICATE_PAGES) -> bytes:
    request = ReportRequest(user_data=REPORT_DATA, vmpl=vmpl).build()
    return SnpQuestion(report_request=request, certificate_pages=pages).build()


def status_of(payload: bytes) -> tuple[int, int]:
    return int.from_bytes(payload[:4], "little"), int.from_bytes(payload[4:8], "little")


@pytest.fixture
def chip() -> Answers:
    return answers_of(read_machine("snp"))


@pytest.fixture
def td() -> Answers:
    return answers_of(read_machine("tdx"))


def test_a_report_is_over_the_data_and_at_the_level_that_were_asked_for(chip: Answers) -> None:
    reply = chip.answer(Kind.SNP_REPORT, snp_question(vmpl=2, pages=0))
    assert status_of(reply.payload) == (0, AttestationReport.layout_size)
    report = AttestationReport.parse(reply.payload[HEAD:])
    assert (report.report_data, report.vmpl) == (REPORT_DATA, 2)
    assert (reply.certificates, reply.error, reply.exitinfo2) == (b"", 0, 0)


@pytest.mark.parametrize(("machine", "leaf"), [("snp", VCEK), ("snp,key=VLEK", VLEK)])
def test_an_extended_report_has_the_hosts_certificates_behind_it(machine: str, leaf: str) -> None:
    reply = answers_of(read_machine(machine)).answer(Kind.SNP_EXTENDED_REPORT, snp_question())
    assert [entry.guid for entry in read_certificate_table(reply.certificates)] == [leaf, ASK, ARK]


@pytest.mark.parametrize("pages", [0, 1])
def test_too_little_room_for_certificates_is_answered_by_how_much_there_must_be(chip: Answers, pages: int) -> None:
    reply = chip.answer(Kind.SNP_EXTENDED_REPORT, snp_question(pages=pages))
    assert (reply.exitinfo2, reply.payload, reply.certificates) == (INVALID_LENGTH, b"", b"")
    enough = chip.answer(Kind.SNP_EXTENDED_REPORT, snp_question(pages=reply.certificate_pages))
    assert len(enough.certificates) in range(
        (reply.certificate_pages - 1) * PAGE + 1, reply.certificate_pages * PAGE + 1
    )


@pytest.mark.parametrize(("machine", "vmpl"), [("snp", 4), ("snp", 0xFFFFFFFF), ("snp,vmpl=2", 1)])
def test_a_level_that_a_guest_may_not_have_is_an_invalid_parameter(machine: str, vmpl: int) -> None:
    reply = answers_of(read_machine(machine)).answer(Kind.SNP_REPORT, snp_question(vmpl=vmpl))
    assert status_of(reply.payload) == (INVALID_PARAMETER, 0)


def test_reserved_bytes_of_a_request_are_an_invalid_parameter(chip: Answers) -> None:
    question = bytearray(snp_question())
    question[95] = 1
    assert status_of(chip.answer(Kind.SNP_REPORT, bytes(question)).payload) == (INVALID_PARAMETER, 0)


def test_reserved_bytes_of_a_question_are_refused(chip: Answers) -> None:
    assert chip.answer(Kind.SNP_REPORT, snp_question()[:-1] + b"\1").error == errno.EIO


def test_a_tdreport_becomes_a_quote(td: Answers) -> None:
    tdreport = td.answer(Kind.TDREPORT, REPORT_DATA)
    quote = td.answer(Kind.QUOTE, tdreport.payload)
    assert read_quote(quote.payload).body.report_data == REPORT_DATA
    assert (tdreport.error, quote.error) == (0, 0)


@pytest.mark.parametrize("byte", [0, 128, 224, 600])
def test_a_tdreport_that_this_machine_did_not_make_becomes_none(td: Answers, byte: int) -> None:
    tdreport = bytearray(td.answer(Kind.TDREPORT, REPORT_DATA).payload)
    tdreport[byte] ^= 1
    assert td.answer(Kind.QUOTE, bytes(tdreport)).error == errno.EIO


def test_another_machines_tdreport_becomes_none(td: Answers) -> None:
    tdreport = answers_of(read_machine("tdx,machine=another")).answer(Kind.TDREPORT, REPORT_DATA)
    assert td.answer(Kind.QUOTE, tdreport.payload).error == errno.EIO


def test_what_the_other_technology_asks_is_not_supported(chip: Answers, td: Answers) -> None:
    assert chip.answer(Kind.TDREPORT, REPORT_DATA).error == errno.EOPNOTSUPP
    assert td.answer(Kind.SNP_REPORT, snp_question()).error == errno.EOPNOTSUPP
