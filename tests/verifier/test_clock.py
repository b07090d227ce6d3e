from datetime import timedelta

import pytest

from cvmproof.clock import require_plausible
from cvmproof.errors import Category, CollateralError
from cvmproof.version import RELEASED


def test_a_clock_at_or_after_the_release_is_taken() -> None:
    assert require_plausible(RELEASED) == RELEASED
    assert require_plausible(RELEASED + timedelta(days=900)) == RELEASED + timedelta(days=900)


def test_ac_051_a_clock_before_the_release_decides_nothing() -> None:
    with pytest.raises(CollateralError, match="before cvmproof was released") as refused:
        require_plausible(RELEASED - timedelta(seconds=1))
    assert refused.value.category is Category.EXPIRED
    assert "--at" in refused.value.hint
