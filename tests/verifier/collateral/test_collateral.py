from cvmproof.collateral.collateral import Collateral, Crl
from cvmproof_formats.snp.product import KeyKind
from cvmproof_formats.tdx.signed_json import Signed


def test_merging_keeps_order_and_each_object_once() -> None:
    first = Collateral(certificates=(b"a", b"b"), crls=(Crl(der=b"x", kind=KeyKind.VCEK),))
    second = Collateral(certificates=(b"b", b"c"), crls=(Crl(der=b"x", kind=KeyKind.VCEK), Crl(der=b"x")))
    merged = first.merged(second)
    assert merged.certificates == (b"a", b"b", b"c")
    assert merged.crls == (Crl(der=b"x", kind=KeyKind.VCEK), Crl(der=b"x"))


def test_merging_with_nothing_changes_nothing() -> None:
    one = Collateral(certificates=(b"a",), crls=(Crl(der=b"x"),))
    assert one.merged() == one == Collateral().merged(one)


def test_merging_keeps_each_of_intels_objects_once_and_in_order() -> None:
    old, new = (Signed(body=body, signature=bytes(64)) for body in (b"{1}", b"{2}"))
    one = Collateral(intel_crls=(b"a",), tcb_infos=(old,), qe_identities=(new,))
    other = Collateral(intel_crls=(b"b", b"a"), tcb_infos=(new, old), qe_identities=(new, old))
    assert one.merged(other, Collateral()) == Collateral(
        intel_crls=(b"a", b"b"), tcb_infos=(old, new), qe_identities=(new, old)
    )
