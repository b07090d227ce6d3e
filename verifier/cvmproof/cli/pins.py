"""What --pin says: which machine or instance it must be."""

from collections.abc import Sequence

from cvmproof.cli.arguments import read_hex_option
from cvmproof.errors import Misuse
from cvmproof.policy.pinning import pin_policy
from cvmproof.policy.policy import Authority, Policy

# AMD 56860, ATTESTATION_REPORT: CHIP_ID and REPORT_ID, bytes.
_SIZES = {"machine": 64, "instance": 32}


def read_pins(pins: Sequence[str]) -> tuple[Policy, ...]:
    """Make a policy that demands the pinned machines and instances, and nothing else; none without pins.

    Raises Misuse.
    """
    if not pins:
        return ()
    demanded: dict[str, list[bytes]] = {kind: [] for kind in _SIZES}
    for pin in pins:
        kind, _, value = pin.partition(":")
        if kind not in _SIZES:
            raise Misuse(f"--pin: expected machine:HEX or instance:HEX, got {pin!r:.60}")
        demanded[kind].append(read_hex_option("--pin", value, _SIZES[kind]))
    return (
        pin_policy(
            name="--pin",
            authority=Authority.OPERATOR,
            chip_ids=demanded["machine"],
            report_ids=demanded["instance"],
        ),
    )
