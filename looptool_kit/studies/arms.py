"""The arms of a comparison: names and the settings in which they differ, read from a TOML file and checked.

[match]                       # the first arm: the others are compared with it, and start from its D1
[graded]
words = "worse mistakes cost more"
reward.name = "graded"
[control]
data = "seed"                 # no loop: seed data alone
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel

from looptool_kit.config import Settings, with_overrides
from looptool_kit.core.errors import did_you_mean
from looptool_kit.stages._find import check_strategy

FULL, CONTROL = "full", "control"
"""Names of the ablation's arms: the full loop, and as much training on seed data alone."""
SHARED = {
    "preset": "",
    "seed": "",
    "iterations": "",
    "model": "",
    "contamination": "",
    "seeds": "",
    "synthesis": "",
    "lora": "",
    "evaluate": "",
    "sft.epochs": "sft.epochs_later",
    "sft.learning_rate": "sft.learning_rate_later",
    "grpo.steps_first": "grpo.steps",
    "budget": "",
}
"""Settings that decide D1, the held-out samples or the budget, so that all arms have the same; and the one of
later iterations that an arm can set.
"""
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")


class Arm(NamedTuple):
    """What differs from the settings that all arms have."""

    words: str
    changes: dict[str, Any]
    """Settings, named as for `config.load_preset`."""
    data: Literal["loop", "seed"] = "loop"
    """`seed`: no loop, but the seed samples that the first arm had seen by then."""


def shipped(name: str) -> Path:
    """Return the package's file of arms of that name.

    `arms`, or `ablation`.
    """
    return Path(str(files("looptool_kit").joinpath("presets").joinpath(f"{name}.toml")))


def read_arms(file: Path) -> dict[str, Arm]:
    """The arms of a file, in its order.

    Raises:
        ValueError: The file, a setting or a value is wrong; the message names file and line, and what may
            have been meant.
        FileNotFoundError: There is no such file.
    """
    if not file.exists():
        raise FileNotFoundError(
            f"there is no file {file}; the arms that the package ships: {shipped('arms')}"
        )
    text = file.read_text(encoding="utf-8")
    try:
        tables = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{file} is not valid TOML: {error}. Fix that line.") from None
    arms = {}
    for name, table in tables.items():
        where = _place(file, text, (name,))
        if not isinstance(table, dict):
            raise ValueError(
                f"{where}: {name} is not in an arm. Write the arm's name in brackets above it, e.g. [graded]."
            )
        if not NAME.fullmatch(name):
            raise ValueError(f"{where}: an arm is a folder's name: letters, digits, - and _, not {name!r}")
        arms[name] = _arm(name, table, lambda *path: _place(file, text, path))
    if len(arms) < 2:
        raise ValueError(f"{file} holds {len(arms)} arms, and a comparison needs two or more")
    return arms


def chosen(arms: Mapping[str, Arm], only: Collection[str] | None) -> list[str]:
    """Return the names of the arms to run, in order.

    The first one and those wanted; None: all.

    Raises:
        ValueError: There is no such arm; the message names what may have been meant.
    """
    if unknown := [name for name in only or () if name not in arms]:
        raise ValueError(
            f"there is no arm {', '.join(unknown)}{did_you_mean(unknown[0], arms)};"
            f" choose from {', '.join(arms)}"
        )
    first = next(iter(arms))
    return [name for name in arms if only is None or name in only or name == first]


def _arm(name: str, table: Mapping[str, Any], place: Callable[..., str]) -> Arm:
    """One arm of a file; `place` says where a key stands in it."""
    settings = dict(table)
    words, data = settings.pop("words", ""), settings.pop("data", "loop")
    if not isinstance(words, str):
        raise ValueError(f"{place(name, 'words')}: words is a text")
    if data not in ("loop", "seed"):
        raise ValueError(f'{place(name, "data")}: data is "seed" or left out, not {data!r}')
    changes: dict[str, Any] = {}
    for path, value in _leaves(settings):
        dotted, where = ".".join(path), place(name, *path)
        if dotted in Settings.model_fields and dotted not in _known():
            raise ValueError(f"{where}: {dotted} is a section; write the setting in it, {dotted}.NAME = ...")
        if dotted not in _known():
            known = [*_known(), *Settings.model_fields, "words", "data"]
            raise ValueError(f"{where}: {dotted} is not a setting{did_you_mean(dotted, known)}")
        if taken := next((s for s in SHARED if f"{dotted}.".startswith(f"{s}.")), None):
            instead = f", but it can set {SHARED[taken]}" if SHARED[taken] else ""
            raise ValueError(
                f"{where}: an arm cannot set {dotted}{instead}: all arms start from one D1 and are scored on"
                " the same samples. `looptool compare --set` sets it for all."
            )
        check_strategy(dotted, value, where)
        changes["__".join(path)] = value
        try:
            with_overrides(Settings(), **changes)
        except ValueError as error:
            raise ValueError(f"{where}: {str(error).removeprefix('settings: ')}") from None
    told = [f"{n.replace('__', '.')} = {v!r}" for n, v in changes.items()]
    return Arm(words or ", ".join(told) or name, changes, data)


def _leaves(table: Mapping[str, Any], path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every setting of a nested table: its path and value."""
    for key, value in table.items():
        if isinstance(value, dict) and ".".join((*path, key)) not in _known():
            yield from _leaves(value, (*path, key))
        else:
            yield (*path, key), value


def settings_of(settings: Settings) -> dict[str, Any]:
    """Settings by dotted name; sections themselves are not among them."""
    return dict(_fields(settings))


@lru_cache
def _known() -> dict[str, Any]:
    """The settings that there are, at their defaults."""
    return settings_of(Settings())


def _fields(model: BaseModel, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name in type(model).model_fields:
        value = getattr(model, name)
        if isinstance(value, BaseModel):
            yield from _fields(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _place(file: Path, text: str, path: tuple[str, ...]) -> str:
    """The file and the line in which a key stands, or the nearest table or key above it."""
    best, line_of = 0, 1
    header: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), 1):
        if found := re.match(r"\s*\[+([^\]#]+)\]", line):
            header = here = _parts(found[1])
        elif found := re.match(r"\s*([\w\-.\"' ]+?)\s*=", line):
            here = (*header, *_parts(found[1]))
        else:
            continue
        shared = next((i for i, (a, b) in enumerate(zip(path, here, strict=False)) if a != b), None)
        depth = min(len(path), len(here)) if shared is None else shared
        if depth > best:
            best, line_of = depth, number
    return f"{file}, line {line_of}"


def _parts(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip().strip("\"'") for part in dotted.split("."))


ARMS = read_arms(shipped("ablation"))
"""LoopTool's ablations, and its seed-only training (`looptool ablate`)."""
