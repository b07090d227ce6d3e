"""Which address the key distribution service may have: https, always; plain http only for a fake on this machine."""

from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

from cvmproof.trust import TrustRoots
from cvmproof_formats.errors import EndpointError

AMD_KDS = "https://kdsintf.amd.com"  # AMD 57230, chapter 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A service's scheme, host and port, as a URL without a path; only `read_endpoint` makes one."""

    url: str


def read_endpoint(url: str, trust: TrustRoots) -> Endpoint:
    """Read the address of a service.

    Raises EndpointError for anything but https://host[:port], or http://loopback-address:port under simulated trust.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
        (parts.hostname or "").encode("idna")  # a label that is empty or too long cannot be resolved
    except ValueError as error:
        raise EndpointError(f"KDS address: expected https://host, got one that cannot be read: {error}") from error
    if not parts.hostname or "@" in parts.netloc or parts.path not in ("", "/") or parts.query or parts.fragment:
        raise EndpointError(f"KDS address: expected https://host and nothing more, got {url!r:.120}")
    if not url.isascii() or not url.isprintable() or " " in url or port == 0:
        raise EndpointError(f"KDS address: expected printable ASCII, got {url!r:.120}")
    if parts.scheme != "https" and not _is_local_fake(parts, trust):
        message = f"KDS address: expected https, got {parts.scheme!r:.20}"
        hint = "plain http is for a fake KDS on a loopback address with simulated trust only"
        raise EndpointError(message, hint=hint)
    return Endpoint(url=f"{parts.scheme}://{parts.netloc}")


def _is_local_fake(parts: SplitResult, trust: TrustRoots) -> bool:
    if parts.scheme != "http" or trust.name != TrustRoots.simulated().name:
        return False
    try:
        return ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return False  # a name, which may resolve to anything
