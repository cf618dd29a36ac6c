"""Paired differences of measured values: intervals, and the samples that telling them apart takes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from looptool_kit.core.effects import mean_difference, needed
from looptool_kit.core.stats import wilson


def test_two_seeds_by_hand() -> None:
    d = mean_difference([[1.0, 2.0, 3.0], [0.0, 0.0, 3.0]])
    assert (d.seeds, d.n, d.by_seed, d.difference) == (2, 6, (2.0, 1.0), 1.5)
    # Every draw lies between the least and the greatest seed's extremes, and the ends between those.
    assert 0.0 <= d.lo < 1.5 < d.hi <= 3.0
    assert mean_difference([[1.0, 2.0, 3.0], [0.0, 0.0, 3.0]]) == d, "the bootstrap has a seed of its own"


def test_seeds_count_alike_whatever_their_size() -> None:
    assert mean_difference([[1.0] * 9, [0.0, 0.0, 1.0]]).difference == pytest.approx((1 + 1 / 3) / 2)


def test_the_interval_is_that_of_the_theory_where_samples_are_many() -> None:
    rng = np.random.default_rng(1)
    values = [list(rng.normal(0.3, 1.0, 400)) for _ in range(4)]
    d = mean_difference(values)
    means = np.array([np.mean(v) for v in values])
    # Two-stage bootstrap: the seeds' means spread by 1/S, each resampled mean by the items' variance.
    expected = math.sqrt(means.var() / 4 + sum(np.var(v) / 400 for v in values) / 16)
    assert (d.hi - d.lo) / 2 == pytest.approx(1.96 * expected, rel=0.1)
    one = mean_difference(values[:1])
    assert (one.hi - one.lo) / 2 == pytest.approx(1.96 * np.std(values[0]) / 20, rel=0.1)


def test_equal_answers_leave_room_for_those_not_asked() -> None:
    d = mean_difference([[0.0] * 50, [0.0] * 50], reach=3.0)
    assert (d.lo, d.difference, d.hi) == (-3 * wilson(0, 100)[1], 0.0, 3 * wilson(0, 100)[1])
    assert mean_difference([[0.5, 0.5]])[2:5] == (0.5, 0.5, 0.5), "nothing is known of how far one can go"


def test_no_items_are_no_comparison() -> None:
    for nothing in ([], [[]], [[1.0], []]):
        with pytest.raises(ValueError, match="at least one random seed"):
            mean_difference(nothing)


def test_samples_needed_by_hand() -> None:
    # Means 1 and 0, so their variance is .5; items vary by 2/3 and 2/3 within a seed of four.
    by_seed = [[0.0, 1.0, 2.0, 1.0], [-1.0, 0.0, 1.0, 0.0]]
    between = 0.5 - (2 / 3) / 4
    one_seed = between + (2 / 3) / 4  # .5
    z = 1.959964 + 0.841621
    found = needed(by_seed)
    assert found.seeds == math.ceil(z**2 * one_seed / 0.5**2) == 16 and found.samples == 64
    assert found.detectable == pytest.approx(z * math.sqrt(one_seed / 2), rel=1e-5)


def test_items_alone_count_where_seeds_agree() -> None:
    # Alike means: no spread between seeds is left. z^2 v / n / d^2 with v = 4/3, n = 4, d = .5.
    found = needed([[-0.5, 1.5, -0.5, 1.5]] * 2)
    assert found.seeds == math.ceil(2.801585**2 * (4 / 3) / 4 / 0.25) == 11 and found.samples == 44


def test_no_difference_takes_no_number_of_samples() -> None:
    found = needed([[1.0, -1.0], [0.0, 0.0]])
    assert found.seeds is None and found.samples is None and found.detectable > 0
    assert needed([[5.0, 5.1, 4.9]] * 2).seeds == 3, "one more than there were, at the least"


@given(st.lists(st.lists(st.floats(-3, 3, allow_nan=False), min_size=2, max_size=8), min_size=1, max_size=4))
def test_an_interval_lies_within_the_values(by_seed: list[list[float]]) -> None:
    d = mean_difference(by_seed)
    flat = [v for values in by_seed for v in values]
    assert min(flat) - 1e-9 <= d.lo <= d.hi <= max(flat) + 1e-9
