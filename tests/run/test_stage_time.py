"""The seconds of a stage are those of all its tries, however they ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from looptool_kit.core.samples import Samples
from looptool_kit.run.folder import Run
from looptool_kit.run.stage import Stage
from looptool_kit.stages.seed.stage import seed


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def process_time(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    for name in ("run.stage_time", "run.stage", "run.folder", "stages.seed.stage"):
        monkeypatch.setattr(import_module(f"looptool_kit.{name}"), "time", made)
    return made


def work(run: Run, clock: Clock, seconds: float, stop: bool = False, **inputs: str) -> None:
    """One try at a stage."""
    now = Stage(run, "probes", 1, ["probes.parquet"], **inputs)
    with now.making():
        clock.now += seconds
        if stop:
            raise KeyboardInterrupt
        now.finish({"probes.parquet": Samples()}, rows=0)


def stopped(run: Run, clock: Clock, seconds: float, **inputs: str) -> None:
    with pytest.raises(KeyboardInterrupt):
        work(run, clock, seconds, stop=True, **inputs)


def seconds_of(run: Run) -> float:
    return float((run.manifest("probes", 1) or {})["seconds"])


def test_stopped_tries_at_the_same_result_count(tmp_path: Path, clock: Clock) -> None:
    with Run.create(tmp_path / "run", "cpu-quick") as run:
        stopped(run, clock, 40)
        stopped(run, clock, 2.5)
    clock.now = 5.0  # another process, after the machine was started again
    with Run.open(tmp_path / "run") as run:
        work(run, clock, 10)
        assert seconds_of(run) == 52.5 and not list(run.path.rglob("*.tries.json"))


def test_tries_at_another_result_do_not(tmp_path: Path, clock: Clock) -> None:
    run = Run.create(tmp_path / "run", "cpu-quick")
    stopped(run, clock, 40, samples="some")
    work(run, clock, 10, samples="others")
    assert seconds_of(run) == 10 and not list(run.path.rglob("*.tries.json"))
    stopped(run, clock, 7, samples="others")
    work(run, clock, 3, samples="others")
    assert seconds_of(run) == 3, "made once more: the stopped try was at a result that stood"


@pytest.mark.parametrize(
    "text", ["", "[]", '{"key": "KEY", "seconds": 1e999}', '{"key": "KEY", "seconds": -5}']
)
def test_a_note_that_is_none_counts_nothing(tmp_path: Path, clock: Clock, text: str) -> None:
    run = Run.create(tmp_path / "run", "cpu-quick")
    stopped(run, clock, 40)
    note = run.folder(1) / "probes.tries.json"
    note.write_text(text.replace("KEY", json.loads(note.read_text())["key"]))
    work(run, clock, 10)
    assert seconds_of(run) == 10


def test_a_note_beside_its_manifest_is_swept_and_one_of_another_result_is_kept(
    tmp_path: Path, clock: Clock
) -> None:
    with Run.create(tmp_path / "run", "cpu-quick") as run:
        work(run, clock, 10, samples="some")
        stopped(run, clock, 5, samples="some")
    note = run.folder(1) / "probes.tries.json"
    with Run.open(run.path):
        assert not note.exists()
    with Run.open(run.path) as run:
        stopped(run, clock, 5, samples="others")
    with Run.open(run.path) as run:
        work(run, clock, 1, samples="others")
        assert seconds_of(run) == 6


def test_a_longer_pool_took_what_it_took_in_all(tmp_path: Path, clock: Clock) -> None:
    run = Run.create(tmp_path / "run", "cpu-quick", seeds__first=6, seeds__held_out=1)
    seed(run)
    file = run.folder(0) / "seed.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"seconds": 70.0}))
    run.set(iterations=4)
    seed(run)
    assert (run.manifest("seed", 0) or {})["seconds"] == 70.0


SCRIPT = """
import json, sys, time
from importlib import import_module
from pathlib import Path
from looptool_kit.core.samples import Samples
from looptool_kit.run.folder import Run
from looptool_kit.run.stage import Stage
import_module("looptool_kit.run.stage_time").INTERVAL = 0.02
run = Run.open(sys.argv[1])
now = Stage(run, "probes", 1, ["probes.parquet"])
with now.making():
    if sys.argv[2] == "wait":
        time.sleep(600)
    now.finish({"probes.parquet": Samples()})
"""


def test_a_killed_try_counts_with_what_it_had_noted(tmp_path: Path) -> None:
    with Run.create(tmp_path / "run", "cpu-quick") as run:
        note, command = run.folder(1) / "probes.tries.json", [sys.executable, "-c", SCRIPT, str(run.path)]
    process = subprocess.Popen([*command, "wait"])
    while not note.exists():
        assert process.poll() is None
        os.sched_yield()
    process.send_signal(signal.SIGKILL)
    process.wait()
    noted = json.loads(note.read_text())
    note.write_text(json.dumps(noted | {"seconds": noted["seconds"] + 5000}))
    subprocess.run([*command, "finish"], check=True)
    assert 5000 <= seconds_of(run) < 5600 and not note.exists()
