"""`looptool audit`: any form is read, findings are written, repairs are made only where asked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from looptool_kit import formats, world
from looptool_kit.audit.audit import kinds
from looptool_kit.audit.findings import Findings
from looptool_kit.audit.look import ACCEPTABLE
from looptool_kit.cli import app
from looptool_kit.core.samples import Label, Sample, Samples, ToolCall
from looptool_kit.report.runs import runs
from looptool_kit.run.folder import Run

TOOL = {
    "name": "book.table",
    "description": "Books a table.",
    "parameters": {
        "type": "dict",
        "properties": {
            "place": {"type": "string", "description": "Where."},
            "people": {"type": "integer", "description": "How many. Default is 2."},
        },
        "required": ["place"],
    },
}


@pytest.fixture(scope="module")
def right() -> Samples:
    return Samples(s for s in world.generate(60, seed=3) if s.label.calls)


def wrong(sample: Sample) -> Sample:
    """The sample with a call of a parameter that no tool has."""
    first, *rest = sample.label.calls
    spoilt = ToolCall(name=first.name, arguments={**first.arguments, "urgency_of_it": 3})
    return sample.model_copy(update={"label": Label(calls=(spoilt, *rest))})


def run(*options: object) -> Result:
    return CliRunner().invoke(app, ["audit", *map(str, options)])


@pytest.fixture
def data(tmp_path: Path, right: Samples) -> Path:
    """Right samples with two wrong ones, rows 2 and 4."""
    rows = [wrong(s) if at in (1, 3) else s for at, s in enumerate(right[:8])]
    return Samples(rows).write(tmp_path / "data.jsonl")


def test_findings_are_printed_written_and_decide_the_exit_code(
    data: Path, tmp_path: Path, right: Samples
) -> None:
    before = data.read_bytes()
    lines, shown = tmp_path / "found.jsonl", tmp_path / "page.html"
    done = run(data, "--jsonl", lines, "--out", shown, "--fail-on", "error")
    assert done.exit_code == 1, done.output
    assert "foreign_parameter" in done.output and "8 samples: 2 with an error" in done.output
    found = Findings.read(lines)
    foreign = [f for f in found if f.kind == "foreign_parameter"]
    assert [f.row for f in foreign] == [2, 4] and foreign[0].severity == "error"
    assert foreign[0].place == "/label/calls/0/arguments/urgency_of_it"
    assert [f.repair for f in foreign] == [right[1].label, right[3].label]
    page = shown.read_text(encoding="utf-8")
    assert "urgency_of_it" in page and data.read_bytes() == before
    assert "--repair OUT.jsonl --apply foreign_parameter" in page and "proposed" in page
    assert run(data).exit_code == 0
    assert run(data, "--kinds", "enum,type", "--fail-on", "note").exit_code == 0
    clean = right.write(tmp_path / "clean.parquet")
    assert run(clean, "--fail-on", "error").exit_code == 0


def test_what_is_there_is_not_written_over_and_wrong_options_name_the_remedy(
    data: Path, tmp_path: Path
) -> None:
    for option in ("--out", "--jsonl", "--repair", "--desk"):
        done = run(data, option, data, "--apply", "type") if option == "--repair" else run(data, option, data)
        assert isinstance(done.exception, FileExistsError)
    for options, words in (
        (("--kinds", "nothing"), "there is no kind"),
        (("--apply", "type"), "--repair"),
        (("--repair", tmp_path / "x.jsonl"), "--apply"),
        (("--repair", tmp_path / "x.txt", "--apply", "type"), ".jsonl or .parquet"),
        (("--repair", tmp_path / "x.jsonl", "--apply", "nothing"), "there is no kind"),
        (("--form", "odd"), "there is no form"),
    ):
        assert words in str(run(data, *options).exception)
    assert isinstance(run(tmp_path / "nowhere.jsonl").exception, FileNotFoundError)
    (tmp_path / "empty.jsonl").write_text("")
    assert "no rows" in str(run(tmp_path / "empty.jsonl").exception)


@pytest.mark.parametrize("form", ["openai", "hermes", "sharegpt", "looptool"])
def test_any_form_is_read_as_it_stands(form: Any, tmp_path: Path, right: Samples) -> None:
    rows = [formats.to_row(wrong(s), form, at) for at, s in enumerate(right[:3])]
    file = tmp_path / "data.jsonl"
    file.write_text(
        "\n".join([*(json.dumps(r) for r in rows), json.dumps(rows[0]), '{"half": ']), encoding="utf-8"
    )
    lines = tmp_path / "found.jsonl"
    run(file, "--jsonl", lines)
    by_kind: dict[str, set[int]] = {}
    for finding in Findings.read(lines):
        by_kind.setdefault(finding.kind, set()).add(finding.row)
    assert by_kind["unreadable"] == {5} and by_kind["duplicate"] == {4}
    assert by_kind["foreign_parameter"] == {1, 2, 3, 4}


def test_a_call_that_failed_is_told(tmp_path: Path, right: Samples) -> None:
    sample = right[0]
    row = formats.to_row(sample, "openai")
    (call,) = row["messages"][-1]["tool_calls"][:1]
    row["messages"][-1]["tool_calls"] = [call]
    result = {"role": "tool", "content": '{"error": "no such table"}', "tool_call_id": call.get("id", "")}
    row["messages"] += [result, {"role": "assistant", "content": "That did not work."}]
    (tmp_path / "data.jsonl").write_text(json.dumps(row))
    lines = tmp_path / "found.jsonl"
    run(tmp_path / "data.jsonl", "--jsonl", lines)
    assert "no such table" in next(f.reason for f in Findings.read(lines) if f.kind == "failed_call")


def test_a_repair_is_made_only_where_asked_and_says_where_it_comes_from(
    data: Path, tmp_path: Path, right: Samples
) -> None:
    untouched, done = tmp_path / "a.jsonl", tmp_path / "b.parquet"
    assert "0 labels changed" in run(data, "--repair", untouched, "--apply", "type").output
    given = Samples.read(data)
    assert Samples.read(untouched) == given
    assert "2 labels changed" in run(data, "--repair", done, "--apply", "foreign_parameter").output
    rows = Samples.read(done)
    assert [r.label for r in rows] == [s.label for s in right[:8]]
    about: Any = rows[1].meta["audit"]
    assert rows[1].parent == given[1].id and rows[1].strategy == "audit.foreign_parameter"
    assert about["before"] == given[1].label.model_dump(mode="json") and rows[0] == given[0]
    assert "foreign_parameter" not in run(done).output
    # And back into a form that trainers read.
    back = tmp_path / "back.jsonl"
    said = CliRunner().invoke(app, ["export", str(done), str(back), "--form", "openai"])
    assert said.exit_code == 0 and "8 samples\nopenai form, in " in said.output
    assert [s.label for s in formats.read(back)] == [s.label for s in right[:8]]
    for options in (["--held-out"], ["--form", "merged"], ["--form", "opnai"]):
        said = CliRunner().invoke(app, ["export", str(done), str(tmp_path / "x.jsonl"), *options])
        assert said.exit_code == 1 and not (tmp_path / "x.jsonl").exists()


def test_the_review_desk_opens_and_its_decisions_are_written(
    data: Path, tmp_path: Path, right: Samples
) -> None:
    desk, out = tmp_path / "desk", tmp_path / "decided.jsonl"
    said = run(data, "--kinds", "foreign_parameter", "--desk", desk).output
    assert f"looptool view {desk} --at view=DisagreementView" in said.replace("\n", " ")
    given = Samples.read(data)
    # It has a run's form, and no loop works on it.
    assert [line.state for line in runs(tmp_path)] == ["review desk of an audit"]
    for command in (
        ["plan"],
        ["export", f"{desk}.jsonl"],
        ["report"],
        ["seed", "--yes"],
        ["probe", "--yes"],
        ["evaluate"],
        ["loop"],
    ):
        done = CliRunner().invoke(app, [command[0], str(desk), *command[1:]])
        assert "is the review desk of an audit" in str(done.exception), command
    with Run.open(desk) as opened:
        try:
            from looptool_kit.widgets import DisagreementView
        except ImportError:
            pytest.skip("the views are not installed")
        view = DisagreementView(opened)
        assert {s.id for s in view.selection} == {given[1].id, given[3].id}
        view.on_decide(given[1].id, "LABEL_WRONG", "so it says in the ticket")
        view.on_decide(given[3].id, "BOTH_WRONG")
    said = run(data, "--repair", out, "--decided", desk).output
    assert "1 label changed, 1 sample dropped" in said
    rows = Samples.read(out)
    assert len(rows) == 7 and rows[1].label == right[1].label and rows[1].source == "person"
    about: Any = rows[1].meta["audit"]
    assert about["reason"] == "so it says in the ticket" and about["author"]


def test_nothing_is_written_where_nothing_or_other_rows_were_decided(
    data: Path, tmp_path: Path, right: Samples
) -> None:
    desk, out, other = tmp_path / "desk", tmp_path / "decided.jsonl", tmp_path / "other.jsonl"
    run(data, "--kinds", "foreign_parameter", "--desk", desk)
    Samples(right[20:24]).write(other)
    done = CliRunner().invoke(app, ["audit", str(data), "--repair", str(out), "--decided", str(desk)])
    assert done.exit_code == 1 and "nothing is decided in" in str(done.exception)
    with Run.open(desk) as opened:
        opened.decide("verdict", Samples.read(data)[1].id, "BOTH_WRONG", iteration=1)
    done = CliRunner().invoke(app, ["audit", str(other), "--repair", str(out), "--decided", str(desk)])
    assert done.exit_code == 1 and "is about other rows" in str(done.exception) and not out.exists()


def test_label_wrong_alone_takes_the_proposal_and_is_refused_where_there_is_none(
    data: Path, tmp_path: Path, right: Samples
) -> None:
    desk, out = tmp_path / "desk", tmp_path / "decided.jsonl"
    Samples([*Samples.read(data), right[0]]).write(data)
    run(data, "--desk", desk)
    given, command = Samples.read(data), ["audit", str(data), "--repair", str(out), "--decided", str(desk)]
    with Run.open(desk) as opened:
        for id in (given[1].id, right[0].id):
            opened.decide("verdict", id, "LABEL_WRONG", iteration=1)
        done = CliRunner().invoke(app, command)
        assert "nothing proposes another label" in str(done.exception) and not out.exists()
        opened.decide("verdict", right[0].id, "undo", iteration=1)
    assert "1 label changed" in CliRunner().invoke(app, command).output
    assert Samples.read(out)[1].label == right[1].label
    both = [*command[:-1], str(tmp_path / "x"), "--apply", "type"]
    assert "not both" in str(CliRunner().invoke(app, both).exception)


def test_what_could_not_be_looked_at_is_refused(data: Path, tmp_path: Path) -> None:
    Run.create(tmp_path / "run").close()
    for words, options in (
        ("leak and shared_words compare with a test set", ["--kinds", "leak,shared_words"]),
        ("is no desk of an audit", ["--repair", tmp_path / "x.jsonl", "--decided", tmp_path / "run"]),
    ):
        done = CliRunner().invoke(app, ["audit", str(data), *map(str, options)])
        assert words in str(done.exception) and done.output == ""
    run(data, "--kinds", "leak", "--against", data)


def test_a_mistyped_kind_to_repair_is_said_before_anything_is_written(data: Path, tmp_path: Path) -> None:
    page, out = tmp_path / "page.html", tmp_path / "new.jsonl"
    command = ["audit", str(data), "--out", str(page), "--repair", str(out), "--apply"]
    done = CliRunner().invoke(app, [*command, "typ"])
    assert "did you mean type?" in str(done.exception) and not page.exists()
    assert CliRunner().invoke(app, [*command, "type"]).exit_code == 0 and page.exists() and out.exists()


def test_a_run_s_newest_dataset_is_audited(tmp_path: Path, data: Path) -> None:
    folder = tmp_path / "run"
    with Run.create(folder, "cpu") as made:
        Samples.read(data).write(made.folder(1) / "samples.parquet")
    said = run(folder).output
    assert "8 samples: 2 with an error" in said and f"the newest dataset of {folder}, D1:" in said


def test_a_test_set_of_one_s_own_is_compared_with(tmp_path: Path, right: Samples) -> None:
    test, mine = right[:10], right[10:20]
    last = test[0].messages[-1]
    # A word more in a test sample, and a test request inside another text.
    near = test[0].model_copy(
        update={
            "messages": (*test[0].messages[:-1], last.model_copy(update={"content": f"{last.content} ok"}))
        }
    )
    file = Samples([*mine, test[1], near]).write(tmp_path / "mine.jsonl")
    lines = tmp_path / "found.jsonl"
    run(file, "--against", Samples(test).write(tmp_path / "test.jsonl"), "--jsonl", lines, "--kinds", "leak")
    assert {11, 12} <= {f.row for f in Findings.read(lines)}
    assert "leak" not in run(file).output


def bfcl_row(at: int, truth: Any) -> dict[str, Any]:
    said = f"Book Luigi's for 2 people and Mario's for 4, on day {at}."
    return {
        "id": f"own_{at}",
        "question": [[{"role": "user", "content": said}]],
        "function": [TOOL],
        "truth": truth,
    }


@pytest.mark.parametrize("beside", [True, False])
def test_questions_in_bfcl_s_form_are_read_with_their_answers(beside: bool, tmp_path: Path) -> None:
    def answers(*calls: dict[str, Any]) -> list[dict[str, Any]]:
        return [{"book.table": c} for c in calls]

    truths = [
        answers({"place": ["Luigi's"], "people": [2, ""]}, {"place": ["Mario's"], "people": [4]}),
        answers({"place": ["Luigi's", "Mario's"], "people": [4]}, {"place": ["Mario's"], "people": [4, ""]}),
        answers({"place": ["Luigi's"], "people": ["two", ""]}),
        answers({"place": ["Luigi's"], "mood": ["good"]}),
        "not a list",
    ]
    rows = [bfcl_row(at, truth) for at, truth in enumerate(truths)]
    rows.append({"id": "own_9", "question": [], "involved_classes": ["Travel"], "truth": []})
    file = tmp_path / "BFCL_v4_own_parallel.json"
    given = [
        ({} if beside else {"ground_truth": r["truth"]}) | {k: v for k, v in r.items() if k != "truth"}
        for r in rows
    ]
    file.write_text("\n".join(map(json.dumps, given)))
    if beside:
        folder = tmp_path / "possible_answer"
        folder.mkdir()
        told = [{"id": r["id"], "ground_truth": r["truth"]} for r in rows]
        (folder / file.name).write_text("\n".join(map(json.dumps, told)))
    lines = tmp_path / "found.jsonl"
    run(file, "--jsonl", lines)
    found = {(f.row, f.kind) for f in Findings.read(lines) if f.severity == "error"}
    wanted = {
        (2, "shared_call"),
        (3, "forbidden_answers"),
        (4, "foreign_parameter"),
        (4, "refused"),
        (5, "refused"),
    }
    assert found == wanted | {(6, "unreadable")}
    shared = next(f for f in Findings.read(lines) if f.kind == "shared_call")
    assert shared.place == f"/meta/{ACCEPTABLE}/1" and "Mario's" in shared.reason


def test_the_help_lists_every_kind_with_what_it_was_measured_to_be() -> None:
    done = run("--help-kinds")
    assert done.exit_code == 0 and "not measured" not in done.output
    assert all(kind in done.output for kind in kinds())
