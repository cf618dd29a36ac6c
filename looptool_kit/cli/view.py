"""The command view: the views of a run in a browser, without JupyterLab."""

from __future__ import annotations

import importlib.util
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
import webbrowser
from pathlib import Path
from typing import Annotated, Any

import typer

from looptool_kit.cli.common import LOOK, RunFolder, app
from looptool_kit.core.terminal import say

_CELL = """import os
from looptool_kit.widgets.page import open_for_page, run_page
run_page(open_for_page({path!r}), os.environ.get("QUERY_STRING", ""))"""
_POLICY = (
    "default-src 'self' data: blob: 'unsafe-inline' 'unsafe-eval'; connect-src 'self' ws: data: blob:;"
    " form-action 'self'; frame-ancestors 'none'"
)
"""Nothing that a page shows leaves this machine."""
_TEMPLATE = """{%- extends 'lab/index.html.j2' -%}
{%- block notebook_css -%}
{%- for line in super().splitlines() if "/npm/@fortawesome" not in line %}
{{ line | safe }}
{%- endfor %}
{%- if resources.theme == 'light' %}
{%- set dark = "<link data-system media='(prefers-color-scheme: dark)'" %}
{{ resources.include_css("static/theme-dark.css").unescape().replace("<link", dark) | safe }}
<style data-system>@media (prefers-color-scheme: dark) { :root { color-scheme: dark } }</style>
<script>
if (new URLSearchParams(location.search).get("theme") === "light")
  document.querySelectorAll("[data-system]").forEach((of) => of.remove())
</script>
{%- endif %}
{%- endblock notebook_css -%}
"""
"""Voila's own page, without the icon font of another host, and dark where the person's system is.

`&theme=dark` makes it dark anywhere, `&theme=light` light.
"""
_EXTENSIONS = ["anywidget", "@jupyter-widgets/jupyterlab-manager", "@voila-dashboards/widgets-manager8"]
"""What the views need of JupyterLab's extensions."""
LEFT_SECONDS = 10
"""How long a page that nobody is connected to keeps the run."""
START_SECONDS = 60.0
"""How long Voila may take to answer. It starts in seconds; a busy machine takes longer."""


@app.command(rich_help_panel=LOOK)
def view(
    path: RunFolder,
    at: Annotated[
        str, typer.Option(help="Where to start: a link that a view's “copy link” has copied.")
    ] = "",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Serve the page here, or on a free port if this is taken.")
    ] = 8866,
    browser: Annotated[bool, typer.Option(help="Open the page in a browser.")] = True,
) -> None:
    """Show all views of a run in a browser, without JupyterLab.

    What a person decides there is saved in the run at once. Voila serves the page, to this machine alone.
    """
    from looptool_kit.run.folder import Run

    run = Run.open(path, read_only=True)
    if any(importlib.util.find_spec(name) is None for name in ("voila", "anywidget")):
        raise ValueError("Voila is not installed here. Use `make lab` once, or `pip install -e '.[lab]'`.")
    with tempfile.TemporaryDirectory(prefix="looptool-view-") as folder:
        raise typer.Exit(
            _serve(run.path.resolve(), Path(folder), at.rpartition("?")[2], _free(port), browser)
        )


def _serve(run: Path, folder: Path, at: str, port: int, browser: bool) -> int:
    """Serve the page of a run until somebody stops it; the exit status."""
    token = secrets.token_urlsafe(24)
    _write_page(run, folder / "view.ipynb")
    (folder / "voila.json").write_text(json.dumps(_settings(port, token)), encoding="utf-8")
    template = folder / "voila" / "templates" / "looptool"
    template.mkdir(parents=True)
    (template / "conf.json").write_text('{"base_template": "lab"}', encoding="utf-8")
    (template / "index.html.j2").write_text(_TEMPLATE, encoding="utf-8")
    # Of settings and of templates: this folder before all others.
    places = {
        name: os.pathsep.join(filter(None, (str(folder), os.environ.get(name))))
        for name in ("JUPYTER_CONFIG_PATH", "JUPYTER_PATH")
    }
    server = subprocess.Popen(
        [sys.executable, "-P", "-m", "voila", str(folder / "view.ipynb")], env={**os.environ, **places}
    )
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: server.terminate())
    address = f"http://localhost:{port}/?{at + '&' * bool(at)}token={token}"
    if _answers(port, server):
        say(f"{run.name} is at {address}\nCtrl-C ends the page. What was decided in it is saved.")
        if browser:
            # A file of one's own, as Jupyter has it: the command line of a browser can be read by others.
            opening = folder / "open.html"
            target = address.replace("&", "&amp;").replace('"', "%22")
            opening.write_text(f'<meta http-equiv="refresh" content="0;url={target}">', encoding="utf-8")
            webbrowser.open(opening.as_uri())
    status = server.wait()
    return 0 if status == -signal.SIGTERM else status


def _settings(port: int, token: str) -> dict[str, Any]:
    return {
        "Voila": {
            "port": port,
            "port_retries": 0,
            "open_browser": False,
            "token": token,
            "log_level": "ERROR",
            "tornado_settings": {
                "headers": {"Content-Security-Policy": _POLICY},
                # A page that is left tells so by the one POST there is, about a kernel whose ID nobody else
                # knows. Who comes by the address with the token never gets the cookie for the check.
                "disable_check_xsrf": True,
            },
        },
        # Of a browser that crashed nothing tells: its kernel would keep the run for good.
        "MappingKernelManager": {
            "cull_idle_timeout": LEFT_SECONDS,
            "cull_interval": 2,
            "cull_connected": False,
        },
        "VoilaConfiguration": {
            "template": "looptool",
            "file_allowlist": [],
            "extension_allowlist": _EXTENSIONS,
        },
    }


def _write_page(run: Path, file: Path) -> None:
    code: dict[str, Any] = {
        "cell_type": "code",
        "id": "page",
        "metadata": {},
        "outputs": [],
        "execution_count": None,
    }
    page = {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {
            "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
            "title": run.name,
        },
        "cells": [code | {"source": _CELL.format(path=str(run))}],
    }
    file.write_text(json.dumps(page), encoding="utf-8")


def _free(port: int) -> int:
    """The port, or any other where something else is served there."""
    for wanted in (port, 0):
        with socket.socket() as asked:
            asked.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                asked.bind(("127.0.0.1", wanted))
                return int(asked.getsockname()[1])
            except OSError:
                continue
    raise ValueError("no port is free on this machine")


def _answers(port: int, server: subprocess.Popen[bytes]) -> bool:
    """Wait until the page is served; False where the server has ended."""
    end = time.monotonic() + START_SECONDS
    while server.poll() is None and time.monotonic() < end:
        try:
            socket.create_connection(("localhost", port), timeout=1).close()
            return True
        except OSError:
            time.sleep(0.2)
    return False
