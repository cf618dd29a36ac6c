"""The one finder of strategies.

Every public module or folder beside a stage's `stage.py` is a strategy, by its name; so is every one in
`train/rewards/`.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType

from looptool_kit.config import Settings

SOURCES = "looptool_kit.stages.seed"


def names(package: str) -> list[str]:
    """Names of a stage's strategies, given its package."""
    modules = iter_modules(import_module(package).__path__)
    return sorted(m.name for m in modules if not m.name.startswith("_") and m.name != "stage")


@cache  # a reward is looked up for every completion; what is not found is looked for again
def find(package: str, name: str) -> ModuleType:
    """Import the strategy of that name.

    Raises `ValueError` that lists those there are.
    """
    if name not in names(package):
        kind = package.rpartition(".")[2]
        raise ValueError(f"{kind} has no strategy {name!r}; choose one of {', '.join(names(package))}")
    return import_module(f"{package}.{name}")


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
