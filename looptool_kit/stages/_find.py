"""The one finder of strategies.

Every public module or folder beside a stage's `stage.py` is a strategy, by its name; so is every one in
`train/rewards/`.
"""

from __future__ import annotations

import re
from functools import cache
from importlib import import_module
from operator import attrgetter
from pathlib import Path
from pkgutil import iter_modules
from types import ModuleType
from typing import Any

from looptool_kit.config import Settings
from looptool_kit.core.errors import did_you_mean

SOURCES = "looptool_kit.stages.seed"
FOUND_BY_NAME = {
    "verify.judge": "looptool_kit.stages.verify",
    "expand.expanders": "looptool_kit.stages.expand",
    "reward.name": "looptool_kit.stages.train.rewards",
    "pairs.strategy": "looptool_kit.stages.train.pairs",
    "reverse.proposer": "looptool_kit.stages.train.proposers",
}
"""Settings that name strategies -> where those are."""


def names(package: str) -> list[str]:
    """Names of a stage's strategies, given its package."""
    modules = iter_modules(import_module(package).__path__)
    return sorted(m.name for m in modules if not m.name.startswith("_") and m.name != "stage")


def check_strategy(setting: str, value: Any, where: str) -> None:
    """Refuse a setting that names a strategy which is not there.

    A mistyped one is said before anything has run. Raises `ValueError` that lists those there are.
    """
    if setting == "seeds.source" and isinstance(value, str):
        there = sources()
        # Anything else is a file's path; a bare word that is no file is a mistyped name.
        if value not in there and not Path(value).exists() and re.fullmatch(r"\w+", value):
            raise ValueError(
                f"{where}: there is no file {value}, and no source of that name{did_you_mean(value, there)};"
                f" choose from {', '.join(there)}"
            )
    if (package := FOUND_BY_NAME.get(setting)) is None:
        return
    there = sorted({*names(package), *_listed(attrgetter(setting)(Settings()))})  # a default may be "none"
    for one in _listed(value):
        if one not in there:
            raise ValueError(
                f"{where}: {setting} names {one!r}{did_you_mean(str(one), there)};"
                f" choose from {', '.join(there)}"
            )


def check_strategies(settings: Settings, where: str) -> None:
    """Refuse settings that name a strategy which is not there.

    As `check_strategy`, for what was written in a run's settings by hand.
    """
    for setting in ("seeds.source", *FOUND_BY_NAME):
        check_strategy(setting, attrgetter(setting)(settings), where)


def _listed(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]


@cache  # a reward is looked up for every completion; what is not found is looked for again
def find(package: str, name: str) -> ModuleType:
    """Import the strategy of that name.

    Raises `ValueError` that lists those there are.
    """
    if name not in names(package):
        kind = package.rpartition(".")[2]
        raise ValueError(f"{kind} has no strategy {name!r}; choose one of {', '.join(names(package))}")
    return import_module(f"{package}.{name}")


def sources() -> list[str]:
    """Names that `seeds.source` takes beside a file's path."""
    return [name for name in names(SOURCES) if name != "file"]


def source_of(name: str) -> ModuleType:
    """Import the source of seed samples that `seeds.source` names.

    Anything that is no source's name is a file's path. Here, since stages that ask what a source
    is do not import the stage `seed`.
    """
    return find(SOURCES, name if name in names(SOURCES) else "file")


def own_domains(settings: Settings) -> tuple[str, ...] | None:
    """The domains of the world that seed samples take their tools from.

    Empty: all. None where their tools are others.
    """
    of_domains = getattr(source_of(settings.seeds.source), "OF_DOMAINS", False)
    return settings.seeds.domains if of_domains else None
