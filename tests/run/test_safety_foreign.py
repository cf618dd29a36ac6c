"""Run folders of others: links, strange names, things in the wrong place."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from scripted_runs import files

import looptool_kit as lt
from looptool_kit.core.errors import RunError
from looptool_kit.core.records import Verdicts
from looptool_kit.run.folder import Run
from looptool_kit.stages.train.common import COMPLETE, last_checkpoint


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A person's own file, which no run may touch."""
    file = tmp_path / "elsewhere" / "thesis.txt"
    file.parent.mkdir()
    file.write_text("mine\n")
    return file


def put(place: Path, how: str, target: Path) -> None:
    """A link, a folder or a pipe where a run keeps a file."""
    place.unlink(missing_ok=True)
    {"link": lambda: place.symlink_to(target), "folder": place.mkdir, "pipe": lambda: os.mkfifo(place)}[how]()


STRANGE = ("link", "folder", "pipe")


@pytest.mark.parametrize("how", STRANGE)
def test_a_lock_that_is_no_file_is_refused_and_nothing_is_written_through_it(
    run: Run, outside: Path, how: str
) -> None:
    run.close()
    put(run.path / ".lock", how, outside)
    with pytest.raises(RunError, match=r"\.lock is a (link, a folder or|pipe, a device or)"):
        Run.open(run.path)
    assert outside.read_text() == "mine\n"


@pytest.mark.parametrize("how", STRANGE)
def test_nothing_is_appended_to_what_is_no_file_of_the_run(run: Run, outside: Path, how: str) -> None:
    row = run.table(Verdicts, "verdicts", 1)[0].sample_id
    for name, call in (
        ("rejected.jsonl", lambda: run.reject("f", 1, "$(x)", "r")),
        ("decisions.jsonl", lambda: run.decide("verdict", row, "LABEL_WRONG")),
    ):
        put(run.path / name, how, outside)
        with pytest.raises(RunError, match=f"{name} is a link, a folder or"):
            call()
    assert outside.read_text() == "mine\n"


def test_decisions_that_cannot_be_read_are_a_paragraph(run: Run) -> None:
    (run.path / "decisions.jsonl").mkdir()
    with pytest.raises(RunError, match="decisions.jsonl cannot be read"):
        run.decisions("verdict")


@pytest.mark.parametrize(
    "name",
    ["seed", "iterations", "superseded", "pilot", "iterations/02", "iterations/07", "iterations/02/policy"],
)
def test_a_folder_that_leads_into_another_run_is_refused_for_writing(
    run: Run, tmp_path: Path, name: str
) -> None:
    run.close()
    before = files(run.path)
    mine = tmp_path / "mine"
    shutil.copytree(run.path, mine)
    target = run.path / name if (run.path / name).exists() else run.path / "iterations" / "01"
    shutil.rmtree(mine / name, ignore_errors=True)
    (mine / name).symlink_to(target)
    with pytest.raises(RunError, match=f"{mine / name} is a link to {target}.*read_only=True"):
        Run.open(mine)
    assert Run.open(mine, read_only=True).iterations and files(run.path) == before
    with Run.open(run.path):
        pass


def test_a_file_in_the_place_of_the_superseded_is_said_before_anything_is_made(run: Run) -> None:
    run.close()
    (run.path / "superseded").write_text("a note")
    with pytest.raises(RunError, match="superseded is not a folder"):
        Run.open(run.path)


def test_a_link_that_comes_later_is_refused_before_a_stage_works(
    run: Run, outside: Path, trained: list[int]
) -> None:
    (run.path / "superseded").symlink_to(outside.parent)
    run.set(sft__learning_rate=1e-5)
    with pytest.raises(RunError, match="superseded is a link"):
        lt.train(run, iteration=1)
    assert not trained and [p.name for p in outside.parent.iterdir()] == ["thesis.txt"]


def test_the_sweep_follows_no_link_and_takes_only_what_trainers_saved(run: Run, outside: Path) -> None:
    run.close()
    policy = run.folder(2) / "policy" / "sft"
    for folder in ("checkpoint-mine", "checkpoint-4-best"):
        (policy / folder).mkdir(parents=True)
        (policy / folder / "adapter").write_text("my export")
    own = run.folder(2) / "policy" / "exports" / "checkpoint-9"
    own.mkdir(parents=True)
    left = outside.parent / "checkpoint-500"
    left.mkdir()
    (outside.parent / ".a.json.abcdefgh.tmp").write_text("mine")
    parts = outside.parent / "verdicts.parts"
    parts.mkdir()
    (parts / "key").write_text(run.manifest("verdicts", 1)["key"])  # type: ignore[index]
    (outside.parent / "verdicts.json").write_text((run.folder(1) / "verdicts.json").read_text())
    (policy / "checkpoint-500").symlink_to(left)
    (run.path / "notes").symlink_to(outside.parent)
    before, there = files(run.path), files(outside.parent)
    with Run.open(run.path):
        assert (
            files(run.path) == before
            and files(outside.parent) == there
            and own.exists()
            and left.exists()
            and parts.exists()
        )


def test_a_trainer_goes_on_from_its_own_checkpoints_alone(tmp_path: Path, outside: Path) -> None:
    whole, cut, mine = (tmp_path / "sft" / f"checkpoint-{name}" for name in ("2", "10", "mine"))
    for folder in (whole, cut, mine):
        folder.mkdir(parents=True)
    (whole / COMPLETE).touch()
    (outside.parent / COMPLETE).touch()
    (tmp_path / "sft" / "checkpoint-99").symlink_to(outside.parent)
    assert last_checkpoint(tmp_path / "sft") == str(whole)
    assert not cut.exists() and mine.exists() and outside.exists()


def test_only_the_names_that_a_run_gives_are_its_iterations(run: Run) -> None:
    for name in ("1", "²", "0003", "00", "x"):
        shutil.copytree(run.folder(1), run.path / "iterations" / name)
    (run.path / "superseded" / "²").mkdir(parents=True)
    assert run.iterations == [1, 2, 3]
    run.set(compose__hppl=1)
    lt.compose(run, iteration=1)
    assert (run.path / "superseded" / "0001").exists()
