"""Run folders that are broken, half written, locked or not to be written to: each is made whole, or says what
to do.
"""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from scripted_runs import files, go

import looptool_kit as lt
from looptool_kit.config import with_overrides
from looptool_kit.core.errors import RunError
from looptool_kit.core.records import Verdicts
from looptool_kit.core.tables import atomic
from looptool_kit.report.plan import plan
from looptool_kit.report.summary import print_scoreboard, report_run
from looptool_kit.run.folder import Run
from looptool_kit.stages.evaluate.stage import scores

# --------------------------------------------------------------- broken folders

MANIFESTS = [
    "seed/seed",
    *(
        f"iterations/01/{n}"
        for n in ("policy", "scores", "probes_raw", "probes", "verdicts", "expansions", "composition")
    ),
]
TABLES = [
    "seed/pool",
    "seed/held_out",
    "seed/truth",
    "seed/development",
    "iterations/01/samples",
    "iterations/02/samples",
    "iterations/02/members",
]
TABLES += [f"iterations/01/{n}" for n in ("scores", "development_scores", "probes", "verdicts", "expansions")]


def content(run: Run) -> dict[str, bytes]:
    return {
        n: b for n, b in files(run.path).items() if n.endswith(".parquet") and not n.startswith("superseded")
    }


@pytest.mark.parametrize("name", MANIFESTS)
@pytest.mark.parametrize("text", ["{}", "[]", "{"])
def test_a_broken_manifest_makes_its_stage_anew(run: Run, name: str, text: str) -> None:
    before = content(run)
    (run.path / f"{name}.json").write_text(text)
    print_scoreboard(run)
    report_run(run)
    assert any(s.state != "done" for s in plan(run)) or name.endswith(
        "probes_raw"
    )  # the probes hold the raw ones too
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
    code = (
        f"import os\nfrom looptool_kit.core.tables import atomic\nwith atomic({target!r}) as tmp:\n   "
        " tmp.write_text('h'); os._exit(9)"
    )
    run.close()
    subprocess.run([sys.executable, "-c", code], check=False)
    left = [p for p in run.folder(1).iterdir() if p.name.startswith(".scores")]
    done, half = (
        run.folder(1) / "policy" / "sft" / "checkpoint-4",
        run.folder(2) / "policy" / "grpo" / "checkpoint-2",
    )
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
        assert (
            not left[0].exists()
            and not done.exists()
            and not half.exists()
            and not parts.exists()
            and going.exists()
        )
    mine = {
        ".notes.settings",
        "iterations/01/policy/sft/result.json",
        "iterations/03/policy/grpo/checkpoint-1/complete",
    }
    assert {n: b for n, b in files(run.path).items() if n not in mine} == before


# ------------------------------------------------------------------------ locks


def test_a_closed_run_is_free_for_others_and_holds_nothing(tmp_path: Path) -> None:
    handles = len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else 0
    other = [
        sys.executable,
        "-c",
        f"from looptool_kit.run.folder import Run; Run.open({str(tmp_path / 'run')!r}).close()",
    ]
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
    other = [
        sys.executable,
        "-c",
        f"from looptool_kit.run.folder import Run; Run.open({str(tmp_path / 'run')!r})",
    ]
    assert subprocess.run(other, capture_output=True).returncode
    second.set(seed=1)
    second.close()
    assert subprocess.run(other, capture_output=True).returncode == 0


def test_a_folder_that_was_deleted_and_made_anew_is_locked_again(tmp_path: Path) -> None:
    old = Run.create(tmp_path / "run", "cpu-quick")
    shutil.rmtree(tmp_path / "run")
    new = Run.create(tmp_path / "run", "cpu-quick")
    other = [
        sys.executable,
        "-c",
        f"from looptool_kit.run.folder import Run; Run.open({str(tmp_path / 'run')!r})",
    ]
    refused = subprocess.run(other, capture_output=True, text=True)
    assert refused.returncode and f"pid {os.getpid()}" in refused.stderr
    old.close()
    assert subprocess.run(other, capture_output=True).returncode, "the old one's lock is not the new one's"
    new.close()
    assert subprocess.run(other, capture_output=True).returncode == 0


# ----------------------------------------------------- disks that refuse to be written


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.EACCES, "may not be written to"),
        (errno.EPERM, "may not be written"),
        (errno.EROFS, "read-only"),
    ],
)
def test_a_folder_that_may_not_be_written_to_says_what_to_do(
    run: Run, monkeypatch: pytest.MonkeyPatch, number: int, said: str
) -> None:
    def refuse(path: Any, *_: object, **__: object) -> int:
        raise OSError(number, os.strerror(number), str(path))

    run.close()
    with monkeypatch.context() as patch:
        patch.setattr("looptool_kit.run.lock.os.open", refuse)
        with pytest.raises(RunError, match=f"{said}.*read_only=True"):
            Run.open(run.path)
    again = Run.open(run.path)
    monkeypatch.setattr("looptool_kit.core.tables.Path.touch", refuse)
    for call in (lambda: again.set(seed=4), lambda: lt.verify(again, iteration=1, again=True)):
        with pytest.raises(RunError, match=f"{said}.*read_only=True"):
            call()


def test_a_run_on_a_disk_that_is_really_read_only_is_one_paragraph(tmp_path: Path) -> None:
    if subprocess.run(["unshare", "-rm", "true"], capture_output=True).returncode:
        pytest.skip("this machine lets nobody mount a file system of one's own (unshare -rm)")
    looptool = f"{sys.executable} -m looptool_kit.cli"
    seeded = f"{looptool} seed {tmp_path}/run --preset cpu-quick --set seeds.held_out=1"
    made = f"mount -t tmpfs -o size=20m none {tmp_path} && {seeded} && mount -o remount,ro {tmp_path}"
    script = (
        f"{made}; {looptool} loop {tmp_path}/run; {looptool} init {tmp_path}/new; {looptool} plan"
        f" {tmp_path}/run"
    )
    done = subprocess.run(["unshare", "-rm", "sh", "-c", script], capture_output=True, text=True)
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr[-2000:]
    assert (
        done.stderr.count("is read-only") == 2
        and "done     seed" in done.stdout
        and "to do    train 1" in done.stdout
    )


def test_settings_of_a_recorded_run_are_read_and_nothing_is_written(tmp_path: Path) -> None:
    recorded = Path(__file__).parents[2] / "sample_data" / "run"
    folder = shutil.copytree(recorded, tmp_path / "run")
    before = files(folder)
    run = Run.open(folder, read_only=True)
    assert (
        run.iterations == [1, 2, 3]
        and scores(run)
        and plan(run)
        and with_overrides(run.settings) == run.settings
    )
    assert files(folder) == before


def test_a_write_leaves_a_name_that_the_sweep_knows(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), atomic(tmp_path / "a.json") as tmp:
        assert tmp.name.startswith(".a.json.") and tmp.name.endswith(".tmp")
        raise RuntimeError


WRONG = [f'{{"seconds": {value}}}' for value in ('"x"', "null", "true", "-1", "1e999")]
WRONG += [
    f'{{"seconds": 1, "key": "k", "trainings": {value}}}' for value in ("[{}]", '"x"', '[{"folder": 1}]')
]
WRONG += ["{}", "[" * 100_000, "a folder"]


@pytest.mark.parametrize("text", WRONG, ids=range(len(WRONG)))
def test_a_manifest_of_another_shape_is_a_paragraph_and_made_anew(
    run: Run, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    file = run.folder(2) / "policy.json"
    file.unlink()
    if text == "a folder":
        file.mkdir()
    else:
        file.write_text(text)
    print_scoreboard(run)
    report_run(run)
    assert "again    train 2: its manifest cannot be read" in "\n".join(map(str, plan(run)))
    capsys.readouterr()
    lt.train(run, iteration=2)
    said = capsys.readouterr().out
    assert (
        "train 2 is made again: its manifest cannot be read. How long it had taken is not known" in said
        and "superseded" in said
    )
    assert len(list(run.path.glob("superseded/*/iterations/02/policy/sft/adapter/weights"))) == 1


@pytest.mark.parametrize("name", ["", ".", "..", ".hidden", "./docs", "a/b", "a/", "/tmp"])
def test_a_notebooks_run_has_a_plain_name(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOOPTOOL_RUNS", str(tmp_path / "runs"))
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "notebooks"))
    monkeypatch.delitem(sys.modules, "start", raising=False)
    start = import_module("start")
    before = sorted(tmp_path.rglob("*"))
    for call in (lambda: start.recorded(name), lambda: start.open_run(name, "cpu-quick")):
        with pytest.raises(ValueError, match="cannot name a folder"):
            call()
    monkeypatch.delitem(sys.modules, "start")
    assert sorted(tmp_path.rglob("*")) == before


# -------------------------------------------------------------------- lost locks


def replaced(run: Run) -> None:
    copy = shutil.copytree(run.path, run.path.with_name("copy"))
    shutil.rmtree(run.path)
    copy.rename(run.path)


@pytest.mark.parametrize(
    "lose", [replaced, lambda run: (run.path / ".lock").unlink()], ids=["folder", "lock"]
)
def test_a_run_that_lost_its_lock_writes_nothing(run: Run, lose: Callable[[Run], object]) -> None:
    row = run.table(Verdicts, "verdicts", 1)[0].sample_id
    lose(run)
    before, settings = files(run.path), (run.path / "run.toml").read_text()
    with Run.open(run.path) as new:
        for call in (
            lambda: run.set(compose__hppl=1),
            lambda: run.decide("verdict", row, "LABEL_WRONG"),
            lambda: run.reject("f", 1, "", ""),
            lambda: lt.verify(run, iteration=1, again=True),
        ):
            with pytest.raises(RunError, match="not locked by this run any more"):
                call()
        assert files(run.path) == before and (run.path / "run.toml").read_text() == settings
        new.set(compose__hppl=1)


def test_a_forked_child_neither_writes_nor_keeps_the_folder_locked(tmp_path: Path) -> None:
    code = f"""
import os, subprocess, sys
from looptool_kit.core.errors import RunError
from looptool_kit.run.folder import Run
path = {str(tmp_path / "run")!r}
run = Run.create(path, "cpu-quick")
go, wait = os.pipe()
stay, leave = os.pipe()
if not os.fork():
    for call in (lambda: run.set(seed=7), lambda: Run.open(path)):
        try:
            call()
        except RunError as error:
            os.write(1, (str(error) + "\\n").encode())
    os.write(wait, b"x")
    os.read(stay, 1)
    os._exit(0)
os.read(go, 1)
run.close()
code = f"from looptool_kit.run.folder import Run; Run.open({{path!r}}).set(seed=8)"
other = subprocess.run([sys.executable, "-c", code])
os.write(leave, b"x")
os.write(1, f"free: {{other.returncode == 0}}".encode())
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout
    assert (
        "not locked by this run any more" in said
        and "Another process (pid" in said
        and said.endswith("free: True")
    )
