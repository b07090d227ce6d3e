"""What a terminal would obey is taken out of a transcript, and long outputs lose their middle."""

from pathlib import Path

from boot.transcript import LONGEST, WIDEST, Transcript, shorten, write_page


def test_escape_sequences_are_taken_out() -> None:
    assert shorten("\x1b[0;32mOK\x1b[0m done\r\n\x07bell  \n") == "OK done\nbell"


def test_the_middle_of_a_long_output_is_left_out_and_says_so() -> None:
    lines = [str(number) for number in range(LONGEST)]
    assert shorten("\n".join(lines)).splitlines() == lines
    shortened = shorten("\n".join([*lines, "last"])).splitlines()
    assert (shortened[0], shortened[-1], len(shortened)) == ("0", "last", LONGEST)
    assert "... 2 lines ..." in shortened


def test_a_wide_line_is_cut() -> None:
    assert shorten("x" * WIDEST) == "x" * WIDEST
    assert shorten("x" * (WIDEST + 1)) == "x" * (WIDEST - 3) + "..."


def test_a_log_line_shows_what_it_says() -> None:
    line = '[ 1.5] guest agent[7]: {"time": "2026-01-01T00:00:00+0000", "level": "info", "message": "it is \\"so\\""}'
    assert shorten(line) == '[ 1.5] guest agent[7]: info: it is "so"'
    assert shorten('{"time": 5}') == '{"time": 5}'


def test_a_page_has_each_machines_part(tmp_path: Path) -> None:
    first, second = Transcript(title="snp"), Transcript(title="tdx")
    first.head("Kernel")
    first.add("uname", "Linux")
    write_page(tmp_path / "new" / "page.md", "# Page\n", [first, second])
    text = (tmp_path / "new" / "page.md").read_text("utf-8")
    assert text == "# Page\n\n## snp\n\n### Kernel\n\n```console\n$ uname\nLinux\n```\n\n## tdx\n"
