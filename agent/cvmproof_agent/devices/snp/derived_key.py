"""Keys that firmware derives for this guest on this chip: Linux SNP_GET_DERIVED_KEY, AMD 56860 MSG_KEY_REQ.

Nothing in the agent asks for one. A program that does is root, says what the key must depend on, and gets a key for one
purpose: HKDF over firmware's, which stays in this function. Two purposes have keys that say nothing about each other.
"""

import ctypes
import errno
import os
from dataclasses import dataclass
from enum import IntFlag
from typing import Final

from cvmproof_agent.devices.node import Node
from cvmproof_agent.devices.snp import abi
from cvmproof_agent.devices.snp.guest_request import PATH, REASONS, ask_once
from cvmproof_agent.devices.snp.level import VMPL_FILE, current_vmpl
from cvmproof_formats.errors import DeviceError, Misuse

_VCEK: Final = 0  # ROOT_KEY_SELECT
_DOMAIN: Final = b"cvmproof/v1/derived-key"
_PURPOSE_LIMIT: Final = 255  # bytes
_LENGTHS: Final = range(16, 65)  # bytes


class KeyField(IntFlag):
    """GUEST_FIELD_SELECT: what else makes another key, besides chip and VMPL."""

    GUEST_POLICY = 1 << 0
    IMAGE_ID = 1 << 1
    FAMILY_ID = 1 << 2
    MEASUREMENT = 1 << 3
    GUEST_SVN = 1 << 4
    TCB_VERSION = 1 << 5


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySelection:
    """What the key depends on; the two numbers count where their fields are among `fields`.

    `guest_svn` is at most the one at launch, `tcb_version` at most the committed TCB: an older key can still be had, a
    newer one can't.
    """

    fields: KeyField
    guest_svn: int = 0
    tcb_version: int = 0


def derived_key(
    purpose: str,
    selection: KeySelection,
    *,
    length: int = 32,
    path: str = PATH,
    vmpl_file: str = VMPL_FILE,
) -> bytes:
    """Derive a key of 16 to 64 bytes for one purpose, the same one each time and in no other guest.

    Raises Misuse for a purpose or length that does not fit, DeviceError where not root and where firmware gives no key.
    """
    info = _info(purpose, length)
    if not selection.fields:
        raise Misuse("derived key: expected at least one field that it depends on: every guest would have the same")
    if os.geteuid() != 0:
        raise DeviceError("derived keys are for root", errno=errno.EPERM, hint="run as root")
    # Here and nowhere else: no guest but one that derives keys loads it.
    from cryptography.hazmat.primitives.hashes import SHA512  # noqa: PLC0415 -- said above
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF  # noqa: PLC0415 -- said above

    hkdf = HKDF(algorithm=SHA512(), length=length, salt=None, info=info)
    node = Node(path, REASONS)
    try:
        return hkdf.derive(_from_firmware(node, selection, current_vmpl(vmpl_file)))
    finally:
        node.close()


def _info(purpose: str, length: int) -> bytes:
    """Say what the key is for; its length too, or a longer key would begin with a shorter one."""
    if length not in _LENGTHS:
        raise Misuse(f"derived key: expected a length from {_LENGTHS[0]} to {_LENGTHS[-1]} bytes, got {length}")
    spelled = purpose.encode()
    if not 0 < len(spelled) <= _PURPOSE_LIMIT:
        raise Misuse(f"derived key: expected a purpose of 1 to {_PURPOSE_LIMIT} bytes, got {len(spelled)}")
    return b"".join(len(part).to_bytes(4, "big") + part for part in (_DOMAIN, spelled, bytes([length])))


def _from_firmware(node: Node, selection: KeySelection, vmpl: int) -> bytes:
    request = abi.DerivedKeyRequest(
        root_key_select=_VCEK,
        guest_field_select=int(selection.fields),
        vmpl=vmpl,
        guest_svn=selection.guest_svn,
        tcb_version=selection.tcb_version,
    )
    response = abi.DerivedKeyResponse()
    try:
        ask_once(node, abi.GET_DERIVED_KEY, "SNP_GET_DERIVED_KEY", request, response)
        return abi.key_in(bytearray(response), path=node.path)
    finally:
        ctypes.memset(ctypes.addressof(response), 0, ctypes.sizeof(response))
