"""The notebooks' runs, and the two ways to open one.

Delete a folder under `runs/` to start its run from the beginning.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import looptool_kit as lt
from looptool_kit.run.copy import copy_run

ROOT = Path(__file__).resolve().parent.parent
RUNS = Path(os.environ.get("LOOPTOOL_RUNS", ROOT / "runs"))


def _place(name: str) -> Path:
    if not name or Path(name).name != name or name.startswith("."):
        raise ValueError(
            f"{name!r} cannot name a folder in {RUNS}: give a plain name, without a separator or a leading"
            " dot"
        )
    return RUNS / name


def recorded(name: str) -> lt.Run:
    """Your own copy of the recorded run of `sample_data/`, in `runs/<name>`.

    The first call makes it. Your decisions are kept there.
    """
    folder = _place(name)
    if not folder.exists():
        copy_run(ROOT / "sample_data" / "run", folder)
    return lt.Run.open(folder)


def open_run(name: str, preset: str, **settings: Any) -> lt.Run:
    """The run in `runs/<name>` if there is one, or a new one with the preset's settings and these.

    The environment variable LOOPTOOL_OVERRIDES, a JSON object as `{"grpo__steps": 1}`, changes settings of
    new runs: the tests shrink them with it.
    """
    folder = _place(name)
    if (folder / "run.toml").exists():
        run = lt.Run.open(folder)
        if run.settings.preset != preset:
            print(
                f"{folder} holds a run of preset {run.settings.preset!r}, which is resumed. For {preset!r}"
                " delete the folder or give another name."
            )
        return run
    return lt.Run.create(
        folder, preset, **{**settings, **json.loads(os.environ.get("LOOPTOOL_OVERRIDES", "{}"))}
    )
