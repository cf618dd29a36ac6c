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

from looptool_kit.cli.notebooks import own_copies

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"


def test_copies_are_kept_where_a_person_worked_in_them_and_follow_where_not(tmp_path: Path) -> None:
    originals, into = tmp_path / "notebooks", tmp_path / "runs" / "notebooks"
    originals.mkdir()
    for name in ("a", "b"):
        (originals / f"{name}.ipynb").write_text(f"{name} 1")
        (originals / f"{name}.py").write_text("source")
    assert own_copies(originals, into) == []
    assert [p.name for p in into.glob("[!.]*")] == ["a.ipynb", "b.ipynb"], "notebooks alone"
    (into / "a.ipynb").write_text("mine")
    assert own_copies(originals, into) == [], "the original is the one that was copied"
    for name in ("a", "b"):
        (originals / f"{name}.ipynb").write_text(f"{name} 2")
    assert own_copies(originals, into) == ["a.ipynb"] == own_copies(originals, into)
    assert [(into / f"{n}.ipynb").read_text() for n in ("a", "b")] == ["mine", "b 2"]
    (into / "a.ipynb").unlink()
    assert own_copies(originals, into) == [] and (into / "a.ipynb").read_text() == "a 2"


def test_the_files_that_a_notebook_reads_are_beside_it(tmp_path: Path) -> None:
    originals, into = tmp_path / "notebooks", tmp_path / "copies"
    for name in ("example/tools.py", "__pycache__/start.pyc"):
        (originals / name).parent.mkdir(parents=True)
        (originals / name).write_text(name)
    assert own_copies(originals, into) == [] and not (into / "__pycache__").exists()
    (into / "example" / "tools.py").write_text("mine")
    assert own_copies(originals, into) == [] and (into / "example" / "tools.py").read_text() == "mine"


def test_looptool_lab_opens_a_copy_of_the_tour(tmp_path: Path) -> None:
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
        folder = contents.replace("00_tour.ipynb", "")
        names = [
            f["name"]
            for f in json.load(urllib.request.urlopen(folder.replace("=0", "=1"), timeout=30))["content"]
        ]
        assert "00_tour.ipynb" in names and {n for n in names if not n.endswith(".ipynb")} == {"your_tools"}
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(30)
