"""How long a stage works in all its tries: one that was stopped or killed counts too."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread

from looptool_kit.core.errors import RunError
from looptool_kit.core.tables import write_json

SUFFIX = ".tries.json"
"""Of the file that stands beside a manifest until that is written: the key, and seconds of all tries."""
INTERVAL = 10.0
"""Seconds between two notes of what a try has taken: a kill takes that much from the sum at most."""


def seconds_before(manifest: Path, key: str) -> float:
    """Return the seconds of earlier tries at the same result.

    Of those that ended without it.
    """
    try:
        noted = json.loads(manifest.with_suffix(SUFFIX).read_text(encoding="utf-8"))
        seconds = float(noted["seconds"]) if noted["key"] == key else 0.0
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return 0.0
    return seconds if math.isfinite(seconds) and seconds > 0 else 0.0


@contextmanager
def counted(manifest: Path, key: str, before: float, writable: Callable[[], None]) -> Iterator[None]:
    """Record the seconds that the work inside takes.

    Now and then, and where it ends without a result.

    Args:
        manifest: Where the stage's manifest will stand.
        key: What its result depends on.
        before: Seconds of earlier tries, which the notes contain.
        writable: Raises where the run may not be written to any more.
    """
    file, started, stop = manifest.with_suffix(SUFFIX), time.monotonic(), Event()

    def note() -> None:
        with suppress(OSError, RunError):  # the work itself says what is wrong with the disk
            writable()
            write_json(file, {"key": key, "seconds": round(before + time.monotonic() - started, 2)})

    def now_and_then() -> None:
        while not stop.wait(INTERVAL):
            note()

    thread = Thread(target=now_and_then, daemon=True)
    thread.start()
    try:
        yield
    except BaseException:
        note()
        raise
    finally:
        stop.set()
        thread.join()
    file.unlink(missing_ok=True)  # the manifest has the sum
