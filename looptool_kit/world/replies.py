"""What an assistant says about a result, and which words count."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from pydantic import JsonValue

from looptool_kit.core.samples import ToolCall
from looptool_kit.world import grammar as g
from looptool_kit.world.grammar import Scene, Surface
from looptool_kit.world.spec import Spec
from looptool_kit.world.types import Type, in_words, is_date

_PATH = re.compile(r"\{([\w.]+)\}")


def summary(
    spec: Spec, call: ToolCall, result: dict[str, Any], scene: Scene
) -> tuple[str, tuple[tuple[str, ...], ...]]:
    """Say a result in a sentence; also return what counts.

    That is, for each result value in it, its wordings.
    """
    mentions: list[tuple[str, ...]] = []
    echoed: list[tuple[str, ...]] = []

    def fill(m: re.Match[str]) -> str:
        name, *path = m[1].split(".")
        if path == ["n"]:
            mentions.append((str(len(result[name])), in_words(len(result[name]))))
            return str(len(result[name]))
        t: Any = spec.out.get(name)
        value: Any = result.get(name, call.arguments.get(name))
        for step in path:
            t, value = (t.item, value[int(step)]) if step.isdigit() else (t.fields[step], value[step])
        own = isinstance(t, Type)
        kind = t if own else spec.by_name[t[1:] if isinstance(t, str) else name].type
        words = _spoken(kind, value, scene)
        counts = _wordings(
            (
                kind.say(value, scene.today)
                if kind.item is None and not kind.fields and value is not None
                else [Surface(words)]
            ),
            value,
        )
        if "enum" not in kind.schema:
            (mentions if own else echoed).append(counts)
        return words

    template = spec.reply
    if spec.picks:
        template = template.replace(
            "{*}", g.listed([w for name, w in spec.picks[1].items() if name in result])
        )
    text = _PATH.sub(fill, template)
    return text[0].upper() + text[1:], tuple(mentions or echoed)


def _spoken(t: Type, value: Any, scene: Scene) -> str:
    if value is None:
        return t.say(None, scene.today)[0].adverb
    if t.item is not None or t.fields:
        return g.plain(g.surface(t, value, scene, None, False).text)
    if isinstance(value, str) and not t.hints and not is_date(value):
        return value.replace("_", " ") if "enum" in t.schema else value
    return next(
        (s.text for s in t.say(value, scene.today) if s.text and not s.implicit and s.text != value),
        str(value),
    )


def _wordings(surfaces: Sequence[Surface], value: JsonValue) -> tuple[str, ...]:
    """All ways to write a value: raw first, then its surfaces.

    Bare words of an identifier's surface do not count by themselves.
    """
    raw = str(value)
    out = [
        raw,
        *(s.text for s in surfaces if s.text),
        *(s.adverb for s in surfaces if s.adverb and not s.text),
    ]
    if isinstance(value, str) and is_date(value):
        out = [o for o in out if o != "today"]
    return tuple(dict.fromkeys(out))
