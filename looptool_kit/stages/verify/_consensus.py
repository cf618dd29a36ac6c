"""From several judges' ratings to one, by Dawid and Skene's model.

A. P. Dawid, A. M. Skene: Maximum likelihood estimation of observer error-rates using the EM algorithm.
Applied Statistics 28 (1979), 20-28. With T[i, k] the probability that item i is of class k, p[k] the share of
class k, E[j, k, l] the probability that judge j says l of an item of class k, and R[i, j, l] = 1 where judge
j said l of item i:

    M step   E[j, k, l] ~ sum_i T[i, k] R[i, j, l] + prior[k, l]
             p[k] ~ sum_i T[i, k] + 1
    E step   T[i, k] ~ p[k] prod_{j, l} E[j, k, l] ** R[i, j, l]

(each normalised to sum 1) from T = each item's share of votes. The prior is ours (theirs is 0): pretended
ratings, mostly right ones, so that with few items a judge counts as decent until shown otherwise. Without it
the model does worse than the majority on some dozens of items.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

RIGHT, WRONG = 12.0, 3.0
"""Pretended ratings of each judge for each class: right ones, and wrong ones in all."""


class Consensus(NamedTuple):
    """What the judges together say of N items of K classes."""

    probability: np.ndarray
    """(N, K): of each class for each item; uniform where nobody rated."""
    confusion: np.ndarray
    """(J, K, K): how judge j rates items of class k."""
    share: np.ndarray
    """(K,): of each class among the items."""

    @property
    def accuracy(self) -> np.ndarray:
        """(J,): how often each judge is right on items like these."""
        rates: np.ndarray = np.einsum("k,jkk->j", self.share, self.confusion)
        return rates


def dawid_skene(
    ratings: Sequence[Sequence[int | None]], classes: int, steps: int = 200, tolerance: float = 1e-6
) -> Consensus:
    """Find the consensus of `ratings[item][judge]`.

    A rating is a class number below `classes`, or None where that judge has no opinion.
    """
    one_hot = np.array([[[float(r == c) for c in range(classes)] for r in row] for row in ratings]).reshape(
        len(ratings), -1, classes
    )
    prior = np.full((classes, classes), WRONG / max(1, classes - 1))
    np.fill_diagonal(prior, RIGHT)
    # A majority to start from, as Dawid and Skene do. An item without ratings is not divided by zero.
    truth = one_hot.sum(1) + 1e-9
    truth /= truth.sum(1, keepdims=True)
    for _ in range(steps):
        # One item more of each class: no class gets the share 0, whose logarithm is infinite.
        share = truth.sum(0) + 1
        share /= share.sum()
        confusion = np.einsum("nk,njl->jkl", truth, one_hot) + prior
        confusion /= confusion.sum(2, keepdims=True)
        logs = np.log(share) + np.einsum("njl,jkl->nk", one_hot, np.log(confusion))
        before, truth = truth, np.exp(logs - logs.max(1, keepdims=True))
        truth /= truth.sum(1, keepdims=True)
        if np.abs(truth - before).max(initial=0.0) < tolerance:
            break
    truth[one_hot.sum((1, 2)) == 0] = 1 / classes
    return Consensus(truth, confusion, share)


def majority(ratings: Sequence[Sequence[int | None]], classes: int) -> np.ndarray:
    """Share of each class among an item's ratings, (N, K).

    None counts as a rating.
    """
    return np.array(
        [[sum(r == c for r in row) / max(1, len(row)) for c in range(classes)] for row in ratings]
    ).reshape(len(ratings), classes)
