"""Dawid-Skene and the majority on made-up ratings: whom to believe, and what is known of nobody."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

from looptool_kit.stages.verify._consensus import dawid_skene, majority


def rated(
    count: int, accuracies: list[float], seed: int, silent: float = 0.0
) -> tuple[list[int], list[list[int | None]]]:
    rng = Random(seed)
    truth = rng.choices(range(4), [0.6, 0.25, 0.05, 0.1], k=count)
    return truth, [
        [
            (
                None
                if rng.random() < silent
                else t
                if rng.random() < a
                else rng.choice([k for k in range(4) if k != t])
            )
            for a in accuracies
        ]
        for t in truth
    ]


def accuracy(truth: list[int], probability: np.ndarray) -> float:
    noise = np.random.default_rng(0).random(probability.shape) * 1e-9  # ties are broken by chance
    return float(((probability + noise).argmax(1) == truth).mean())


def test_dawid_skene_is_no_worse_than_the_majority_with_few_items_and_better_with_many() -> None:
    for items, runs, least in ((20, 40, 0.0), (60, 20, 0.0), (400, 8, 0.03)):
        made = [rated(items, [0.9, 0.75, 0.6], seed, silent=0.1) for seed in range(runs)]
        gains = [
            accuracy(truth, dawid_skene(r, 4).probability) - accuracy(truth, majority(r, 4))
            for truth, r in made
        ]
        assert np.mean(gains) > least, items


def test_dawid_skene_learns_whom_to_believe_even_against_two() -> None:
    truth, ratings = rated(400, [0.97, 0.5, 0.5], 1)
    weighed = dawid_skene(ratings, 4)
    assert accuracy(truth, weighed.probability) > accuracy(truth, majority(ratings, 4)) + 0.05
    assert weighed.accuracy[0] > 0.85 > 0.65 > max(weighed.accuracy[1:])


def test_consensus_is_a_probability_and_knows_nothing_of_unrated_items() -> None:
    truth, ratings = rated(30, [0.8, 0.8, 0.8], 3)
    weighed = dawid_skene([*ratings, [None, None, None]], 4)
    assert weighed.probability.sum(1) == pytest.approx(np.ones(31)) and weighed.confusion.sum(
        2
    ) == pytest.approx(np.ones((3, 4)))
    assert weighed.probability[-1] == pytest.approx([0.25] * 4)
    assert majority([[0, None, 0, 1]], 2).tolist() == [[0.5, 0.25]]
