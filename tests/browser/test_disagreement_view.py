"""The review desk as a person uses it: verdict by key, label edited, undone, accepted in bulk, noted, found
again; and text that would be markup.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lab import nameless, open_notebook, save_and_reload, write_notebook

from looptool_kit.core.records import Verdicts
from looptool_kit.run.folder import Decision, Run

RECORDED = Path(__file__).parents[2] / "sample_data" / "run"

CELL = f"""
import shutil
from looptool_kit.run import Run
from looptool_kit.widgets import DisagreementView

shutil.copytree({str(RECORDED)!r}, "run", dirs_exist_ok=True)
run = Run.open("run")
view = DisagreementView(run)
view
"""

HOSTILE = """
from looptool_kit.records import Probes, Verdicts
from looptool_kit.samples import Samples

bad = "<img src=x onerror=window.bad=1><script>window.bad=1</script>\\x1b[31m\\u202e"
shutil.copytree("run", "bad", dirs_exist_ok=True)
hostile = Run.open("bad")
sample, probe, verdict = view.samples[0], view.probes[0], view.verdicts[0]
message = sample.messages[-1].model_copy(update={"content": bad})
sample = sample.model_copy(update={"messages": (message,), "kind": bad, "source": bad})
evidence = verdict.evidence[0].model_copy(update={"name": bad, "words": bad})
verdict = verdict.model_copy(update={"sample_id": sample.id, "rationale": bad, "judge": bad, "votes": {bad: 1}, "evidence": (evidence,)})
Samples([sample]).write(hostile.folder(2) / "samples.parquet")
probe = probe.model_copy(update={"sample_id": sample.id, "text": bad, "tokens": (bad,) * len(probe.tokens)})
Probes([probe]).write(hostile.folder(2) / "probes.parquet")
Verdicts([verdict]).write(hostile.folder(2) / "verdicts.parquet")
hostile.decide("verdict", sample.id, "BOTH_WRONG", bad, author=bad, iteration=2)
DisagreementView(hostile)
"""

LOOK = """
DisagreementView(Run.open("run", read_only=True))
"""


def until(page: Any, check: Callable[[], Any], seconds: float = 60) -> None:
    """Wait for something, letting the page live on."""
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end, "waited in vain"
        page.wait_for_timeout(40)


def test_disagreement_view(lab: tuple[str, Path], page: Any) -> None:
    url, root = lab
    folder = root / "desk"
    folder.mkdir()
    write_notebook(folder / "desk.ipynb", CELL, HOSTILE, LOOK)
    open_notebook(page, url, "desk/desk.ipynb")
    views = page.locator(".lt-view")
    desk, hostile, looking = views.nth(0), views.nth(1), views.nth(2)
    desk.locator(".lt-card[data-row]:not([data-row=''])").wait_for()
    cells = page.locator(".jp-Cell").count()
    shown = lambda: desk.locator(".lt-card").get_attribute("data-row")  # noqa: E731
    said = lambda: desk.locator(".lt-status[role=status]").first.inner_text()  # noqa: E731
    progress = lambda: desk.locator(".lt-progress").inner_text()  # noqa: E731
    written = lambda: [  # noqa: E731
        Decision.model_validate_json(line)
        for line in (folder / "run" / "decisions.jsonl").read_text().splitlines()
    ]

    verdicts = Run.open(RECORDED, read_only=True).table(Verdicts, "verdicts", 2)
    rows, wrong = len(verdicts), sum(v.verdict == "PRED_WRONG" for v in verdicts)

    # A verdict by key: on disk at once, and on to the next row.
    first = shown()
    assert f"reviewed 0 / left {rows}" in progress()
    desk.locator(".lt-judge h4").click()
    page.keyboard.press("1")
    until(page, lambda: shown() != first)
    assert (written()[-1].row, written()[-1].value) == (first, {"verdict": "PRED_WRONG"})
    second = shown()
    assert f"reviewed 1 / left {rows - 1}" in progress() and page.locator(".jp-Cell").count() == cells

    # A note becomes the decision's reason.
    page.keyboard.press("n")
    page.keyboard.type("4 both are off")
    page.keyboard.press("Enter")
    page.keyboard.press("4")
    until(page, lambda: shown() != second)
    assert (written()[-1].row, written()[-1].value, written()[-1].reason) == (
        second,
        {"verdict": "BOTH_WRONG"},
        "4 both are off",
    )

    # A bad label says what is wrong and is not saved; a good one is.
    third = shown()
    page.keyboard.press("e")
    area = desk.locator("textarea")
    for text, fault in (
        ('[{"name": "a",]', "line 1"),
        ('[{"name": "no_such_tool", "arguments": {}}]', "no_such_tool is not on offer"),
    ):
        area.fill(text)
        page.keyboard.press("Control+Enter")
        until(page, lambda fault=fault: fault in desk.locator("[role=alert]").inner_text())
    assert len(written()) == 2 and shown() == third
    area.fill("I cannot do that here.")
    page.keyboard.press("Control+Enter")
    until(page, lambda: shown() != third)
    assert written()[-1].row == third and written()[-1].value["label"]["reply"] == "I cannot do that here."
    assert area.count() == 0

    # Undo takes the last one back and returns to its row; skip and j / k move.
    page.keyboard.press("u")
    until(page, lambda: shown() == third)
    assert f"reviewed 2 / left {rows - 2}" in progress() and "Undone" in said()
    page.keyboard.press("k")
    until(page, lambda: shown() == second)
    assert "4 both are off" in desk.locator(".lt-decided").inner_text()
    page.keyboard.press("s")
    until(page, lambda: shown() == third)
    page.keyboard.press("j")
    until(page, lambda: shown() not in (second, third))

    # Bulk: it asks with the count, Escape leaves, accepting is one write that goes back as one.
    before = len(written())
    desk.get_by_role("button", name="accept the judge's verdicts").click()
    dialog = desk.get_by_role("alertdialog")
    dialog.get_by_text("rows in this filter that are not reviewed").wait_for()
    page.keyboard.press("Escape")
    assert not dialog.is_visible() and len(written()) == before
    desk.get_by_label("judge", exact=True).select_option(label=f"PRED_WRONG ({wrong})")
    until(page, lambda: f"{wrong} of {rows} rows" in desk.locator(".lt-table").inner_text())
    desk.get_by_role("button", name="accept the judge's verdicts").click()
    assert nameless(page) == []
    dialog.get_by_role("button", name=re.compile(r"^accept \d+$")).click()
    until(page, lambda: "Accepted" in said())
    many = len(written()) - before
    assert many in range(wrong - 2, wrong + 1) and "Cohen's kappa" in progress()
    page.keyboard.press("u")
    until(
        page,
        lambda: f"reviewed 2 / left {rows - 2}" in progress() and desk.locator(".lt-decided").count() == 0,
    )
    assert len(written()) == before + 2 * many

    # A note and a label under way, the filter and the row are found again after a reload.
    page.keyboard.press("n")
    page.keyboard.type("half a tho")
    page.keyboard.press("Escape")
    page.keyboard.press("e")
    area.fill("half a label")
    page.wait_for_timeout(600)
    here = shown()
    desk.scroll_into_view_if_needed()
    page.screenshot(path=Path(__file__).parent / "shots" / "disagreement_light.png")
    assert page.locator(".lt-view").count() == 3 and not page.evaluate("() => window.bad")
    assert (
        "<img src=x" in hostile.inner_text() and "␛[31m⟨U+202E⟩" in hostile.locator(".lt-judge").inner_text()
    )
    assert "look at only" in looking.locator(".lt-blocked").text_content()
    assert (
        looking.get_by_role("button", name="1 prediction wrong").is_disabled()
        and looking.get_by_role("button", name="j next").is_enabled()
    )
    save_and_reload(page)
    desk.locator("textarea").wait_for(timeout=60_000)
    assert shown() == here and desk.locator("textarea").input_value() == "half a label"
    assert (
        desk.get_by_label("note").input_value() == "half a tho"
        and f"reviewed 2 / left {rows - 2}" in progress()
    )
    page.evaluate(
        "() => window.jupyterapp.commands.execute('apputils:change-theme', { theme: 'JupyterLab Dark' })"
    )
    page.wait_for_timeout(1500)
    desk.scroll_into_view_if_needed()
    page.screenshot(path=Path(__file__).parent / "shots" / "disagreement_dark.png")
    assert json.dumps(page.faults) == "[]" and page.outside == []
