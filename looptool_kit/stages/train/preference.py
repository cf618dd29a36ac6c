"""Preference training: of two answers to one sample the better one becomes more likely (SimPO, DPO).

Both answers of a pair share their prompt and, as pairs are made, most of themselves: `packing` computes each
shared token once. The losses are those of SimPO (arXiv 2405.14734, section 2) and DPO (arXiv 2305.18290,
section 4), written here because no library computes them over shared prefixes.
"""

from __future__ import annotations

import random
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from looptool_kit.config import LoraSettings, PreferenceSettings
from looptool_kit.core.records import Pairs
from looptool_kit.core.samples import Frozen, Samples
from looptool_kit.core.tables import Table, write_json, write_text
from looptool_kit.policy.engines.prefix_tree import shared_length
from looptool_kit.policy.engines.prompts import encode_prompts, encode_turn
from looptool_kit.stages.train.common import (
    HISTORY,
    context_of,
    finished,
    half_of,
    keep_result,
    lora_policy,
    own_arguments,
    progress,
    run_to_end,
)
from looptool_kit.stages.train.grpo import together
from looptool_kit.stages.train.packing import pack
from looptool_kit.stages.train.passes import filled, logps_of, pass_tokens
from looptool_kit.stages.train.recipe import preference_arguments
from looptool_kit.stages.train.shared_prefix import why_not

if TYPE_CHECKING:
    import torch

Tokens = tuple[int, ...]


@dataclass(frozen=True)
class Row:
    """A pair as tokens.

    What the answers follow, and of each answer the tokens that count.
    """

    pair: int
    """Its number in the table."""
    sample_id: str
    prompt: Tokens
    """The sample's prompt, and the answers' common beginning where that does not count."""
    chosen: Tokens
    rejected: Tokens
    tokens: int
    """Tokens of both sequences, prompts included, as if no prefix were shared."""
    reference: tuple[float, float] = (0.0, 0.0)
    """Log-probability of chosen and rejected under the reference policy (DPO)."""
    gap: float = 1.0
    """By how much the chosen answer was paid more."""


class Reference(Frozen):
    """The starting policy's log-probabilities of a pair.

    Of the tokens that count.
    """

    pair: int
    chosen: float
    rejected: float


class References(Table[Reference]):
    """`ref.parquet`: the scored pairs so far, in order."""

    row_type = Reference


def train(
    load: Callable[[], tuple[Any, Any]],
    adapter: Path | None,
    pairs: Pairs,
    samples: Samples,
    settings: PreferenceSettings,
    lora: LoraSettings,
    folder: Path,
    seed: int,
    paid: bool = False,
) -> dict[str, Any]:
    """Train the policy on `pairs` for `settings.epochs`.

    Resumes from the last checkpoint in `folder`. Where no pair is usable the adapter stays as it is.

    Args:
        load: Gives (base model, tokenizer).
        adapter: The policy to start from, and DPO's reference; None for a new adapter on the base model.
        pairs: What to learn.
        samples: Those that the pairs are about.
        settings: The recipe.
        lora: The shape of a new adapter.
        folder: Gets `adapter/`, `history.jsonl`, `result.json`, and `ref.parquet` for DPO.
        seed: Decides the order of the pairs and the new adapter's weights.
        paid: In place of `settings.loss`: a policy gradient, by the pairs' gaps. It holds for one step.

    Returns:
        The facts of `result.json`. `tokens` are those of both sequences of every pair, prompts included, as
        if no prefix were shared; `rejected` counts the pairs that could not be used.
    """
    if (facts := finished(folder)) is not None:
        return facts
    from transformers import TrainingArguments

    model, tokenizer = load()
    rows, rejected = usable(tokenizer, pairs, samples, settings, context_of(model))
    _say_left_out(rejected, len(pairs))
    policy = lora_policy(model, lora, adapter, seed)
    if not_shared := why_not(policy):
        warnings.warn(f"preference training computes each answer by itself: {not_shared}", stacklevel=2)
    config = TrainingArguments(**preference_arguments(settings, folder, seed), **own_arguments(settings))
    config._n_gpu = 1  # or the Trainer wraps the policy in DataParallel where more are visible
    if settings.loss == "dpo" and not paid:
        # Before any step: the policy still is the reference.
        rows = with_reference(policy.to(config.device), rows, folder / "ref.parquet", config)
    order = [row for epoch in range(settings.epochs) for row in shuffled(rows, f"{seed}/{epoch}")]
    facts = _facts(rows, rejected, sum(row.tokens for row in order))
    if not order:
        return _unchanged(policy, folder, facts)
    name = "policy gradient" if paid else settings.loss
    bar = progress(f"train: {name} on {len(rows)} pairs")
    trainer = preference_trainer()(
        model=policy, args=config, train_dataset=order, data_collator=_as_rows, callbacks=[bar]
    )
    trainer.recipe, trainer.paid = settings, paid
    run_to_end(trainer, folder)
    return keep_result(trainer, folder, facts)


def _facts(rows: Sequence[Row], rejected: dict[str, int], tokens: int) -> dict[str, Any]:
    samples = len({row.sample_id for row in rows})
    counts = {"samples": samples, "pairs": len(rows), "rejected": rejected, "tokens": tokens}
    return {"trainer": "preference", **counts}


def _say_left_out(rejected: dict[str, int], count: int) -> None:
    if words := ", ".join(f"{n} {why}" for why, n in rejected.items()):
        print(f"preference: {sum(rejected.values())} of {count} pairs are left out: {words}")


def _as_rows(batch: Any) -> dict[str, Any]:
    return {"rows": batch}


def _unchanged(policy: Any, folder: Path, facts: dict[str, Any]) -> dict[str, Any]:
    """The result of a training on nothing."""
    policy.save_pretrained(folder / "adapter")
    write_text(folder / HISTORY, "")
    write_json(folder / "result.json", facts | {"steps": 0})
    return facts | {"steps": 0}


def usable(
    tokenizer: Any, pairs: Pairs, samples: Samples, settings: PreferenceSettings, context: int
) -> tuple[list[Row], dict[str, int]]:
    """Return the first pairs that can be trained on.

    At most `settings.most`, and how many were left out for what. A pair is left out, never cut, where a
    side is empty, both are equal, or a sequence is longer than `context`.
    """
    by_id = samples.by_id()
    ids = list(dict.fromkeys(pair.sample_id for pair in pairs))
    prompts = dict(zip(ids, encode_prompts(tokenizer, [by_id[i] for i in ids]), strict=True))
    rows: list[Row] = []
    rejected: Counter[str] = Counter()
    for at, pair in enumerate(pairs):
        prompt = tuple(prompts[pair.sample_id])
        sample = by_id[pair.sample_id]
        sides = [tuple(encode_turn(tokenizer, sample, text)) for text in (pair.chosen, pair.rejected)]
        if not pair.chosen.strip() or not pair.rejected.strip():
            rejected["empty"] += 1
        elif sides[0] == sides[1]:
            rejected["equal"] += 1
        elif len(prompt) + max(map(len, sides)) > context:
            rejected["too long"] += 1
        elif len(rows) == settings.most:
            rejected["beyond preference.most"] += 1
        else:
            same = shared_length(*sides) if settings.tokens == "branch" else 0
            beginning = prompt + sides[0][:same]
            total = 2 * len(prompt) + len(sides[0]) + len(sides[1])
            parts = sides[0][same:], sides[1][same:]
            rows.append(Row(at, pair.sample_id, beginning, *parts, total, gap=pair.gap))
    return rows, dict(rejected)


def shuffled(rows: Sequence[Row], seed: str) -> list[Row]:
    """Shuffle the rows of one epoch.

    Samples in random order, the pairs of one after each other. Those share their prompt's computation
    where they fall into one batch.
    """
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(row.sample_id, []).append(row)
    ordered = list(groups.values())
    random.Random(seed).shuffle(ordered)
    return [row for group in ordered for row in group]


# ----------------------------------------------------------------- losses


def losses(
    chosen: torch.Tensor,
    rejected: torch.Tensor,
    settings: PreferenceSettings,
    reference: tuple[torch.Tensor, torch.Tensor] | None = None,
) -> torch.Tensor:
    """The loss of each pair, (B,), without the SFT term.

    SimPO: -log sigmoid(beta (mean_c - mean_r) - gamma), of mean log-probabilities. DPO: -log sigmoid(beta
    ((sum_c - ref_c) - (sum_r - ref_r))), of sums.

    Args:
        chosen: Mean (simpo) or sum (dpo) of the chosen answers' log-probabilities, (B,).
        rejected: Those of the rejected answers.
        settings: `loss`, `beta`, `gamma`.
        reference: Sums under the reference policy; DPO needs them.

    Raises:
        ValueError: The loss is dpo, and there is no reference.
    """
    from torch.nn.functional import logsigmoid

    if settings.loss == "simpo":
        return -logsigmoid(settings.beta * (chosen - rejected) - settings.gamma)
    if reference is None:
        raise ValueError("DPO compares with a reference policy: give its log-probabilities")
    ratios = (chosen - reference[0]) - (rejected - reference[1])
    return -logsigmoid(settings.beta * ratios)


def sides(model: Any, rows: Sequence[Row], half: torch.dtype | None = None) -> tuple[list[Any], list[Any]]:
    """Return log-probabilities of both answers of each row.

    Of the tokens that count, chosen and rejected.
    """
    prompts = [row.prompt for row in rows for _ in range(2)]
    answers = [answer for row in rows for answer in (row.chosen, row.rejected)]
    if why_not(model):
        parts = [_plain(model, p, a, half) for p, a in zip(prompts, answers, strict=True)]
    else:
        flat = logps_of(model, pack(prompts, answers), half=half)[0]
        parts = list(flat.split([len(answer) for answer in answers]))  # type: ignore[no-untyped-call]
    return parts[::2], parts[1::2]


def _plain(model: Any, prompt: Tokens, answer: Tokens, half: torch.dtype | None) -> torch.Tensor:
    """Log-probabilities of an answer's tokens by transformers' own forward pass over one sequence."""
    import torch

    ids = torch.tensor([prompt + answer], device=model.device)
    with torch.autocast(ids.device.type, half or torch.bfloat16, enabled=half is not None):
        logits = model(input_ids=ids).logits[0, len(prompt) - 1 : -1]
    return torch.log_softmax(logits.float(), -1).gather(1, ids[0, len(prompt) :, None])[:, 0]


def passes(rows: Sequence[Row], most: int | None = None) -> Iterator[list[Row]]:
    """Split a batch into passes that share prompts.

    Bounded as GRPO's: on a GPU by `most` tokens.
    """
    prompts = {at: row.prompt for at, row in enumerate(rows)}
    sizes = [len(row.chosen) + len(row.rejected) for row in rows]
    found = together(prompts, sizes) if most is None else filled(prompts, sizes, most)
    yield from ([rows[at] for at in members] for members in found)


def _most(policy: Any, arguments: Any) -> int | None:
    """Tokens of a pass on a GPU, by the memory that is free now; None on a CPU."""
    return None if why_not(policy) else pass_tokens(policy, arguments.gradient_checkpointing)


def with_reference(policy: Any, rows: Sequence[Row], path: Path, arguments: Any) -> list[Row]:
    """The rows with the log-probabilities that `policy` gives them.

    They are scored once and kept in `path`, pass by pass, so that a stopped scoring resumes. `arguments` are
    the trainer's.
    """
    import torch

    # Whoever restarts the phase on other inputs moves its folder away, so what is there is about these rows.
    known = {r.pair: r for r in References.read(path)} if path.exists() else {}
    was_training = policy.training
    policy.eval()
    left = [row for row in rows if row.pair not in known]
    for part in passes(left, _most(policy, arguments)):
        with torch.no_grad():
            chosen, rejected = sides(policy, part, half_of(arguments))
        for row, c, r in zip(part, chosen, rejected, strict=True):
            known[row.pair] = Reference(pair=row.pair, chosen=float(c.sum()), rejected=float(r.sum()))
        References(known.values()).write(path)
    policy.train(was_training)
    return [replace(row, reference=(known[row.pair].chosen, known[row.pair].rejected)) for row in rows]


# ---------------------------------------------------------------- trainer


def batch_loss(
    model: Any,
    rows: Sequence[Row],
    settings: PreferenceSettings,
    count: int,
    half: torch.dtype | None = None,
    paid: bool = False,
) -> tuple[Any, list[float]]:
    """Compute the loss of a pass, and each row's margin.

    The sum of the losses over `count`. The margin is what the loss compares: the difference of mean
    log-probabilities (simpo), or of log-ratios to the reference (dpo). With `paid` the loss is minus gap
    times the difference of log-probabilities.
    """
    import torch

    pieces, mean = sides(model, rows, half), settings.loss == "simpo" and not paid
    chosen, rejected = (torch.stack([p.mean() if mean else p.sum() for p in ps]) for ps in pieces)
    if paid:
        margins = chosen - rejected
        gaps = margins.new_tensor([row.gap for row in rows])
        return -(gaps * margins).sum() / count, margins.detach().tolist()
    known = tuple(chosen.new_tensor([row.reference[side] for row in rows]) for side in (0, 1))
    total = losses(chosen, rejected, settings, (known[0], known[1])).sum()
    if settings.sft_weight:
        total = total - settings.sft_weight * torch.stack([p.mean() for p in pieces[0]]).sum()
    margins = (chosen - known[0]) - (rejected - known[1])
    return total / count, margins.detach().tolist()


def preference_trainer() -> Any:
    """Transformers' `Trainer` over `Row`s in the order of the dataset.

    A function, so that transformers is imported only when training.
    """
    import torch
    from transformers import Trainer

    class PreferenceTrainer(Trainer):
        recipe = PreferenceSettings()
        paid = False
        margins: tuple[float, ...] = ()

        def compute_loss(
            self,
            model: Any,
            inputs: dict[str, Any],
            return_outputs: bool = False,
            num_items_in_batch: Any = None,
        ) -> Any:
            rows: list[Row] = inputs["rows"]
            done, margins = 0.0, []
            parts = list(passes(rows, _most(model, self.args)))
            for at, part in enumerate(parts, 1):
                loss, more = batch_loss(model, part, self.recipe, len(rows), half_of(self.args), self.paid)
                margins += more
                if at < len(parts):  # each part's gradients at once, so that memory is that of one part
                    self.accelerator.backward(loss)
                    loss = loss.detach()
                done = done + loss
            self.margins = tuple(margins)
            return done

        def log(self, logs: dict[str, float], *args: Any, **kwargs: Any) -> None:
            if "loss" in logs and self.margins:
                count = len(self.margins)
                logs["margin"] = sum(self.margins) / count
                logs["preferred"] = sum(m > 0 for m in self.margins) / count
            super().log(logs, *args, **kwargs)

        def _get_train_sampler(self, *_: Any) -> Any:
            rows: Any = self.train_dataset
            return torch.utils.data.SequentialSampler(rows)

    return PreferenceTrainer
