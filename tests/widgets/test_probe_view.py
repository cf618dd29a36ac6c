"""The probe view and its table without a page: what Python holds, answers and hands back."""

from __future__ import annotations

import importlib.util
import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
from widget_pages import asked

pytest.importorskip("anywidget")

from looptool_kit.core.records import Probes
from looptool_kit.core.samples import Samples
from looptool_kit.run.folder import Run
from looptool_kit.widgets import DisagreementView, ProbeView
from looptool_kit.widgets.rows import HEAD_ROWS, MAX_PAGE_ROWS, Rows


@pytest.fixture
def probed(run: Run) -> tuple[Probes, Samples]:
    """The recorded run's second iteration."""
    return run.table(Probes, "probes", 2), run.table(Samples, "samples", 2)


def page(view: ProbeView, start: int = 0, count: int = 100) -> list[dict[str, str]]:
    """Rows as the page shows them."""
    return [dict(zip(view.rows.names, row, strict=True)) for row in view.on_page(start, count)["rows"]]


def test_rows_sort_filter_search() -> None:
    rows = Rows(
        {
            "n": np.array([3, 1, 2]),
            "p": np.array([1.5, float("nan"), 0.5]),
            "word": ["b", "A", "c"],
            "tags": [("x", "y"), (), ("y",)],
        },
        facets=["n", "word", "tags"],
        text=lambda i: ["Straße one", "two", "STRASSE three"][i],
    )
    assert rows.order("n").tolist() == [1, 2, 0] and rows.order("-n").tolist() == [0, 2, 1]
    assert rows.order("p").tolist() == [2, 0, 1] and rows.order("-p").tolist()[-1] == 1
    assert rows.order("word").tolist() == [1, 0, 2] and rows.order("-word").tolist() == [2, 0, 1]
    assert rows.order(filters={"tags": "y"}).tolist() == [0, 2] and rows.order(
        filters={"n": "2"}
    ).tolist() == [2]
    assert rows.order(filters={"n": "many"}).tolist() == []
    assert rows.order(filters={"word": "no such"}).tolist() == [] and rows.order(
        filters={"word": ""}
    ).tolist() == [0, 1, 2]
    assert rows.order(search="strasse").tolist() == [0, 2] and rows.order(
        "-n", {"tags": "x"}, "one"
    ).tolist() == [0]
    assert rows.order(keep=np.array([False, True, True])).tolist() == [1, 2]
    assert rows.values("tags") == [("x", 1), ("y", 2)] and rows.values("n") == [("1", 1), ("2", 1), ("3", 1)]
    assert rows.cell("tags", 0) == "x, y" and rows.cell("p", 0) == "1.5000"
    with pytest.raises(ValueError, match="different lengths"):
        Rows({"a": ["x"], "b": []})
    assert Rows({"a": []}).order("a").tolist() == []


def test_numbers_in_words_sort_by_size() -> None:
    rows = Rows({"n": ["10", "9", "100"]}, ["n"])
    assert rows.order("n").tolist() == [1, 0, 2] and [v for v, _ in rows.values("n")] == ["9", "10", "100"]


def test_shows_the_newest_iteration_with_its_recorded_states(
    run: Run, probed: tuple[Probes, Samples]
) -> None:
    probes, samples = probed
    view = ProbeView(run)
    assert view.filters == {"iteration": "2"} and len(view.selection) == len(probes) < view.total
    recorded = {p.sample_id: p.state for p in probes}
    assert view.states == {s: list(recorded.values()).count(s) for s in ("mastered", "borderline", "failed")}
    shown = [row["state"] for start in range(0, len(probes), 100) for row in page(view, start)]
    assert shown == [recorded[s.id] for s in view.selection]
    assert view.threshold == run.manifest("probes", 2)["threshold"]
    assert ProbeView(run, iteration=1).filters == {"iteration": "1"}
    alone = ProbeView(probes, samples)
    assert alone.states == view.states and alone.filters == {} and "iteration" not in alone.rows.names
    assert [c["name"] for c in view.columns if c["lasting"]] == ["iteration"]
    late = ProbeView(run, iteration=3)
    assert late.total == 0 and "Iteration 3 of run has no probes yet" in late.missing
    assert late.missing in late.static_html() and asked(late, "sample", at=0)["sample"] is None
    assert sum(asked(late, "chart")["states"].values()) == 0
    with pytest.raises(ValueError, match="not among the samples given"):
        ProbeView(probes, samples[:3])


def test_threshold_recolours_and_is_decided_when_let_go(run: Run) -> None:
    view = ProbeView(run)
    recorded, correct = view.threshold, view.states["mastered"] + view.states["borderline"]
    assert asked(view, "threshold", value=1.0) == {"req": "1"}
    assert view.states["borderline"] == correct and not (run.path / "decisions.jsonl").exists()
    assert "is saved for iteration 2" in asked(view, "threshold", value=9.0, keep=True)["message"]
    assert view.states["borderline"] == 0 and run.decisions("threshold")[""].value == 9.0
    asked(view, "threshold", value=1.03, keep=True)
    again = ProbeView(run)
    assert again.threshold == 1.03 and again.can_undo
    asked(again, "undo")
    assert again.threshold == 9.0 and again.can_undo
    asked(again, "undo")
    assert again.threshold == recorded and not again.can_undo and run.decisions("threshold") == {}
    below = asked(again, "threshold", value=0.5, keep=True)["error"]
    assert below == "a perplexity is a number from 1 up, not 0.5"
    assert "from 1 up" in asked(again, "threshold", value=float("nan"))["error"]
    assert again.threshold == recorded


def test_a_chosen_threshold_holds_in_the_next_probe(run: Run) -> None:
    view = ProbeView(run)
    asked(view, "threshold", value=1.01, keep=True)
    chosen = run.decisions("threshold", 2)[""]
    assert run.decisions("threshold", 1) == {}, (
        "an earlier iteration keeps its threshold, or else it and all after it would be redone"
    )
    # What stage probe makes of the decision: correct answers above it are borderline.
    probes = run.table(Probes, "probes", 2)
    assert (
        sum(p.correct and p.perplexity > float(str(chosen.value)) for p in probes)
        == view.states["borderline"]
    )


def test_a_run_open_to_look_at_is_left_alone(run: Run) -> None:
    view = ProbeView(Run.open(run.path, read_only=True))
    assert "open read-only" in asked(view, "threshold", value=1.2, keep=True)["message"]
    assert view.threshold == 1.2 and not (run.path / "decisions.jsonl").exists()
    assert asked(view, "undo")["message"] == "there is nothing to undo"


def test_an_error_has_the_name_that_it_has_at_the_desk(run: Run) -> None:
    for iteration in run.iterations[:2]:
        desk, view = DisagreementView(run, iteration), ProbeView(run, iteration=iteration)
        at_the_desk, here = (
            {(v.rows.cell("request", i), v.rows.cell("error", i)) for i in v.order} for v in (desk, view)
        )
        wrong = {(request, error) for request, error in at_the_desk if error not in ("", "–")}
        assert wrong and wrong <= here


def test_brush_filters_and_search_make_the_selection(run: Run) -> None:
    view = ProbeView(run, iteration=2)
    probes = {p.sample_id: p for p in run.table(Probes, "probes", 2)}
    view.brush = [1.05, 1.1]
    inside = {i for i, p in probes.items() if 1.05 <= p.perplexity <= 1.1}
    assert {s.id for s in view.selection} == inside and sum(view.states.values()) == len(probes)
    view.filters = {**view.filters, "error": "wrong value"}
    assert {s.id for s in view.selection} == {i for i in inside if probes[i].error == "wrong_value"} != set()
    view.brush, view.filters = [], {"tool": "listPlaylists", "iteration": "2"}
    assert all("listPlaylists" in [c.name for c in s.label.calls] for s in view.selection) and len(
        view.selection
    )
    view.filters, view.search = {}, view.selection[0].request[:20].upper()
    assert view.selection and all(
        view.search.lower() in (s.request + probes[s.id].text).lower()
        for s in view.selection
        if s.id in probes
    )
    view.search = ""
    # A sample that was probed in both iterations is selected once.
    assert len(view.selection) == len({s.id for s in view.selection}) < view.count == view.total
    view.brush = [1.2, 1e300]
    assert view.brush[1] == max(p.perplexity for p in view._probes)
    for bad in ({"no": "1"},):
        with pytest.raises(Exception, match="cannot filter by no"):
            view.filters = bad
    with pytest.raises(Exception, match="cannot sort by 'no'"):
        view.sort = "no"


def test_the_cursor_follows_its_row(run: Run) -> None:
    view = ProbeView(run)
    view.cursor = 5
    chosen = view.row
    before = asked(view, "sample", at=view.cursor)["sample"]["id"]
    head = view.head
    view.sort = "-perplexity"
    assert view.head == view.on_page(0, HEAD_ROWS) != head, "the first rows travel with the order"
    assert (
        view.row == chosen
        and view.cursor != 5
        and asked(view, "sample", at=view.cursor)["sample"]["id"] == before
    )
    values = [float(r["perplexity"]) for r in page(view)]
    assert values == sorted(values, reverse=True)
    view.brush = [1.0, 1.0]
    assert (
        view.count == 0
        and view.row is None
        and asked(view, "sample", at=view.cursor)["sample"] is None
        and len(view.selection) == 0
    )
    view.brush = []
    view.cursor = 10_000
    assert view.row == view.order[-1]


def test_pages_are_bounded(probed: tuple[Probes, Samples]) -> None:
    view = ProbeView(*probed)
    assert len(asked(view, "page", start=-5, count=10**9)["rows"]) <= MAX_PAGE_ROWS
    assert asked(view, "page", start=10**9, count=5)["rows"] == []
    assert "error" in asked(view, "page", start="x", count=1)


def test_no_probes() -> None:
    view = ProbeView(Probes(), Samples())
    assert view.count == 0 and len(view.selection) == 0 and "svg" in view.on_chart()
    view.threshold = 2
    assert view.states == {"mastered": 0, "borderline": 0, "failed": 0}


def test_perplexities_near_one_are_spread_over_the_axis(run: Run) -> None:
    view = ProbeView(run)
    edges, bins = view._bins(view._filtered())
    most = max(sum(bins == k) for k in range(len(edges) - 1))
    assert most <= len(bins) / 6, "the threshold parts samples of many bars"
    svg = view.on_chart()["svg"]
    low, high, origin = (
        float(re.search(rf'data-{name}="(.*?)"', svg)[1]) for name in ("low", "high", "origin")
    )
    assert origin < 1 and edges[0] == pytest.approx(origin + math.exp(low))
    assert edges[-1] == pytest.approx(origin + math.exp(high))
    assert all(f">{mark}<" in svg for mark in ("1.001", "1.01", "1.1"))


@pytest.mark.parametrize("most", [1.0, 1.004, 3.0, 1e6])
def test_marks_are_round_whatever_the_range(probed: tuple[Probes, Samples], most: float) -> None:
    rows = [p.model_copy(update={"perplexity": x}) for p, x in zip(probed[0], (1.0, most) * 99, strict=False)]
    svg = ProbeView(Probes(rows), Samples(probed[1][: len(rows)])).on_chart()["svg"]
    marks = re.findall(r'text-anchor="middle"[^>]*>([\d.,]+)<', svg)
    assert 2 <= len(marks) <= 24 and all(len(mark) <= 9 for mark in marks), marks


def test_hostile_text_and_odd_perplexities(probed: tuple[Probes, Samples]) -> None:
    bad = '<script>alert(1)</script><img src=x onerror="alert(1)">\x1b[31m\u202e'
    sample, probe = probed[1][0], probed[0][0]
    message = sample.messages[-1].model_copy(update={"content": bad})
    rows = [sample.model_copy(update={"messages": (message,), "kind": f"{bad}{i}"}) for i in range(4)]
    rows = [
        s.model_copy(update={"label": s.label.model_copy(update={"reply": str(i)})})
        for i, s in enumerate(rows)
    ]
    odd = [1.0, 1.5, float("inf"), float("nan")]
    probes = Probes(
        probe.model_copy(update={"sample_id": s.id, "perplexity": p, "text": bad})
        for s, p in zip(rows, odd, strict=True)
    )
    view = ProbeView(probes, Samples(rows))
    still = view.static_html()
    assert (
        "<script" not in still
        and "<img src=x" not in still
        and "\x1b" not in still
        and "\u202e" not in still
        and "&lt;script" in still
    )
    assert "<script" not in view.on_chart()["svg"] and sum(view.states.values()) == 4
    assert view.threshold >= 1


def test_the_picture_without_a_kernel_is_small(run: Run) -> None:
    view = ProbeView(run)
    still = view._repr_mimebundle_()[0]["text/html"]
    assert "data:image/svg+xml" in still and "borderline" in still and len(still.encode()) < 60_000


def test_few_bytes_whatever_the_number_of_probes() -> None:
    path = Path(__file__).parents[2] / "benchmarks" / "bench_widgets.py"
    spec = importlib.util.spec_from_file_location("bench_widgets", path)
    assert spec is not None and spec.loader is not None
    bench = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(bench)
    view = ProbeView(*bench.synthetic(2_000))
    assert len(json.dumps(view.get_state(), default=str)) < 200_000
    view.sort, view.brush = "request", [1.0, 1.5]
    assert view.count > 1_500 and len(json.dumps(asked(view, "page", start=1_000, count=60))) < 50_000
    assert len(json.dumps(asked(view, "chart"))) < 50_000 and len(view.static_html().encode()) < 60_000
