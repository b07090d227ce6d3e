from pathlib import PurePosixPath

import pytest

from cvmproof.collateral.intel_keys import (
    Authority,
    EvaluationNumbersKey,
    IntelCertificatesKey,
    IntelCrlKey,
    IntelKey,
    Issue,
    QeIdentityKey,
    TcbInfoKey,
    Update,
    wanted_for_platform,
)
from cvmproof.collateral.keys import key_at
from cvmproof_formats.errors import Malformed
from cvmproof_formats.tdx.hierarchy import Ca

FMSPC = bytes.fromhex("00a06d080000")
KEYS: dict[IntelKey, tuple[str, str]] = {
    IntelCrlKey(authority=Authority.ROOT): ("intel/root.crl", "/sgx/certification/v4/rootcacrl"),
    IntelCrlKey.of_ca(Ca.PLATFORM): (
        "intel/platform.crl", "/sgx/certification/v4/pckcrl?ca=platform&encoding=der"
    ),
    IntelCrlKey.of_ca(Ca.PROCESSOR): (
        "intel/processor.crl", "/sgx/certification/v4/pckcrl?ca=processor&encoding=der"
    ),
    TcbInfoKey(fmspc=FMSPC): (
        "intel/tcb/00a06d080000/standard.json", "/tdx/certification/v4/tcb?fmspc=00A06D080000&update=standard"
    ),
    TcbInfoKey(fmspc=FMSPC, issue=Update.EARLY): (
        "intel/tcb/00a06d080000/early.json", "/tdx/certification/v4/tcb?fmspc=00A06D080000&update=early"
    ),
    TcbInfoKey(fmspc=FMSPC, issue=17): (
        "intel/tcb/00a06d080000/17.json",
        "/tdx/certification/v4/tcb?fmspc=00A06D080000&tcbEvaluationDataNumber=17",
    ),
    QeIdentityKey(): ("intel/qe/standard.json", "/tdx/certification/v4/qe/identity?update=standard"),
    QeIdentityKey(issue=0): ("intel/qe/0.json", "/tdx/certification/v4/qe/identity?tcbEvaluationDataNumber=0"),
    EvaluationNumbersKey(): ("intel/evaluation_numbers.json", "/tdx/certification/v4/tcbevaluationdatanumbers"),
}  # fmt: skip


@pytest.mark.parametrize("key", KEYS, ids=str)
def test_each_object_has_one_path_and_one_address(key: IntelKey) -> None:
    assert (str(key.path), key.url_path) == KEYS[key]
    assert key_at(key.path) == key


@pytest.mark.parametrize("authority", Authority)
def test_certificates_have_a_path_and_no_address(authority: Authority) -> None:
    key = IntelCertificatesKey(authority=authority)
    assert str(key.path) == f"intel/{authority}.pem"
    assert key_at(key.path) == key == key.chain
    with pytest.raises(Malformed, match="nobody serves them alone"):
        _ = key.url_path


def test_ac_116_no_two_objects_share_a_path_or_a_name() -> None:
    every = [*KEYS, *(IntelCertificatesKey(authority=authority) for authority in Authority)]
    assert len({key.path for key in every}) == len({str(key) for key in every}) == len(every)


@pytest.mark.parametrize(
    "path",
    [
        "intel/tcb/00A06D080000/17.json", "intel/tcb/00a06d080000/017.json", "intel/tcb/00a06d080000/-1.json",
        "intel/tcb/00a06d080000/17", "intel/tcb/00a06d0800/17.json", "intel/tcb/../../x/17.json",
        "intel/tcb/00a06d080000/standard.json.json", "intel/tcb/00a06d080000/\u0661.json",
        "intel/tcb/00a06d080000/4294967296.json", "intel/tcb/00a06d080000/" + "9" * 5000 + ".json",
        "intel/qe/Standard.json", "intel/qe/ early.json", "intel/qe/.json", "intel/amd.pem", "intel/tcb_signing.crl",
        "intel/Root.pem", "intel/root", "intel/root.pem/x", "intel", "intel/evaluation_numbers", "",
        "intel/tcb/00a06d080000\0/17.json",
    ],
)  # fmt: skip
def test_ac_116_a_path_that_would_be_spelled_otherwise_is_no_name(path: str) -> None:
    assert key_at(PurePosixPath(path)) is None


@pytest.mark.parametrize("fmspc", [b"", bytes(5), bytes(7), bytes(10_000), "00806F050000", None, b"../../"[:5]])
def test_ac_116_an_fmspc_is_six_bytes(fmspc: bytes) -> None:
    with pytest.raises(Malformed, match="FMSPC: expected 6 bytes"):
        TcbInfoKey(fmspc=fmspc)


@pytest.mark.parametrize("issue", [-1, 2**32, True, "standard", "../x", 1.0, None])
def test_ac_116_an_issue_is_a_channel_or_a_number(issue: Issue) -> None:
    for make in (lambda: TcbInfoKey(fmspc=FMSPC, issue=issue), lambda: QeIdentityKey(issue=issue)):
        with pytest.raises(Malformed, match="evaluation number: expected 0 to"):
            make()


def test_ac_116_an_authority_is_one_of_intels() -> None:
    for make in (
        lambda: IntelCertificatesKey(authority="../x"),  # type: ignore[arg-type]  # that is the point
        lambda: IntelCrlKey(authority="root"),  # type: ignore[arg-type]  # that is the point
        lambda: IntelCrlKey.of_ca("platform"),  # type: ignore[arg-type]  # that is the point
    ):
        with pytest.raises(Malformed, match="expected one of"):
            make()


def test_the_signer_of_tcb_info_has_no_list() -> None:
    with pytest.raises(Malformed, match="expected the root's or a PCK CA's"):
        IntelCrlKey(authority=Authority.TCB_SIGNING)


@pytest.mark.parametrize("ca", Ca)
def test_a_platform_wants_signer_lists_tcb_info_and_identity(ca: Ca) -> None:
    assert wanted_for_platform(fmspc=FMSPC, ca=ca, issue=18) == (
        IntelCertificatesKey(authority=Authority.TCB_SIGNING),
        IntelCrlKey(authority=Authority.ROOT),
        IntelCrlKey(authority=Authority(ca.value)),
        TcbInfoKey(fmspc=FMSPC, issue=18),
        QeIdentityKey(issue=18),
    )


def test_what_is_verified_under_what() -> None:
    signer = IntelCertificatesKey(authority=Authority.TCB_SIGNING)
    assert {key.chain for key in (TcbInfoKey(fmspc=FMSPC), QeIdentityKey(), EvaluationNumbersKey())} == {signer}
    assert IntelCrlKey.of_ca(Ca.PROCESSOR).chain == IntelCertificatesKey(authority=Authority.PROCESSOR)
