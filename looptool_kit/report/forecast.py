"""What a loop on the embedded model will take.

Time on this machine, memory and disk, said before it starts.

The counts come from the settings; the seconds behind each are rough figures of two cores, scaled by how fast
this machine multiplies. They hold for the embedded model alone: about any other nothing is said.
"""

from __future__ import annotations

import time
from typing import NamedTuple

from looptool_kit.config import Settings
from looptool_kit.stages.compose.augmented import quota

GFLOPS = 370.0
"""Products that the machine of the measurements did: `_gflops()` there."""
ANSWER, SFT_ROW, COMPLETION, STAGE = 0.28, 0.55, 0.45, 6.0
"""Seconds there: for a greedy answer (probe, evaluate), for a row that SFT passes over, for a sampled
completion with GRPO's step on it, and for loading the model in a stage.
"""
FAILING = 0.4
"""Share of a dataset that its policy gets wrong, or that is borderline: what the next dataset grows from."""


class Forecast(NamedTuple):
    """What a loop will take."""

    seconds: float
    memory_gb: float
    disk_gb: float


def forecast(settings: Settings) -> Forecast | None:
    """What a loop with these settings takes on this machine.

    None unless it runs the embedded model alone, with the kit's own engine, on a CPU.
    """
    work = stage_seconds(settings)
    policies = settings.iterations + 1
    if work is None:
        return None
    return Forecast(
        sum(work.values()),
        2.0 + 0.034 * min(settings.probe.batch, settings.held_out),
        0.1 * policies + 1.1,
    )


def stage_seconds(settings: Settings) -> dict[tuple[str, int], float] | None:
    """Estimate the seconds of each long stage on this machine.

    (manifest, iteration) -> seconds; else as `forecast`.
    """
    import torch

    asks = settings.judge_llm or settings.generator_llm or settings.jury.others
    own = (settings.model, settings.trainer, settings.engine) == ("embedded", "trl", "transformers")
    if not own or asks or torch.cuda.is_available():
        return None
    sft, grpo, expand, augment = settings.sft, settings.grpo, settings.expand, settings.augment
    work: dict[tuple[str, int], float] = {}
    rows, last = float(settings.seeds.first), settings.iterations + 1
    for j in range(0 if settings.evaluate.base else 1, last + 1):
        work["scores", j] = settings.held_out * ANSWER + STAGE
    for j, fresh in enumerate([*settings.seeds.slices(settings.iterations), 0], 1):
        passes, steps = (sft.epochs, grpo.steps_first) if j == 1 else (sft.epochs_later, grpo.steps)
        train = SFT_ROW * rows * (1 + sft.rehearsal) * passes + COMPLETION * grpo.prompts * grpo.group * steps
        work["policy", j] = train + 2 * STAGE
        if j < last:
            work["probes_raw", j] = ANSWER * rows + STAGE
            failed = FAILING * rows
            children = min(expand.most, failed * expand.children)
            if "hardgen" in expand.expanders:
                # At the most: seeds of tools that do not fail are not answered for, nor those right at once.
                answers = children * settings.hardgen.tries * settings.hardgen.hints
                answers += rows * (settings.hardgen.second == "base")
                work["expansions", j] = answers * ANSWER + STAGE
            rows = failed + children + min(settings.compose.hppl, rows - failed) + fresh
            if augment.perturbations:
                kinds, first = len(augment.perturbations), settings.seeds.first
                scored = kinds * first * (augment.choice == "loss") + settings.development
                # A label is scored in about the time of an answer.
                work["augment_losses", j] = STAGE + ANSWER * scored
                rows += min(first * augment.per_sample, kinds * quota(first, augment.share, j, augment.halve))
    slower = GFLOPS / _gflops()
    return {stage: slower * seconds for stage, seconds in work.items()}


def _gflops() -> float:
    """Billions of multiplications and additions a second, on all threads.

    They are of the type that the engine computes in.
    """
    import torch

    from looptool_kit.policy.models import default_dtype

    # The shape of a product in the embedded model: hidden size 576, intermediate size 1536.
    a, b = torch.ones(1024, 576, dtype=default_dtype()), torch.ones(1536, 576, dtype=default_dtype())
    products, started = 0, time.monotonic()
    while (took := time.monotonic() - started) < 0.3:
        torch.nn.functional.linear(a, b)
        products += 1
    return products * 2 * 1024 * 576 * 1536 / took / 1e9
