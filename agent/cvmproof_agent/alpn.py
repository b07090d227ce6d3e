"""Chooses the protocol of a TLS connection (ALPN, RFC 7301) in a callback that needs no writable executable memory.

pyOpenSSL's own callbacks are made by cffi, which maps memory both writable and executable for them, and for their sake
the whole process would have to be allowed that. The standard library's ctypes makes its own without, so the callback
is made there, and cffi only passes its address on to OpenSSL. docs/deployment.md
"""

import ctypes
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from OpenSSL import SSL
from OpenSSL._util import ffi, lib

# SSL_CTX_set_alpn_select_cb(3): connection, what is chosen and its length, what is offered and its length, argument.
_SIGNATURE: Final = "int (*)(SSL *, unsigned char **, unsigned char *, const unsigned char *, unsigned int, void *)"
_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int,
    ctypes.c_void_p,
    ctypes.POINTER(ctypes.c_void_p),
    ctypes.POINTER(ctypes.c_ubyte),
    ctypes.c_void_p,
    ctypes.c_uint,
    ctypes.c_void_p,
)
_CHOSEN, _NONE = 0, 3  # SSL_TLSEXT_ERR_OK, SSL_TLSEXT_ERR_NOACK: go on without a protocol
_made: list[object] = []  # OpenSSL keeps addresses, of callbacks and of the names they give, so neither may ever go


def choose(context: SSL.Context, protocols: Sequence[bytes]) -> None:
    """Let connections of this context speak the first of these that the client offers, or none."""
    callback = _Callback(_choosing(protocols))
    _made.append(callback)
    address = ctypes.cast(callback, ctypes.c_void_p).value
    lib.SSL_CTX_set_alpn_select_cb(context._context, ffi.cast(_SIGNATURE, address), ffi.NULL)  # noqa: SLF001 -- pyOpenSSL has no other name for it


def _choosing(protocols: Sequence[bytes]) -> Callable[..., int]:
    names = {name: ctypes.create_string_buffer(name, len(name)) for name in protocols}
    _made.append(names)

    def choose_one(
        _: int,
        out: "ctypes._Pointer[ctypes.c_void_p]",
        size: "ctypes._Pointer[ctypes.c_ubyte]",
        offered: int,
        length: int,
        __: int,
    ) -> int:
        wanted = set(_offered(ctypes.string_at(offered, length)))
        for name, buffer in names.items():
            if name in wanted:
                out[0], size[0] = ctypes.c_void_p(ctypes.addressof(buffer)), ctypes.c_ubyte(len(name))
                return _CHOSEN
        return _NONE

    return choose_one


def _offered(data: bytes) -> Iterator[bytes]:
    """Read a list of names, each behind its length of one byte; OpenSSL has looked at it already."""
    at = 0
    while at < len(data):
        end = at + 1 + data[at]
        yield data[at + 1 : end]
        at = end
