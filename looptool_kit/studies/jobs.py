"""Run the tasks of a comparison one after the other, or several at once in processes of their own."""

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


class Task(NamedTuple):
    """A part of an arm's run."""

    place: Place
    """(random seed, arm)."""
    last: int
    """It ends with the policy of this iteration."""


Work = Callable[[Task, Say], None]
"""Does a task, or what is missing of it. For several jobs it is a function of a module, or a `partial` of
one.
"""


def run_tasks(
    tasks: Sequence[Task],
    places: Mapping[Place, Path],
    work: Work,
    done: Callable[[Task], None],
    jobs: int,
    say: Say,
) -> None:
    """Do all tasks in order, as far as they may start.

    What they wait for comes first. A task waits for the first arm of its random seed, and for the earlier
    tasks of its own arm. Stopped by an exception, it stops the processes that it has started.

    Args:
        tasks: Those of one place in the order of their iterations.
        places: (random seed, arm) -> run folder, the first arm's ahead.
        work: Called with a task, and whom to tell.
        done: Called after each task, in this process.
        jobs: Tasks at once; 1: in this process.
        say: Gets the news of the runs, or where they are written.

    Raises:
        RunError: A process failed.
    """
    if jobs <= 1:
        for task in tasks:
            work(task, prefixed(say, places[task.place].name))
            done(task)
        return
    first = next(iter(places))[1]
    waiting, running = list(tasks), dict[Any, tuple[BaseProcess, Task]]()
    context = multiprocessing.get_context("spawn")
    threads = max(1, (os.cpu_count() or 1) // jobs)
    try:
        while waiting or running:
            busy = [task for _, task in running.values()]
            for task in ready(waiting, busy, first)[: jobs - len(running)]:
                waiting.remove(task)
                path = places[task.place]
                log = path.with_name(f"{path.name}.log")
                child = context.Process(target=_child, args=(work, task, log, threads), daemon=True)
                child.start()
                running[child.sentinel] = child, task
                say(f"{path.name}: until D{task.last}, log in {log}")
            for sentinel in wait(list(running)):
                ended, task = running.pop(sentinel)
                ended.join()
                if ended.exitcode:
                    raise RunError(
                        f"{places[task.place]} failed; {places[task.place]}.log says why. Nothing finished is"
                        " lost; the same command resumes."
                    )
                done(task)
    finally:
        for started, _ in running.values():
            started.terminate()
        for started, _ in running.values():
            started.join()


def ready(waiting: Sequence[Task], busy: Sequence[Task], first: str) -> list[Task]:
    """Return the tasks that may start.

    Nothing that they wait for is waiting or being done.
    """
    open_places = {task.place for task in busy}
    found = []
    for task in waiting:
        (seed, arm), open_first = task.place, (task.place[0], first)
        if task.place not in open_places and (arm == first or open_first not in open_places):
            found.append(task)
        open_places.add((seed, arm))
    return found


def prefixed(say: Say, name: str) -> Say:
    """`say`, with the name of a run before each line."""
    return lambda line: say(f"{name}: {line}")


def _child(work: Work, task: Task, log: Path, threads: int) -> None:
    """A task in a process of its own, which Ctrl-C ends at once: no stage minds."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    with (
        open(log, "a", encoding="utf-8", buffering=1) as out,
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(out),
    ):
        import torch

        torch.set_num_threads(threads)
        try:
            work(task, print_line)
        except Exception:
            traceback.print_exc()
            raise SystemExit(1) from None
