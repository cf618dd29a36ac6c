"""Paths that are not what a command expects, and errors of the system: a paragraph each."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from looptool_kit.cli import main
from looptool_kit.core.errors import of_the_system

OF_A_RUN = ("init", "loop", "plan", "report", "clean", "convert", "trust", "view", "seed", "train", "probe")
OF_A_RUN += ("frontier", "verify", "expand", "compose", "evaluate")
OF_A_FOLDER = ("runs", "audit", "judge-check", "compare", "ablate")


def said(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *command: str) -> str:
    """What a command that fails says."""
    monkeypatch.setattr(sys, "argv", ["looptool", *command])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1, command
    return capsys.readouterr().err


@pytest.mark.parametrize("command", [*OF_A_RUN, *OF_A_FOLDER])
def test_a_path_that_is_no_run_is_a_paragraph(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file.txt").write_text("mine")
    os.symlink("loop", "loop")
    for path in ("file.txt", "file.txt/in/it", "n" * 300, "loop/in/it"):
        text = said(capsys, monkeypatch, command, path)
        assert "looptool: " in text and "Traceback" not in text and len(text) < 1000, text
        assert path[:40] in text, text
        assert "Errno" not in text, text
    assert Path("file.txt").read_text() == "mine"


@pytest.mark.parametrize("out", ["file.txt/x.jsonl", "n" * 300 + ".jsonl", "/proc/looptool/x.jsonl"])
def test_a_place_to_write_to_that_is_none_is_a_paragraph(
    out: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file.txt").write_text("mine")
    Path("data.jsonl").write_text("")
    text = said(capsys, monkeypatch, "import", "data.jsonl", out)
    assert text.startswith("looptool: ") and text.strip().endswith("."), text


@pytest.mark.parametrize(
    "error",
    [
        *(OSError(number, os.strerror(number), "some/where") for number in sorted(errno.errorcode)),
        ConnectionError("http://localhost:1 does not answer. Start the server."),
        TimeoutError("no answer"),
        ImportError("tools need the package `mcp`: pip install mcp"),
    ],
)
def test_every_error_of_the_system_is_a_paragraph(
    error: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    if getattr(error, "errno", None) == errno.EPIPE:
        pytest.skip("the reader has gone: nobody is told")
    monkeypatch.setattr("looptool_kit.run.folder.Run.open", fail)
    text = said(capsys, monkeypatch, "plan", "some/where")
    assert text.startswith("looptool: ") and "Traceback" not in text
    if isinstance(error, OSError) and error.errno:
        assert "some/where" in text and of_the_system(error) in text and text.strip().endswith(".")
