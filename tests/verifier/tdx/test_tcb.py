"""The state of a TD's TCB, by every status of its parts, at launch and now, through the whole appraisal and alone."""

from dataclasses import replace
from datetime import UTC, datetime
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.verifier.snp.situation import ids_of_no, ids_of_open
from tests.verifier.tdx.situation import ISSUED, Situation, assert_accepted, assert_refused, claims_of

from cvmproof.appraisal import Verdict
from cvmproof.tdx.tcb import Rating, TdRating, rate, rate_once
from cvmproof_formats.errors import Category
from cvmproof_formats.tdx.tcb_info import ModuleIdentity, PlatformLevel, TdxModule
from cvmproof_formats.tdx.tcb_level import SvnLevel
from cvmproof_formats.tdx.tcb_status import PART_STATUSES, PLATFORM_STATUSES, TcbStatus
from cvmproof_formats.tdx.tee_tcb_svn import TeeTcbSvn
from cvmproof_simulator.tdx.collateral import platform_level, simulated_qe_identity, simulated_tcb_info
from cvmproof_simulator.tdx.platform import PCESVNS, QE_SVNS, SIMULATED_COMPONENTS, SoftwarePlatform
from cvmproof_simulator.tdx.td import MODULE_SVNS, SoftwareModule

S = TcbStatus
GOOD = Situation()
FIFTH = Situation(version=5)
INFO, IDENTITY = simulated_tcb_info(ISSUED), simulated_qe_identity(ISSUED)
PCK = SoftwarePlatform().identity
NEWEST = SoftwareModule().tee_tcb_svn
QE_SVN = QE_SVNS[S.UP_TO_DATE]
FIRST, SECOND, THIRD = (datetime(year, 1, 1, tzinfo=UTC) for year in (2024, 2025, 2026))
CONFIGURATION = {S.CONFIGURATION_NEEDED, S.CONFIGURATION_AND_SW_HARDENING_NEEDED, S.OUT_OF_DATE_CONFIGURATION_NEEDED}
EVERY_PLATFORM = (*sorted(PLATFORM_STATUSES), S.NOT_SUPPORTED)
EVERY_PART = (*sorted(PART_STATUSES), S.NOT_SUPPORTED)


def worst(platform: TcbStatus, *parts: TcbStatus) -> TcbStatus:
    """What the parts come to: Intel's rules, written down a second time."""
    if S.NOT_SUPPORTED in (platform, *parts):
        return S.NOT_SUPPORTED
    if S.REVOKED in (platform, *parts):
        return S.REVOKED
    if S.OUT_OF_DATE not in parts:
        return platform
    return S.OUT_OF_DATE_CONFIGURATION_NEEDED if platform in CONFIGURATION else S.OUT_OF_DATE


def rating_of(situation: Situation) -> TdRating:
    rating = claims_of(situation).rating
    assert rating is not None
    return rating


def refusing(status: TcbStatus) -> list[str]:
    """What says no to a status under every policy."""
    return {S.NOT_SUPPORTED: ["tdx.tcb.level"], S.REVOKED: ["tdx.tcb.revoked"]}.get(status, [])


def assert_rated(situation: Situation, platform: TcbStatus, module: TcbStatus | None, qe: TcbStatus) -> None:
    """Rated as its parts are; genuine unless Intel says no; taken by a policy for the newest alone if it is that."""
    parts = (module, qe) if module else (qe,)
    status = worst(platform, *parts)
    launch = rating_of(situation).launch
    found = (launch.status, launch.platform, launch.module, launch.qe)
    assert found == ((status, None, None, None) if status is S.NOT_SUPPORTED else (status, platform, module, qe))
    assert (launch.tcb_date is None) is (status is S.NOT_SUPPORTED)
    assert ids_of_no(situation.appraise()) == refusing(status)
    strict = replace(situation, rules={"tcb_statuses": ["UpToDate"]}).appraise()
    refused = refusing(status) or ["tdx.tcb.status"] * (status is not S.UP_TO_DATE)
    assert (ids_of_no(strict), ids_of_open(strict)) == (refused, [])
    assert strict.verdict is (Verdict.REJECTED if refused else Verdict.ACCEPTED)


@pytest.mark.parametrize("platform", EVERY_PLATFORM)
def test_ac_041_every_status_of_platform_module_and_enclave_by_what_they_are(platform: TcbStatus) -> None:
    for module, qe in product(EVERY_PART, EVERY_PART):
        situation = Situation(
            machine={"pcesvn": PCESVNS[platform], "qe_svn": QE_SVNS[qe]}, module=SoftwareModule.rated(module)
        )
        assert_rated(situation, platform, module, qe)


@pytest.mark.parametrize("platform", EVERY_PLATFORM)
def test_ac_041_every_status_of_platform_module_and_enclave_by_what_intel_says(platform: TcbStatus) -> None:
    for module, qe in product(EVERY_PART, EVERY_PART):
        situation = Situation(rating={"platform": platform, "module": module, "quoting_enclave": qe})
        assert_rated(situation, platform, module, qe)


@pytest.mark.parametrize("version", MODULE_SVNS)
@pytest.mark.parametrize("status", EVERY_PART)
def test_ac_041_each_version_of_the_module_has_levels_of_its_own(version: int, status: TcbStatus) -> None:
    assert_rated(Situation(module=SoftwareModule.rated(status, version=version)), S.UP_TO_DATE, status, S.UP_TO_DATE)


@pytest.mark.parametrize("status", EVERY_PLATFORM)
def test_a_module_without_a_version_is_not_rated_for_itself(status: TcbStatus) -> None:
    for version in (4, 5):
        unversioned = Situation(
            version=version, module=SoftwareModule(version=0, svn=5), machine={"pcesvn": PCESVNS[status]}
        )
        assert_rated(unversioned, status, None, S.UP_TO_DATE)


def test_the_bodies_of_version_5_are_rated_at_launch_and_the_longer_one_now_as_well() -> None:
    for version, body_type, rated_now in ((4, 2, False), (5, 2, False), (5, 3, True)):
        situation = Situation(version=version, quote={"body_type": body_type})
        assert_accepted(situation)
        assert (rating_of(situation).current is not None) is rated_now
        assert claims_of(situation).quote.body_type == body_type


# --- launch and now ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("platform", sorted(PLATFORM_STATUSES))
def test_ac_041_every_status_of_the_module_at_launch_and_now(platform: TcbStatus) -> None:
    for launch, current in product(EVERY_PART, EVERY_PART):
        situation = replace(
            FIFTH,
            machine={"pcesvn": PCESVNS[platform]},
            launched_by=SoftwareModule.rated(launch),
            module=SoftwareModule.rated(current),
        )
        rating, expected = rating_of(situation), after_update(worst(platform, launch), worst(platform, current))
        assert rating.status is expected
        assert rating.current is not None
        assert (rating.launch.status, rating.current.status) == (worst(platform, launch), worst(platform, current))
        assert ids_of_no(situation.appraise()) == refusing(expected)


def after_update(launch: TcbStatus, current: TcbStatus) -> TcbStatus:
    """What launch and now come to: Intel's rules, written down a second time, and no level or revoked now counts."""
    for status in (S.NOT_SUPPORTED, S.REVOKED):
        if status in (launch, current):
            return status
    if launch.startswith("OutOfDate") and not current.startswith("OutOfDate"):
        configuration = {launch, current} & CONFIGURATION
        return S.TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED if configuration else S.TD_RELAUNCH_ADVISED
    return launch


def test_a_td_whose_module_was_updated_since_should_be_launched_anew() -> None:
    stale = SoftwareModule.rated(S.OUT_OF_DATE)
    updated = replace(FIFTH, launched_by=stale, rules={"tcb_statuses": ["UpToDate"]})
    assert_refused(updated, Category.TCB, "tdx.tcb.status")
    assert_accepted(replace(updated, rules={"tcb_statuses": ["UpToDate", "TDRelaunchAdvised"]}))
    configured = replace(updated, rating=None, machine={"pcesvn": PCESVNS[S.CONFIGURATION_NEEDED]})
    assert rating_of(configured).status is S.TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED
    # A version 4 quote does not say what runs now.
    assert rating_of(replace(updated, version=4, quote={"body_type": 2})).status is S.OUT_OF_DATE


def test_what_does_not_fit_now_is_no_level_either() -> None:
    now_unknown = replace(FIFTH, launched_by=SoftwareModule(), module=SoftwareModule.rated(S.NOT_SUPPORTED))
    assert_refused(now_unknown, Category.TCB, "tdx.tcb.level")
    rating = rating_of(now_unknown)
    assert (rating.launch.missing, rating.current and rating.current.missing) == ("", "TDX module TDX_01")


# --- what fits --------------------------------------------------------------------------------------------------------


def rated(svn: bytes = NEWEST, qe_svn: int = QE_SVN, **changes: object) -> Rating:
    """Rate the ordinary machine, its PCK certificate or Intel's levels changed."""
    info = replace(INFO, **{k: v for k, v in changes.items() if k in {"levels", "module_identities"}})  # type: ignore[arg-type]  # as stated by each test
    pck = replace(PCK, **{k: v for k, v in changes.items() if k in {"components", "pcesvn"}})  # type: ignore[arg-type]  # as above
    identity = replace(IDENTITY, levels=changes.get("qe_levels", IDENTITY.levels))  # type: ignore[arg-type]  # as above
    return rate_once(info, identity, pck, TeeTcbSvn.read(svn), qe_svn)


def test_ac_038_with_a_module_version_the_first_two_components_are_the_modules() -> None:
    level = platform_level(S.UP_TO_DATE, pcesvn=13, tdx=bytes((9, 9, 4)).ljust(16, b"\0"))
    assert rated(levels=(level,)).platform is S.UP_TO_DATE
    unversioned = bytes((9, 0, 4)).ljust(16, b"\0")
    assert rated(unversioned, levels=(level,)).missing == "platform"
    fits = replace(level, tdx=unversioned)
    assert rated(unversioned, levels=(fits,)).platform is S.UP_TO_DATE
    assert rated(bytes((8, 0, 4)).ljust(16, b"\0"), levels=(fits,)).missing == "platform"


@pytest.mark.parametrize("svn", [NEWEST, bytes((5, 0, 4)).ljust(16, b"\0")], ids=["TDX 1.5", "TDX 1.0"])
@pytest.mark.parametrize("index", range(16))
def test_ac_038_every_other_component_of_tee_tcb_svn_must_reach_the_level(svn: bytes, index: int) -> None:
    wanted = bytes(value + (index == i) for i, value in enumerate(svn))
    platforms = index >= 2 or not svn[1]
    level = platform_level(S.UP_TO_DATE, pcesvn=13, tdx=wanted)
    assert rated(svn, levels=(level,)).missing == ("platform" if platforms else "")
    assert rated(svn, levels=(replace(level, tdx=svn),)).missing == ""


@pytest.mark.parametrize("index", range(16))
def test_every_component_of_the_certificate_must_reach_the_level(index: int) -> None:
    wanted = bytes(value + (index == i) for i, value in enumerate(SIMULATED_COMPONENTS))
    levels = (platform_level(S.UP_TO_DATE, pcesvn=13, sgx=wanted),)
    assert rated(levels=levels).missing == "platform"
    assert rated(levels=levels, components=wanted).platform is S.UP_TO_DATE
    assert rated(levels=levels, components=b"\xff" * 16).platform is S.UP_TO_DATE
    # Larger as a number does not help.
    assert rated(levels=levels, components=b"\xff" * index + b"\0" * (16 - index)).missing == "platform"


@given(
    have=st.binary(min_size=16, max_size=16),
    want=st.binary(min_size=16, max_size=16),
    pcesvns=st.tuples(st.integers(0, 3), st.integers(0, 3)),
)
def test_a_level_fits_exactly_if_every_number_reaches_it(have: bytes, want: bytes, pcesvns: tuple[int, int]) -> None:
    level = platform_level(S.UP_TO_DATE, pcesvn=pcesvns[1], sgx=want)
    fits = pcesvns[0] >= pcesvns[1] and all(h >= w for h, w in zip(have, want, strict=True))
    assert (rated(levels=(level,), components=have, pcesvn=pcesvns[0]).missing == "") is fits
    lower = replace(level, sgx=bytes(min(h, w) for h, w in zip(have, want, strict=True)))
    assert (rated(levels=(lower,), components=have, pcesvn=pcesvns[0]).missing == "") is (pcesvns[0] >= pcesvns[1])


def test_an_svn_at_a_level_reaches_it_and_one_below_does_not() -> None:
    for status, pcesvn in PCESVNS.items():
        assert rated(pcesvn=pcesvn).platform is (None if status is S.NOT_SUPPORTED else status)
    assert rated(pcesvn=0xFFFF).platform is S.UP_TO_DATE
    for status, svn in QE_SVNS.items():
        assert rated(qe_svn=svn).qe is (None if status is S.NOT_SUPPORTED else status)
    assert (rated(qe_svn=4).qe, rated(qe_svn=6).qe, rated(qe_svn=0xFFFF).qe) == (S.REVOKED, S.OUT_OF_DATE, S.UP_TO_DATE)
    assert rated(qe_svn=0).missing == "quoting enclave"


def test_ac_038_a_module_whose_version_has_no_identity_has_no_level() -> None:
    for svn in (SoftwareModule(version=2), SoftwareModule(version=0x0A), SoftwareModule(version=0xFF)):
        found = rated(svn.tee_tcb_svn)
        assert (found.status, found.missing) == (S.NOT_SUPPORTED, f"TDX module TDX_{svn.version:02X}")
    module = TdxModule(mrsigner=bytes(48), attributes=bytes(8), attributes_mask=bytes(8))
    tenth = ModuleIdentity(version=0x0A, module=module, levels=(level_of(3, S.OUT_OF_DATE, FIRST),))
    assert rated(SoftwareModule(version=0x0A, svn=3).tee_tcb_svn, module_identities=(tenth,)).module is S.OUT_OF_DATE


def level_of(svn: int, status: TcbStatus, date: datetime, *advisories: str) -> SvnLevel:
    return SvnLevel(isvsvn=svn, tcb_date=date, status=status, advisories=advisories)


# --- the order in a file, and what a rating says besides --------------------------------------------------------------


@given(
    levels=st.permutations(INFO.levels),
    qe_levels=st.permutations(IDENTITY.levels),
    module_levels=st.permutations(INFO.module_identities[0].levels),
    turned=st.booleans(),
)
def test_ac_039_the_order_of_levels_changes_nothing(
    levels: list[PlatformLevel],
    qe_levels: list[SvnLevel],
    module_levels: list[SvnLevel],
    turned: bool,
) -> None:
    first, second = INFO.module_identities
    identities = (replace(first, levels=tuple(module_levels)), second)[:: -1 if turned else 1]
    other: dict[str, object] = {
        "levels": tuple(levels),
        "module_identities": identities,
        "qe_levels": tuple(qe_levels),
    }
    for pcesvn, qe_svn, svn in product(PCESVNS.values(), QE_SVNS.values(), MODULE_SVNS[3].values()):
        tee = SoftwareModule(version=3, svn=svn).tee_tcb_svn
        assert rated(tee, qe_svn, pcesvn=pcesvn) == rated(tee, qe_svn, pcesvn=pcesvn, **other)


def test_ac_039_the_verdict_is_the_same_whatever_order_intels_file_has() -> None:
    for pcesvn in PCESVNS.values():
        machine = Situation(machine={"pcesvn": pcesvn})
        turned = replace(
            machine, tcb_info={"levels": INFO.levels[::-1], "module_identities": INFO.module_identities[::-1]}
        )
        assert rating_of(machine) == rating_of(turned)
        assert machine.appraise().verdict is turned.appraise().verdict


def test_of_two_levels_that_fit_the_higher_one_counts_though_it_says_worse() -> None:
    lower = platform_level(S.UP_TO_DATE, pcesvn=11)
    higher = platform_level(S.OUT_OF_DATE, pcesvn=12)
    for levels in ((lower, higher), (higher, lower)):
        assert rated(levels=levels).platform is S.OUT_OF_DATE
        assert rated(levels=levels, pcesvn=11).platform is S.UP_TO_DATE


def test_the_date_is_the_oldest_and_the_advisories_are_those_of_all_three() -> None:
    level = replace(platform_level(S.UP_TO_DATE, pcesvn=1, advisories=("B-SA-00002",)), tcb_date=SECOND)
    qe = (level_of(1, S.OUT_OF_DATE, FIRST, "A-SA-00001", "B-SA-00002"),)
    module = tuple(
        replace(one, levels=(level_of(1, S.UP_TO_DATE, THIRD, "C-SA-00003"),)) for one in INFO.module_identities
    )
    found = rated(levels=(level,), module_identities=module, qe_levels=qe)
    assert (found.tcb_date, found.advisories) == (FIRST, ("A-SA-00001", "B-SA-00002", "C-SA-00003"))
    assert (found.status, found.missing) == (S.OUT_OF_DATE, "")
    unversioned = rated(bytes((5, 0, 4)).ljust(16, b"\0"), levels=(level,), module_identities=module, qe_levels=qe)
    assert unversioned.advisories == ("A-SA-00001", "B-SA-00002")


def test_no_level_says_nothing_of_the_parts() -> None:
    found = rated(pcesvn=PCESVNS[S.NOT_SUPPORTED])
    assert found == Rating(status=S.NOT_SUPPORTED, missing="platform")
    assert rated(levels=(), qe_levels=(), module_identities=()).missing == "platform"


def test_a_td_that_is_not_updated_is_rated_once() -> None:
    both = rate(INFO, IDENTITY, PCK, launch=NEWEST, current=NEWEST, qe_svn=QE_SVN)
    assert both.launch is both.current
    alone = rate(INFO, IDENTITY, PCK, launch=NEWEST, current=None, qe_svn=QE_SVN)
    assert (alone.current, alone.launch, alone.status) == (None, both.launch, both.status)


def test_a_level_may_ask_of_two_numbers_what_no_order_between_them_decides() -> None:
    one = PlatformLevel(sgx=bytes((9,)) + bytes(15), pcesvn=0, tdx=bytes(16), tcb_date=FIRST, status=S.UP_TO_DATE)
    two = replace(one, sgx=bytes((0, 9)) + bytes(14), status=S.OUT_OF_DATE)
    assert rated(levels=(two, one), components=bytes((9, 0)) + bytes(14)).platform is S.UP_TO_DATE
    assert rated(levels=(one, two), components=bytes((8, 9)) + bytes(14)).platform is S.OUT_OF_DATE
    assert rated(levels=(two, one), components=bytes((9, 9)) + bytes(14)).platform is S.UP_TO_DATE


@pytest.mark.parametrize("part", ["qe_levels", "module_levels"])
def test_a_level_without_a_number_is_an_error_and_fits_nothing(part: str) -> None:
    none = replace(level_of(1, S.UP_TO_DATE, FIRST), isvsvn=None)  # type: ignore[arg-type]  # what no reader makes
    identities = tuple(replace(one, levels=(none,)) for one in INFO.module_identities)
    with pytest.raises(TypeError, match="not supported between"):
        rated(**({"qe_levels": (none,)} if part == "qe_levels" else {"module_identities": identities}))
