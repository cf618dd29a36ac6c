"""`sample_data/` holds what `sample_data/make.py` makes today; the recorded run can be looked at."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from looptool_kit import world
from looptool_kit.checks.rules import check_sample
from looptool_kit.core.records import Expansions, Probes, Scores, Verdicts
from looptool_kit.core.samples import Samples
from looptool_kit.core.toolcalls import tool_schemas
from looptool_kit.report.planted import judge_against_truth
from looptool_kit.report.summary import report_run
from looptool_kit.run.folder import Run

HERE = Path(__file__).parent.parent / "sample_data"


def test_catalogue_is_the_worlds() -> None:
    tools = json.loads((HERE / "catalogue.json").read_text(encoding="utf-8"))
    assert tools == tool_schemas(world.catalogue()), "run `python sample_data/make.py`"
    assert len(tools) >= 80 and len(world.domains()) >= 14


@pytest.mark.parametrize("split", ["train", "unseen_values", "unseen_phrasings", "unseen_tools"])
def test_splits_are_what_the_world_makes(split: str) -> None:
    kept = Samples.read(HERE / f"{split}.jsonl")
    assert kept == world.generate(len(kept), seed="sample_data", split=split), (
        "run `python sample_data/make.py`"
    )
    assert all(check.passed for sample in kept for check in check_sample(sample))


def test_the_recorded_run_opens_reads_and_reports(tmp_path: Path) -> None:
    run = Run.open(HERE / "run", read_only=True)
    assert run.iterations == [1, 2, 3]
    for j in (1, 2):
        assert len(run.table(Probes, "probes", j)) == len(run.table(Samples, "samples", j))
        assert (
            len(run.table(Verdicts, "verdicts", j))
            and len(run.table(Expansions, "expansions", j))
            and len(run.table(Scores, "scores", j))
        )
    judged = judge_against_truth(run)
    assert judged is not None and judged["judged"] + judged["unjudged"] == sum(
        len(run.table(Verdicts, "verdicts", j)) for j in (1, 2)
    )
    copy = Run(tmp_path, run.settings)
    (tmp_path / "seed").symlink_to(HERE / "run" / "seed")
    (tmp_path / "iterations").symlink_to(HERE / "run" / "iterations")
    assert 50_000 < report_run(copy).stat().st_size < 400_000
