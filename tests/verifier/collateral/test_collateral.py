from cvmproof.collateral.collateral import Collateral, Crl
from cvmproof_formats.snp.product import KeyKind


def test_merging_keeps_order_and_each_object_once() -> None:
    first = Collateral(certificates=(b"a", b"b"), crls=(Crl(der=b"x", kind=KeyKind.VCEK),))
    second = Collateral(certificates=(b"b", b"c"), crls=(Crl(der=b"x", kind=KeyKind.VCEK), Crl(der=b"x")))
    merged = first.merged(second)
    assert merged.certificates == (b"a", b"b", b"c")
    assert merged.crls == (Crl(der=b"x", kind=KeyKind.VCEK), Crl(der=b"x"))


def test_merging_with_nothing_changes_nothing() -> None:
    one = Collateral(certificates=(b"a",), crls=(Crl(der=b"x"),))
    assert one.merged() == one == Collateral().merged(one)
