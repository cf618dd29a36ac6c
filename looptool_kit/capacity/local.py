"""The model against the kit's own engine, in one and two processes of this machine.

Both sides do the same: worker processes take batches from one queue until it is empty. The simulation gets
the seconds of a batch from another set of batches, measured just before in the same processes.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.queues import Queue
from pathlib import Path
from typing import Any, NamedTuple

from looptool_kit.capacity.engine import Result, simulate
from looptool_kit.capacity.scenario import Cluster
from looptool_kit.capacity.stages import Work
from looptool_kit.core.errors import RunError
from looptool_kit.core.samples import Samples
from looptool_kit.core.tables import read_json, write_json

MAX_NEW = 24
"""Tokens of an answer at most: the workload is tiny."""
WAIT = 900
"""Seconds that a batch, or a start, may take before the run counts as stuck."""
Open = Callable[[], Any]
"""Opens an engine, in the process that works with it."""


class Took(NamedTuple):
    """One batch in one process."""

    number: int
    process: int
    seconds: float


@dataclass
class Real:
    """A real run."""

    processes: int
    took: list[Took]
    seconds: float
    """From the first batch handed out to the last one done."""


class Compared(NamedTuple):
    """A real run and its simulation."""

    processes: int
    batches: int
    rows: int
    real: float
    """Seconds."""
    simulated: float
    alone: float
    """Seconds, simulated from what one process alone needs for a batch."""
    load: float = 0.0
    """Of the machine before, as its load average."""


def embedded() -> Any:
    """Open the kit's engine with the embedded model, on one thread."""
    import torch

    from looptool_kit.policy.engines.transformers import TransformersEngine
    from looptool_kit.policy.models import find_model

    torch.set_num_threads(1)
    return TransformersEngine.load(find_model("embedded").path, batch_size=4)


def check(rows: int = 48, batch: int = 4, opening: Open = embedded, new: int = MAX_NEW) -> list[Compared]:
    """Run and simulate a probe, in one and in two processes.

    Args:
        rows: Samples; half of them again as many are answered before, to measure the seconds of a batch.
        batch: Samples of a batch.
        opening: Opens the engine.
        new: Tokens of an answer at most.
    """
    from looptool_kit import world

    samples = world.generate(rows + rows // 2, seed="plan")
    batches = [list(range(at, min(at + batch, len(samples)))) for at in range(0, len(samples), batch)]
    count = rows // 2 // batch
    found, alone = [], 0.0
    for processes in (1, 2):
        before, real = _real(samples, [batches[:count], batches[count:]], processes, opening, new)
        each = _mean(before)
        alone = alone or each
        found.append(
            Compared(
                processes,
                len(real.took),
                sum(len(batches[count + t.number]) for t in real.took),
                real.seconds,
                _simulated(len(real.took), each, processes).seconds,
                _simulated(len(real.took), alone, processes).seconds,
            )
        )
    return found


def kept(file: Path) -> list[Compared]:
    """Read the checks of a file, or make and keep them.

    Raises:
        RunError: The file holds something else.
    """
    if not file.exists():
        load = os.getloadavg()[0]
        write_json(file, {"load": load, "runs": [c._asdict() for c in check()]})
    found = read_json(file, dict[str, Any], "Delete it to measure again.")
    try:
        return [Compared(**{**run, "load": float(found["load"])}) for run in found["runs"]]
    except (KeyError, TypeError, ValueError):
        raise RunError(f"{file} does not hold the checks. Delete it to measure again.") from None


def _simulated(batches: int, each: float, processes: int) -> Result:
    """The same batches in the model; a batch is one item, and chance is left out."""
    work = Work("probe", "pull", batches, each)
    return simulate(work, processes, Cluster(straggling=0, interruptions=0))


def _mean(run: Real) -> float:
    return sum(t.seconds for t in run.took) / max(1, len(run.took))


def _real(
    samples: Samples, phases: Sequence[list[list[int]]], processes: int, opening: Open, new: int
) -> list[Real]:
    """Do all batches of each phase; the processes stay open between the phases."""
    spawn = multiprocessing.get_context("spawn")
    todo, done = spawn.Queue(), spawn.Queue()
    workers = [
        spawn.Process(target=_serve, args=(number, samples, opening, new, todo, done), daemon=True)
        for number in range(processes)
    ]
    found = []
    try:
        for worker in workers:
            worker.start()
        for _ in workers:
            _got(done, workers)
        for batches in phases:
            started = time.monotonic()
            for item in enumerate(batches):
                todo.put(item)
            took = [Took(*_got(done, workers)) for _ in batches]
            found.append(Real(processes, took, time.monotonic() - started))
        for _ in workers:
            todo.put(None)
        for worker in workers:
            worker.join(30)
    finally:
        for worker in workers:
            if worker.is_alive():
                worker.terminate()
    return found


def _got(done: Queue[Any], workers: Sequence[Any]) -> Any:
    """What a worker says next. Raises `RuntimeError` where one has failed or none answers."""
    import queue

    for _ in range(WAIT):
        try:
            said = done.get(timeout=1)
        except queue.Empty:
            if dead := [w.exitcode for w in workers if w.exitcode]:
                raise RuntimeError(f"a process of the check ended with code {dead[0]}") from None
            continue
        if isinstance(said, str):
            raise RuntimeError(f"a process of the check failed: {said}")
        return said
    raise RuntimeError(f"no process of the check has answered for {WAIT} seconds")


def _serve(
    number: int, samples: Samples, opening: Open, new: int, todo: Queue[Any], done: Queue[Any]
) -> None:
    """A worker: open the engine, say so, and answer batches until there are no more."""
    from looptool_kit.policy.engines import Sampling

    try:
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        engine = opening()
        rows = list(samples)
        engine.generate(rows[:1], Sampling(max_new_tokens=1))
        done.put((-1, number, 0.0))
        while (item := todo.get()) is not None:
            at, batch = item
            started = time.monotonic()
            answers = engine.generate([rows[i] for i in batch], Sampling(max_new_tokens=new))
            assert len(answers) == len(batch)
            done.put((at, number, time.monotonic() - started))
    except Exception as error:
        done.put(f"{type(error).__name__}: {error}")
