"""`cvmproof completion` prints what a shell needs."""

import pytest

from .conftest import Run


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_has_its_script(run: Run, shell: str) -> None:
    ran = run("completion", shell)
    assert ran.code == 0
    assert f"_CVMPROOF_COMPLETE={shell}_complete" in ran.stdout


def test_other_shells_are_refused(run: Run) -> None:
    assert run("completion", "csh").code == 1
