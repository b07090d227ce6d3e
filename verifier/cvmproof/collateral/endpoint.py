"""Which addresses services of collateral may have: https, always; plain http only for a fake on this machine."""

from dataclasses import dataclass
from pathlib import Path

from cvmproof.http.base_url import read_base_url
from cvmproof.trust import TrustRoots

AMD_KDS = "https://kdsintf.amd.com"  # AMD 57230, chapter 4
INTEL_PCS = "https://api.trustedservices.intel.com"  # PCS API 4
# Where the certificates say that the root's list lies: on another host, and under no version.
INTEL_ROOT_CRL = "https://certificates.trustedservices.intel.com/IntelSGXRootCA.der"

# How a PCCS's address is usually written (sgx_default_qcnl.conf); the paths here begin with it.
_PCCS_PATH = "/sgx/certification/v4"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A service's scheme, host and port, as a URL without a slash at its end; only functions here make one."""

    url: str


def read_endpoint(url: str, trust: TrustRoots) -> Endpoint:
    """Read the address of a service.

    Raises EndpointError for anything but https://host[:port], or http://loopback-address:port under simulated trust.
    """
    simulated = trust.name == TrustRoots.simulated().name
    hint = "plain http is for a fake KDS on a loopback address with simulated trust only"
    return Endpoint(url=read_base_url(url, what="KDS address", plain_http=simulated, plain_http_hint=hint))


def read_pccs(url: str, trust: TrustRoots) -> Endpoint:
    """Read the address of a PCS or a PCCS, which may lie below a path; its usual ending is taken off.

    Raises EndpointError as `read_endpoint` does.
    """
    simulated = trust.name == TrustRoots.simulated().name
    hint = "plain http is for a fake PCCS on a loopback address with simulated trust only"
    base = read_base_url(url, what="PCCS address", plain_http=simulated, plain_http_hint=hint, path=True)
    return Endpoint(url=base.removesuffix(_PCCS_PATH))


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Where to fetch from; `pccs` is Intel's service or a caching one, which often needs a file of CA certificates."""

    kds: str = AMD_KDS
    pccs: str = INTEL_PCS
    pccs_ca: Path | None = None

    def expect_addresses(self, trust: TrustRoots) -> None:
        """Raise EndpointError unless these are addresses that we go to."""
        read_endpoint(self.kds, trust)
        read_pccs(self.pccs, trust)
