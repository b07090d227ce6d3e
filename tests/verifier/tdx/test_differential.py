"""Beside dcap-qvl, on thousands of changed inputs: never laxer, and each way in which we are stricter has its name.

The inputs made of simulated TDs are signed again after the change; those made of recorded ones can't be.
"""

import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest
from tests.verifier.tdx.differential import Input, ours, theirs
from tests.verifier.tdx.recorded_inputs import RECORDED
from tests.verifier.tdx.simulated_collateral import COLLATERALS
from tests.verifier.tdx.simulated_input import good_input
from tests.verifier.tdx.simulated_quotes import BODY, BODY_15, ENCLAVE, HEADER, QUOTES, Field

LEAST, LEAST_ACCEPTED, LEAST_OF_FIELD = 1000, 200, 10

# What dcap-qvl takes and we refuse: what we ask, and how the refusal reads. The first that is found counts.
STRICTER = {
    "reserved bytes of header and QE report are zero": r"^malformed: .*: reserved byte at",
    "the outer certification data says that it is of type 6": r"^malformed: certification data: type: expected 6",
    "lengths inside each other fit to the byte": r"^malformed: certification data.*: expected its end",
    "behind a quote there are zero bytes only": r"^malformed: quote: expected zero bytes behind its end",
    "PEM is blocks of certificates in lines of 64 columns that end in LF": r"^malformed: PEM",
    "the PCK chain has three certificates": r"^malformed: PCK chain: expected leaf, CA and root, got",
    "the PCK chain is in order": r"^malformed: PCK chain: expected leaf, CA and root in this order",
    "certificates have version 3 and one algorithm inside and out": (
        r"^malformed: (certificate version|signature algorithm)"
    ),
    "all of the QE's report data is as it should be": r"^tdx\.qe\.binding",
    "XFAM has x87 and SSE": r"^tdx\.xfam\.fixed",
    "the platform's PCEID is that of TCB info": r"^tdx\.tcb_info\.pceid",
    "signed JSON has known names only": r"^tdx\.\w+\.form: .* is not known here",
    "signed JSON has each name once": r"^tdx\.\w+\.form: .*expected each name once",
    "signed JSON is not nested deeply": r"^tdx\.\w+\.form: .*recursion",
    "times are spelled in one way": r"^tdx\.\w+\.form: .*expected a time like",
    "times are from 1970 on": r"^tdx\.\w+\.form: .*expected a time from 1970 on",
    "times exist": r"^tdx\.\w+\.form: .* does not exist",
    "TCB info has version 3, QE identity version 2": r"^tdx\.\w+\.form: \w+, version: expected",
    "tcbType is 0": r"^tdx\.tcb_info\.form: tcbType: expected 0",
    "PCEID has two bytes": r"^tdx\.tcb_info\.form: pceId: expected",
    "labels of components are texts": r"^tdx\.tcb_info\.form: (component, (category|type)|sgxtcbcomponents): expected",
    "there is one level for each SVN": r"^tdx\.\w+\.form: .*expected entries that differ",
    "the PCK certificate is in Intel's profile": r"^tdx\.pck\.profile",
    "the PCK CA is in Intel's profile": r"^tdx\.chain\.intermediate:",
    "the root is in Intel's profile": r"^tdx\.chain\.root:",
    "the root's certificate is signed": r"^tdx\.chain\.root_signature",
    "the root's certificate is valid at the time": r"^tdx\.chain\.validity",
    "the TCB signer is in Intel's profile": r"^tdx\.signer\.profile",
    "revocation lists have begun": r"^tdx\.(root|pck)_crl\.current",
}
# The same of what only damage to the recorded root certificate shows.
STRICTER_OF_RECORDED = STRICTER | {
    "the root's certificate is DER as X.509 has it": (
        r"^malformed: (DER|relative|name attribute|extensions|certificate)"
    ),
}
# What dcap-qvl refuses for its form, though it means what a right one means: field, and the change.
OTHER_FORMS = {
    "QE authentication data have a length of their own": (
        "QE authentication data",
        {f"{length} bytes" for length in (0, 1, 31, 33, 64, 1000)},
    ),
    "a PCESVN above 32767 has three bytes in DER": ("PCK, PCESVN", {"65535"}),
    "the highest level that fits counts, in whatever order the file has them (enclave)": (
        "QE identity, levels",
        {"reversed"},
    ),
    "the highest level that fits counts, in whatever order the file has them (module)": (
        "TCB info, module identities",
        {"levels reversed"},
    ),
    "certificates beside TCB info have no order, and strangers are passed over": (
        "signing chain",
        {"root first", "a stranger's first"},
    ),
    "revocation lists are told apart by who signed them": ("collateral", {"lists swapped"}),
    "the root is pinned by its key, whatever its organization": ("root", {"another organization"}),
}


class Comparison:
    """What came out of many inputs."""

    def __init__(self, stricter: dict[str, str]) -> None:
        self.stricter = {name: re.compile(pattern) for name, pattern in stricter.items()}
        self.inputs: Counter[str] = Counter()
        self.accepted = 0
        self.ways: Counter[str] = Counter()
        self.laxer: list[tuple[str, str, tuple[str, ...]]] = []
        self.others: list[tuple[str, str, object]] = []

    def add(self, given: Input) -> None:
        self.inputs[given.field] += 1
        they, we = theirs(given), ours(given)
        self.accepted += they.status is not None
        if they.status is None and we.status is not None:
            self.laxer.append((given.field, given.change, they.reasons))
        elif they.status is not None and we.status is None:
            self.name_way(given, we.reasons)
        elif they.status != we.status:
            self.others.append((given.field, given.change, (they.status, we.status)))

    def name_way(self, given: Input, reasons: tuple[str, ...]) -> None:
        way = next((name for name, pattern in self.stricter.items() if any(map(pattern.search, reasons))), None)
        if way is None:
            self.others.append((given.field, given.change, reasons))
        else:
            self.ways[way] += 1

    def require_enough(self) -> None:
        assert self.inputs.total() >= LEAST
        assert self.accepted >= LEAST_ACCEPTED
        assert {field: count for field, count in self.inputs.items() if count < LEAST_OF_FIELD} == {}


def compare(inputs: Iterable[Input], stricter: dict[str, str]) -> Comparison:
    comparison = Comparison(stricter)
    for given in inputs:
        comparison.add(given)
    return comparison


@pytest.fixture(scope="module")
def simulated() -> Comparison:
    return compare((given for make in (*QUOTES, *COLLATERALS) for given in make()), STRICTER)


@pytest.fixture(scope="module")
def real(recorded: Path) -> Comparison:
    return compare((given for make in RECORDED for given in make(recorded)), STRICTER_OF_RECORDED)


@pytest.mark.parametrize(("fields", "size"), [(HEADER, 48), (BODY, 584), ((*BODY, *BODY_15), 648), (ENCLAVE, 384)])
def test_the_fields_that_are_changed_are_all_there_are(fields: tuple[Field, ...], size: int) -> None:
    ends = [0, *(field.offset + field.size for field in fields)]
    assert [field.offset for field in fields] == ends[:-1]
    assert ends[-1] == size


@pytest.mark.parametrize("version", [4, 5])
def test_both_take_what_is_as_it_should_be(version: int) -> None:
    assert theirs(good_input(version)).status == ours(good_input(version)).status == "UpToDate"


def test_there_are_enough_simulated_inputs_of_each_field(simulated: Comparison) -> None:
    simulated.require_enough()


def test_there_are_enough_recorded_inputs_of_each_field(real: Comparison) -> None:
    real.require_enough()


def test_ac_060_nothing_that_dcap_qvl_refuses_of_recorded_inputs_is_accepted(real: Comparison) -> None:
    assert real.laxer == []


def test_ac_060_nothing_that_dcap_qvl_refuses_for_more_than_its_form_is_accepted(simulated: Comparison) -> None:
    known = {(field, change) for field, changes in OTHER_FORMS.values() for change in changes}
    found = {(field, change): reasons for field, change, reasons in simulated.laxer}
    assert {place: reasons for place, reasons in found.items() if place not in known} == {}
    assert known - found.keys() == set(), "dcap-qvl reads it too by now: take it off the list"


def test_ac_060_each_way_of_being_stricter_has_a_name(simulated: Comparison) -> None:
    assert simulated.others == []


def test_ac_060_each_way_of_being_stricter_with_recorded_inputs_has_a_name(real: Comparison) -> None:
    assert real.others == []


@pytest.mark.parametrize("way", STRICTER)
def test_ac_060_we_are_stricter_still_in_that(simulated: Comparison, way: str) -> None:
    assert simulated.ways[way] > 0, "it no longer occurs: take it off the list"


@pytest.mark.parametrize("way", sorted(STRICTER_OF_RECORDED.keys() - STRICTER.keys()))
def test_ac_060_we_are_stricter_still_in_that_with_recorded_inputs(real: Comparison, way: str) -> None:
    assert real.ways[way] > 0, "it no longer occurs: take it off the list"
