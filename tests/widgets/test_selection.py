"""What a person keeps of a table of samples: tags, filters, files, links and a name."""

from __future__ import annotations

import csv
import io
import json
import shutil
from pathlib import Path

import pytest

pytest.importorskip("anywidget")

from typer.testing import CliRunner  # noqa: E402
from widget_pages import asked  # noqa: E402

from looptool_kit.cli import app  # noqa: E402
from looptool_kit.core.records import Probes  # noqa: E402
from looptool_kit.core.samples import Sample, Samples  # noqa: E402
from looptool_kit.report.about import decided  # noqa: E402
from looptool_kit.run.folder import Run  # noqa: E402
from looptool_kit.widgets import DisagreementView, ProbeView  # noqa: E402
from looptool_kit.widgets.page import VIEWS, open_for_page, run_page  # noqa: E402

RECORDED = Path(__file__).parents[2] / "sample_data" / "run"


@pytest.fixture
def run(tmp_path: Path) -> Run:
    shutil.copytree(RECORDED, tmp_path / "run")
    return Run.open(tmp_path / "run")


def values_of(view: DisagreementView | ProbeView, facet: str) -> dict[str, int | None]:
    return next(dict(c["values"]) for c in view.columns if c["name"] == facet)


def test_tags_are_a_facet_are_found_and_stay_with_the_sample(run: Run) -> None:
    desk = DisagreementView(run)
    id = asked(desk, "row", at=3)["id"]
    assert asked(desk, "tag", id=id, tags=" hard, dates ,hard,")["message"] == "tagged hard, dates"
    assert values_of(desk, "tags") == {"(none)": len(desk.verdicts) - 1, "dates": 1, "hard": 1}
    desk.filters = {"tags": "hard"}
    assert [s.id for s in desk.selection] == [id] and asked(desk, "row", at=0)["tags"] == "hard, dates"
    desk.filters, desk.search = {}, "dates"
    assert id in {s.id for s in desk.selection}
    probes = ProbeView(Run.open(run.path))
    probes.filters = {**probes.filters, "tags": "hard"}
    assert [s.id for s in probes.selection] == [id]
    assert [d.value for d in decided(run)] == ["hard, dates"]
    desk.search = ""
    asked(desk, "tag", id=id, tags="")
    assert values_of(desk, "tags") == {"(none)": len(desk.verdicts)} and decided(run) == []


def test_the_counts_of_a_facet_are_of_the_rows_that_come_when_it_is_chosen(run: Run) -> None:
    probes = ProbeView(run)  # which shows one iteration of two
    id = probes.selection[0].id
    asked(probes, "tag", id=id, tags="weird")
    probes.search = "a"
    probes.brush = [1.0, float(sorted(p.perplexity for p in run.table(Probes, "probes", 2))[60])]
    kinds = values_of(probes, "kind")
    assert sum(n or 0 for n in kinds.values()) == probes.count < probes.total
    before = probes.filters
    for facet in ("kind", "tags", "error", "tool"):
        for value, n in values_of(probes, facet).items():
            probes.filters = {**before, facet: value}
            assert probes.count == n, (facet, value)
            assert values_of(probes, facet)[value] == n, "its own choice does not narrow a facet's counts"
        probes.filters = before
    assert values_of(probes, "iteration").keys() == {"1", "2"}
    assert sum(values_of(probes, "iteration").values()) > probes.count, "its own filter does not count"


@pytest.mark.parametrize(("tags", "says"), [("x" * 41, "40 characters"), ("hard", "read-only")])
def test_a_tag_that_cannot_be_kept_says_why(run: Run, tags: str, says: str) -> None:
    view = DisagreementView(Run.open(run.path, read_only=True) if says == "read-only" else run)
    assert says in asked(view, "tag", id=view.samples[0].id, tags=tags)["error"]
    assert run.decisions("tag") == {}


def test_the_annotator_stays_with_each_decision(run: Run) -> None:
    desk, probes = DisagreementView(run), ProbeView(run)
    desk.annotator, probes.annotator = "Ana", "Bo"
    asked(desk, "decide", id=desk.samples[0].id, verdict="BOTH_WRONG")
    asked(desk, "tag", id=desk.samples[1].id, tags="later")
    asked(probes, "threshold", value=1.2, keep=True)
    asked(desk, "undo")
    asked(desk, "decide", id=desk.samples[0].id, verdict="PRED_WRONG")
    lines = [json.loads(line) for line in (run.path / "decisions.jsonl").read_text().splitlines()]
    assert [line["author"] for line in lines] == ["Ana", "Ana", "Bo", "Ana", "Ana"]
    assert DisagreementView(run).annotator == "Bo", "the name that was given last"


def test_the_annotator_of_a_machine_is_a_variable(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOOPTOOL_ANNOTATOR", "Cem")
    again = Run.open(run.path)
    assert again.decide("threshold", "", 1.5).author == "Cem" and ProbeView(again).annotator == "Cem"


def test_a_link_comes_back_to_the_same_rows_and_the_same_sample(run: Run) -> None:
    view = ProbeView(run)
    view.filters, view.search, view.sort = {**view.filters, "state": "failed"}, "the & ö", "-perplexity"
    view.search, view.brush = "a", [1.0, 1.2]
    view.cursor = 4
    copied, here = asked(view, "copy", at=4), [s.id for s in view.selection]
    assert json.loads(copied["sample"])["tools"] and Samples([view.selection[4]])[0].id == here[4]
    again = ProbeView(run).go_to(copied["query"])
    assert [s.id for s in again.selection] == here and again.cursor == 4 and again.brush == view.brush
    coded = eval(copied["code"], {"ProbeView": ProbeView, "run": run})
    assert [s.id for s in coded.selection] == here
    page = run_page(run, copied["query"])
    assert [s.id for s in page.children[2].children[0].selection] == here


@pytest.mark.parametrize(
    ("place", "says"),
    [
        ("view=ProbeView", "this link is about view ProbeView"),
        ("view=DisagreementView&iteration=7", "about iteration 7"),
        ("only.mood=sad", "cannot filter by mood"),
        ("sort=mood", "cannot sort by 'mood'"),
        ("sample=zzzz", "sample zzzz is not among the rows"),
    ],
)
def test_a_link_that_does_not_fit_says_so(run: Run, place: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        DisagreementView(run).go_to(place)


def test_filters_are_kept_under_a_name_for_their_kind_of_view(run: Run) -> None:
    desk = DisagreementView(run)
    desk.filters = {"judge": "PRED_WRONG"}
    count = desk.count
    assert asked(desk, "keep", name=" sure ")["message"] == "kept as sure" and desk.saved == ["sure"]
    assert "name" in asked(desk, "keep", name=" ")["error"] and ProbeView(run).saved == []
    later = DisagreementView(Run.open(run.path))
    asked(later, "recall", name="sure")
    assert later.count == count and later.filters == {"judge": "PRED_WRONG"} and decided(run) == []
    asked(later, "keep", name="sure")
    asked(later, "forget", name="sure")
    assert later.saved == [] == DisagreementView(run).saved


def test_rows_are_saved_as_samples_and_as_a_table(run: Run, tmp_path: Path) -> None:
    view = DisagreementView(run)
    view.filters = {"judge": "PRED_WRONG"}
    saved = asked(view, "save", form="jsonl")
    (tmp_path / saved["name"]).write_text(saved["text"])
    assert [s.id for s in Samples.read(tmp_path / saved["name"])] == [s.id for s in view.selection]
    table = list(csv.DictReader(io.StringIO(asked(view, "save", form="csv")["text"])))
    assert [row["id"] for row in table] == [s.id for s in view.selection]
    assert {row["judge"] for row in table} == {"PRED_WRONG"}
    view.filters, view.blind = {}, True
    hidden = list(csv.DictReader(io.StringIO(asked(view, "save", form="csv")["text"])))
    assert {row["judge"] for row in hidden} == {"hidden"}, "a file tells no more than the page"


def test_saved_and_copied_samples_have_the_labels_that_a_person_decided(run: Run) -> None:
    view = DisagreementView(run)
    taken, written, kept = (view.samples[int(i)] for i in view.order[:3])
    run.decide("verdict", taken.id, "LABEL_WRONG", iteration=view.iteration)
    label = taken.label.model_copy(update={"calls": (), "reply": "By hand."})
    value = {"verdict": "LABEL_WRONG", "label": label.model_dump(mode="json")}
    run.decide("verdict", written.id, value, iteration=view.iteration)
    run.decide("verdict", kept.id, "PRED_WRONG", iteration=view.iteration)
    prediction = {p.sample_id: p.answer.label for p in view.run.table(Probes, "probes", view.iteration)}[
        taken.id
    ]
    lines = asked(view, "save", form="jsonl")["text"].splitlines()
    first, second, third = map(Sample.model_validate_json, lines[:3])
    assert first.label == prediction != taken.label and first.parent == taken.id
    assert second.label.reply == "By hand." and third == kept and len(lines) == view.count
    assert json.loads(asked(view, "copy", at=1)["sample"])["label"]["reply"] == "By hand."


def test_a_cell_of_a_file_is_whole_and_no_formula(run: Run) -> None:
    view = DisagreementView(run)
    long = "=HYPERLINK(1)" + "x" * 500
    view.rows.reword("request", [long] * len(view.samples))
    row = next(csv.DictReader(io.StringIO(asked(view, "save", form="csv")["text"])))
    assert row["request"] == f"'{long}" and not row["confidence"].startswith("'")


def test_a_dash_on_the_page_is_an_empty_cell_in_a_file(run: Run) -> None:
    view = ProbeView(run)
    page = asked(view, "page", start=0, count=view.count)["rows"]
    at = view.rows.names.index("error")
    rows = csv.DictReader(io.StringIO(asked(view, "save", form="csv")["text"]))
    errors = [row["error"] for row in rows]
    assert errors == ["" if cells[at] == "–" else cells[at] for cells in page] and "" in errors != [""]


def test_a_column_sorted_descending_is_sorted_again_when_it_changes(run: Run) -> None:
    view = DisagreementView(run)
    view.sort = "-tags"
    last = view.samples[view.order[-1]].id
    asked(view, "tag", id=last, tags="zz")
    assert asked(view, "row", at=0)["id"] == last


def test_the_page_offers_every_view_and_says_why_there_is_nothing(run: Run, tmp_path: Path) -> None:
    page = run_page(run)
    choice, place = page.children[1].children[0], page.children[2]
    for _, name in choice.options:
        choice.value = name
        [shown] = place.children
        assert type(shown).__name__ == name
    assert set(VIEWS) == {name for _, name in choice.options}
    empty = run_page(Run.create(tmp_path / "new", "cpu-quick"), "view=TryView")
    assert "has no dataset" in empty.children[2].children[0].value


def test_a_view_that_was_empty_is_made_again_when_a_person_comes_back(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SERVER_SOFTWARE", "voila/0.5")
    page = run_page(run, "view=JudgeCheckView")
    choice, place = page.children[1].children[0], page.children[2]
    [empty] = place.children
    assert f"looptool judge-check {run.path}" in empty.missing and empty.missing.endswith(
        "Then come back to this tab."
    )
    done = CliRunner().invoke(app, ["judge-check", str(run.path), "--samples", "2", "--repeats", "1"])
    assert done.exit_code == 0, done.output
    choice.value = "LoopMap"
    [other] = place.children
    choice.value = "JudgeCheckView"
    [made] = place.children
    assert made is not empty and made.missing == "" and made.count > 0
    choice.value = "LoopMap"
    assert place.children == (other,), "one that shows something stays as it was left"
    choice.value = "JudgeCheckView"
    assert place.children == (made,)


def test_a_run_that_another_process_works_on_is_opened_read_only(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    from looptool_kit.core.errors import RunError

    opened = Run.open

    def busy(path: Path, read_only: bool = False) -> Run:
        if not read_only:
            raise RunError("another process works on it")
        return opened(path, read_only=True)

    monkeypatch.setattr(Run, "open", busy)
    found = open_for_page(run.path, seconds=0.1)
    assert found.read_only
    page = run_page(found)
    note, again = page.children[0].children
    assert "nothing can be decided" in note.value and "try again" in note.value
    [first] = page.children[2].children
    again.click()
    assert "another process works on it" in page.children[0].children[0].value
    assert page.children[2].children == (first,)
    monkeypatch.setattr(Run, "open", opened)
    again.click()
    [note] = page.children[0].children
    [other] = page.children[2].children
    assert "saved at once" in note.value and other is not first and not other.run.read_only


def test_the_page_leads_to_the_desk_of_every_iteration(run: Run) -> None:
    page = run_page(run, "view=DisagreementView")
    (choice, menu), place, address = page.children[1].children, page.children[2], page.children[3]
    [newest] = place.children
    assert len(menu.options) > 1 and menu.value == newest.iteration == menu.options[-1][1]
    asked(newest, "decide", id=newest.samples[0].id, verdict="PRED_WRONG")
    menu.value = 1
    [first] = place.children
    assert first.iteration == 1 and address.iteration == 1 and not first.decisions
    choice.value = "LoopMap"
    assert menu.layout.display == "none" and address.iteration == 0
    choice.value = "ExpansionView"
    assert place.children[0].iteration == menu.value == menu.options[-1][1], "each view has its own"
    choice.value = "DisagreementView"
    assert place.children == (first,) and menu.value == 1 == address.iteration
    # What the address says is where a page that is loaded again begins.
    again = run_page(run, "view=DisagreementView&iteration=1")
    assert again.children[2].children[0].iteration == 1 and again.children[1].children[1].value == 1
    # A link may say anything.
    assert run_page(run, "view=TryView&iteration=1").children[2].children
