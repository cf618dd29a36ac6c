"""The judge's report card as a view, without a page: what Python holds, answers and hands back."""

from __future__ import annotations

import os
import shutil
from html import escape
from pathlib import Path

import pytest
from typer.testing import CliRunner
from widget_pages import asked

pytest.importorskip("anywidget")

from looptool_kit.cli import app
from looptool_kit.config import Settings
from looptool_kit.core.samples import Sample, Samples
from looptool_kit.core.tables import write_json
from looptool_kit.run.folder import Run
from looptool_kit.studies.judge_check import Trials, ask, card, text, trials
from looptool_kit.widgets import JudgeCheckView
from looptool_kit.widgets.detail import answer
from looptool_kit.world import generate

RECORDED = Path(__file__).parents[2] / "sample_data" / "run"


@pytest.fixture(scope="module")
def samples() -> list[Sample]:
    return [s for s in generate(12, seed=5) if s.label.calls or s.label.asks][:5]


@pytest.fixture(scope="module")
def answered(samples: list[Sample], tmp_path_factory: pytest.TempPathFactory) -> Trials:
    """The evidence judge's answers."""
    return ask(samples, trials(samples), Settings(), tmp_path_factory.mktemp("store"))[0]


def test_card_and_trials_of_a_judge(samples: list[Sample], answered: Trials) -> None:
    view = JudgeCheckView(answered, samples)
    whole = card(answered)[-1]
    assert view.card[-1] == [
        "all",
        len(answered),
        *map(str, (whole.precision, whole.recall, whole.abstention, whole.right, whole.consistent)),
    ]
    assert view.selection == answered and view.count == len(answered)
    assert view.chart.count("<circle") == sum(
        share.n > 0 for row in card(answered) for share in row if isinstance(share, tuple)
    )
    view.filters = {"kind": "wrong value", "right": "no"}
    wrong = answered.where(lambda t: t.kind == "wrong_value" and t.verdict != t.expected)
    assert view.selection == wrong and len(wrong) > 0
    view.filters, view.search = {}, samples[0].request[:25].upper()
    assert {t.sample_id for t in view.selection} == {
        s.id for s in samples if samples[0].request[:25].upper() in s.request.upper()
    }


def test_the_card_says_what_was_done_and_what_its_columns_mean(
    samples: list[Sample], answered: Trials
) -> None:
    view = JudgeCheckView(answered, samples)
    planted = len({t.sample_id for t in answered})
    assert view.lead == (
        f"Errors were planted in {planted} samples, and the judge was asked which side is wrong. Shares stand"
        " with 95% intervals."
    )
    names = [name for name, _ in view.measures]
    head = text(answered, {}).splitlines()[0]
    assert head == f"| {' | '.join(names)} |", "the words of the command's card"
    assert all(meaning for _, meaning in view.measures) and len(view.card[0]) == len(names)
    assert all(f">{name}</th>" in view.static_html() for name in names) and view.lead in view.static_html()
    assert all(name in view.chart for name in names[2:])
    shown = {c["name"]: c["width"] for c in view.columns}
    names = ["label → prediction", "kind", "expected", "verdict", "right", "request"]
    assert 0 not in shown.values() and list(shown) == names


def test_rows_begin_with_what_tells_them_apart(samples: list[Sample], answered: Trials) -> None:
    view = JudgeCheckView(answered, samples)
    begins = [view.rows.cell(view.rows.names[0], i)[:24] for i in range(view.count)]
    alike = [a for a, b in zip(begins, begins[1:], strict=False) if a == b]
    assert len(alike) < len(begins) / 50, alike


def test_a_trial_in_full_shows_the_label_that_the_judge_saw(samples: list[Sample], answered: Trials) -> None:
    view = JudgeCheckView(answered, samples)
    view.filters = {"kind": "wrong value", "expected": "LABEL_WRONG"}
    trial, shown = view.selection[0], asked(view, "sample", at=0)
    right = {s.id: s.label for s in samples}[trial.sample_id]
    assert trial.label != right and shown["sample"]["id"] == trial.sample_id
    assert shown["trial"] == {
        "kind": "wrong value",
        "expected": "LABEL_WRONG",
        "answer": answer(right),
        "verdicts": list(trial.verdicts),
        "rationale": trial.rationale,
    }
    assert shown["trial"]["answer"] != shown["sample"]["label"]
    differing = [row for pair in shown["sample"]["aligned"] for row in pair["rows"] if row[3] != "same"]
    planted = [
        a
        for seen, true in zip(trial.label.calls, right.calls, strict=True)
        for a in seen.arguments
        if seen.arguments[a] != true.arguments[a]
    ]
    assert [row[0] for row in differing] == planted != []
    assert asked(view, "sample", at=view.count)["sample"] is None


def test_a_run_shows_its_newest_card(tmp_path: Path) -> None:
    path = Path(shutil.copytree(RECORDED, tmp_path / "run"))
    none = JudgeCheckView(Run.open(path, read_only=True))
    assert none.count == 0 and f"looptool judge-check {path}" in none.missing
    assert (
        escape(none.missing, quote=True) in none.static_html()
        and asked(none, "sample", at=0)["sample"] is None
    )
    older = path / "judge_check" / "older" / "card.json"
    write_json(older, {})
    os.utime(older, (1, 1))
    done = CliRunner().invoke(app, ["judge-check", str(path), "--samples", "6"])
    assert done.exit_code == 0, done.output
    run = Run.open(path, read_only=True)
    view = JudgeCheckView(run)
    kept = Trials.read(path / "judge_check" / "evidence" / "trials.parquet")
    assert view.selection == kept and view.about[0] == "Judge evidence: 6 samples."
    # What the command printed below its table stands below the view's card.
    assert all(line in done.output for line in view.about[1:]) and len(view.about) == 8
    assert f"| {' | '.join(map(str, view.card[-1]))} |" in done.output
    Samples.read(path / "seed" / "pool.parquet")[:1].write(path / "seed" / "pool.parquet")
    assert "made again after the check" in JudgeCheckView(run).missing
    (path / "judge_check" / "evidence" / "trials.parquet").unlink()
    assert "trials.parquet is missing" in JudgeCheckView(run).missing


def test_what_is_missing_is_said(samples: list[Sample], answered: Trials) -> None:
    missing = sum(t.sample_id != samples[0].id for t in answered)
    with pytest.raises(
        ValueError,
        match=f"{missing} of {len(answered)} trials are about samples that are not among the 1 given",
    ):
        JudgeCheckView(answered, samples[:1])
    with pytest.raises(ValueError, match="carry no verdict"):
        JudgeCheckView(trials(samples), samples)
    empty = JudgeCheckView(Trials(), [])
    assert empty.count == 0 and len(empty.selection) == 0 and "<table" in empty.static_html()


def test_without_a_kernel_text_stays_text(samples: list[Sample], answered: Trials) -> None:
    bad = '<script>alert(1)</script><img src=x onerror="alert(1)">\x1b[31m\u202e'
    sample = samples[0].model_copy(
        update={"messages": (samples[0].messages[-1].model_copy(update={"content": bad}),)}
    )
    trial = answered[0].model_copy(update={"sample_id": sample.id, "verdicts": (bad,), "rationale": bad})
    still = JudgeCheckView(Trials([trial]), [sample])._repr_mimebundle_()[0]["text/html"]
    assert (
        "<script" not in still
        and "<img src=x" not in still
        and "\x1b" not in still
        and "\u202e" not in still
        and "&lt;script" in still
    )
    whole = JudgeCheckView(answered, samples).static_html()
    assert "data:image/svg+xml" in whole and "precision" in whole and len(whole.encode()) < 60_000
