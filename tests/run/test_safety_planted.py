"""Things that somebody else put into a run folder: what is written goes nowhere else, and nothing runs."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from scripted_runs import files
from typer.testing import CliRunner

import looptool_kit as lt
from looptool_kit.cli import app
from looptool_kit.core.errors import RunError
from looptool_kit.llm.store import StoreError, open_store
from looptool_kit.policy import models
from looptool_kit.run.copy import copy_run
from looptool_kit.run.folder import Run
from looptool_kit.stages.train.common import keep_result
from looptool_kit.stages.train.stage import stage


@pytest.mark.parametrize("name", ["checkpoint-2", "adapter", "history.jsonl"])
def test_a_training_writes_through_no_link_in_its_folder(
    run: Run, tmp_path: Path, trained: list[int], name: str
) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "README.md").write_text("my project")
    policy = run.folder(3) / "policy"
    (policy.parent / "policy.json").unlink()
    samples = run.table(lt.Samples, "samples", 3)
    (policy / "key").write_text(stage(run, samples, 3).key)  # as a training that was stopped
    for old in (policy / "sft").iterdir():
        old.rename(tmp_path / old.name)
    (policy / "sft" / name).symlink_to(mine)
    with pytest.raises(RunError, match=f"{name} is a link, and a training would write through it"):
        lt.train(run, iteration=3)
    assert trained == [] and {p.name: p.read_text() for p in mine.iterdir()} == {"README.md": "my project"}


def test_an_adapter_is_saved_over_nothing_that_was_there(tmp_path: Path) -> None:
    mine = tmp_path / "profile"
    mine.write_text("mine")
    (tmp_path / "sft" / "adapter").mkdir(parents=True)
    for name in ("README.md", "adapter_config.json"):
        (tmp_path / "sft" / "adapter" / name).symlink_to(mine)

    def save(folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        for name in ("README.md", "adapter_config.json"):
            (folder / name).write_text("{}")

    model = SimpleNamespace(save_pretrained=save, parameters=list)
    trainer = SimpleNamespace(model=model, state=SimpleNamespace(log_history=[], global_step=1))
    keep_result(trainer, tmp_path / "sft", {})
    assert mine.read_text() == "mine" and (tmp_path / "sft" / "adapter" / "README.md").read_text() == "{}"


@pytest.mark.parametrize("end", ["", "-wal", "-shm", "-journal"])
@pytest.mark.parametrize("how", ["link", "dead link", "folder", "pipe"])
def test_the_store_of_answers_is_no_other_database(tmp_path: Path, end: str, how: str) -> None:
    mine = tmp_path / "mine.sqlite"
    with closing(sqlite3.connect(mine)) as db:
        db.execute("CREATE TABLE notes (text)")
    before = mine.read_bytes()
    place = tmp_path / "run" / f"calls.sqlite{end}"
    place.parent.mkdir()
    target = mine if how == "link" else tmp_path / "new.sqlite"
    make: dict[str, Callable[[], Any]] = {"folder": place.mkdir, "pipe": lambda: os.mkfifo(place)}
    make.get(how, lambda: place.symlink_to(target))()
    with pytest.raises(StoreError, match=f"calls.sqlite{end} is a link or not a plain file.*look through it"):
        open_store(tmp_path / "run" / "calls.sqlite")
    assert mine.read_bytes() == before and not (tmp_path / "new.sqlite").exists()


def test_a_copy_of_a_run_removes_no_folder_of_a_person(run: Run, tmp_path: Path) -> None:
    run.close()
    (tmp_path / "git").mkdir()
    (tmp_path / "git").rmdir()
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "HEAD").write_text("ref")
    copy_run(run.path, tmp_path / "git")
    assert (tmp_path / ".git" / "HEAD").read_text() == "ref"
    assert {n: c for n, c in files(tmp_path / "git").items() if n != ".lock"} == files(run.path)


def test_a_models_own_code_is_never_run(tmp_path: Path) -> None:
    pytest.importorskip("transformers")
    (tmp_path / "evil.py").write_text("open(__file__ + '.ran', 'w')\nclass C: pass\n")
    mapped = {"AutoConfig": "evil.C", "AutoModelForCausalLM": "evil.C", "AutoTokenizer": ["evil.C", None]}
    for name in ("config.json", "tokenizer_config.json"):
        (tmp_path / name).write_text(json.dumps({"model_type": "unheard_of", "auto_map": mapped}))
    (tmp_path / "model.safetensors").write_bytes(b"")
    source = models.ModelSource(tmp_path, "mine", "path")
    for call in (lambda: models.load(source, "float32"), lambda: models.load_tokenizer(source)):
        with pytest.raises(ValueError, match="trust_remote_code|custom code"):
            call()
    assert not list(tmp_path.rglob("*.ran"))


@pytest.mark.parametrize("text", ["a = " + "[" * 50_000, "a = " + "{b=" * 50_000, "[" + "a." * 50_000])
def test_settings_that_are_nested_too_deep_are_a_paragraph(tmp_path: Path, text: str) -> None:
    (tmp_path / "run.toml").write_text(f"format = 2\n{text}")
    with pytest.raises(
        RunError, match=r"run\.toml (holds values that are nested too deep|is not valid TOML)"
    ):
        Run.open(tmp_path)


def test_hundreds_of_runs_leave_nothing_in_memory(run: Run) -> None:
    """In a process of its own: what other tests left running here would be counted too."""
    script = """
import sys, tracemalloc
from looptool_kit.run.folder import Run

def visit():
    with Run.open(sys.argv[1]) as other:
        other.decide("verdict", sys.argv[2], "PRED_WRONG", iteration=1)
        other.decide("verdict", sys.argv[2], "undo", iteration=1)

visit()
tracemalloc.start()
for _ in range(5):
    visit()
first = tracemalloc.get_traced_memory()[0]
for _ in range(60):
    visit()
print(tracemalloc.get_traced_memory()[0] - first)
"""
    row = run.table(lt.Verdicts, "verdicts", 1)[0].sample_id
    run.close()
    done = subprocess.run(
        [sys.executable, "-c", script, str(run.path), row], capture_output=True, text=True, check=True
    )
    assert int(done.stdout) < 2**20


def test_what_is_superseded_never_lands_on_what_is_there(run: Run) -> None:
    old = run.path / "superseded"
    for name in ("999999999", "1000000000", "0003"):
        (old / name / "iterations" / "01").mkdir(parents=True)
        (old / name / "iterations" / "01" / "verdicts.parquet").write_bytes(name.encode())
    (old / "1000000001").symlink_to(old / "nowhere")
    for number in range(3):
        (run.folder(1) / "verdicts.parquet").write_bytes(b"%d" % number)
        run.supersede(run.folder(1) / "verdicts.parquet")
    kept = {p.read_bytes() for p in old.rglob("verdicts.parquet")}
    assert kept == {b"999999999", b"1000000000", b"0003", b"0", b"1", b"2"}


@pytest.mark.parametrize("mark", [None, b"", b"\xff\xfe", b"another"])
def test_batches_of_unknown_inputs_are_not_taken_for_these(run: Run, mark: bytes | None) -> None:
    def work(name: str) -> list[str]:
        plan, kind = [[0, 1]], lt.Samples
        samples = run.table(lt.Samples, "samples", 1)
        rows = run.batches("probes", 1, "key", plan, kind, lambda _: kind([samples[0], samples[int(name)]]))
        return [s.id for s in rows]

    first = work("1")
    key = run.folder(1) / "probes.parts" / "key"
    key.unlink() if mark is None else key.write_bytes(mark)
    assert work("2") != first and work("3") == work("2")
    assert len(list(run.path.glob("superseded/*/iterations/01/probes.parts/*.parquet"))) == 1
    Run.open(run.path).close()  # which sweeps


def refused_and_listed(path: Path, reason: str) -> None:
    """The run cannot be opened, in either way, and the list of runs shows it all the same."""
    for read_only in (False, True):
        with pytest.raises(RunError, match=reason):
            Run.open(path, read_only=read_only)
    listed = CliRunner().invoke(app, ["runs", str(path.parent)])
    assert listed.exit_code == 0 and listed.exception is None, listed.output


@pytest.mark.parametrize(
    "name", ["run.toml", "decisions.jsonl", "seed/pool.parquet", "iterations/01/probes.json", "x/y/z"]
)
@pytest.mark.parametrize("kind", ["pipe", "device", "link to a pipe"])
def test_what_has_no_end_is_not_read(run: Run, tmp_path: Path, name: str, kind: str) -> None:
    run.close()
    place = run.path / name
    place.parent.mkdir(parents=True, exist_ok=True)
    place.unlink(missing_ok=True)
    if kind == "device":
        place.symlink_to("/dev/zero")
    else:
        os.mkfifo(tmp_path / "pipe")
        place.symlink_to(tmp_path / "pipe") if kind != "pipe" else os.mkfifo(place)
    refused_and_listed(run.path, f"{name} is a pipe, a device or")


def test_a_copy_takes_in_nothing_that_a_link_points_at(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("key")
    Run.create(tmp_path / "run", "cpu-quick").close()
    (tmp_path / "run" / "notes").symlink_to(secret)
    copy_run(tmp_path / "run", tmp_path / "copy")
    assert (tmp_path / "copy" / "notes").is_symlink()


@pytest.mark.parametrize(
    "name", ["run.toml", "decisions.jsonl", "iterations/01/probes.json", "iterations/01/policy/history.jsonl"]
)
def test_a_text_of_gigabytes_is_not_read(run: Run, name: str) -> None:
    """A file of holes takes no room in an archive, and all of the memory when it is read."""
    run.close()
    (run.path / name).parent.mkdir(parents=True, exist_ok=True)
    with (run.path / name).open("ab") as file:
        file.truncate(2**36)
    refused_and_listed(run.path, f"{name} has 64 GiB.*Move it away")


def test_a_folder_whose_name_is_no_text_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"run-\xff")
    with pytest.raises(RunError, match=r"holds bytes that are not text.*Rename"):
        Run.create(folder, "cpu-quick")
    assert not list(tmp_path.iterdir())
    folder.mkdir()
    (folder / "run.toml").write_text("format = 2\n")
    with pytest.raises(RunError, match=r"holds bytes that are not text.*Rename"):
        Run.open(folder, read_only=True)
