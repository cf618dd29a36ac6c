"""Supervised fine-tuning of the policy on labels, with TRL's SFTTrainer over shared prefixes."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from looptool_kit.config import LoraSettings, SftSettings
from looptool_kit.core.samples import Samples
from looptool_kit.stages.train.common import (
    arguments,
    by_tool_list,
    encode,
    keep_result,
    last_checkpoint,
    lora_policy,
    progress,
)
from looptool_kit.stages.train.shared_prefix import Packed, pack, packed_logps, why_not


def train(
    load: Callable[[], tuple[Any, Any]],
    adapter: Path | None,
    samples: Samples,
    settings: SftSettings,
    lora: LoraSettings,
    folder: Path,
    seed: int,
) -> dict[str, Any]:
    """Train an adapter on the labels of `samples` for `settings.epochs`; resumes from the last checkpoint in
    `folder`.

    `load()` gives (base model, tokenizer); `adapter` is the policy to start from. The loss is the mean
    negative log-likelihood of the completion tokens of an optimiser batch. Leaves `adapter/`, `history.jsonl`
    and `result.json` in `folder` and returns the result's facts (`tokens`: the prompt and completion tokens
    trained on, as if no prefix were shared).
    """
    result = folder / "result.json"
    if result.exists():
        return json.loads(result.read_text())
    import torch
    from datasets import Dataset
    from transformers.trainer_callback import PrinterCallback
    from trl import SFTConfig, SFTTrainer

    model, tokenizer = load()
    encoded = [encode(tokenizer, s) for s in samples]
    micro = min(settings.micro_batch, settings.batch)
    order = [i for epoch in range(settings.epochs) for i in by_tool_list(list(samples), micro, seed + epoch)]
    policy = lora_policy(model, lora, adapter, seed)
    reason = why_not(policy)
    if reason is None:
        rows = [{"prompt_ids": encoded[i][0], "completion_ids": encoded[i][1]} for i in order]
    else:
        warnings.warn(f"SFT computes each sample's prompt anew (TRL's own path): {reason}", stacklevel=2)
        rows = [{"input_ids": p + c, "labels": [-100] * len(p) + c} for p, c in (encoded[i] for i in order)]

    def collate(batch: list[dict[str, list[int]]]) -> dict[str, Any]:
        parts = packs(batch, settings.micro_tokens)
        # One label more than targets: the Trainer counts labels[..., 1:] to scale the loss over gradient
        # accumulation.
        labels = torch.cat([torch.tensor([-100]), *(p.target for p in parts)]).unsqueeze(0)
        return {"parts": parts, "labels": labels}

    class Trainer(SFTTrainer):
        def compute_loss(
            self,
            model: Any,
            inputs: dict[str, Any],
            return_outputs: bool = False,
            num_items_in_batch: Any = None,
        ) -> Any:
            if reason is not None:
                return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
            count = inputs["labels"].numel() - 1 if num_items_in_batch is None else num_items_in_batch
            *first, last = inputs["parts"]
            done = 0.0
            for part in first:  # each part's gradients at once, so that memory is that of one part
                loss = -packed_logps(model, part, bf16=self.args.bf16)[0].sum() / count
                self.accelerator.backward(loss)
                done += float(loss.detach())
            return done - packed_logps(model, last, bf16=self.args.bf16)[0].sum() / count

        def _get_train_sampler(self, *_: Any) -> Any:
            return torch.utils.data.SequentialSampler(rows)  # type: ignore[arg-type]

    config = SFTConfig(
        num_train_epochs=1,  # the rows hold all epochs, each in its own order
        per_device_train_batch_size=micro,
        gradient_accumulation_steps=settings.batch // micro,
        lr_scheduler_type="cosine",
        warmup_steps=settings.warmup_steps,
        max_length=None,
        dataset_kwargs={"skip_prepare_dataset": True},
        **arguments(settings, folder, seed),
    )
    config._n_gpu = 1  # or the Trainer wraps the policy in DataParallel where more are visible
    bar = progress(f"train: SFT on {len(samples)} samples")
    trainer = Trainer(
        model=policy,
        args=config,
        train_dataset=Dataset.from_list(rows),
        data_collator=collate if reason is None else None,
        processing_class=tokenizer,
        callbacks=[bar],
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train(resume_from_checkpoint=last_checkpoint(folder))
    facts = {
        "trainer": "sft",
        "samples": len(samples),
        "tokens": sum(len(p) + len(c) for p, c in (encoded[i] for i in order)),
    }
    keep_result(trainer, folder, facts)
    return json.loads(result.read_text())


def packs(batch: list[dict[str, list[int]]], most: int) -> list[Packed]:
    """The batch packed, cut in halves until no part of more than one sample has more than `most` tokens."""
    packed = pack([r["prompt_ids"] for r in batch], [r["completion_ids"] for r in batch])
    if len(batch) == 1 or packed.input_ids.shape[1] <= most:
        return [packed]
    half = len(batch) // 2
    return packs(batch[:half], most) + packs(batch[half:], most)
