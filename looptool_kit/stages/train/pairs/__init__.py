"""Pairs for preference training, one strategy a file, chosen by `pairs.strategy`.

A strategy is a module of this package with one function

    make(asked) -> Made

`asked` says whose answers are wanted and to what; the helpers here pick samples and gather rollouts. What is
kept on the way lies in `*.parts` of the iteration, so that a stopped strategy repeats one batch at most.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol, cast

from looptool_kit.core.records import Pairs, Rollout
from looptool_kit.core.samples import Sample, Samples
from looptool_kit.policy.engines import Engine
from looptool_kit.policy.label_loss import kept_losses
from looptool_kit.run.folder import Run
from looptool_kit.stages._find import find

LOSSES, ROLLOUTS = "pair_losses", "pair_rollouts"
"""The batches of scored labels and of rollouts."""


class Asked(NamedTuple):
    """What a strategy makes pairs of."""

    run: Run
    iteration: int
    key: str
    """What decides the training, and with it all that is kept."""
    samples: Samples
    """The dataset, each row once."""
    grpo: Mapping[str, tuple[Rollout, ...]]
    """The rollouts of this iteration's GRPO, by sample."""
    engine: Callable[[], Engine]
    """Opens the policy that preference training starts from."""
    seed: int


class Made(NamedTuple):
    """What a strategy made."""

    pairs: Pairs
    facts: dict[str, int]
    """For the manifest; `generated` are the tokens of new rollouts."""


class Strategy(Protocol):
    """The function of a strategy's module."""

    def __call__(self, asked: Asked) -> Made: ...


def find_strategy(name: str) -> Strategy:
    """The strategy of that name; `ValueError` that lists those there are."""
    return cast(Strategy, find(__name__, name).make)


def label_losses(asked: Asked, samples: Samples) -> dict[str, float]:
    """Compute sample id -> loss of its label under the policy.

    The mean negative log-likelihood (iTool, section 3.1).
    """
    made = kept_losses(asked.run, LOSSES, asked.iteration, asked.key, samples, asked.engine)
    return {row.sample_id: row.loss for row in made}


def pick(samples: Sequence[Sample], losses: Mapping[str, float], share: float) -> list[Sample]:
    """Pick the samples with the least likely labels.

    The top `share` of labels with calls and of plain replies. Each kind gives that share of itself
    (rounded, at least one), ties by id. Hardest first.
    """
    chosen: list[Sample] = []
    for kind in (True, False):
        alike = sorted(
            (s for s in samples if bool(s.label.calls) is kind), key=lambda s: (-losses[s.id], s.id)
        )
        chosen += alike[: max(1, round(share * len(alike)))]
    return sorted(chosen, key=lambda s: (-losses[s.id], s.id))
