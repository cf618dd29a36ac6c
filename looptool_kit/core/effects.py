"""Paired differences of measured values over random seeds, and the samples that it takes to see one.

`core/stats.py` does the same for yes/no scores.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from looptool_kit.core.stats import RESAMPLES, Clustered, mean_interval, wilson

BLOCK = 2_000_000
"""Values that are drawn at a time: they decide the memory."""
POWER = 0.8
"""Chance with which a difference is to be seen, where samples are counted (Cohen 1988)."""


class Needed(NamedTuple):
    """What it takes to tell two policies apart."""

    seeds: int | None
    """Random seeds, each with as many samples as there were; None where nothing differs."""
    samples: int | None
    """Samples of these seeds together."""
    detectable: float
    """The difference that the seeds and samples that there were show with the chance `POWER`."""


def mean_difference(by_seed: Sequence[Sequence[float]], reach: float = 0.0, level: float = 0.95) -> Clustered:
    """Estimate the mean paired difference over random seeds.

    Each seed counts alike. Two-stage bootstrap, percentile interval, as `stats.clustered_difference`:
    draw seeds with replacement, then each drawn seed's items (Davison and Hinkley 1997, section 3.8). One
    seed: BCa over its items (Efron 1987). Where all differences are alike a bootstrap has nothing to
    draw: the interval then allows for the share of items that could have differed (Wilson), each by
    `reach`.

    Args:
        by_seed: The differences b - a on the items of each seed.
        reach: The greatest difference that an item can have; 0 where there is no bound.
        level: Of the interval.

    Raises:
        ValueError: There is no seed, or one has no items.
    """
    if not by_seed or not all(by_seed):
        raise ValueError("a comparison needs items of at least one random seed")
    import numpy as np

    items = [np.array(values, dtype=float) for values in by_seed]
    means = tuple(float(x.mean()) for x in items)
    difference, n = math.fsum(means) / len(means), sum(map(len, items))
    everything = np.concatenate(items)
    if everything.min() == everything.max():
        room = reach * wilson(0, n, level)[1]
        lo, hi = difference - room, difference + room
    elif len(items) == 1:
        lo, hi = mean_interval(by_seed[0], level)
    else:
        rng = np.random.default_rng(0)
        drawn = rng.integers(0, len(items), (RESAMPLES, len(items)))
        values = np.empty(drawn.shape)
        for seed, x in enumerate(items):
            at = np.nonzero(drawn == seed)
            count, step = len(at[0]), max(1, BLOCK // len(x))
            resampled = [
                x[rng.integers(0, len(x), (min(step, count - i), len(x)))].mean(axis=1)
                for i in range(0, count, step)
            ]
            values[at] = np.concatenate(resampled)
        lo, hi = np.quantile(values.mean(axis=1), [(1 - level) / 2, (1 + level) / 2])
    return Clustered(len(items), n, difference, float(lo), float(hi), means)


def needed(by_seed: Sequence[Sequence[float]], level: float = 0.95, power: float = POWER) -> Needed:
    """Estimate how many seeds and samples would show a difference.

    For a true difference of the size seen, told from none. The mean over S seeds of n items each has the
    variance (t + v / n) / S, with v the items' variance within a seed and t that between the seeds' true
    differences (by moments, at least 0). A two-sided test at 1 - `level` sees a difference d with the
    chance `power` from S = (z_level + z_power)^2 (t + v / n) / d^2 on. It is at least one seed more than
    there were: asked where these did not tell.

    Args:
        by_seed: As for `mean_difference`. One seed says nothing of the spread between seeds, which then
            counts as none.
    """
    import numpy as np
    from scipy.stats import norm

    items = [np.array(values, dtype=float) for values in by_seed]
    means, n = np.array([x.mean() for x in items]), sum(map(len, items)) / len(items)
    inner = sum(float(((x - x.mean()) ** 2).sum()) for x in items) / max(1, sum(len(x) - 1 for x in items))
    outer = max(0.0, float(means.var(ddof=1)) - inner / n) if len(items) > 1 else 0.0
    z = float(norm.ppf((1 + level) / 2) + norm.ppf(power))
    one_seed, d = outer + inner / n, abs(float(means.mean()))
    detectable = z * math.sqrt(one_seed / len(items))
    if d == 0:
        return Needed(None, None, detectable)
    seeds = max(len(items) + 1, math.ceil(z**2 * one_seed / d**2))
    return Needed(seeds, round(seeds * n), detectable)
