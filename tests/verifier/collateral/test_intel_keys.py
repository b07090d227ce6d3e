import re
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


def test_each_object_is_named_for_people() -> None:
    assert [str(key) for key in KEYS] == [
        "Intel root revocation list",
        "Intel PCK Platform CA revocation list",
        "Intel PCK Processor CA revocation list",
        "TCB info of FMSPC 00A06D080000, standard",
        "TCB info of FMSPC 00A06D080000, early",
        "TCB info of FMSPC 00A06D080000, evaluation number 17",
        "TD QE identity, standard",
        "TD QE identity, evaluation number 0",
        "TCB evaluation data numbers",
    ]
    assert str(IntelCertificatesKey(authority=Authority.TCB_SIGNING)) == "Intel TCB signing certificates"


@pytest.mark.parametrize(
    ("fmspc", "got"),
    [
        (b"", "0 bytes"), (bytes(5), "5 bytes"), (bytes(7), "7 bytes"), (bytes(10_000), "10000 bytes"),
        ("00806F050000", "str"), (None, "NoneType"), (b"../../"[:5], "5 bytes"),
    ],
)  # fmt: skip
def test_ac_116_an_fmspc_is_six_bytes(fmspc: bytes, got: str) -> None:
    with pytest.raises(Malformed, match=f"^FMSPC: expected 6 bytes, got {got}$"):
        TcbInfoKey(fmspc=fmspc)


@pytest.mark.parametrize("issue", [-1, 2**32, True, "standard", "../x", 1.0, None, "x" * 21])
def test_ac_116_an_issue_is_a_channel_or_a_number(issue: Issue) -> None:
    words = f"evaluation number: expected 0 to 4294967295, got {str(issue)[:20]!r}"
    for make in (lambda: TcbInfoKey(fmspc=FMSPC, issue=issue), lambda: QeIdentityKey(issue=issue)):
        with pytest.raises(Malformed, match=f"^{re.escape(words)}$"):
            make()


@pytest.mark.parametrize("issue", [0, 2**32 - 1])
def test_any_number_of_32_bits_is_an_issue(issue: int) -> None:
    assert key_at(TcbInfoKey(fmspc=FMSPC, issue=issue).path) == TcbInfoKey(fmspc=FMSPC, issue=issue)


def test_ac_116_an_authority_is_one_of_intels() -> None:
    every, cas = "['root', 'platform', 'processor', 'tcb_signing']", "['platform', 'processor']"
    for make, words in (
        (lambda: IntelCertificatesKey(authority="../x"), f"authority: expected one of {every}, got str"),  # type: ignore[arg-type]  # that is the point
        (lambda: IntelCrlKey(authority="root"), f"authority: expected one of {every}, got str"),  # type: ignore[arg-type]  # that is the point
        (lambda: IntelCrlKey.of_ca("platform"), f"PCK CA: expected one of {cas}, got str"),  # type: ignore[arg-type]  # that is the point
    ):
        with pytest.raises(Malformed, match=f"^{re.escape(words)}$"):
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
