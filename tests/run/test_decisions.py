"""What a person decides: kept line by line, of one iteration or of all, taken back in turn, and obeyed by
verdicts.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from looptool_kit.core.errors import RunError
from looptool_kit.core.records import Verdict, Verdicts
from looptool_kit.core.samples import Label, ToolCall
from looptool_kit.lineage.error_seeds import with_decisions
from looptool_kit.run.decisions import Decision
from looptool_kit.run.folder import Run


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run.create(tmp_path / "run", "cpu-quick")


def values(run: Run, iteration: int | None = None) -> dict[str, object]:
    return {row: d.value for row, d in run.decisions("verdict", iteration).items()}


def test_a_decision_of_one_iteration_holds_in_that_one_only(run: Run) -> None:
    run.decide("verdict", "a", "BOTH_WRONG")
    run.decide("verdict", "a", "PRED_WRONG", iteration=1)
    run.decide("verdict", "a", "LABEL_WRONG", iteration=2)
    assert [values(run, j)["a"] for j in (1, 2, 3)] == ["PRED_WRONG", "LABEL_WRONG", "BOTH_WRONG"]
    run.decide("verdict", "a", "undo", iteration=2)
    assert [values(run, j)["a"] for j in (1, 2, 3)] == ["PRED_WRONG", "BOTH_WRONG", "BOTH_WRONG"]
    run.decide("verdict", "a", "undo")
    assert [values(run, j).get("a") for j in (1, 2, 3)] == ["PRED_WRONG", None, None]


def test_many_decisions_in_one_write_and_in_the_order_in_which_they_were_made(run: Run) -> None:
    run.decide("verdict", "x", "PRED_WRONG")
    made = run.decide_all("verdict", {f"r{i}": "BOTH_CORRECT" for i in range(1000)}, "as judged", "ana", 1)
    assert len(made) == 1000 and {d.author for d in made} == {"ana"}
    run.decide("verdict", "x", "BOTH_WRONG")
    run.decide("verdict", "r5", "BOTH_WRONG", iteration=1)
    assert (
        list(run.decisions("verdict", 1))[-2:] == ["x", "r5"]
        and len(values(run, 1)) == 1001
        and len(values(run, 2)) == 1
    )
    run.decide("verdict", "r5", "undo", iteration=1)
    assert list(run.decisions("verdict", 1))[-1] == "x" and values(run, 1)["r5"] == "BOTH_CORRECT"


def test_a_reason_may_hold_any_line_separator(run: Run) -> None:
    reason = "one\u2028two\x85three\nfour\x0bfive"
    run.decide("verdict", "a", "PRED_WRONG", reason)
    assert run.decisions("verdict")["a"].reason == reason


def test_a_run_opened_to_look_at_takes_no_decision(run: Run) -> None:
    looking = Run.open(run.path, read_only=True)
    with pytest.raises(RunError, match=r"read-only.*Run\.open\("):
        looking.decide("verdict", "a", "PRED_WRONG")
    assert looking.read_only and not run.read_only and not (run.path / "decisions.jsonl").exists()


def test_a_persons_verdict_does_not_inherit_the_label_of_the_judges(run: Run) -> None:
    label, edited = Label(calls=(ToolCall(name="a"),)), Label(reply="no")
    verdicts = Verdicts(
        [
            Verdict(
                sample_id="s",
                iteration=1,
                status="judged",
                verdict="PRED_WRONG",
                label=label,
                judge="evidence",
            )
        ]
    )
    run.decide("verdict", "s", "LABEL_WRONG", "clear", author="ana")
    (decided,) = with_decisions(verdicts, run.decisions("verdict", 1))
    assert (decided.verdict, decided.label, decided.judge, decided.rationale) == (
        "LABEL_WRONG",
        None,
        "person:ana",
        "clear",
    )
    run.decide("verdict", "s", {"verdict": "LABEL_WRONG", "label": edited.model_dump(mode="json")})
    assert with_decisions(verdicts, run.decisions("verdict", 1))[0].label == edited
    run.decide("verdict", "s", "PRED_WRONG")
    assert with_decisions(verdicts, run.decisions("verdict", 1))[0].label == label


def test_what_others_add_or_mend_in_the_file_is_seen_and_known_lines_are_not_parsed_again(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed: list[bytes] = []
    parse = Decision.model_validate_json
    monkeypatch.setattr(Decision, "model_validate_json", lambda line: parsed.append(line) or parse(line))
    run.decide_all("verdict", {f"s{i}": "PRED_WRONG" for i in range(50)})
    assert len(values(run)) == 50
    Run.open(run.path).decide("verdict", "s0", "BOTH_WRONG")
    run.decide("verdict", "s1", "undo")
    assert values(run)["s0"] == "BOTH_WRONG" and "s1" not in values(run)
    assert sum(map(bool, parsed)) == 52
    file = run.path / "decisions.jsonl"
    file.write_bytes(file.read_bytes() + b'{"time": "cut sh')
    assert len(values(run)) == 49
    run.decide("verdict", "s2", "BOTH_CORRECT")
    assert values(run)["s2"] == "BOTH_CORRECT" and len(values(run)) == 49
    file.write_bytes(b"".join(line for line in file.read_bytes().splitlines(True) if b'"s0"' not in line))
    assert "s0" not in values(run) and len(values(run)) == 48
    file.unlink()
    assert values(run) == {}
