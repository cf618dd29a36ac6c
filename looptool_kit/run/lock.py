"""The lock on a run folder, and the sweep of what a killed process has left in it."""

from __future__ import annotations

import fcntl
import json
import math
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from looptool_kit.core.errors import RunError, no_writing
from looptool_kit.core.tables import LEFTOVER, open_own

_held: dict[Path, Lock] = {}
"""The locks of this process: several runs opened on one folder share one."""


@dataclass
class Lock:
    """A held lock."""

    path: Path
    handle: int
    runs: int = 1
    """How many open runs share it."""

    def stands(self) -> bool:
        """Whether the locked file is still the one in the folder, which may have been deleted and made anew.

        A forked child holds no lock.
        """
        try:
            there, held = os.stat(self.path / ".lock"), os.fstat(self.handle)
        except OSError:
            return False
        return (there.st_dev, there.st_ino) == (held.st_dev, held.st_ino)


def take(path: Path) -> Lock:
    """The lock on a folder, for this process; the first to take it sweeps the folder.

    Raises `RunError` where another process holds it, and where the folder cannot be written to or locked, or
    leads out of itself.
    """
    path = path.resolve()
    refuse_links(path)
    known = _held.get(path)
    if known and known.stands():
        known.runs += 1
        return known
    if known:
        _let_go(known)
    try:
        handle = open_own(path / ".lock")
    except OSError as error:
        raise RunError(no_writing(error, path) or f"{path} cannot be locked: {error}") from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        owner = os.read(handle, 32).decode(errors="replace").strip() or "unknown"
        os.close(handle)
        raise RunError(
            f"Another process (pid {owner}) works on {path}. Wait for it or stop it; to look only, use"
            " Run.open(..., read_only=True) or `looptool report`."
        ) from None
    except OSError as error:
        os.close(handle)
        raise RunError(
            f"The file system of {path} has no locks ({error}). Put the run on a local disk; to look only,"
            " use read_only=True."
        ) from None
    os.ftruncate(handle, 0)
    os.write(handle, str(os.getpid()).encode())
    lock = _held[path] = Lock(path, handle)
    sweep(path)
    return lock


def release(lock: Lock) -> None:
    """Give a lock back; the last of the runs that share it frees the folder."""
    lock.runs -= 1
    if lock.runs == 0:
        _let_go(lock)


def _let_go(lock: Lock) -> None:
    if _held.get(lock.path) is lock:
        del _held[lock.path]
    if lock.handle >= 0:
        os.close(lock.handle)
        lock.handle = -1


def _forget() -> None:
    """Let go of every lock in a forked child, which would else write beside its parent."""
    for lock in list(_held.values()):
        _let_go(lock)


os.register_at_fork(after_in_child=_forget)


def refuse_links(path: Path) -> None:
    """Raise `RunError` where folders of a run are links, which may lead into another run, or no folders at
    all.
    """
    top = [path / name for name in ("seed", "iterations", "superseded")]
    inner = (
        p
        for pattern in ("seed/*", "iterations/*", "iterations/*/*", "iterations/*/policy/*")
        for p in path.glob(pattern)
    )
    for place in (*top, *inner):
        if place.is_symlink() and not place.is_file():
            raise RunError(
                f"{place} is a link to {os.readlink(place)}: what is written to this run would land there."
                " Put a folder in its place (to keep a run on another disk, move the whole run folder"
                " there); to look only, use read_only=True."
            )
    for place in top:
        if place.exists() and not place.is_dir():
            raise RunError(
                f"{place} is no folder, and a run keeps its results in one of that name. Move it away."
            )


def numbered(folder: Path, digits: int) -> dict[int, Path]:
    """Number -> entry of a folder, for the names alone that a run gives: `digits` digits, more where a number
    needs them.
    """
    found = {int(p.name): p for p in folder.glob("*") if re.fullmatch("[0-9]{1,9}", p.name)}
    return {
        number: folder / f"{number:0{digits}d}"
        for number in sorted(found)
        if (folder / f"{number:0{digits}d}").exists()
    }


COMPLETE = "complete"
"""Written into a checkpoint after all of its files: one without it was cut short and is thrown away."""


def checkpoints(folder: Path) -> list[Path]:
    """What a trainer saved in its folder to go on from, oldest first. Links and what a person put beside it
    are no part of it.
    """
    named = (p for p in folder.glob("checkpoint-*") if re.fullmatch("checkpoint-[0-9]+", p.name))
    return sorted(
        (p for p in named if p.is_dir() and not p.is_symlink()), key=lambda p: int(p.name.split("-")[1])
    )


def sweep(path: Path) -> None:
    """Remove what a kill in the middle of a write or of a deletion left: no result is among it. No link is
    followed.
    """
    for parent, folders, names in os.walk(path):
        here = Path(parent)
        for name in names:
            if re.fullmatch(LEFTOVER, name):
                (here / name).unlink(missing_ok=True)
        for parts in (here / name for name in folders if name.endswith(".parts")):
            manifest, mark = read_manifest(parts.with_suffix(".json")), parts / "key"
            aside = "superseded" in parts.relative_to(path).parts or parts.is_symlink()
            if manifest and mark.is_file() and not aside and manifest.get("key") == mark.read_text():
                shutil.rmtree(parts, ignore_errors=True)
    for iteration in numbered(path / "iterations", 2).values():
        for trainer in ("sft", "grpo"):
            for folder in checkpoints(iteration / "policy" / trainer):
                if (folder.parent / "result.json").exists() or not (folder / COMPLETE).exists():
                    shutil.rmtree(folder, ignore_errors=True)


def read_manifest(path: Path) -> dict[str, Any] | None:
    """What a stage wrote when it had finished; None where there is no file, or where it holds no such thing."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return None
    if (
        not isinstance(found, dict)
        or not _number(found.get("seconds"))
        or not _number(found.get("peak_mb", 0))
    ):
        return None
    trainings = found.get("trainings", [])
    named = isinstance(trainings, list) and all(
        isinstance(t, dict) and isinstance(t.get("folder"), str) for t in trainings
    )
    return found if named else None


def _number(value: object) -> bool:
    return (
        isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0
    )
