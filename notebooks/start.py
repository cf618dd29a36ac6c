"""The notebooks' runs, the two ways to open one, and what the Stop button says.

Delete a folder under `runs/` to start its run from the beginning.
"""

from __future__ import annotations

import json
import os
import re
import sys
import traceback
from html import escape
from pathlib import Path
from types import TracebackType
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


def example(name: str) -> Path:
    """A folder of files that a notebook reads: beside the notebook, else beside the originals."""
    beside = Path(name)
    return beside.resolve() if beside.is_dir() else ROOT / "notebooks" / name


def recorded(name: str) -> lt.Run:
    """Your own copy of the recorded run of `sample_data/`, in `runs/<name>`.

    The first call makes it. Your decisions are kept there.

    Raises:
        RunError: the folder holds another run.
    """
    folder, recording = _place(name), ROOT / "sample_data" / "run"
    if not folder.exists():
        copy_run(recording, folder)
    run, original = lt.Run.open(folder), lt.Run.open(recording, read_only=True)
    # What a person decides leaves the trainings as they are.
    keys = [(r.manifest("policy", 1) or {}).get("key") for r in (run, original)]
    if keys[0] != keys[1]:
        raise lt.RunError(
            f"{folder} holds another run than the recorded one. Move it away, or give the recorded run"
            f" another name: start.recorded('{name}2')."
        )
    return run


def _stopped(
    shell: Any, kind: type[BaseException], error: BaseException, trace: TracebackType, tb_offset: Any = None
) -> None:
    """Say in one sentence what Stop means for a stage; an interrupt elsewhere looks as it always does."""
    kit = str(Path(lt.__file__).parent)
    if any(frame.filename.startswith(kit) for frame in traceback.extract_tb(trace)):
        print("Stopped. Nothing finished is lost: run this cell again, and it resumes where it stopped.")
    else:
        shell.showtraceback((kind, error, trace), tb_offset=tb_offset)


_NUMBER = r"\s*[-+]?[\d.,]*\d[\d.,]*%?\s*"


def left_aligned(frame: Any) -> str:
    """A pandas table as HTML whose texts and their heads, unlike numbers, begin at the left.

    JupyterLab sets all of them at the right, where sentences are hard to read.
    """
    left = 'style="text-align:left"'
    head, body = frame._repr_html_().split("</thead>", 1)
    body = re.sub(rf"<(td|th)>(?!{_NUMBER}</t)", rf"<\1 {left}>", body)
    for place, name in enumerate(frame.columns):
        if not all(re.fullmatch(_NUMBER, str(value)) for value in frame.iloc[:, place]):
            head = head.replace(f"<th>{escape(str(name))}</th>", f"<th {left}>{escape(str(name))}</th>", 1)
    return f"{head}</thead>{body}"


if "IPython" in sys.modules and (shell := sys.modules["IPython"].get_ipython()) is not None:
    # Without this, a hundred lines of other libraries stand under a stopped cell.
    shell.set_custom_exc((KeyboardInterrupt,), _stopped)
    formatters = shell.display_formatter.formatters
    formatters["text/html"].for_type_by_name("pandas.core.frame", "DataFrame", left_aligned)
    formatters["text/html"].for_type_by_name("pandas", "DataFrame", left_aligned)


def open_run(name: str, preset: str, **settings: Any) -> lt.Run:
    """Open the run in `runs/<name>`, or make it.

    A new one has the preset's settings and these. The environment variable LOOPTOOL_OVERRIDES, a JSON
    object as `{"grpo__steps": 1}`, changes settings of new runs: the tests shrink them with it.
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
