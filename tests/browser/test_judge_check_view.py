"""The judge's report card as a person uses it: press a kind, walk the trials, reload; and text that would
like to be markup.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lab import cut_heads, open_notebook, save_and_reload, write_notebook

RECORDED = str(Path(__file__).parents[2] / "sample_data" / "run")

CELL = """
from pathlib import Path
from looptool_kit.config import Settings
from looptool_kit.studies.judge_check import ask, trials
from looptool_kit.world import generate
from looptool_kit.widgets import JudgeCheckView

samples = [s for s in generate(12, seed=5) if s.label.calls][:4]
bad = "<img src=x onerror=window.bad=1><script>window.bad=1</script>"
answered, _ = ask(samples, trials(samples), Settings(), Path("store"))
unsure = {"rationale": bad, "verdicts": ("unjudged", "unjudged")}
answered = type(answered)(
    t.model_copy(update=unsure if k == 0 else {"rationale": bad}) for k, t in enumerate(answered)
)
view = JudgeCheckView(answered, samples)
view
"""
NOT_CHECKED = """
from looptool_kit.run.folder import Run
JudgeCheckView(Run.open({recorded!r}, read_only=True))
"""
IN_SIGHT = """(node) => {
  const { top, bottom } = node.getBoundingClientRect();
  const panel = node.closest(".jp-WindowedPanel-outer, .jp-Notebook").getBoundingClientRect();
  return top < panel.bottom - 60 && bottom > panel.top + 60;
}"""
READ = "print('read back:', len(view.selection), {t.kind for t in view.selection})"


def test_judge_check_view(lab: tuple[str, Path], page: Any) -> None:
    url, root = lab
    write_notebook(root / "judge-check.ipynb", CELL, READ, NOT_CHECKED.format(recorded=RECORDED))
    open_notebook(page, url, "judge-check.ipynb")
    view = page.get_by_role("region", name="judge report card")
    report, grid = view.get_by_role("table", name="report card"), view.get_by_role("grid", name="trials")
    chosen = view.get_by_role("region", name="selected trial")
    chosen.get_by_text("planted:").wait_for(timeout=180_000)
    row = report.get_by_role("row").filter(has_text="wrong value")
    trials = int(row.get_by_role("cell").first.inner_text())
    total = int(report.get_by_role("row").last.get_by_role("cell").first.inner_text())
    intervals = view.locator("details").filter(has_text="the intervals as a chart")
    assert total > trials > 0 and intervals.get_attribute("open") is None
    intervals.locator("summary").click()
    assert view.locator(".lt-intervals circle").count() > 10
    assert view.get_by_role("heading", name="The judge's report card").first.is_visible()
    assert view.get_by_text("Errors were planted in 4 samples").is_visible()
    view.get_by_text("what the columns say").first.click()
    assert view.get_by_text("of all trials, those with the expected verdict").is_visible()
    for words in ("left unjudged", "right verdict", "same in repeats"):
        assert report.get_by_role("columnheader", name=words).is_visible()
    assert grid.get_by_role("columnheader", name="expected").is_visible()
    # A narrow table leaves out what the card says, too, rather than cut all.
    assert cut_heads(grid) == [] and not grid.get_by_role("columnheader", name="request").is_visible()
    page.set_viewport_size({"width": 1900, "height": 900})
    grid.get_by_role("columnheader", name="request").wait_for()
    page.set_viewport_size({"width": 1400, "height": 1000})
    grid.get_by_role("columnheader", name="request").wait_for(state="hidden")
    view.get_by_text("columns", exact=True).click()
    view.get_by_label("show the column request").check()
    grid.get_by_role("columnheader", name="request").wait_for()
    view.get_by_label("show the column request").uncheck()
    page.keyboard.press("Escape")
    assert chosen.get_by_role("article").count() == 1 and chosen.locator(".lt-pair").count() >= 1
    assert "– left unjudged" in chosen.inner_text() and "✗" not in chosen.inner_text()
    assert "right answer:" in chosen.inner_text() and chosen.locator(".lt-decided .lt-call").count() >= 1

    # A mouse anywhere in the row, the button in it by keyboard, Escape for all.
    counted = view.locator(".lt-find [role=status]")
    page.set_viewport_size({"width": 1280, "height": 500})
    row.scroll_into_view_if_needed()
    row.get_by_role("cell").nth(2).click()
    counted.get_by_text(f"{trials} of {total} rows").wait_for()
    # Pressing a kind brings the trials into sight.
    page.wait_for_function(IN_SIGHT, arg=grid.element_handle())
    page.set_viewport_size({"width": 1280, "height": 900})
    kind, right = view.get_by_role("combobox", name="kind"), view.get_by_role("combobox", name="right")
    assert (
        row.get_by_role("button").get_attribute("aria-pressed") == "true"
        and kind.input_value() == "wrong value"
    )
    row.get_by_role("button").press("Enter")
    counted.get_by_text(f"{total} of {total} rows").wait_for()
    row.get_by_role("button").press("Space")
    counted.get_by_text(f"{trials} of {total} rows").wait_for()
    # Escape in the search field ends the search, and only then the choice of a kind.
    find = view.get_by_role("searchbox", name="search the rows")
    find.fill("zzzz")
    counted.get_by_text(f"0 of {total} rows").wait_for()
    find.press("Escape")
    counted.get_by_text(f"{trials} of {total} rows").wait_for()
    assert find.input_value() == "" and kind.input_value() == "wrong value"
    find.press("Escape")
    counted.get_by_text(f"{total} of {total} rows").wait_for()
    row.get_by_role("button").press("Space")
    counted.get_by_text(f"{trials} of {total} rows").wait_for()
    right.select_option("no")
    grid.press("Escape")
    report.locator("button[data-kind=all][aria-pressed=true]").wait_for()
    assert kind.input_value() == "" and right.input_value() == "no"
    right.select_option("")
    counted.get_by_text(f"{total} of {total} rows").wait_for()
    row.get_by_role("button").click()
    counted.get_by_text(f"{trials} of {total} rows").wait_for()
    before = chosen.inner_text()
    grid.press("ArrowDown")
    page.wait_for_function("([node, text]) => node.innerText !== text", arg=[chosen.element_handle(), before])
    grid.press("Enter")
    assert chosen.evaluate("(node) => node === document.activeElement")
    assert "<img src=x" in chosen.inner_text() and not page.evaluate("() => window.bad")

    # A run whose judge was not checked: a sentence with the command, and nothing that is empty.
    empty = page.get_by_role("region", name="judge report card").last
    empty.get_by_text("looptool judge-check ").wait_for()
    assert empty.get_by_role("grid").count() == empty.get_by_role("table").count() == 0

    save_and_reload(page)
    counted.get_by_text(f"{trials} of {total} rows").wait_for(timeout=180_000)
    page.evaluate(
        "() => { const nb = window.jupyterapp.shell.currentWidget.content; nb.activeCellIndex = 1 }"
    )
    page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-cell')")
    page.get_by_text(f"read back: {trials} {{'wrong_value'}}").wait_for(timeout=180_000)
    assert page.faults == [] and page.outside == []
