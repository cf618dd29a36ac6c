"""Two policies side by side as a person uses it: by mouse, by keys, and with hostile text."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from lab import open_notebook, save_and_reload, write_notebook

from looptool_kit.core.samples import Samples
from looptool_kit.run.folder import Run

CELL = """
from looptool_kit.core.records import Scores
from looptool_kit.run.folder import Run
from looptool_kit.widgets import CompareView
run = Run.open("compared")
bad = "<img src=x onerror=window.bad=1> مرحبا 東京 " + "long " * 400
table = run.table(Scores, "scores", 3)
Scores(s.model_copy(update={"text": bad}) if not s.correct else s for s in table).write(
    run.folder(3) / "scores.parquet"
)
view = CompareView(run, "D1", "D3")
view
"""
READ = "print('read back:', len(view.selection), view.filters)"
RECORDED = Path(__file__).parents[2] / "sample_data" / "run"


def test_columns_are_shown_hidden_and_made_wider(lab: tuple[str, Path], page: Any) -> None:
    url, root = lab
    shutil.copytree(RECORDED, root / "columns")
    write_notebook(root / "columns.ipynb", CELL.replace('"compared"', '"columns"'))
    open_notebook(page, url, "columns.ipynb")
    view = page.get_by_role("region", name="two policies side by side")
    grid = view.get_by_role("grid", name="samples")
    hidden, head = (grid.locator("[role=columnheader]", has_text=name) for name in ("answer", "kind"))
    grid.get_by_role("row").nth(1).wait_for(timeout=180_000)
    assert not hidden.is_visible()
    view.locator("summary", has_text="columns").click()
    box = view.get_by_role("checkbox", name="show the column answer")
    box.click()
    hidden.wait_for()
    box.press("Space")
    hidden.wait_for(state="hidden")

    wide = head.bounding_box()["width"]
    edge = head.locator(".lt-edge").bounding_box()
    page.mouse.move(edge["x"] + 3, edge["y"] + 5)
    page.mouse.down()
    page.mouse.move(edge["x"] + 43, edge["y"] + 5, steps=5)
    page.mouse.up()
    dragged = head.bounding_box()["width"]
    assert dragged == pytest.approx(wide + 40, abs=4)
    head.get_by_role("button").press("Shift+ArrowRight")
    assert head.bounding_box()["width"] > dragged
    assert page.faults == [] and page.outside == []


def test_compare_view(lab: tuple[str, Path], page: Any) -> None:
    url, root = lab
    shutil.copytree(RECORDED, root / "compared")
    write_notebook(root / "compare.ipynb", CELL, READ)
    open_notebook(page, url, "compare.ipynb")
    view = page.get_by_role("region", name="two policies side by side")
    chosen, grid = (
        view.get_by_role("region", name="selected sample"),
        view.get_by_role("grid", name="samples"),
    )
    changes = view.get_by_role("group", name="changes")
    fixed, broken = (changes.locator(f"button[data-change={name}]") for name in ("fixed", "broken"))
    first, second = (chosen.get_by_role("region", name=f"answer of {name}") for name in ("D1", "D3"))
    first.get_by_text("✗ wrong").wait_for(timeout=180_000)
    assert fixed.get_attribute("aria-pressed") == "true" and second.get_by_text("✓ right").count() == 1
    counted = view.locator(".lt-find [role=status]")
    n = len(Run.open(RECORDED, read_only=True).table(Samples, "held_out", 0))
    n_fixed, n_broken = (int(b.inner_text().split()[0]) for b in (fixed, broken))
    assert counted.inner_text().startswith(f"{n_fixed} of {n}") and n_broken > 0
    # What was asked comes first and in sight, the label once, then how either answer differs from it.
    parts = [
        chosen.locator(f"[aria-label='{name}']")
        for name in ("dialogue", "label", "answer of D1", "answer of D3")
    ]
    assert [part.count() for part in parts] == [1] * 4
    tops = [part.bounding_box()["y"] for part in parts]
    assert tops == sorted(tops)
    box, request = (node.bounding_box() for node in (chosen, parts[0].locator(".lt-user").last))
    assert box["y"] <= request["y"] and request["y"] + request["height"] <= box["y"] + box["height"]
    assert second.get_by_text("calls as the label").count() == 1 and second.locator(".lt-call").count() == 0
    assert chosen.locator("[data-how=same]").count() == 0
    # On the page of `looptool view` table and card have the height of the screen.
    page.set_viewport_size({"width": 1400, "height": 900})
    page.evaluate("() => { document.body.dataset.voila = '' }")
    left, right = (node.bounding_box() for node in (view.get_by_role("grid"), chosen))
    page.evaluate("() => { delete document.body.dataset.voila }")
    assert 550 <= right["height"] <= 650
    assert abs(left["y"] + left["height"] - right["y"] - right["height"]) < 2

    # By mouse: the other count, a row further down, the same count again for all.
    broken.click()
    counted.get_by_text(f"{n_broken} of {n} rows").wait_for()
    second.get_by_text("✗ wrong").wait_for()
    assert "<img src=x" in second.inner_text() and not page.evaluate("() => window.bad")
    before = chosen.get_by_role("article").get_attribute("aria-label")
    grid.get_by_role("row").nth(3).click()
    page.wait_for_function(
        "([node, name]) => node.querySelector('article').ariaLabel !== name",
        arg=[chosen.element_handle(), before],
    )
    broken.click()
    counted.get_by_text(f"{n} of {n} rows").wait_for()
    # The count that was pressed has the focus: arrows walk the rows from there as well.
    selected = grid.locator("[aria-selected=true]")
    at = int(selected.get_attribute("data-at"))
    page.keyboard.press("ArrowDown")
    grid.locator(f"[aria-selected=true][data-at='{at + 1}']").wait_for()

    # By keys: f and b choose, arrows walk, Enter goes to the sample; in the search field they type.
    grid.press("f")
    counted.get_by_text(f"{n_fixed} of {n} rows").wait_for()
    before = chosen.get_by_role("article").get_attribute("aria-label")
    grid.press("ArrowDown")
    page.wait_for_function(
        "([node, name]) => node.querySelector('article').ariaLabel !== name",
        arg=[chosen.element_handle(), before],
    )
    grid.press("Enter")
    assert chosen.evaluate("(node) => node === document.activeElement")
    chosen.press("b")
    counted.get_by_text(f"{n_broken} of {n} rows").wait_for()
    find = view.get_by_role("searchbox")
    find.press_sequentially("zqfbz")
    counted.get_by_text(f"0 of {n} rows").wait_for()
    chosen.get_by_text("no sample is shown").wait_for()
    find.fill("")
    counted.get_by_text(f"{n_broken} of {n} rows").wait_for()

    # A tool's name breaks between its words.
    find.fill("_device_timer")
    chosen.locator(".lt-call code wbr").first.wait_for(state="attached")
    find.fill("")
    counted.get_by_text(f"{n_broken} of {n} rows").wait_for()

    # Other policies; how keys move in a closed list of choices is the browser's affair.
    first_of, last_of = (view.get_by_role("combobox", name=name, exact=True) for name in ("before", "after"))
    first_of.select_option("base")
    view.get_by_text(f"D3 against base on {n} samples").wait_for()
    last_of.select_option("D2")
    view.get_by_text(f"D2 against base on {n} samples").wait_for()
    chosen.get_by_role("region", name="answer of D2").wait_for()
    n_broken = int(broken.inner_text().split()[0])
    counted.get_by_text(f"{n_broken} of {n} rows").wait_for()
    for width in (1000, 700):
        page.set_viewport_size({"width": width, "height": 900})
        assert view.evaluate("(node) => node.scrollWidth <= node.clientWidth + 1"), width

    save_and_reload(page)
    counted.get_by_text(f"{n_broken} of {n} rows").wait_for(timeout=180_000)
    assert broken.get_attribute("aria-pressed") == "true" and last_of.input_value() == "D2"
    assert page.faults == [] and page.outside == []
