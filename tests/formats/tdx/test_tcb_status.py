"""The words for the state of a TCB, and the tables by which several become one."""

from itertools import product

import pytest

from cvmproof_formats.tdx.tcb_status import PART_STATUSES, PLATFORM_STATUSES, TcbStatus, advise_relaunch, converge

S = TcbStatus
RELAUNCH = (S.TD_RELAUNCH_ADVISED, S.TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED)

# Platform: what it becomes with a part out of date.
WITH_AN_OLD_PART = {
    S.UP_TO_DATE: S.OUT_OF_DATE,
    S.SW_HARDENING_NEEDED: S.OUT_OF_DATE,
    S.CONFIGURATION_NEEDED: S.OUT_OF_DATE_CONFIGURATION_NEEDED,
    S.CONFIGURATION_AND_SW_HARDENING_NEEDED: S.OUT_OF_DATE_CONFIGURATION_NEEDED,
    S.OUT_OF_DATE: S.OUT_OF_DATE,
    S.OUT_OF_DATE_CONFIGURATION_NEEDED: S.OUT_OF_DATE_CONFIGURATION_NEEDED,
    S.REVOKED: S.REVOKED,
}


def test_the_names_are_intels() -> None:
    assert {str(status) for status in PLATFORM_STATUSES} == {
        "UpToDate",
        "SWHardeningNeeded",
        "ConfigurationNeeded",
        "ConfigurationAndSWHardeningNeeded",
        "OutOfDate",
        "OutOfDateConfigurationNeeded",
        "Revoked",
    }
    assert {str(status) for status in PART_STATUSES} == {"UpToDate", "OutOfDate", "Revoked"}


@pytest.mark.parametrize("platform", sorted(PLATFORM_STATUSES))
def test_ac_041_parts_that_are_up_to_date_change_nothing(platform: TcbStatus) -> None:
    assert converge(platform) == platform
    assert converge(platform, S.UP_TO_DATE, S.UP_TO_DATE) == platform


@pytest.mark.parametrize(("platform", "expected"), WITH_AN_OLD_PART.items())
@pytest.mark.parametrize("parts", [(S.OUT_OF_DATE,), (S.UP_TO_DATE, S.OUT_OF_DATE), (S.OUT_OF_DATE, S.OUT_OF_DATE)])
def test_ac_041_a_part_out_of_date_makes_the_platform_so(
    platform: TcbStatus, expected: TcbStatus, parts: tuple[TcbStatus, ...]
) -> None:
    assert converge(platform, *parts) == expected
    assert converge(platform, *reversed(parts)) == expected


@pytest.mark.parametrize(("platform", "part"), list(product(sorted(PLATFORM_STATUSES), sorted(PART_STATUSES))))
def test_ac_041_revoked_wins_over_all_but_no_level(platform: TcbStatus, part: TcbStatus) -> None:
    assert converge(platform, part, S.REVOKED) == converge(platform, S.REVOKED, part) == S.REVOKED
    assert converge(S.REVOKED, part) == S.REVOKED
    assert converge(platform, part, S.NOT_SUPPORTED) == converge(platform, S.NOT_SUPPORTED, part) == S.NOT_SUPPORTED
    assert converge(S.NOT_SUPPORTED, part) == S.NOT_SUPPORTED


def test_a_status_that_can_not_stand_there_is_refused() -> None:
    with pytest.raises(ValueError, match="can't stand here"):
        converge(S.TD_RELAUNCH_ADVISED, S.UP_TO_DATE)
    with pytest.raises(ValueError, match="can't stand here"):
        converge(S.UP_TO_DATE, S.SW_HARDENING_NEEDED)
    for status in RELAUNCH:
        with pytest.raises(ValueError, match="can't stand here"):
            advise_relaunch(status, S.UP_TO_DATE)
        with pytest.raises(ValueError, match="can't stand here"):
            advise_relaunch(S.UP_TO_DATE, status)


@pytest.mark.parametrize(
    ("launch", "current", "expected"),
    [
        (S.OUT_OF_DATE, S.UP_TO_DATE, S.TD_RELAUNCH_ADVISED),
        (S.OUT_OF_DATE, S.SW_HARDENING_NEEDED, S.TD_RELAUNCH_ADVISED),
        (S.OUT_OF_DATE, S.CONFIGURATION_NEEDED, S.TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED),
        (S.OUT_OF_DATE, S.CONFIGURATION_AND_SW_HARDENING_NEEDED, S.TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED),
        (S.OUT_OF_DATE_CONFIGURATION_NEEDED, S.UP_TO_DATE, S.TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED),
        (S.OUT_OF_DATE, S.OUT_OF_DATE, S.OUT_OF_DATE),
        (S.OUT_OF_DATE, S.OUT_OF_DATE_CONFIGURATION_NEEDED, S.OUT_OF_DATE),
        (S.UP_TO_DATE, S.OUT_OF_DATE, S.UP_TO_DATE),
        (S.CONFIGURATION_NEEDED, S.UP_TO_DATE, S.CONFIGURATION_NEEDED),
        (S.UP_TO_DATE, S.REVOKED, S.REVOKED),
        (S.REVOKED, S.UP_TO_DATE, S.REVOKED),
        (S.UP_TO_DATE, S.NOT_SUPPORTED, S.NOT_SUPPORTED),
        (S.NOT_SUPPORTED, S.REVOKED, S.NOT_SUPPORTED),
    ],
)
def test_a_relaunch_is_advised_only_where_it_would_help(
    launch: TcbStatus, current: TcbStatus, expected: TcbStatus
) -> None:
    assert advise_relaunch(launch, current) == expected


@pytest.mark.parametrize("status", sorted(PLATFORM_STATUSES))
def test_a_module_that_was_not_updated_changes_nothing(status: TcbStatus) -> None:
    assert advise_relaunch(status, status) == status
