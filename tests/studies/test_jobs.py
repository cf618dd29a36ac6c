"""Turns of a comparison in processes of their own: what waits for what, logs, failures, Ctrl-C."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from looptool_kit.core.errors import RunError
from looptool_kit.studies.jobs import Turn, ready, run_turns

FULL_0, FULL_1, A_0, A_1 = (0, "full"), (1, "full"), (0, "a"), (1, "a")
TURNS = [Turn(FULL_0, 3), Turn(FULL_1, 3), Turn(A_0, 2), Turn(A_1, 2), Turn(A_0, 3), Turn(A_1, 3)]


def test_what_a_turn_waits_for() -> None:
    assert ready(TURNS, [], "full") == [TURNS[0], TURNS[1]]
    assert ready(TURNS[1:], [TURNS[0]], "full") == [TURNS[1]]
    assert ready(TURNS[2:], [TURNS[1]], "full") == [TURNS[2]], "its own first arm is done, the other is not"
    assert ready(TURNS[3:], [TURNS[2]], "full") == [TURNS[3]], "D3 waits for its own D2"
    assert ready(TURNS[4:], [], "full") == [TURNS[4], TURNS[5]]


def work(folder: Path, turn: Turn, say: Callable[[str], None]) -> None:
    """Write when the turn began and ended; the arm `bad` fails, `slow` takes for ever."""
    say(f"until D{turn.last}")
    name = f"{turn.place[0]}-{turn.place[1]}-{turn.last}"
    (folder / f"{name}.began").write_text(str(time.monotonic_ns()))
    if turn.place[1] == "bad":
        raise RunError("nothing of this kind")
    time.sleep(600 if turn.place[1] == "slow" else 0.05)
    (folder / f"{name}.ended").write_text(str(time.monotonic_ns()))


def places(folder: Path, *arms: str) -> dict[tuple[int, str], Path]:
    return {(seed, arm): folder / f"run-{seed}-{arm}" for arm in ("full", *arms) for seed in (0, 1)}


def test_turns_run_beside_each_other_in_order(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    finished: list[Turn] = []
    lines: list[str] = []
    run_turns(TURNS, places(tmp_path, "a"), partial(work, tmp_path), finished.append, 2, lines.append)
    assert sorted(finished) == sorted(TURNS)

    def at(turn: Turn, what: str) -> int:
        return int((tmp_path / f"{turn.place[0]}-{turn.place[1]}-{turn.last}.{what}").read_text())

    for turn in TURNS[2:]:
        before = [
            t for t in TURNS if t.place == (turn.place[0], "full") or (t.place == turn.place and t < turn)
        ]
        assert all(at(t, "ended") <= at(turn, "began") for t in before)
    assert (tmp_path / "run-1-a.log").read_text() == "until D2\nuntil D3\n"
    assert len(lines) == len(TURNS) and lines[0].startswith("run-0-full: until D3, news in ")


def test_one_job_needs_no_process(tmp_path: Path) -> None:
    lines: list[str] = []
    run_turns(TURNS[:2], places(tmp_path), partial(work, tmp_path), lambda t: None, 1, lines.append)
    assert lines == ["run-0-full: until D3", "run-1-full: until D3"]


def test_a_failure_stops_the_others_and_names_the_log(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    turns = [Turn((0, "slow"), 2), Turn((0, "bad"), 2)]
    started = time.monotonic()
    with pytest.raises(RunError, match=r"run-0-bad failed; .*run-0-bad\.log says why"):
        run_turns(
            turns, places(tmp_path, "slow", "bad"), partial(work, tmp_path), lambda t: None, 2, lambda s: None
        )
    assert time.monotonic() - started < 300 and not list(tmp_path.glob("*slow*.ended"))
    assert "nothing of this kind" in (tmp_path / "run-0-bad.log").read_text()


def test_ctrl_c_ends_the_processes(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    import multiprocessing

    def stop(line: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_turns(
            [Turn((0, "slow"), 2)], places(tmp_path, "slow"), partial(work, tmp_path), lambda t: None, 2, stop
        )
    assert not multiprocessing.active_children()
