"""What evidence says, in its own words."""

from tests.verifier.snp.situation import Situation, snp_claims

from cvmproof_formats.snp.product import KeyKind, ProductLine
from cvmproof_formats.snp.tcb import Tcb


def test_claims_name_product_part_key_and_provider() -> None:
    claims = snp_claims(Situation().appraise())
    assert claims.product is ProductLine.GENOA
    assert claims.part is not None
    assert claims.part.name == "Genoa"
    assert (claims.key, claims.csp_id) == (KeyKind.VCEK, None)
    assert snp_claims(Situation(key=KeyKind.VLEK, csp_id="CN=one").appraise()).csp_id == "CN=one"


def test_a_version_2_report_is_of_its_keys_line_and_of_no_part() -> None:
    claims = snp_claims(Situation(version=2, product=ProductLine.MILAN).appraise())
    assert (claims.product, claims.part) == (ProductLine.MILAN, None)


def test_a_tcb_is_read_in_its_lines_layout_or_not_at_all() -> None:
    claims = snp_claims(Situation().appraise())
    assert claims.tcb(claims.report.reported_tcb) == Tcb(boot_loader=10, tee=0, snp=27, microcode=86)
    assert claims.tcb(bytes([0, 0, 1, 0, 0, 0, 0, 0])) is None
    unknown = snp_claims(Situation(version=2, without=frozenset({"leaf"})).appraise())
    assert unknown.tcb(unknown.report.reported_tcb) is None
