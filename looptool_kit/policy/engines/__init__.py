"""Engines: who writes text and scores it. Whatever an engine runs on, greedy answers agree up to numerical
ties.

An engine is an object with the methods of `Engine`: `transformers.py` and `vllm.py` run the policy in this
process, `served.py` asks a vLLM server, which takes prompts as token ids and gives log-probabilities back.
Other OpenAI-compatible servers will not do for a policy: their chat completions give no token ids, score no
given text, and render prompts by a template of their own, where a policy must be probed with the very prompt
that it was trained on. Judges and generators need none of that: they go through `calls.complete`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple, Protocol

from looptool_kit.core.samples import Message, Tool


class Chat(Protocol):
    """Anything with tools and messages; a `Sample` is one."""

    @property
    def tools(self) -> tuple[Tool, ...]: ...
    @property
    def messages(self) -> tuple[Message, ...]: ...


class Sampling(NamedTuple):
    """How to decode."""

    max_new_tokens: int = 160
    temperature: float = 0.0
    """0 is greedy."""
    n: int = 1
    """Completions for each chat."""
    seed: int = 0


class Completion(NamedTuple):
    """One completion; the three token sequences have equal length, the end token included where one was
    written.
    """

    text: str
    token_ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    tokens: tuple[str, ...]
    finish_reason: Literal["stop", "length"]


OnBatch = Callable[[list[int], list[list[Completion]]], None]
"""Called as each batch is done with the indices of its chats and their completions, so that a stage can keep
them.
"""


class Engine(Protocol):
    """Generates and scores for one policy."""

    def plan(self, chats: Sequence[Chat]) -> list[list[int]]:
        """The batches, as row numbers, in which `generate` works: a function of the chats alone, so that a
        resumed stage repeats none.
        """
        ...

    def generate(
        self, chats: Sequence[Chat], sampling: Sampling, on_batch: OnBatch | None = None
    ) -> list[list[Completion]]:
        """`sampling.n` completions for each chat, in order."""
        ...

    def score(self, chats: Sequence[Chat], answers: Sequence[str]) -> list[tuple[float, ...]]:
        """Log-probability of each token of `answers[i]` (end token included) after `chats[i]`; a chat may
        stand several times.
        """
        ...
