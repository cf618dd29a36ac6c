"""The result of a run, in words: own tools and others apart, points with their interval, planted labels; and
the forecast before it starts.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from scripted_runs import finished_loop, scripted
from typer.testing import CliRunner

from looptool_kit.cli import app
from looptool_kit.config import load_preset
from looptool_kit.core.records import Expansions, Probe, Probes, Score, Scores, Truths, Verdict, Verdicts
from looptool_kit.core.samples import Samples
from looptool_kit.core.toolcalls import Answer
from looptool_kit.report import forecast as forecasts
from looptool_kit.report.about import decided
from looptool_kit.report.forecast import forecast
from looptool_kit.report.plan import plan
from looptool_kit.report.planted import planted_labels
from looptool_kit.report.summary import headline, print_scoreboard, report_data, report_run, views
from looptool_kit.report.taken import timings
from looptool_kit.run.folder import Run
from looptool_kit.stages.compose import compose
from looptool_kit.stages.seed.stage import seed


def test_own_tools_and_others_are_read_apart() -> None:
    everything = views(["unseen_values", "unseen_phrasings", "unseen_tools", "unseen_values"])
    assert list(everything) == ["all", "own tools", "unseen values", "unseen phrasings", "other tools"]
    assert everything["own tools"] == {"unseen_values", "unseen_phrasings"} and everything["other tools"] == {
        "unseen_tools"
    }
    assert views(["unseen_tools"]) == {"all": {"unseen_tools"}} and views(["test"]) == {"all": {"test"}}
    assert list(views(["unseen_dialogues", "unseen_tools"])) == ["all", "own tools", "other tools"]


def scored(run: Run, iteration: int, policy: str, right: dict[str, int]) -> None:
    """Write scores of `policy`: the first `right[split]` of each split's held-out samples are right."""
    left = dict(right)
    rows = []
    for sample in run.table(Samples, "held_out", 0):
        left[sample.split] -= 1
        facts = {
            "sample_id": sample.id,
            "suite": "held_out",
            "split": sample.split,
            "kind": sample.kind,
            "policy": policy,
        }
        rows.append(Score(**facts, correct=left[sample.split] >= 0))
    Scores(rows).write(run.folder(iteration) / "scores.parquet")
    run.finish("scores", iteration, "key", time.monotonic(), policy=policy)


def probed(run: Run, sample_id: str, answer: Answer) -> Probe:
    facts = {
        "sample_id": sample_id,
        "iteration": 1,
        "text": "",
        "finish_reason": "stop",
        "perplexity": 1.0,
        "match": False,
        "correct": False,
    }
    return Probe.model_validate({**facts, "state": "failed", "answer": answer})


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run whose D1 holds four labels planted wrong; the judge found two of them, replaced one wrongly, and
    took one right label for wrong.
    """
    run = Run.create(tmp_path / "run", "cpu-quick", seeds__first=40, seeds__noise=0.2, seeds__held_out=50)
    samples = seed(run)
    truth = {t.sample_id: t.label for t in run.table(Truths, "truth", 0)}
    planted = [s for s in samples if s.id in truth]
    assert len(planted) >= 4, "the settings above plant four labels at least in D1"
    rest = [s for s in samples if s.id not in truth]
    probes = [probed(run, s.id, Answer.of(truth[s.id])) for s in planted[:2]]
    probes += [
        probed(run, planted[2].id, Answer(text="Which one?")),
        probed(run, rest[0].id, Answer(text="?")),
        probed(run, rest[1].id, Answer()),
    ]
    names = ["LABEL_WRONG"] * 4 + ["PRED_WRONG"]
    facts = {"iteration": 1, "status": "judged"}
    verdicts = [
        Verdict(sample_id=p.sample_id, verdict=name, **facts) for p, name in zip(probes, names, strict=True)
    ]
    Probes(probes).write(run.folder(1) / "probes.parquet")
    Verdicts(verdicts).write(run.folder(1) / "verdicts.parquet")
    run.finish("probes", 1, "key", time.monotonic())
    run.finish("verdicts", 1, "key", time.monotonic())
    Expansions().write(run.folder(1) / "expansions.parquet")
    compose(run, iteration=1)
    scored(run, 0, "base", {"unseen_values": 20, "unseen_phrasings": 20, "unseen_tools": 25})
    scored(run, 2, "D2", {"unseen_values": 40, "unseen_phrasings": 35, "unseen_tools": 24})
    return run


def test_the_headline_says_before_and_after_with_intervals(run: Run) -> None:
    scored(run, 2, "D2", {"unseen_values": 40, "unseen_phrasings": 35, "unseen_tools": 24})
    first, own, other, labels = headline(run)
    assert first.startswith(
        "Exact match on 150 unseen requests: 43% before, 66% after one iteration of the loop (the model it"
        " started"
    )
    assert "from against D2), +23 points [+" in first
    assert "chance" not in first and first.endswith("].")
    assert own.startswith("  own tools: 40% before, 75% after, +35 points [+") and "chance" not in own
    assert other.startswith("  other tools: 50% before, 48% after, -2 points [-") and other.endswith(
        ", which chance alone may do."
    )
    found = planted_labels(run)
    truth = {t.sample_id for t in run.table(Truths, "truth", 0)}
    count = len(truth & run.table(Samples, "samples", 1).by_id().keys())
    assert found == {
        "planted": count,
        "found": 2,
        "mistaken": 1,
        "wrongly": 1,
    }, "D2 was not judged, so its planted errors do not count"
    assert (
        labels
        == f"Labels planted wrong: 2 of {count} found and replaced by the right one; 1 replaced by another"
        " wrong one; of the right labels 1 replaced by a wrong one."
    )


def test_what_people_decide_about_labels_counts(run: Run) -> None:
    verdicts = run.table(Verdicts, "verdicts", 1)
    truth = {t.sample_id: t.label for t in run.table(Truths, "truth", 0)}
    right, wrong = verdicts[0].sample_id, verdicts[2].sample_id
    run.decide("verdict", right, "PRED_WRONG")
    run.decide("verdict", wrong, {"verdict": "LABEL_WRONG", "label": truth[wrong].model_dump(mode="json")})
    before = planted_labels(run)
    assert before is not None and (before["found"], before["mistaken"], before["wrongly"]) == (2, 1, 1), (
        "no dataset obeys them yet"
    )
    assert report_data(run).newer == "2 decisions are newer than D2, which they would change."
    compose(run, iteration=1)
    found = planted_labels(run)
    assert found is not None and (found["found"], found["mistaken"], found["wrongly"]) == (2, 0, 1)
    assert report_data(run).newer == ""
    run.decide("verdict", verdicts[3].sample_id, "PRED_WRONG")
    assert planted_labels(run) == found
    page = report_run(run).read_text()
    assert page.count("1 decision is newer than D2, which it would change.") == 2
    assert "counts their verdicts in place of the judge" in page
    compose(run, iteration=1)
    found = planted_labels(run)
    assert found is not None and found["wrongly"] == 0


def test_a_label_is_said_to_be_written_only_where_a_person_wrote_one(run: Run) -> None:
    verdicts = run.table(Verdicts, "verdicts", 1)
    probes = {p.sample_id: p for p in run.table(Probes, "probes", 1)}
    plain, taken, written, named = (v.sample_id for v in verdicts[:4])
    run.decide("verdict", plain, {"verdict": "PRED_WRONG", "blind": True})
    label = probes[taken].answer.label.model_dump(mode="json")
    run.decide("verdict", taken, {"verdict": "LABEL_WRONG", "label": label}, iteration=1)
    run.decide("verdict", written, {"verdict": "LABEL_WRONG", "label": {"reply": "Which day?"}}, iteration=1)
    run.decide("verdict", named, "BOTH_WRONG")
    said = [d.value for d in decided(run)]
    assert said == ["PRED_WRONG", "LABEL_WRONG", "LABEL_WRONG, label written", "BOTH_WRONG"]


def test_the_scoreboard_is_in_percent_and_fits_a_terminal(
    run: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    print_scoreboard(run)
    shown = capsys.readouterr().out
    assert "n = 150" in shown and "n = 100" in shown and "43 (36–51)" in shown and "75 (66–82)" in shown
    assert "Exact match on 150 unseen requests" in shown and "0.43" not in shown
    assert "error seeds" in shown and "children of" in shown and "new seed" in shown, "no codes alone"


def test_no_policy_no_headline(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", "cpu-quick")
    seed(run)
    assert headline(run) == []


def test_the_forecast_grows_with_the_work_and_knows_the_embedded_model_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("torch")
    monkeypatch.setattr(forecasts, "_gflops", lambda: forecasts.GFLOPS)
    usual, quick = forecast(load_preset("cpu")), forecast(load_preset("cpu-quick"))
    assert usual is not None and quick is not None and 0 < quick.seconds < usual.seconds
    longer = [
        {"seeds__first": 400},
        {"seeds__held_out": 400},
        {"iterations": 5},
        {"sft__epochs_later": 9},
        {"grpo__steps": 50},
    ]
    for more in [*longer, {"sft__rehearsal": 2.0}]:
        found = forecast(load_preset("cpu", **more))
        assert found is not None and found.seconds > usual.seconds, more
    monkeypatch.setattr(forecasts, "_gflops", lambda: forecasts.GFLOPS / 2)
    slower = forecast(load_preset("cpu"))
    assert slower is not None and slower.seconds == pytest.approx(2 * usual.seconds)
    assert (
        forecast(load_preset("cpu", model="someone/else")) is None
        and forecast(load_preset("single-gpu-4b")) is None
    )


def test_a_run_that_has_not_begun_has_no_report_but_a_next_step(tmp_path: Path) -> None:
    Run.create(tmp_path / "run", "cpu-quick", seeds__first=12, seeds__held_out=2).close()
    asked = CliRunner().invoke(app, ["report", str(tmp_path / "run")])
    assert asked.exit_code == 1 and "nothing has run" in str(asked.exception)
    assert f"looptool loop {tmp_path / 'run'}" in str(asked.exception) and "n = 0" not in asked.output
    assert not (tmp_path / "run" / "report.html").exists()
    with Run.open(tmp_path / "run") as run:
        seed(run)
    half = CliRunner().invoke(app, ["report", str(tmp_path / "run")])
    assert half.exit_code == 0 and "No policy has been evaluated yet" in half.output
    assert "n = 0" not in half.output and (tmp_path / "run" / "report.html").exists()


@pytest.mark.parametrize("settings", [{}, {"augment__perturbations": ["typos"]}])
def test_the_report_counts_the_time_that_the_plan_counts(
    settings: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted(monkeypatch)
    with finished_loop(tmp_path / "run", **settings) as run:
        for number, path in enumerate(sorted(run.path.glob("*/**/*.json"))):
            if "seconds" in (facts := json.loads(path.read_text())):
                path.write_text(json.dumps(facts | {"seconds": 2.0**number}))
        planned = sum(step.seconds for step in plan(run))
        assert sum(row["seconds"] for row in timings(run)) == planned
