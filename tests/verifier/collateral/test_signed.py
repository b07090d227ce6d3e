import re
from dataclasses import replace

import pytest

from cvmproof.collateral.collateral import Collateral
from cvmproof.collateral.intel_keys import QeIdentityKey, TcbInfoKey
from cvmproof.collateral.keys import Wanted
from cvmproof.collateral.signed import read_any_signed, signed_collateral, signed_for
from cvmproof_formats.errors import Malformed
from cvmproof_formats.tdx.signed_json import Signed, build_signed, read_signed
from cvmproof_simulator.tdx.collateral import Collateral as Knowledge

SIGNED = Signed(body=b'{"a":1}', signature=bytes(64))


def test_each_object_is_known_by_its_name() -> None:
    for name in ("tcbInfo", "enclaveIdentity", "tcbEvaluationDataNumbers"):
        assert read_any_signed(build_signed(name, SIGNED)) == (name, SIGNED)


def test_the_appraisal_is_given_what_it_knows() -> None:
    assert signed_collateral(build_signed("tcbInfo", SIGNED)) == Collateral(tcb_infos=(SIGNED,))
    assert signed_collateral(build_signed("enclaveIdentity", SIGNED)) == Collateral(qe_identities=(SIGNED,))
    assert signed_collateral(build_signed("tcbEvaluationDataNumbers", SIGNED)) == Collateral()


@pytest.mark.parametrize(
    "data",
    [
        b"", b"{}", b"[]", b"null", b'{"other":{},"signature":"' + b"0" * 128 + b'"}', b'{"tcbInfo":{}}',
        build_signed("tcbInfo", SIGNED) + b"x", build_signed("tcbInfo", SIGNED)[:-1],
        b'{"signature":"' + b"0" * 128 + b'","tcbInfo":{}}', b'{"tcbInfo":{},"signature":"00"}',
    ],
)  # fmt: skip
def test_ac_053_another_form_is_refused_and_given_to_nobody(data: bytes) -> None:
    with pytest.raises(Malformed):
        read_any_signed(data)
    assert signed_collateral(data) == Collateral()


def test_ac_053_an_object_is_named_in_the_first_64_bytes_or_by_nobody() -> None:
    data = build_signed("tcbInfo", SIGNED)
    last = b"{" + b" " * (64 - len(b'{"tcbInfo"')) + data[1:]
    assert read_any_signed(last) == ("tcbInfo", SIGNED)
    words = "signed JSON: expected tcbInfo, enclaveIdentity, tcbEvaluationDataNumbers as its first name"
    with pytest.raises(Malformed, match=f"^{re.escape(words)}, got another form$"):
        read_any_signed(b"{ " + last[1:])


# Loose files: what is about the platforms that are wanted


def loose(knowledge: Knowledge) -> tuple[tuple[str, Signed], ...]:
    info = read_signed(knowledge.tcb_info_response, "tcbInfo")
    identity = read_signed(knowledge.qe_identity_response, "enclaveIdentity")
    return ("enclaveIdentity", identity), ("tcbInfo", info), ("tcbEvaluationDataNumbers", SIGNED)


def test_only_what_is_wanted_is_given_out(
    knowledge: Knowledge, tcb_info: TcbInfoKey, qe_identity: QeIdentityKey
) -> None:
    found = loose(knowledge)
    infos = Collateral(tcb_infos=(found[1][1],))
    identities = Collateral(qe_identities=(found[0][1],))
    cases: tuple[tuple[set[Wanted], Collateral], ...] = (
        (set(), Collateral()),
        ({tcb_info}, infos),
        ({replace(tcb_info, issue=5)}, infos),  # any issue of that platform is for the appraisal to judge
        ({TcbInfoKey(fmspc=bytes(6))}, Collateral()),
        ({qe_identity}, identities),
        ({TcbInfoKey(fmspc=bytes(6)), qe_identity}, identities),
        ({TcbInfoKey(fmspc=bytes(6)), tcb_info, qe_identity}, infos.merged(identities)),
    )
    for wanted, expected in cases:
        assert signed_for(found, frozenset(wanted)) == expected


def test_tcb_info_that_can_not_be_read_is_given_to_nobody(tcb_info: TcbInfoKey) -> None:
    assert signed_for((("tcbInfo", SIGNED),), frozenset({tcb_info})) == Collateral()
