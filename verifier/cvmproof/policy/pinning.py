"""A policy that says which machine or instance it must be, and nothing else: it stands beside others."""

import json
from collections.abc import Iterable

from cvmproof.errors import Misuse
from cvmproof.policy.policy import Authority, Policy
from cvmproof.policy.reading import MAXIMUM_VALIDITY, read_policy
from cvmproof.policy.tdx_rules import MAXIMUM_GRACE

# What builtin:genuine demands besides, put aside: that is for the policies it stands beside.
_OPEN_SNP = {"committed_firmware": "any", "unknown_platform_bits": "any", "guest_policy": {"debug": "any"}}
_OPEN_TDX = {
    "collateral_grace": MAXIMUM_GRACE,
    "attributes": dict.fromkeys(("debug", "hgs_plus_prof", "perf_prof", "pmt_prof"), "any"),
}


def pin_policy(
    *,
    name: str,
    authority: Authority,
    chip_ids: Iterable[bytes] = (),
    report_ids: Iterable[bytes] = (),
    ppids: Iterable[bytes] = (),
    platform_instance_ids: Iterable[bytes] = (),
) -> Policy:
    """Demand one of these values of each kind of which some are named.

    CHIP_IDs (64 bytes) and REPORT_IDs (32) pin SEV-SNP, PPIDs and platform instance ids (16 bytes each) pin TDX; a
    technology of which nothing is pinned is refused, since none of its machines is one that was named. How long an
    acceptance lasts is for the policies it stands beside.

    Raises Misuse, also where nothing is named.
    """
    snp = _named(chip_ids=chip_ids, report_ids=report_ids)
    tdx = _named(ppids=ppids, platform_instance_ids=platform_instance_ids)
    if not snp and not tdx:
        raise Misuse(f"policy {name}: expected a machine or an instance that is pinned, got none")
    document: dict[str, object] = {"extends": "builtin:genuine", "valid_for": MAXIMUM_VALIDITY}
    if snp:
        document["snp"] = {**snp, **_OPEN_SNP}
    if tdx:
        document["tdx"] = {**tdx, **_OPEN_TDX}
    return read_policy(json.dumps(document).encode(), name=name, authority=authority)


def _named(**pins: Iterable[bytes]) -> dict[str, list[str]]:
    found = {rule: [value.hex() for value in values] for rule, values in pins.items()}
    return {rule: values for rule, values in found.items() if values}
