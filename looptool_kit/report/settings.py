"""Every setting with its meaning, its default and the stages that a change of it makes again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from pydantic import BaseModel, TypeAdapter

from looptool_kit.config import Settings, section_of
from looptool_kit.stages._find import FOUND_BY_NAME, names
from looptool_kit.world import domains

READ_BY: dict[str, tuple[str, ...]] = {
    "seed": ("seed", "train", "frontier", "expand", "perturb"),
    "model": ("seed", "train", "perturb"),
    "trainer": ("train",),
    "judge_llm": ("seed", "verify", "expand"),
    "generator_llm": ("seed", "verify", "expand"),
    "contamination": ("seed", "train", "expand"),
    "seeds": ("seed",),
    "seeds.source": ("seed", "train", "expand"),
    "seeds.domains": ("seed", "train", "expand"),
    "synthesis": ("seed",),
    "band": ("seed",),
    "evolve": ("seed",),
    "search": ("seed", "expand", "compose"),
    "search.patterns": ("seed", "compose"),
    "search.share": ("compose",),
    "search.file": ("seed",),
    "traces": ("seed",),
    "hardgen": ("expand",),
    "targets": ("train",),
    "targets.mask_errors": ("seed",),
    "lora": ("train",),
    "sft": ("train",),
    "grpo": ("train",),
    "grpo.max_new_tokens": ("train", "frontier"),
    "reward": ("train",),
    "reward.name": ("train", "frontier"),
    "fission": ("train",),
    "episodes": ("train",),
    "pairs": ("train",),
    "preference": ("train",),
    "unsloth": ("train",),
    "budget": ("train",),
    "frontier": ("frontier",),
    "frontier.prompts": ("train",),
    "frontier.seeds": ("compose",),
    "probe": ("probe",),
    "probe.max_new_tokens": ("probe", "expand"),
    "verify": ("verify",),
    "jury": ("verify",),
    "expand": ("expand",),
    "reverse": ("expand",),
    "check": ("seed", "expand"),
    "merge": ("seed",),
    "procedural": ("seed", "train", "expand"),
    "compose": ("compose",),
    "augment": ("compose",),
    "augment.perturbations": ("perturb", "compose"),
    "evaluate": ("evaluate",),
}
"""Setting or section -> the stages that read it, in the loop's order; the longest name that fits counts. What
a test finds in the stages themselves.
"""
NOTHING = ("preset", "iterations", "seeds.fresh", "evaluate.base")
"""Settings that say how much is made, and make nothing again that stands."""


class SettingLine(NamedTuple):
    """One setting."""

    name: str
    default: str
    values: str
    """Its type or its choices."""
    redoes: str
    """The stages that a change makes again, in words."""
    meaning: str


def settings(words: tuple[str, ...] = (), of: Settings | None = None) -> list[SettingLine]:
    """The settings whose name, meaning or stages hold every word.

    Args:
        words: In any case; none: all settings; a setting's whole name alone: this setting.
        of: Show the values of these settings in place of the defaults.
    """
    lines = list(_lines(Settings, of or Settings()))
    wanted = [word.lower() for word in words]
    named = [line for line in lines if [line.name] == wanted]
    return named or [line for line in lines if all(word in " ".join(line).lower() for word in wanted)]


def redoes(name: str, machine: bool = False) -> str:
    """The stages that a change of a setting makes again, in words."""
    if machine or name in NOTHING:
        return "nothing"
    parts = name.split(".")
    fitting = (".".join(parts[:n]) for n in range(len(parts), 0, -1))
    stages = next((READ_BY[n] for n in fitting if n in READ_BY), ())
    return "evaluate" if stages == ("evaluate",) else f"{', '.join(stages)} and what follows"


def _lines(
    model: type[BaseModel], values: BaseModel | None, prefix: str = "", machine: bool = False
) -> Iterator[SettingLine]:
    for name, field in model.model_fields.items():
        own = machine or name in getattr(model, "machine", ())
        value = getattr(values, name) if values is not None else field.get_default()
        inner = section_of(field.annotation)
        if inner is not None:
            yield from _lines(inner, value, f"{prefix}{name}.", own)
            continue
        shown = "not set" if field.is_required() and values is None else _written(value)
        meaning = " ".join((field.description or "").split())
        kind = _kind(field) + _of(f"{prefix}{name}")
        yield SettingLine(f"{prefix}{name}", shown, kind, redoes(f"{prefix}{name}", own), meaning)


def _of(name: str) -> str:
    """The names that a setting may hold, where the type does not say them."""
    if (package := FOUND_BY_NAME.get(name)) is not None:
        return f": {', '.join(names(package))}"
    return f": {', '.join(domains())}" if name == "seeds.domains" else ""


def _written(value: Any) -> str:
    if value is None:
        return "not set"
    return json.dumps(TypeAdapter(Any).dump_python(value, mode="json"), ensure_ascii=False)


def _kind(field: Any) -> str:
    """The type of a setting in words: choices, or a number with its bounds."""
    schema = TypeAdapter(field.annotation).json_schema()
    options = schema.get("enum") or [
        o.get("type") for o in schema.get("anyOf", ()) if o.get("type") != "null"
    ]
    if schema.get("enum"):
        return " | ".join(map(str, options))
    words = {"integer": "whole number", "number": "number", "boolean": "true | false", "string": "text"}
    kind = schema.get("type") or (options or ["value"])[0]
    bounds = {"Ge": "from", "Gt": "above", "Le": "to", "Lt": "below"}
    limits = [
        f"{bounds[type(m).__name__]} {getattr(m, type(m).__name__.lower()):.10g}"
        for m in field.metadata
        if type(m).__name__ in bounds
    ]
    return " ".join([words.get(str(kind), "list" if kind == "array" else str(kind)), *limits])
