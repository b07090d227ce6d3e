"""`cvmproof cvm list | show | stats`."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cvmproof_simulator.misbehaviour import body
from cvmproof_simulator.prism import FakePrism

from .conftest import Ran, Run

NOW = datetime(2026, 9, 1, 12, tzinfo=UTC)
HOSTILE = "a\x1b[2J\x1b]0;owned\x07\r\n\u202edlrow\u2066\x9b31m"
HUGE = "x" * 1_000_000
WIDE = "日本語の名前"


def at_a_terminal(*arguments: object, columns: int = 80, typed: str = "") -> Ran:
    """Run the program with a terminal at its standard input, output and error; all it says is `stdout`."""
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    environment = {**os.environ, "COLUMNS": str(columns), "TERM": "xterm", "NO_COLOR": "1"}
    command = [sys.executable, "-m", "cvmproof.cli", *map(str, arguments)]
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment) as process:
        os.close(theirs)
        if typed:
            os.write(ours, typed.encode())
        said = b""
        try:
            while data := os.read(ours, 4096):
                said += data
        except OSError:
            pass  # how the end of a terminal looks
        os.close(ours)
        return Ran(process.wait(60), said.decode(), "")


def is_harmless(text: str) -> bool:
    return all(character.isprintable() or character == "\n" for character in text)


def test_a_list_has_a_line_for_each_cvm(cvm: Run, prism: FakePrism) -> None:
    ids = [prism.add(f"cvm-{number}", agent_url="https://agent.example:6104") for number in range(3)]
    prism.add("deleted", deleted_at=NOW)
    ran = cvm("list")
    head, *lines = ran.stdout.splitlines()
    assert (ran.code, ran.stderr) == (0, "")
    assert head.split() == ["ID", "NAME", "STATUS", "STATE", "PLATFORM", "PROVIDER", "AGENT", "CREATED"]
    assert sorted(line.split()[0] for line in lines) == sorted(ids)
    assert all("agent.example:6104" in line and "sev-snp" in line for line in lines)
    assert all(line.index(line.split()[1]) == head.index("NAME") for line in lines)


def test_a_list_as_json_says_the_same(cvm: Run, prism: FakePrism) -> None:
    ours = prism.add("ours", created_at=NOW, cc_platform="tdx", vcpus=4, attestation=b"12345")
    (record,) = cvm("list", "--json").document["cvms"]
    assert (record["id"], record["cvm_id"]) == (ours, prism.cvm(ours).cvm_id)
    assert (record["created_at"], record["deleted_at"]) == ("2026-09-01T12:00:00Z", None)
    assert (record["tee"], record["cc_platform"]) == ("tdx", prism.cvm(ours).cc_platform)
    assert (record["vcpus"], record["attestation"], record["attestation_token"]) == (4, 5, None)


def test_an_empty_list_is_a_sentence_and_exit_0(cvm: Run) -> None:
    ran = cvm("list")
    assert ran.code == 0
    assert ran.stdout.startswith("no CVMs")
    document = cvm("list", "--json").document
    assert (document["cvms"], document["complete"]) == ([], True)


def test_filters_reach_the_service(cvm: Run, prism: FakePrism) -> None:
    prism.add("one-tdx", cc_platform="tdx", created_at=datetime.now(UTC))
    prism.add("one-old", cc_platform="tdx", created_at=NOW - timedelta(days=400))
    prism.add("two")
    ran = cvm("list", "--name", "one", "--status", "all", "--days", 30, "--cc-platform", "Intel TDX", "--json")
    assert [record["name"] for record in ran.document["cvms"]] == ["one-tdx"]
    for wanted in ("name=one", "status=all", "days=30", "cc_platform=tdx"):
        assert wanted in prism.requests[-1]


def test_deleted_ones_are_marked(cvm: Run, prism: FakePrism) -> None:
    prism.delete(prism.add("gone"))
    assert ", deleted" in cvm("list", "--status", "Inactive").stdout


@pytest.mark.parametrize("count", [1, 119, 120, 500])
def test_a_limit_goes_over_pages_and_says_whether_there_are_more(cvm: Run, prism: FakePrism, count: int) -> None:
    ids = {prism.add(f"cvm-{number}") for number in range(120)}
    ran = cvm("list", "--limit", count, "--json")
    found = [record["id"] for record in ran.document["cvms"]]
    assert len(found) == len(set(found)) == min(count, 120)
    assert set(found) <= ids
    assert ran.document["complete"] is (count >= 120)
    assert ("there are more" in cvm("list", "--limit", count).stderr) is (count < 120)


@pytest.mark.parametrize("text", [HOSTILE, HUGE, WIDE, "e\u0301" * 300], ids=["hostile", "huge", "wide", "combining"])
def test_hostile_text_is_escaped_and_cut(cvm: Run, prism: FakePrism, text: str) -> None:
    ours = prism.add(text)
    short = text[:100_000]  # a page of more than 8 MiB is refused as a whole
    prism.change(ours, status=short, state=short, provider=short, agent_url=short, cc_platform=short)
    prism.change(ours, cvm_id=short, agent_log_level=short, monthly_cost_estimate=short)
    for ran in (cvm("list"), cvm("show", ours), cvm("list", "--json"), cvm("show", ours, "--json")):
        assert ran.code == 0
        assert is_harmless(ran.stdout + ran.stderr)
        assert len(ran.stdout) < 10_000
        assert ours in ran.stdout


def test_a_table_is_cut_to_the_terminal_and_ids_are_whole(prism: FakePrism, token_file: Path) -> None:
    ids = [prism.add(name, agent_url="https://agent.example:6104") for name in (HUGE, WIDE, HOSTILE, "plain")]
    where = ("--api", prism.url, "--domain", prism.domain, "--token-file", token_file)
    ran = at_a_terminal("cvm", "list", *where, columns=90)
    lines = ran.stdout.replace("\r\n", "\n").splitlines()
    assert ran.code == 0
    assert sorted(line.split()[0] for line in lines[1:]) == sorted(ids)
    assert all(len(line) <= 90 for line in lines)
    assert is_harmless("\n".join(lines))


def test_one_cvm_is_shown_field_by_field_and_nothing_is_checked(cvm: Run, prism: FakePrism) -> None:
    ours = prism.add("ours", attestation="not base64!", attestation_token=b"x" * 99, agent_url="https://a.example:6104")
    ran = cvm("show", ours)
    fields = dict(line.split(None, 1) for line in ran.stdout.splitlines())
    assert ran.code == 0
    assert (fields["id"], fields["attestation"]) == (ours, "unreadable: not base64")
    assert "99 bytes" in fields["attestation_token"]
    assert fields["agent_url"] == prism.cvm(ours).agent_url
    assert fields["deleted_at"] == "-"
    assert "nothing was checked" in ran.stderr
    document = cvm("show", ours, "--json").document
    assert document["checked"] is False
    assert document["cvm"]["unreadable"] == ["attestation"]


def test_the_record_of_another_cvm_is_refused(cvm: Run, prism: FakePrism) -> None:
    ours, other = prism.add("ours"), prism.add("other")
    prism.answer_view_as(ours, other)
    ran = cvm("show", ours, "--json")
    assert (ran.code, ran.categories()) == (5, {"IDENTITY"})


def test_samples_are_drawn_from_the_oldest_to_the_newest(cvm: Run, prism: FakePrism) -> None:
    ours = prism.add("ours")
    for hour, online in enumerate([True, True, False, True]):
        prism.add_statistic(ours, NOW + timedelta(hours=hour), online=online)
    ran = cvm("stats", ours)
    line, legend, _, head, *runs = ran.stdout.splitlines()
    assert (ran.code, line) == (0, "##.#")
    assert "4 samples, 3 online, 1 offline" in legend
    assert head.split() == ["STATUS", "FROM", "TO", "SAMPLES"]
    assert [run.split() for run in runs] == [
        ["online", "2026-09-01T15:00:00Z", "2026-09-01T15:00:00Z", "1"],
        ["offline", "2026-09-01T14:00:00Z", "2026-09-01T14:00:00Z", "1"],
        ["online", "2026-09-01T12:00:00Z", "2026-09-01T13:00:00Z", "2"],
    ]
    document = cvm("stats", ours, "--json").document
    assert [sample["online"] for sample in document["samples"]] == [True, True, False, True]
    assert (document["online"], document["offline"]) == (3, 1)


def test_samples_of_some_days_are_asked_for(cvm: Run, prism: FakePrism) -> None:
    ours = prism.add("ours")
    prism.add_statistic(ours, NOW - timedelta(days=4000), online=True)
    ran = cvm("stats", ours, "--days", 7)
    assert (ran.code, ran.stdout.startswith("no samples")) == (0, True)
    assert "days=7" in prism.requests[-1]


def test_a_sample_without_a_time_is_refused(cvm: Run, prism: FakePrism) -> None:
    ours = prism.add("ours")
    prism.misbehave(body(b'{"cvm_stats": [{"status": true}]}'))
    assert cvm("stats", ours, "--json").code == 5
