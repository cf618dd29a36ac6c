"""Supervised fine-tuning of the policy on labels, with TRL's SFTTrainer over shared prefixes."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from looptool_kit.config import LoraSettings, SftSettings
from looptool_kit.core.samples import Samples
from looptool_kit.stages.train.common import (
    by_tool_list,
    encode,
    finished,
    half_of,
    keep_result,
    lora_policy,
    own_arguments,
    progress,
    run_to_end,
)
from looptool_kit.stages.train.packing import Packed, pack
from looptool_kit.stages.train.passes import logps_of, pass_tokens
from looptool_kit.stages.train.recipe import sft_arguments
from looptool_kit.stages.train.shared_prefix import why_not


def train(
    load: Callable[[], tuple[Any, Any]],
    adapter: Path | None,
    samples: Samples,
    settings: SftSettings,
    lora: LoraSettings,
    folder: Path,
    seed: int,
) -> dict[str, Any]:
    """Train an adapter on the labels of `samples` for `settings.epochs`.

    Resumes from the last checkpoint in `folder`. The loss is the mean negative log-likelihood of the
    completion tokens of an optimiser batch.

    Args:
        load: Gives (base model, tokenizer).
        adapter: The policy to start from; None for a new adapter.
        samples: What to learn.
        settings: The recipe of this iteration.
        lora: The shape of a new adapter.
        folder: Gets `adapter/`, `history.jsonl` and `result.json`.
        seed: Decides the order of the samples and the new adapter's weights.

    Returns:
        The facts of `result.json`. `tokens` are those of prompts and completions, as if no prefix were
        shared.
    """
    if (facts := finished(folder)) is not None:
        return facts
    from datasets import Dataset
    from trl import SFTConfig

    model, tokenizer = load()
    encoded = [encode(tokenizer, s) for s in samples]
    micro = min(settings.micro_batch, settings.batch)
    order = [i for epoch in range(settings.epochs) for i in by_tool_list(list(samples), micro, seed + epoch)]
    policy = lora_policy(model, lora, adapter, seed)
    not_shared = why_not(policy)
    if not_shared:
        warnings.warn(f"SFT computes each sample's prompt again (TRL's own path): {not_shared}", stacklevel=2)
    most = None if not_shared else pass_tokens(policy, settings.gradient_checkpointing)
    # A GPU takes the optimiser's batch at once, in as few passes as its memory allows.
    rows = micro if most is None else settings.batch
    # One epoch: the rows hold all epochs, each in its own order.
    arguments = sft_arguments(settings, rows, folder, seed) | own_arguments(settings)
    config = SFTConfig(num_train_epochs=1, max_length=None, **arguments)
    config._n_gpu = 1  # or the Trainer wraps the policy in DataParallel where more are visible
    trainer = shared_prefix_trainer()(
        model=policy,
        args=config,
        train_dataset=Dataset.from_list([_row(*encoded[i], shared=not not_shared) for i in order]),
        data_collator=None if not_shared else partial(collate, most=most or settings.micro_tokens),
        processing_class=tokenizer,
        callbacks=[progress(f"train: SFT on {len(samples)} samples")],
    )
    run_to_end(trainer, folder)
    tokens = sum(len(p) + len(c) for p, c in (encoded[i] for i in order))
    return keep_result(trainer, folder, {"trainer": "sft", "samples": len(samples), "tokens": tokens})


def _row(prompt: list[int], completion: list[int], shared: bool) -> dict[str, list[int]]:
    """A sample as `collate` takes it; where nothing is shared, as TRL's own collator does."""
    if shared:
        return {"prompt_ids": prompt, "completion_ids": completion}
    return {"input_ids": prompt + completion, "labels": [-100] * len(prompt) + completion}


def collate(batch: list[dict[str, list[int]]], most: int) -> dict[str, Any]:
    """A batch packed, in parts of at most `most` tokens (`packs`), and its labels."""
    import torch

    parts = packs(batch, most)
    # One label more than targets: the Trainer counts labels[..., 1:] to scale the loss over gradient
    # accumulation.
    labels = torch.cat([torch.tensor([-100]), *(p.target for p in parts)]).unsqueeze(0)
    return {"parts": parts, "labels": labels}


def packs(batch: list[dict[str, list[int]]], most: int) -> list[Packed]:
    """The batch packed, in halves until each part has `most` tokens or one sample."""
    packed = pack([r["prompt_ids"] for r in batch], [r["completion_ids"] for r in batch])
    if len(batch) == 1 or packed.input_ids.shape[1] <= most:
        return [packed]
    half = len(batch) // 2
    return packs(batch[:half], most) + packs(batch[half:], most)


def shared_prefix_trainer() -> Any:
    """TRL's `SFTTrainer` over packed rows, in the order of the dataset.

    A function, so that trl is imported only when training.
    """
    import torch
    from trl import SFTTrainer

    class SharedPrefixSFTTrainer(SFTTrainer):
        def compute_loss(
            self,
            model: Any,
            inputs: dict[str, Any],
            return_outputs: bool = False,
            num_items_in_batch: Any = None,
        ) -> Any:
            if "parts" not in inputs:
                return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
            count = inputs["labels"].numel() - 1 if num_items_in_batch is None else num_items_in_batch
            *first, last = inputs["parts"]
            half = half_of(self.args)
            done = 0.0
            for part in first:  # each part's gradients at once, so that memory is that of one part
                loss = -logps_of(model, part, half=half)[0].sum() / count
                self.accelerator.backward(loss)
                done += float(loss.detach())
            return done - logps_of(model, last, half=half)[0].sum() / count

        def _get_train_sampler(self, *_: Any) -> Any:
            rows: Any = self.train_dataset
            return torch.utils.data.SequentialSampler(rows)

    return SharedPrefixSFTTrainer
