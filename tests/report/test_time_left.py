"""What a loop still takes is told from what its stages took, before that from the forecast."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from scripted_runs import finished_loop, go, scripted

from looptool_kit.config import load_preset
from looptool_kit.report.forecast import GFLOPS, forecast, stage_seconds
from looptool_kit.report.time_left import expected, time_left

KNOWN = {("policy", 1): 100.0, ("scores", 1): 10.0, ("policy", 2): 50.0, ("scores", 2): 10.0}


def test_the_forecast_is_corrected_by_what_has_finished() -> None:
    stages = dict.fromkeys(KNOWN) | {("policy", 1): 200.0}
    assert expected(stages, KNOWN) == [20.0, 100.0, 20.0]


def test_a_stage_takes_what_it_took_before_but_a_first_training_tells_nothing_of_later_ones() -> None:
    stages = {("policy", 1): 90.0, ("scores", 1): 7.0, ("policy", 2): None, ("scores", 2): None}
    assert expected(stages, KNOWN) == [50.0 * 97 / 110, 7.0]
    assert expected(stages, {}) == [], "nothing tells how long the next training takes"
    later = {("policy", 2): 40.0, ("scores", 2): 7.0, ("policy", 3): None, ("scores", 3): None}
    assert expected(later, {}) == [40.0, 7.0]


def test_the_parts_of_the_forecast_are_its_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("looptool_kit.report.forecast._gflops", lambda: GFLOPS)
    settings = load_preset("cpu-quick")
    parts, whole = stage_seconds(settings), forecast(settings)
    assert parts and whole and all(seconds > 0 for seconds in parts.values())
    assert sum(parts.values()) == pytest.approx(whole.seconds, rel=0.01)


def test_the_forecast_counts_held_out_traces_and_what_hints_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("looptool_kit.report.forecast._gflops", lambda: GFLOPS)
    settings = load_preset("cpu-hard")
    assert settings.held_out == 3 * settings.seeds.held_out + settings.traces.held_out
    usual, fewer = stage_seconds(settings), stage_seconds(load_preset("cpu-hard", traces__held_out=0))
    assert usual and fewer and usual["scores", 1] > fewer["scores", 1] and ("expansions", 1) not in usual
    hard = {"expand__expanders": ["hardgen", "world"], "hardgen__tries": 2}
    some = stage_seconds(load_preset("cpu-hard", **hard))
    none = stage_seconds(load_preset("cpu-hard", **hard, hardgen__hints=False))
    base = stage_seconds(load_preset("cpu-hard", **hard, hardgen__hints=False, hardgen__second="base"))
    assert some and none and base
    assert some["expansions", 1] > base["expansions", 1] > none["expansions", 1]


def test_a_finished_loop_has_nothing_left_and_a_changed_setting_brings_it_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted(monkeypatch)
    with finished_loop(tmp_path / "run") as run:
        assert time_left(run)() == ""
        for path in run.path.glob("iterations/*/*.json"):
            path.write_text(json.dumps(json.loads(path.read_text()) | {"seconds": 120.0}))
        run.set(iterations=3)
        assert "min left" in time_left(run)()


@pytest.mark.parametrize("seconds", [0, 4_000_000_000])
def test_a_clock_that_is_set_meanwhile_leaves_the_count_of_stages_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: int
) -> None:
    scripted(monkeypatch)
    with finished_loop(tmp_path / "run") as run:
        run.set(iterations=3)
        words = time_left(run)
        go(run)
        for path in run.path.rglob("*.json"):
            os.utime(path, (seconds, seconds))
        assert words() == ""
