"""Tokens: a burst, then a rate."""

from cvmproof_agent.token_bucket import TokenBucket


def test_it_starts_full_and_runs_dry() -> None:
    bucket = TokenBucket(rate=1.0, burst=3, now=10.0)
    assert [bucket.take(10.0) for _ in range(4)] == [True, True, True, False]


def test_it_refills_at_its_rate_up_to_its_burst() -> None:
    bucket = TokenBucket(rate=2.0, burst=2, now=0.0)
    assert [bucket.take(0.0) for _ in range(3)] == [True, True, False]
    assert bucket.wait(0.0) == 0.5
    assert not bucket.take(0.4)
    assert bucket.take(0.5)
    assert not bucket.is_full(1.4)
    assert bucket.is_full(100.0)
    assert [bucket.take(100.0) for _ in range(3)] == [True, True, False]


def test_a_clock_that_steps_back_gives_nothing_away() -> None:
    bucket = TokenBucket(rate=1.0, burst=1, now=10.0)
    assert bucket.take(10.0)
    assert not bucket.take(5.0)
    assert not bucket.take(10.5)
    assert bucket.take(11.0)
