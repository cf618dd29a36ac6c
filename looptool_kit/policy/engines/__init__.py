"""Engines: who writes text and scores it. Greedy answers of all agree up to numerical ties.

An engine is an object with the methods of `Engine`: `transformers.py` and `vllm.py` run the policy in this
process, `served.py` asks a vLLM server, which takes prompts as token ids and gives log-probabilities back.
Other OpenAI-compatible servers will not do for a policy: their chat completions give no token ids, score no
given text, and render prompts by a template of their own, where a policy must be probed with the very prompt
that it was trained on. Judges and generators need none of that: they go through `looptool_kit.llm`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

from looptool_kit.core.samples import Label, Message, Tool
from looptool_kit.core.toolcalls import Answer
from looptool_kit.core.wire.form import PROJECTS, WireForm


class Chat(Protocol):
    """Anything with tools and messages; a `Sample` is one."""

    @property
    def tools(self) -> tuple[Tool, ...]: ...
    @property
    def messages(self) -> tuple[Message, ...]: ...


MAX_PERPLEXITY = 1e12
"""More is said as this: tables, quantiles and JSON have no use for an infinity. A greedy answer has at most
the size of the vocabulary, since the likeliest of n has at least the probability 1/n.
"""
Said = str | Label | Answer
"""What follows a chat: a text that the policy wrote, or a label or an answer, to be put in its own form."""


class Sampling(NamedTuple):
    """How to decode."""

    max_new_tokens: int = 160
    temperature: float = 0.0
    """0 is greedy."""
    n: int = 1
    """Completions for each chat."""
    seed: int = 0


class Completion(NamedTuple):
    """One completion; the three token sequences have equal length.

    They include the end token where one was written.
    """

    text: str
    token_ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    tokens: tuple[str, ...]
    finish_reason: Literal["stop", "length"]
    form: WireForm = PROJECTS
    """In which the policy that wrote it writes calls."""

    def answer(self, tools: Sequence[Tool] = ()) -> Answer:
        """The text, parsed; `tools` are those on offer."""
        return self.form.parse(self.text, self.finish_reason, tools)

    @property
    def perplexity(self) -> float:
        """exp(-mean(logprobs)) over its own tokens (LoopTool, section 3.3); 1 where there are none."""
        return perplexity(sum(self.logprobs), len(self.logprobs))


def perplexity(logprob: float, tokens: int) -> float:
    """The perplexity of `tokens` tokens with this log-probability together, at most `MAX_PERPLEXITY`."""
    return math.exp(min(-logprob / max(1, tokens), math.log(MAX_PERPLEXITY)))


OnBatch = Callable[[list[int], list[list[Completion]]], None]
"""Called as each batch is done, with the indices of its chats and their completions: a stage keeps them."""


class Engine(Protocol):
    """Generates and scores for one policy.

    `prompts.TokenEngine` is the base class of all: an engine without adapters to swap, or without memory to
    give back, inherits methods that do nothing.
    """

    context: int
    """The most tokens of prompt and answer together."""

    def plan(self, chats: Sequence[Chat]) -> list[list[int]]:
        """The batches, as row numbers, in which `generate` works.

        A function of the chats alone, so that a resumed stage repeats none.
        """
        ...

    def generate(
        self, chats: Sequence[Chat], sampling: Sampling, on_batch: OnBatch | None = None
    ) -> list[list[Completion]]:
        """`sampling.n` completions for each chat, in order."""
        ...

    def score(self, chats: Sequence[Chat], answers: Sequence[Said]) -> list[tuple[float, ...]]:
        """Log-probability of each token of `answers[i]`, end token included, after `chats[i]`.

        A chat may stand several times.
        """
        ...

    def use(self, adapter: str | Path | None) -> None:
        """Answer with this LoRA adapter from now on, with the base model for None.

        An engine that cannot swap adapters keeps to the weights that it was opened with.
        """
        ...

    def sleep(self) -> bool:
        """Leave its memory to a trainer until it is used again; False where it cannot."""
        ...

    def wake(self) -> None:
        """Take the memory back; generating and scoring do so by themselves."""
        ...

    def close(self) -> None:
        """Free all memory; the engine cannot be used any more."""
        ...
