"""The policy's engine on a cluster: prompts and batches are planned here, and workers do them.

A worker gets the engine itself, opened there: so what a stage does with a batch is the same code with the
same batches, and the results are those of this process.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any, TypeVar

from looptool_kit import cluster
from looptool_kit.config import EngineName
from looptool_kit.policy.engines import Chat, Completion, Engine, OnBatch, Said, Sampling
from looptool_kit.policy.engines.prompts import TokenEngine
from looptool_kit.policy.engines.vllm import end_tokens
from looptool_kit.policy.lengths import context_of
from looptool_kit.policy.models import find_model, load_tokenizer
from looptool_kit.policy.processor import Script, Written, pipeline, processed

T = TypeVar("T")
R = TypeVar("R")


class RemoteEngine(TokenEngine):
    """Stands for an engine that workers open."""

    def __init__(
        self, model: str, adapter: str | None, batch: int, kind: EngineName, here: Callable[[], Engine]
    ) -> None:
        """Load the tokenizer alone.

        Args:
            model: As `find_model` takes it.
            adapter: Folder of the LoRA adapter.
            batch: Completions that decode at once.
            kind: The engine's name.
            here: Opens the engine itself. It is sent to the workers.
        """
        path = find_model(model).path
        context = here().context if kind == "served" else context_of(path)  # a server may take less
        if context is None:
            raise ValueError(f"{path / 'config.json'} does not say how long the model's context is.")
        super().__init__(load_tokenizer(path), context, end_tokens(path), batch)
        self.kind, self.here, self.path, self.adapter = kind, here, path, adapter
        self.script: Script | None = None
        """Where it answers by what `ray.data.llm` gave back."""

    def __reduce__(self) -> tuple[Any, ...]:
        """A worker gets the engine itself."""
        cluster.sent.append(self)
        return _opened, (self.here,)

    def through(self, items: Sequence[T], work: Callable[[T], R]) -> Iterator[tuple[T, R]] | None:
        """Each item with its result by `ray.data.llm`.

        None where workers open the engine instead."""
        if self.kind != "vllm" or not cluster.has_gpus():
            return None
        rows = partial(pipeline, self.path, self.adapter, self.batch_size)
        return processed(items, work, self.follow, rows)

    def follow(self, answers: Sequence[Sequence[Written]]) -> None:
        """Answer from now on with these."""
        self.script = Script(self, answers)

    def generate(
        self, chats: Sequence[Chat], sampling: Sampling, on_batch: OnBatch | None = None
    ) -> list[list[Completion]]:
        """As the engine's."""
        if self.script:
            return self.script.generate(chats, sampling)

        def ask(engine: Engine, batch: list[int]) -> list[list[Completion]]:
            return engine.generate([chats[i] for i in batch], sampling)

        done: list[list[Completion]] = [[] for _ in chats]
        for batch, made in self._each(self._plan(self._prompts(chats), sampling.n), ask):
            for i, completions in zip(batch, made, strict=True):
                done[i] = completions
            if on_batch:
                on_batch(batch, made)
        return done

    def score(self, chats: Sequence[Chat], answers: Sequence[Said]) -> list[tuple[float, ...]]:
        """As the engine's."""
        if self.script:
            return self.script.score(chats, answers)

        def ask(engine: Engine, batch: list[int]) -> list[tuple[float, ...]]:
            return engine.score([chats[i] for i in batch], [answers[i] for i in batch])

        rows = self._pairs(chats, answers, self.context)
        scores: list[tuple[float, ...]] = [()] * len(rows)
        for batch, made in self._each(self._plan([prompt + tail for prompt, tail in rows], 1), ask):
            for i, score in zip(batch, made, strict=True):
                scores[i] = score
        return scores

    def _each(
        self, batches: list[list[int]], ask: Callable[[Engine, list[int]], R]
    ) -> Iterator[tuple[list[int], R]]:
        """Each batch with the engine's answer; a single one is not worth a worker where this machine can."""
        if not batches:
            return
        if len(batches) == 1 and (self.kind == "served" or self._fits_here()):
            yield batches[0], ask(self.here(), batches[0])
            return
        engine = self

        def work(batch: list[int]) -> R:
            return ask(engine, batch)

        yield from cluster.each(batches, work, gpus=self.kind != "served")

    def _fits_here(self) -> bool:
        """Whether this machine is as good as a worker."""
        settings = cluster.running()
        if settings is None or settings.address == "local":
            return True
        cluster.connected(settings)
        if not cluster.has_gpus():
            return True
        if importlib.util.find_spec("torch") is None:
            return False
        import torch

        return torch.cuda.is_available()


def _opened(here: Callable[[], Engine]) -> Engine:
    return here()
