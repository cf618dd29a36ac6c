"""Chats as token ids, token ids as completions: what all engines share.

So a policy sees the same prompt wherever it runs. Text is text: what stands in a message, a tool or a label
is never read as a special token, whatever it spells. Only the chat template writes those. The engines `vllm`
and `served` send these token ids, not the text.
"""

from __future__ import annotations

import copy
import json
import re
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from math import ceil
from pathlib import Path
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from looptool_kit.core.samples import Message, Tool
from looptool_kit.core.toolcalls import chat, chat_template, marker_places, render_turns, tool_schemas
from looptool_kit.policy.engines import Chat, Completion, Engine
from looptool_kit.policy.engines.prefix_tree import shared_length

MAX_BATCH_TOKENS = 24_576
"""Distinct prompt tokens that a batch may hold, whatever its number of rows: a bound on memory."""


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
    return tokenizer.apply_chat_template(
        chat(messages),
        tools=tool_schemas(tools) or None,
        add_generation_prompt=True,
        tokenize=False,
        enable_thinking=False,
    )


def encode_prompt(tokenizer: Any, item: Chat) -> list[int]:
    """The prompt's token ids.

    Raises ValueError where a tokenizer cannot keep a special token's name as text.
    """
    special = _special(tokenizer)
    if special.may_stand_in(_written(item), {}):
        return _encode_careful(tokenizer, special, item)
    ids: list[int] = tokenizer(render(tokenizer, item), add_special_tokens=False)["input_ids"]
    return ids


def encode_prompts(tokenizer: Any, chats: Sequence[Chat]) -> list[list[int]]:
    """`encode_prompt` of each, several times faster."""
    texts = [render(tokenizer, item) for item in chats]
    ids: list[list[int]] = tokenizer(texts, add_special_tokens=False)["input_ids"] if texts else []
    special = _special(tokenizer)
    known: dict[str, bool] = {}
    for i, item in enumerate(chats):
        if special.may_stand_in(_written(item), known):
            ids[i] = _encode_careful(tokenizer, special, item)
    return ids


def encode_answer(tokenizer: Any, answer: str) -> list[int]:
    """The token ids of an answer as `toolcalls.render_answer` writes it, without the end.

    Only the marks around its calls may be special tokens.
    """
    special = _special(tokenizer)
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
    return _encode_plain(tokenizer, special, out + answer[done:])


# ------------------------------------------------------ special tokens as text


class _Special(NamedTuple):
    """The tokens of a tokenizer that mark something up.

    Special ones, and added ones such as Qwen3's <tool_call>.
    """

    names: dict[str, int]
    """Name -> id."""
    pattern: re.Pattern[str] | None
    """Finds a name in text, and in text written as JSON; None where there are no such tokens."""
    always: bool
    """Names are looked for after normalization, so that any text may turn into one."""
    size: int
    """Of the vocabulary this was made for: tokens may be added later."""
    nonce: str
    """Nobody who writes data can know it."""

    def may_stand_in(self, texts: Iterable[str], known: dict[str, bool]) -> bool:
        """Whether a name stands in one of the texts; `known` remembers shared ones."""
        if self.pattern is None or self.always:
            return self.always
        for text in texts:
            if (found := known.get(text)) is None:
                found = known[text] = self.pattern.search(text) is not None
            if found:
                return True
        return False

    def alias(self, name: str) -> str:
        """What stands for a special token that the template wrote."""
        return f"{self.nonce}s{self.names[name]}e"

    def hide(self, text: str) -> str:
        """The text with the names that it spells hidden from the template; `show` undoes it."""
        return re.sub(_any_of(self.names), lambda m: f"{self.nonce}t{self.names[m[0]]}e", text)

    def show(self, prompt: str) -> str:
        """A rendered prompt: the template's special tokens as aliases, the data's names as text."""
        by_id = {number: name for name, number in self.names.items()}
        prompt = re.sub(_any_of(self.names), lambda m: self.alias(m[0]), prompt)
        return re.sub(rf"{self.nonce}t(\d+)e", lambda m: by_id[int(m[1])], prompt)


_known: WeakKeyDictionary[Any, _Special] = WeakKeyDictionary()
_plain: WeakKeyDictionary[Any, tuple[_Special, Any, dict[int, int]]] = WeakKeyDictionary()


def _special(tokenizer: Any) -> _Special:
    size = len(tokenizer) if hasattr(tokenizer, "added_tokens_decoder") else 0
    found = _known.get(tokenizer)
    if found is None or found.size != size:
        tokens = getattr(tokenizer, "added_tokens_decoder", {})
        # Added words and white space (Gemma's runs of line ends) are vocabulary like any other.
        names = {t.content: i for i, t in tokens.items() if t.special or re.search(r"[^\w\s▁]", t.content)}
        backend = getattr(tokenizer, "backend_tokenizer", None)
        normalized = any(t.normalized for t in tokens.values() if t.content in names)
        always = normalized and getattr(backend, "normalizer", None) is not None
        escaped = [json.dumps(name, ensure_ascii=False)[1:-1] for name in names]
        pattern = re.compile(_any_of({*names, *escaped})) if names else None
        found = _known[tokenizer] = _Special(names, pattern, always, size, secrets.token_hex(16))
    return found


def _any_of(names: Iterable[str]) -> str:
    return "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))


def _written(item: Chat) -> Iterator[str]:
    """Everything in a chat that is data."""
    for message in item.messages:
        yield message.content
        yield message.name or ""
        for call in message.tool_calls:
            yield json.dumps([call.name, call.arguments], ensure_ascii=False)
    for tool in item.tools:
        yield tool.canonical


def _encode_careful(tokenizer: Any, special: _Special, item: Chat) -> list[int]:
    """The ids of a prompt whose data may spell special tokens.

    They are hidden while the template works, then encoded as text.
    """

    def hidden(item: Any, *fields: str) -> Any:
        return item.model_copy(
            update={field: _mapped(getattr(item, field), special.hide) for field in fields}
        )

    messages = []
    for message in item.messages:
        calls = tuple(hidden(call, "name", "arguments") for call in message.tool_calls)
        messages.append(hidden(message, "content", "name").model_copy(update={"tool_calls": calls}))
    tools = [hidden(tool, "name", "description", "parameters") for tool in item.tools]
    return _encode_plain(tokenizer, special, special.show(_render(tokenizer, messages, tools)))


def _mapped(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {change(k): _mapped(v, change) for k, v in value.items()}
    return [_mapped(v, change) for v in value] if isinstance(value, list | tuple) else value


def _encode_plain(tokenizer: Any, special: _Special, text: str) -> list[int]:
    """The ids of a text in which aliases alone are special tokens."""
    encoder, own = _plain_encoder(tokenizer, special)
    names = {number: name for name, number in special.names.items()}
    ids: list[int] = []
    for number in encoder.encode(text, add_special_tokens=False).ids:
        # A vocabulary that has the name as a word (WordLevel, Unigram): two pieces of it are not one.
        if number in names:
            for piece in (names[number][:1], names[number][1:]):
                ids += encoder.encode(piece, add_special_tokens=False).ids if piece else []
        else:
            ids.append(own.get(number, number))
    return ids


def _plain_encoder(tokenizer: Any, special: _Special) -> tuple[Any, dict[int, int]]:
    """The tokenizer's encoder that knows special tokens by aliases alone, and alias id -> id."""
    kept = _plain.get(tokenizer)
    if kept is None or kept[0] is not special:
        backend = getattr(tokenizer, "backend_tokenizer", None)
        if backend is None:
            raise ValueError(
                f"The data spells a special token of {type(tokenizer).__name__}, which cannot keep it as"
                " text. Leave the sample out, or take a model that has a tokenizer.json."
            )
        from tokenizers import AddedToken

        encoder = copy.deepcopy(backend)
        encoder.no_truncation()
        encoder.no_padding()
        tokens = {t.content: t for t in tokenizer.added_tokens_decoder.values()}
        encoder.add_special_tokens([AddedToken(name, special=True) for name in special.names])
        encoder.encode_special_tokens = True
        for name in special.names:
            strip = {"lstrip": tokens[name].lstrip, "rstrip": tokens[name].rstrip}
            encoder.add_tokens([AddedToken(special.alias(name), normalized=False, **strip)])
        own = {encoder.token_to_id(special.alias(name)): number for name, number in special.names.items()}
        kept = _plain[tokenizer] = (special, encoder, own)
    return kept[1], kept[2]


def end_token(tokenizer: Any) -> int:
    """The token that ends an answer, in training and in every engine.

    Raises ValueError where the tokenizer has none.
    """
    end = _special(tokenizer).names.get("<|im_end|>")
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
        self.ends = {self.end, *ends}

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
        self, chats: Sequence[Chat], answers: Sequence[str], most: int
    ) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
        """(prompt, answer and end token) of each row.

        Raises ValueError where the two exceed `most` tokens.
        """
        if len(chats) != len(answers):
            raise ValueError(
                f"There are {len(chats)} chats and {len(answers)} answers; each answer needs its chat."
            )
        tails = [(*encode_answer(self.tokenizer, answer), self.end) for answer in answers]
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
        text = self.tokenizer.decode(
            list(ids[:-1] if stopped else ids), skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        tokens = tuple(self.tokenizer.decode([i], clean_up_tokenization_spaces=False) for i in ids)
        return Completion(text, tuple(ids), tuple(logprobs), tokens, "stop" if stopped else "length")


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
