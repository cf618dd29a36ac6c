"""Training, live: the trainers' charts, and the last GRPO step's completions."""

from __future__ import annotations

import json
import math
import os
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import traitlets

from looptool_kit.core.preview import table_html
from looptool_kit.drawing import lines, picture
from looptool_kit.run.folder import Run
from looptool_kit.widgets.training_words import (
    FEW_STEPS,
    MEANINGS,
    OUTCOME_HEAD,
    nothing_yet,
    outcomes,
    share,
    short,
)
from looptool_kit.widgets.view import View, in_words, script, style

MAX_POINTS = 400
"""Points of a chart, all its lines together."""
POLL_SECONDS = 1.0
"""Time between two reads of the files."""
IDLE_SECONDS = 30.0
"""Time without a change after which the view of a finished training stops reading.

The cell that shows a training may stand right before one that trains again.
"""
_ROLLOUTS, _MAX_CHARACTERS = 48, 600
_STATIC_POINTS = 60
"""Points of a chart in a notebook without a kernel."""
TRAINERS = ("sft", "grpo", "preference")
Row = dict[str, Any]
Points = list[tuple[float, float]]


def _value(key: str) -> Callable[[Row, Row | None], float | None]:
    return lambda row, _: row.get(key)


def _speed(row: Row, before: Row | None) -> float | None:
    if not row.get("step_time") or "num_tokens" not in row:
        return None
    return (row["num_tokens"] - (before or {}).get("num_tokens", 0)) / row["step_time"]


Range = tuple[float, float | None]
CHARTS: dict[str, tuple[str, Range | None, Callable[[Row, Row | None], float | None]]] = {
    "loss": ("loss", None, _value("loss")),
    "reward": ("mean reward", (0, 1), _value("reward")),
    "right completions": ("share right", (0, 1), _value("correct")),
    "groups without variance": ("share of groups", (0, 1), _value("frac_reward_zero_std")),
    "completion length": ("tokens, mean", (0, None), _value("completions/mean_length")),
    "clip fraction": ("share of tokens", (0, None), _value("clip_ratio/region_mean")),
    "entropy": ("nats a token", (0, None), _value("entropy")),
    "better answer ahead": ("share of pairs", (0, 1), _value("preferred")),
    "speed": ("tokens / s", (0, None), _speed),
}
"""Title -> name of the y axis, its range (None, or where points lie outside: from the data), value of a row.

The value is computed from a log row and the row before it.
"""


class TrainingView(View):
    """The training of a run, live.

    Shown in one cell, it is updated while another cell trains.

    A thread reads what the trainers write into the run folder (`policy/*/history.jsonl`, `rollouts/`), about
    once a second, until the view is closed or the training has finished. `iteration` None: all iterations,
    also later ones. Python value: `history`.
    """

    _esm = script("training")
    _css = style()

    charts: traitlets.List[Any] = traitlets.List(help="one SVG text for each of CHARTS that has points").tag(
        sync=True
    )
    steps: traitlets.List[Any] = traitlets.List(
        help="name, head and rows of a table for each trainer that has taken few steps"
    ).tag(sync=True)
    outcome: traitlets.List[Any] = traitlets.List(help="head and rows of what each training changed").tag(
        sync=True
    )
    meanings: traitlets.List[Any] = traitlets.List(help="name and meaning of each quantity shown").tag(
        sync=True
    )
    rollouts = traitlets.Dict(
        help="iteration, step and rows (request, completion, reward, error) of the latest GRPO step"
    ).tag(sync=True)
    progress = traitlets.Unicode(help="how far each training is").tag(sync=True)
    missing = traitlets.Unicode(help="why there is nothing to show, and what to do").tag(sync=True)
    fault = traitlets.Unicode(help="why the files could not be read, empty where they could").tag(sync=True)
    watching = traitlets.Bool(False, help="whether new points would be shown").tag(sync=True)
    finished = traitlets.Bool(False, help="whether the training has finished").tag(sync=True)

    def __init__(self, run: Run, iteration: int | None = None) -> None:
        self.run, self._j = run, iteration
        self._logs: dict[Path, _Log] = {}
        self._drawn = False
        self._rollouts_seen: tuple[Path, int] | None = None
        self._lock = threading.Lock()
        self._over = threading.Event()
        super().__init__(missing=nothing_yet(run))
        self.update()
        self._thread = threading.Thread(target=self._watch, name="TrainingView", daemon=True)
        self.watching = True
        self._thread.start()

    @property
    def history(self) -> list[Row]:
        """The log rows so far, oldest first.

        Each has its `iteration` and `trainer` (sft, grpo or preference).
        """
        return [
            {"iteration": j, "trainer": trainer, **row}
            for j, trainer, rows in self._trainings()
            for row in rows
        ]

    def close(self) -> None:
        """Stop reading, and remove the view."""
        self._over.set()
        super().close()

    def update(self) -> bool:
        """Read and show what is new.

        Errors are shown (`fault`), not raised.

        Returns:
            Whether there was anything new.
        """
        with self._lock:
            try:
                finished = self._finished()  # before the logs are read: what is written last is read then
                changed = any([log.read() for log in self._find()])
                self.finished = finished
                self._drawn = self._drawn and not changed
                if not self._drawn:
                    trainings = self._trainings()
                    with self.hold_sync():
                        self.charts = draw(trainings, MAX_POINTS)
                        self.steps = step_tables(trainings)
                        changed_by = outcomes(trainings)
                        self.outcome = [OUTCOME_HEAD, changed_by] if changed_by else []
                        self.meanings = explained(trainings)
                        self.progress = "; ".join(_words(*t) for t in trainings)
                    self._drawn = True
                completions = self._latest_rollouts()
                if completions is not None:
                    self.rollouts = completions
                self.fault = ""
                return changed or completions is not None
            except Exception as error:  # noqa: BLE001 - training must not stop because it cannot be shown
                self.fault = f"{type(error).__name__}: {error}"
                return False

    def static_html(self) -> str:
        trainings = self._trainings()
        if not trainings:
            return table_html((), (), f"Training of {self.run.name}: no step was logged yet.")
        words = f"Training of {self.run.name}: the first third of the steps, and the last third"
        rows = outcomes(trainings)
        table = table_html(OUTCOME_HEAD, rows, words) if rows else ""
        few = "".join(table_html(head, cells, name) for name, head, cells in step_tables(trainings))
        return table + few + "".join(map(picture, draw(trainings, _STATIC_POINTS)))

    def _watch(self) -> None:
        last_change = time.monotonic()
        while not self._over.wait(POLL_SECONDS):
            if self.update():
                last_change = time.monotonic()
            elif self.finished and time.monotonic() - last_change > IDLE_SECONDS:
                break
        self.watching = False

    def _find(self) -> list[_Log]:
        for j in self._iterations():
            for trainer in TRAINERS:
                path = self._folder(j, trainer) / "history.jsonl"
                self._logs.setdefault(path, _Log(path, j, trainer))
        return list(self._logs.values())

    def _folder(self, iteration: int, trainer: str) -> Path:
        return self.run.folder(iteration) / "policy" / trainer

    def _iterations(self) -> list[int]:
        return self.run.iterations if self._j is None else [self._j]

    def _trainings(self) -> list[tuple[int, str, list[Row]]]:
        return [(log.iteration, log.trainer, list(log.rows)) for log in list(self._logs.values()) if log.rows]

    def _finished(self) -> bool:
        last = self.run.settings.iterations + 1 if self._j is None else self._j
        manifest = self.run.manifest("policy", last)
        # The manifest of an earlier training stands until a new one has finished; its results do not.
        folder = self.run.folder(last) / "policy"
        return manifest is not None and all(
            (folder / t["folder"] / "result.json").exists() for t in manifest.get("trainings", [])
        )

    def _latest_rollouts(self) -> dict[str, Any] | None:
        logged = {j: rows[-1]["step"] for j, trainer, rows in self._trainings() if trainer == "grpo"}
        steps = [
            (j, int(p.stem.partition("-")[2]), p)
            for j in self._iterations()
            for p in self._folder(j, "grpo").glob("rollouts/step-*.parquet")
        ]
        # A resumed training has files of steps that come again.
        steps = [s for s in steps if s[1] <= logged.get(s[0], 0) + 1]
        if not steps:
            return None
        j, step, path = max(steps)
        seen = (path, path.stat().st_mtime_ns)
        if seen == self._rollouts_seen:
            return None
        import pyarrow.parquet as pq

        folder = self.run.folder(j)
        rows = pq.read_table(path, columns=["sample_id", "text", "reward", "error"]).to_pylist()
        wanted = list({r["sample_id"] for r in rows})
        samples = pq.read_table(
            folder / "samples.parquet", columns=["id", "messages"], filters=[("id", "in", wanted)]
        ).to_pylist()
        requests = {
            s["id"]: next(
                (m["content"] for m in reversed(json.loads(s["messages"])) if m["role"] == "user"), ""
            )
            for s in samples
        }
        shown = [
            [
                _cut(requests.get(r["sample_id"], r["sample_id"])),
                _cut(r["text"]),
                r["reward"],
                in_words(r["error"]),
            ]
            for r in rows[:_ROLLOUTS]
        ]
        self._rollouts_seen = seen
        return {"iteration": j, "step": step, "total": len(rows), "rows": shown}


class _Log:
    """A file of log rows that grows, or is replaced."""

    def __init__(self, path: Path, iteration: int, trainer: str) -> None:
        self.path, self.iteration, self.trainer = path, iteration, trainer
        self.rows: list[Row] = []
        self._at: tuple[int, int] = (0, 0)

    def read(self) -> bool:
        """Read the new rows that are complete; whether there were any."""
        try:
            with open(self.path, "rb") as file:
                inode, offset = self._at
                stat = _stat(file)
                fresh = stat[0] != inode or stat[1] < offset
                file.seek(0 if fresh else offset)
                lines, newline, _ = file.read().rpartition(b"\n")
        except FileNotFoundError:
            reset = bool(self.rows)
            self.rows, self._at = [], (0, 0)
            return reset
        rows = [json.loads(line) for line in lines.splitlines()]
        same = rows == self.rows if fresh else not rows
        self.rows = rows if fresh else [*self.rows, *rows]
        self._at = (stat[0], (0 if fresh else offset) + len(lines) + len(newline))
        return not same


def _stat(file: Any) -> tuple[int, int]:
    stat = os.fstat(file.fileno())
    return stat.st_ino, stat.st_size


def draw(trainings: Sequence[tuple[int, str, list[Row]]], most: int) -> list[str]:
    """Charts of trainers that have taken more than a few steps.

    A line for each iteration.

    Args:
        trainings: iteration, trainer and log rows of each training.
        most: points of a chart.
    """
    out = []
    names = [f"iteration {j}" for j in sorted({j for j, _, _ in trainings})]
    few = _few(trainings)
    for title in _told(trainings):
        y_label, y_range, value = CHARTS[title]
        for trainer in (t for t in TRAINERS if t not in few):
            series: dict[str, Points] = {}
            for j, _, rows in (t for t in trainings if t[1] == trainer):
                values = (
                    (row["step"], value(row, before))
                    for before, row in zip([None, *rows], rows, strict=False)
                )
                points = [
                    (float(x), float(y)) for x, y in values if isinstance(y, int | float) and math.isfinite(y)
                ]
                if points:
                    series[f"iteration {j}"] = points
            if series:
                share = max(2, most // len(series))
                thin = {name: thinned(points, share) for name, points in series.items()}
                low, high = y_range or (-math.inf, None)
                values_of = [y for points in thin.values() for _, y in points]
                inside = y_range and all(low <= y <= (math.inf if high is None else high) for y in values_of)
                whose = f"{title}, {trainer.upper()}" + (f" of {next(iter(thin))}" if len(thin) == 1 else "")
                inside_range = y_range if inside else None
                out.append(lines(thin, whose, y_label, y_range=inside_range, height=190, names=names))
    return out


def step_tables(
    trainings: Sequence[tuple[int, str, list[Row]]],
) -> list[tuple[str, list[str], list[list[str]]]]:
    """A table of each trainer that has taken few steps.

    Its name, its head and its rows, one for each step.
    """
    out = []
    titles = _told(trainings)
    for trainer in _few(trainings):
        steps = [
            (j, row, [CHARTS[title][2](row, before) for title in titles])
            for j, name, rows in trainings
            if name == trainer
            for before, row in zip([None, *rows], rows, strict=False)
        ]
        logged = [k for k in range(len(titles)) if any(values[k] is not None for _, _, values in steps)]
        head = ["iteration", "step", *(titles[k] for k in logged)]
        words = [share if CHARTS[title][0].startswith("share") else short for title in titles]
        cells = [
            [str(j), str(row["step"]), *(words[k](values[k]) for k in logged)] for j, row, values in steps
        ]
        out.append((f"{trainer.upper()}, step by step", head, cells))
    return out


def explained(trainings: Sequence[tuple[int, str, list[Row]]]) -> list[tuple[str, str]]:
    """Name and meaning of each of CHARTS that was logged."""

    def logged(title: str) -> bool:
        value = CHARTS[title][2]
        return any(
            value(row, before) is not None
            for _, _, rows in trainings
            for before, row in zip([None, *rows], rows, strict=False)
        )

    return [(title, MEANINGS[title]) for title in _told(trainings) if logged(title)]


def _told(trainings: Sequence[tuple[int, str, list[Row]]]) -> list[str]:
    """The titles of CHARTS, without the reward where it is the share of right completions once more."""
    rows = [row for _, _, rows in trainings for row in rows]
    same = all(row.get("reward") == row.get("correct") for row in rows)
    return [title for title in CHARTS if not (same and title == "reward")]


def _few(trainings: Sequence[tuple[int, str, list[Row]]]) -> list[str]:
    """The trainers of which no training has taken more than a few steps."""
    most = {t: max((len(rows) for _, name, rows in trainings if name == t), default=0) for t in TRAINERS}
    return [trainer for trainer, steps in most.items() if 0 < steps < FEW_STEPS]


def thinned(points: Points, most: int) -> Points:
    """At most `most` of the points, evenly spaced.

    The first and the last are among them; `most` is 2 or more.
    """
    if len(points) <= most:
        return points
    return [points[round(i * (len(points) - 1) / (most - 1))] for i in range(most)]


def _words(iteration: int, trainer: str, rows: list[Row]) -> str:
    return f"iteration {iteration}, {trainer.upper()}: step {rows[-1]['step']}"


def _cut(text: str) -> str:
    return text if len(text) <= _MAX_CHARACTERS else text[:_MAX_CHARACTERS] + "…"
