"""`cvmproof policy sign`, and what `check` and `show` say of a signed policy."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cvmproof.cli.arguments import open_policy, read_time
from cvmproof.cli.command import command
from cvmproof.cli.exit_code import ExitCode
from cvmproof.cli.files import STDIN, read_named
from cvmproof.cli.output import say
from cvmproof.errors import Category, Misuse
from cvmproof.policy.policy import Policy
from cvmproof.policy.reading import BUILTIN_PREFIX, POLICY_LIMIT, read_policy
from cvmproof.spelling import escape, spell_time
from cvmproof_formats.pem import MAXIMUM_PEM

if TYPE_CHECKING:
    from cvmproof.policy.signed import ClaimedStatement, PolicySigners, PolicyStatement

_SIGNED_LIMIT = POLICY_LIMIT + 4 * 1024  # bytes; exactly how much is allowed, the reader says


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownPolicy:
    """A policy out of a file, and what a signature around it says; `verified` if a key that was named made it."""

    policy: Policy
    statement: "ClaimedStatement | PolicyStatement | None" = None
    verified: bool = False

    def document(self) -> dict[str, object]:
        """The signature for JSON: nothing where there is none."""
        if self.statement is None:
            return {}
        return {
            "signed": {
                "verified": self.verified,
                "key_id": self.statement.key_id.hex() if self.statement.key_id else None,
                "cvm_id": escape(self.statement.cvm_id),
                "serial": self.statement.serial,
                "expires_at": spell_time(self.statement.expires_at),
            }
        }

    def text(self) -> str:
        """The signature in a line; nothing where there is none."""
        if self.statement is None:
            return ""
        key = f"by the key {self.statement.key_id.hex()}" if self.statement.key_id else "by a key that it does not name"
        checked = "the signature is good" if self.verified else "NOT CHECKED: --policy-key FILE checks the signature"
        return (
            f"signed for the CVM {escape(self.statement.cvm_id)}, serial {self.statement.serial}, "
            f"until {spell_time(self.statement.expires_at)}, {key} ({checked})\n"
        )


def policy_key_option(function: click.decorators.FC) -> click.decorators.FC:
    """Give a command the option that names who may have signed."""
    help_ = "Check that this key signed the policy (PEM, public); repeatable."
    return click.option("--policy-key", multiple=True, metavar="KEY", help=help_)(function)


@command("sign")
@click.argument("policy")
@click.option("--cvm", required=True, metavar="ID", help="The CVM that the policy is for, its id at the API.")
@click.option(
    "--serial", required=True, type=click.IntRange(0, 2**63 - 1), help="Higher than that of any policy before."
)
@click.option("--expires", required=True, metavar="RFC3339", help="Until when the policy holds.")
@click.option("--key", required=True, metavar="PRIVATE", help="Your private key: PEM, PKCS #8, without a passphrase.")
@click.option("-o", "--output", required=True, metavar="FILE", help="Where to write.")
@click.option("--detached", is_flag=True, help="Write the signature alone; the policy stays a file of its own.")
@click.option("--force", is_flag=True, help="Overwrite FILE.")
def sign(
    *, policy: str, cvm: str, serial: int, expires: str, key: str, output: str, detached: bool, force: bool
) -> int:
    """Sign the policy in POLICY for one CVM, after reading it as a policy.

    The key is Ed25519, P-256 or P-384: openssl genpkey -algorithm ed25519 -out private.pem makes one.
    """
    from cvmproof.policy.signed import key_id_of, read_private_key, sign_policy

    if output == STDIN:
        raise Misuse("-o: expected the name of a file: what is written is not text")
    if key == STDIN == policy:
        raise Misuse("--key: expected a file where the policy comes from standard input")
    data = read_named(policy, POLICY_LIMIT, "policy")
    read_policy(data, name=policy)
    expires_at = _read_expiry(expires)
    private_key = read_private_key(read_named(key, MAXIMUM_PEM, "private key"))
    signed = sign_policy(
        data, private_key=private_key, cvm_id=cvm, serial=serial, expires_at=expires_at, detached=detached
    )
    _write(signed, output, force=force)
    say(f"signed by the key {key_id_of(private_key.public_key()).hex()}, for the CVM {escape(cvm)}: {escape(output)}")
    return ExitCode.ACCEPTED


def open_shown_policy(name: str, policy_keys: Sequence[str]) -> ShownPolicy:
    """Read a policy to show, signed or not; with keys, only one that was signed by one of them.

    Whether it is for the right CVM, current, or not older than another is not asked. Raises Misuse.
    """
    if name.startswith(BUILTIN_PREFIX):
        if policy_keys:
            raise Misuse(f"{escape(name)}: built in, and signed by nobody", category=Category.SIGNATURE)
        return ShownPolicy(policy=open_policy(name))
    data = read_named(name, _SIGNED_LIMIT, "policy")
    if policy_keys:
        from cvmproof.policy.signed import verify_statement

        statement = verify_statement(data, signers=read_signers(policy_keys))
        return ShownPolicy(policy=read_policy(statement.policy, name=name), statement=statement, verified=True)
    if data[:1] >= _FIRST_TAG:
        return _open_unchecked(data, name)
    return ShownPolicy(policy=read_policy(data, name=name))


def _open_unchecked(data: bytes, name: str) -> ShownPolicy:
    from cvmproof.policy.signed import claimed_statement, is_signed

    if not is_signed(data):
        return ShownPolicy(policy=read_policy(data, name=name))
    claimed = claimed_statement(data)
    if claimed.policy is None:
        raise Misuse(f"{escape(name)}: a detached signature, no policy", hint="name the policy that it is kept beside")
    return ShownPolicy(policy=read_policy(claimed.policy, name=name), statement=claimed)


def read_signers(names: Sequence[str]) -> "PolicySigners":
    """Read the public keys in these files; raises Misuse."""
    from cvmproof.policy.signed import PolicySigners

    return PolicySigners.read(*(read_named(name, MAXIMUM_PEM, "policy key") for name in names))


_FIRST_TAG = b"\xc0"  # RFC 8949 section 3.1: major type 6; no text starts a policy so


def _read_expiry(text: str) -> datetime:
    expires_at = read_time(text, option="--expires")
    if expires_at <= datetime.now(UTC):
        raise Misuse(f"--expires: expected a time to come, got {text!r:.60}", category=Category.EXPIRED)
    return expires_at


def _write(data: bytes, output: str, *, force: bool) -> None:
    try:
        with Path(output).open("wb" if force else "xb") as file:
            file.write(data)
    except FileExistsError as error:
        raise Misuse(f"{output!r:.200}: is there already", hint="--force overwrites it") from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise Misuse(f"{output!r:.200}: can't be written: {reason}") from error
