"""Special tokens that stand in data as text: what a message spells is never read as one.

Only a chat template writes special tokens. While it works, the names that data spell are hidden from it; then
its own become aliases that nobody who writes data can know, and an encoder that knows the aliases alone cuts
the text.
"""

from __future__ import annotations

import copy
import json
import re
import secrets
from collections.abc import Iterable
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary


class Special(NamedTuple):
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
        """Tell whether a name stands in one of the texts.

        `known` remembers shared ones.
        """
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
        """Hide the names that a text spells from the template.

        `show` undoes it.
        """
        return re.sub(_any_of(self.names), lambda m: f"{self.nonce}t{self.names[m[0]]}e", text)

    def show(self, prompt: str) -> str:
        """Undo `hide` in a rendered prompt.

        The template's special tokens become aliases, the data's names text.
        """
        by_id = {number: name for name, number in self.names.items()}
        prompt = re.sub(_any_of(self.names), lambda m: self.alias(m[0]), prompt)
        return re.sub(rf"{self.nonce}t(\d+)e", lambda m: by_id[int(m[1])], prompt)


_known: WeakKeyDictionary[Any, Special] = WeakKeyDictionary()
_plain: WeakKeyDictionary[Any, tuple[Special, Any, dict[int, int]]] = WeakKeyDictionary()


def special_of(tokenizer: Any) -> Special:
    size = len(tokenizer) if hasattr(tokenizer, "added_tokens_decoder") else 0
    found = _known.get(tokenizer)
    if found is None or found.size != size:
        tokens = getattr(tokenizer, "added_tokens_decoder", {})
        marks = set(special_names(tokenizer))
        names = {t.content: i for i, t in tokens.items() if t.content in marks}
        backend = getattr(tokenizer, "backend_tokenizer", None)
        normalized = any(t.normalized for t in tokens.values() if t.content in names)
        always = normalized and getattr(backend, "normalizer", None) is not None
        escaped = [json.dumps(name, ensure_ascii=False)[1:-1] for name in names]
        pattern = re.compile(_any_of({*names, *escaped})) if names else None
        found = _known[tokenizer] = Special(names, pattern, always, size, secrets.token_hex(16))
    return found


def _any_of(names: Iterable[str]) -> str:
    return "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))


def encode_plain(tokenizer: Any, special: Special, text: str) -> list[int]:
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


def _plain_encoder(tokenizer: Any, special: Special) -> tuple[Any, dict[int, int]]:
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


def special_names(tokenizer: Any) -> list[str]:
    """What of a tokenizer's added tokens marks something up, the longest first."""
    tokens = getattr(tokenizer, "added_tokens_decoder", {}).values()
    # Added words and white space (Gemma's runs of line ends) are vocabulary like any other.
    names = {t.content for t in tokens if t.special or re.search(r"[^\w\s▁]", t.content)}
    return sorted(names, key=len, reverse=True)
