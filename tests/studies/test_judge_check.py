"""The judge's report card: what is planted is wrong, what is known is counted, a careless judge shows."""

from __future__ import annotations

import fcntl
import json
from collections import Counter
from pathlib import Path

import pytest
from filelock import FileLock
from typer.testing import CliRunner

from looptool_kit.augment.planting import KINDS
from looptool_kit.cli import app
from looptool_kit.config import Settings
from looptool_kit.core.errors import RunError
from looptool_kit.core.samples import Sample, Samples
from looptool_kit.core.tables import write_json
from looptool_kit.core.toolcalls import match
from looptool_kit.formats import to_row
from looptool_kit.run.folder import Run
from looptool_kit.stages.seed.stage import seed
from looptool_kit.studies.judge_card import warning
from looptool_kit.studies.judge_check import Trial, ask, card, precision_at, summary, text, trials, trusted
from looptool_kit.studies.judge_merits import worth_from
from looptool_kit.world import generate


@pytest.fixture(scope="module")
def samples() -> list[Sample]:
    return [s for s in generate(24, seed=5) if s.label.calls or s.label.asks][:12]


def renamed(sample: Sample) -> Sample:
    """The same sample with tools that the world does not know."""
    tools = tuple(t.model_copy(update={"name": f"x_{t.name}"}) for t in sample.tools)
    calls = tuple(c.model_copy(update={"name": f"x_{c.name}"}) for c in sample.label.calls)
    return sample.model_copy(
        update={"tools": tools, "label": sample.label.model_copy(update={"calls": calls})}
    )


@pytest.mark.parametrize("foreign", [False, True])
def test_every_trial_holds_what_it_says(samples: list[Sample], foreign: bool) -> None:
    rows = [renamed(s) for s in samples] if foreign else samples
    truth = {s.id: s.label for s in rows}
    made = trials(rows)
    assert made == trials(rows)
    for t in made:
        label, prediction = (match(a, truth[t.sample_id]) for a in (t.label, t.prediction))
        expected = {"LABEL_WRONG": (False, True), "PRED_WRONG": (True, False), "BOTH_WRONG": (False, False)}
        if t.expected in expected:
            assert (label, prediction) == expected[t.expected], t
    assert (
        {"wrong_value", "wrong_tool", "extra_parameter", "missing_parameter", "extra_call"}
        <= {t.kind for t in made}
        <= {*KINDS, "other_words"}
    )


def test_a_judge_of_this_machine_is_followed_at_every_tenth(
    samples: list[Sample], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = trials(samples)
    ask(samples, made, Settings(), tmp_path)
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("judge-check:")]
    assert [line.split()[1] for line in lines] == [f"{10 * k}%," for k in range(1, 11)]
    assert f"of {2 * len(made)} questions" in lines[0]


def test_card_of_judges_with_known_habits(samples: list[Sample]) -> None:
    made = trials(samples)
    perfect = [t.model_copy(update={"verdicts": (t.expected, t.expected)}) for t in made]
    credulous = [t.model_copy(update={"verdicts": ("LABEL_WRONG", "unjudged")}) for t in made]
    best, worst = card(perfect)[-1], card(credulous)[-1]
    assert (
        best.precision.k == best.precision.n > 0
        and best.recall.k == best.recall.n
        and best.consistent.k == len(made)
    )
    correctable = sum(t.expected == "LABEL_WRONG" for t in made)
    assert (worst.precision.k, worst.precision.n, worst.consistent.k) == (correctable, len(made), 0)
    assert precision_at(perfect) == 1 and precision_at(credulous) == pytest.approx(0.1)
    assert trusted(perfect)["mirrored"].lo > 0.8 and trusted(credulous)["mirrored"].k == 0
    assert trusted(perfect)["after"].k == trusted(perfect)["after"].n


def test_the_card_says_in_plain_words_what_obeying_the_judge_does(samples: list[Sample]) -> None:
    made = trials(samples)
    perfect = [t.model_copy(update={"verdicts": (t.expected,)}) for t in made]
    told = trusted(perfect)
    before, after, mirrored = told["before"], told["after"], told["mirrored"]
    assert 0 < before.k < before.n and after.k == after.n < before.n
    lines = summary(perfect, {})
    assert lines[0] == (
        "Many labels of this test are wrong on purpose:"
        f" {before.k / before.n:.0%} [{before.lo:.0%}, {before.hi:.0%}] are right. If the judge is obeyed,"
        f" 100% [{after.lo:.0%}, 100%] of the {after.n:,} (of {before.n:,}) that remain are (more is better)."
    )
    assert lines[1].startswith("It replaced no right label by a wrong one here.")
    assert f"{worth_from(perfect)[1]:.1%} of the labels or more are wrong" in lines[1]
    assert lines[2] == "What it misses: no kind of wrong label of this test."
    assert lines[-1].startswith(
        f"Label and prediction swapped, the verdict swaps too in {mirrored} of {mirrored.n:,} pairs (1 is"
    )
    useless = [t.model_copy(update={"verdicts": ("unjudged",)}) for t in made]
    assert summary(useless, {})[1].startswith("It found no wrong label here: it fixes none")
    hasty = [t.model_copy(update={"verdicts": ("LABEL_WRONG",)}) for t in made]
    low, high = worth_from(hasty)
    assert f"more than {low:.1%} of the labels are wrong" in summary(hasty, {})[1] and low == 0.5
    assert f"{high:.1%} at worst" in summary(hasty, {})[1]
    assert "| left unjudged | right verdict | same in repeats |" in text(perfect, {})


def test_the_card_names_the_kinds_that_the_judge_misses_most(samples: list[Sample]) -> None:
    made = trials(samples)
    planted = Counter(t.kind for t in made if t.expected == "LABEL_WRONG")
    [(most, n), (half, _), *_] = planted.most_common()
    seen: Counter[str] = Counter()

    def verdict(t: Trial) -> str:
        if t.expected != "LABEL_WRONG" or t.kind not in (most, half):
            return t.expected
        seen[t.kind] += 1
        return "unjudged" if t.kind == most or seen[t.kind] % 2 else "LABEL_WRONG"

    answered = [t.model_copy(update={"verdicts": (verdict(t),)}) for t in made]
    recall = {r.kind: r.recall for r in card(answered)}
    assert recall[most].k == 0 < recall[half].k < recall[half].n and recall[most].n == n
    missed = ", ".join(f"{kind.replace('_', ' ')} (finds {recall[kind]})" for kind in (most, half))
    assert f"What it misses: {missed}; 1 is all, 0 is none of such wrong labels." in summary(answered, {})


def test_evidence_judge_by_the_command(samples: list[Sample], tmp_path: Path) -> None:
    data = Samples(samples[:4]).write(tmp_path / "mine.jsonl")
    done = CliRunner().invoke(app, ["judge-check", str(data)])
    assert done.exit_code == 0, done.output
    kept = json.loads((tmp_path / "mine.jsonl.judge_check" / "evidence" / "card.json").read_text())
    whole = next(r for r in kept["rows"] if r["kind"] == "all")
    assert f"| all | {whole['trials']} |" in done.output and whole["consistent"]["k"] == whole["trials"] > 20
    answered, _ = ask(samples[:4], trials(samples[:4]), Settings(), tmp_path, repeats=1)
    assert sum(t.verdict == t.expected for t in answered) == whole["right"]["k"]


def test_any_form_is_checked_and_what_it_leaves_out_is_said(samples: list[Sample], tmp_path: Path) -> None:
    file = tmp_path / "theirs.json"
    rows = [to_row(s, "openai") for s in samples if s.label.calls][:4]
    broken = json.loads(json.dumps(rows[0]))
    broken["messages"][-1] = {"role": "assistant", "content": ""}
    file.write_text(json.dumps([broken, *rows[1:]]), encoding="utf-8")
    done = CliRunner().invoke(app, ["judge-check", str(file), "--repeats", "1"])
    assert done.exit_code == 0, done.output
    kept = json.loads((tmp_path / "theirs.json.judge_check" / "evidence" / "card.json").read_text())
    assert (
        kept["samples"] == 3 and "Left out of theirs.json: 1 rows or turns, the first row 1: " in done.output
    )
    assert json.loads(file.read_text()) == [broken, *rows[1:]]


@pytest.mark.parametrize("of", ["a run", "a file"])
def test_an_earlier_check_is_kept_and_that_is_said(samples: list[Sample], tmp_path: Path, of: str) -> None:
    Samples(samples[:4]).write(tmp_path / "mine.jsonl")
    if of == "a run":
        with Run.create(tmp_path / "run", "cpu-quick", seeds__first=6, seeds__held_out=1) as run:
            seed(run)
        target, folder, old = run.path, run.path / "judge_check", run.path / "superseded"
        place = "judge_check/evidence"
    else:
        target, folder = tmp_path / "mine.jsonl", tmp_path / "mine.jsonl.judge_check"
        old, place = folder / "superseded", "evidence"
    for count in range(3):
        command = ["judge-check", str(target), "--judge", "evidence", "--repeats", str(count + 1)]
        done = CliRunner().invoke(app, command)
        assert done.exit_code == 0, done.output
        assert ("moved to the folder `superseded`" in done.output) == (count > 0)
    now = json.loads((folder / "evidence" / "card.json").read_text())
    kept = [old / f"000{n}" / place for n in (1, 2)]
    assert [json.loads((k / "card.json").read_text())["repeats"] for k in kept] == [1, 2] and now[
        "repeats"
    ] == 3
    assert all((k / "trials.parquet").exists() for k in kept)


def test_a_run_that_a_page_has_open_is_checked_and_only_one_check_writes(tmp_path: Path) -> None:
    with Run.create(tmp_path / "run", "cpu-quick", seeds__first=6, seeds__held_out=1) as run:
        seed(run)
    folder = run.path / "judge_check" / "evidence"
    folder.mkdir(parents=True)
    half = folder / ".card.json.abcdefgh.tmp"
    half.write_text("{")
    Run.open(run.path).close()
    assert half.exists(), "a check may be writing it"
    command = ["judge-check", str(run.path), "--repeats", "1", "--samples", "2"]
    with open(run.path / ".lock", "w") as page:
        fcntl.flock(page, fcntl.LOCK_EX | fcntl.LOCK_NB)  # as another process would
        with pytest.raises(RunError, match="Another process"):
            Run.open(run.path)
        for _ in range(2):
            done = CliRunner().invoke(app, command)
            assert done.exit_code == 0, done.output
    assert not half.exists() and (folder / "card.json").exists()
    assert (run.path / "superseded" / "0001" / "judge_check" / "evidence" / "card.json").exists()
    before = (folder / "card.json").read_bytes()
    with FileLock(folder / ".lock"):
        done = CliRunner().invoke(app, command)
    assert done.exit_code != 0 and "Another judge-check of the judge 'evidence'" in (
        done.output + str(done.exception)
    )
    assert (folder / "card.json").read_bytes() == before


def test_a_run_is_warned_of_a_judge_that_was_not_checked_or_fell_through(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", "cpu-quick")
    assert warning(run) == ""  # the evidence judge on the world's samples: its card is published
    run.set(verify__judge="llm")
    assert "never checked" in warning(run) and f"looptool judge-check {run.path}" in warning(run)
    kept = run.path / "judge_check" / "llm" / "card.json"
    write_json(kept, {"precision": 0.95})
    assert warning(run) == ""
    write_json(kept, {"precision": 0.5})
    assert "50% of what the judge 'llm' calls LABEL_WRONG is" in warning(run)
