"""`cvmproof policy sign`, and what `check` and `show` say of what it wrote."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.verifier.policy.signing import KEY, KEYS, OTHERS, private_pem, public_pem

from cvmproof.errors import Misuse
from cvmproof.policy.cose import PrivateKey
from cvmproof.policy.signed import PolicySigners, key_id_of, read_signed_policy, sign_policy

from .conftest import Ran, Run

Sign = Callable[..., Ran]
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
LATER = "2999-01-01T00:00:00Z"


@pytest.fixture
def sign(run: Run, folder: Path) -> Sign:
    """`sign(...)` writes signed.cose from policy.toml with key.pem; key.pub is its public half."""
    (folder / "key.pem").write_bytes(private_pem(KEY))
    (folder / "key.pub").write_bytes(public_pem(KEY))
    (folder / "other.pub").write_bytes(public_pem(OTHERS["ES256"]))

    def invoke(*more: object, **options: object) -> Ran:
        given = {"cvm": "cvm-1", "serial": 7, "expires": LATER, "key": folder / "key.pem", **options}
        arguments = [part for name, value in given.items() if value is not None for part in (f"--{name}", value)]
        return run("policy", "sign", folder / "policy.toml", *arguments, "-o", folder / "signed.cose", *more)

    return invoke


@pytest.mark.parametrize("name", KEYS)
def test_what_is_signed_is_the_file_byte_for_byte(sign: Sign, folder: Path, name: str) -> None:
    key: PrivateKey = KEYS[name]
    (folder / "key.pem").write_bytes(private_pem(key))
    ran = sign()
    assert (ran.code, ran.stdout) == (0, "")
    assert key_id_of(key.public_key()).hex() in ran.stderr
    signers = PolicySigners.read(public_pem(key))
    data = (folder / "signed.cose").read_bytes()
    statement = read_signed_policy(data, signers=signers, cvm_id="cvm-1", now=NOW)
    assert statement.policy == (folder / "policy.toml").read_bytes()
    assert (statement.serial, statement.expires_at) == (7, datetime(2999, 1, 1, tzinfo=UTC))


def test_a_detached_signature_belongs_to_the_file_beside_it(sign: Sign, folder: Path) -> None:
    assert sign("--detached").code == 0
    policy, signature = ((folder / name).read_bytes() for name in ("policy.toml", "signed.cose"))
    signers = PolicySigners.read(public_pem(KEY))
    assert read_signed_policy(policy, signers=signers, cvm_id="cvm-1", now=NOW, signature=signature).policy == policy
    with pytest.raises(Misuse):
        read_signed_policy(policy + b" ", signers=signers, cvm_id="cvm-1", now=NOW, signature=signature)


def test_a_file_is_not_overwritten_unless_told(sign: Sign, folder: Path) -> None:
    (folder / "signed.cose").write_text("mine")
    refused = sign()
    assert (refused.code, (folder / "signed.cose").read_text()) == (1, "mine")
    assert "--force" in refused.stderr
    assert sign("--force").code == 0


def test_what_is_no_policy_is_not_signed(sign: Sign, folder: Path) -> None:
    for text in ("", "version = 1\n", "not = a\npolicy"):
        (folder / "policy.toml").write_text(text)
        assert sign().code == 1
    assert not (folder / "signed.cose").exists()


def test_a_signed_policy_is_not_signed_again(run: Run, sign: Sign, folder: Path) -> None:
    assert sign().code == 0
    signed = (folder / "signed.cose").read_bytes()
    (folder / "policy.toml").write_bytes(signed)
    assert sign("--force").code == 1
    assert (folder / "signed.cose").read_bytes() == signed


@pytest.mark.parametrize(
    "options",
    [
        {"cvm": ""},
        {"cvm": "a\nb"},
        {"cvm": None},
        {"serial": -1},
        {"serial": 2**63},
        {"serial": "1.5"},
        {"serial": None},
        {"expires": "tomorrow"},
        {"expires": "2999-01-01"},
        {"expires": "2999-01-01T00:00:00.5Z"},
        {"expires": "2020-01-01T00:00:00Z"},
        {"expires": None},
        {"key": "nowhere.pem"},
        {"key": None},
    ],
)
def test_values_that_could_not_be_read_are_refused(sign: Sign, folder: Path, options: dict[str, object]) -> None:
    assert sign(**options).code == 1
    assert not (folder / "signed.cose").exists()


def test_an_expiry_that_is_over_is_said_to_be(sign: Sign) -> None:
    assert "--expires: expected a time to come" in sign(expires="2020-01-01T00:00:00Z").stderr


@pytest.mark.parametrize("key", [public_pem(KEY), b"", b"MHcCAQEEIExxxxSECRETxxxx\n", private_pem(KEY)[:-50]])
def test_what_is_no_private_key_is_refused_without_showing_it(sign: Sign, folder: Path, key: bytes) -> None:
    (folder / "key.pem").write_bytes(key)
    ran = sign()
    assert ran.code == 1
    assert not any(line in ran.stderr for line in key.decode().splitlines() if line and "-" not in line)


def test_a_file_that_cannot_be_written_is_exit_1(run: Run, sign: Sign, folder: Path) -> None:
    for output in (folder / "nowhere" / "x", folder, "-"):
        assert sign("--output", output).code == 1


def test_not_both_the_policy_and_the_key_come_from_standard_input(run: Run, folder: Path) -> None:
    options = ("--cvm", "c", "--serial", 1, "--expires", LATER, "--key", "-", "-o", folder / "x")
    assert run("policy", "sign", "-", *options, stdin=b"").code == 1


# --- check and show --------------------------------------------------------------------------------------------------


def test_check_says_that_a_signature_was_not_checked(run: Run, sign: Sign, folder: Path) -> None:
    assert sign().code == 0
    ran = run("policy", "check", folder / "signed.cose")
    assert ran.code == 0
    assert "signed for the CVM cvm-1, serial 7, until 2999-01-01T00:00:00Z" in ran.stdout
    assert "NOT CHECKED" in ran.stdout
    assert key_id_of(KEY.public_key()).hex() in ran.stdout
    assert "a policy of version 1" in ran.stdout


def test_check_with_the_key_says_that_it_is_good(run: Run, sign: Sign, folder: Path) -> None:
    assert sign().code == 0
    ran = run("policy", "check", folder / "signed.cose", "--policy-key", folder / "key.pub")
    assert ran.code == 0
    assert "the signature is good" in ran.stdout
    assert "NOT CHECKED" not in ran.stdout


@pytest.mark.parametrize("command", ["check", "show"])
def test_another_key_or_no_signature_is_exit_1(run: Run, sign: Sign, folder: Path, command: str) -> None:
    assert sign().code == 0
    key = ("--policy-key", folder / "key.pub")
    assert run("policy", command, folder / "signed.cose", "--policy-key", folder / "other.pub").code == 1
    assert run("policy", command, folder / "signed.cose", "--policy-key", folder / "other.pub", *key).code == 0
    for unsigned in (folder / "policy.toml", "builtin:genuine"):
        assert run("policy", command, unsigned).code == 0
        ran = run("policy", command, unsigned, *key, "--json")
        assert (ran.code, ran.categories()) == (1, {"SIGNATURE"})


def test_a_changed_byte_is_exit_1_with_the_key(run: Run, sign: Sign, folder: Path) -> None:
    assert sign().code == 0
    signed = (folder / "signed.cose").read_bytes()
    (folder / "signed.cose").write_bytes(signed[:-1] + bytes((signed[-1] ^ 1,)))
    assert "NOT CHECKED" in run("policy", "check", folder / "signed.cose").stdout
    assert run("policy", "check", folder / "signed.cose", "--policy-key", folder / "key.pub").code == 1


@pytest.mark.parametrize("verified", [False, True])
def test_check_has_the_signature_in_json(run: Run, sign: Sign, folder: Path, *, verified: bool) -> None:
    assert sign().code == 0
    keys = ("--policy-key", folder / "key.pub") if verified else ()
    document = run("policy", "check", folder / "signed.cose", "--json", *keys).document
    assert document["signed"] == {
        "verified": verified,
        "key_id": key_id_of(KEY.public_key()).hex(),
        "cvm_id": "cvm-1",
        "serial": 7,
        "expires_at": LATER,
    }
    assert "signed" not in run("policy", "check", folder / "policy.toml", "--json").document


def test_show_prints_the_policy_inside(run: Run, sign: Sign, folder: Path) -> None:
    assert sign().code == 0
    shown, plain = run("policy", "show", folder / "signed.cose"), run("policy", "show", folder / "policy.toml")
    assert (shown.code, shown.stdout) == (0, plain.stdout)
    assert "NOT CHECKED" in shown.stderr
    assert "signed" not in plain.stderr


def test_a_detached_signature_is_no_policy_to_show(run: Run, sign: Sign, folder: Path) -> None:
    assert sign("--detached").code == 0
    ran = run("policy", "show", folder / "signed.cose")
    assert ran.code == 1
    assert "detached" in ran.stderr


@pytest.mark.parametrize("data", [b"\xd2", b"\xd2\x84", b"\xd9\x01\xf5\xa0", b"\xff\xfe", b"\xc3\xa9 = 1"])
def test_what_only_looks_signed_is_exit_1(run: Run, folder: Path, data: bytes) -> None:
    (folder / "x.cose").write_bytes(data)
    assert run("policy", "check", folder / "x.cose").code == 1


def test_what_is_signed_but_no_policy_is_exit_1(run: Run, sign: Sign, folder: Path) -> None:
    data = sign_policy(b"nothing", private_key=KEY, cvm_id="c", serial=1, expires_at=NOW)
    (folder / "x.cose").write_bytes(data)
    assert run("policy", "check", folder / "x.cose").code == 1


def test_remote_text_in_a_signature_is_escaped(run: Run, folder: Path) -> None:
    name = "x" * 400
    (folder / "key.pub").write_bytes(public_pem(KEY))
    policy = (folder / "policy.toml").read_bytes()
    data = sign_policy(policy, private_key=KEY, cvm_id=name, serial=1, expires_at=NOW)
    (folder / "x.cose").write_bytes(data)
    assert "(400 characters)" in run("policy", "check", folder / "x.cose").stdout
