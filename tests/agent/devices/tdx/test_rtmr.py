"""Extending measurement registers: two of the four, by whole digests, and nothing is taken for done that was not."""

import errno
import hashlib
import os
from pathlib import Path

import pytest
from tests.agent.devices.emulated import as_root, configfs, emulated

from cvmproof_agent.devices.tdx.rtmr import MEASUREMENTS, extend
from cvmproof_formats.errors import DeviceError, Misuse
from cvmproof_formats.tdx.quote import read_padded_quote
from cvmproof_simulator.tdx.td import SoftwareTd

DIGEST = hashlib.sha384(b"what was measured").digest()


@as_root
@pytest.mark.parametrize("rtmr", [2, 3])
def test_the_new_value_is_what_every_later_quote_shows(tmp_path: Path, rtmr: int) -> None:
    with emulated(tmp_path, "tdx") as devices:
        value = SoftwareTd().rtmrs[rtmr]
        for _ in range(2):
            value = hashlib.sha384(value + DIGEST).digest()
            assert extend(rtmr, DIGEST, folder=str(devices.path(MEASUREMENTS))) == value == devices.rtmr(rtmr)
        assert read_padded_quote(configfs(devices).report(bytes(64))).body.rtmrs[rtmr] == value


@pytest.mark.parametrize("rtmr", [-1, 0, 1, 4])
def test_what_is_firmwares_or_none_is_misuse_and_not_touched(rtmr: int) -> None:
    with pytest.raises(Misuse, match=f"RTMR: expected 2 or 3, .* got {rtmr}"):
        extend(rtmr, DIGEST)


@pytest.mark.parametrize("size", [0, 32, 47, 49, 64])
def test_a_digest_of_another_length_is_misuse(size: int) -> None:
    with pytest.raises(Misuse, match=f"RTMR3: expected a digest of 48 bytes .SHA-384., got {size}"):
        extend(3, bytes(size))


@as_root
@pytest.mark.parametrize("number", [errno.EIO, errno.EINVAL, errno.EBUSY])
def test_a_kernel_that_refuses_says_which_file_and_why(tmp_path: Path, number: int) -> None:
    with emulated(tmp_path, "tdx", faults=[f"rtmr-errno={number}"]) as devices:
        with pytest.raises(DeviceError, match=f"rtmr3:sha384: write: .*{errno.errorcode[number]}") as caught:
            extend(3, DIGEST, folder=str(devices.path(MEASUREMENTS)))
        assert (caught.value.call, caught.value.errno) == ("write", number)
        assert devices.rtmr(3) == SoftwareTd().rtmrs[3]


@as_root
def test_a_digest_that_got_lost_is_noticed(tmp_path: Path) -> None:
    why = "expected SHA-384 of the old value and the digest, got another"
    with emulated(tmp_path, "tdx", faults=["rtmr-lost"]) as devices, pytest.raises(DeviceError, match=why):
        extend(3, DIGEST, folder=str(devices.path(MEASUREMENTS)))


def test_a_kernel_without_these_files_says_which_has_them() -> None:
    with pytest.raises(DeviceError, match="ENOENT") as caught:
        extend(3, DIGEST)
    assert caught.value.path == f"{MEASUREMENTS}/rtmr3:sha384"
    assert "Linux 6.16" in caught.value.hint


@as_root
def test_whoever_may_not_extend_hears_who_may(tmp_path: Path) -> None:
    with emulated(tmp_path, "tdx") as devices:
        tmp_path.chmod(0o755)
        os.seteuid(65534)
        try:
            with pytest.raises(DeviceError, match="EACCES") as caught:
                extend(3, DIGEST, folder=str(devices.path(MEASUREMENTS)))
        finally:
            os.seteuid(0)
        assert "run as root" in caught.value.hint


@pytest.mark.parametrize("size", [0, 47, 49])
def test_a_register_of_another_length_is_refused_before_it_is_extended(tmp_path: Path, size: int) -> None:
    register = tmp_path / "rtmr2:sha384"
    register.write_bytes(bytes(size))
    with pytest.raises(DeviceError, match=f"rtmr2:sha384: expected 48 bytes, got {size}"):
        extend(2, DIGEST, folder=str(tmp_path))
    assert register.read_bytes() == bytes(size)


def test_half_an_extension_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "rtmr2:sha384").write_bytes(bytes(48))
    monkeypatch.setattr(os, "write", lambda *_: 24)
    with pytest.raises(DeviceError, match="expected 48 bytes to be written, got 24"):
        extend(2, DIGEST, folder=str(tmp_path))
