"""`cvmproof cvm policy`."""

from base64 import b64decode
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from cvmproof.policy.cose import CONTENT_TYPE, sign1
from cvmproof.policy.signed import key_id_of, sign_policy
from cvmproof_simulator.misbehaviour import body
from cvmproof_simulator.prism import FakePrism

from .conftest import POLICY, Run

OURS = POLICY.encode()
LATER = datetime.now(UTC).replace(microsecond=0) + timedelta(days=1)


@pytest.fixture(scope="module")
def key() -> Ed25519PrivateKey:
    return Ed25519PrivateKey.generate()


@pytest.fixture
def key_file(key: Ed25519PrivateKey, tmp_path: Path) -> Path:
    path = tmp_path / "key.pem"
    path.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return path


def signed(key: Ed25519PrivateKey, cvm_id: str, policy: bytes = OURS, *, detached: bool = False) -> bytes:
    return sign_policy(policy, private_key=key, cvm_id=cvm_id, serial=7, expires_at=LATER, detached=detached)


def test_one_of_ours_is_shown_with_its_digest_and_its_text(cvm: Run, prism: FakePrism) -> None:
    ran = cvm("policy", prism.add("ours", policy=OURS))
    assert ran.code == 0
    assert "a policy in TOML" in ran.stdout
    assert f"sha256:{sha256(OURS).hexdigest()}" in ran.stdout
    assert ran.stdout.endswith(f"\n\n{POLICY}")


def test_as_json_it_is_there_byte_for_byte(cvm: Run, prism: FakePrism) -> None:
    policy = b'{"extends": "builtin:recommended",\r\n "snp": {"measurements": "any"}}\n\n'
    document = cvm("policy", prism.add("ours", policy=policy), "--json").document
    assert (document["form"], document["constrains_software"]) == ("json", False)
    assert (b64decode(document["policy"]), document["size"]) == (policy, len(policy))
    assert document["sha256"] == sha256(policy).hexdigest()


def test_no_policy_is_a_sentence_and_exit_0(cvm: Run, prism: FakePrism) -> None:
    ours = prism.add("ours")
    ran = cvm("policy", ours)
    assert (ran.code, "empty: the API has none" in ran.stdout) == (0, True)
    assert cvm("policy", ours, "--json").document["form"] == "empty"


@pytest.mark.parametrize(
    ("policy", "name"),
    [
        (b'{"policy": {}, "root_of_trust": {}}', "go-sev-guest"),
        (b'{"snp_policy": {}}', "Cocos policy of 2024-08"),
        (b"\xd9\x01\xf5\xa1\x00\x61a", "CoRIM"),
        (b"\xa1\x01\x02", "CBOR of an unknown kind"),
    ],
)
def test_a_form_of_others_is_named_and_its_text_is_not_shown(
    cvm: Run, prism: FakePrism, policy: bytes, name: str
) -> None:
    ours = prism.add("ours", policy=policy)
    ran = cvm("policy", ours)
    assert ran.code == 0
    assert name in ran.stdout
    assert "\n\n" not in ran.stdout
    assert name in cvm("policy", ours, "--json").document["foreign"]


@pytest.mark.parametrize("policy", [b"nonsense", b"\x00\xff" * 500, b"<html>", OURS + b"unknown = 1\n", b"\xd2\x84"])
def test_what_is_no_policy_is_shown_as_unknown_with_the_reason(cvm: Run, prism: FakePrism, policy: bytes) -> None:
    ours = prism.add("ours", policy=policy)
    ran = cvm("policy", ours)
    assert (ran.code, "unknown" in ran.stdout, "problem" in ran.stdout) == (0, True, True)
    document = cvm("policy", ours, "--json").document
    assert (document["form"], bool(document["problem"])) == ("unknown", True)


def test_hostile_text_in_a_policy_is_escaped_and_cut(cvm: Run, prism: FakePrism) -> None:
    comment = "# \u202e\u2066\u009b31m\u2028 " + "x" * 100_000 + "\n"
    ran = cvm("policy", prism.add("ours", policy=(POLICY + comment).encode()))
    assert ran.code == 0
    assert all(character.isprintable() or character == "\n" for character in ran.stdout)
    assert len(ran.stdout) < 10_000
    assert "the text is cut" in ran.stderr


def test_a_signed_one_names_its_key_and_says_that_nobody_verified_it(
    cvm: Run, prism: FakePrism, key: Ed25519PrivateKey
) -> None:
    ours = prism.add("ours")
    policy = signed(key, ours)
    prism.set_policy(ours, policy)
    ran = cvm("policy", ours)
    assert ran.code == 0
    assert f"{key_id_of(key.public_key()).hex()} (not verified)" in ran.stdout
    assert "not verified: --policy-key" in ran.stderr
    assert ran.stdout.endswith(POLICY)
    document = cvm("policy", ours, "--json").document
    assert document["sha256"] == sha256(policy).hexdigest()
    assert document["signature"] == {
        "verified": False,
        "key_id": key_id_of(key.public_key()).hex(),
        "cvm": ours,
        "serial": 7,
        "expires_at": LATER.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "policy_sha256": sha256(OURS).hexdigest(),
    }


def test_with_the_key_it_is_verified(cvm: Run, prism: FakePrism, key: Ed25519PrivateKey, key_file: Path) -> None:
    ours = prism.add("ours")
    prism.set_policy(ours, signed(key, ours))
    ran = cvm("policy", ours, "--policy-key", key_file)
    assert (ran.code, "(verified)" in ran.stdout, ran.stderr) == (0, True, "")
    assert cvm("policy", ours, "--policy-key", key_file, "--json").document["signature"]["verified"] is True


def test_with_the_key_nothing_else_is_taken(
    cvm: Run, prism: FakePrism, key: Ed25519PrivateKey, key_file: Path, tmp_path: Path
) -> None:
    ours, other = prism.add("ours"), prism.add("other")
    flipped = bytearray(signed(key, ours))
    flipped[-1] ^= 1
    cases = (
        (b"", "SIGNATURE"),
        (OURS, "SIGNATURE"),
        (bytes(flipped), "SIGNATURE"),
        (signed(Ed25519PrivateKey.generate(), ours), "SIGNATURE"),
        (signed(key, other), "IDENTITY"),
    )
    for policy, category in cases:
        prism.set_policy(ours, policy)
        ran = cvm("policy", ours, "--policy-key", key_file, "-o", tmp_path / "out", "--json")
        assert (ran.code, ran.categories()) == (1, {category})
    assert not (tmp_path / "out").exists()


def test_a_signature_that_is_kept_apart_is_verified(
    cvm: Run, prism: FakePrism, key: Ed25519PrivateKey, key_file: Path, tmp_path: Path
) -> None:
    ours = prism.add("ours", policy=OURS)
    apart = tmp_path / "signature"
    apart.write_bytes(signed(key, ours, detached=True))
    given = ("--policy-key", key_file, "--policy-signature", apart)
    ran = cvm("policy", ours, *given)
    assert (ran.code, "(verified)" in ran.stdout) == (0, True)
    prism.set_policy(ours, OURS + b"# changed\n")
    assert cvm("policy", ours, *given, "--json").categories() == {"SIGNATURE"}
    assert cvm("policy", ours, *given[2:], "--json").code == 1


def test_one_that_was_signed_for_another_cvm_is_noted(cvm: Run, prism: FakePrism, key: Ed25519PrivateKey) -> None:
    ours = prism.add("ours")
    prism.set_policy(ours, signed(key, "another"))
    assert "signed for another CVM: another" in cvm("policy", ours).stderr


def test_a_signature_alone_is_no_policy(cvm: Run, prism: FakePrism, key: Ed25519PrivateKey) -> None:
    ours = prism.add("ours")
    prism.set_policy(ours, signed(key, ours, detached=True))
    document = cvm("policy", ours, "--json").document
    assert (document["form"], document["signature"]["policy_sha256"]) == ("unknown", None)
    assert "without the policy" in cvm("policy", ours).stdout


def test_a_signed_message_of_others_is_named(cvm: Run, prism: FakePrism, key: Ed25519PrivateKey) -> None:
    corim = sign1(b"\xa0", key, header={CONTENT_TYPE: "application/rim+cbor"}, external_aad=b"")
    assert "signed CoRIM" in cvm("policy", prism.add("ours", policy=corim)).stdout


def test_a_form_of_others_that_was_signed_is_named_as_well(cvm: Run, prism: FakePrism, key: Ed25519PrivateKey) -> None:
    ours = prism.add("ours")
    prism.set_policy(ours, signed(key, ours, b'{"snp_policy": {}}'))
    assert "Cocos policy of 2024-08" in cvm("policy", ours).stdout


@pytest.mark.parametrize("policy", [OURS, b"", b"\x00\xff\r\n", b'{"snp_policy": {}}'])
def test_it_is_written_exactly_as_it_came(cvm: Run, prism: FakePrism, tmp_path: Path, policy: bytes) -> None:
    ran = cvm("policy", prism.add("ours", policy=policy), "-o", tmp_path / "out")
    assert (ran.code, (tmp_path / "out").read_bytes()) == (0, policy)
    assert "written:" in ran.stderr
    assert "\n\n" not in ran.stdout


def test_a_file_that_is_there_is_overwritten_only_if_told(cvm: Run, prism: FakePrism, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    ours = prism.add("ours", policy=OURS)
    ran = cvm("policy", ours, "-o", tmp_path / "out", "--json")
    assert (ran.code, (tmp_path / "out").read_text()) == (1, "mine")
    assert "--force" in ran.document["error"]["hint"]
    assert cvm("policy", ours, "-o", tmp_path / "out", "--force", "--json").document["written"]
    assert (tmp_path / "out").read_bytes() == OURS


@pytest.mark.parametrize("output", ["-", "", "no/such/folder/file", "a\0b"])
def test_where_nothing_can_be_written_is_exit_1(cvm: Run, prism: FakePrism, output: str) -> None:
    assert cvm("policy", prism.add("ours", policy=OURS), "-o", output, "--json").code == 1


@pytest.mark.parametrize("pem", [b"", b"nonsense", b"-----BEGIN PRIVATE KEY-----\n"])
def test_a_key_that_is_none_is_exit_1_before_anything_is_asked(
    cvm: Run, prism: FakePrism, tmp_path: Path, pem: bytes
) -> None:
    (tmp_path / "key").write_bytes(pem)
    assert cvm("policy", "x", "--policy-key", tmp_path / "key", "--json").code == 1
    assert prism.requests == ()


@pytest.mark.parametrize("said", [b'{"attestation_policy": "?"}', b"{}", b'{"attestation_policy": 1}'])
def test_an_answer_that_is_none_is_exit_5(cvm: Run, prism: FakePrism, said: bytes) -> None:
    prism.misbehave(body(said))
    assert cvm("policy", prism.add("ours"), "--json").code == 5
