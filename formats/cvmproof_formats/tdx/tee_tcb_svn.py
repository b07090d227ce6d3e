"""TEE_TCB_SVN: the security versions of what stands between a TD and the processor, 16 bytes.

Follows Intel 348551 (TDX Module ABI), TEE_TCB_SVN, and PCS API 4, TCB info version 3: byte 1 is the module's version.
Where it is 0 (TDX 1.0), all 16 bytes compare with a platform's TCB level; else the first two belong to the module,
which has levels of its own, and the platform's start at byte 2.
"""

from typing import Self

from cvmproof_formats.errors import Malformed
from cvmproof_formats.record import record

TEE_TCB_SVN_SIZE = 16  # bytes

_MODULE_SVN, MODULE_VERSION, _LATE_UPDATE = range(3)
_FIRST_OF_PLATFORM = 2
_MODULE_IDS = (None, *(f"TDX_{version:02X}" for version in range(1, 256)))


@record
class TeeTcbSvn:
    """16 components of 0 to 255; they compare one by one, never as an integer."""

    components: bytes

    @classmethod
    def read(cls, data: bytes) -> Self:
        """Read 16 bytes.

        Raises Malformed for another length.
        """
        if len(data) != TEE_TCB_SVN_SIZE:
            raise Malformed(f"TEE_TCB_SVN: expected {TEE_TCB_SVN_SIZE} bytes, got {len(data)}")
        return cls(components=data)

    @classmethod
    def of(cls, *, module_svn: int, module_version: int, late_update: int) -> Self:
        """Make one from the three components that are in use, 0 to 255 each."""
        return cls(components=bytes((module_svn, module_version, late_update)).ljust(TEE_TCB_SVN_SIZE, b"\0"))

    def build(self) -> bytes:
        """Write 16 bytes."""
        return self.components

    @property
    def module_svn(self) -> int:
        """Security version of the TDX module, within its version."""
        return self.components[_MODULE_SVN]

    @property
    def module_version(self) -> int:
        """Version of the TDX module: 0 for TDX 1.0, 1 for 1.5, 3 for 2.0."""
        return self.components[MODULE_VERSION]

    @property
    def late_update(self) -> int:
        """Security version of microcode that was loaded late."""
        return self.components[_LATE_UPDATE]

    @property
    def module_id(self) -> str | None:
        """Name of the module's identity in TCB info, as "TDX_01"; None for TDX 1.0, which has none."""
        return _MODULE_IDS[self.module_version]

    @property
    def first_of_platform(self) -> int:
        """Index of the first component that compares with a platform's TCB level: 2 with a module version, else 0."""
        return _FIRST_OF_PLATFORM if self.module_version else 0

    def __str__(self) -> str:
        """Spell as "tdx1/svn11/late4"; components that nobody has named yet are added as "[5]1"."""
        rest = [f"[{i}]{value}" for i, value in enumerate(self.components) if value and i > _LATE_UPDATE]
        return "/".join((f"tdx{self.module_version}", f"svn{self.module_svn}", f"late{self.late_update}", *rest))
