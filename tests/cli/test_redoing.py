"""Before the command makes again what took long, it says so, and on a terminal it asks."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest
from scripted_runs import files, finished_loop, scripted
from typer.testing import CliRunner

from looptool_kit.cli import app, common
from looptool_kit.run.folder import Run

SAID = "compose 1 is made again: compose.hppl is 1, it was 3. It had taken 1 min 40 s"


@pytest.fixture
def changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A finished run whose stages took 100 s each, with another setting for what is composed."""
    scripted(monkeypatch)
    with finished_loop(tmp_path / "run") as run:
        for path in run.path.glob("*/**/*.json"):
            if path.parent.name != "adapter":
                path.write_text(json.dumps(json.loads(path.read_text()) | {"seconds": 100.0}))
        run.set(compose__hppl=1)
    return tmp_path / "run"


def on_terminal(*command: str, answer: str) -> tuple[int, str]:
    """Exit code and output of `looptool` on a terminal of its own, where a person types the answer."""
    ours, theirs = pty.openpty()
    python = [sys.executable, "-m", "looptool_kit.cli", *command]
    process = subprocess.Popen(python, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
    os.close(theirs)
    said, typed = b"", False
    while True:
        try:
            part = os.read(ours, 4096)
        except OSError:  # the other side is closed
            part = b""
        if not part:
            break
        said += part
        if b"[y/N]" in said and not typed:
            os.write(ours, answer.encode() + b"\n")
            typed = True
    os.close(ours)
    return process.wait(), " ".join(said.decode().split())


@pytest.mark.parametrize("command", ["compose", "loop"])
def test_on_a_terminal_it_asks_and_no_is_the_answer_that_changes_nothing(changed: Path, command: str) -> None:
    before = files(changed)
    more = ["--iteration", "1"] if command == "compose" else []
    for answer in ("", "n"):
        code, said = on_terminal(command, str(changed), *more, answer=answer)
        assert code == 1 and "again? [y/N]" in said and "looptool: nothing was made again" in said
        assert "compose.hppl is 1, it was 3" in said and "1 min 40 s" in said and "about as long" in said
        assert files(changed) == before


def test_a_yes_is_asked_for_once(changed: Path) -> None:
    code, said = on_terminal("compose", str(changed), "--iteration", "1", answer="y")
    assert code == 0 and SAID in said and said.count("[y/N]") == 1 and (changed / "superseded").exists()
    code, said = on_terminal("compose", str(changed), "--iteration", "1", answer="n")
    assert code == 0 and "[y/N]" not in said, "it is made, so there is nothing to ask"


@pytest.mark.parametrize("state", ["changed", "new", "cut short", "beside another"])
def test_a_plan_says_what_why_and_what_it_cost_and_writes_nothing(
    changed: Path, tmp_path: Path, state: str
) -> None:
    path, said = changed, "compose.hppl is 1, it was 3"
    if state == "new":
        Run.create(path := tmp_path / "new", "cpu-quick").close()
        said = "to do seed"
    elif state == "cut short":  # what an opening that writes would sweep
        (path / "iterations" / "01" / ".samples.parquet.0000.tmp").write_bytes(b"half")
        (path / "iterations" / "01" / "samples.parquet").unlink()
        said = "samples.parquet is missing"
    before = everything(path)
    if state == "beside another":
        with Run.open(path):  # it holds the lock
            before = everything(path)
            done = CliRunner().invoke(app, ["plan", str(path)])
            assert everything(path) == before
    else:
        done = CliRunner().invoke(app, ["plan", str(path)])
        assert everything(path) == before
    assert done.exit_code == 0 and said in " ".join(done.output.split())


def everything(path: Path) -> dict[str, tuple[int, bytes]]:
    """All files and folders of a run, the hidden ones too, with their times and contents."""
    return {
        str(p.relative_to(path)): (p.stat().st_mtime_ns, p.read_bytes() if p.is_file() else b"")
        for p in (path, *path.rglob("*"))
    }


@pytest.mark.parametrize("yes", [True, False])
def test_with_yes_or_without_a_terminal_it_says_it_and_resumes(changed: Path, yes: bool) -> None:
    command = ["compose", str(changed), "--iteration", "1"]
    if yes:
        code, said = on_terminal(*command, "--yes", answer="")
    else:
        done = CliRunner().invoke(app, command)
        code, said = done.exit_code, " ".join(done.output.split())
    assert code == 0 and SAID in said and "[y/N]" not in said and (changed / "superseded").exists()


def test_a_loop_asks_before_its_first_stage_and_then_no_more(
    changed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(common, "on_terminal", lambda: True)
    with Run.open(changed) as run:
        run.set(evaluate__max_new_tokens=5)
    done = CliRunner().invoke(app, ["loop", str(changed)], input="y\n")
    assert done.exit_code == 0, done.output
    assert done.output.count("[y/N]") == 1 and "Make them again? [y/N]" in done.output
    first = done.output.index("[y/N]")
    for setting in ("compose.hppl", "evaluate.max_new_tokens"):
        assert setting in done.output[:first], "all that is known to change is said before the question"
    assert "is made again" in done.output[first:]


def test_what_is_cheap_or_new_is_not_asked_about(
    tmp_path: Path, trained: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(common, "on_terminal", lambda: True)
    finished_loop(tmp_path / "run").close()
    with Run.open(tmp_path / "run") as run:
        run.set(compose__hppl=1)
    for command in (["compose", "--iteration", "1"], ["loop"]):
        done = CliRunner().invoke(app, [command[0], str(tmp_path / "run"), *command[1:]], input="n\n")
        assert done.exit_code == 0 and "[y/N]" not in done.output, done.output


def test_a_notebook_says_what_is_made_again(changed: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import looptool_kit as lt

    lt.compose(lt.Run.open(changed), iteration=1)
    assert SAID in " ".join(capsys.readouterr().out.split())
