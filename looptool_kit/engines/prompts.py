"""Chats as token ids, token ids as completions: what every engine does alike, so that a policy sees the same prompt wherever it runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import ceil
from typing import Any

from looptool_kit.engines import Chat, Completion
from looptool_kit.engines.prefix_tree import shared_length
from looptool_kit.toolcalls import chat, chat_template, render_prompt, tool_schemas

MAX_BATCH_TOKENS = 24_576
"""Distinct prompt tokens that a batch may hold, whatever its number of rows: a bound on memory."""


def render(tokenizer: Any, item: Chat) -> str:
    """A prompt's text, for training and for every engine: by the project's template where the tokenizer carries it, else by the tokenizer's own.

    Templates that let a model think first (Qwen3) are told not to: labels hold no thoughts, and are scored right behind the prompt.
    """
    if tokenizer.chat_template == chat_template():
        return render_prompt(item.tools, item.messages)
    return tokenizer.apply_chat_template(
        chat(item.messages), tools=tool_schemas(item.tools) or None, add_generation_prompt=True, tokenize=False, enable_thinking=False
    )


def end_token(tokenizer: Any) -> int:
    """The token that ends an answer, in training and in every engine. Raises ValueError where the tokenizer has none."""
    vocabulary = tokenizer.get_vocab()
    end = vocabulary.get("<|im_end|>", tokenizer.eos_token_id)
    if end is None:
        raise ValueError("The tokenizer has neither <|im_end|> nor an end-of-sequence token, so answers would never end. Use an instruct model.")
    return end


class TokenEngine:
    """An engine's tokenizer, context and end tokens, and its batches: a function of these and of the batch size alone, whatever the engine."""

    def __init__(self, tokenizer: Any, context: int, ends: Iterable[int] = (), batch_size: int = 64):
        """`context` is the most tokens of prompt and answer together; `ends` are tokens that end an answer, beside the chat template's own."""
        self.tokenizer, self.context, self.batch_size = tokenizer, context, batch_size
        self.end = end_token(tokenizer)
        self.ends = {self.end, *ends}

    def render(self, item: Chat) -> str:
        """The prompt's text, as `render` gives it."""
        return render(self.tokenizer, item)

    def plan(self, chats: Sequence[Chat], n: int = 1) -> list[list[int]]:
        """The batches that `generate` runs: indices into `chats`, all of them once. A function of the chats and n alone.

        Generating one planned batch by itself gives what generating everything gives. Raises ValueError for a prompt that fills the context.
        """
        return self._plan(self._prompts(chats), n)

    def _prompts(self, chats: Sequence[Chat]) -> list[tuple[int, ...]]:
        if not chats:
            return []
        prompts = [tuple(ids) for ids in self.tokenizer([self.render(item) for item in chats], add_special_tokens=False).input_ids]
        for i, (item, prompt) in enumerate(zip(chats, prompts, strict=True)):
            if len(prompt) >= self.context:
                raise ValueError(
                    f"The prompt of {_name(item, i)} has {len(prompt)} tokens and leaves no room in the model's context of {self.context}. "
                    "Leave the sample out, give it fewer tools or a shorter dialogue, or take a model with a longer context."
                )
        return prompts

    def _pairs(self, chats: Sequence[Chat], answers: Sequence[str], most: int) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
        """(prompt, answer and end token) of each row. Raises ValueError where the two exceed `most` tokens."""
        if len(chats) != len(answers):
            raise ValueError(f"There are {len(chats)} chats and {len(answers)} answers; each answer wants its chat.")
        tails = [(*self.tokenizer(answer, add_special_tokens=False).input_ids, self.end) for answer in answers]
        pairs = list(zip(self._prompts(chats), tails, strict=True))
        for i, (item, (prompt, tail)) in enumerate(zip(chats, pairs, strict=True)):
            if len(prompt) + len(tail) > most:
                raise ValueError(
                    f"The answer to {_name(item, i)} ends at token {len(prompt) + len(tail)}; the model's context is {self.context}"
                    + (f", and this engine scores {most} of it." if most < self.context else ".")
                )
        return pairs

    def _plan(self, prompts: Sequence[tuple[int, ...]], n: int) -> list[list[int]]:
        order = sorted(range(len(prompts)), key=lambda i: (prompts[i], i))
        most = max(1, self.batch_size // n)
        # Evenly: a decode step of a few rows that are left over costs nearly what one of many does.
        most = ceil(len(prompts) / max(1, ceil(len(prompts) / most)))
        batches: list[list[int]] = []
        held = 0
        for i in order:
            more = len(prompts[i]) - shared_length(prompts[batches[-1][-1]], prompts[i]) if batches else 0
            if not batches or len(batches[-1]) == most or held + more > MAX_BATCH_TOKENS:
                batches.append([])
                held, more = 0, len(prompts[i])
            batches[-1].append(i)
            held += more
        return batches

    def _completion(self, ids: Sequence[int], logprobs: Sequence[float]) -> Completion:
        stopped = ids[-1] in self.ends
        text = self.tokenizer.decode(list(ids[:-1] if stopped else ids), skip_special_tokens=True, clean_up_tokenization_spaces=False)
        tokens = tuple(self.tokenizer.decode([i], clean_up_tokenization_spaces=False) for i in ids)
        return Completion(text, tuple(ids), tuple(logprobs), tokens, "stop" if stopped else "length")


def _name(item: Chat, index: int) -> str:
    name = getattr(item, "id", None)
    return f"sample {name} (row {index})" if name else f"row {index}"
