"""The root of Intel's hierarchy: known ones are read once, and nothing else is taken for one of them."""

from dataclasses import replace

import pytest
from tests.verifier.tdx.situation import ATTACKER, STRANGER, Situation

from cvmproof.tdx import root as root_module
from cvmproof.tdx.chain import PckChain, examine_pck_chain
from cvmproof.tdx.link import root_key
from cvmproof.tdx.root import cut_root, examine_root, known_root, written_root
from cvmproof.trust import INTEL_ROOT_KEYS, KNOWN_ROOTS, TrustRoots
from cvmproof_formats.errors import Category, Malformed
from cvmproof_formats.pem import write_pem
from cvmproof_formats.tdx.quote import read_quote
from cvmproof_formats.x509 import read_certificate
from cvmproof_simulator.tdx.ca import IntelCa

GOOD = Situation()
CHAIN = read_quote(GOOD.signed_quote).qe.pck_chain.rstrip(b"\0")
ROOT = IntelCa().root
TEXT = write_pem(ROOT)
STRANGERS = replace(GOOD, root={"signed_by": STRANGER}).authorities.root


def test_ac_091_a_root_that_is_known_is_the_same_object_for_the_same_bytes() -> None:
    assert examine_root(bytes(bytearray(ROOT))) is examine_root(ROOT) is known_root(ROOT)


def test_a_root_that_is_known_is_found_right() -> None:
    found = examine_root(ROOT)
    assert (found.certificate, found.problem, found.signature_problem) == (read_certificate(ROOT), "", "")
    assert found.pinned_in == "simulated"


def test_a_root_of_the_same_key_that_is_not_known_is_examined() -> None:
    longer = IntelCa().with_root(path_length=7).root
    assert "its basic constraints" in examine_root(longer).problem
    assert examine_root(longer).pinned_in == "simulated"
    assert examine_root(STRANGERS).signature_problem == "its signature is not the issuer's"
    strange = examine_root(IntelCa(ATTACKER).root)
    assert (strange.pinned_in, strange.problem, strange.signature_problem) == (None, "", "")


def test_what_is_no_certificate_is_no_root() -> None:
    with pytest.raises(Malformed):
        examine_root(ROOT[:-1])


def test_a_known_root_is_cut_off_the_end_of_a_chain() -> None:
    rest, root = cut_root(CHAIN)
    assert root is not None
    assert (rest + TEXT, root.certificate, root.pinned_in) == (CHAIN, read_certificate(ROOT), "simulated")


@pytest.mark.parametrize(
    "chain",
    [
        pytest.param(write_pem(ROOT), id="nothing before it"),
        pytest.param(CHAIN[:-1], id="no line break at the end"),
        pytest.param(CHAIN + b"\n", id="an empty line behind"),
        pytest.param(CHAIN[: -len(TEXT) - 1] + TEXT, id="no line break before it"),
        pytest.param(CHAIN[: -len(TEXT)] + write_pem(STRANGERS), id="another root"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_anything_else_is_left_as_it_is(chain: bytes) -> None:
    assert cut_root(chain) == (chain, None)


def parts(chain: PckChain) -> tuple[object, ...]:
    return chain.certificates, chain.root.pinned_in, chain.leaf_problem, chain.leaf_signature_problem


@pytest.mark.parametrize("chain", [CHAIN, CHAIN + b"\0", CHAIN + b"\n", CHAIN[:-1]])
def test_ac_091_a_chain_is_the_same_whether_its_root_was_read_before_or_not(
    chain: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_it = examine_pck_chain.__wrapped__(chain)
    monkeypatch.setattr(root_module, "written_root", lambda _: None)
    assert parts(examine_pck_chain.__wrapped__(chain)) == parts(with_it)


def test_a_chain_in_which_the_root_does_not_begin_a_line_is_refused_as_before() -> None:
    with pytest.raises(Malformed, match="PEM at offset"):
        examine_pck_chain(CHAIN[: -len(TEXT) - 1] + TEXT)


@pytest.mark.parametrize("count", [0, 1, 3])
def test_above_a_known_root_there_are_two_or_it_is_no_chain(count: int) -> None:
    leaf = CHAIN[: CHAIN.index(b"-----BEGIN", 1)]
    with pytest.raises(Malformed, match=f"expected leaf, CA and root, got {count + 1}") as caught:
        examine_pck_chain(leaf * count + write_pem(ROOT))
    assert caught.value.category is Category.CHAIN


def test_ac_091_no_more_is_kept_than_is_compiled_in() -> None:
    assert known_root.cache_parameters()["maxsize"] == len(KNOWN_ROOTS)
    assert root_key.cache_parameters()["maxsize"] == len(INTEL_ROOT_KEYS)
    assert root_key(TrustRoots.simulated().intel_root) is root_key(bytes(bytearray(TrustRoots.simulated().intel_root)))
    assert 0 < written_root.cache_parameters()["maxsize"] <= 2 * len(KNOWN_ROOTS)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        write_pem(STRANGERS),
        write_pem(ROOT)[:-1],
        write_pem(ROOT) + b"\n",
        write_pem(ROOT) * 2,
        write_pem(ROOT[:-1]),
    ],
)
def test_any_other_text_is_that_of_no_known_root(text: bytes) -> None:
    assert written_root(text) is None
    assert written_root(TEXT) is not None
