"""Records of the fake Prism: what is made up, what is put into a spelling, and how it is written."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from cvmproof_simulator.prism_cvms import CvmFields, Spelling, as_base64, as_time, new_cvm

NOW = datetime(2026, 11, 20, 12, 0, 0, 120_000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("given", "documented", "observed"),
    [
        ("https://agent.example.com:6104", "https://agent.example.com:6104", "agent.example.com:6104"),
        ("agent.example.com:6104", "https://agent.example.com:6104", "agent.example.com:6104"),
        ("https://agent.example.com", "https://agent.example.com", "agent.example.com:443"),
        ("[::1]:6104", "https://[::1]:6104", "[::1]:6104"),
        ("https://[::1]:6104", "https://[::1]:6104", "[::1]:6104"),
        ("", "", ""),
        ("http://169.254.169.254/", "http://169.254.169.254/", "http://169.254.169.254/"),
        ("https://a.example/path", "https://a.example/path", "https://a.example/path"),
        ("https://user@a.example", "https://user@a.example", "https://user@a.example"),
        ("file:///etc/passwd", "file:///etc/passwd", "file:///etc/passwd"),
    ],
)
def test_a_plain_address_is_spelled_and_any_other_text_stays(given: str, documented: str, observed: str) -> None:
    assert new_cvm("a", {"agent_url": given}, "documented", NOW).agent_url == documented
    assert new_cvm("a", {"agent_url": given}, "observed", NOW).agent_url == observed


@pytest.mark.parametrize(
    ("given", "observed"),
    [("tdx", "Intel TDX"), ("SNP", "SNP (AMD Secure Nested Paging)"), ("toaster", "toaster")],
)
def test_a_platform_that_is_known_is_spelled(given: str, observed: str) -> None:
    assert new_cvm("a", {"cc_platform": given}, "observed", NOW).cc_platform == observed
    assert new_cvm("a", {"cc_platform": given}, "documented", NOW).cc_platform == given


@pytest.mark.parametrize("spelling", ["documented", "observed"])
def test_what_is_given_is_not_made_up(spelling: Spelling) -> None:
    given: CvmFields = {
        "id": "1",
        "cvm_id": "2",
        "status": "Starting",
        "state": "Running",
        "created_at": NOW,
        "deleted_at": NOW,
        "provider": "azure",
        "vcpus": 8,
        "attestation": b"a",
        "attestation_token": "b",
        "agent_log_level": "debug",
        "monthly_cost_estimate": "free",
    }
    cvm = new_cvm("a", given, spelling, NOW - timedelta(days=1))
    assert [getattr(cvm, name) for name in given] == list(given.values())


def test_a_moment_is_written_in_utc_with_the_places_it_needs() -> None:
    assert as_time(NOW) == "2026-11-20T12:00:00.12Z"
    assert as_time(NOW.replace(microsecond=0)) == "2026-11-20T12:00:00Z"
    assert as_time(NOW.astimezone(timezone(timedelta(hours=5)))) == "2026-11-20T12:00:00.12Z"


def test_nothing_deleted_is_the_zero_time() -> None:
    said = new_cvm("a", {}, "documented", NOW).as_json()
    assert said["deleted_at"] == "0001-01-01T00:00:00Z"
    assert said["created_at"] == "2026-11-20T12:00:00Z"


def test_bytes_are_encoded_and_a_text_is_not() -> None:
    assert as_base64(b"\xff\xfe") == "//4="
    assert as_base64("//4") == "//4"
