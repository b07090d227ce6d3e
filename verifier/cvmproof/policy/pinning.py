"""A policy that says which machine or instance it must be, and nothing else: it stands beside others."""

import json
from collections.abc import Iterable

from cvmproof.policy.policy import Authority, Policy
from cvmproof.policy.reading import MAXIMUM_VALIDITY, read_policy


def pin_policy(
    *,
    name: str,
    authority: Authority,
    chip_ids: Iterable[bytes] = (),
    report_ids: Iterable[bytes] = (),
) -> Policy:
    """Demand one of these CHIP_IDs (64 bytes each) and one of these REPORT_IDs (32), where some are named.

    How long an acceptance lasts is for the policies it stands beside. Raises Misuse.
    """
    pins = {"chip_ids": [value.hex() for value in chip_ids], "report_ids": [value.hex() for value in report_ids]}
    document = {
        "extends": "builtin:genuine",
        "valid_for": MAXIMUM_VALIDITY,
        "snp": {
            **{rule: values for rule, values in pins.items() if values},
            "committed_firmware": "any",
            "unknown_platform_bits": "any",
            "guest_policy": {"debug": "any"},
        },
    }
    return read_policy(json.dumps(document).encode(), name=name, authority=authority)
