"""A throw-away JupyterLab, and Debian's Chromium to drive it with (plain Playwright)."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat

TOKEN = "test-token"
CHROMIUM = next((p for p in map(shutil.which, ("chromium", "chromium-browser", "google-chrome")) if p), None)
FLAGS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
_READY = """() => { const panel = window.jupyterapp?.shell.currentWidget;
    return panel?.sessionContext?.isReady && panel.sessionContext.session?.kernel?.status === 'idle' }"""
_RUN = """() => { const panel = window.jupyterapp.shell.currentWidget;
    const ran = ({ type, sharedModel, executionCount }) =>
      type !== 'code' || !sharedModel.getSource().trim() || executionCount !== null;
    return panel.sessionContext.session.kernel.status === 'idle'
      && panel.content.widgets.every((cell) => ran(cell.model)) }"""


@contextmanager
def lab_server(root: Path, **environment: str) -> Iterator[str]:
    """A JupyterLab over `root` with settings, data and history of its own; yields its address."""
    home = Path(tempfile.mkdtemp(prefix="lab-"))
    notifications = home / "settings" / "@jupyterlab" / "apputils-extension"
    notifications.mkdir(parents=True)
    quiet = {"fetchNews": "false", "checkForUpdates": False, "doNotDisturbMode": True}
    (notifications / "notification.jupyterlab-settings").write_text(json.dumps(quiet))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    own = {f"JUPYTER_{k.upper()}_DIR": str(home / k) for k in ("config", "data", "runtime")}
    own |= {f"JUPYTERLAB_{k.upper()}_DIR": str(home / k) for k in ("settings", "workspaces")} | {
        "IPYTHONDIR": str(home / "ipython")
    }
    # The kernel is the one of this environment, and prints no warnings of its own about frozen modules.
    own |= {"JUPYTER_PLATFORM_DIRS": "1", "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
    never = "jupyterlab.handlers.announcements.NeverCheckForUpdate"
    command = [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
        *("--ip=127.0.0.1", f"--port={port}", "--ServerApp.port_retries=0"),
        *(f"--IdentityProvider.token={TOKEN}", f"--ServerApp.root_dir={root}"),
        *("--LabApp.news_url=None", "--LabApp.extension_manager=readonly"),
        *(f"--LabApp.check_for_updates_class={never}", "--LabApp.expose_app_in_browser=True"),
    ]
    with open(home / "lab.log", "w") as log:
        server = subprocess.Popen(
            command, env={**os.environ, **own, **environment}, stdout=log, stderr=subprocess.STDOUT
        )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait(lambda: _answers(f"{url}/api/status?token={TOKEN}", server, home / "lab.log"), 120)
        yield url
    finally:
        server.terminate()
        try:
            server.wait(15)
        except subprocess.TimeoutExpired:
            server.kill()
        shutil.rmtree(home, ignore_errors=True)


def _answers(url: str, server: subprocess.Popen[bytes], log: Path) -> bool:
    if server.poll() is not None:
        raise RuntimeError(log.read_text())
    try:
        urllib.request.urlopen(url, timeout=2)
        return True
    except (urllib.error.URLError, OSError):
        return False


def _wait(ready: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            raise TimeoutError(f"not ready after {seconds} s")
        time.sleep(0.2)


@contextmanager
def browser() -> Iterator[Any]:
    """Headless Chromium."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            yield chromium
        finally:
            chromium.close()


def new_page(chromium: Any, **options: Any) -> Any:
    """A page that remembers errors (`page.faults`) and requests to hosts other than this one
    (`page.outside`).
    """
    page = chromium.new_context(viewport={"width": 1400, "height": 1000}, **options).new_page()
    page.set_default_timeout(120_000)  # for a busy machine
    page.faults, page.outside = [], []
    page.on("pageerror", lambda error: page.faults.append(str(error)))
    page.on("console", lambda message: page.faults.append(message.text) if message.type == "error" else None)
    outside = re.compile(r"https?://(?!127\.0\.0\.1)")
    page.on(
        "request", lambda request: page.outside.append(request.url) if outside.match(request.url) else None
    )
    return page


def open_notebook(page: Any, url: str, path: str, run: bool = True, seconds: float = 300) -> None:
    """Open a notebook in JupyterLab and, with `run`, run all its cells to the end."""
    page.goto(f"{url}/lab/tree/{path}?token={TOKEN}&reset")
    page.wait_for_selector(".jp-NotebookPanel:visible .jp-Cell", timeout=120_000)
    page.wait_for_function(_READY, timeout=120_000)
    if run:
        page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-all-cells')")
        page.wait_for_function(_RUN, timeout=seconds * 1000)


def save_and_reload(page: Any) -> None:
    """Save the notebook and reload the page, as a person does who comes back; the kernel keeps running.

    A person whose machine is busy may find "Error displaying widget: model not found" and reload once more:
    JupyterLab's manager of widgets gives up a view whose model is made more than 2 s after the page was.
    """
    page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
    page.wait_for_function("() => !window.jupyterapp.shell.currentWidget.context.model.dirty", timeout=30_000)
    faults = list(page.faults)
    for _ in range(5):
        page.faults[:] = faults
        page.reload()
        page.wait_for_selector(".jp-NotebookPanel:visible .jp-Cell", timeout=120_000)
        page.wait_for_function(_READY, timeout=120_000)
        page.get_by_text("Loading widget...").first.wait_for(state="hidden")
        if not page.get_by_text("Error displaying widget: model not found").count():
            return
    raise AssertionError("five reloads, and a widget was never made in time")


def nameless(page: Any) -> list[str]:
    """Buttons, fields and choices of the views on the page that have no accessible name or no tooltip, their
    own or their label's.
    """
    return page.evaluate(
        """() => {
             const named = (e) => e.getAttribute('aria-label') || e.closest('label')?.textContent.trim()
               || (e.tagName === 'BUTTON' && e.textContent.trim());
             const told = (e) => e.title || e.closest('label')?.title;
             const all = document.querySelectorAll('.lt-view :is(button, input, select, textarea)');
             return [...all].filter((e) => !named(e) || !told(e)).map((e) => e.outerHTML.slice(0, 200)) }"""
    )


def cut_heads(grid: Any) -> list[str]:
    """The column heads of a table that are not shown whole."""
    return grid.evaluate(
        """(grid) => [...grid.querySelectorAll('[role=columnheader]:not([hidden]) button')]
             .filter((b) => b.scrollWidth > b.clientWidth).map((b) => b.textContent)"""
    )


def write_notebook(path: Path, *cells: str) -> Path:
    """A notebook of these code cells."""
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(
        nbformat.v4.new_notebook(metadata=kernel, cells=[nbformat.v4.new_code_cell(c) for c in cells]), path
    )
    return path


def drag(page: Any, area: Any, start: float, end: float, height: float = 0.5) -> None:
    """Press the mouse inside `area` at the share `start` of its width and let go at `end`, once the page has
    come to rest.
    """
    area.scroll_into_view_if_needed()
    box, still = None, 0
    for _ in range(100):
        now = area.bounding_box()
        still = still + 1 if now == box else 0
        box = now
        if still >= 4:
            break
        page.wait_for_timeout(50)
    x = lambda share: box["x"] + box["width"] * share  # noqa: E731
    y = box["y"] + box["height"] * height
    page.mouse.move(x(start), y)
    page.mouse.down()
    page.mouse.move((x(start) + x(end)) / 2, y, steps=6)
    page.mouse.move(x(end), y, steps=6)
    page.mouse.up()
