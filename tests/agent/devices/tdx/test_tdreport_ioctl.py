"""TDREPORTs of Intel's first kernels: their request had two forms, and the driver says which one it takes."""

import ctypes
import errno

import pytest

from cvmproof_agent.devices.tdx import abi
from cvmproof_agent.devices.tdx.tdreport_ioctl import mvp_tdreport

DATA = bytes(range(64))


class Driver:
    """Takes one form of the request, and echoes REPORTDATA through the pointers in it."""

    def __init__(self, form: type[ctypes.Structure], number: int = errno.EINVAL) -> None:
        self.form, self.number, self.asked = form, number, list[type]()

    def ask(self, request: int, argument: ctypes.Structure) -> None:
        assert request == 0xC0085401
        self.asked.append(type(argument))
        if type(argument) is not self.form:
            raise OSError(self.number, "no")
        assert isinstance(argument, abi.MvpReportRequest | abi.LaterMvpReportRequest)
        assert (argument.rpd_len, argument.tdr_len, argument.subtype) == (64, 1024, 0)
        given = ctypes.string_at(argument.reportdata, argument.rpd_len)
        ctypes.memmove(argument.tdreport, given[::-1], len(given))


@pytest.mark.parametrize(
    ("form", "asked"),
    [
        (abi.MvpReportRequest, [abi.MvpReportRequest]),
        (abi.LaterMvpReportRequest, [abi.MvpReportRequest, abi.LaterMvpReportRequest]),
    ],
)
@pytest.mark.parametrize("number", [errno.EINVAL, errno.EFAULT])
def test_either_form_is_found(form: type[ctypes.Structure], asked: list[type], number: int) -> None:
    driver = Driver(form, number)
    assert mvp_tdreport(driver, DATA) == DATA[::-1].ljust(1024, b"\0")  # type: ignore[arg-type]  # as good as a node
    assert driver.asked == asked


@pytest.mark.parametrize("number", [errno.EBUSY, errno.EIO, errno.ENOTTY])
def test_another_refusal_is_no_reason_to_ask_in_the_other_form(number: int) -> None:
    driver = Driver(abi.LaterMvpReportRequest, number)
    with pytest.raises(OSError, match="no") as caught:
        mvp_tdreport(driver, DATA)  # type: ignore[arg-type]  # as good as a node
    assert caught.value.errno == number
    assert driver.asked == [abi.MvpReportRequest]
