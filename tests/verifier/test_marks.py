"""What the verifier remembers: a policy never goes back, a name keeps its machine, damage is never a new start."""

import json
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from subprocess import PIPE

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cvmproof.errors import Category, CollateralError, Misuse
from cvmproof.marks import MARK_LIMIT, AnotherMachine, CvmKey, Identity, Marks, TdxIdentity

KEY = CvmKey(trust="production", api="https://prism.example/backends", domain="d-1", cvm="cvm-1")
OTHERS = [replace(KEY, **{name: "other"}) for name in ("trust", "api", "domain", "cvm")]
DIGEST, ANOTHER, SIGNER = (sha256(text).digest() for text in (b"one", b"two", b"key"))
HERE = Identity(chip_id=b"\1" * 64, report_id=b"\2" * 32)
ELSEWHERE = [replace(HERE, chip_id=b"\3" * 64), replace(HERE, report_id=b"\3" * 32), replace(HERE, chip_id=bytes(64))]
SERIAL, POLICY, IDENTITY = "policy-serial", "policy-digest", "identity"


@pytest.fixture
def marks(tmp_path: Path) -> Marks:
    return Marks(folder=tmp_path / "marks")


def refused(call: Callable[[], object], category: Category) -> None:
    with pytest.raises(Misuse) as caught:
        call()
    assert caught.value.category is category


# --- serials ---------------------------------------------------------------------------------------------------------


def test_ac_093_a_serial_goes_up_and_never_back(marks: Marks) -> None:
    for serial in (3, 3, 4, 2**63 - 1):
        marks.require_serial(KEY, serial, DIGEST, SIGNER)
    for serial in (0, 3, 4, 2**63 - 2):
        refused(partial(marks.require_serial, KEY, serial, DIGEST, SIGNER), Category.ROLLBACK)


def test_ac_093_one_serial_is_one_policy(marks: Marks) -> None:
    marks.require_serial(KEY, 3, DIGEST, SIGNER)
    refused(lambda: marks.require_serial(KEY, 3, ANOTHER, SIGNER), Category.ROLLBACK)
    marks.require_serial(KEY, 4, ANOTHER, SIGNER)
    refused(lambda: marks.require_serial(KEY, 3, DIGEST, SIGNER), Category.ROLLBACK)


def test_ac_093_another_key_continues_the_same_serials(marks: Marks) -> None:
    marks.require_serial(KEY, 3, DIGEST, SIGNER)
    refused(lambda: marks.require_serial(KEY, 2, DIGEST, ANOTHER), Category.ROLLBACK)
    marks.require_serial(KEY, 3, DIGEST, ANOTHER)
    marks.require_serial(KEY, 4, DIGEST, ANOTHER)


def test_a_refused_serial_changes_nothing(marks: Marks) -> None:
    marks.require_serial(KEY, 3, DIGEST, SIGNER)
    before = marks.path(KEY, SERIAL).read_bytes()
    refused(lambda: marks.require_serial(KEY, 2, ANOTHER, ANOTHER), Category.ROLLBACK)
    refused(lambda: marks.require_serial(KEY, 3, ANOTHER, ANOTHER), Category.ROLLBACK)
    assert marks.path(KEY, SERIAL).read_bytes() == before


@pytest.mark.parametrize("other", OTHERS)
def test_marks_of_one_cvm_say_nothing_of_another(marks: Marks, other: CvmKey) -> None:
    marks.require_serial(KEY, 9, DIGEST, SIGNER)
    marks.require_serial(other, 1, ANOTHER, SIGNER)
    marks.note_policy(KEY, DIGEST)
    assert marks.note_policy(other, ANOTHER) is None
    marks.register(KEY, HERE)
    assert marks.identity(other) is None
    marks.register(other, ELSEWHERE[0])
    assert marks.identity(KEY) == HERE


@pytest.mark.parametrize("serial", [-1, 2**63, True, 1.0, "1", None])
def test_ac_085_a_serial_is_an_integer_of_63_bits(marks: Marks, serial: int) -> None:
    refused(lambda: marks.require_serial(KEY, serial, DIGEST, SIGNER), Category.POLICY_INVALID)


@pytest.mark.parametrize("wrong", [b"", bytes(31), bytes(33), None, "d" * 32])
def test_digests_have_their_size(marks: Marks, wrong: bytes) -> None:
    refused(lambda: marks.require_serial(KEY, 1, wrong, SIGNER), Category.POLICY_INVALID)
    refused(lambda: marks.require_serial(KEY, 1, DIGEST, wrong), Category.POLICY_INVALID)
    refused(lambda: marks.note_policy(KEY, wrong), Category.POLICY_INVALID)


# --- unsigned policies -----------------------------------------------------------------------------------------------


def test_a_policy_can_be_looked_up_without_being_noted(marks: Marks) -> None:
    assert marks.policy_digest(KEY) is None
    assert not marks.folder.exists()
    marks.note_policy(KEY, DIGEST)
    assert marks.policy_digest(KEY) == DIGEST
    marks.path(KEY, POLICY).write_bytes(b"")
    with pytest.raises(CollateralError):
        marks.policy_digest(KEY)


def test_a_changed_policy_shows_the_one_before(marks: Marks) -> None:
    assert marks.note_policy(KEY, DIGEST) is None
    assert marks.note_policy(KEY, DIGEST) == DIGEST
    assert marks.note_policy(KEY, ANOTHER) == DIGEST
    assert marks.note_policy(KEY, DIGEST) == ANOTHER


# --- identities ------------------------------------------------------------------------------------------------------


def test_ac_048_a_name_is_one_machine(marks: Marks) -> None:
    assert marks.identity(KEY) is None
    marks.register(KEY, HERE)
    marks.register(KEY, HERE)
    assert marks.identity(KEY) == HERE


@pytest.mark.parametrize("other", ELSEWHERE)
def test_ac_048_another_chip_or_launch_under_the_same_name_is_refused(marks: Marks, other: Identity) -> None:
    marks.register(KEY, HERE)
    with pytest.raises(AnotherMachine, match="expected the machine registered") as caught:
        marks.register(KEY, other)
    assert caught.value.category is Category.IDENTITY
    assert marks.identity(KEY) == HERE


def test_ac_048_a_name_that_was_forgotten_is_free_but_its_policy_is_not(marks: Marks) -> None:
    marks.register(KEY, HERE)
    marks.require_serial(KEY, 3, DIGEST, SIGNER)
    marks.forget(KEY)
    marks.forget(KEY)
    assert marks.identity(KEY) is None
    marks.register(KEY, ELSEWHERE[0])
    refused(lambda: marks.require_serial(KEY, 2, DIGEST, SIGNER), Category.ROLLBACK)


@pytest.mark.parametrize(
    ("chip_id", "report_id"),
    [(b"", b"\1" * 32), (bytes(63), b"\1" * 32), (bytes(64), b"\1" * 31), (bytes(64), bytes(32))],
)
def test_ac_047_an_identity_has_its_sizes_and_names_a_launch(chip_id: bytes, report_id: bytes) -> None:
    refused(lambda: Identity(chip_id=chip_id, report_id=report_id), Category.IDENTITY)


# --- several at once -------------------------------------------------------------------------------------------------


CHILD = f"""
import sys
from hashlib import sha256
from pathlib import Path
from cvmproof.errors import Misuse
from cvmproof.marks import CvmKey, Identity, Marks
key = {KEY!r}
marks = Marks(folder=Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
"""
REQUIRE = """
for serial in range(int(sys.argv[2]), 60, 3):
    try:
        marks.require_serial(key, serial, sha256(bytes((serial,))).digest(), bytes(32))
    except Misuse as error:
        assert error.category == "ROLLBACK"
"""
REGISTER = """
try:
    marks.register(key, Identity(chip_id=bytes(64), report_id=bytes((int(sys.argv[2]),)) * 32))
except Misuse as error:
    sys.exit(3 if error.category == "IDENTITY" else 70)
"""


def run_at_once(code: str, folder: Path, numbers: range) -> list[int]:
    """Start a process for each number, let them go at once, and give their exit codes."""
    commands = [[sys.executable, "-c", CHILD + code, str(folder), str(number)] for number in numbers]
    children = [subprocess.Popen(command, stdin=PIPE, stdout=PIPE, text=True) for command in commands]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    for child in children:
        child.communicate(timeout=60)
    return [child.returncode for child in children]


def test_ac_093_of_several_processes_at_once_the_highest_serial_stays(marks: Marks) -> None:
    assert run_at_once(REQUIRE, marks.folder, range(3)) == [0] * 3
    marks.require_serial(KEY, 59, sha256(bytes((59,))).digest(), SIGNER)
    refused(lambda: marks.require_serial(KEY, 58, sha256(bytes((58,))).digest(), SIGNER), Category.ROLLBACK)
    assert len(list(marks.folder.glob("*.json"))) == 1
    assert list(marks.folder.glob("*.new")) == []


def test_ac_048_of_several_processes_at_once_one_registers(marks: Marks) -> None:
    codes = run_at_once(REGISTER, marks.folder, range(1, 5))
    assert sorted(codes) == [0, 3, 3, 3]
    registered = marks.identity(KEY)
    assert isinstance(registered, Identity)
    assert registered.report_id == bytes((codes.index(0) + 1,)) * 32


def test_ac_048_of_many_threads_at_once_one_registers(marks: Marks) -> None:
    barrier, won, lost = threading.Barrier(8), list[int](), list[int]()

    def register(number: int) -> None:
        barrier.wait()
        try:
            marks.register(KEY, replace(HERE, report_id=bytes((number,)) * 32))
            won.append(number)
        except Misuse:
            lost.append(number)

    threads = [threading.Thread(target=register, args=(number,)) for number in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(won), len(lost)) == (1, 7)
    assert marks.identity(KEY) == replace(HERE, report_id=bytes(won) * 32)


def test_ac_048_two_that_both_saw_no_registration_do_not_both_get_it(
    marks: Marks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one registers between our first look and our lock."""
    locked = Marks._locked

    def overtaken(self: Marks, key: CvmKey, kind: str) -> object:
        monkeypatch.setattr(Marks, "_locked", locked)
        marks.register(KEY, HERE)
        return locked(self, key, kind)

    monkeypatch.setattr(Marks, "_locked", overtaken)
    refused(lambda: marks.register(KEY, ELSEWHERE[0]), Category.IDENTITY)
    assert marks.identity(KEY) == HERE


# --- damage ----------------------------------------------------------------------------------------------------------


def all_kinds(marks: Marks) -> list[tuple[str, Callable[[], object]]]:
    marks.require_serial(KEY, 7, DIGEST, SIGNER)
    marks.note_policy(KEY, DIGEST)
    marks.register(KEY, HERE)
    return [
        (SERIAL, lambda: marks.require_serial(KEY, 8, DIGEST, SIGNER)),
        (POLICY, lambda: marks.note_policy(KEY, ANOTHER)),
        (IDENTITY, lambda: marks.register(KEY, HERE)),
        (IDENTITY, lambda: marks.identity(KEY)),
    ]


def test_any_flipped_bit_of_a_mark_fails_closed_and_says_what_to_do(marks: Marks) -> None:
    for kind, use in all_kinds(marks):
        path = marks.path(KEY, kind)
        good = path.read_bytes()
        for at in range(len(good)):
            path.write_bytes(good[:at] + bytes((good[at] ^ 1 << at % 8,)) + good[at + 1 :])
            with pytest.raises(CollateralError) as caught:
                use()
            assert caught.value.category is Category.MALFORMED
            assert str(path) in str(caught.value)
            assert f"rm {path}" in caught.value.hint
        path.write_bytes(good)
        use()


@pytest.mark.parametrize(
    "damage", [b"", b"{}", b"null", b"[]", b'{"mark": {}}', b"\xff" * 9, b"[" * 9000, b" " * MARK_LIMIT * 2]
)
def test_any_other_content_fails_closed(marks: Marks, damage: bytes) -> None:
    for kind, use in all_kinds(marks):
        path = marks.path(KEY, kind)
        good = path.read_bytes()
        for content in (damage, good[:-1], good + b"\n", good * 2, good[: len(good) // 2]):
            path.write_bytes(content)
            with pytest.raises(CollateralError):
                use()
            assert path.read_bytes() == content
        path.write_bytes(good)


def test_another_cvms_or_another_kind_of_mark_in_its_place_fails_closed(marks: Marks) -> None:
    uses = all_kinds(marks)
    marks.require_serial(OTHERS[3], 1, DIGEST, SIGNER)
    strange = [marks.path(OTHERS[3], SERIAL).read_bytes(), *(marks.path(KEY, kind).read_bytes() for kind, _ in uses)]
    for kind, use in uses:
        good = marks.path(KEY, kind).read_bytes()
        for content in strange:
            if content != good:
                marks.path(KEY, kind).write_bytes(content)
                with pytest.raises(CollateralError):
                    use()
        marks.path(KEY, kind).write_bytes(good)


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        (SERIAL, "serial", "7"),
        (SERIAL, "serial", True),
        (SERIAL, "serial", None),
        (SERIAL, "digest", 7),
        (SERIAL, "more", 7),
        (POLICY, "digest", "ab"),
        (IDENTITY, "chip_id", ""),
        (IDENTITY, "report_id", "00" * 32),
    ],
)
def test_a_well_made_mark_of_the_wrong_content_fails_closed(marks: Marks, kind: str, name: str, value: object) -> None:
    use = dict(all_kinds(marks))[kind]
    path = marks.path(KEY, kind)
    mark = {**json.loads(path.read_text())["mark"], name: value}
    body = json.dumps(mark, indent=1)
    path.write_text(f'{{"mark": {body},\n"sha256": "{sha256(body.encode()).hexdigest()}"}}\n')
    if name == "more":
        use()  # a field that nobody reads changes nothing
        return
    with pytest.raises(CollateralError):
        use()


def test_a_damaged_registration_can_be_forgotten(marks: Marks) -> None:
    marks.register(KEY, HERE)
    marks.path(KEY, IDENTITY).write_bytes(b"")
    marks.forget(KEY)
    assert marks.identity(KEY) is None


# --- names and folders -----------------------------------------------------------------------------------------------


@given(st.lists(st.text(max_size=9), min_size=8, max_size=8))
def test_no_two_cvms_share_a_name(texts: list[str]) -> None:
    one, two = (CvmKey(trust=t[0], api=t[1], domain=t[2], cvm=t[3]) for t in (texts[:4], texts[4:]))
    assert (one.digest(SERIAL) == two.digest(SERIAL)) is (one == two)
    assert one.digest(SERIAL) != one.digest(POLICY)


def test_parts_of_a_name_do_not_flow_into_each_other() -> None:
    assert replace(KEY, domain="ab", cvm="c").digest(SERIAL) != replace(KEY, domain="a", cvm="bc").digest(SERIAL)
    assert replace(KEY, domain="", cvm="x").digest(SERIAL) != replace(KEY, domain="x", cvm="").digest(SERIAL)


@pytest.mark.parametrize(
    "text", ["", "../../etc/passwd", "/", "a\0b", "\udc80", "x" * 100_000, "\x1b[31m\n", "NUL", "\uff21"]
)
def test_ac_116_any_text_names_a_mark_in_the_folder(marks: Marks, text: str) -> None:
    key = CvmKey(trust=text, api=text, domain=text, cvm=text)
    marks.require_serial(key, 1, DIGEST, SIGNER)
    marks.register(key, HERE)
    refused(lambda: marks.require_serial(key, 0, DIGEST, SIGNER), Category.ROLLBACK)
    assert marks.identity(key) == HERE
    names = {path.name for path in marks.folder.parent.rglob("*")} - {marks.folder.name}
    assert all(name.removesuffix(".json").removesuffix(".lock").isalnum() for name in names)


def test_what_is_known_already_takes_no_lock_and_no_writing(marks: Marks, monkeypatch: pytest.MonkeyPatch) -> None:
    all_kinds(marks)

    def refuse(*_: object) -> None:
        raise AssertionError("a lock was taken")

    monkeypatch.setattr("cvmproof.marks.locked_state", refuse)
    marks.require_serial(KEY, 7, DIGEST, SIGNER)
    assert marks.note_policy(KEY, DIGEST) == DIGEST
    marks.register(KEY, HERE)


def test_locks_do_not_grow_with_the_cvms(marks: Marks) -> None:
    for number in range(300):
        with marks._locked(replace(KEY, cvm=str(number)), SERIAL):
            pass
    assert len(list(marks.folder.glob("*.lock"))) <= 256


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
def test_a_folder_that_others_may_write_to_is_no_memory(marks: Marks) -> None:
    all_kinds(marks)
    marks.folder.chmod(0o777)
    for use in (
        lambda: marks.identity(KEY),
        lambda: marks.require_serial(KEY, 9, DIGEST, SIGNER),
        lambda: marks.note_policy(KEY, DIGEST),
        lambda: marks.register(KEY, HERE),
        lambda: marks.forget(KEY),
    ):
        with pytest.raises(CollateralError, match="only you can write to"):
            use()


def test_the_default_is_the_users_state_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert Marks.default().folder.name == "marks"
    if sys.platform == "linux":
        assert Marks.default().folder == tmp_path / "cvmproof" / "marks"


def test_ac_048_a_processor_is_registered_as_a_chip_is(marks: Marks) -> None:
    here = TdxIdentity(ppid=b"\x11" * 16)
    marks.register(KEY, here)
    marks.register(KEY, here)
    assert marks.identity(KEY) == here
    for other in (TdxIdentity(ppid=b"\x12" * 16), HERE):
        with pytest.raises(AnotherMachine, match="processor 1111111111111111"):
            marks.register(KEY, other)
    with pytest.raises(Misuse, match="PPID: expected 16 bytes, got 15"):
        TdxIdentity(ppid=bytes(15))
