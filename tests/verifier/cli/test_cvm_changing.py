"""`cvmproof cvm create | delete`."""

import json
from pathlib import Path

import pytest

from cvmproof_simulator.misbehaviour import Answer, status
from cvmproof_simulator.prism import FakePrism

from .conftest import Run
from .test_cvm_reading import at_a_terminal

NEW = ("--name", "new", "--provider", "gcp", "--vcpus", 2, "--cc-platform", "sev-snp")


def methods(prism: FakePrism) -> list[str]:
    return [request.method for request in prism.received]


def test_a_cvm_is_created_and_its_id_is_printed(cvm: Run, prism: FakePrism) -> None:
    ran = cvm("create", *NEW, "--agent-log-level", "debug")
    (made,) = prism.cvms
    assert (ran.code, ran.stdout) == (0, f"{made.id}\n")
    assert (made.name, made.provider, made.vcpus, made.agent_log_level) == ("new", "gcp", 2, "debug")
    assert "created: new" in ran.stderr


@pytest.mark.parametrize("platform", ["tdx", "Intel TDX", "intel-tdx"])
def test_platforms_are_spelled_as_the_service_does(cvm: Run, prism: FakePrism, platform: str) -> None:
    assert cvm("create", *NEW[:-1], platform, "--json").document["same_name"][0]["tee"] == "tdx"
    assert any("/gcp/2/tdx" in request for request in prism.requests)


def test_of_several_with_the_name_the_new_one_is_printed_and_the_others_are_told(cvm: Run, prism: FakePrism) -> None:
    old = {prism.add("new"), prism.add("new"), prism.add("newer")}
    ran = cvm("create", *NEW, "--json")
    (made,) = ran.document["ids"]
    assert made not in old
    assert {record["name"] for record in ran.document["same_name"]} == {"new"}
    assert len(ran.document["same_name"]) == 3
    assert "3 CVMs have this name now" in ran.stderr


def test_when_others_take_the_name_meanwhile_every_new_id_is_printed(cvm: Run, prism: FakePrism) -> None:
    def also(right: Answer) -> Answer:
        prism.add("new")
        return right

    prism.misbehave(also, method="POST")
    ran = cvm("create", *NEW)
    assert set(ran.stdout.split()) == {made.id for made in prism.cvms}
    assert "2 CVMs of this name were created" in ran.stderr


def test_the_id_that_the_service_says_is_taken(run: Run, tmp_path: Path) -> None:
    with FakePrism(answers_with_id=True) as prism:
        (tmp_path / "token").write_text(prism.token)
        where = ("--api", prism.url, "--domain", prism.domain, "--token-file", tmp_path / "token")
        ran = run("cvm", "create", *where, *NEW)
        assert ran.stdout == f"{prism.cvms[0].id}\n"
        assert ("can be read by others" in ran.stderr) is bool((tmp_path / "token").stat().st_mode & 0o044)


def test_a_cvm_that_is_not_listed_yet_was_created_nevertheless(cvm: Run, prism: FakePrism) -> None:
    def nothing_listed(right: Answer) -> Answer:
        empty = json.dumps({"cvms": [], "total": 0, "limit": 50, "offset": 0}).encode()
        return Answer(headers=right.headers, body=empty)

    prism.misbehave(nothing_listed, method="GET")
    ran = cvm("create", *NEW)
    assert (ran.code, ran.stdout, len(prism.cvms)) == (0, "", 1)
    assert "not listed yet" in ran.stderr


def test_a_cvm_that_cannot_be_looked_up_was_created_nevertheless(cvm: Run, prism: FakePrism) -> None:
    def then_fail(right: Answer) -> Answer:
        prism.misbehave(status(500), method="GET")
        return right

    prism.misbehave(then_fail, method="POST")
    ran = cvm("create", *NEW, "--json")
    assert (ran.code, ran.document["ids"], len(prism.cvms)) == (0, [], 1)
    assert "could not be looked up" in ran.document["notes"][0]


def test_where_the_list_fails_nothing_is_created(cvm: Run, prism: FakePrism) -> None:
    prism.misbehave(status(500), method="GET")
    assert cvm("create", *NEW, "--json").code == 5
    assert prism.cvms == ()
    assert "POST" not in methods(prism)


@pytest.mark.parametrize("code", [400, 403, 409, 422, 500])
def test_a_refused_creation_is_exit_5_and_sent_once(cvm: Run, prism: FakePrism, code: int) -> None:
    prism.misbehave(status(code), method="POST")
    ran = cvm("create", *NEW, "--json")
    assert (ran.code, methods(prism).count("POST")) == (5, 1)
    assert str(code) in ran.document["error"]["message"]


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--vcpus", 0),
        ("--vcpus", "two"),
        ("--name", ""),
        ("--name", "a\nb"),
        ("--provider", "a/b"),
        ("--provider", ".."),
    ],
)
def test_what_cannot_be_asked_for_is_exit_1_and_creates_nothing(
    cvm: Run, prism: FakePrism, option: str, value: object
) -> None:
    assert cvm("create", *NEW, option, value, "--json").code == 1
    assert prism.cvms == ()


def test_a_cvm_is_deleted_without_asking_if_told(cvm: Run, prism: FakePrism) -> None:
    ours = prism.add("ours")
    ran = cvm("delete", ours, "--yes")
    assert (ran.code, ran.stdout) == (0, f"deleted: {ours}\n")
    assert "keeps the record" in ran.stderr
    assert prism.cvm(ours).deleted_at is not None
    assert methods(prism) == ["DELETE"]


def test_a_deletion_as_json(cvm: Run, prism: FakePrism) -> None:
    ours = prism.add("ours")
    assert cvm("delete", ours, "--yes", "--json").document["id"] == ours


def test_without_a_terminal_nothing_is_deleted_and_nothing_asked(cvm: Run, prism: FakePrism) -> None:
    ours = prism.add("ours")
    ran = cvm("delete", ours, "--json", stdin=b"y\n")
    assert (ran.code, prism.requests) == (1, ())
    assert "--yes" in ran.document["error"]["message"]


def test_a_second_deletion_is_exit_5(cvm: Run, prism: FakePrism) -> None:
    ours = prism.add("ours")
    cvm("delete", ours, "--yes")
    assert cvm("delete", ours, "--yes", "--json").code == 5


@pytest.mark.parametrize(
    ("typed", "code"), [("y\n", 0), ("YES\n", 0), ("n\n", 1), ("\n", 1), ("yesterday\n", 1), ("\x04", 1)]
)
def test_on_a_terminal_it_asks_and_no_is_the_default(prism: FakePrism, token_file: Path, typed: str, code: int) -> None:
    ours = prism.add("a\x1b[2Jname")
    where = ("--api", prism.url, "--domain", prism.domain, "--token-file", token_file)
    ran = at_a_terminal("cvm", "delete", ours, *where, typed=typed)
    assert ran.code == code, ran.stdout
    assert f"delete CVM {ours}" in ran.stdout
    assert "\x1b" not in ran.stdout
    assert (prism.cvm(ours).deleted_at is not None) is (code == 0)
