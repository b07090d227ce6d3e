"""The frames in which a guest's kernel asks and is answered; the module's C header is written from these tables.

    request = RequestHead, then `size` bytes          answer = AnswerHead, then `size` bytes

One request is out at a time, and an answer repeats its number. Our own protocol: it crosses a virtio-serial port
between a test's virtual machine and the simulator, nothing else.
"""

from enum import IntEnum
from typing import Final

from cvmproof_formats.layout import Layout, raw, structure, uint

REQUEST_MAGIC: Final = 0x52565343
ANSWER_MAGIC: Final = 0x41565343
REQUEST_MAX: Final = 1024
"""Bytes behind a request's head: a TDREPORT is the longest."""
ANSWER_MAX: Final = 48 * 1024
"""Bytes behind an answer's head: 32 KiB of report or quote (Linux include/linux/tsm.h) and 16 KiB of certificates."""
PAGE: Final = 4096
"""Bytes of a page, in which room for certificates is counted."""
CERTIFICATE_PAGES: Final = 4
"""Room for certificates that a guest can have: 16 KiB (Linux drivers/virt/coco/sev-guest)."""


class Kind(IntEnum):
    """What is asked, and of how many bytes the question is."""

    SNP_REPORT = 1
    """SnpQuestion; answered by MSG_REPORT_RSP (AMD 56860) up to the report's end."""
    SNP_EXTENDED_REPORT = 2
    """The same, with the host's certificate table behind the response."""
    TDREPORT = 3
    """64 bytes of report data; answered by the TDREPORT, 1024 bytes."""
    QUOTE = 4
    """A TDREPORT; answered by the quote."""


@structure(name="request_head", size=24)
class RequestHead(Layout):
    """What stands before a question."""

    magic: int = uint(0, 4)
    kind: int = uint(4, 4)
    sequence: int = uint(8, 8)
    """Counts up from 1; never the same twice."""
    size: int = uint(16, 4)


@structure(name="answer_head", size=40)
class AnswerHead(Layout):
    """What stands before an answer."""

    magic: int = uint(0, 4)
    kind: int = uint(4, 4)
    sequence: int = uint(8, 8)
    size: int = uint(16, 4)
    error: int = uint(20, 4)
    """An errno that the caller gets in place of the answer; 0: none."""
    exitinfo2: int = uint(24, 8)
    """What hypervisor and firmware say of an SNP request, 0: all well (Linux include/uapi/linux/sev-guest.h)."""
    certificate_pages: int = uint(32, 4)
    """Room that the host's certificates need, where `exitinfo2` says that there is too little."""
    certificates_size: int = uint(36, 4)
    """How many of the answer's bytes, at its end, are certificates."""


@structure(name="snp_question", size=104)
class SnpQuestion(Layout):
    """What an SNP report is asked with."""

    report_request: bytes = raw(0, 96)
    """struct snp_report_req of Linux include/uapi/linux/sev-guest.h."""
    certificate_pages: int = uint(96, 4)
    """Room that the guest has for certificates."""


@structure(name="snp_report_req", size=96)
class ReportRequest(Layout):
    """Linux include/uapi/linux/sev-guest.h, struct snp_report_req."""

    user_data: bytes = raw(0, 64)
    vmpl: int = uint(64, 4)


QUESTION_SIZES: Final = {
    Kind.SNP_REPORT: SnpQuestion.layout_size,
    Kind.SNP_EXTENDED_REPORT: SnpQuestion.layout_size,
    Kind.TDREPORT: 64,
    Kind.QUOTE: 1024,
}
"""Bytes behind the head, for each kind."""
