"""Samples as an environment of the library `verifiers`: a package of tasks, tools that run, and a reward."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Collection, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from looptool_kit.core.samples import Sample
from looptool_kit.core.tables import write_json, write_text
from looptool_kit.world.episode import Episode, task_of
from looptool_kit.world.procedural import Procedural, running

VERSION = "0.4"
"""The version of `verifiers` that the package is written for; it was loaded with 0.4.0."""


def write_environment(
    samples: Sequence[Sample], out: Path, how: Procedural, wrong: Collection[str] = ()
) -> tuple[int, Counter[str]]:
    """Write the package and return how many tasks it has.

    The second result says why other samples are left out.

    Args:
        samples: Of the world, or of procedural environments.
        out: The folder to make; its name is the environment's.
        how: The settings of procedural tools.
        wrong: Ids of samples whose labels are known to be wrong.

    Raises:
        ValueError: No sample is a task.
    """
    sampled = any(s.source == "procedural" or s.strategy.endswith(".procedural") for s in samples)
    known = running(how if sampled else None)
    rows: dict[str, dict[str, Any]] = {}
    why: Counter[str] = Counter()
    for sample in samples:
        try:
            if sample.id in wrong:
                raise ValueError("its label was planted wrong")
            task = task_of(sample)
            if len(task.turns) > 1:
                raise ValueError("its user speaks more than once")
            Episode(task, known)
        except ValueError as reason:
            why[re.sub(r"^sample \w+ ", "", str(reason)).split(":")[0]] += 1
            continue
        kept = task.model_dump(mode="json")
        text = json.dumps({**kept, "seed": ""}, sort_keys=True)  # turns of one dialogue are one task
        system = "\n".join(m.content for m in task.system)
        row = {"id": sample.id, "prompt": task.turns[0], "system_prompt": system, "episode": kept}
        if text in rows:
            why["the same task twice"] += 1
        rows.setdefault(text, row)
    if not rows:
        raise ValueError(f"none of the {len(samples)} samples is a task whose tools run: {dict(why)}")
    name = re.sub(r"\W+", "_", out.name.lower()).strip("_") or "episodes"
    package = out / (f"env_{name}" if name[0].isdigit() else name)
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows.values())
    write_text(package / "tasks.jsonl", lines)
    write_json(
        package / "environment.json", {"procedural": how._asdict() if sampled else None, "progress": False}
    )
    code = files(__package__).joinpath("verifiers_taskset.jinja").read_text(encoding="utf-8")
    write_text(package / "taskset.py", code)
    write_text(
        package / "__init__.py",
        f"from {package.name}.taskset import EpisodeTaskset\n\n__all__ = ['EpisodeTaskset']\n",
    )
    write_text(
        out / "pyproject.toml", _PROJECT.format(name=package.name.replace("_", "-"), package=package.name)
    )
    return len(rows), why


_PROJECT = """\
[project]
name = "{name}"
version = "0.1.0"
description = "Episodes of LoopTool's world: executable tools, and a reward for the final state."
requires-python = ">=3.11,<3.14"
dependencies = ["verifiers>=0.4,<0.5", "looptool-kit"]

[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[tool.hatch.build.targets.wheel]
packages = ["{package}"]
"""
