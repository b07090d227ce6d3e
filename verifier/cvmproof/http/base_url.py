"""Which address a service of ours may have: https; plain http only to this machine, where the caller allows it."""

import re
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

from cvmproof_formats.errors import EndpointError

# RFC 3986 section 3.2.2 without percent-encoding and zones; the resolver has the last word on names.
_HOST = re.compile(r"[0-9A-Za-z._-]+|[0-9A-Fa-f:.]+", re.ASCII)
_PATH = re.compile(r"(/(?!\.{1,2}(/|$))[0-9A-Za-z._~-]+)*/?", re.ASCII)  # unreserved characters, no dot segments


def read_base_url(url: str, *, what: str, plain_http: bool, plain_http_hint: str, path: bool = False) -> str:
    """Read the address of a service, and give it without a slash at its end.

    `plain_http`: http is taken from a loopback address written as such, never from a name. `path`: there may be one.
    Raises EndpointError for anything but https://host[:port][/path].
    """
    try:
        parts = urlsplit(url)
        port = parts.port
        (parts.hostname or "").encode("idna")  # a label that is empty or too long cannot be resolved
    except ValueError as error:
        raise EndpointError(f"{what}: expected https://host, got one that cannot be read: {error}") from error
    bare = parts.path in ("", "/") or (path and _PATH.fullmatch(parts.path) is not None)
    # Not quoted where there are credentials in it.
    if "@" in parts.netloc:
        raise EndpointError(f"{what}: expected https://host and nothing more, got one with a user name or password")
    if not parts.hostname or not bare or "?" in url or "#" in url:
        raise EndpointError(f"{what}: expected https://host and nothing more, got {url!r:.120}")
    if not url.isascii() or not url.isprintable() or " " in url or port == 0 or not _HOST.fullmatch(parts.hostname):
        raise EndpointError(f"{what}: expected printable ASCII, a host name and a port, got {url!r:.120}")
    if parts.scheme != "https" and not (plain_http and _is_loopback(parts)):
        raise EndpointError(f"{what}: expected https, got {parts.scheme!r:.20}", hint=plain_http_hint)
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"


def _is_loopback(parts: SplitResult) -> bool:
    if parts.scheme != "http":
        return False
    try:
        return ip_address(parts.hostname or "").is_loopback
    except ValueError:
        return False  # a name, which may resolve to anything
