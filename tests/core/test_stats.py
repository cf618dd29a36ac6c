"""Intervals and paired tests against known values and against simulation."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from looptool_kit.core.records import Score
from looptool_kit.core.stats import (
    aligned,
    clustered_difference,
    cohen_kappa,
    flips,
    paired,
    scoreboard,
    wilson,
)


def score(
    i: int,
    policy: str,
    correct: bool,
    split: str = "unseen_values",
    kind: str = "single",
    suite: str = "held-out",
) -> Score:
    return Score(sample_id=f"s{i}", suite=suite, split=split, kind=kind, policy=policy, correct=correct)


def test_wilson_against_published_values():
    assert wilson(8, 10) == pytest.approx((0.4902, 0.9433), abs=1e-4)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=1e-4)
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)  # Newcombe 1998, table I
    assert wilson(0, 0) == (0.0, 1.0)
    assert wilson(5, 10, 0.99)[0] < wilson(5, 10)[0]
    for k, n in ((3, 2), (-1, 2)):
        with pytest.raises(ValueError, match="not a share"):
            wilson(k, n)


@given(st.integers(0, 300), st.integers(0, 300))
def test_wilson_holds_its_share_and_mirrors(k, extra):
    lo, hi = wilson(k, k + extra)
    assert 0 <= lo <= hi <= 1
    if k + extra:
        assert lo - 1e-12 <= k / (k + extra) <= hi + 1e-12
        assert wilson(extra, k + extra) == pytest.approx((1 - hi, 1 - lo), abs=1e-9)


def test_mcnemars_mid_p_against_the_binomial_sum():
    a = [True] * 50 + [True] * 1 + [False] * 9 + [False] * 40
    b = [True] * 50 + [False] * 1 + [True] * 9 + [False] * 40
    result = paired(a, b)
    assert (result.n, result.fixed, result.broken) == (100, 9, 1)
    assert result.p == pytest.approx((2 * (1 + 10) - 10) / 2**10)
    assert (result.mean_a, result.mean_b, result.difference) == pytest.approx((0.51, 0.59, 0.08))
    assert result.lo > 0 and 0.02 < result.hi - result.lo < 0.2


@settings(max_examples=30)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=60))
def test_paired_mirrors_and_holds_the_difference(pairs):
    a, b = [x for x, _ in pairs], [y for _, y in pairs]
    forth, back = paired(a, b), paired(b, a)
    assert -1 <= forth.lo <= forth.difference <= forth.hi <= 1
    assert (forth.difference, forth.p, forth.fixed) == (-back.difference, back.p, back.broken)
    assert forth == paired(a, b)


def test_where_nothing_flipped_the_interval_is_not_a_point():
    few, many = paired([True] * 5, [True] * 5), paired([False] * 500, [False] * 500)
    assert (few.difference, few.p) == (0.0, 1.0) and few.lo == -few.hi
    assert few.hi > 0.3 and 0 < many.hi < 0.02
    fixed, broken = paired([False] * 20, [True] * 20), paired([True] * 20, [False] * 20)
    assert 0.8 < fixed.lo < fixed.hi == 1.0 and (broken.lo, broken.hi) == (-fixed.hi, -fixed.lo)


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="equal length, not 1 and 2"):
        paired([True], [True, False])
    with pytest.raises(ValueError, match="no items"):
        paired([], [])
    with pytest.raises(ValueError, match="no random seeds"):
        clustered_difference([])


def test_the_paired_interval_covers_the_truth_about_as_often_as_it_says():
    rng = random.Random(3)
    covered = 0
    for _ in range(200):
        draws = [rng.choices([(1, 1), (0, 1), (1, 0), (0, 0)], [0.4, 0.2, 0.1, 0.3])[0] for _ in range(60)]
        result = paired([bool(x) for x, _ in draws], [bool(y) for _, y in draws])
        covered += result.lo <= 0.1 <= result.hi
    assert 178 <= covered <= 199  # 95% of 200 is 190, give or take four standard errors


@pytest.mark.parametrize(("n", "fixed", "broken"), [(40, 0.05, 0.02), (60, 0.05, 0.05), (450, 0.05, 0.03)])
def test_few_flips_have_a_wide_interval_that_agrees_with_the_p_value(
    n: int, fixed: float, broken: float
) -> None:
    rng = random.Random(5)
    covered = agreed = 0
    for _ in range(200):
        drawn = rng.choices([0, 1, -1], [1 - fixed - broken, fixed, broken], k=n)
        result = paired([x < 0 for x in drawn], [x > 0 for x in drawn])
        covered += result.lo <= fixed - broken <= result.hi
        agreed += (result.lo > 0 or result.hi < 0) == (result.p < 0.05)
    assert covered >= 180 and agreed >= 190
    three = paired([False] * 40, [True] * 3 + [False] * 37)
    assert three.lo < 0 < three.hi and three.p > 0.1


def test_several_seeds_against_a_plain_hierarchical_bootstrap():
    rng = random.Random(1)
    by_seed = []
    for gain, n in ((0.3, 40), (0.1, 60), (-0.05, 50)):
        a = [rng.random() < 0.5 for _ in range(n)]
        by_seed.append((a, [x if rng.random() < 0.6 else rng.random() < 0.5 + gain for x in a]))
    result = clustered_difference(by_seed)
    changes = [[y - x for x, y in zip(a, b, strict=True)] for a, b in by_seed]
    assert result.by_seed == pytest.approx([sum(c) / len(c) for c in changes])
    assert result.difference == pytest.approx(sum(result.by_seed) / 3) and (result.seeds, result.n) == (
        3,
        150,
    )
    means = []
    for _ in range(4000):
        drawn = [rng.choice(changes) for _ in changes]
        means.append(sum(sum(rng.choices(c, k=len(c))) / len(c) for c in drawn) / 3)
    means.sort()
    assert (result.lo, result.hi) == pytest.approx((means[100], means[3900]), abs=0.03)
    assert result == clustered_difference(by_seed)


def test_one_seed_is_the_paired_interval_and_disagreement_between_seeds_widens():
    a, b = [True, False] * 30, [True, True, False, False] * 15
    one = clustered_difference([(a, b)])
    assert (one.difference, one.lo, one.hi) == paired(a, b)[3:6]
    up, down = ([False] * 60, [True] * 45 + [False] * 15), ([True] * 60, [False] * 45 + [True] * 15)
    agree, disagree = clustered_difference([up, up, up]), clustered_difference([up, down, up])
    assert disagree.hi - disagree.lo > 3 * (agree.hi - agree.lo)
    still = clustered_difference([([True] * 20, [True] * 20)] * 3)
    assert still.lo < 0 < still.hi and still.difference == 0


def test_scoreboard_counts_each_sample_once_in_each_group():
    scores = [
        score(i, p, i % 3 == 0, ("unseen_values", "unseen_tools")[i % 2], ("single", "ask")[i // 5 % 2])
        for p in ("base", "one")
        for i in range(20)
    ]
    scores += [score(0, "one", True, "simple", "single", suite="bfcl")]
    rows = scoreboard(scores)
    assert [(r.suite, r.policy, r.group, r.value) for r in rows[:5]] == [
        ("held-out", "base", "all", "all"),
        ("held-out", "base", "split", "unseen_values"),
        ("held-out", "base", "split", "unseen_tools"),
        ("held-out", "base", "kind", "single"),
        ("held-out", "base", "kind", "ask"),
    ]
    for policy in ("base", "one"):
        for group in ("all", "split", "kind"):
            mine = [r for r in rows if (r.policy, r.suite, r.group) == (policy, "held-out", group)]
            assert (sum(r.n for r in mine), sum(r.correct for r in mine)) == (20, 7)
    assert all(r.accuracy == r.correct / r.n and (r.lo, r.hi) == wilson(r.correct, r.n) for r in rows)
    assert [r.n for r in rows if r.suite == "bfcl"] == [1, 1, 1]
    assert scoreboard([]) == []


def test_flips_pair_by_suite_and_id():
    a = [
        score(0, "a", False),
        score(1, "a", True),
        score(2, "a", True),
        score(3, "a", False),
        score(4, "a", False, suite="bfcl"),
    ]
    b = [
        score(3, "b", False),
        score(2, "b", True),
        score(1, "b", False),
        score(0, "b", True),
        score(4, "b", True),
        score(9, "b", True),
    ]
    assert flips(a, b) == (("s0",), ("s1",))
    assert aligned(a, b) == (["s0", "s1", "s2", "s3"], [False, True, True, False], [True, False, True, False])


def test_kappa_against_published_values():
    def table(*counts: int) -> tuple[list[str], list[str]]:
        size = math.isqrt(len(counts))
        rows = [(str(k // size), str(k % size)) for k, n in enumerate(counts) for _ in range(n)]
        return [a for a, _ in rows], [b for _, b in rows]

    fleiss = cohen_kappa(*table(75, 1, 4, 5, 4, 1, 0, 0, 10))  # Fleiss, Levin and Paik 2003, table 18.1
    assert (fleiss.n, fleiss.observed, fleiss.expected) == (100, pytest.approx(0.89), pytest.approx(0.66))
    assert fleiss.kappa == pytest.approx(0.676, abs=5e-4)
    assert cohen_kappa(*table(20, 5, 10, 15)).kappa == pytest.approx(0.4)
    assert cohen_kappa(*table(45, 15, 25, 15)).kappa == pytest.approx(0.1304, abs=1e-4)
    assert cohen_kappa(*table(0, 5, 5, 0)).kappa == pytest.approx(-1.0)


def test_kappa_has_an_interval():
    # Of 35 in 50 Wilson's interval is [0.5625, 0.8090], and by chance 0.5 would agree.
    raters = "a" * 25 + "b" * 25, "a" * 20 + "b" * 5 + "a" * 10 + "b" * 15
    assert cohen_kappa(*raters).interval() == pytest.approx((0.125, 0.618), abs=5e-4)
    assert all(math.isnan(bound) for bound in cohen_kappa("aa", "aa").interval())
    lo, hi = cohen_kappa("ab" * 5, "ab" * 5).interval()
    assert 0 < lo < hi == pytest.approx(1.0)


def test_kappa_where_it_is_undefined_or_impossible():
    assert cohen_kappa([], []).n == 0 and math.isnan(cohen_kappa([], []).kappa)
    assert math.isnan(cohen_kappa("aa", "aa").kappa) and cohen_kappa("aa", "aa").observed == 1.0
    assert cohen_kappa("ab", "ab").kappa == 1.0
    with pytest.raises(ValueError, match="not 1 and 2"):
        cohen_kappa("a", "ab")
