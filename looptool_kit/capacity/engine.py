"""The discrete-event model of one stage: workers, stragglers, failed calls, interruptions.

Built on SimPy's processes and events. All chance comes from streams named by seed, stage and worker, so that
a result can be had again and one more worker changes nobody else's luck.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np

from looptool_kit.capacity.scenario import Cluster
from looptool_kit.capacity.stages import Work

MAX_BATCHES = 20_000
"""Of a stage: where it has more, batches are larger, or millions of samples would be simulated one by one."""
_NORMAL = NormalDist()


@dataclass
class Result:
    """What a stage took."""

    stage: str
    workers: int
    seconds: float = 0.0
    items: int = 0
    """Finished, each once."""
    retried: int = 0
    """Calls that failed and were made again, in batches that came to their end."""
    lost: int = 0
    """Items, or steps, that an interruption made to be done again."""
    interruptions: int = 0
    busy: float = 0.0
    """Seconds of work, summed over workers, lost work included."""
    client: float = 0.0
    """Seconds in which the process that hands out work was busy."""

    @property
    def load(self) -> float:
        """Share of the workers' time that was work."""
        return self.busy / (self.seconds * self.workers) if self.seconds else 0.0

    @property
    def limit(self) -> str:
        """What a faster run would need.

        Workers, less to do for the one process that hands out work, or less start.
        """
        if not self.seconds:
            return "nothing"
        shares = {"workers": self.load, "one process": self.client / self.seconds}
        name, share = max(shares.items(), key=lambda pair: pair[1])
        return name if share >= 0.5 else "start and waiting"


def simulate(work: Work, workers: int, cluster: Cluster, seed: int = 0) -> Result:
    """Simulate a stage.

    Args:
        work: What is to be done.
        workers: Who does it.
        cluster: What goes wrong.
        seed: Of all chance.

    Raises:
        ValueError: SimPy is not installed, or there is nobody who works.
    """
    try:
        import simpy
    except ModuleNotFoundError:
        raise ValueError(
            "the simulation needs the package simpy, which is not installed: `pip install"
            " 'looptool-kit[plan]'`"
        ) from None
    if workers < 1:
        raise ValueError("give at least one worker")
    env, result = simpy.Environment(), Result(work.stage, workers)
    stage = _Gang if work.kind == "gang" else _Pull
    env.run(stage(env, work, cluster, seed, result).done)
    result.seconds = env.now
    return result


def closed_form(work: Work, workers: int) -> float:
    """Return the seconds of a stage where nothing goes wrong.

    Nobody is slower. Batches of one size in waves; a gang's steps one behind the other. Without the process
    that hands out work, which it takes to be no limit.
    """
    if work.kind == "gang":
        return work.start + work.items * _step(work, workers)
    full, rest = divmod(work.items, work.batch)
    waves, over = divmod(full, workers)
    last = work.batch if over else rest
    return work.start + work.seconds * (waves * work.batch + last)


def _step(work: Work, workers: int) -> float:
    """Seconds of a gang's step: the one with the most pieces decides."""
    return work.fixed + work.seconds * math.ceil(work.pieces / workers) / work.pieces


def _hazard(work: Work, cluster: Cluster) -> float:
    """Interruptions of one worker in a second."""
    return cluster.interruptions * work.group / 3600


class _Pull:
    """Workers that take batches until none is left."""

    def __init__(self, env: Any, work: Work, cluster: Cluster, seed: int, result: Result) -> None:
        import simpy

        self.env, self.work, self.cluster, self.result = env, work, cluster, result
        size = max(work.batch, math.ceil(work.items / MAX_BATCHES))
        self.waiting = deque(_cut(work.items, size))
        self.open = len(self.waiting)
        self.client = simpy.Resource(env, 1)
        self.done, self.again = env.event(), env.event()
        # Where nobody is lost, who could never get a batch need not be simulated.
        count = result.workers if _hazard(work, cluster) else min(result.workers, self.open)
        for number in range(count):
            _Worker(self, _stream(seed, work.stage, number))

    def put_back(self, batch: int) -> None:
        """Return a batch that an interruption took from a worker, for whoever is free first."""
        self.waiting.appendleft(batch)
        self.again.succeed()
        self.again = self.env.event()

    def finish(self, batch: int) -> None:
        """Count a batch as done."""
        self.result.items += batch
        self.open -= 1
        if not self.open:
            self.done.succeed()


class _Worker:
    """One worker of `_Pull`."""

    def __init__(self, stage: _Pull, chance: np.random.Generator) -> None:
        self.stage, self.chance = stage, chance
        self.hazard = _hazard(stage.work, stage.cluster)
        self.process = stage.env.process(self._run())
        if self.hazard:
            stage.env.process(self._interruptions())

    def _run(self) -> Generator[Any, Any, None]:
        import simpy

        stage, env, start = self.stage, self.stage.env, self.stage.work.start
        while not stage.done.triggered:
            batch = began = None
            try:
                yield env.timeout(start)
                start = 0.0
                while stage.waiting:
                    batch = stage.waiting.popleft()
                    yield from self._hand_over(batch)
                    began, (took, again) = env.now, self._seconds(batch)
                    yield env.timeout(took)
                    stage.result.busy += took
                    stage.result.retried += again
                    stage.finish(batch)
                    batch = began = None
                yield stage.again | stage.done
            except simpy.Interrupt:
                stage.result.interruptions += 1
                if began is not None:
                    stage.result.busy += env.now - began
                if batch is not None:
                    stage.result.lost += batch
                    stage.put_back(batch)
                start = stage.cluster.replacement + stage.work.start

    def _hand_over(self, batch: int) -> Generator[Any, Any, None]:
        seconds = batch * self.stage.work.client
        if seconds:
            with self.stage.client.request() as turn:
                yield turn
                yield self.stage.env.timeout(seconds)
                self.stage.result.client += seconds

    def _seconds(self, batch: int) -> tuple[float, int]:
        """Of a batch, and the calls of it that are made again."""
        work = self.stage.work
        # Failures until each of the batch's calls has succeeded.
        again = int(self.chance.negative_binomial(batch, 1 - work.retried)) if work.retried else 0
        slow = math.exp(self.chance.normal(0, self.stage.cluster.straggling))
        return work.seconds * (batch + again) * slow, again

    def _interruptions(self) -> Generator[Any, Any, None]:
        env, stage = self.stage.env, self.stage
        while not stage.done.triggered:
            yield env.timeout(self.chance.exponential(1 / self.hazard))
            if self.process.is_alive and self.process is not env.active_process and stage.open:
                self.process.interrupt()


class _Gang:
    """All workers on one step after the other: the slowest decides, and one that is lost stops all."""

    def __init__(self, env: Any, work: Work, cluster: Cluster, seed: int, result: Result) -> None:
        self.env, self.work, self.cluster, self.result = env, work, cluster, result
        self.chance = _stream(seed, work.stage)
        self.done = env.process(self._run())

    def _run(self) -> Generator[Any, Any, None]:
        work, result, env = self.work, self.result, self.env
        hazard = _hazard(work, self.cluster) * result.workers
        base = _step(work, result.workers) - work.fixed
        left = self.chance.exponential(1 / hazard) if hazard else math.inf
        yield env.timeout(work.start)
        step = 0
        while step < work.items:
            took = work.fixed + base * self._slowest()
            if took <= left:
                yield env.timeout(took)
                result.busy += took * result.workers
                left, step = left - took, step + 1
                continue
            yield env.timeout(left)
            result.busy += left * result.workers
            result.interruptions += 1
            kept = step - step % work.checkpoint
            result.lost, step = result.lost + step - kept, kept
            yield env.timeout(self.cluster.replacement + work.start)
            left = self.chance.exponential(1 / hazard)
        result.items = step

    def _slowest(self) -> float:
        """The largest of the workers' factors, drawn at once: exp(sigma times the largest of n normals)."""
        if not self.cluster.straggling:
            return 1.0
        share = self.chance.random() ** (1 / self.result.workers)
        return math.exp(self.cluster.straggling * _NORMAL.inv_cdf(min(max(share, 1e-12), 1 - 1e-12)))


def _stream(seed: int, stage: str, worker: int = 0) -> np.random.Generator:
    return np.random.default_rng([seed, worker, *stage.encode()])


def _cut(items: int, size: int) -> Iterator[int]:
    while items > 0:
        yield min(size, items)
        items -= size
