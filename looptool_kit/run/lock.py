"""The lock on a run folder, and the removal of what a killed process left in it.

`filelock`, which this package uses elsewhere, does not do here. On a file system without locks it falls back
to a file whose presence is the lock, which a killed process leaves behind; a run folder is refused there. A
run also needs the process id of the owner in the lock file, one lock shared by the runs of a process, none in
a forked child, and a check before each write that the locked file is still the one in the folder.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import stat
from dataclasses import dataclass
from pathlib import Path

from looptool_kit.core.errors import RunError, no_writing
from looptool_kit.core.tables import LEFTOVER, open_own
from looptool_kit.run.keys import marked
from looptool_kit.run.manifest import read_manifest
from looptool_kit.run.stage_time import SUFFIX, seconds_before

_held: dict[Path, Lock] = {}
"""The locks of this process. Several runs opened on one folder share one."""


@dataclass
class Lock:
    """A held lock."""

    path: Path
    handle: int
    runs: int = 1
    """How many open runs share it."""

    def stands(self) -> bool:
        """Whether the locked file is still the one in the folder.

        The folder may have been deleted and made again. A forked child holds no lock.
        """
        try:
            current, locked = os.stat(self.path / ".lock"), os.fstat(self.handle)
        except OSError:
            return False
        return (current.st_dev, current.st_ino) == (locked.st_dev, locked.st_ino)


def take(path: Path) -> Lock:
    """Take the lock on a folder for this process.

    The first to take it sweeps the folder.

    Raises:
        RunError: Another process holds it, the folder cannot be written to or locked, or a link in it leads
            outside.
    """
    path = path.resolve()
    refuse_links(path)
    shared = _held.get(path)
    if shared and shared.stands():
        shared.runs += 1
        return shared
    if shared:
        _close(shared)
    try:
        handle = open_own(path / ".lock")
    except OSError as error:
        raise RunError(no_writing(error, path) or f"{path} cannot be locked: {error.strerror}.") from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        who = owner(path) or "unknown"
        raise RunError(
            f"Another process (pid {who}) works on {path}. Wait for it or stop it; to read it, use"
            " Run.open(..., read_only=True) or `looptool report`."
        ) from None
    except OSError as error:
        os.close(handle)
        raise RunError(
            f"The file system of {path} has no locks ({error}). Put the run on a local disk; to read it,"
            " use read_only=True."
        ) from None
    os.ftruncate(handle, 0)
    os.write(handle, str(os.getpid()).encode())
    lock = _held[path] = Lock(path, handle)
    sweep(path)
    return lock


def owner(path: Path) -> str:
    """Return the process that took a folder's lock last.

    Its id; empty where none is known.
    """
    try:
        words = (path / ".lock").read_text(errors="replace")[:32].strip()
    except OSError:
        return ""
    return words if words.isdecimal() else ""


def release(lock: Lock) -> None:
    """Release a lock.

    The last of the runs that share it frees the folder.
    """
    lock.runs -= 1
    if lock.runs == 0:
        _close(lock)


def _close(lock: Lock) -> None:
    if _held.get(lock.path) is lock:
        del _held[lock.path]
    if lock.handle >= 0:
        os.close(lock.handle)
        lock.handle = -1


def _forget() -> None:
    """Release every lock in a forked child, which would else write beside its parent."""
    for lock in list(_held.values()):
        _close(lock)


os.register_at_fork(after_in_child=_forget)


def named(path: str | Path) -> Path:
    """Return the path of a run.

    Raises:
        RunError: Its name is not a text, so that Arrow could not open tables in it.
    """
    path = Path(path)
    try:
        str(path).encode("utf-8")
    except UnicodeEncodeError:
        raise RunError(
            f"The name {path} holds bytes that are not text (UTF-8), so tables in it cannot be opened. Rename"
            " that folder."
        ) from None
    return path


def refuse_links(path: Path) -> None:
    """Raise `RunError` where folders of a run are links or not folders.

    A link may lead into another run.
    """
    top = [path / name for name in ("seed", "iterations", "superseded", "judge_check", "pilot")]
    inner = (
        p
        for pattern in (
            "seed/*",
            "judge_check/*",
            "iterations/*",
            "iterations/*/*",
            "iterations/*/policy/*",
        )
        for p in path.glob(pattern)
    )
    for place in (*top, *inner):
        if place.is_symlink() and not place.is_file():
            raise RunError(
                f"{place} is a link to {os.readlink(place)}: what is written to this run would land there."
                " Put a folder in its place (to keep a run on another disk, move the whole run folder"
                " there); to read it, use read_only=True."
            )
    for place in top:
        if place.exists() and not place.is_dir():
            raise RunError(
                f"{place} is not a folder, and a run keeps its results in one of that name. Move it away."
            )


MAX_TEXT_BYTES = 2**30
"""Of a text file in a run, which is read whole: a hundred times what the largest loops write."""
_TEXTS = (".toml", ".json", ".jsonl")


def refuse_endless(path: Path) -> None:
    """Refuse a run that holds pipes, devices or huge texts.

    Or a link to one: who reads it waits for ever, or until the memory is full. An archive from anybody may
    hold such things: a file of holes takes no room in it.
    """
    for parent, _, names in os.walk(path):
        for place in (os.path.join(parent, name) for name in names):
            try:
                found = os.stat(place)
            except OSError:  # a link that leads nowhere, or a file that another process has just removed
                continue
            mode = found.st_mode
            if found.st_size > MAX_TEXT_BYTES and place.endswith(_TEXTS):
                raise RunError(
                    f"{place} has {found.st_size / 2**30:.0f} GiB, which no run writes as text: reading it"
                    " would fill the memory. Move it away; if the run folder is not your own, look through"
                    " it first."
                )
            if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
                raise RunError(
                    f"{place} is a pipe, a device or something else that is not a file: reading it has no"
                    " end. Remove it; if the run folder is not your own, look through it first."
                )


def unused(folder: Path) -> Path:
    """Return an unused place in a folder of numbered ones (`superseded/`).

    Its number is greater than those that are there.
    """
    number = 1 + max(numbered(folder, 4), default=0)
    while os.path.lexists(folder / f"{number:04d}"):
        number += 1
    return folder / f"{number:04d}"


def numbered(folder: Path, digits: int) -> dict[int, Path]:
    """Return number -> entry for a folder's numbered names.

    They have `digits` digits, more where a number needs them.
    """
    numbers = {int(p.name) for p in folder.glob("*") if re.fullmatch("[0-9]{1,9}", p.name)}
    return {
        number: folder / f"{number:0{digits}d}"
        for number in sorted(numbers)
        if (folder / f"{number:0{digits}d}").exists()
    }


COMPLETE = "complete"
"""A file written into a checkpoint after all others: a checkpoint without it was cut short and is removed."""


def checkpoints(folder: Path) -> list[Path]:
    """The checkpoints in a trainer's folder, oldest first.

    Links and what a person put there are left out.
    """
    named = (p for p in folder.glob("checkpoint-*") if re.fullmatch("checkpoint-[0-9]+", p.name))
    return sorted(
        (p for p in named if p.is_dir() and not p.is_symlink()), key=lambda p: int(p.name.split("-")[1])
    )


def sweep(path: Path) -> None:
    """Remove what a kill in the middle of work left.

    In the middle of a write or of a deletion. No result is among it. No link is followed. `judge_check` is
    left out: `looptool judge-check` may be writing there, and sweeps its own folder.
    """
    for parent, folders, names in os.walk(path):
        here = Path(parent)
        if here == path:
            folders[:] = [name for name in folders if name != "judge_check"]
        for name in names:
            if re.fullmatch(LEFTOVER, name) or _of_a_finished_stage(here / name):
                (here / name).unlink(missing_ok=True)
        for name in [name for name in folders if re.fullmatch(LEFTOVER, name)]:
            folders.remove(name)
            if not (here / name).is_symlink():
                shutil.rmtree(here / name, ignore_errors=True)
        for parts in (here / name for name in folders if name.endswith(".parts")):
            manifest = read_manifest(parts.with_suffix(".json"))
            kept = "superseded" in parts.relative_to(path).parts or parts.is_symlink()
            if manifest and not kept and manifest["key"] == marked(parts):
                shutil.rmtree(parts, ignore_errors=True)
    for iteration in numbered(path / "iterations", 2).values():
        for trainer in ("sft", "grpo", "preference"):
            for folder in checkpoints(iteration / "policy" / trainer):
                if (folder.parent / "result.json").exists() or not (folder / COMPLETE).exists():
                    shutil.rmtree(folder, ignore_errors=True)


def _of_a_finished_stage(file: Path) -> bool:
    """Whether the file notes tries at the very result whose manifest stands."""
    path = file.with_name(file.name.removesuffix(SUFFIX) + ".json")
    manifest = read_manifest(path) if file.name.endswith(SUFFIX) else None
    return manifest is not None and seconds_before(path, str(manifest.get("key"))) > 0
