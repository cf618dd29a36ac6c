"""A full disk: what is on it stays whole, and the message has the remedy."""

from __future__ import annotations

import errno
import os
import shlex
import sqlite3
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from looptool_kit.core.errors import RunError, full_disk_explained


def test_a_full_disk_harms_nothing_and_says_what_to_do(tmp_path: Path) -> None:
    """A real write past the process's file size limit: the old table stays, no half file is left."""
    code = f"""
import resource, signal
from pathlib import Path
from looptool_kit.core.errors import RunError, full_disk_explained
from looptool_kit import world
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
target = Path({str(tmp_path)!r}) / "t.jsonl"
world.generate(3, seed=0).write(target)
before = target.read_bytes()
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    with full_disk_explained(target.parent):
        world.generate(200, seed=0).write(target)
except RunError as error:
    print(error)
assert target.read_bytes() == before and [p.name for p in target.parent.iterdir()] == ["t.jsonl"]
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0 and "is full" in done.stdout and "resumes where it stopped" in done.stdout, (
        done.stdout + done.stderr
    )


@pytest.mark.parametrize(
    ("error", "free"),
    [
        (OSError(28, "No space left on device"), 2**40),
        (Exception("I/O error: No space left on device (os error 28)"), 2**40),  # safetensors
        (sqlite3.OperationalError("database or disk is full"), 2**40),
        (
            RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 106048 vs 105936"),
            0,
        ),  # torch
    ],
)
def test_a_full_disk_is_seen_behind_the_errors_of_libraries(
    error: Exception, free: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("looptool_kit.run.folder.shutil.disk_usage", lambda _: SimpleNamespace(free=free))
    with pytest.raises(RunError, match="is full.*resumes where it stopped"), full_disk_explained(tmp_path):
        raise error


@pytest.mark.parametrize(("number", "said"), [(errno.EIO, "reports a fault"), (errno.EROFS, "is read-only")])
@pytest.mark.parametrize("by", ["arrow", "safetensors", "python"])
def test_a_broken_disk_is_seen_behind_the_errors_of_libraries(
    number: int, said: str, by: str, tmp_path: Path
) -> None:
    words = os.strerror(number)
    error = {
        "arrow": OSError(number, f"Error writing bytes to file. Detail: {words}"),
        "safetensors": Exception(f"I/O error: {words} (os error {number})"),
        "python": OSError(number, words, str(tmp_path / "run.toml")),
    }[by]
    with pytest.raises(RunError, match=f"{tmp_path.name} {said}"), full_disk_explained(tmp_path):
        raise error


def test_training_on_a_disk_that_really_fills_up_is_one_paragraph(
    wordy_checkpoint: Path, tmp_path: Path
) -> None:
    """A file system of 300 kB, made for a process of its own: the first checkpoint of the training does not
    fit.
    """
    if subprocess.run(["unshare", "-rm", "true"], capture_output=True).returncode:
        pytest.skip("this machine lets nobody mount a file system of one's own (unshare -rm)")
    sets = [
        "seeds.first=8",
        "seeds.fresh=[4]",
        "seeds.held_out=1",
        "sft.epochs=1",
        "sft.batch=4",
        "grpo.steps=0",
        f"model={wordy_checkpoint}",
    ]
    made = [
        sys.executable,
        "-m",
        "looptool_kit.cli",
        "seed",
        "run",
        "--preset",
        "cpu-quick",
        *[part for s in sets for part in ("--set", s)],
    ]
    train = [sys.executable, "-m", "looptool_kit.cli", "train", "run"]
    space = (
        f"mount -t tmpfs -o size=300k none {tmp_path} && cd {tmp_path} && {shlex.join(made)} &&"
        f" {shlex.join(train)}"
    )
    after = (
        f"mount -o remount,size=50m {tmp_path} && cd {tmp_path} && {shlex.join(train)} && ls"
        " run/iterations/01/policy.json"
    )
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", f"{space} || echo 'it failed'; {after}"],
        capture_output=True,
        text=True,
    )
    assert "it failed" in done.stdout and done.returncode == 0 and done.stdout.endswith("policy.json\n"), (
        done.stdout + done.stderr[-2000:]
    )
    assert "The disk of run is full" in done.stderr and "Traceback" not in done.stderr, done.stderr[-2000:]


def test_other_errors_are_not_called_a_full_disk(tmp_path: Path) -> None:
    elsewhere = OSError(errno.EIO, "fault", "/dev/other")
    for error in (PermissionError(13, "no"), RuntimeError("shapes differ"), RunError("fix it"), elsewhere):
        with pytest.raises(type(error), match=str(error.args[-1])), full_disk_explained(tmp_path):
            raise error
