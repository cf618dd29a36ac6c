"""A copy of a recorded run is a run that needs no model to change its threshold."""

from __future__ import annotations

from pathlib import Path

from looptool_kit.core.records import Probes
from looptool_kit.run.copy import copy_run
from looptool_kit.run.folder import Run

RECORDED = Path(__file__).parents[2] / "sample_data" / "run"


def test_a_copy_holds_the_decoded_answers_that_the_recording_leaves_out(tmp_path: Path) -> None:
    copy_run(RECORDED, tmp_path / "run")
    with Run.open(tmp_path / "run") as run:
        raw, probes = run.table(Probes, "probes_raw", 1), run.table(Probes, "probes", 1)
    assert [p.text for p in raw] == [p.text for p in probes]
    assert {p.state for p in raw} == {"mastered", "failed"}
    assert all((p.state == "mastered") == p.correct for p in raw)


def test_what_an_interrupted_copy_left_is_no_run_and_is_replaced(tmp_path: Path) -> None:
    (tmp_path / ".run.copying").mkdir()
    (tmp_path / ".run.copying" / "half").touch()
    copy_run(RECORDED, tmp_path / "run")
    assert [p.name for p in tmp_path.iterdir()] == ["run"] and not (tmp_path / "run" / "half").exists()
