"""Run folders that are broken, half written, locked or not to be written to: each is made whole, or says what to do."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from scripted_runs import files, finished_loop, go, scripted

import looptool_kit as lt
from looptool_kit.config import with_overrides
from looptool_kit.evaluate import scores
from looptool_kit.plan import plan
from looptool_kit.run import Run, RunError
from looptool_kit.summary import print_scoreboard, report_run
from looptool_kit.tables import atomic


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    return scripted(monkeypatch)


@pytest.fixture
def run(tmp_path: Path, trained: list[int]) -> Run:
    made = finished_loop(tmp_path / "run")
    trained.clear()
    return made


# --------------------------------------------------------------- broken folders

MANIFESTS = ["seed/seed", *(f"iterations/01/{n}" for n in ("policy", "scores", "probes_raw", "probes", "verdicts", "expansions", "composition"))]
TABLES = ["seed/pool", "seed/held_out", "seed/truth", "seed/development", "iterations/01/samples", "iterations/02/samples", "iterations/02/members"]
TABLES += [f"iterations/01/{n}" for n in ("scores", "development_scores", "probes", "verdicts", "expansions")]


def content(run: Run) -> dict[str, bytes]:
    return {n: b for n, b in files(run.path).items() if n.endswith(".parquet") and not n.startswith("superseded")}


@pytest.mark.parametrize("name", MANIFESTS)
@pytest.mark.parametrize("text", ["{}", "[]", "{"])
def test_a_broken_manifest_makes_its_stage_anew(run: Run, name: str, text: str) -> None:
    before = content(run)
    (run.path / f"{name}.json").write_text(text)
    print_scoreboard(run)
    report_run(run)
    assert any(s.state != "done" for s in plan(run)) or name.endswith("probes_raw")  # the probes hold the raw ones too
    go(run)
    assert content(run) == before


@pytest.mark.parametrize("name", TABLES)
def test_a_deleted_table_is_made_anew(run: Run, name: str) -> None:
    before = content(run)
    (run.path / f"{name}.parquet").unlink()
    assert any(s.state == "again" and f"{name}.parquet is missing" in s.why for s in plan(run))
    go(run)
    assert content(run) == before


def test_deleted_decoded_answers_are_made_anew_when_they_are_needed(run: Run) -> None:
    raw = run.folder(1) / "probes_raw.parquet"
    before = raw.read_bytes()
    raw.unlink()
    assert {s.state for s in plan(run)} == {"done"}, "the probes hold them too"
    run.set(probe__quantile=0.9)
    go(run)
    assert raw.read_bytes() == before


def test_a_deleted_adapter_is_trained_anew(run: Run, trained: list[int]) -> None:
    shutil.rmtree(run.folder(2) / "policy" / "sft" / "adapter")
    go(run)
    assert trained == [2] and (run.folder(2) / "policy" / "sft" / "adapter").is_dir()


def test_what_a_kill_left_is_swept_at_the_next_open(run: Run) -> None:
    before = files(run.path)
    target = str(run.folder(1) / "scores.parquet")
    code = f"import os\nfrom looptool_kit.tables import atomic\nwith atomic({target!r}) as tmp:\n    tmp.write_text('h'); os._exit(9)"
    run.close()
    subprocess.run([sys.executable, "-c", code], check=False)
    left = [p for p in run.folder(1).iterdir() if p.name.startswith(".scores")]
    done, half = run.folder(1) / "policy" / "sft" / "checkpoint-4", run.folder(2) / "policy" / "grpo" / "checkpoint-2"
    for folder in (done, half):
        folder.mkdir(parents=True)
        (folder / "weights").write_text("w")
    (done / "complete").touch()
    (done.parent / "result.json").write_text("{}")
    going = run.folder(3) / "policy" / "grpo" / "checkpoint-1"
    going.mkdir(parents=True)
    (going / "complete").touch()
    parts = run.folder(1) / "verdicts.parts"
    parts.mkdir()
    (parts / "key").write_text(run.manifest("verdicts", 1)["key"])  # type: ignore[index]
    (run.path / ".notes.settings").write_text("a person's own")
    Run.open(run.path, read_only=True)
    assert len(left) == 1 and left[0].exists() and done.exists(), "who only looks sweeps nothing"
    with Run.open(run.path):
        assert not left[0].exists() and not done.exists() and not half.exists() and not parts.exists() and going.exists()
    mine = {".notes.settings", "iterations/01/policy/sft/result.json", "iterations/03/policy/grpo/checkpoint-1/complete"}
    assert {n: b for n, b in files(run.path).items() if n not in mine} == before


# ------------------------------------------------------------------------ locks


def test_a_closed_run_is_free_for_others_and_holds_nothing(tmp_path: Path) -> None:
    handles = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else 0
    other = [sys.executable, "-c", f"from looptool_kit.run import Run; Run.open({str(tmp_path / 'run')!r}).close()"]
    with Run.create(tmp_path / "run", "cpu-quick") as run, Run.open(tmp_path / "run"):
        assert subprocess.run(other, capture_output=True).returncode
    run.close()
    assert subprocess.run(other, capture_output=True).returncode == 0
    for _ in range(20):
        with Run.open(tmp_path / "run"):
            pass
    assert not handles or len(os.listdir("/proc/self/fd")) == handles


def test_one_of_two_open_runs_keeps_the_lock(tmp_path: Path) -> None:
    first, second = Run.create(tmp_path / "run", "cpu-quick"), Run.open(tmp_path / "run")
    first.close()
    first.close()
    other = [sys.executable, "-c", f"from looptool_kit.run import Run; Run.open({str(tmp_path / 'run')!r})"]
    assert subprocess.run(other, capture_output=True).returncode
    second.set(seed=1)
    second.close()
    assert subprocess.run(other, capture_output=True).returncode == 0


def test_a_folder_that_was_deleted_and_made_anew_is_locked_again(tmp_path: Path) -> None:
    old = Run.create(tmp_path / "run", "cpu-quick")
    shutil.rmtree(tmp_path / "run")
    new = Run.create(tmp_path / "run", "cpu-quick")
    other = [sys.executable, "-c", f"from looptool_kit.run import Run; Run.open({str(tmp_path / 'run')!r})"]
    refused = subprocess.run(other, capture_output=True, text=True)
    assert refused.returncode and f"pid {os.getpid()}" in refused.stderr
    old.close()
    assert subprocess.run(other, capture_output=True).returncode, "the old one's lock is not the new one's"
    new.close()
    assert subprocess.run(other, capture_output=True).returncode == 0


# ----------------------------------------------------- disks that refuse to be written


@pytest.mark.parametrize(
    ("number", "said"), [(errno.EACCES, "may not be written to"), (errno.EPERM, "may not be written"), (errno.EROFS, "read-only")]
)
def test_a_folder_that_may_not_be_written_to_says_what_to_do(run: Run, monkeypatch: pytest.MonkeyPatch, number: int, said: str) -> None:
    def refuse(path: Any, *_: object, **__: object) -> int:
        raise OSError(number, os.strerror(number), str(path))

    run.close()
    with monkeypatch.context() as patch:
        patch.setattr("looptool_kit.lock.os.open", refuse)
        with pytest.raises(RunError, match=f"{said}.*read_only=True"):
            Run.open(run.path)
    again = Run.open(run.path)
    monkeypatch.setattr("looptool_kit.tables.tempfile.mkstemp", lambda prefix, suffix, dir: refuse(dir))
    for call in (lambda: again.set(seed=4), lambda: lt.verify(again, iteration=1, again=True)):
        with pytest.raises(RunError, match=f"{said}.*read_only=True"):
            call()


def test_a_run_on_a_disk_that_is_really_read_only_is_one_paragraph(tmp_path: Path) -> None:
    if subprocess.run(["unshare", "-rm", "true"], capture_output=True).returncode:
        pytest.skip("this machine lets nobody mount a file system of one's own (unshare -rm)")
    looptool = f"{sys.executable} -m looptool_kit.cli"
    seeded = f"{looptool} seed {tmp_path}/run --preset cpu-quick --set seeds.held_out=1"
    made = f"mount -t tmpfs -o size=20m none {tmp_path} && {seeded} && mount -o remount,ro {tmp_path}"
    script = f"{made}; {looptool} loop {tmp_path}/run; {looptool} init {tmp_path}/new; {looptool} plan {tmp_path}/run"
    done = subprocess.run(["unshare", "-rm", "sh", "-c", script], capture_output=True, text=True)
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr[-2000:]
    assert done.stderr.count("is read-only") == 2 and "done     seed" in done.stdout and "missing  train 1" in done.stdout


def test_settings_of_a_recorded_run_are_read_and_nothing_is_written(tmp_path: Path) -> None:
    recorded = Path(__file__).parent.parent / "sample_data" / "run"
    folder = shutil.copytree(recorded, tmp_path / "run")
    before = files(folder)
    run = Run.open(folder, read_only=True)
    assert run.iterations == [1, 2, 3] and scores(run) and plan(run) and with_overrides(run.settings) == run.settings
    assert files(folder) == before


def test_a_write_leaves_a_name_that_the_sweep_knows(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), atomic(tmp_path / "a.json") as tmp:
        assert tmp.name.startswith(".a.json.") and tmp.name.endswith(".tmp")
        raise RuntimeError
