"""The lock on a run folder, and the sweep of what a killed process has left in it."""

from __future__ import annotations

import fcntl
import json
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from looptool_kit.errors import RunError, no_writing
from looptool_kit.tables import LEFTOVER

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
        """Whether the locked file is still the one in the folder, which may have been deleted and made anew."""
        try:
            there, held = os.stat(self.path / ".lock"), os.fstat(self.handle)
        except OSError:
            return False
        return (there.st_dev, there.st_ino) == (held.st_dev, held.st_ino)


def take(path: Path) -> Lock:
    """The lock on a folder, for this process; the first to take it sweeps the folder.

    Raises `RunError` where another process holds it, and where the folder cannot be written to or locked.
    """
    path = path.resolve()
    known = _held.get(path)
    if known and known.stands():
        known.runs += 1
        return known
    if known:
        _let_go(known)
    try:
        handle = os.open(path / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise RunError(no_writing(error, path) or f"{path} cannot be locked: {error}") from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        owner = os.read(handle, 32).decode(errors="replace").strip() or "unknown"
        os.close(handle)
        raise RunError(
            f"Another process (pid {owner}) works on {path}. Wait for it or stop it; to look only, use Run.open(..., read_only=True) "
            "or `looptool report`."
        ) from None
    except OSError as error:
        os.close(handle)
        raise RunError(f"The file system of {path} has no locks ({error}). Put the run on a local disk; to look only, use read_only=True.") from None
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


def sweep(path: Path) -> None:
    """Remove what a kill in the middle of a write or of a deletion left: no result is among it."""
    for file in path.rglob(".*"):
        if re.fullmatch(LEFTOVER, file.name) and file.is_file():
            file.unlink(missing_ok=True)
    for folder in path.glob("iterations/*/policy/**/checkpoint-*"):
        if (folder.parent / "result.json").exists() or not (folder / "complete").exists():
            shutil.rmtree(folder, ignore_errors=True)
    for key in path.glob("*/**/*.parts/key"):
        manifest = key.parent.with_suffix(".json")
        if "superseded" not in key.parts and manifest.exists() and _key(manifest) == key.read_text():
            shutil.rmtree(key.parent, ignore_errors=True)


def _key(manifest: Path) -> object:
    try:
        found = json.loads(manifest.read_text(encoding="utf-8"))
    except ValueError:
        return None
    return found.get("key") if isinstance(found, dict) else None
