import httpx
import pytest

from cvmproof.http.body import BoundedBody
from cvmproof_formats.errors import CollateralError, CvmproofError, EndpointError


def body(limit: int = 4, refuse: type[CvmproofError] = EndpointError, **headers: str) -> BoundedBody:
    fields = httpx.Headers({name.replace("_", "-"): value for name, value in headers.items()})
    return BoundedBody(fields, what="x", limit=limit, refuse=refuse)


def test_chunks_are_put_together_up_to_the_limit() -> None:
    taken = body(content_length="4")
    assert [taken.take(chunk) for chunk in (b"ab", b"", b"cd")] == [2, 2, 4]
    assert taken.data == b"abcd"


@pytest.mark.parametrize("kind", [EndpointError, CollateralError])
def test_one_byte_more_is_refused_and_not_kept(kind: type[CvmproofError]) -> None:
    taken = body(refuse=kind)
    taken.take(b"abcd")
    with pytest.raises(kind, match="x: expected at most 4 bytes, got more"):
        taken.take(b"e")
    assert taken.data == b"abcd"


@pytest.mark.parametrize("length", ["5", "10000000000", "9" * 20])
def test_an_announced_length_above_the_limit_is_refused_before_anything_is_read(length: str) -> None:
    with pytest.raises(EndpointError, match=f"x: expected at most 4 bytes, got {length} announced"):
        body(content_length=length)


@pytest.mark.parametrize("length", ["", "-1", "5x", "0x5", "9" * 21])
def test_a_length_that_is_none_says_nothing(length: str) -> None:
    assert body(content_length=length).data == b""


@pytest.mark.parametrize("encoding", ["gzip", "br", "identity, gzip", "x" * 1000])
def test_an_encoded_body_is_refused(encoding: str) -> None:
    with pytest.raises(EndpointError, match="x: expected plain bytes, got them encoded") as caught:
        body(content_encoding=encoding)
    assert len(str(caught.value)) < 120
    assert body(content_encoding="identity").data == b""
