"""The engine `transformers`: generation and scoring by a model in this process.

Prompts that begin alike (the same tool list, the same dialogue, several samples of one prompt) are computed
and held once (`prefix_attention`). Rows leave the batch when they finish. Works on the model that it is
given, also a live training model; merge a LoRA adapter around generation (`model.merge_adapter()` ...
`model.unmerge_adapter()`), since unmerged adapters slow every step.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from looptool_kit.policy.engines import Chat, Completion, OnBatch, Said, Sampling
from looptool_kit.policy.engines.prefix_attention import Decode, Prefill, installed
from looptool_kit.policy.engines.prefix_tree import plant
from looptool_kit.policy.engines.prompts import TokenEngine

T = TypeVar("T")


class Row(NamedTuple):
    """One completion to write."""

    prompt: tuple[int, ...]
    sample: int
    """Which of the n completions of its prompt."""
    limit: int
    """Most tokens that it may get."""


class TransformersEngine(TokenEngine):
    """Generates and scores with a causal language model of transformers.

    Its layers must be attention, over all tokens or a sliding window of them.
    """

    def __init__(self, model: Any, tokenizer: Any, batch_size: int = 64):
        """Take a model, which may be a PEFT model, as it is: it is not copied.

        `batch_size` is the number of completions that decode at once. Raises ValueError for a model that this
        engine cannot run, with the reason.
        """
        inner = model.get_base_model() if hasattr(model, "get_base_model") else model
        if reason := _why_not(inner):
            raise ValueError(
                f"The transformers engine cannot run {type(inner).__name__}: {reason}. Use a Llama-like model"
                " or the vllm engine."
            )
        extra = inner.generation_config.eos_token_id if inner.generation_config else None
        super().__init__(
            tokenizer,
            inner.config.max_position_embeddings,
            [extra] if isinstance(extra, int) else extra or [],
            batch_size,
        )
        self.model = model
        self._most = batch_size
        # Attention of a kind that only a forward pass shows is refused here, not after planning.
        self._score([((self.end,), (self.end,))])

    @classmethod
    def load(
        cls, path: str | Path, adapter: str | Path | None = None, dtype: Any = None, batch_size: int = 64
    ) -> TransformersEngine:
        """The engine of a folder, a hub id or `embedded`.

        A LoRA adapter is merged in where one is given (see `models.load`).
        """
        from looptool_kit.policy.models import load

        return cls(*load(str(path), dtype, adapter), batch_size=batch_size)

    def generate(
        self, chats: Sequence[Chat], sampling: Sampling, on_batch: OnBatch | None = None
    ) -> list[list[Completion]]:
        """`sampling.n` completions for each chat, in order.

        Log-probabilities are natural logs of the model's own distribution, at temperature 1 whatever the
        sampling's temperature. Samples are drawn by a random stream of (seed, prompt, number of the sample),
        whatever else is in the batch: the same prompt twice gets the same samples. Raises ValueError for a
        prompt that fills the context.
        """
        prompts = self._prompts(chats)
        done: list[list[Completion]] = [[] for _ in chats]
        for batch in self._plan(prompts, sampling.n):
            rows = [
                Row(prompts[i], k, min(sampling.max_new_tokens, self.context - len(prompts[i])))
                for i in batch
                for k in range(sampling.n)
            ]
            written = self._halving(rows, lambda part: self._decode(part, sampling))
            for at, i in enumerate(batch):
                done[i] = written[at * sampling.n : (at + 1) * sampling.n]
            if on_batch:
                on_batch(batch, [done[i] for i in batch])
        return done

    def score(self, chats: Sequence[Chat], answers: Sequence[Said]) -> list[tuple[float, ...]]:
        """Log-probability of each token of `answers[i]`, end token included, after `chats[i]`.

        Raises ValueError where the two exceed the context.
        """
        rows = self._pairs(chats, answers, self.context)
        scores: list[tuple[float, ...]] = [()] * len(chats)
        for batch in self._plan([prompt + tail for prompt, tail in rows], 1):
            for i, score in zip(batch, self._halving([rows[i] for i in batch], self._score), strict=True):
                scores[i] = score
        return scores

    # ------------------------------------------------------------ batches

    def _halving(self, rows: Sequence[T], run: Callable[[Sequence[T]], list[Any]]) -> list[Any]:
        """`run(rows)`, in halves where memory does not suffice, then also for later batches."""
        if len(rows) > self._most:
            middle = (len(rows) + 1) // 2
            return self._halving(rows[:middle], run) + self._halving(rows[middle:], run)
        try:
            return run(rows)
        except (RuntimeError, MemoryError) as error:
            if not _out_of_memory(error) or len(rows) == 1:
                raise
        # Outside the handler: the error's traceback would keep the failed batch's tensors alive.
        _free()
        if self._most >= self.batch_size:
            warnings.warn(
                f"Out of memory with {len(rows)} rows: continuing with smaller batches.",
                RuntimeWarning,
                stacklevel=4,
            )
        self._most = (len(rows) + 1) // 2
        return self._halving(rows, run)

    def _decode(self, rows: Sequence[Row], sampling: Sampling) -> list[Completion]:
        """Completions of rows whose prompts are sorted."""
        import torch

        with installed(self.model) as model:
            device = next(model.parameters()).device
            tree = plant([row.prompt for row in rows])
            prefill = Prefill(tree, device)
            last = [path[-1] for path in tree.paths]
            seen = {
                p: line
                for at, logits in prefill.run(model, set(last))
                for p, line in zip(at, logits, strict=True)
            }
            logits = torch.stack([seen[p] for p in last])
            del seen
            decode = Decode(prefill, tree.paths)
            chance = _uniforms(rows, sampling).to(device) if sampling.temperature > 0 else None
            ids: list[list[int]] = [[] for _ in rows]
            logprobs: list[list[float]] = [[] for _ in rows]
            live = list(range(len(rows)))  # row of each line of the running batch
            running = set(live)
            while True:
                step = max(len(ids[row]) for row in running)
                tokens, chosen = _choose(
                    logits, None if chance is None else chance[live, step], sampling.temperature
                )
                for row, token, logprob in zip(live, tokens.tolist(), chosen.tolist(), strict=True):
                    if row in running:
                        ids[row].append(token)
                        logprobs[row].append(logprob)
                        if token in self.ends or len(ids[row]) >= rows[row].limit:
                            running.discard(row)
                if not running:
                    break
                if len(running) <= 0.8 * len(live):
                    staying = [line for line, row in enumerate(live) if row in running]
                    decode.keep(staying)
                    tokens, live = tokens[staying], [live[line] for line in staying]
                positions = torch.tensor([len(rows[row].prompt) + step for row in live], device=device)
                logits = decode.step(model, tokens, positions)
        return [self._completion(i, p) for i, p in zip(ids, logprobs, strict=True)]

    def _score(self, pairs: Sequence[tuple[tuple[int, ...], tuple[int, ...]]]) -> list[tuple[float, ...]]:
        """Log-probabilities of each tail after its prompt.

        The (prompt, tail) pairs are sorted by prompt + tail.
        """
        tree = plant([prompt + tail for prompt, tail in pairs])
        # Packed token -> (pair, place in the tail, token that follows).
        asked: dict[int, list[tuple[int, int, int]]] = {}
        for i, ((prompt, tail), path) in enumerate(zip(pairs, tree.paths, strict=True)):
            for k, token in enumerate(tail):
                asked.setdefault(path[len(prompt) - 1 + k], []).append((i, k, token))
        scores = [[0.0] * len(tail) for _, tail in pairs]
        with installed(self.model) as model:
            prefill = Prefill(tree, next(model.parameters()).device)
            for at, logits in prefill.run(model, set(asked)):
                logits = logits.float()
                normaliser = logits.logsumexp(-1)
                lines = [(line, *what) for line, p in enumerate(at) for what in asked[p]]
                picked = (
                    logits[[line for line, *_ in lines], [token for *_, token in lines]]
                    - normaliser[[line for line, *_ in lines]]
                )
                for (_, i, k, _), logprob in zip(lines, picked.tolist(), strict=True):
                    scores[i][k] = logprob

        return [tuple(s) for s in scores]


def _why_not(model: Any) -> str | None:
    """Why prompts cannot share beginnings in this model; None where they can.

    They can where a token's state depends on keys and values of its own sequence alone.
    """
    if not getattr(model, "_supports_attention_backend", False):
        return "its attention cannot be replaced"
    if getattr(model, "_is_stateful", False):
        return "its layers carry a state from token to token"
    kinds = set(getattr(model.config.get_text_config(), "layer_types", None) or ()) - {
        "full_attention",
        "sliding_attention",
    }
    return f"it has layers of {min(kinds)}" if kinds else None


def _choose(logits: Any, chance: Any, temperature: float) -> tuple[Any, Any]:
    """Next tokens [rows] and their log-probabilities at temperature 1.

    Greedy where `chance` is None, else by inverting the distribution at it.
    """
    import torch

    logits = logits.float()
    if chance is None:
        tokens = logits.argmax(-1)
    else:
        heights = (logits / temperature).softmax(-1).double().cumsum(-1)
        # `right`: the first token whose cumulative probability exceeds the draw, so never one of probability
        # 0.
        tokens = torch.searchsorted(heights, chance[:, None] * heights[:, -1:], right=True)[:, 0].clamp_(
            max=logits.shape[-1] - 1
        )
    return tokens, logits.gather(-1, tokens[:, None])[:, 0] - logits.logsumexp(-1)


def _uniforms(rows: Sequence[Row], sampling: Sampling) -> Any:
    """Draws in [0, 1), float64 [rows, max_new_tokens], by (seed, prompt, sample)."""
    import torch

    out = torch.empty(len(rows), sampling.max_new_tokens, dtype=torch.float64)
    for i, row in enumerate(rows):
        key = hashlib.sha256(f"{sampling.seed} {row.sample} {row.prompt}".encode()).digest()
        source = torch.Generator().manual_seed(int.from_bytes(key[:8], "big") >> 1)
        out[i] = torch.rand(sampling.max_new_tokens, generator=source, dtype=torch.float64)
    return out


def _out_of_memory(error: BaseException) -> bool:
    import torch

    text = str(error).lower()
    return (
        isinstance(error, MemoryError | torch.OutOfMemoryError)
        or "can't allocate memory" in text
        or "out of memory" in text
    )


def _free() -> None:
    import gc

    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
