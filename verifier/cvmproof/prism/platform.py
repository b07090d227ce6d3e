"""The spellings of `cc_platform`: which kind of hardware a CVM runs on, as people and services write it."""

import re
from dataclasses import dataclass

from cvmproof_formats.binding import Tee

# Letters and digits only, in lower case. The API's documentation has `sev-snp`, `SEV SNP` and `Intel TDX`, its first
# steps `AMD SEV_SNP`, its web page the long forms.
_SPELLINGS = {
    "sevsnp": Tee.SEV_SNP,
    "snp": Tee.SEV_SNP,
    "amdsevsnp": Tee.SEV_SNP,
    "snpamdsecurenestedpaging": Tee.SEV_SNP,
    "sevsnpamdsecurenestedpaging": Tee.SEV_SNP,
    "tdx": Tee.TDX,
    "inteltdx": Tee.TDX,
    "tdxinteltrustdomainextensions": Tee.TDX,
    "inteltrustdomainextensions": Tee.TDX,
}
_LONGEST = 64  # characters; no spelling is that long
_LEFT_OUT = re.compile(r"[ ()_-]", re.ASCII)


def read_platform(text: str) -> Tee | None:
    """Read any known spelling; None for others, since platforms are added."""
    return _SPELLINGS.get(_LEFT_OUT.sub("", text).lower()) if len(text) <= _LONGEST else None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformSpelling:
    """How a service wants the platforms spelled in requests; its documentation shows only the one for SNP."""

    sev_snp: str = "sev-snp"
    tdx: str = "tdx"

    def of(self, platform: str) -> str:
        """Spell a platform as this service does; what is not known is given as it is."""
        tee = read_platform(platform)
        return platform if tee is None else self.sev_snp if tee is Tee.SEV_SNP else self.tdx
