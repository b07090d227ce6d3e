"""`cvmproof cvm policy`: the attestation policy that an API has for a CVM, as it came, and what it is."""

import hashlib
from base64 import b64encode
from datetime import UTC, datetime
from pathlib import Path

import click

from cvmproof.cli.command import settings_of
from cvmproof.cli.exit_code import ExitCode
from cvmproof.cli.files import STDIN, read_named
from cvmproof.cli.logs import configure_logging
from cvmproof.cli.output import say, write_json, write_text
from cvmproof.cli.policy_form import PolicyForm, Signing, form_of
from cvmproof.cli.prism_api import api_command, open_client
from cvmproof.errors import Misuse
from cvmproof.policy.signed import PolicySigners
from cvmproof.prism.document import CvmPolicyDocument, PolicySignatureDocument
from cvmproof.prism.identifier import LONGEST
from cvmproof.spelling import escape, spell_time

_KEY_LIMIT = 64 * 1024  # bytes of a file with public keys
_SIGNATURE_LIMIT = 8 * 1024  # bytes
_NOT_VERIFIED = "the signature was not verified: --policy-key FILE names who may sign"


@api_command("policy")
@click.argument("cvm")
@click.option("-o", "--output", metavar="FILE", help="Write the policy there, byte for byte as it came.")
@click.option("--force", is_flag=True, help="Overwrite FILE.")
@click.option(
    "--policy-key", multiple=True, metavar="FILE", help="Take only a policy that this key has signed; repeatable."
)
@click.option("--policy-signature", metavar="FILE", help="Its signature, if kept apart; with --policy-key.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.pass_context
def policy(
    ctx: click.Context,
    /,
    *,
    cvm: str,
    output: str | None,
    force: bool,
    policy_key: tuple[str, ...],
    policy_signature: str | None,
    as_json: bool,
) -> int:
    """Fetch the attestation policy of a CVM, and say what it is: its form, who signed it, its SHA-256, its text.

    Nobody has to follow it: cvm verify says on whose word it does.
    """
    configure_logging(settings_of(ctx))
    if output == STDIN:
        raise Misuse("--output: expected a file; --json has the policy in base64")
    signing = _read_signing(policy_key, policy_signature)
    with open_client(ctx) as client:
        data = client.attestation_policy(cvm)
        api, domain = client.base_url, client.domain
    form = form_of(data, cvm=cvm, signing=signing, now=datetime.now(UTC))
    if output is not None:
        _write(data, output, force=force)
    document: CvmPolicyDocument = {
        "schema": "cvmproof.cvm-policy/1",
        "api": api,
        "domain": escape(domain, LONGEST),
        "cvm": escape(cvm, LONGEST),
        "form": form.form,
        "foreign": form.foreign,
        "problem": form.problem,
        "constrains_software": form.constrains_software,
        "signature": _signature(form),
        "size": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "policy": b64encode(data).decode("ascii"),
        "written": None if output is None else escape(output, LONGEST),
    }
    if as_json:
        write_json(document)
    else:
        _draw(document, "" if output is not None else form.text)
    return ExitCode.ACCEPTED


def _read_signing(keys: tuple[str, ...], signature: str | None) -> Signing | None:
    if not keys:
        if signature is not None:
            raise Misuse("--policy-signature: expected a --policy-key to verify it with")
        return None
    return Signing(
        signers=PolicySigners.read(*(read_named(name, _KEY_LIMIT, "policy key") for name in keys)),
        signature=None if signature is None else read_named(signature, _SIGNATURE_LIMIT, "policy signature"),
    )


def _write(data: bytes, output: str, *, force: bool) -> None:
    """Write what came, whatever it is."""
    try:
        with Path(output).open("wb" if force else "xb") as file:
            file.write(data)
    except FileExistsError as error:
        raise Misuse(f"{escape(output)}: is there already", hint="--force overwrites it") from error
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise Misuse(f"{escape(output)}: can't be written: {reason}") from error
    say(f"written: {escape(output)}")


def _signature(form: PolicyForm) -> PolicySignatureDocument | None:
    statement, digest = form.statement, form.policy_digest
    if statement is None:
        return None
    return {
        "verified": form.verified,
        "key_id": statement.key_id.hex() if statement.key_id is not None else None,
        "cvm": escape(statement.cvm_id, LONGEST),
        "serial": statement.serial,
        "expires_at": spell_time(statement.expires_at),
        "policy_sha256": digest.hex() if digest is not None else None,
    }


def _draw(document: CvmPolicyDocument, text: str) -> None:
    from cvmproof.rendering.fetched_policy import draw_text, policy_fields

    drawn, whole = draw_text(text)
    write_text(policy_fields(document) + (f"\n{drawn}" if drawn else ""))
    signature = document["signature"]
    if signature is not None and not signature["verified"]:
        say(_NOT_VERIFIED)
        if signature["cvm"] != document["cvm"]:
            say(f"note: it was signed for another CVM: {signature['cvm']}")
    if not whole:
        say("the text is cut: --output FILE writes all of it")
