"""The kernel's own VMPL, where it says one."""

from pathlib import Path

import pytest

from cvmproof_agent.devices.snp.level import current_vmpl
from cvmproof_formats.errors import DeviceError


@pytest.mark.parametrize("level", range(4))
def test_the_level_is_what_the_kernel_says(tmp_path: Path, level: int) -> None:
    (tmp_path / "vmpl").write_text(f"{level}\n")
    assert current_vmpl(str(tmp_path / "vmpl")) == level


def test_a_kernel_that_does_not_say_runs_at_level_0(tmp_path: Path) -> None:
    assert current_vmpl(str(tmp_path / "vmpl")) == 0


@pytest.mark.parametrize("text", ["", "4\n", "-1\n", "0x1\n", "two\n", "\xff"])
def test_anything_else_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "vmpl").write_text(text, "latin-1")
    with pytest.raises(DeviceError, match="expected a VMPL from 0 to 3"):
        current_vmpl(str(tmp_path / "vmpl"))


def test_what_can_not_be_read_is_refused_with_its_errno(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match="can't be read") as caught:
        current_vmpl(str(tmp_path))
    assert (caught.value.path, caught.value.call) == (str(tmp_path), "read")
