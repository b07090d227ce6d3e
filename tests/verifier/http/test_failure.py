import ssl

import pytest

from cvmproof.http.failure import untrusted_certificate, why
from cvmproof_formats.errors import Category, EndpointError


def certificate_error() -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_message = "self-signed certificate"
    return error


def wrapped(error: Exception, *, implicit: bool = False) -> Exception:
    """Wrap an error as the layers of an HTTP library do."""
    outer = RuntimeError("outer")
    if implicit:
        outer.__context__ = error
    else:
        outer.__cause__ = error
    return outer


@pytest.mark.parametrize("implicit", [False, True])
@pytest.mark.parametrize("depth", [0, 1, 3])
def test_a_certificate_that_is_not_trusted_is_found_below_other_errors(depth: int, implicit: bool) -> None:
    error: Exception = certificate_error()
    for _ in range(depth):
        error = wrapped(error, implicit=implicit)
    found = untrusted_certificate(error, "https://a.example")
    assert isinstance(found, EndpointError)
    assert str(found) == "https://a.example: the server's certificate is not trusted: self-signed certificate"
    assert found.category is Category.ENDPOINT


@pytest.mark.parametrize("error", [OSError("reset"), ssl.SSLError(1, "wrong version number"), wrapped(OSError("x"))])
def test_any_other_failure_is_none(error: Exception) -> None:
    assert untrusted_certificate(error, "x") is None


def test_a_failure_without_words_has_its_name() -> None:
    assert why(TimeoutError()) == "TimeoutError"
    assert why(OSError("reset")) == "reset"
