"""What is shown while something is fetched: nothing for a second, then lines, or a moving line on a terminal."""

import time

import pytest

from cvmproof.cli import fetching
from cvmproof.cli.fetching import FetchProgress
from cvmproof.collateral.keys import ChainKey, CrlKey
from cvmproof.rendering.progress import Spinner
from cvmproof_formats.snp.product import KeyKind, ProductLine

CHAIN = ChainKey(product=ProductLine.GENOA, kind=KeyKind.VCEK)
LIST = CrlKey(product=ProductLine.GENOA, kind=KeyKind.VCEK)


def test_nothing_is_said_about_a_quick_fetch(capsys: pytest.CaptureFixture[str]) -> None:
    with FetchProgress() as progress:
        progress.update(CHAIN, 10)
    assert capsys.readouterr().err == ""


def test_a_slow_fetch_is_said_object_by_object(capsys: pytest.CaptureFixture[str]) -> None:
    with FetchProgress(quiet_for=0.0) as progress:
        deadline = time.monotonic() + 5
        while progress._display is None and time.monotonic() < deadline:
            time.sleep(0.01)
        for size in (1, 2, 3):
            progress.update(CHAIN, size)
        progress.update(LIST, 1)
    assert capsys.readouterr().err.splitlines() == [
        "fetching collateral",
        "fetching the Genoa VCEK certificate chain",
        "fetching the Genoa VCEK revocation list",
    ]


def test_a_terminal_gets_a_moving_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    display = fetching._display()
    display.close()
    assert isinstance(display, Spinner)


def test_the_moving_line_comes_and_goes(capsys: pytest.CaptureFixture[str]) -> None:
    spinner = Spinner()
    spinner.show("fetching [bold]this[/bold]")
    spinner.close()
    assert "Traceback" not in capsys.readouterr().err
