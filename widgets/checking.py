"""The judge's check, started from a page: a process of its own, which the page watches and may stop."""

from __future__ import annotations

import subprocess
import sys
import threading
import weakref
from collections.abc import Callable
from pathlib import Path


class Checking:
    """`looptool judge-check RUN` in a process of its own.

    The page stays usable meanwhile. The command locks the folder of its card, so that two pages do not check
    at once. The process ends with the Python that started it.
    """

    def __init__(self, run: Path, said: Callable[[str], None], ended: Callable[[str], None]) -> None:
        """Start it.

        Args:
            run: Folder of the run.
            said: Called with each line of its progress, from a thread.
            ended: Called once, from that thread: with why there is no card, empty where there is one.
        """
        command = [sys.executable, "-P", "-m", "looptool_kit.cli", "judge-check", str(run)]
        self._stopped = False
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,  # the card, which is read from its file
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
        )
        # A check that nobody sees any more must not go on asking a model.
        weakref.finalize(self, self._process.terminate)
        self._thread = threading.Thread(
            target=_follow, args=(self._process, said, lambda why: ended(why and self._why(why))), daemon=True
        )
        self._thread.start()

    def stop(self) -> None:
        """End it. Answers of a model that have arrived are kept."""
        self._stopped = True
        self._process.terminate()

    def wait(self) -> None:
        """Wait until it has ended and that was said."""
        self._thread.join()

    def _why(self, words: str) -> str:
        if self._stopped:
            return "The check was stopped, and no card was written. What a model had answered is kept."
        return words


def _follow(
    process: subprocess.Popen[str], said: Callable[[str], None], ended: Callable[[str], None]
) -> None:
    last = ""
    for line in process.stderr or ():
        if line.strip():
            last = line.strip()
            said(last)
    status = process.wait()
    ended("" if status == 0 else last.removeprefix("looptool: ") or f"The check ended with status {status}.")
