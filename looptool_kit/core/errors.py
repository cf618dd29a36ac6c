"""Errors that a person can fix, the disk's among them."""

from __future__ import annotations

import errno
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path

from looptool_kit.core.terminal import visible

MAX_NAME = 120
"""Characters of a path that a message shows."""


class RunError(Exception):
    """A run folder cannot be used as asked.

    The message says which, why and what to do. It is shown with nothing that a terminal would obey: it may
    hold names and values of somebody else's run.
    """

    def __str__(self) -> str:
        return visible(super().__str__())


class Stopped(BaseException):
    """Ctrl-C in a command.

    Not KeyboardInterrupt, which the command-line library would swallow.
    """


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return ` (did you mean ...?)`; empty where no name is near.

    A dotted name is near where its last part is the same or looks like it.
    """
    known = list(known)
    last = {n: n.rpartition(".")[2] for n in (name, *known)}
    near = (
        [n for n in known if last[n] == last[name]][:3]
        or get_close_matches(name, known, 1)
        or [n for n in known if get_close_matches(last[name], [last[n]], 1)][:3]
    )
    return f" (did you mean {' or '.join(near)}?)" if near else ""


@contextmanager
def full_disk_explained(path: Path) -> Iterator[None]:
    """Explain the errors of a full or locked disk, with the remedy.

    What was written before stays whole.
    """
    try:
        yield
    except RunError:
        raise
    except Exception as error:
        if message := no_writing(_of_disk(error, path), path):
            raise RunError(message) from error
        free = shutil.disk_usage(path).free
        if not _is_full(error, free):
            raise
        raise RunError(
            f"The disk of {path} is full ({free / 2**20:.0f} MiB free; {error}). Nothing already written is"
            " harmed: free some space (a loop needs about 1 GiB) and start the same command again; it resumes"
            " where it stopped."
        ) from error


def no_writing(error: OSError, path: Path) -> str:
    """The remedy for a disk or folder that takes no writing.

    Empty where the error is another one.
    """
    if error.errno == errno.EROFS:
        return (
            f"The disk of {path} is read-only ({error}). Nothing was changed. To look at the run:"
            " Run.open(..., read_only=True). To continue it: copy the folder to a disk that can be"
            " written to."
        )
    if error.errno == errno.EIO:
        return (
            f"The disk of {path} reports a fault ({error}). Nothing already written was changed. Look at the"
            " disk, or copy the folder to another one, and start the same command again; it resumes where it"
            " stopped."
        )
    if error.errno in (errno.EACCES, errno.EPERM):
        return (
            f"{path} may not be written to by you ({error}). Nothing was changed. To look at the run:"
            " Run.open(..., read_only=True). To continue it: get the permission (`ls -l` names the owner),"
            " or copy the folder to a place of your own."
        )
    return ""


_REMEDIES = {
    errno.ENOENT: "Look at the path: nothing of that name is there.",
    errno.EEXIST: "Something else stands there: give another name, or move it away.",
    errno.ENOTDIR: "A part of the path is a file: give a path that leads through folders.",
    errno.EISDIR: "It is a folder: name a file.",
    errno.ENAMETOOLONG: "Give a shorter name.",
    errno.ELOOP: "Links there lead to each other: name the place itself.",
    errno.ENOSPC: "The disk is full: free some space and start the same command again.",
    errno.EDQUOT: "Your share of the disk is used up: free some space and start the same command again.",
    errno.EFBIG: "The disk takes no file of that size: give another place.",
    errno.EMFILE: "Too many files are open: raise the limit (`ulimit -n 4096`).",
    errno.EIO: "The disk reports a fault: look at it before you start the same command again.",
    errno.EROFS: "The disk is read-only: give a place on another one.",
}


def of_the_system(error: OSError) -> str:
    """Say what the operating system refuses, where and what to do."""
    if error.errno is None:  # written by a person, in this package or in a library
        return str(error)
    name = error.filename if isinstance(error.filename, str) else ""
    if name and (message := no_writing(error, Path(name))):
        return message
    where = f"{name if len(name) <= MAX_NAME else name[:MAX_NAME] + '...'}: " if name else ""
    other = "LOOPTOOL_DEBUG=1 before the command shows where it happens."
    return f"{where}{error.strerror or error}. {_REMEDIES.get(error.errno, other)}"


_SAID = {"input/output error": errno.EIO, "read-only file system": errno.EROFS}
"""What libraries that raise errors of their own kind say of a disk."""


def _of_disk(error: Exception, path: Path) -> OSError:
    """The error as one of the disk that `path` is on; without a number where it is about something else."""
    if isinstance(error, OSError):
        names = [n for n in (error.filename, error.filename2) if isinstance(n, str | os.PathLike)]
        inside = any(Path(n).resolve().is_relative_to(path.resolve()) for n in names)
        # Arrow names no file.
        return error if inside or (not names and error.errno in _SAID.values()) else OSError(str(error))
    number = next((n for words, n in _SAID.items() if words in str(error).lower()), None)
    return OSError(number, str(error)) if number else OSError(str(error))


def _is_full(error: Exception, free: int) -> bool:
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return True
    # safetensors, Arrow and SQLite raise errors of their own kind; torch names no reason at all, so there the
    # disk itself is asked.
    reason = re.search(
        r"no space left on device|database or disk is full|disk quota exceeded", str(error), re.IGNORECASE
    )
    return bool(reason) or (isinstance(error, RuntimeError) and free < 2**20)
