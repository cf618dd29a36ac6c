"""BFCL's categories, their weights in one figure, and the choice of entries."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from looptool_kit.stages.evaluate import chosen
from looptool_kit.stages.evaluate.bfcl import weights


def test_shares_add_up_and_groups_are_whole() -> None:
    assert sum(weights.weights("v3").values()) == pytest.approx(1) == sum(weights.weights("v4").values())
    assert sum(weights.CATEGORIES.values()) == 3641 + 800 and len(weights.SINGLE_TURN) == 13
    assert weights.weights("v3")["simple_java"] == pytest.approx(1 / 45) and weights.weights("v4")[
        "simple_java"
    ] == pytest.approx(0.1 / 12)
    assert weights.weights("v3")["live_simple"] == pytest.approx(258 / 2251 / 3) and weights.weights("v4")[
        "live_simple"
    ] == pytest.approx(25.8 / 1351)
    assert weights.weights("v4")["memory_kv"] == pytest.approx(0.4 / 6)


def test_overall_counts_what_was_not_evaluated_as_nothing() -> None:
    full = {c: (n, n) for c, n in weights.CATEGORIES.items()}
    assert weights.overall(full, "v3").value == pytest.approx(1) and weights.overall(full, "v3").missing == ()
    v4 = weights.overall(full, "v4")
    assert v4.value == pytest.approx(0.6) and set(v4.missing) == {
        "web_search_base",
        "web_search_no_snippet",
        "memory_kv",
        "memory_vector",
        "memory_rec_sum",
    }
    half = weights.overall({"multiple": (5, 10)}, "v3")
    assert (
        half.value == pytest.approx(1 / 30)
        and half.lo < half.value < half.hi < 1 / 15
        and len(half.missing) == 16
    )
    assert weights.overall({}, "v4").value == 0


def test_categories_are_named_singly_or_by_group() -> None:
    assert weights.categories(["multiple", "simple_python"]) == ["simple_python", "multiple"]
    assert weights.categories(["multi_turn"]) == list(weights.MULTI_TURN) and weights.categories(
        None
    ) == list(weights.SINGLE_TURN)
    with pytest.raises(ValueError, match="no category 'memory_kv'"):
        weights.categories(["memory_kv"])


@given(st.integers(1, 300), st.integers(1, 300), st.integers(1, 300))
def test_a_smaller_choice_is_part_of_a_larger_one(n: int, few: int, more: int) -> None:
    few, more = sorted((few, more))
    small, large = (chosen(n, "multiple", k) for k in (few, more))
    assert set(small) <= set(large) <= set(range(n)) and len(small) == min(n, few) and small == sorted(small)
    assert chosen(n, "multiple", None) == list(range(n))
