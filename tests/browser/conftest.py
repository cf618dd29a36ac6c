"""One JupyterLab for all browser tests. Where Chromium, Playwright or JupyterLab is missing they are skipped,
and pytest says so.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

MISSING = [m for m in ("playwright", "jupyterlab", "anywidget") if importlib.util.find_spec(m) is None]


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """Address and root folder of a JupyterLab."""
    from lab import CHROMIUM, lab_server

    if MISSING or CHROMIUM is None:
        lacking = " and ".join(
            [*MISSING, *([] if CHROMIUM else ["a Chromium browser (Debian: apt-get install chromium)"])]
        )
        pytest.skip(f"browser tests left out: this machine has no {lacking}")
    root = tmp_path_factory.mktemp("lab")
    with lab_server(root) as url:
        yield url, root


@pytest.fixture(scope="module")
def chromium(lab: tuple[str, Path]) -> Iterator[Any]:
    """The browser; closed after each file, because Playwright keeps an event loop running in this thread,
    which other tests cannot have.
    """
    from lab import browser

    with browser() as found:
        yield found


@pytest.fixture
def page(chromium: Any, request: pytest.FixtureRequest) -> Iterator[Any]:
    """A fresh page; a picture of it is kept in tests/browser/shots/ when the test ends."""
    from lab import new_page

    page = new_page(chromium)
    yield page
    shots = Path(__file__).parent / "shots"
    shots.mkdir(exist_ok=True)
    page.screenshot(path=shots / f"{request.node.name}.png")
    page.context.close()
