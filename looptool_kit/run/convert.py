"""A run folder of format 1 made one of format 2, on an explicit command; the originals are kept."""

from __future__ import annotations

import shutil
import tomllib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import tomlkit

from looptool_kit.config import parse_settings
from looptool_kit.core.errors import RunError, full_disk_explained
from looptool_kit.core.samples import Samples
from looptool_kit.core.tables import column, write_json, write_text
from looptool_kit.run.folder import SUPERSEDED, Run
from looptool_kit.run.lock import refuse_endless, unused
from looptool_kit.run.run_toml import FORMAT
from looptool_kit.run.stage import Stage, title

OLD = 1
"""The format that is converted."""
Stages = Callable[[Run], Iterable[tuple[str, int, Callable[[], Stage]]]]
"""The (manifest, iteration, what builds the stage) of a run's loop, in order."""


def convert(path: Path, stages: Stages) -> list[str]:
    """Convert a run folder of format 1.

    Returns what was done and what could not be carried over, in words. Tables stay as they are: both
    formats have the same. A manifest of format 1 does not say what its result depends on; each finished
    result is taken as that of the settings and tables that are there. A killed conversion is started
    again.

    Raises:
        RunError: It is not of format 1, its settings cannot be read, or another process works on it.
    """
    refuse_endless(path)
    try:
        text = (path / "run.toml").read_text(encoding="utf-8")
        values = tomllib.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise RunError(f"{path / 'run.toml'} cannot be read: {why}. Nothing was changed.") from None
    if values.get("format") != OLD:
        raise RunError(
            f"{path} is of format {values.get('format')}, and only format {OLD} is converted. Nothing was"
            " changed."
        )
    document, said = _settings(tomlkit.parse(text))
    try:
        settings = parse_settings(document.unwrap(), str(path / "run.toml"))
    except ValueError as error:
        raise RunError(f"{error} Nothing was changed.") from None
    with Run(path, settings) as run, full_disk_explained(path):
        said.append(f"run.toml and the manifests as they were are kept in {_keep(run)}.")
        said += _partial_scores(run)
        if not (empty := run.folder(0) / "development.parquet").exists():
            Samples().write(empty)  # format 1 had no such samples
        said.append(_adopt(run, stages))
        write_text(path / "run.toml", tomlkit.dumps(document))  # last: it says that all is done
    return [*said, "A stage that had not finished starts from its beginning."]


def _settings(document: tomlkit.TOMLDocument) -> tuple[tomlkit.TOMLDocument, list[str]]:
    """The settings with their meaning of today, and what that changed."""
    said = []
    document["format"] = FORMAT
    evaluate: Any = document.get("evaluate", {})
    base = evaluate.get("base", True)
    if not isinstance(base, bool):
        evaluate["base"] = bool(base)
        said.append(
            f"evaluate.base was {base}, the number of held-out samples that the base model was scored on. It"
            f" is a switch now and stands at {str(bool(base)).lower()}; the number cannot be carried over."
        )
    # The first version with this setting is the first one whose `embedded` has the shipped adapter.
    if document.get("model", "embedded") == "embedded" and "rehearsal" not in document.get("sft", {}):
        document["model"] = "embedded-base"
        said.append(
            "model was embedded, which then was SmolLM2 without the adapter that calls tools. That one is"
            " embedded-base now, and the run's adapters fit no other."
        )
    return document, said


def _keep(run: Run) -> Path:
    """Copy what is changed to `superseded/`."""
    old = unused(run.path / SUPERSEDED)
    for file in (run.path / "run.toml", *run.path.glob("seed/*.json"), *run.path.glob("iterations/*/*.json")):
        if file.is_file() and not file.is_symlink():
            target = old / file.relative_to(run.path)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, target)
    return old


def _partial_scores(run: Run) -> list[str]:
    """Move away scores of the base model on a part of the held-out samples."""
    file = run.folder(0) / "scores.parquet"
    held_out = run.folder(0) / "held_out.parquet"
    scored = len(column(file, "sample_id")) if file.exists() else 0
    all_of_them = len(column(held_out, "id")) if held_out.exists() else 0
    if scored in (0, all_of_them):
        return []
    run.supersede(file, file.with_suffix(".json"))
    return [
        f"The base model's scores were on {scored} of {all_of_them} held-out samples. They are in"
        f" {SUPERSEDED}; the next loop scores all."
    ]


def _adopt(run: Run, stages: Stages) -> str:
    """Write into each manifest what its result depends on, in the order of the loop."""
    adopted = []
    for name, j, build in stages(run):
        manifest = run.manifest(name, j)
        if manifest is None:
            continue
        try:
            now = build()
        except RunError:  # a table that it is made from is not there, so it will be made again
            continue
        if now.name == name and "made_from" not in manifest:
            more = {"wanted": manifest.get("rows", 0)} if name == "seed" else {}
            write_json(now.manifest_path, manifest | more | {"key": now.key, "made_from": now.made_from})
        adopted.append(title(name, j))
    return f"Taken as finished: {', '.join(adopted) or 'nothing'}."
