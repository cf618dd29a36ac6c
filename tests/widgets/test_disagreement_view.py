"""The review desk's Python side: what a person decides there, and that the next dataset obeys it."""

from __future__ import annotations

import html
import json
from pathlib import Path
from typing import Any, get_args

import pytest
from widget_pages import asked, shown, with_verdict

from looptool_kit.core.records import Probe, Probes, VerdictName, Verdicts
from looptool_kit.core.samples import Label, Samples
from looptool_kit.run.folder import Run

pytest.importorskip("anywidget")

from looptool_kit.widgets import DisagreementView  # noqa: E402

VERDICTS = get_args(VerdictName)
ITERATION = 2


@pytest.fixture
def view(run: Run) -> DisagreementView:
    return DisagreementView(run)


def test_the_queue_starts_with_the_thinnest_and_shows_all_that_the_judge_weighed(
    view: DisagreementView,
) -> None:
    judged = view.run.table(Verdicts, "verdicts", ITERATION)
    assert view.iteration == ITERATION and view.count == len(judged) and view.cursor == 0
    confidences = [view.verdicts[i].confidence for i in view.order]
    assert confidences == sorted(confidences) and {s.id for s in view.selection} == {
        v.sample_id for v in judged
    }
    row = shown(view)
    verdict = next(v for v in judged if v.sample_id == row["id"])
    assert row["detail"]["verdict"]["rationale"] == verdict.rationale and len(
        row["detail"]["verdict"]["evidence"]
    ) == len(verdict.evidence)
    assert row["decision"] is None and view.progress["left"] == len(judged)
    view.filters = {"judge": "unjudged"}
    assert {s.id for s in view.selection} == set(with_verdict(view, None)) and 0 < view.count < len(judged)


def test_a_decision_is_on_disk_at_once_and_found_again(view: DisagreementView) -> None:
    first = shown(view)["id"]
    assert (
        "PRED_WRONG"
        in asked(view, "decide", id=first, verdict="PRED_WRONG", note=" plain as day ")["message"]
    )
    second = shown(view)["id"]
    assert second != first and view.progress["reviewed"] == 1
    written = json.loads((view.run.path / "decisions.jsonl").read_text())
    assert (written["row"], written["value"], written["reason"], written["iteration"]) == (
        first,
        {"verdict": "PRED_WRONG"},
        "plain as day",
        ITERATION,
    )
    again = DisagreementView(Run.open(view.run.path, read_only=True))
    assert list(again.decisions) == [first] and again.progress["reviewed"] == 1
    asked(view, "decide", id=second, verdict="BOTH_CORRECT")
    asked(view, "decide", id=first, verdict="BOTH_WRONG", note="on second thoughts")
    assert [view.decisions[first].value, len(view.decisions)] == [{"verdict": "BOTH_WRONG"}, 2]
    view.filters = {"decided": "not reviewed"}
    assert view.count == len(view.verdicts) - 2 and first not in {s.id for s in view.selection}
    words = next(s.request for s in view.samples if s.id == first)[:20]
    assert asked(view, "undo")["message"].startswith(f"Undone: BOTH_WRONG on “{words}")
    assert view.decisions[first].reason == "plain as day" and view.notes == {}
    asked(view, "undo")
    asked(view, "undo")
    assert view.notes[first] == "plain as day", "it is there for another verdict"
    assert view.decisions == {} and view.count == len(view.verdicts) and shown(view)["id"] == first
    assert "nothing to undo" in asked(view, "undo")["message"]


def test_deciding_goes_on_to_what_is_left_and_skip_passes_what_is_decided(view: DisagreementView) -> None:
    order = [s.id for s in view.selection]
    for at in (1, 0):
        asked(view, "decide", id=order[at], verdict="PRED_WRONG")
    assert shown(view)["id"] == order[2]
    asked(view, "skip")
    assert shown(view)["id"] == order[3]
    rare = min(
        (n for n in VERDICTS if len(with_verdict(view, n)) >= 2), key=lambda n: len(with_verdict(view, n))
    )
    view.filters = {"judge": rare}
    first, *others = [s.id for s in view.selection]
    for id in reversed(others):
        assert (
            "last row" not in asked(view, "decide", id=id, verdict=rare)["message"]
            and shown(view)["id"] == first
        )
    assert (
        "last row" in asked(view, "decide", id=first, verdict=rare)["message"] and shown(view)["id"] == first
    )
    assert "No other row" in asked(view, "skip")["message"]


def test_label_wrong_records_the_label_that_the_person_saw(run: Run) -> None:
    view = DisagreementView(run)
    # One answer cannot be read.
    cut = with_verdict(view, "PRED_WRONG")[-1]
    answered = {"text": '<tool_call>{"name": ', "answer": {"error": "truncated"}}
    rows = [Probe.model_validate(p.model_dump() | answered) if p.sample_id == cut else p for p in view.probes]
    Probes(rows).write(run.folder(view.iteration) / "probes.parquet")
    view = DisagreementView(run)
    probes = {p.sample_id: p for p in view.probes}
    whole = next(
        i
        for i in with_verdict(view, "PRED_WRONG")
        if not probes[i].answer.error and "redundant" in str(probes[i].faults)
    )
    asked(view, "decide", id=whole, verdict="LABEL_WRONG")
    assert Label.model_validate(view.decisions[whole].value["label"]).calls == probes[whole].answer.calls  # type: ignore[index,call-overload]
    assert [i for i, p in probes.items() if p.answer.error] == [cut]
    answer = asked(view, "decide", id=cut, verdict="LABEL_WRONG")
    assert (
        "cannot be a label" in answer["error"]
        and "Edit the label" in answer["error"]
        and cut not in view.decisions
    )
    assert "there is no verdict" in asked(view, "decide", id=cut, verdict="MAYBE")["error"]
    assert "no row" in asked(view, "decide", id="nobody", verdict="PRED_WRONG")["error"]


def test_bulk_accepts_what_was_confirmed_and_goes_back_as_one(view: DisagreementView) -> None:
    mine = with_verdict(view, "PRED_WRONG")[0]
    asked(view, "decide", id=mine, verdict="BOTH_WRONG", note="mine")
    found = asked(view, "bulk")
    rare = min(
        (n for n in VERDICTS if n != "PRED_WRONG" and with_verdict(view, n)),
        key=lambda n: len(with_verdict(view, n)),
    )
    unjudged, wrong = len(with_verdict(view, None)), with_verdict(view, rare)
    many = len(view.verdicts) - unjudged - 1
    assert (
        unjudged
        and wrong
        and (found["count"], found["rest"]) == (many, unjudged)
        and sum(found["of"].values()) == many
    )
    assert f"there are {many} such rows now, not 5" in asked(view, "accept", count=5)["error"]
    view.filters = {"judge": rare}
    asked(view, "accept", count=len(wrong))
    view.filters = {}
    assert set(view.decisions) == {mine, *wrong}
    asked(view, "accept", count=many - len(wrong))
    assert view.progress["left"] == unjudged and view.decisions[mine].reason == "mine"
    # The judge's verdicts accepted in bulk are no second opinion: they never raise the agreement.
    assert (view.kappa.n, view.kappa.observed) == (1, 0.0) and view.progress["together"] == many
    assert f"{many - len(wrong)} rows" in asked(view, "undo")["message"] and view.progress[
        "reviewed"
    ] == 1 + len(wrong)
    assert f"{len(wrong)} rows" in asked(view, "undo")["message"] and list(view.decisions) == [mine]


def test_blind_hides_the_judge_until_the_person_has_decided(view: DisagreementView) -> None:
    seen, blind = [i for i in with_verdict(view, "PRED_WRONG")[:2]]
    asked(view, "decide", id=seen, verdict="BOTH_WRONG")
    assert (view.kappa.n, view.kappa.observed, view.progress["blind"]) == (1, 0.0, False)
    view.filters, view.blind = {"judge": "PRED_WRONG"}, True
    assert view.filters == {}, "it would tell what is hidden"
    [told] = [c for c in view.columns if c["name"] == "judge"]
    assert told["closed"] and told["values"] is None and "switch blind off" in asked(view, "bulk")["error"]
    names, rows = view.rows.names, view.head["rows"]
    judge, confidence, decided = (names.index(n) for n in ("judge", "confidence", "decided"))
    hidden = [r for r in rows if r[decided] == "not reviewed"]
    assert hidden and {(r[judge], r[confidence]) for r in hidden} == {("hidden", "hidden")}
    assert [r[judge] for r in rows if r[decided] == "BOTH_WRONG"] == ["PRED_WRONG"]
    view.cursor = [view.samples[i].id for i in view.order].index(blind)
    assert "verdict" not in shown(view)["detail"] and "PRED_WRONG" not in json.dumps(shown(view))
    view.filters = {"judge": "PRED_WRONG"}
    assert {s.id for s in view.selection} == {seen}, "a filter would tell what is hidden"
    view.filters = {}
    assert "switch blind off" in asked(view, "accept", count=1)["error"]
    asked(view, "decide", id=blind, verdict="PRED_WRONG")
    assert view.decisions[blind].value == {"verdict": "PRED_WRONG", "blind": True}
    # Where some are decided blind, only these count; the one decided with the verdict in view does not.
    assert (view.kappa.n, view.kappa.observed, view.progress["blind"]) == (1, 1.0, True)
    view.cursor = [view.samples[i].id for i in view.order].index(blind)
    assert shown(view)["detail"]["verdict"]["name"] == "PRED_WRONG"
    still = DisagreementView(Run.open(view.run.path, read_only=True))
    assert list(still.decisions) == [seen, blind]


def test_kappa_is_shown_once_it_says_something(view: DisagreementView) -> None:
    judged = [v for v in view.verdicts if v.verdict]
    alike = [v for v in judged if v.verdict == "PRED_WRONG"][:10]
    other = next(v for v in judged if v.verdict == "BOTH_CORRECT")
    for v in alike:
        assert view.progress["kappa"] is None
        asked(view, "decide", id=v.sample_id, verdict="PRED_WRONG")
    assert view.progress["n"] == 10 == view.progress["needs"]
    assert view.progress["kappa"] is None, "one verdict on all rows agrees by chance alone"
    asked(view, "decide", id=other.sample_id, verdict="BOTH_CORRECT")
    value, low, high = view.progress["kappa"]
    assert low < value == view.kappa.kappa == 1.0 and low < 0.9 and high == pytest.approx(1.0)


def test_notes(view: DisagreementView) -> None:
    row = shown(view)["id"]
    asked(view, "note", id=row, note="look again")
    assert view.notes == {row: "look again"} and view.decisions == {}
    asked(view, "decide", id=row, verdict="BOTH_CORRECT", note="look again")
    assert view.notes == {} and view.decisions[row].reason == "look again"
    asked(view, "note", id=row, note="seen twice")
    assert (view.decisions[row].reason, view.decisions[row].value) == (
        "seen twice",
        {"verdict": "BOTH_CORRECT"},
    )


def test_what_other_cells_decide_is_seen(view: DisagreementView) -> None:
    row = shown(view)["id"]
    view.run.decide("verdict", row, "LABEL_WRONG", "by code")
    other = next(j for j in (1, 2) if j != view.iteration)
    here = {p.sample_id for p in view.probes}
    others = view.run.table(Verdicts, "verdicts", other)
    elsewhere = next(v.sample_id for v in others if v.sample_id not in here)
    view.run.decide("verdict", elsewhere, "LABEL_WRONG")
    assert list(view.decisions) == [row] and view.progress["reviewed"] == 1
    assert shown(view)["decision"]["verdict"] == "LABEL_WRONG"
    asked(view, "undo")
    assert view.decisions == {}


def test_a_run_opened_to_look_at_says_so_and_decides_nothing(view: DisagreementView) -> None:
    looking = DisagreementView(Run.open(view.run.path, read_only=True))
    row = shown(looking)["id"]
    kinds: dict[str, dict[str, Any]] = {
        "label": {"id": row, "text": "no"},
        "note": {"id": row, "note": "x"},
        "undo": {},
        "bulk": {},
        "accept": {"count": 0},
    }
    for kind, values in {"decide": {"id": row, "verdict": "PRED_WRONG"}, **kinds}.items():
        assert "opened read-only" in asked(looking, kind, **values)["error"]
    assert (
        "Run.open(" in looking.blocked
        and not view.blocked
        and not (view.run.path / "decisions.jsonl").exists()
    )


def test_where_nothing_is_judged_the_view_is_empty_and_says_which_stage_is_missing(
    run: Run, tmp_path: Path
) -> None:
    view = DisagreementView(Run.create(tmp_path / "new", "cpu-quick"))
    assert view.count == view.total == 0 and shown(view) == {"req": "1", "id": None}
    for text in (view.missing, view.static_html()):
        assert "No iteration of new has verdicts yet" in text and "lt.verify(run)" in text
    late = DisagreementView(run, iteration=3)
    assert "Iteration 3 of run has no verdicts yet (there are some of iteration 1, 2)" in late.missing
    assert asked(late, "bulk")["count"] == 0 and "nothing to undo" in asked(late, "undo")["message"]


# --------------------------------------------------------------- many, hostile


def many(run: Run, count: int) -> Run:
    """The run with `count` verdict rows in iteration 2, in memory only: writing and reading them takes longer
    than all that is tested here.
    """
    samples, probes = (
        run.table(Samples, "samples", ITERATION),
        {p.sample_id: p for p in run.table(Probes, "probes", ITERATION)},
    )
    verdicts = run.table(Verdicts, "verdicts", ITERATION)
    by_id = samples.by_id()
    rows, probed, judged = [], [], []
    for i in range(count):
        verdict = verdicts[i % len(verdicts)]
        sample = by_id[verdict.sample_id]
        message = sample.messages[-1].model_copy(update={"content": f"{sample.request} ({i})"})
        sample = sample.model_copy(update={"tools": sample.tools[:1], "messages": (message,)})
        rows.append(sample)
        probed.append(
            probes[verdict.sample_id].model_copy(
                update={"sample_id": sample.id, "tokens": (), "token_ids": (), "logprobs": ()}
            )
        )
        judged.append(verdict.model_copy(update={"sample_id": sample.id, "confidence": i / count}))
    tables = {"samples": Samples(rows), "probes": Probes(probed), "verdicts": Verdicts(judged)}
    run.table = lambda kind, name, iteration: tables[name]  # type: ignore[assignment, method-assign]
    return run


def test_ten_thousand_rows_travel_by_page(run: Run) -> None:
    view = DisagreementView(many(run, 10_000))
    assert view.count == 10_000 and len(view.static_html()) < 60_000
    assert len(json.dumps(asked(view, "page", start=5000, count=50))) < 40_000
    assert (
        len(
            json.dumps(
                {name: view.get_state()[name] for name in view.keys if name not in ("_esm", "_css")},
                default=str,
            )
        )
        < 20_000
    )
    for kind, values in (
        ("detail", {"at": 7}),
        ("decide", {"id": view.samples[7].id, "verdict": "PRED_WRONG"}),
        ("undo", {}),
        ("bulk", {}),
    ):
        answer = asked(view, kind, **values)
        assert "error" not in answer and len(json.dumps(answer)) < 30_000
    asked(view, "accept", count=answer["count"])
    last = next(v.sample_id for v in view.verdicts if not v.verdict)
    asked(view, "decide", id=last, verdict="PRED_WRONG")
    assert view.progress["reviewed"] == answer["count"] + 1 and list(view.decisions)[-1] == last
    asked(view, "undo")
    asked(view, "undo")
    assert view.decisions == {}


def test_the_fallback_without_a_kernel_is_text(run: Run) -> None:
    bad = "<script>window.bad=1</script><img src=x onerror=window.bad=1>\x1b[31m"
    verdicts = run.table(Verdicts, "verdicts", ITERATION)
    Verdicts(v.model_copy(update={"rationale": bad}) for v in verdicts).write(
        run.folder(ITERATION) / "verdicts.parquet"
    )
    text = DisagreementView(run).static_html()
    assert (
        "<script" not in text
        and "<img" not in text
        and "\x1b" not in text
        and html.escape("<script>") in text
    )
    assert "Disagreements of iteration 2" in text and f"left {len(verdicts)}" in text
