"""What the views say on the page of `looptool view`: nothing that only a notebook's reader can do."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("anywidget")

from widget_pages import asked  # noqa: E402

from looptool_kit.run.folder import Run  # noqa: E402
from looptool_kit.widgets.loopmap import LoopMap  # noqa: E402
from looptool_kit.widgets.page import VIEWS, run_page  # noqa: E402
from looptool_kit.widgets.view import WORDS  # noqa: E402

RECORDED = Path(__file__).parents[2] / "sample_data" / "run"
FOR_NOTEBOOKS = re.compile(r"Run\.open|\blt\.|\bcells?\b|\w+View\b|LoopMap")


@pytest.fixture(params=["whole", "read-only", "without tables", "new"])
def shown(request: pytest.FixtureRequest, tmp_path: Path) -> Run:
    if request.param == "new":
        return Run.create(tmp_path / "new", "cpu-quick")
    path = shutil.copytree(RECORDED, tmp_path / "run")
    if request.param == "without tables":
        for file in (path / "iterations").glob("*/*"):
            if file.stem in ("probes", "probes_raw", "verdicts", "expansions", "scores"):
                file.unlink()
    return Run.open(path, read_only=request.param == "read-only")


def texts_of(widget: Any) -> list[str]:
    """What a person may read of a view: its words, not its data."""
    names = ("value", "missing", "blocked", "offer", "about", "progress", "note", "views")
    return [str(getattr(widget, name, "")) for name in names]


def test_the_page_says_nothing_that_only_a_notebook_can_do(
    shown: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SERVER_SOFTWARE", "voila/0.5")
    page = run_page(shown)
    head, bar, place, address = page.children
    choice = bar.children[0]
    for name in VIEWS:
        choice.value = name
        assert address.view == name, "a reload opens this tab"
        [view] = place.children
        said = [*texts_of(view), *(note.value for note in head.children if hasattr(note, "value"))]
        if isinstance(view, LoopMap):
            said = [re.sub(r"'\w+', ", "", text) for text in said]  # the class, which is not shown
            said.append(str(asked(view, "open")))
        for text in said:
            assert not FOR_NOTEBOOKS.search(text), f"{name}: {text}"


def test_every_view_of_the_page_has_words() -> None:
    assert list(VIEWS) == list(WORDS)
