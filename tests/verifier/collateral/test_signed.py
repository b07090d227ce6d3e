import pytest

from cvmproof.collateral.collateral import Collateral
from cvmproof.collateral.signed import read_any_signed, signed_collateral
from cvmproof_formats.errors import Malformed
from cvmproof_formats.tdx.signed_json import Signed, build_signed

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
