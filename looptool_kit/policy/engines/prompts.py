"""Chats as token ids, token ids as completions: what all engines share.

So a policy sees the same prompt wherever it runs. Text is text: what stands in a message, a tool or a label
is never read as a special token, whatever it spells. Only the chat template writes those. The engines `vllm`
and `served` send these token ids, not the text.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from math import ceil
from pathlib import Path
from typing import Any, Literal, NamedTuple

from looptool_kit.core.samples import Label, Message, Tool, ToolCall
from looptool_kit.core.toolcalls import (
    Answer,
    chat,
    chat_template,
    marker_places,
    render_answer,
    render_turns,
    tool_schemas,
)
from looptool_kit.policy import wire
from looptool_kit.policy.engines import Chat, Completion, Engine, Said
from looptool_kit.policy.engines.prefix_tree import shared_length
from looptool_kit.policy.special_tokens import Special, encode_plain, special_of

MAX_BATCH_TOKENS = 24_576
"""Distinct prompt tokens that a batch may hold, whatever its number of rows: a bound on memory."""


class Begun(NamedTuple):
    """A chat with the beginning of its answer; engines write what comes after it.

    The beginning is token ids, since its text may be cut into others.
    """

    chat: Chat
    ids: tuple[int, ...]

    @property
    def tools(self) -> tuple[Tool, ...]:
        """The chat's."""
        return self.chat.tools

    @property
    def messages(self) -> tuple[Message, ...]:
        """The chat's."""
        return self.chat.messages


# ------------------------------------------------------------------- prompts


def render(tokenizer: Any, item: Chat) -> str:
    """A prompt's text, for training and for every engine.

    By the project's template where the tokenizer carries it, else by the tokenizer's own. Templates that let
    a model think first (Qwen3) are told not to: labels hold no thoughts, and are scored right behind the
    prompt. For the ids take `encode_prompts`: in this text nothing tells the template's special tokens from
    what a user typed.
    """
    return _render(tokenizer, item.messages, item.tools)


def _render(tokenizer: Any, messages: Sequence[Message], tools: Sequence[Tool]) -> str:
    if tokenizer.chat_template == chat_template():
        return render_turns(chat(messages), tool_schemas(tools))
    return wire.prompt(tokenizer, messages, tools)


def encode_prompt(tokenizer: Any, item: Chat) -> list[int]:
    """The prompt's token ids.

    Raises ValueError where a tokenizer cannot keep a special token's name as text.
    """
    if isinstance(item, Begun):
        return [*encode_prompt(tokenizer, item.chat), *item.ids]
    special = special_of(tokenizer)
    if special.may_stand_in(_written(item.messages, item.tools), {}):
        return _encode_careful(tokenizer, special, item)
    ids: list[int] = tokenizer(render(tokenizer, item), add_special_tokens=False)["input_ids"]
    return ids


def encode_prompts(tokenizer: Any, chats: Sequence[Chat]) -> list[list[int]]:
    """`encode_prompt` of each, several times faster."""
    texts = [render(tokenizer, item) for item in chats]
    ids: list[list[int]] = tokenizer(texts, add_special_tokens=False)["input_ids"] if texts else []
    special = special_of(tokenizer)
    known: dict[str, bool] = {}
    for i, item in enumerate(chats):
        if special.may_stand_in(_written(item.messages, item.tools), known):
            ids[i] = _encode_careful(tokenizer, special, item)
        if isinstance(item, Begun):
            ids[i] = [*ids[i], *item.ids]
    return ids


def render_target(tokenizer: Any, item: Chat, said: Label | Answer) -> str:
    """The text that the policy is to write for a label, in its own form and without its end.

    Raises ValueError where the form cannot write it.
    """
    return wire.target(tokenizer, item.messages, item.tools, said)


def encode_turn(tokenizer: Any, item: Chat, said: Said) -> list[int]:
    """The token ids of what the policy says next, with the token that ends it.

    A text is one that the policy wrote. What a label's values spell is no mark of its form.
    """
    form = wire.form_of(tokenizer)
    if form.projects or isinstance(said, str):
        ids = encode_answer(tokenizer, said if isinstance(said, str) else render_answer(said))
        calls = not form.projects and bool(form.parse(str(said), tools=item.tools).calls)
        return [*ids, end_token(tokenizer, calls)]
    special, words = special_of(tokenizer), said.reply if isinstance(said, Label) else said.text
    turn = Message(role="assistant", content=words, tool_calls=said.calls)
    if special.may_stand_in(_written((turn,)), {}):
        messages, tools = _hidden(special, (*item.messages, turn), item.tools)
        text = wire.target(
            tokenizer, messages[:-1], tools, Answer(calls=messages[-1].tool_calls, text=messages[-1].content)
        )
        ids = encode_plain(tokenizer, special, special.show(text))
    else:
        ids = tokenizer(render_target(tokenizer, item, said), add_special_tokens=False)["input_ids"]
    return [*ids, end_token(tokenizer, bool(said.calls))]


def decode(tokenizer: Any, ids: Sequence[int]) -> str:
    """The text of an answer's token ids, its end left out.

    The marks of a form of the model's own may be special tokens, and are kept.
    """
    plain = wire.form_of(tokenizer).projects
    return tokenizer.decode(list(ids), skip_special_tokens=plain, clean_up_tokenization_spaces=False)


def encode_answer(tokenizer: Any, answer: str) -> list[int]:
    """The token ids of a text that the policy wrote, without the end.

    In the project's form only the marks around its calls may be special tokens.
    """
    special = special_of(tokenizer)
    if not wire.form_of(tokenizer).projects:
        said: list[int] = tokenizer(answer, add_special_tokens=False)["input_ids"]
        return said
    spelt = [m.start() for m in special.pattern.finditer(answer)] if special.pattern else []
    marks = marker_places(answer) if spelt or special.always else {}
    if set(spelt) <= marks.keys() and not special.always:
        ids: list[int] = tokenizer(answer, add_special_tokens=False)["input_ids"]
        return ids
    own = [(at, word) for at, word in sorted(marks.items()) if word in special.names]
    out, done = "", 0
    for at, word in own:
        out += answer[done:at] + special.alias(word)
        done = at + len(word)
    return encode_plain(tokenizer, special, out + answer[done:])


# ------------------------------------------------------ special tokens as text


def _written(messages: Iterable[Message], tools: Iterable[Tool] = ()) -> Iterator[str]:
    """Everything in a chat that is data."""
    for message in messages:
        yield message.content
        yield message.name or ""
        for call in message.tool_calls:
            yield json.dumps([call.name, call.arguments], ensure_ascii=False)
    for tool in tools:
        yield tool.canonical


def _encode_careful(tokenizer: Any, special: Special, item: Chat) -> list[int]:
    """The ids of a prompt whose data may spell special tokens.

    They are hidden while the template works, then encoded as text.
    """
    hidden = _hidden(special, item.messages, item.tools)
    return encode_plain(tokenizer, special, special.show(_render(tokenizer, *hidden)))


def _hidden(
    special: Special, messages: Iterable[Message], tools: Iterable[Tool]
) -> tuple[list[Message], list[Tool]]:
    def hidden(item: Any, *fields: str) -> Any:
        return item.model_copy(
            update={field: _mapped(getattr(item, field), special.hide) for field in fields}
        )

    turns = []
    for message in messages:
        calls: tuple[ToolCall, ...] = tuple(hidden(c, "name", "arguments") for c in message.tool_calls)
        turns.append(hidden(message, "content", "name").model_copy(update={"tool_calls": calls}))
    return turns, [hidden(tool, "name", "description", "parameters") for tool in tools]


def _mapped(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {change(k): _mapped(v, change) for k, v in value.items()}
    return [_mapped(v, change) for v in value] if isinstance(value, list | tuple) else value


def end_token(tokenizer: Any, calls: bool = False) -> int:
    """The token that ends an answer, or one that is `calls`, in training and in every engine.

    Raises ValueError where the tokenizer has none.
    """
    special = special_of(tokenizer).names
    end = special.get(wire.end_of(tokenizer, calls), special.get("<|im_end|>"))
    if end is None:  # the whole vocabulary takes a while to list
        end = tokenizer.get_vocab().get("<|im_end|>", tokenizer.eos_token_id)
    if end is None:
        raise ValueError(
            "The tokenizer has neither <|im_end|> nor an end-of-sequence token, so answers would never end."
            " Use an instruct model."
        )
    return end


class TokenEngine:
    """The base of all engines: tokenizer, context, end tokens, and the batches.

    Batches are a function of these and of the batch size alone, whatever the engine.
    """

    def __init__(self, tokenizer: Any, context: int, ends: Iterable[int] = (), batch_size: int = 64):
        """Set up an engine.

        `context` is the most tokens of prompt and answer together; `ends` are tokens that end an answer,
        beside the chat template's own.
        """
        self.tokenizer, self.context, self.batch_size = tokenizer, context, batch_size
        self.end = end_token(tokenizer)
        self.ends = {self.end, end_token(tokenizer, calls=True), *ends}

    # What an engine may leave out of the protocol.

    def use(self, adapter: str | Path | None) -> None:
        """Nothing: this engine keeps to the weights that it was opened with."""

    def sleep(self) -> bool:
        """False: this engine has no memory that it could give back for a while."""
        return False

    def wake(self) -> None:
        """Nothing: this engine does not sleep."""

    def close(self) -> None:
        """Nothing: its memory is free when nobody refers to it."""

    def render(self, item: Chat) -> str:
        """The prompt's text, as `render` gives it."""
        return render(self.tokenizer, item)

    def plan(self, chats: Sequence[Chat], n: int = 1) -> list[list[int]]:
        """The batches that `generate` runs: indices into `chats`, all of them once.

        A function of the chats and n alone. Generating one planned batch by itself gives what generating
        everything gives. Raises ValueError for a prompt that fills the context.
        """
        return self._plan(self._prompts(chats), n)

    def _prompts(self, chats: Sequence[Chat]) -> list[tuple[int, ...]]:
        if not chats:
            return []
        prompts = [tuple(ids) for ids in encode_prompts(self.tokenizer, chats)]
        for i, (item, prompt) in enumerate(zip(chats, prompts, strict=True)):
            if len(prompt) >= self.context:
                raise ValueError(
                    f"The prompt of {_name(item, i)} has {len(prompt)} tokens and leaves no room in the"
                    f" model's context of {self.context}. Leave the sample out, give it fewer tools or a"
                    " shorter dialogue, or take a model with a longer context."
                )
        return prompts

    def _pairs(
        self, chats: Sequence[Chat], answers: Sequence[Said], most: int
    ) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
        """(prompt, answer and end token) of each row.

        Raises ValueError where the two exceed `most` tokens.
        """
        if len(chats) != len(answers):
            raise ValueError(
                f"There are {len(chats)} chats and {len(answers)} answers; each answer needs its chat."
            )
        said = zip(chats, answers, strict=True)
        tails = [tuple(encode_turn(self.tokenizer, item, answer)) for item, answer in said]
        pairs = list(zip(self._prompts(chats), tails, strict=True))
        for i, (item, (prompt, tail)) in enumerate(zip(chats, pairs, strict=True)):
            if len(prompt) + len(tail) > most:
                raise ValueError(
                    f"The answer to {_name(item, i)} ends at token {len(prompt) + len(tail)}; the model's"
                    f" context is {self.context}"
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
        text = decode(self.tokenizer, ids[:-1] if stopped else ids)
        tokens = tuple(self.tokenizer.decode([i], clean_up_tokenization_spaces=False) for i in ids)
        finish: Literal["stop", "length"] = "stop" if stopped else "length"
        form = wire.form_of(self.tokenizer)
        return Completion(text, tuple(ids), tuple(logprobs), tokens, finish, form)


def _name(item: Chat, index: int) -> str:
    name = getattr(item, "id", None)
    return f"sample {name} (row {index})" if name else f"row {index}"


def fits(engine: Engine, chat: Any) -> bool:
    """Whether the prompt leaves room for an answer in the engine's context."""
    try:
        engine.plan([chat])
    except ValueError:
        return False
    return True
