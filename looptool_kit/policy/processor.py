"""The policy by `ray.data.llm`: vLLM replicas with continuous batching across the batches of a stage.

Not seen: it was written from Ray's documentation and source (2.60), and no GPU ran it. What was run, on a
CPU, is all but `pipeline`.

A stage's work asks an engine in the middle. So it is called twice: the first time to learn what it asks, the
second time with the answers. That is sound because a stage's work is a function of its batch and of what the
engine answers; the prompts of all batches go through the replicas together.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from looptool_kit import cluster
from looptool_kit.policy.adapters import check_adapter
from looptool_kit.policy.engines import Chat, Completion, Said, Sampling
from looptool_kit.policy.engines.prompts import TokenEngine
from looptool_kit.policy.engines.vllm import MODULES, RANKS, rank_of

T = TypeVar("T")
R = TypeVar("R")
Rows = list[dict[str, Any]]


class Written(NamedTuple):
    """What vLLM gave back for one row."""

    ids: Sequence[int]
    logprobs: Sequence[float]
    """Of what it wrote."""
    prompt_logprobs: Sequence[float]
    """Of the end of the prompt, where that was asked for."""


class Asked(Exception):
    """The work has asked what is not answered yet."""

    def __init__(self, rows: Rows) -> None:
        super().__init__("not answered yet")
        self.rows = rows


class Script:
    """The answers to one item's questions, in the order asked."""

    def __init__(self, engine: TokenEngine, answers: Sequence[Sequence[Written]]) -> None:
        self.engine, self.answers = engine, iter(answers)

    def generate(self, chats: Sequence[Chat], sampling: Sampling) -> list[list[Completion]]:
        """As an engine's."""
        count = 1 if sampling.temperature == 0 else sampling.n  # greedy completions are all alike
        prompts = self.engine._prompts(chats)
        written = self._next([self._row(p, sampling, k) for p in prompts for k in range(count)])
        made = [self.engine._completion(w.ids, w.logprobs) for w in written]
        return [made[i * count : (i + 1) * count] * (sampling.n // count) for i in range(len(prompts))]

    def score(self, chats: Sequence[Chat], answers: Sequence[Said]) -> list[tuple[float, ...]]:
        """As an engine's."""
        pairs = self.engine._pairs(chats, answers, self.engine.context - 1)
        params = {"max_tokens": 1, "temperature": 0.0, "prompt_logprobs": 0, "detokenize": False}
        rows = [
            {"tokenized_prompt": [*prompt, *tail], "sampling_params": params, "tail": len(tail)}
            for prompt, tail in pairs
        ]
        return [tuple(w.prompt_logprobs) for w in self._next(rows)]

    def _next(self, rows: Rows) -> Sequence[Written]:
        answer = next(self.answers, None) if rows else []
        if answer is None:
            raise Asked(rows)
        return answer

    def _row(self, prompt: tuple[int, ...], sampling: Sampling, number: int) -> dict[str, Any]:
        text = f"{sampling.seed} {prompt} {number}"
        own = int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")
        params = {
            "temperature": sampling.temperature,
            "seed": own,
            "max_tokens": min(sampling.max_new_tokens, self.engine.context - len(prompt)),
            "logprobs": 0,
            "stop_token_ids": sorted(self.engine.ends),
            "ignore_eos": True,  # `ends` has it, as in the engine `vllm`
            "detokenize": False,
        }
        return {"tokenized_prompt": list(prompt), "sampling_params": params, "tail": 0}


def processed(
    items: Sequence[T],
    work: Callable[[T], R],
    follow: Callable[[Sequence[Sequence[Written]]], None],
    through: Callable[[Rows], Iterable[tuple[int, int, Written]]],
) -> Iterator[tuple[T, R]]:
    """Each item with what `work` makes of it, as they are finished.

    Args:
        items: What the work is called with.
        work: It asks an engine.
        follow: Tells that engine the answers that the next call of the work gets.
        through: Rows with `item` and `row` -> (item, row, what vLLM gave back), in any order.
    """
    known: dict[int, list[Sequence[Written]]] = {at: [] for at in range(len(items))}
    ready = list(known)
    while ready:
        asked: dict[int, Rows] = {}
        for at in ready:
            try:
                follow(known[at])
                yield items[at], work(items[at])
            except Asked as question:
                asked[at] = question.rows
        rows = [row | {"item": at, "row": i} for at in asked for i, row in enumerate(asked[at])]
        found: dict[int, dict[int, Written]] = {at: {} for at in asked}
        for at, number, written in through(rows) if rows else ():
            found[at][number] = written
        for at in asked:
            known[at].append([found[at][i] for i in range(len(asked[at]))])
        ready = list(asked)


def pipeline(path: Path, adapter: str | None, batch: int, rows: Rows) -> Iterator[tuple[int, int, Written]]:
    """The rows through `ray.data.llm`, one replica of vLLM a worker."""
    settings = cluster.running()
    assert settings is not None
    cluster.connected(settings)
    from ray.data import from_items
    from ray.data.llm import build_processor, vLLMEngineProcessorConfig

    lora: dict[str, Any] = {}
    if adapter:
        check_adapter(adapter, path)
        rank = next(r for r in RANKS if r >= max(32, rank_of(adapter)))
        lora = {"enable_lora": True, "max_lora_rank": rank, "lora_target_modules": list(MODULES)}
        rows = [row | {"model": adapter} for row in rows]
    config = vLLMEngineProcessorConfig(
        model_source=str(path),
        engine_kwargs={"enable_prefix_caching": True, "max_num_seqs": batch, **lora},
        batch_size=batch,
        concurrency=settings.workers,
        chat_template_stage=False,
        tokenize_stage=False,
        detokenize_stage=False,
        log_engine_metrics=False,
    )
    processor = build_processor(config, postprocess=_plain)
    with cluster.lost(settings):
        for row in processor(from_items(rows)).iter_rows():
            written = Written(
                [int(i) for i in row["ids"]], list(row["logprobs"]), list(row["prompt_logprobs"])
            )
            yield int(row["item"]), int(row["row"]), written


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    """A row of vLLM's output with numbers alone."""
    tail = int(row["tail"])
    prompt = row["prompt_logprobs"][-tail:] if tail else []
    return {
        "item": row["item"],
        "row": row["row"],
        "ids": row["generated_tokens"],
        "logprobs": [] if tail else [_logprob(at) for at in row["logprobs"]],
        "prompt_logprobs": [_logprob(at) for at in prompt],
    }


def _logprob(at: dict[Any, Any]) -> float:
    """The log-probability of the one token that stands in vLLM's record of a place."""
    return float(next(token["logprob"] for token in at.values() if token is not None))
