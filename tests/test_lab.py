"""`looptool lab` opens the tour in a browser."""

from __future__ import annotations

import html
import json
import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from urllib.parse import unquote, urlparse

import pytest

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"


def test_looptool_lab_opens_the_tour(tmp_path: Path) -> None:
    pytest.importorskip("jupyterlab")
    opened = tmp_path / "opened"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {opened}.part && mv {opened}.part {opened}\n')
    browser.chmod(0o755)
    own = {f"JUPYTER_{k}_DIR": str(tmp_path / k) for k in ("CONFIG", "DATA", "RUNTIME")}
    own |= {"BROWSER": f"{browser} %s", "JUPYTER_PORT": "0", "JUPYTER_TOKEN": "test-token"}
    command = [sys.executable, "-c", "from looptool_kit.cli import main; main()", "lab"]
    with open(tmp_path / "log", "w") as log:
        server = subprocess.Popen(
            command,
            cwd=NOTEBOOKS.parent,
            env={**os.environ, **own},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        for _ in range(600):
            if opened.exists() or server.poll() is not None:
                break
            time.sleep(0.1)
        assert opened.exists(), (tmp_path / "log").read_text()
        page = Path(unquote(urlparse(opened.read_text().strip()).path)).read_text()
        url = html.unescape(re.search(r'href="(http[^"]+)"', page)[1])
        assert "/lab/tree/notebooks/00_tour.ipynb" in url
        assert urllib.request.urlopen(url, timeout=30).status == 200
        contents = url.split("?")[0].replace("/lab/tree/", "/api/contents/") + "?content=0&token=test-token"
        assert json.load(urllib.request.urlopen(contents, timeout=30))["type"] == "notebook"
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(30)
