"""What the benchmarks share: each side in a process of its own, the sides taking turns at the same work, and
the table of what it cost.

A side is a picklable function without arguments that gets ready (imports, data, a model) and returns the
work: again a function without arguments, whose return value must be picklable. Only the work is measured: CPU
seconds of the process (all its threads), wall seconds, and the peak of the process's resident memory during
the work, everything that it had loaded before included.
"""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import re
import resource
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

Work = Callable[[], Any]
Side = Callable[[], Work]


@dataclass
class Cost:
    """What one side's rounds cost; the best round counts."""

    cpu: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)
    peak: list[float] = field(default_factory=list)
    """MiB."""
    value: Any = None
    """What the last round's work returned."""

    @property
    def best(self) -> tuple[float, float, float]:
        """(CPU seconds, wall seconds, MiB), each the least of all rounds."""
        return min(self.cpu), min(self.wall), min(self.peak)


def compare(
    sides: Mapping[str, Side], rounds: int = 3, warm: bool = False, together: bool = False
) -> dict[str, Cost]:
    """Let the sides take turns at their work, `rounds` times each.

    With `warm` one more round goes before, which does not count. `together` keeps all in this process, one
    round, for the quick forms: heavy imports are paid once, and memory says nothing about a side. Raises
    `RuntimeError` with the side's own traceback where one fails in its process.
    """
    workers: dict[str, tuple[Any, Connection]] = {}
    costs = {name: Cost() for name in sides}
    if together:
        with _stdout_to_stderr():
            for name, side in sides.items():
                _take(costs[name], measure(side()))
        return costs
    spawn = multiprocessing.get_context("spawn")
    try:
        for name, side in sides.items():
            near, far = spawn.Pipe()
            process = spawn.Process(target=_serve, args=(side, far), daemon=True)
            process.start()
            far.close()
            workers[name] = (process, near)
        for name, (_, pipe) in workers.items():
            _answer(
                name, pipe
            )  # all are ready before the first one works, and from here only one side ever does
        for turn in range(rounds + warm):
            for name, (_, pipe) in workers.items():
                pipe.send("work")
                done = _answer(name, pipe)
                if turn >= warm:
                    _take(costs[name], done)
    finally:
        for process, pipe in workers.values():
            with contextlib.suppress(OSError):
                pipe.send(None)
            process.join(10)
            if process.is_alive():
                process.terminate()
    return costs


def _take(cost: Cost, done: tuple[float, float, float, Any]) -> None:
    cost.cpu.append(done[0])
    cost.wall.append(done[1])
    cost.peak.append(done[2])
    cost.value = done[3]


def _answer(name: str, pipe: Connection) -> Any:
    try:
        kind, value = pipe.recv()
    except EOFError:
        raise RuntimeError(f"the process of {name!r} died (out of memory?)") from None
    if kind == "error":
        raise RuntimeError(f"{name!r} failed:\n{value}")
    return value


def _serve(side: Side, pipe: Connection) -> None:
    try:
        with _stdout_to_stderr():  # stdout is the report
            work = side()
            pipe.send(("ready", None))
            while pipe.recv() is not None:
                pipe.send(("done", measure(work)))
    except BaseException:
        pipe.send(("error", traceback.format_exc()))


def measure(work: Work, collect: bool = True) -> tuple[float, float, float, Any]:
    """(CPU seconds, wall seconds, peak MiB of this process meanwhile, the work's value); `collect` garbage
    first.
    """
    if collect:
        gc.collect()
    reset_peak()
    cpu, wall = time.process_time(), time.perf_counter()
    value = work()
    return time.process_time() - cpu, time.perf_counter() - wall, peak_mb(), value


def reset_peak() -> None:
    """Let the peak of resident memory start again from what is resident now (Linux; elsewhere it stays the
    peak of the process's life).
    """
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def peak_mb() -> float:
    """Peak of this process's resident memory in MiB since `reset_peak`."""
    status = Path("/proc/self/status")
    if status.exists() and (found := re.search(r"VmHWM:\s+(\d+)", status.read_text())):
        return int(found[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 1024)


@contextlib.contextmanager
def _stdout_to_stderr() -> Iterator[None]:
    with contextlib.redirect_stdout(sys.stderr):
        yield


# ------------------------------------------------------------------- words

HEAD = (
    "| work | side | CPU s | wall s | peak MiB | CPU ratio | wall ratio | memory ratio |\n| --- | --- | --- |"
    " --- | --- | --- | --- | --- |"
)


def rows(work: str, costs: Mapping[str, Cost], ours: str = "ours") -> str:
    """The table rows of one comparison, under `HEAD`: a ratio is the other side's cost by ours."""
    mine = costs[ours].best
    lines = []
    for name, cost in costs.items():
        cells = [work, name, f"{cost.best[0]:.3g}", f"{cost.best[1]:.3g}", f"{cost.best[2]:,.0f}"]
        ratios = [
            f"{other / max(own, 1e-9):.2f}" if name != ours else ""
            for other, own in zip(cost.best, mine, strict=True)
        ]
        lines.append("| " + " | ".join(cells + ratios) + " |")
    return "\n".join(lines)


def verdict(work: str, value: float, least: float, unit: str = "x", most: bool = False) -> str:
    """One line: what was wanted, and the result. `most`: the target is an upper bound."""
    held = value <= least if most else value >= least
    return (
        f"- {work}: {value:.3g}{unit}, target {'at most' if most else 'at least'} {least:g}{unit}:"
        f" {'met' if held else '**missed**'}"
    )
