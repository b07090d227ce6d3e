"""The configuration file: strict, bounded, and nobody else's."""

import os
from pathlib import Path

import pytest

from cvmproof_agent.cli.configuration import Configuration, read_configuration
from cvmproof_agent.limits import Limits
from cvmproof_formats.errors import Misuse


def written(folder: Path, text: str, mode: int = 0o600) -> Path:
    path = folder / "agent.toml"
    path.write_text(text)
    path.chmod(mode)
    return path


def test_an_empty_file_says_nothing(tmp_path: Path) -> None:
    assert read_configuration(written(tmp_path, "")) == Configuration()


def test_what_it_says_is_read(tmp_path: Path) -> None:
    text = (
        'listen = "[::1]:1"\ndevice = "auto"\nmetrics = "unix:/m"\n[limits]\nreports_per_second = 2\nreport_burst = 3\n'
    )
    found = read_configuration(written(tmp_path, text))
    assert found == Configuration(
        listen="[::1]:1", device="auto", metrics="unix:/m", limits=Limits(reports_per_second=2, report_burst=3)
    )


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("colour = 1", "'colour' is not a setting"),
        ("listen = 8443", "expected a text"),
        ("listen =", "expected TOML"),
        ("limits = 1", "limits: expected only"),
        ("[limits]\ncolour = 1", "limits: expected only"),
        ("[limits]\nreport_burst = 1.5", "expected a whole number"),
        ("[limits]\nreport_burst = true", "expected a whole number"),
        ("[limits]\nreports_per_second = 0", "expected a number above 0"),
        ("[limits]\nreports_per_second = inf", "expected a number above 0"),
        ("[limits]\nreports_per_second = 'x'", "expected a number"),
        ("x = '" + "x" * 70000 + "'", "at most 65536 bytes"),
    ],
)
def test_anything_else_is_misuse(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(Misuse, match=why):
        read_configuration(written(tmp_path, text))


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666])
def test_a_file_that_others_can_write_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(Misuse, match="only its owner can write"):
        read_configuration(written(tmp_path, "", mode))


def test_a_link_a_folder_a_pipe_and_nothing_are_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(written(tmp_path, ""))
    os.mkfifo(tmp_path / "pipe", 0o600)
    for name in ("link", ".", "pipe", "nothing"):
        with pytest.raises(Misuse, match=r"can't be read|a regular file"):
            read_configuration(tmp_path / name)
