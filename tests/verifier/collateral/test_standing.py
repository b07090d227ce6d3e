"""From when until when what was verified holds, and which of two is the newer."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from cvmproof.collateral.intel_keys import EvaluationNumbersKey, IntelCertificatesKey, IntelCrlKey, TcbInfoKey
from cvmproof.collateral.keys import ChainKey, CrlKey, VcekKey
from cvmproof.collateral.standing import Standing, standing_of
from cvmproof.collateral.store import CollateralStore
from cvmproof_formats.errors import CollateralError
from cvmproof_formats.pem import write_pem
from cvmproof_formats.x509 import read_certificate
from cvmproof_simulator.ca import AmdCa
from cvmproof_simulator.psp import SoftwarePsp
from cvmproof_simulator.tdx.collateral import Collateral as Knowledge
from cvmproof_simulator.tdx.collateral import evaluation_numbers_response, simulated_evaluation_numbers

DAY = timedelta(days=1)
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("rank", "words"),
    [
        (None, ""),
        ((0, NOON), "2026-11-21 12:00:00"),
        ((20, NOON), "evaluation number 20 of 2026-11-21 12:00:00"),
    ],
)
def test_an_issue_is_said_by_number_and_date(rank: tuple[int, datetime] | None, words: str) -> None:
    assert Standing(begin=NOON, until=NOON, rank=rank).issue == words


# AMD's


def test_a_chain_holds_while_both_its_certificates_do_and_ranks_by_the_intermediate(
    store: CollateralStore, ca: AmdCa, chain: ChainKey, now: datetime
) -> None:
    begin, end = now - DAY, now + DAY
    younger = ca.with_ask(not_before=begin, not_after=end)
    pem = write_pem(younger.ask) + write_pem(younger.ark)
    assert standing_of(chain, pem, store) == Standing(begin=begin, until=end, rank=(0, begin))
    with pytest.raises(CollateralError, match="Milan"):
        standing_of(chain, write_pem(younger.ask), store)


def test_a_list_holds_until_the_next_and_ranks_by_its_date(
    filled: CollateralStore, ca: AmdCa, crl: CrlKey, now: datetime
) -> None:
    issued = now - DAY
    standing = standing_of(crl, ca.crl(issued), filled)
    assert (standing.begin, standing.rank) == (issued, (0, issued))
    assert standing.until > issued
    with pytest.raises(CollateralError, match="revocation list"):
        standing_of(crl, ca.ark, filled)


def test_a_chips_certificate_has_no_older_twin(filled: CollateralStore, psp: SoftwarePsp, vcek: VcekKey) -> None:
    leaf = read_certificate(psp.vek())
    assert standing_of(vcek, psp.vek(), filled) == Standing(begin=leaf.not_before, until=leaf.not_after)
    with pytest.raises(CollateralError, match="another's"):
        standing_of(vcek, SoftwarePsp(psp.product, chip_secret=b"another").vek(), filled)


# Intel's


def test_certificates_of_one_authority_hold_while_one_of_them_does(
    store: CollateralStore, knowledge: Knowledge, signer: IntelCertificatesKey, now: datetime
) -> None:
    first = knowledge.authorities.with_tcb_signing(not_before=now - 3 * DAY, not_after=now - DAY)
    second = knowledge.authorities.with_tcb_signing(not_before=now - 2 * DAY, not_after=now + DAY)
    for pair in ((first, second), (second, first)):
        standing = standing_of(signer, b"".join(write_pem(one.tcb_signing) for one in pair), store)
        assert standing == Standing(begin=now - 3 * DAY, until=now + DAY)


@pytest.mark.parametrize("days", [1, 100])
def test_a_list_of_intels_holds_no_longer_than_its_authoritys_certificate(
    days: int, store: CollateralStore, knowledge: Knowledge, pck_crl: IntelCrlKey, now: datetime
) -> None:
    ends = now + days * DAY
    ending = replace(knowledge, authorities=knowledge.authorities.with_platform(not_after=ends))
    store.put(pck_crl.chain, ending.pck_crl_chain, now)
    issued = ending.pck_crl_issued
    assert standing_of(pck_crl, ending.pck_crl, store) == Standing(
        begin=issued, until=min(ends, issued + 30 * DAY), rank=(0, issued)
    )


def test_tcb_info_ranks_by_number_before_date(
    intel_store: CollateralStore, knowledge: Knowledge, tcb_info: TcbInfoKey
) -> None:
    info = knowledge.tcb_info
    assert standing_of(tcb_info, knowledge.tcb_info_response, intel_store) == Standing(
        begin=info.issue_date, until=info.next_update, rank=(20, info.issue_date)
    )


def test_evaluation_numbers_have_none_of_their_own(
    intel_store: CollateralStore, knowledge: Knowledge, now: datetime
) -> None:
    numbers = simulated_evaluation_numbers(now, (19, 20))
    data = evaluation_numbers_response(knowledge.authorities, numbers)
    standing = standing_of(EvaluationNumbersKey(), data, intel_store)
    assert standing == Standing(begin=now, until=numbers.next_update, rank=(0, now))
    assert standing.issue == f"{now:%Y-%m-%d %H:%M:%S}"
