"""Decisions on nothing and bad lines of the file: refused or left out, and named."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import pytest

from looptool_kit.core.records import Expansions, Verdicts
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
