"""What a run's `run.toml` holds, and the format of run folders."""

from __future__ import annotations

import tomllib
from pathlib import Path

from looptool_kit.config import Settings, load_settings
from looptool_kit.core.errors import RunError, did_you_mean
from looptool_kit.run.lock import refuse_endless

FORMAT = 2
"""Raised where an older folder would be read wrongly."""


def run_around(place: Path) -> Path | None:
    """The run folder that a place is or lies in, if any."""
    return next((p for p in (place, *place.parents) if (p / "run.toml").exists()), None)


def run_beside(path: Path) -> str:
    """Ask whether a run beside was meant; empty where none is near."""
    names = {file.parent.name for file in path.absolute().parent.glob("*/run.toml")}
    return did_you_mean(path.name, sorted(names - {path.name}))


def no_run(path: Path) -> str:
    """Say that a folder is no run, and where one is."""
    if around := run_around(path):
        remedy = f"The run is the folder {around.resolve()}."
    elif within := [file.parent for depth in ("*", "*/*") for file in sorted(path.glob(f"{depth}/run.toml"))]:
        remedy = f"Runs in it: {', '.join(map(str, within[:5]))}{' ...' * (len(within) > 5)}."
    else:
        remedy = f"Make one with `looptool init {path}`{run_beside(path)}."
    return f"there is no run in {path} (no run.toml). {remedy}"


def read_settings(path: Path) -> Settings:
    """The settings in a run's `run.toml`.

    Raises:
        RunError: It cannot be read, is of another format, or something in the folder is not a file.
    """
    refuse_endless(path)
    file = path / "run.toml"
    try:
        run_format = tomllib.loads(file.read_text(encoding="utf-8")).get("format")
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RunError(f"{file} is not valid TOML: {error}. Fix that line.") from None
    except RecursionError:
        raise RunError(f"{file} holds values that are nested too deep to be settings.") from None
    except FileNotFoundError:
        raise RunError(no_run(path)) from None
    except OSError as error:
        raise RunError(
            f"{file} cannot be read ({error.strerror}). Put it back, or make a new run in another folder."
        ) from None
    if run_format is None:
        raise RunError(
            f"{file} does not say its run format (format = {FORMAT}): it is empty or of something else. Put"
            " it back, or make a new run in another folder."
        )
    if run_format != FORMAT:
        remedy = f" `looptool convert {path}` makes it one of format {FORMAT}." if run_format == 1 else ""
        raise RunError(
            f"{path} was written in run format {run_format}, this version of looptool_kit reads format"
            f" {FORMAT}. Nothing in it was touched.{remedy or ' Use the version that made it.'} Or start a"
            " new run in another folder."
        )
    try:
        return load_settings(file)
    except ValueError as error:
        raise RunError(str(error)) from None
