"""Two policies side by side: what was fixed and broken is what the scores say, of one run and of two."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

pytest.importorskip("anywidget")

import traitlets  # noqa: E402
from widget_pages import asked  # noqa: E402

from looptool_kit.core.errors import RunError  # noqa: E402
from looptool_kit.core.records import Probes  # noqa: E402
from looptool_kit.core.samples import Samples  # noqa: E402
from looptool_kit.core.stats import Clustered, Paired, flips  # noqa: E402
from looptool_kit.report.side_by_side import side_by_side  # noqa: E402
from looptool_kit.report.summary import flipped, signed_points  # noqa: E402
from looptool_kit.run.folder import Run  # noqa: E402
from looptool_kit.stages.evaluate.stage import scores  # noqa: E402
from looptool_kit.studies.page import signed  # noqa: E402
from looptool_kit.widgets import CompareView  # noqa: E402


def test_fixed_and_broken_are_those_of_the_scores(run: Run) -> None:
    table = scores(run)
    fixed, broken = flips(table["D1"], table["D3"])
    view = CompareView(run, "D1", "D3")
    counts = dict(view.counts)
    assert (counts["fixed"], counts["broken"]) == (len(fixed), len(broken))
    assert sum(counts.values()) == len(table["D1"])
    assert {s.id for s in view.selection} == set(fixed), "what was fixed is shown first"
    view.filters = {"change": "broken"}
    assert {s.id for s in view.selection} == set(broken)
    assert f"{len(fixed)} fixed, {len(broken)} broken" in view.about


def test_a_difference_that_rounds_to_zero_has_no_minus(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    tiny = Paired(3000, 0.5, 0.4997, -0.0003, -0.012, -0.0001, 0.04, 1, 2)
    monkeypatch.setattr("looptool_kit.widgets.compare.paired", lambda a, b: tiny)
    assert "+0.0 points [-1.2, +0.0]" in CompareView(run, "D1", "D3").about
    assert signed_points(tiny.difference) == "+0"
    loops = Clustered(2, 60, -0.0003, -0.012, -0.0001, (-0.0004, 0.0))
    assert signed(loops) == "+0.0 [-1.2, +0.0] (+0.0, +0.0)"


def test_without_names_the_first_is_compared_with_the_last_as_the_scoreboard_says(run: Run) -> None:
    view = CompareView(run)
    counts = dict(view.counts)
    assert view.names == ["base", "D3"]
    [told] = flipped(run)
    assert f"{counts['fixed']} fixed, {counts['broken']} broken" in told and "'base', 'D3'" in told
    assert f"looptool view {run.path}" in told


def test_a_row_has_both_answers_against_the_label(run: Run) -> None:
    view = CompareView(run)
    answer = asked(view, "sample", at=0)
    text = {s.sample_id: s.text for s in scores(run)["base"]}[answer["before"]["id"]]
    assert answer["change"] == "fixed" and answer["before"]["prediction"]["raw"] == text
    assert (answer["before"]["state"], answer["after"]["state"]) == ("wrong", "right")
    assert answer["before"]["label"] == answer["after"]["label"] and answer["before"]["faults"]
    view.search = "no such request anywhere"
    assert asked(view, "sample", at=0) == answer | {"before": None, "after": None, "change": "", "req": "1"}


def test_other_policies_are_chosen(run: Run) -> None:
    view, chosen = CompareView(run), CompareView(run, "D1", "D2")
    assert view.choices == [["base", "D1", "D2", "D3"]] * 2 and (view.before, view.after) == ("base", "D3")
    view.filters = {"change": "broken"}
    view.before, view.after = "D1", "D2"
    assert view.names == ["D1", "D2"] and view.about == chosen.about and view.counts == chosen.counts
    chosen.filters = {"change": "broken"}
    assert view.selection == chosen.selection and len(view.selection) == dict(view.counts)["broken"]
    with pytest.raises(traitlets.TraitError, match=r"no policy 'D9' to compare; there are base, D1, D2, D3"):
        view.after = "D9"
    assert view.after == "D2" and view.rows.names[0] == "request"


def test_a_policy_is_not_tested_against_itself(run: Run, tmp_path: Path) -> None:
    other = Run.open(shutil.copytree(run.path, tmp_path / "second"), read_only=True)
    right = [s.correct for s in scores(run)["D2"]]
    view = CompareView(run, "D1", "D2")
    assert "(p " in view.about
    view.before = "D2"
    for about in (
        view.about,
        CompareView(run, "D2", "D2").about,
        CompareView(run, "D2", "D2", other=run).about,
    ):
        assert "the same policy" in about and f"{sum(right)} of {len(right)} samples right" in about
        assert "(p " not in about and "[" not in about and "points" not in about, "no test, no interval"
    view.after = "D3"
    assert "(p " in view.about and "same policy" not in view.about
    assert "(p " in CompareView(run, "D2", "D2", other=other).about, "of two runs they are two policies"


def test_policies_without_a_sample_in_common_are_said_and_not_raised(run: Run) -> None:
    view = CompareView(run, "D1", "D1", source="probes")
    samples = run.table(Samples, "samples", 1)
    view.filters = {}
    assert view.count == len(samples)
    Probes().write(run.folder(2) / "probes.parquet")
    view.after = "D2"
    assert "no sample in common" in view.about and view.count == 0 and dict(view.counts)["fixed"] == 0
    view.after = "D1"
    assert view.count == len(samples) and "no sample" not in view.about


def test_two_runs_are_compared_on_what_both_were_asked(run: Run, tmp_path: Path) -> None:
    other = Run.open(shutil.copytree(run.path, tmp_path / "second"), read_only=True)
    view = CompareView(run, "D1", "D2", other=other)
    assert view.names == ["D1 of run", "D2 of second"]
    assert dict(view.counts) == dict(CompareView(run, "D1", "D2").counts)


def test_probes_are_compared_on_what_both_policies_were_probed_on(run: Run) -> None:
    both = side_by_side(run, "D1", "D2", source="probes")
    assert both.rows and both.left_out and {r.split for r in both.rows} == {"D1"}
    assert all(row.before.iteration == 1 and row.after.iteration == 2 for row in both.rows)


def test_a_policy_that_was_not_evaluated_is_an_error_that_names_the_others(run: Run, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"D9 of .* was not evaluated or probed; there are base, D1, D2, D3"):
        CompareView(run, "D9")
    new = Run.create(tmp_path / "new")
    with pytest.raises(RunError, match=r"^No policy of .*new was evaluated or probed yet. `looptool loop"):
        CompareView(new)
    with pytest.raises(RunError, match="no sample in common"):
        second = Run.open(shutil.copytree(run.path, tmp_path / "second"))
        table = scores(second)["D3"]
        type(table)(s.model_copy(update={"sample_id": s.sample_id[::-1]}) for s in table).write(
            second.folder(3) / "scores.parquet"
        )
        CompareView(run, "D1", "D3", other=second)


def test_without_a_kernel_it_is_a_table(run: Run) -> None:
    static = CompareView(run).static_html()
    assert "fixed" in static and "<script" not in static and static.count("<table") == 2
