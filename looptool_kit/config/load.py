"""Presets, and settings read from and written to TOML.

Which settings decide a result.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, MutableMapping
from importlib.resources import files
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin

from pydantic import BaseModel, JsonValue, ValidationError
from pydantic_core import ErrorDetails

from looptool_kit.config.sections import Settings
from looptool_kit.core.errors import did_you_mean

_ALL = "`looptool settings` lists the settings and their meaning."


def deciding(settings: Settings, names: Iterable[str]) -> dict[str, JsonValue]:
    """The named settings that decide a result, by dotted name.

    Machine facts are left out, and what is at its default: a new setting changes no key of a run that does
    not use it.

    Args:
        names: Sections and settings, e.g. `sft`, `sft.epochs`.

    Raises:
        ValueError: A name is not a setting.
    """
    defaults = dict(_decisive(Settings()))
    wanted = tuple(names)
    if unknown := [n for n in wanted if n not in Settings.model_fields and n not in defaults]:
        raise ValueError(f"no setting decides a result by the name {', '.join(unknown)}")
    return {
        name: value
        for name, value in _decisive(settings)
        if any(name == n or name.startswith(f"{n}.") for n in wanted)
        and (name not in defaults or defaults[name] != value)
    }


def _decisive(model: BaseModel, prefix: str = "") -> Iterator[tuple[str, JsonValue]]:
    """(dotted name, value) of every setting that is not a machine fact.

    A model's address and name count as settings of their own.
    """
    for name in type(model).model_fields:
        value = getattr(model, name)
        if name in getattr(model, "machine", ()):
            continue
        if isinstance(value, BaseModel):
            yield from _decisive(value, f"{prefix}{name}.")
        elif isinstance(value, tuple):
            yield f"{prefix}{name}", [dict(_decisive(v)) if isinstance(v, BaseModel) else v for v in value]
        else:
            yield f"{prefix}{name}", value


ARM_FILES = ("ablation.toml", "arms.toml")
"""Files beside the presets that hold arms of a comparison (`studies/arms.py`)."""


def presets() -> list[str]:
    """Names of the presets."""
    return sorted(
        p.name.removesuffix(".toml")
        for p in files("looptool_kit").joinpath("presets").iterdir()
        if p.name.endswith(".toml") and p.name not in ARM_FILES
    )


def load_preset(name: str, **overrides: Any) -> Settings:
    """Read the settings of a preset.

    Args:
        overrides: Dotted names with `__`, e.g. `grpo__steps=2`.

    Raises:
        ValueError: The preset, a name or a value is unknown.
    """
    if name not in presets():
        raise ValueError(f"there is no preset {name!r}; there are: {', '.join(presets())}")
    text = files("looptool_kit").joinpath("presets").joinpath(f"{name}.toml").read_text(encoding="utf-8")
    source = f"preset {name} with these changes" if overrides else f"preset {name}"
    return _overridden(tomllib.loads(text) | {"preset": name}, overrides, source)


def with_overrides(settings: Settings, **overrides: Any) -> Settings:
    """The settings with some changed, named as for `load_preset`.

    None removes a setting that may be left out.

    Raises:
        ValueError: A name or a value is unknown.
    """
    return _overridden(settings.model_dump(), overrides, "settings")


def _overridden(values: dict[str, Any], overrides: dict[str, Any], source: str) -> Settings:
    for dotted, value in overrides.items():
        *path, last = dotted.split("__")
        if any(_is_single(".".join(path[:depth])) for depth in range(1, len(path) + 1)):
            problem = _unknown(".".join([*path, last]))
            raise ValueError(f"{source}: {problem}. {_ALL}")
        table = values
        for part in path:
            if table.get(part) is None:  # not there, or a section that may be left out
                table[part] = {}
            table = table[part]
        table[last] = value
    return _checked(values, source)


def load_settings(path: Path) -> Settings:
    """The settings in a `run.toml`.

    Raises:
        ValueError: It is not valid TOML, or a name or a value is unknown.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ValueError(
            f"{path} is not valid TOML: {error}. Fix the line, or take the file of another run as a pattern."
        ) from None
    return parse_settings(values, str(path))


def parse_settings(values: dict[str, Any], where: str) -> Settings:
    """The settings in what a `run.toml` holds.

    Raises:
        ValueError: A name or a value is unknown; the message begins with `where`.
    """
    values = {name: value for name, value in values.items() if name != "format"}
    # Earlier runs have a section for one arm of the ablation, which is the expander `repeat` now.
    expand = values.get("expand", {})
    if values.get("ablation") in ({"repeat_error_seeds": True}, {"repeat_error_seeds": False}, {}):
        repeats = values.pop("ablation").get("repeat_error_seeds")
        if repeats and isinstance(expand, dict):
            values["expand"] = {**expand, "expanders": ["repeat"]}
    return _checked(values, where)


def dump_settings(settings: Settings, run_format: int, text: str = "") -> str:
    """Settings as TOML, with the run folder's format number on top.

    Args:
        text: A file of settings to change: its comments, order and spelling stay.
    """
    import tomlkit

    document = tomlkit.parse(text)
    _put(document, {"format": run_format, **settings.model_dump(mode="json", exclude_none=True)})
    return tomlkit.dumps(document)


def _put(table: Any, values: dict[str, Any]) -> None:
    """Let a table of a TOML document hold these values and no others."""
    for name in [name for name in table if name not in values]:
        del table[name]
    for name, value in values.items():
        here = table.get(name)
        if isinstance(value, dict) and isinstance(here, MutableMapping):
            _put(here, value)
        elif name not in table or here != value:
            table[name] = value


def _checked(values: dict[str, Any], source: str) -> Settings:
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        problems = "; ".join(map(_problem, error.errors()))
        raise ValueError(f"{source}: {problems}. {_ALL}") from None


def _problem(error: ErrorDetails) -> str:
    """What is wrong with a setting; for one that does not exist the nearest that do."""
    name, message = ".".join(map(str, error["loc"])), error["msg"]
    if error["type"] != "extra_forbidden":
        if error["type"] == "string_pattern_mismatch":
            return f"{name} is {error['input']!r}; `looptool settings {name}` says what it may be"
        before, _, wanted = message.partition("Input should be ")
        if wanted and not before:
            return f"{name} is {repr(error['input'])[:80]}, and should be {wanted.split(', unable')[0]}"
        return f"{name}: {message}"
    return _unknown(name)


def _unknown(name: str) -> str:
    return f"there is no setting {name}{did_you_mean(name, _names(Settings))}"


def _is_single(name: str) -> bool:
    """Whether it is a setting that has none below it."""
    names = list(_names(Settings))
    return name in names and not any(other.startswith(f"{name}.") for other in names)


def section_of(kind: Any) -> type[BaseModel] | None:
    """The class of a section or endpoint, also an optional one."""
    kinds = get_args(kind) if isinstance(kind, UnionType) else (kind,)
    return next((k for k in kinds if isinstance(k, type) and issubclass(k, BaseModel)), None)


def is_list(name: str) -> bool:
    """Whether the setting of that dotted name takes a list."""
    kind: Any = Settings
    for part in name.split("."):
        model = section_of(kind)
        if model is None or part not in model.model_fields:
            return False
        kind = model.model_fields[part].annotation
    return tuple in (get_origin(kind), *map(get_origin, get_args(kind)))


def _names(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """The dotted name of every setting and section."""
    for name, field in model.model_fields.items():
        yield f"{prefix}{name}"
        for kind in (field.annotation, *get_args(field.annotation)):
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from _names(kind, f"{prefix}{name}.")
