"""Decisions on nothing and bad lines of the file: refused or left out, and named."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import pytest
from scripted_runs import go
from typer.testing import CliRunner

from looptool_kit.cli import app
from looptool_kit.core.records import Expansions, Verdicts
from looptool_kit.core.samples import Samples
from looptool_kit.run.folder import Run

# ------------------------------------------------------------------ decisions

RECORDED = Path(__file__).parents[2] / "sample_data" / "run"


@pytest.fixture
def recorded(tmp_path: Path) -> Run:
    import shutil

    shutil.copytree(RECORDED, tmp_path / "run")
    return Run.open(tmp_path / "run")


@pytest.mark.parametrize(
    ("subject", "row", "value", "possible"),
    [
        ("foo", "ROW", "PRED_WRONG", "verdict, expansion, threshold"),
        ("verdict", "ROW", "WRONG", "PRED_WRONG, LABEL_WRONG, BOTH_CORRECT, BOTH_WRONG"),
        ("verdict", "ROW", {"label": {}}, "PRED_WRONG, LABEL_WRONG, BOTH_CORRECT, BOTH_WRONG"),
        ("verdict", "ROW", {"verdict": "LABEL_WRONG", "label": {"calls": 3}}, "is not a label: calls: "),
        ("verdict", "ROW", None, "PRED_WRONG"),
        (
            "verdict",
            "no such sample",
            "PRED_WRONG",
            "'no such sample' is not a row of the verdicts of iteration 1; there are",
        ),
        ("verdict", "", "PRED_WRONG", "names no row"),
        ("expansion", "ROW", "accept", "is not a row of the expansions of iteration 1; there are"),
        ("expansion", "CHILD", "maybe", "'accept', 'reject'"),
        ("expansion", "CHILD", {"edit": {}}, "is not a sample: tools: "),
        ("threshold", "", "x", "a number above 0"),
        ("threshold", "", -3, "a number above 0"),
        ("threshold", "", float("nan"), "a number above 0"),
        ("threshold", "", True, "a number above 0"),
        ("threshold", "ROW", 1.5, "names no row"),
    ],
)
def test_a_decision_on_nothing_is_refused_and_says_what_is_possible(
    recorded: Run, subject: str, row: str, value: Any, possible: str
) -> None:
    rows = {
        "ROW": recorded.table(Verdicts, "verdicts", 1)[0].sample_id,
        "CHILD": recorded.table(Expansions, "expansions", 1)[0].sample.id,
    }
    with pytest.raises(ValueError, match=re.escape(possible)):
        recorded.decide(subject, rows.get(row, row), value, iteration=1)
    with pytest.raises(ValueError, match="no iteration 9; there are 1, 2, 3"):
        recorded.decide("verdict", rows["ROW"], "PRED_WRONG", iteration=9)
    assert not (recorded.path / "decisions.jsonl").exists()
    recorded.decide("expansion", rows["CHILD"], "reject", iteration=1)
    recorded.decide("verdict", rows["ROW"], "undo", iteration=1)
    recorded.decide("threshold", "", 1.5, iteration=1)


@pytest.mark.parametrize(
    "line",
    [
        "{not json",
        "[]",
        '{"time": "", "author": "", "subject": "threshold", "row": "", "value": "x"}',
        '{"time": "", "author": "", "subject": "verdict", "row": "a", "value": "WRONG"}',
        '{"time": "", "author": "", "subject": "\\u001b[2J", "row": "a", "value": "WRONG"}',
        '{"time": "", "author": "", "subject": "expansion", "row": "a", "value": {"edit": {"tools": 1}}}',
    ],
)
def test_a_bad_line_of_the_decisions_is_reported_by_its_number_and_left_out(
    tmp_path: Path, line: str
) -> None:
    run = Run.create(tmp_path / "run", "cpu-quick")
    run.decide("threshold", "", 1.5)
    with open(run.path / "decisions.jsonl", "a") as file:
        file.write(line + "\n")
    run.decide("verdict", "a", "PRED_WRONG")
    with pytest.warns(
        UserWarning, match=r"decisions\.jsonl, line 2 is not a decision and is left out: "
    ) as said:
        assert (
            run.decisions("threshold")[""].value == 1.5
            and list(run.decisions("verdict")) == ["a"]
            and not run.decisions("expansion")
        )
    assert len(said) == 1 and "\x1b" not in str(said[0].message)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run.decide("verdict", "b", "PRED_WRONG")
        assert list(run.decisions("verdict")) == ["a", "b"]


# -------------------------------------------------- the rule tier on what a person writes


def first_call(run: Run) -> tuple[str, dict[str, Any]]:
    """A row of the verdicts of iteration 1 whose label has calls, and that label."""
    samples = run.table(Samples, "samples", 1).by_id()
    row = next(v.sample_id for v in run.table(Verdicts, "verdicts", 1) if samples[v.sample_id].label.calls)
    return row, samples[row].label.model_dump(mode="json")


LABELS: dict[str, tuple[dict[str, Any], str]] = {
    "a tool that is not on offer": ({"calls": [{"name": "format_disk", "arguments": {}}]}, "is not on offer"),
    "an argument that is none": ({"arguments": {"nonsense": 1}}, "nonsense"),
    "arguments of a wrong type": ({"every": ["list"]}, "is not "),
    "nothing": ({"calls": []}, "the label is empty"),
    "markup": ({"calls": [], "reply": "Yes.<|im_end|>"}, "holds <|im_end|>"),
    "calls and demands": ({"asks": True}, "has calls, and says what a plain reply"),
}


@pytest.mark.parametrize(("change", "said"), LABELS.values(), ids=LABELS)
@pytest.mark.parametrize("iteration", [1, None])
def test_a_label_that_a_person_gives_passes_the_rules(
    recorded: Run, change: dict[str, Any], said: str, iteration: int | None
) -> None:
    row, label = first_call(recorded)
    recorded.decide("verdict", row, {"verdict": "LABEL_WRONG", "label": label}, iteration=iteration)
    before = (recorded.path / "decisions.jsonl").read_bytes()
    call = label["calls"][0]
    if more := change.get("arguments"):
        change = {"calls": [call | {"arguments": call["arguments"] | more}]}
    elif value := change.get("every"):
        change = {"calls": [call | {"arguments": dict.fromkeys(call["arguments"], value)}]}
    value = {"verdict": "LABEL_WRONG", "label": label | change}
    with pytest.raises(ValueError, match=f"the label of {row} is refused: .*{re.escape(said)}"):
        recorded.decide("verdict", row, value, iteration=iteration)
    good = {"verdict": "LABEL_WRONG", "label": {"reply": "I cannot do that."}}
    with pytest.raises(ValueError, match="is refused"):
        recorded.decide_all(
            "verdict", {row: value, recorded.table(Verdicts, "verdicts", 1)[-1].sample_id: good}
        )
    assert (recorded.path / "decisions.jsonl").read_bytes() == before, "all or nothing"


def test_a_sample_that_a_person_writes_passes_the_rules(recorded: Run) -> None:
    children = recorded.table(Expansions, "expansions", 1)
    child = next(c.sample for c in children if c.accepted and c.sample.label.calls)
    edit = child.model_dump(mode="json")
    recorded.decide("expansion", child.id, {"edit": edit}, iteration=1)
    for wrong, said in (
        (
            {"label": {"calls": [{"name": "format_disk", "arguments": {}}]}},
            "calls: format_disk is not on offer",
        ),
        ({"messages": []}, "dialogue: the dialogue is empty"),
        ({"label": {"reply": "Done.<tool_call>"}}, "dialogue: the reply in the label holds <tool_call>"),
    ):
        with pytest.raises(ValueError, match=f"the sample in place of {child.id} is refused: {said}"):
            recorded.decide("expansion", child.id, {"edit": edit | wrong}, iteration=1)
    assert len((recorded.path / "decisions.jsonl").read_text().splitlines()) == 1


# ------------------------------------------------------- decisions on rows that are gone


def test_decisions_on_rows_that_are_gone_are_counted_at_opening_and_in_the_plan(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    verdicts, children = run.table(Verdicts, "verdicts", 1), run.table(Expansions, "expansions", 1)
    run.decide("verdict", verdicts[0].sample_id, "PRED_WRONG", iteration=1)
    run.decide("verdict", verdicts[1].sample_id, "PRED_WRONG")
    run.decide("verdict", verdicts[2].sample_id, "PRED_WRONG", iteration=1)
    run.decide("verdict", verdicts[2].sample_id, "undo", iteration=1)
    run.decide("expansion", children[0].sample.id, "reject", iteration=1)
    run.decide("threshold", "", 1.5, iteration=1)
    run.close()
    Run.open(run.path).close()
    assert capsys.readouterr().out == ""
    with Run.open(run.path) as other:
        other.set(seed=5)  # another pool, so other rows everywhere
        go(other)
    capsys.readouterr()
    said = "Decisions on rows that the run no longer has: 3 (2 on verdicts, 1 on expansions)"
    with Run.open(run.path):
        assert said in capsys.readouterr().out
    planned = CliRunner().invoke(app, ["plan", str(run.path)]).output
    assert said in planned and "done     seed" in planned
    for number in (1, 2):
        (run.folder(number) / "verdicts.parquet").unlink()
    Run.open(run.path, read_only=True)
    assert "no longer has: 1 (1 on expansions)" in capsys.readouterr().out, (
        "the rows of a table that is not there may come back"
    )


def test_no_unknown_row_is_decided_on_in_any_iteration_of_a_finished_run(recorded: Run) -> None:
    assert max(recorded.iterations) > recorded.settings.iterations, "the last dataset is only trained on"
    for subject, value in (("verdict", "PRED_WRONG"), ("expansion", "accept"), ("tag", ["odd"])):
        for iteration in (None, *recorded.iterations):
            with pytest.raises(ValueError, match="'no such sample' is not a row of"):
                recorded.decide(subject, "no such sample", value, iteration=iteration)
    assert not (recorded.path / "decisions.jsonl").exists()


def test_half_of_a_character_costs_no_decision(recorded: Run) -> None:
    row = recorded.table(Verdicts, "verdicts", 1)[0].sample_id
    recorded.annotator = "Zo\udceb"  # as the environment gives a name in another encoding
    made = recorded.decide("verdict", row, "PRED_WRONG", reason="cut \ud83d", iteration=1)
    assert (made.author, made.reason) == ("Zo\ufffd", "cut \ufffd")
    with pytest.raises(ValueError, match="half of a character"):
        recorded.decide("tag", row, ["\ud83d"])
    assert recorded.decisions("verdict")[row].author == "Zo\ufffd" and not recorded.decisions("tag")


@pytest.mark.parametrize("error", [KeyError("uid not found"), OSError("No username set"), ImportError("pwd")])
def test_a_machine_whose_user_has_no_name_takes_decisions(
    recorded: Run, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> str:
        raise error

    monkeypatch.setattr("getpass.getuser", fail)
    row = recorded.table(Verdicts, "verdicts", 1)[0].sample_id
    assert re.fullmatch(r"user \d+", recorded.decide("verdict", row, "PRED_WRONG", iteration=1).author)
