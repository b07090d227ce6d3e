"""What became of a request that got no answer, in words."""

import ssl

from cvmproof_formats.errors import EndpointError


def why(error: BaseException) -> str:
    """Say what went wrong; never empty."""
    return str(error) or type(error).__name__


def untrusted_certificate(error: BaseException, what: str) -> EndpointError | None:
    """Make the error for a server that could not prove its name, if that is what happened."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return EndpointError(f"{what}: the server's certificate is not trusted: {cause.verify_message}")
        cause = cause.__cause__ or cause.__context__
    return None
