"""BM25, worked by hand."""

from __future__ import annotations

from math import log

import pytest

from looptool_kit.text.bm25 import BM25


def test_a_worked_example() -> None:
    # Three passages of 7 / 3 words in the mean; "apple" stands in two of them, "pie" in one.
    scores = BM25(["red apple pie", "green apple", "blue sky"]).scores("apple pie")
    assert scores == pytest.approx([0.514219, 0.200918, 0], abs=1e-6)
    rarity = log(1 + 1.5 / 2.5), log(1 + 2.5 / 1.5)
    assert scores[0] == pytest.approx(sum(rarity) / (1 + 1.5 * (0.25 + 0.75 * 3 / (7 / 3))))


def test_words_are_compared_without_case_and_signs() -> None:
    assert BM25(["Red, APPLE!"]).scores("red apple") == BM25(["red apple"]).scores("Apple: red")


def test_a_word_that_every_passage_has_still_counts() -> None:
    assert min(BM25(["apple"] * 3).scores("apple")) > 0


@pytest.mark.parametrize(
    ("passages", "query"), [([], "apple"), ([""], "apple"), (["apple"], ""), (["!"], "?")]
)
def test_nothing_to_compare_is_zero(passages: list[str], query: str) -> None:
    assert BM25(passages).scores(query) == [0.0] * len(passages)
