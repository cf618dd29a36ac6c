"""Turns of a comparison in processes of their own: what waits for what, logs, failures, Ctrl-C."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from looptool_kit.core.errors import RunError
from looptool_kit.studies.jobs import Task, ready, run_tasks

FULL_0, FULL_1, A_0, A_1 = (0, "full"), (1, "full"), (0, "a"), (1, "a")
TASKS = [Task(FULL_0, 3), Task(FULL_1, 3), Task(A_0, 2), Task(A_1, 2), Task(A_0, 3), Task(A_1, 3)]


def test_what_a_turn_waits_for() -> None:
    assert ready(TASKS, [], "full") == [TASKS[0], TASKS[1]]
    assert ready(TASKS[1:], [TASKS[0]], "full") == [TASKS[1]]
    assert ready(TASKS[2:], [TASKS[1]], "full") == [TASKS[2]], "its own first arm is done, the other is not"
    assert ready(TASKS[3:], [TASKS[2]], "full") == [TASKS[3]], "D3 waits for its own D2"
    assert ready(TASKS[4:], [], "full") == [TASKS[4], TASKS[5]]


def work(folder: Path, task: Task, say: Callable[[str], None]) -> None:
    """Write when the task began and ended; the arm `bad` fails, `slow` takes for ever."""
    say(f"until D{task.last}")
    name = f"{task.place[0]}-{task.place[1]}-{task.last}"
    (folder / f"{name}.began").write_text(str(time.monotonic_ns()))
    if task.place[1] == "bad":
        raise RunError("nothing of this kind")
    time.sleep(600 if task.place[1] == "slow" else 0.05)
    (folder / f"{name}.ended").write_text(str(time.monotonic_ns()))


def places(folder: Path, *arms: str) -> dict[tuple[int, str], Path]:
    return {(seed, arm): folder / f"run-{seed}-{arm}" for arm in ("full", *arms) for seed in (0, 1)}


def test_turns_run_beside_each_other_in_order(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    finished: list[Task] = []
    lines: list[str] = []
    run_tasks(TASKS, places(tmp_path, "a"), partial(work, tmp_path), finished.append, 2, lines.append)
    assert sorted(finished) == sorted(TASKS)

    def at(task: Task, what: str) -> int:
        return int((tmp_path / f"{task.place[0]}-{task.place[1]}-{task.last}.{what}").read_text())

    for task in TASKS[2:]:
        before = [
            t for t in TASKS if t.place == (task.place[0], "full") or (t.place == task.place and t < task)
        ]
        assert all(at(t, "ended") <= at(task, "began") for t in before)
    assert (tmp_path / "run-1-a.log").read_text() == "until D2\nuntil D3\n"
    assert len(lines) == len(TASKS) and lines[0].startswith("run-0-full: until D3, log in ")


def test_one_job_needs_no_process(tmp_path: Path) -> None:
    lines: list[str] = []
    run_tasks(TASKS[:2], places(tmp_path), partial(work, tmp_path), lambda t: None, 1, lines.append)
    assert lines == ["run-0-full: until D3", "run-1-full: until D3"]


def test_a_failure_stops_the_others_and_names_the_log(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    tasks = [Task((0, "slow"), 2), Task((0, "bad"), 2)]
    started = time.monotonic()
    with pytest.raises(RunError, match=r"run-0-bad failed; .*run-0-bad\.log says why"):
        run_tasks(
            tasks, places(tmp_path, "slow", "bad"), partial(work, tmp_path), lambda t: None, 2, lambda s: None
        )
    assert time.monotonic() - started < 300 and not list(tmp_path.glob("*slow*.ended"))
    assert "nothing of this kind" in (tmp_path / "run-0-bad.log").read_text()


def test_ctrl_c_ends_the_processes(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    import multiprocessing

    def stop(line: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_tasks(
            [Task((0, "slow"), 2)], places(tmp_path, "slow"), partial(work, tmp_path), lambda t: None, 2, stop
        )
    assert not multiprocessing.active_children()
