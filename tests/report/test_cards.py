"""The cards of what leaves a run say what is in it, and nothing of this machine."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from looptool_kit.cli import app
from looptool_kit.core.records import Members, Scores, Truths
from looptool_kit.core.samples import Samples
from looptool_kit.core.stats import wilson
from looptool_kit.policy.policy import Policy
from looptool_kit.report.model_card import model_card
from looptool_kit.run.folder import Run

RECORDED = Path(__file__).parents[2] / "sample_data" / "run"


def exported(out: Path, *options: object, run: Path = RECORDED) -> str:
    done = CliRunner().invoke(app, ["export", str(run), str(out), *map(str, options)])
    assert done.exit_code == 0, f"{done.output}{done.exception}"
    return done.output


def rows_of(card: str, section: str) -> dict[str, int]:
    """The table of a card's section."""
    body = card.split(f"\n## {section}\n")[1].split("\n## ")[0]
    lines = re.findall(r"^\| (.+) \| ([\d,]+) \|$", body, re.MULTILINE)
    return {words: int(count.replace(",", "")) for words, count in lines}


@pytest.mark.parametrize("iteration", [1, 2, 3])
@pytest.mark.parametrize("form", ["looptool", "hermes"])
def test_a_datasets_card_counts_the_rows_that_are_in_it(iteration: int, form: str, tmp_path: Path) -> None:
    run = Run.open(RECORDED, read_only=True)
    samples = run.table(Samples, "samples", iteration)
    said = exported(tmp_path / "d", "--iteration", iteration, "--form", form)
    card = (tmp_path / "d" / "README.md").read_text()
    members = run.table(Members, "members", iteration, missing_ok=True)
    parts = Counter(m.part for m in members) or Counter({"seed": len(samples)})
    assert sorted(rows_of(card, "Composition").values()) == sorted(parts.values())
    assert rows_of(card, "Kinds") == Counter(s.kind for s in samples)
    assert said.startswith(f"D{iteration}: {len(samples)} samples (") and f"{form} form" in said
    wrong = {t.sample_id for t in run.table(Truths, "truth", 0)} & {s.id for s in samples}
    planted = f"{len(wrong)} of {len(samples)} rows carry a label that was planted wrong"
    assert (planted in card) == bool(wrong)
    header = yaml.safe_load(card.split("---\n")[1])
    assert header["license"] == "unknown" and "No licence was named" in card
    assert header["configs"][0]["data_files"] == [{"split": "train", "path": "data/train-*.parquet"}]
    assert list((tmp_path / "d").glob("data/train-*.parquet"))
    assert str(tmp_path) not in card and str(RECORDED) not in card


@pytest.mark.parametrize("keep", [1, 12, 34])
def test_a_card_counts_the_rows_that_a_form_has_no_place_for(keep: int, tmp_path: Path) -> None:
    """The recorded run's samples have a system message each, for which xlam has no place."""
    folder = Path(shutil.copytree(RECORDED, tmp_path / "run", ignore=shutil.ignore_patterns("policy")))
    samples = list(Run.open(folder, read_only=True).table(Samples, "samples", 1))
    single = [s.id for s in samples if s.kind in ("single", "choice", "parallel")][:keep]
    edited = [s.model_copy(update={"messages": s.messages[s.id in single :]}) for s in samples]
    Samples(edited).write(folder / "iterations" / "01" / "samples.parquet")
    said = exported(tmp_path / "d", "--iteration", 1, "--form", "xlam", run=folder)
    card, left = (tmp_path / "d" / "README.md").read_text(), len(samples) - keep
    assert f"{left} rows left out" in said and f"D1: {keep} sample" in said
    assert f"- {left} rows of the dataset do not fit the form `xlam` and are left out" in card
    assert sum(rows_of(card, "Composition").values()) == keep


def test_a_file_has_its_card_beside_it_and_nothing_is_written_over(tmp_path: Path) -> None:
    out = tmp_path / "held.jsonl"
    said = exported(out, "--held-out", "--form", "openai", "--licence", "cc-by-4.0")
    splits = Counter(
        s.split.replace("_", " ") for s in Run.open(RECORDED, True).table(Samples, "held_out", 0)
    )
    card = (tmp_path / "held.jsonl.md").read_text()
    assert rows_of(card, "Composition") == splits and "training on them makes figures" in card
    assert said.startswith(f"held out: {splits.total()} samples (") and "openai form" in said
    header = yaml.safe_load(card.split("---\n")[1])
    assert header["license"] == "cc-by-4.0" and "configs" not in header
    out.unlink()
    done = CliRunner().invoke(app, ["export", str(RECORDED), str(out)])
    assert done.exit_code and "exists already" in str(done.exception) and not out.exists()


def test_a_models_card_has_the_runs_figures_with_their_intervals(tmp_path: Path) -> None:
    run = Run.open(RECORDED, read_only=True)
    card = model_card(run, Policy(name="D2", iteration=2, model="embedded"), tmp_path, False, "unknown")
    scores = run.table(Scores, "scores", 2)
    right, n = sum(s.correct for s in scores), len(scores)
    low, high = wilson(right, n)
    (row,) = [line for line in card.splitlines() if line.startswith("| all |")]
    assert f"| {n} |" in row and f"{100 * right / n:.0f} [{100 * low:.0f}, {100 * high:.0f}]" in row
    assert re.search(r"[+-]\d+ \[[+-]\d+, [+-]\d+\]", row)
    header = yaml.safe_load(card.split("---\n")[1])
    assert header["base_model"] == "HuggingFaceTB/SmolLM2-135M-Instruct"
    trainings = run.manifest("policy", 2)["trainings"]  # type: ignore[index]
    for facts in trainings:
        assert (
            f"| D2 | {facts['trainer']} | {facts['samples']} | {facts['steps']} | {facts['tokens']:,} |"
            in card
        )
    assert "D3" not in card  # which came later
    missing = model_card(run, Policy(name="D9", iteration=2, model="embedded"), tmp_path, True, "unknown")
    assert "Not run: this run holds no held-out scores of D9" in missing


@pytest.mark.parametrize("form", ["adapter", "merged"])
def test_a_run_recorded_without_weights_says_so(form: str, tmp_path: Path) -> None:
    command = ["export", str(RECORDED), str(tmp_path / "out"), "--form", form]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 1 and "recorded without them" in str(done.exception), done.exception
    assert "looptool loop" in str(done.exception) and list(tmp_path.iterdir()) == []
