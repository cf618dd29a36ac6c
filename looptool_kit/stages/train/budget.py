"""What a policy's training data and training have cost in tokens, and SFT rows that fit a budget.

Counted are the tokens of prompts and answers that a training passes over, each pass and each completion of a
group for itself, and the tokens that the policy generated for training data: GRPO's completions, and what a
stage's manifest gives as `generated` (rollouts for a choice of samples, search, proposals). Tokens that a
proposer of samples is trained on (`proposer_tokens`) count as those of the policy. Answers to probes and
evaluations, scoring, and language models that judge or write are not in it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from looptool_kit.core.samples import Sample, Samples
from looptool_kit.core.tables import read_lines
from looptool_kit.policy.policy import load_base, training_folder
from looptool_kit.run.folder import Run
from looptool_kit.run.manifest import read_manifest
from looptool_kit.stages.train.common import HISTORY, encode
from looptool_kit.stages.train.recipe import generated_tokens


class Spent(NamedTuple):
    """Tokens of making D_j and of training on it."""

    sft: int = 0
    grpo: int = 0
    other: int = 0
    """Of trainings of another name."""
    generated: int = 0

    @property
    def total(self) -> int:
        """All of them."""
        return sum(self)


def spent(run: Run, j: int) -> Spent:
    """Count the tokens of D_j.

    Generated since the policy of iteration j - 1, and trained on for that of j. What the run has not done
    yet counts nothing. For D_1 it is the training alone.
    """
    trained = run.manifest("policy", j) or {}
    counts = {"sft": 0, "grpo": 0, "other": 0}
    generated = trained.get("generated", 0)
    if j > 1:
        others = [path for path in run.folder(j - 1).glob("*.json") if path.name != "policy.json"]
        manifests = [read_manifest(path) or {} for path in others]
        generated += sum(manifest.get("generated", 0) for manifest in manifests)
        counts["other"] += sum(manifest.get("proposer_tokens", 0) for manifest in manifests)
    for facts in trained.get("trainings", []):
        name = facts.get("trainer")
        counts[name if name in counts else "other"] += facts.get("tokens", 0)
        generated += _sampled(run, j, facts)
    return Spent(**counts, generated=generated)


def _sampled(run: Run, j: int, facts: dict[str, Any]) -> int:
    """Tokens that a training sampled; of an older run, which did not keep them, by its log."""
    if "generated" in facts or facts.get("trainer") != "grpo":
        return int(facts.get("generated", 0))
    path = training_folder(run, j, facts) / HISTORY
    if not path.exists():
        return 0
    history = read_lines(path)
    return generated_tokens(history, run.settings.grpo.prompts * run.settings.grpo.group)


def _beside(run: Run, j: int) -> int:
    """Tokens that trainings took beside SFT and GRPO's own prompts."""
    total = 0
    for facts in (run.manifest("policy", j) or {}).get("trainings", []):
        total += facts.get("tokens_of_recoveries", 0)
        if facts.get("trainer") not in ("sft", "grpo"):
            total += facts.get("tokens", 0) + facts.get("generated", 0)
    return total


def allowance(run: Run, j: int) -> int:
    """Return the tokens of the budget left for D_j.

    Its own, and what earlier ones left or overdrew.
    """
    budget = run.settings.budget.tokens
    own = [budget[min(i, len(budget) - 1)] for i in range(j - 1)]
    return sum(own) - sum(spent(run, i).total for i in range(2, j + 1))


def fitted(
    run: Run,
    samples: Samples,
    j: int,
    epochs: int,
    prompts: Sequence[Sample],
    rehearse: Callable[[int], Samples],
) -> Samples:
    """Shuffle and repeat D_j until its budget is spent.

    With its rehearsal. The trainings after SFT are expected to take what GRPO's prompts have, answers as
    long as the labels, and for recoveries and any other training what they took in the iteration before.
    The next iteration makes the error good.

    Args:
        epochs: Passes of SFT over the rows.
        prompts: What GRPO will answer, one for each group.
        rehearse: Gives the samples of other tools for a number of rows; for more rows it gives more, and the
            same ones first.

    Returns:
        No rows where other trainings leave nothing for SFT.
    """
    tokenizer = load_base(run.settings.model)[1]
    known: dict[str, tuple[int, int]] = {}

    def lengths(sample: Sample) -> tuple[int, int]:
        if sample.id not in known:
            prompt, answer = encode(tokenizer, sample)
            known[sample.id] = len(prompt), len(answer)
        return known[sample.id]

    group = run.settings.grpo.group
    labels = sum(lengths(s)[1] for s in samples) / max(1, len(samples))
    answer = min(labels, run.settings.grpo.max_new_tokens)
    later = sum(group * (lengths(s)[0] + 2 * answer) for s in prompts) + _beside(run, j - 1)
    left = (allowance(run, j) - later) / max(1, epochs)
    if left <= 0 and not prompts:  # nothing else trains, and a policy has to be trained
        left = 1
    share = run.settings.sft.rehearsal if rehearse(len(samples)) else 0.0
    rng = random.Random(f"{run.settings.seed}/{j}")
    return repeated(samples, left, rng, lambda s: sum(lengths(s)), share, rehearse)


def repeated(
    samples: Samples,
    tokens: float,
    rng: random.Random,
    count: Callable[[Sample], int],
    share: float = 0.0,
    rehearse: Callable[[int], Samples] = lambda _: Samples(),
) -> Samples:
    """Repeat rows until they have that many tokens.

    Shuffled pass by pass, and their rehearsal behind them.

    Args:
        count: A sample's tokens.
        share: Rehearsal's share of the rows; its tokens count too.
        rehearse: As for `fitted`.
    """
    rows: list[Sample] = []
    others, ready, total = 0, Samples(), 0
    while total < tokens and samples:
        one_pass = list(samples)
        rng.shuffle(one_pass)
        for sample in one_pass:
            rows.append(sample)
            total += count(sample)
            wanted = round(len(rows) * share)
            if wanted > len(ready):
                ready = rehearse(2 * len(rows))
            total += sum(map(count, ready[others:wanted]))
            others = wanted
            if total >= tokens:
                break
    return Samples([*rows, *ready[:others]])
