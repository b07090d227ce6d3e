"""What --pin says: which machine or instance it must be."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from cvmproof.errors import Misuse
from cvmproof.policy.pinning import pin_policy
from cvmproof.policy.policy import Authority, Policy
from cvmproof_formats.encoding import read_hex
from cvmproof_formats.errors import Malformed

# By kind and length in bytes, what is pinned. AMD 56860, ATTESTATION_REPORT; PCK certificate profile, SGX extensions.
_PINNED: Final[Mapping[str, Mapping[int, str]]] = MappingProxyType(
    {
        "machine": {64: "CHIP_ID", 16: "PPID"},
        "platform": {16: "platform instance id"},
        "instance": {32: "REPORT_ID"},
    }
)
PIN_KINDS: Final = "|".join(f"{kind}:HEX" for kind in _PINNED)
PIN_HELP: Final = (
    "machine: a processor, its CHIP_ID of 64 bytes (SEV-SNP) or its PPID of 16 (TDX); platform: a TDX platform instance"
    " id, 16 bytes; instance: a REPORT_ID (SEV-SNP), 32 bytes"
)


def read_pins(pins: Sequence[str]) -> tuple[Policy, ...]:
    """Make a policy that demands the pinned machines and instances, and nothing else; none without pins.

    Raises Misuse.
    """
    if not pins:
        return ()
    demanded: dict[str, list[bytes]] = {what: [] for sizes in _PINNED.values() for what in sizes.values()}
    for pin in pins:
        what, value = _read_pin(pin)
        demanded[what].append(value)
    return (
        pin_policy(
            name="--pin",
            authority=Authority.OPERATOR,
            chip_ids=demanded["CHIP_ID"],
            report_ids=demanded["REPORT_ID"],
            ppids=demanded["PPID"],
            platform_instance_ids=demanded["platform instance id"],
        ),
    )


def _read_pin(pin: str) -> tuple[str, bytes]:
    kind, _, text = pin.partition(":")
    sizes = _PINNED.get(kind)
    if sizes is None:
        raise Misuse(f"--pin: expected {PIN_KINDS.replace('|', ', ')}, got {pin!r:.60}")
    try:
        value = read_hex(text, what="--pin")
    except Malformed as error:
        raise Misuse(str(error)) from error
    if len(value) not in sizes:
        expected = " or ".join(f"{size} bytes ({what})" for size, what in sizes.items())
        raise Misuse(f"--pin: expected for {kind} {expected}, got {len(value)}")
    return sizes[len(value)], value
