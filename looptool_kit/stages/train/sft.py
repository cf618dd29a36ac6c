"""Supervised fine-tuning of the policy on labels, with TRL's SFTTrainer over shared prefixes."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from looptool_kit.config import LoraSettings, SftSettings, TargetSettings
from looptool_kit.core.samples import Samples
from looptool_kit.core.tables import read_json, write_json
from looptool_kit.policy.engines.prompts import end_token
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
from looptool_kit.stages.train.targets import cut, label_weights

if TYPE_CHECKING:
    import torch

ALIKE = TargetSettings()
LOSSES = "losses.json"
"""Each sample's mean label loss before training; kept, since a resumed training has the same order."""
Row = dict[str, list[Any]]


def train(
    load: Callable[[], tuple[Any, Any]],
    adapter: Path | None,
    samples: Samples,
    settings: SftSettings,
    lora: LoraSettings,
    folder: Path,
    seed: int,
    targets: TargetSettings = ALIKE,
) -> dict[str, Any]:
    """Train an adapter on the labels of `samples` for `settings.epochs`.

    Resumes from the last checkpoint in `folder`. The loss is the mean negative log-likelihood of the
    completion tokens of an optimiser batch, weighed by `targets.key_weight`.

    Args:
        load: Gives (base model, tokenizer).
        adapter: The policy to start from; None for a new adapter.
        samples: What to learn.
        settings: The recipe of this iteration.
        lora: The shape of a new adapter.
        folder: Gets `adapter/`, `history.jsonl` and `result.json`.
        seed: Decides the order of the samples and the new adapter's weights.
        targets: Which tokens count more, and the order.

    Returns:
        The facts of `result.json`; `tokens` are those of prompts and completions, as if none were shared.
    """
    if (facts := finished(folder)) is not None:
        return facts
    from datasets import Dataset

    model, tokenizer = load()
    encoded = [encode(tokenizer, s) for s in samples]
    micro = min(settings.micro_batch, settings.batch)
    policy = lora_policy(model, lora, adapter, seed)
    not_shared = _warned(policy)
    room = None if not_shared else pass_tokens(policy, settings.gradient_checkpointing)
    most = room or settings.micro_tokens
    # A GPU takes the optimiser's batch at once, in as few passes as its memory allows.
    at_once = micro if room is None else settings.batch
    config = _config(settings, at_once, folder, seed)
    rows = _rows(tokenizer, samples, encoded, not not_shared, targets.key_weight)
    losses = None
    if targets.order == "easy_first":
        size = settings.micro_batch if room is None else settings.batch
        losses = _losses(policy.to(config.device), samples, rows, settings, size, most, config, folder, seed)
    epochs = range(settings.epochs)
    order = [i for epoch in epochs for i in by_tool_list(list(samples), micro, seed + epoch, losses)]
    trainer = shared_prefix_trainer()(
        model=policy,
        args=config,
        train_dataset=Dataset.from_list([rows[i] for i in order]),
        data_collator=_collator(tokenizer, None if not_shared else most, targets.key_weight != 1),
        processing_class=tokenizer,
        callbacks=[progress(f"train: SFT on {len(samples)} samples")],
    )
    run_to_end(trainer, folder)
    tokens = sum(len(p) + len(c) for p, c in (encoded[i] for i in order))
    return keep_result(trainer, folder, {"trainer": "sft", "samples": len(samples), "tokens": tokens})


def _config(settings: SftSettings, at_once: int, folder: Path, seed: int) -> Any:
    from trl import SFTConfig

    # One epoch: the rows hold all epochs, each in its own order.
    arguments = sft_arguments(settings, at_once, folder, seed) | own_arguments(settings)
    config = SFTConfig(num_train_epochs=1, max_length=None, **arguments)
    config._n_gpu = 1  # or the Trainer wraps the policy in DataParallel where more are visible
    return config


def _warned(policy: Any) -> str:
    """Why prefixes are not shared, with a warning that says so; empty where they are."""
    not_shared = why_not(policy) or ""
    if not_shared:
        warnings.warn(f"SFT computes each sample's prompt again (TRL's own path): {not_shared}", stacklevel=3)
    return not_shared


def _collator(tokenizer: Any, most: int | None, weighed: bool) -> Any:
    """What makes a batch of rows: packed up to `most` tokens; TRL's own collator (None) takes no weights."""
    if most is not None:
        return partial(collate, most=most)
    return partial(collate_plain, pad=end_token(tokenizer)) if weighed else None


def _rows(
    tokenizer: Any,
    samples: Samples,
    encoded: Sequence[tuple[list[int], list[int]]],
    shared: bool,
    key_weight: float,
) -> list[Row]:
    """The samples as a collator takes them, with the weights of their labels' tokens unless all are 1."""
    rows = [_row(p, c, shared) for p, c in encoded]
    if key_weight == 1:
        return rows
    weights = label_weights(tokenizer, samples, [c for _, c in encoded], key_weight)
    return [row | {"weights": w} for row, w in zip(rows, weights, strict=True)]


def _row(prompt: list[int], completion: list[int], shared: bool) -> Row:
    """A sample as `collate` takes it; where nothing is shared, as TRL's own collator does."""
    if shared:
        return {"prompt_ids": prompt, "completion_ids": completion}
    return {"input_ids": prompt + completion, "labels": [-100] * len(prompt) + completion}


def _losses(
    policy: Any,
    samples: Samples,
    rows: list[Row],
    settings: SftSettings,
    at_once: int,
    most: int,
    arguments: Any,
    folder: Path,
    seed: int,
) -> list[float]:
    """The mean negative log-likelihood of each sample's label under the policy; kept in `LOSSES`."""
    import torch

    path = folder / LOSSES
    if path.exists():
        return read_json(path, list[float], "Delete it, and the losses are measured again.")
    losses, half = [0.0] * len(rows), half_of(arguments)
    order = by_tool_list(samples, settings.micro_batch, seed)
    policy.eval()
    with torch.no_grad():
        for start in range(0, len(order), at_once):
            batch = order[start : start + at_once]
            logps = _logps(policy, [rows[i] for i in batch], most, half)
            for i, of_label in zip(batch, logps, strict=True):
                losses[i] = -sum(of_label) / len(of_label)
    policy.train()
    folder.mkdir(parents=True, exist_ok=True)
    write_json(path, losses)
    return losses


def _logps(policy: Any, batch: list[Row], most: int, half: torch.dtype | None) -> list[Sequence[float]]:
    """The log-probabilities of each row's label tokens."""
    import torch

    if "prompt_ids" in batch[0]:
        flat = [v for part in packs(batch, most) for v in logps_of(policy, part, half=half)[0].tolist()]
        return list(cut(flat, [len(row["completion_ids"]) for row in batch]))
    found: list[Sequence[float]] = []
    for row in batch:
        ids, labels = (torch.tensor([row[k]], device=policy.device) for k in ("input_ids", "labels"))
        with torch.autocast(policy.device.type, half or torch.bfloat16, enabled=half is not None):
            logits = policy(input_ids=ids).logits
        found.append(_token_logps(logits, labels)[labels[:, 1:] != -100].tolist())
    return found


def _token_logps(logits: Any, labels: Any) -> Any:
    """(B, T - 1) log-probabilities of `labels[:, 1:]`, zero where they are -100."""
    from torch.nn.functional import cross_entropy

    flat = logits[:, :-1].float().flatten(0, 1)
    return -cross_entropy(flat, labels[:, 1:].flatten(), reduction="none").view(labels.shape[0], -1)


def collate_plain(batch: list[Row], pad: int) -> dict[str, Any]:
    """Pad rows that share nothing to one length.

    With the weights of their tokens.
    """
    import torch

    longest = max(len(row["input_ids"]) for row in batch)
    filled: dict[str, list[list[Any]]] = {"input_ids": [], "attention_mask": [], "labels": [], "weights": []}
    for row in batch:
        ids, weights = row["input_ids"], row["weights"]
        more = longest - len(ids)
        filled["input_ids"].append(ids + [pad] * more)
        filled["attention_mask"].append([1] * len(ids) + [0] * more)
        filled["labels"].append(row["labels"] + [-100] * more)
        filled["weights"].append([0.0] * (len(ids) - len(weights)) + weights + [0.0] * more)
    return {name: torch.tensor(values) for name, values in filled.items()}


def collate(batch: list[Row], most: int) -> dict[str, Any]:
    """Pack a batch with its labels and weights.

    In parts of at most `most` tokens (`packs`); weights where rows have them.
    """
    import torch

    parts = packs(batch, most)
    # One label more than targets: the Trainer counts labels[..., 1:] to scale the loss over gradient
    # accumulation.
    labels = torch.cat([torch.tensor([-100]), *(p.target for p in parts)]).unsqueeze(0)
    inputs: dict[str, Any] = {"parts": parts, "labels": labels}
    if "weights" in batch[0]:
        flat = [w for row in batch for w in row["weights"]]
        inputs["weights"] = [torch.tensor(w) for w in cut(flat, [len(p.target) for p in parts])]
    return inputs


def packs(batch: list[Row], most: int) -> list[Packed]:
    """Pack a batch in parts of `most` tokens.

    In halves, until each part has that or one sample.
    """
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
            weights: Any = inputs.get("weights")
            if "parts" not in inputs and weights is None:
                return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)  # type: ignore[no-untyped-call]
            count = num_items_in_batch
            if count is None:
                count = int((inputs["labels"][:, 1:] != -100).sum())
            if "parts" not in inputs:
                given = {k: inputs[k] for k in ("input_ids", "attention_mask")}
                return -(_token_logps(model(**given).logits, inputs["labels"]) * weights[:, 1:]).sum() / count
            half = half_of(self.args)

            def summed(at: int) -> Any:
                logps = logps_of(model, inputs["parts"][at], half=half)[0]
                return logps.sum() if weights is None else (logps * weights[at].to(logps.device)).sum()

            done = 0.0
            last = len(inputs["parts"]) - 1
            for at in range(last):  # each part's gradients at once, so that memory is that of one part
                loss = -summed(at) / count
                self.accelerator.backward(loss)
                done += float(loss.detach())
            return done - summed(last) / count

        def _get_train_sampler(self, *_: Any) -> Any:
            rows: Any = self.train_dataset
            return torch.utils.data.SequentialSampler(rows)

    return SharedPrefixSFTTrainer
