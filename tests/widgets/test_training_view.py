"""TrainingView on a run folder that grows: new rows arrive, resumed trainings go back, and nothing that goes
wrong reaches the trainer.
"""

from __future__ import annotations

import json
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from looptool_kit.core.samples import Samples
from looptool_kit.core.tables import Table, write_text
from looptool_kit.run.folder import Run

pytest.importorskip("anywidget")
from looptool_kit.core.samples import Frozen  # noqa: E402
from looptool_kit.widgets import TrainingView, training  # noqa: E402
from looptool_kit.widgets.training_words import outcomes, short  # noqa: E402

RECORDED = Path(__file__).parents[2] / "sample_data" / "run"
DRAWN = (
    "loss",
    "reward",
    "right completions",
    "groups without variance",
    "completion length",
    "clip fraction",
    "entropy",
    "speed",
)


class Rollout(Frozen):
    """As `trainers.grpo` writes them; that module needs torch's world."""

    step: int
    sample_id: str
    text: str
    finish_reason: str = "stop"
    reward: float = 0.0
    error: str = ""


class Rollouts(Table[Rollout]):
    row_type = Rollout


def row(step: int, **changes: Any) -> dict[str, Any]:
    return {
        "loss": 0.1 * step,
        "reward": 0.5,
        "correct": 0.4,
        "frac_reward_zero_std": 0.25,
        "completions/mean_length": 40.0,
        "clip_ratio/region_mean": 0.01,
        "entropy": 0.3,
        "num_tokens": 1000.0 * step,
        "step_time": 4.0,
        "step": step,
        **changes,
    }


def append(path: Path, *rows: dict[str, Any], end: str = "\n") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a") as out:
        out.write("\n".join(json.dumps(r) for r in rows) + end)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run that has a dataset and no training yet."""
    shutil.copytree(RECORDED, tmp_path / "run", ignore=shutil.ignore_patterns("02", "03", "policy*"))
    return Run.open(tmp_path / "run", read_only=True)


@pytest.fixture
def view(run: Run, monkeypatch: pytest.MonkeyPatch) -> Iterator[TrainingView]:
    """A view that looks when it is told to."""
    monkeypatch.setattr(training, "POLL_SECONDS", 1000)
    made = TrainingView(run)
    yield made
    made.close()


def until(true: Any, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def titles(view: TrainingView) -> list[str]:
    return [svg.split("<title>")[1].split("</title>")[0] for svg in view.charts]


def test_points_come_as_they_are_logged(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "POLL_SECONDS", 0.05)
    view = TrainingView(run)
    assert view.history == [] and view.charts == view.meanings == [] and view.watching
    sft, grpo = (run.folder(1) / "policy" / t / "history.jsonl" for t in ("sft", "grpo"))
    append(sft, {"loss": 2.0, "step": 1}, {"loss": 1.5, "step": 2})
    until(lambda: len(view.history) == 2 and view.progress)
    few = [("SFT, step by step", ["iteration", "step", "loss"], [["1", "1", "2"], ["1", "2", "1.5"]])]
    assert view.steps == few and view.charts == [] and view.progress == "iteration 1, SFT: step 2"
    assert [name for name, _ in view.meanings] == ["loss"]
    append(grpo, row(1))
    append(grpo, row(2), end="")  # not finished: no end of line
    until(lambda: len(view.history) == 3)
    append(grpo, row(3))
    until(lambda: view.progress == "iteration 1, SFT: step 2; iteration 1, GRPO: step 3" or view.fault)
    assert [(r["trainer"], r["step"]) for r in view.history] == [
        ("sft", 1),
        ("sft", 2),
        ("grpo", 1),
    ] and "JSONDecodeError" in view.fault
    view.close()


def test_all_quantities_and_all_iterations(view: TrainingView, run: Run) -> None:
    sft = [{"loss": 2.0, "step": step} for step in range(1, 7)]
    append(run.folder(1) / "policy" / "sft" / "history.jsonl", *sft)
    rows = [row(step, reward=float("nan") if step == 3 else 0.5) for step in range(1, 7)]
    append(run.folder(1) / "policy" / "grpo" / "history.jsonl", *rows)
    view.update()
    assert titles(view) == ["loss, SFT of iteration 1"] + [f"{t}, GRPO of iteration 1" for t in DRAWN]
    assert view.steps == [] and "iteration 1: 2 at 1" in view.charts[0]
    assert 'y="' in view.charts[6] and ">0<" in view.charts[6], "shares begin at 0"
    speed = next(
        svg for svg, title in zip(view.charts, titles(view), strict=True) if title.startswith("speed")
    )
    assert ">250<" in speed  # 1,000 tokens in 4 seconds
    shutil.copytree(run.folder(1) / "policy", run.folder(2) / "policy")
    shutil.copy(run.folder(1) / "samples.parquet", run.folder(2) / "samples.parquet")
    assert view.update() and titles(view)[2] == "reward, GRPO"
    assert "iteration 1: " in view.charts[2] and "iteration 2: " in view.charts[2]
    assert [r["iteration"] for r in view.history] == [1] * 12 + [2] * 12
    only = TrainingView(run, 2)
    only.close()
    assert {r["iteration"] for r in only.history} == {2}


def test_few_steps_are_a_table_and_an_iteration_has_one_colour_in_all_charts(
    view: TrainingView, run: Run
) -> None:
    for j in (1, 2):
        sft = [{"loss": float(step), "step": step} for step in range(1, 7)]
        append(run.folder(j) / "policy" / "sft" / "history.jsonl", *sft)
    append(run.folder(2) / "policy" / "grpo" / "history.jsonl", row(1), row(2, entropy=None))
    run.table(Samples, "samples", 1).write(run.folder(2) / "samples.parquet")
    view.update()
    assert titles(view) == ["loss, SFT"]
    [(name, head, cells)] = view.steps
    assert name == "GRPO, step by step" and head == ["iteration", "step", *DRAWN]
    assert [line[:4] for line in cells] == [["2", "1", "0.1", "0.5"], ["2", "2", "0.2", "0.5"]]
    told = [list(pair)[0] for pair in view.meanings]
    assert told == list(DRAWN) and all(meaning for _, meaning in view.meanings)
    assert dict(view.meanings)["groups without variance"].endswith("the same reward, which teach nothing")
    assert set(training.CHARTS) == set(training.MEANINGS)
    assert cells[1][head.index("entropy")] == "" and "GRPO, step by step" in view.static_html()
    append(run.folder(2) / "policy" / "grpo" / "history.jsonl", *(row(step) for step in range(3, 7)))
    view.update()
    assert view.steps == [] and len(view.charts) == 1 + len(DRAWN)
    colours = [re.findall(r"stroke:(#\w+);stroke-width:1.8", svg) for svg in view.charts]
    assert set(colours[1]) == {colours[0][-1]} and len(set(colours[0])) == 2, "the colour of iteration 2"


def test_it_says_what_changed_and_by_how_much(view: TrainingView, run: Run) -> None:
    assert view.outcome == []
    folder = run.folder(1) / "policy"
    sft = [{"loss": 0.4 if step < 8 else 0.1, "step": step} for step in range(1, 16)]
    append(folder / "sft" / "history.jsonl", *sft)
    right = (0.5, 0.944, *[0.72] * 8, *[0.6] * 5)
    same = [row(k, correct=v, reward=v) for k, v in enumerate(right, 1)]
    append(folder / "grpo" / "history.jsonl", *same[:2])
    view.update()
    head, rows = view.outcome
    by_sft = ["1", "SFT", "15", "loss", "0.4", "0.1", "−75%"]
    by_grpo = ["1", "GRPO", "2", "right completions", "50%", "94%", "too few steps to say"]
    assert rows == [by_sft, by_grpo], "no training is left out, and two steps tell no change"
    [(_, steps, cells)] = view.steps
    assert cells[0][steps.index("right completions")] == "50%", "as in the table above"
    assert "right completions" in steps and "reward" not in steps, "one figure under two names"
    told = dict(view.meanings)
    assert "reward" not in told and "it is the reward" in told["right completions"]
    append(folder / "grpo" / "history.jsonl", *same[2:])
    append(run.folder(2) / "policy" / "grpo" / "history.jsonl", row(1, correct=None, reward=0.7))
    run.table(Samples, "samples", 1).write(run.folder(2) / "samples.parquet")
    view.update()
    head, rows = view.outcome
    assert rows == [
        by_sft,
        ["1", "GRPO", "15", "right completions", "72%", "60%", "−12 points"],
        ["2", "GRPO", "1", "reward", "0.7", "0.7", "too few steps to say"],
    ]
    assert "reward" in dict(view.meanings)
    assert len(head) == len(rows[0]) and "−75%" in view.static_html()
    numbers = (0.12907, 37.1667, 12345.6, -0.0056103, 0, float("nan"), None)
    assert [short(n) for n in numbers] == ["0.13", "37", "12,346", "-0.0056", "0", "", ""]


@pytest.mark.parametrize(
    ("losses", "change"),
    [
        ([0.05] * 7 + [0.2] * 7, "too few steps to say"),
        ([0.05] * 8 + [0.2] * 7, "+300%"),
        ([0.2] * 8 + [0.1997] * 7, "no change"),
    ],
)
def test_a_change_of_few_steps_or_of_nothing_is_not_told_as_one(losses: list[float], change: str) -> None:
    logged = [{"loss": loss, "step": step} for step, loss in enumerate(losses, 1)]
    [told] = outcomes([(1, "sft", logged)])
    assert told[-1] == change
    right = [{"correct": 0.5 + loss / 100, "step": step} for step, loss in enumerate(losses, 1)]
    [told] = outcomes([(1, "grpo", right)])
    assert told[-1] == change.replace("+300%", "no change")


def test_a_resumed_training_goes_back_and_no_step_stands_twice(view: TrainingView, run: Run) -> None:
    log = run.folder(1) / "policy" / "grpo" / "history.jsonl"
    append(log, row(1), row(2), row(3))
    assert view.update() and not view.update()
    write_text(log, json.dumps(row(1)) + "\n")
    assert view.update() and [r["step"] for r in view.history] == [1]
    append(log, row(2), row(3), row(4))
    assert view.update() and [r["step"] for r in view.history] == [1, 2, 3, 4]
    write_text(log, log.read_text())  # what the trainer writes at its end: the same rows
    assert not view.update() and len(view.history) == 4
    shutil.rmtree(run.folder(1) / "policy")  # other inputs: from the start
    assert view.update() and view.history == [] and view.charts == []


def test_charts_hold_a_limited_number_of_points(view: TrainingView, run: Run) -> None:
    assert training.thinned([(float(i), 0.0) for i in range(1000)], 5) == [
        (0, 0),
        (250, 0),
        (500, 0),
        (749, 0),
        (999, 0),
    ]
    append(
        run.folder(1) / "policy" / "grpo" / "history.jsonl", *(row(i, loss=i % 7) for i in range(1, 20_001))
    )
    view.update()
    loss = next(svg for svg, title in zip(view.charts, titles(view), strict=True) if title.startswith("loss"))
    assert loss.count("L") <= training.MAX_POINTS and sum(map(len, view.charts)) < 60_000
    assert len(view.history) == 20_000 and len(view.static_html()) < 60_000


def test_the_latest_completions(view: TrainingView, run: Run) -> None:
    samples = run.table(Samples, "samples", 1)
    folder = run.folder(1) / "policy" / "grpo" / "rollouts"
    evil = "<script>alert(1)</script>" * 100
    Rollouts(
        [
            Rollout(step=1, sample_id=samples[0].id, text=evil, reward=1.0),
            Rollout(step=1, sample_id="gone", text="x"),
        ]
    ).write(folder / "step-0001.parquet")
    assert view.update()
    assert (view.rollouts["iteration"], view.rollouts["step"], view.rollouts["total"]) == (1, 1, 2)
    first, second = view.rollouts["rows"]
    assert (
        first[0] == samples[0].request
        and first[1] == evil[:600] + "…"
        and first[2] == 1.0
        and second[0] == "gone"
    )
    assert not view.update()
    Rollouts([Rollout(step=2, sample_id=samples[1].id, text="y")] * 200).write(folder / "step-0002.parquet")
    assert not view.update()  # a step that was done before the training was resumed at an earlier one
    append(run.folder(1) / "policy" / "grpo" / "history.jsonl", row(1))
    assert (
        view.update()
        and view.rollouts["step"] == 2
        and view.rollouts["total"] == 200
        and len(view.rollouts["rows"]) == 48
    )
    assert view.rollouts["rows"][0][0] == samples[1].request


def test_errors_are_shown_and_not_raised(view: TrainingView, run: Run) -> None:
    folder = run.folder(1) / "policy" / "grpo"
    append(folder / "history.jsonl", row(1))
    (folder / "rollouts").mkdir()
    (folder / "rollouts" / "step-0001.parquet").write_bytes(b"cut")
    view.update()
    assert "ArrowInvalid" in view.fault and len(view.history) == 1 and view.steps
    (folder / "rollouts" / "step-0001.parquet").unlink()
    view.update()
    assert view.fault == ""


def test_it_stops_when_closed_and_when_the_training_has_been_read(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "POLL_SECONDS", 0.02)
    monkeypatch.setattr(training, "IDLE_SECONDS", 0.2)
    view = TrainingView(run, 1)
    time.sleep(0.5)
    assert view.watching and view._thread.daemon  # nothing has been trained yet
    append(run.folder(1) / "policy" / "sft" / "history.jsonl", {"loss": 2.0, "step": 1})
    (run.folder(1) / "policy" / "sft" / "result.json").write_text("{}")
    (run.folder(1) / "policy.json").write_text(
        json.dumps({"key": "k", "seconds": 1.0, "trainings": [{"folder": "sft", "trainer": "sft"}]})
    )
    until(lambda: not view.watching)
    view._thread.join(5)
    assert not view._thread.is_alive() and len(view.history) == 1
    other = TrainingView(run)  # iteration 3 is to come
    time.sleep(0.5)
    assert other.watching
    other.close()
    other._thread.join(5)
    assert not other._thread.is_alive()


def test_what_is_written_while_it_looks_whether_the_training_is_over_is_read(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training, "POLL_SECONDS", 0.02)
    monkeypatch.setattr(training, "IDLE_SECONDS", 0.0)
    manifest, log = Run.manifest, run.folder(1) / "policy" / "sft" / "history.jsonl"

    def ends(self: Run, stage: str, iteration: int) -> Any:
        if stage == "policy" and not log.exists():
            append(log, {"loss": 2.0, "step": 1})
            (log.parent / "result.json").write_text("{}")
            over = {"key": "k", "seconds": 1.0, "trainings": [{"folder": "sft", "trainer": "sft"}]}
            (run.folder(1) / "policy.json").write_text(json.dumps(over))
        return manifest(self, stage, iteration)

    view = TrainingView(run, 1)
    monkeypatch.setattr(Run, "manifest", ends)
    until(lambda: not view.watching)
    assert len(view.history) == 1 and view.finished


def test_the_recorded_run() -> None:
    view = TrainingView(Run.open(RECORDED, read_only=True))
    view.close()
    assert (
        view.fault == ""
        and {r["iteration"] for r in view.history} == {1, 2, 3}
        and view.rollouts["iteration"] == 3
    )
    assert "<script" not in view.static_html() and len(view.static_html()) < 60_000
