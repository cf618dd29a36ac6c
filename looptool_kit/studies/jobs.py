"""Run the turns of a comparison one after the other, or several at once in processes of their own."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import traceback
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, NamedTuple

from looptool_kit.core.errors import RunError
from looptool_kit.core.terminal import say as print_line
from looptool_kit.studies.times import Place

Say = Callable[[str], None]


class Turn(NamedTuple):
    """A part of an arm's run."""

    place: Place
    """(random seed, arm)."""
    last: int
    """It ends with the policy of this iteration."""


Work = Callable[[Turn, Say], None]
"""Does a turn, or what is missing of it. For several jobs it is a function of a module, or a `partial` of
one.
"""


def run_turns(
    turns: Sequence[Turn],
    places: Mapping[Place, Path],
    work: Work,
    done: Callable[[Turn], None],
    jobs: int,
    say: Say,
) -> None:
    """Do all turns in order, as far as they may start.

    What they wait for comes first. A turn waits for the first arm of its random seed, and for the earlier
    turns of its own arm. Stopped by an exception, it stops the processes that it has started.

    Args:
        turns: Those of one place in the order of their iterations.
        places: (random seed, arm) -> run folder, the first arm's ahead.
        work: Called with a turn, and whom to tell.
        done: Called after each turn, in this process.
        jobs: Turns at once; 1: in this process.
        say: Gets the news of the runs, or where they are written.

    Raises:
        RunError: A process failed.
    """
    if jobs <= 1:
        for turn in turns:
            work(turn, prefixed(say, places[turn.place].name))
            done(turn)
        return
    first = next(iter(places))[1]
    waiting, running = list(turns), dict[Any, tuple[BaseProcess, Turn]]()
    context = multiprocessing.get_context("spawn")
    threads = max(1, (os.cpu_count() or 1) // jobs)
    try:
        while waiting or running:
            busy = [turn for _, turn in running.values()]
            for turn in ready(waiting, busy, first)[: jobs - len(running)]:
                waiting.remove(turn)
                path = places[turn.place]
                log = path.with_name(f"{path.name}.log")
                child = context.Process(target=_child, args=(work, turn, log, threads), daemon=True)
                child.start()
                running[child.sentinel] = child, turn
                say(f"{path.name}: until D{turn.last}, news in {log}")
            for sentinel in wait(list(running)):
                ended, turn = running.pop(sentinel)
                ended.join()
                if ended.exitcode:
                    raise RunError(
                        f"{places[turn.place]} failed; {places[turn.place]}.log says why. Nothing finished is"
                        " lost; the same command resumes."
                    )
                done(turn)
    finally:
        for started, _ in running.values():
            started.terminate()
        for started, _ in running.values():
            started.join()


def ready(waiting: Sequence[Turn], busy: Sequence[Turn], first: str) -> list[Turn]:
    """Return the turns that may start.

    Nothing that they wait for is waiting or being done.
    """
    open_places = {turn.place for turn in busy}
    found = []
    for turn in waiting:
        (seed, arm), open_first = turn.place, (turn.place[0], first)
        if turn.place not in open_places and (arm == first or open_first not in open_places):
            found.append(turn)
        open_places.add((seed, arm))
    return found


def prefixed(say: Say, name: str) -> Say:
    """`say`, with the name of a run before each line."""
    return lambda line: say(f"{name}: {line}")


def _child(work: Work, turn: Turn, log: Path, threads: int) -> None:
    """A turn in a process of its own, which Ctrl-C ends at once: no stage minds."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    with (
        open(log, "a", encoding="utf-8", buffering=1) as out,
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(out),
    ):
        import torch

        torch.set_num_threads(threads)
        try:
            work(turn, print_line)
        except Exception:
            traceback.print_exc()
            raise SystemExit(1) from None
