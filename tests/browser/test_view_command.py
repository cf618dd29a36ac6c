"""`looptool view RUN`: the views in a browser without JupyterLab, and what a person keeps of a table there,
by mouse and by keys.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from lab import CHROMIUM, browser, nameless, new_page
from test_as_a_person import AXE, CHECKED
from test_disagreement_view import until

from looptool_kit.core.samples import Samples

pytest.importorskip("voila")
pytest.importorskip("anywidget")
pytest.importorskip("playwright")
if CHROMIUM is None:
    pytest.skip("this machine has no Chromium browser", allow_module_level=True)
RECORDED = Path(__file__).parents[2] / "sample_data" / "run"


@contextmanager
def viewing(run: Path, home: Path, *options: str) -> Iterator[str]:
    """The address that `looptool view` says, while it serves."""
    own = {f"JUPYTER_{k}_DIR": str(home / k) for k in ("CONFIG", "DATA", "RUNTIME")}
    command = [sys.executable, "-m", "looptool_kit.cli", "view", str(run), "--no-browser", "--port", "0"]
    log = home / "log"
    with open(log, "w") as file:
        process = subprocess.Popen(
            [*command, *options], env={**os.environ, **own}, stdout=file, stderr=subprocess.STDOUT
        )
    try:
        for _ in range(3000):
            if (found := re.search(r"http://localhost\S+", log.read_text())) or process.poll() is not None:
                break
            time.sleep(0.1)
        assert found, log.read_text()
        yield found[0].replace("localhost", "127.0.0.1")
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0, log.read_text()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser() as found:
        yield found


def lines_of(run: Path) -> list[dict[str, Any]]:
    file = run / "decisions.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def choose(page: Any, words: str) -> None:
    page.get_by_role("button", name=words, exact=True).click()


def pasted(page: Any) -> str:
    return page.evaluate("() => navigator.clipboard.readText()")


def test_the_views_are_served_without_jupyterlab(chromium: Any, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(RECORDED, run)
    with viewing(run, tmp_path) as address:
        page = new_page(chromium, permissions=["clipboard-read", "clipboard-write"], accept_downloads=True)
        page.goto(address.partition("?")[0])
        assert "/login" in page.url, "nobody without the address sees a run"
        page.goto(address)
        page.get_by_text("What you decide is saved at once").wait_for(timeout=90_000)
        page.locator(".lt-view svg").first.wait_for()
        for words in ("training", "expansions", "before and after", "the judge's check", "try it"):
            choose(page, words)
            page.locator(".lt-view").first.wait_for(timeout=180_000)
        choose(page, "disagreements")
        desk = page.locator(".lt-view").first
        desk.locator(".lt-card[data-row]:not([data-row=''])").wait_for()
        link = keep_by_mouse(page, desk, run, tmp_path)
        keep_by_keys(page, desk, run)
        if AXE.exists():
            desk.locator(".lt-menu > summary").click()
            # Behind Playwright's own door: the page itself runs no script from elsewhere.
            page.evaluate(AXE.read_text() + "; 0")
            assert desk.evaluate(CHECKED) == [] and nameless(page) == []
        # A page that is loaded again finds the run free, and the link the same rows.
        here = desk.locator(".lt-card").get_attribute("data-row")
        page.goto(link)
        desk.locator(".lt-card[data-row]:not([data-row=''])").wait_for(timeout=90_000)
        assert (
            desk.locator(".lt-card").get_attribute("data-row") == re.search(r"sample=(\w+)", link)[1] != here
        )
        assert desk.get_by_label("judge", exact=True).input_value() == "PRED_WRONG"
        assert desk.get_by_text("opened read-only").count() == 0
        # Only Voila's own page asks another host, for an icon font, and is not let.
        assert page.faults == [] and page.outside == []
        page.context.close()


def keep_by_mouse(page: Any, desk: Any, run: Path, folder: Path) -> str:
    """Name, filter, tag, files and copies; the link that was copied."""
    status, menu = desk.locator(".lt-status[role=status]").first, desk.locator(".lt-menu")
    desk.get_by_label("judge", exact=True).select_option("PRED_WRONG")
    menu.locator("summary").click()
    menu.get_by_role("textbox", name="annotator").fill("Ana Müller")
    menu.get_by_role("textbox", name="name of this filter").fill("sure <b>ones</b>")
    menu.get_by_role("button", name="keep filter").click()
    menu.get_by_role("button", name="sure <b>ones</b>", exact=True).wait_for()
    menu.locator("summary", has_text="Ana Müller").wait_for()
    with page.expect_download() as saved:
        menu.get_by_role("button", name="save samples (JSONL)").click()
    saved.value.save_as(folder / "saved.jsonl")
    count = int(desk.locator(".lt-find").inner_text().split(" of ")[0].split()[-1])
    assert len(Samples.read(folder / "saved.jsonl")) == count
    with page.expect_download() as saved:
        menu.get_by_role("button", name="save rows (CSV)").click()
    assert saved.value.suggested_filename == "run-2.csv"
    menu.get_by_role("button", name="copy sample").click()
    status.get_by_text("The sample is copied").wait_for()
    shown = desk.locator(".lt-card").get_attribute("data-row")
    assert json.loads(pasted(page))["tools"]
    menu.get_by_role("button", name="copy link").click()
    status.get_by_text("A link to this sample is copied.").wait_for()
    link = pasted(page)
    assert link.startswith("http://127.0.0.1:") and f"sample={shown}" in link and "token" not in link
    menu.get_by_role("textbox", name="annotator").press("Escape")
    tags = desk.get_by_role("textbox", name="tags")
    tags.click()
    tags.fill("hard, dates")
    desk.locator(".lt-judge h4").click()  # leaving the field keeps them
    until(page, lambda: any(d["subject"] == "tag" for d in lines_of(run)))
    assert [d["author"] for d in lines_of(run)] == ["Ana Müller"] * 2
    assert lines_of(run)[-1]["row"] == shown and lines_of(run)[-1]["value"] == ["hard", "dates"]
    desk.get_by_label("tags", exact=True).and_(desk.locator("select")).select_option("hard")
    until(page, lambda: "1 of " in desk.locator(".lt-find").inner_text())
    desk.get_by_role("button", name="clear", exact=True).click()
    menu.locator("summary").click()
    menu.get_by_role("button", name="sure <b>ones</b>", exact=True).click()
    until(page, lambda: f"{count} of " in desk.locator(".lt-find").inner_text())
    menu.get_by_role("button", name="forget sure <b>ones</b>").click()
    menu.get_by_role("button", name="sure <b>ones</b>", exact=True).wait_for(state="detached")
    menu.locator("summary").click()
    return link


def keep_by_keys(page: Any, desk: Any, run: Path) -> None:
    """Tag, copies and a verdict by keys; Escape leaves a field as it was."""
    desk.locator(".lt-judge h4").click()
    before, shown = len(lines_of(run)), desk.locator(".lt-card").get_attribute("data-row")
    page.keyboard.press("j")
    until(page, lambda: desk.locator(".lt-card").get_attribute("data-row") != shown)
    shown = desk.locator(".lt-card").get_attribute("data-row")
    tags = desk.get_by_role("textbox", name="tags")
    until(page, lambda: tags.input_value() == "")
    page.keyboard.press("t")
    page.keyboard.type("nothing of it")
    page.keyboard.press("Escape")
    assert tags.input_value() == "" and len(lines_of(run)) == before
    page.keyboard.press("t")
    page.keyboard.type("later")
    page.keyboard.press("Enter")
    until(page, lambda: len(lines_of(run)) == before + 1)
    assert lines_of(run)[-1]["row"] == shown and lines_of(run)[-1]["value"] == ["later"]
    page.keyboard.press("c")
    until(page, lambda: pasted(page).startswith("{"))
    page.keyboard.press("l")
    until(page, lambda: f"sample={shown}" in pasted(page))
    page.keyboard.press("1")
    until(page, lambda: desk.locator(".lt-card").get_attribute("data-row") != shown)
    last = lines_of(run)[-1]
    assert (last["row"], last["author"], last["value"]["verdict"]) == (shown, "Ana Müller", "PRED_WRONG")


def test_a_link_is_where_the_page_starts(chromium: Any, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(RECORDED, run)
    at = "view=ProbeView&iteration=1&only.iteration=1&only.state=failed&search=<script>"
    with viewing(run, tmp_path, "--at", at.replace("<script>", "%3Cscript%3E")) as address:
        page = new_page(chromium)
        page.goto(address)
        probes = page.get_by_role("region", name="probes")
        probes.get_by_role("searchbox", name="search the rows").wait_for(timeout=90_000)
        assert probes.get_by_role("searchbox").input_value() == "<script>"
        probes.get_by_role("button", name="clear filters").click()
        until(
            page,
            lambda: (
                probes.get_by_text("No row matches.").count() == 0
                or not probes.get_by_text("No row matches.").is_visible()
            ),
        )
        probes.locator("[role=grid]").press("t")
        page.keyboard.type("seen")
        page.keyboard.press("Enter")
        until(page, lambda: [d["value"] for d in lines_of(run)] == [["seen"]])
        probes.get_by_role("combobox", name="tags").wait_for()
        assert page.faults == []
        page.context.close()


def test_a_page_that_is_loaded_again_or_lost_leaves_the_run_free(chromium: Any, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(RECORDED, run)
    free, taken = "What you decide is saved at once", "has this run open"
    with viewing(run, tmp_path) as address:
        page = new_page(chromium)
        page.goto(address)
        page.get_by_text(free).wait_for(timeout=90_000)
        for _ in range(2):
            page.reload()
            page.get_by_text(free).or_(page.get_by_text(taken)).wait_for(timeout=90_000)
            assert page.get_by_text(free).is_visible()
        assert page.faults == []
        page.context.close()  # as a browser that crashes: the page says nothing
        page = new_page(chromium)

        def is_free() -> bool:
            page.goto(address)
            page.get_by_text(free).or_(page.get_by_text(taken)).wait_for(timeout=90_000)
            return page.get_by_text(free).is_visible()

        until(page, is_free)
        page.context.close()


@pytest.mark.parametrize(
    ("system", "asked", "scheme"),
    [("dark", "", "dark"), ("light", "", "light"), ("dark", "&theme=light", "light")],
)
def test_the_page_is_dark_where_the_system_is_and_a_reload_opens_the_same_tab(
    chromium: Any, tmp_path: Path, system: str, asked: str, scheme: str
) -> None:
    run = tmp_path / "run"
    shutil.copytree(RECORDED, run)
    with viewing(run, tmp_path, "--at", "view=ProbeView&iteration=1&only.state=failed") as address:
        page = new_page(chromium, color_scheme=system)
        page.goto(address + asked)
        page.get_by_role("region", name="probes").wait_for(timeout=90_000)
        choose(page, "disagreements")
        desk = page.get_by_role("region", name="disagreements of iteration 2")
        desk.locator(".lt-card[data-row]:not([data-row=''])").wait_for()
        until(page, lambda: "view=DisagreementView" in page.url)
        assert "only.state" not in page.url and "iteration" not in page.url, "of the tab that was left"
        looks = """([node, name]) => {
            const parts = getComputedStyle(node)[name].match(/\\d+/g).slice(0, 3)
            return parts.reduce((sum, part) => sum + Number(part), 0) / 765 }"""
        ground, ink = (
            page.evaluate(looks, [desk.element_handle(), name]) for name in ("backgroundColor", "color")
        )
        assert (ground < 0.3 and ink > 0.7) == (scheme == "dark")
        assert (ground > 0.7 and ink < 0.3) == (scheme == "light")
        scheme_of = "() => getComputedStyle(document.body).colorScheme"
        assert (page.evaluate(scheme_of) == "dark") == (scheme == "dark")
        page.reload()
        desk.wait_for(timeout=90_000)
        assert page.get_by_role("region", name="loop").count() == 0
        pressed = page.locator(".widget-toggle-buttons .mod-active, .jupyter-widgets .mod-active").first
        assert pressed.inner_text() == "disagreements"
        assert page.faults == []
        page.context.close()
