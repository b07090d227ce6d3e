"""Which address the key distribution service may have: https, always; plain http only for a fake on this machine."""

from dataclasses import dataclass

from cvmproof.http.base_url import read_base_url
from cvmproof.trust import TrustRoots

AMD_KDS = "https://kdsintf.amd.com"  # AMD 57230, chapter 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A service's scheme, host and port, as a URL without a path; only `read_endpoint` makes one."""

    url: str


def read_endpoint(url: str, trust: TrustRoots) -> Endpoint:
    """Read the address of a service.

    Raises EndpointError for anything but https://host[:port], or http://loopback-address:port under simulated trust.
    """
    simulated = trust.name == TrustRoots.simulated().name
    hint = "plain http is for a fake KDS on a loopback address with simulated trust only"
    return Endpoint(url=read_base_url(url, what="KDS address", plain_http=simulated, plain_http_hint=hint))
