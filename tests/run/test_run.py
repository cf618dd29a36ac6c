"""The run folder: settings, locks, versions, decisions, batches that survive a kill, and what happens when
something is wrong.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import pytest

import looptool_kit as lt
from looptool_kit import world
from looptool_kit.config import dump_settings, load_preset, load_settings, presets
from looptool_kit.core.errors import RunError
from looptool_kit.core.records import Probes, Truth, Truths, Verdict, Verdicts
from looptool_kit.core.samples import Label, Message, Samples
from looptool_kit.core.toolcalls import match
from looptool_kit.policy.models import weights_id
from looptool_kit.policy.policy import policy_of
from looptool_kit.report.summary import judge_against_truth
from looptool_kit.run.folder import Run
from looptool_kit.run.keys import key
from looptool_kit.run.run_toml import FORMAT


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run.create(
        tmp_path / "run",
        "cpu-quick",
        seeds__first=20,
        iterations=2,
        seeds__fresh=[6, 4],
        seeds__held_out=4,
        seeds__noise=0.2,
    )


def test_every_preset_loads_and_survives_the_folder(tmp_path: Path) -> None:
    for name in presets():
        settings = load_preset(name)
        (tmp_path / "run.toml").write_text(dump_settings(settings, 1))
        assert load_settings(tmp_path / "run.toml") == settings


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"grpo__stepz": 1}, "grpo.stepz"),
        ({"seeds__noise": 2}, "seeds.noise"),
        ({"iterations": 0}, "iterations"),
        ({"probe__quantile": "high"}, "probe.quantile"),
    ],
)
def test_wrong_settings_name_the_key(change: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        load_preset("cpu", **change)


def test_unknown_preset_lists_those_there_are() -> None:
    with pytest.raises(ValueError, match="cpu, cpu-hard, cpu-quick"):
        load_preset("gpuu")


def test_seeding_is_repeatable_and_done_once(run: Run, tmp_path: Path) -> None:
    first = lt.seed(run)
    files = {p: p.stat().st_mtime_ns for p in run.path.rglob("*.parquet")}
    assert lt.seed(run) == first and {p: p.stat().st_mtime_ns for p in files} == files
    other = Run.create(
        tmp_path / "other",
        "cpu-quick",
        seeds__first=20,
        iterations=2,
        seeds__fresh=[6, 4],
        seeds__held_out=4,
        seeds__noise=0.2,
    )
    lt.seed(other)
    for path in files:
        assert path.read_bytes() == (other.path / path.relative_to(run.path)).read_bytes()
    truth = run.table(Truths, "truth", 0)
    pool = run.table(Samples, "pool", 0).by_id()
    assert len(pool) == 30 and len(truth) == 6
    assert all(
        not match(pool[t.sample_id].label, t.label) or pool[t.sample_id].label.reply != t.label.reply
        for t in truth
    )
    assert {s.split for s in run.table(Samples, "held_out", 0)} == {
        "unseen_values",
        "unseen_phrasings",
        "unseen_tools",
    }


def test_a_policy_of_another_base_model_is_not_put_on_this_one(run: Run) -> None:
    run.finish(
        "policy", 1, "key", time.monotonic(), base=weights_id("embedded"), trainings=[{"folder": "sft"}]
    )
    assert policy_of(run, 1).adapter == str(run.folder(1) / "policy" / "sft" / "adapter")
    run.finish("policy", 1, "key", time.monotonic(), base="embedded-0000", trainings=[{"folder": "sft"}])
    with pytest.raises(RunError, match="trained from embedded-0000.*Train again"):
        policy_of(run, 1)


def test_a_folder_of_another_version_is_refused_untouched(run: Run) -> None:
    text = (run.path / "run.toml").read_text().replace(f"format = {FORMAT}", "format = 99")
    (run.path / "run.toml").write_text(text)
    with pytest.raises(RunError, match=f"format 99.*reads format {FORMAT}"):
        Run.open(run.path)
    assert (run.path / "run.toml").read_text() == text


def test_a_place_inside_a_run_names_the_run(run: Run) -> None:
    for inside in ("run.toml", "iterations"):
        with pytest.raises(RunError, match=re.escape(f"The run is the folder {run.path.resolve()}.")):
            Run.open(run.path / inside)


def test_an_empty_run_toml_is_said_to_say_nothing(run: Run) -> None:
    (run.path / "run.toml").write_text("")
    with pytest.raises(RunError, match="does not say its run format"):
        Run.open(run.path, read_only=True)


def test_broken_settings_name_file_and_line(run: Run) -> None:
    (run.path / "run.toml").write_text("format = 1\nseed = = 2\n")
    with pytest.raises(RunError, match=r"run\.toml.*line 2"):
        Run.open(run.path)


def test_settings_of_earlier_runs_with_an_ablation_are_read(run: Run) -> None:
    file = run.path / "run.toml"
    text = file.read_text()
    assert "[ablation]" not in text
    for repeat, expanders in (("false", run.settings.expand.expanders), ("true", ("repeat",))):
        file.write_text(f"{text}\n[ablation]\nrepeat_error_seeds = {repeat}\n")
        assert load_settings(file).expand.expanders == expanders


def test_other_settings_or_a_foreign_folder_are_refused(run: Run, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="other settings"):
        Run.create(run.path, "cpu")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").write_text("mine")
    with pytest.raises(RunError, match="not empty"):
        Run.create(tmp_path / "full")
    with pytest.raises(RunError, match="looptool init"):
        Run.open(tmp_path / "nowhere")


def test_two_processes_on_one_run(run: Run) -> None:
    code = f"from looptool_kit.run.folder import Run; Run.open({str(run.path)!r})"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert other.returncode and f"pid {os.getpid()}" in other.stderr
    reading = subprocess.run(
        [sys.executable, "-c", code.replace("')", "', read_only=True)")], capture_output=True, text=True
    )
    assert reading.returncode == 0, reading.stderr


def test_batches_are_kept_and_not_repeated(run: Run) -> None:
    samples = world.generate(10, seed=1)
    plan = [[3, 1], [0, 2], [4, 5, 6, 7, 8, 9]]
    worked: list[list[int]] = []

    def work(batch):
        worked.append(list(batch))
        if len(worked) == 2:
            raise KeyboardInterrupt
        return Samples(samples[i] for i in batch)

    with pytest.raises(KeyboardInterrupt):
        run.batches("probes", 1, "k", plan, Samples, work)
    assert run.batches("probes", 1, "k", plan, Samples, work) == samples
    assert worked == [[3, 1], [0, 2], [0, 2], [4, 5, 6, 7, 8, 9]]
    run.batches("probes", 1, "other inputs", plan, Samples, work)
    assert worked[4:] == plan


def test_a_batch_in_the_form_of_another_version_is_made_again(run: Run) -> None:
    samples = world.generate(4, seed=1)
    plan = [[0, 1], [2, 3]]
    run.batches("probes", 1, "k", plan, Samples, lambda batch: Samples(samples[i] for i in batch))
    part = sorted((run.folder(1) / "probes.parts").glob("*.parquet"))[0]
    Truths([Truth(sample_id="a", label=Label())]).write(part)
    worked: list[list[int]] = []

    def work(batch: Sequence[int]) -> Samples:
        worked.append(list(batch))
        return Samples(samples[i] for i in batch)

    assert run.batches("probes", 1, "k", plan, Samples, work) == samples and worked == [[0, 1]]
    assert len(list((run.path / "superseded").rglob(part.name))) == 1


def test_decisions_stack_and_undo(run: Run) -> None:
    run.decide("verdict", "a", "PRED_WRONG", "clear", author="ana")
    run.decide("verdict", "a", "LABEL_WRONG", author="ben")
    run.decide("expansion", "c", "reject", author="ana")
    with open(run.path / "decisions.jsonl", "a") as file:
        file.write('{"time": "2026')  # a write that was cut short
    run.decide("verdict", "b", "BOTH_WRONG", author="ana")
    assert {k: v.value for k, v in run.decisions("verdict").items()} == {
        "a": "LABEL_WRONG",
        "b": "BOTH_WRONG",
    }
    run.decide("verdict", "a", "undo", author="ben")
    assert run.decisions("verdict")["a"].author == "ana"
    run.decide("verdict", "a", "undo", author="ana")
    assert set(run.decisions("verdict")) == {"b"} and run.decisions("expansion")["c"].value == "reject"


def test_a_missing_table_says_which_stage_makes_it(run: Run) -> None:
    with pytest.raises(RunError, match="looptool loop"):
        run.table(Samples, "samples", 3)


def test_a_damaged_table_names_the_file(run: Run) -> None:
    lt.seed(run)
    (run.path / "seed" / "pool.parquet").write_bytes(b"not parquet")
    with pytest.raises(RunError, match="pool.parquet"):
        run.table(Samples, "pool", 0)


def test_keys_follow_content() -> None:
    a, b = world.generate(5, seed=1), world.generate(5, seed=2)
    assert key(a, 1) == key(Samples(list(a)), 1) != key(b, 1) and key(a, 1) != key(a, 2)


def test_samples_from_a_file_set_bad_rows_aside(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = world.generate(12, seed=4)
    path = tmp_path / "mine.jsonl"
    good.write(path)
    lines = path.read_text().splitlines()
    broken = json.loads(lines[0])
    broken["label"] = {"calls": [{"name": "no_such_tool", "arguments": {}}]}
    bad_schema = json.loads(lines[1])
    bad_schema["tools"][0]["parameters"] = {"type": "object", "properties": {"x": {"type": "strnig"}}}
    path.write_text(
        "\n".join(["{not json", *lines, json.dumps(broken), json.dumps(bad_schema), '{"tools": []}']) + "\n"
    )
    run = Run.create(tmp_path / "run", "cpu-quick", seeds__source=str(path), seeds__first=6)
    assert len(lt.seed(run)) == 6
    said = capsys.readouterr().out
    assert (
        f"{path}: 4 rows rejected (row 1, 14, 15, 16), 12 kept" in said and "rejected.jsonl says why" in said
    )
    rejected = [json.loads(line) for line in (run.path / "rejected.jsonl").read_text().splitlines()]
    assert {r["file"] for r in rejected} == {str(path)} and [r["row"] for r in rejected] == [1, 14, 15, 16]
    assert "no_such_tool" in rejected[1]["reason"] and "strnig" in rejected[2]["reason"]


def test_turns_of_a_dialogue_are_not_parted_between_training_and_held_out(tmp_path: Path) -> None:
    single = [s for s in world.generate(40, seed=4, kinds=["single"])][:10]
    talks = []
    for s in single:
        later = (
            *s.messages,
            Message(role="assistant", content="Done."),
            Message(role="user", content="Once more, please."),
        )
        talks += [s, s.model_copy(update={"messages": later})]
    path = tmp_path / "mine.jsonl"
    Samples(talks).write(path)
    run = Run.create(
        tmp_path / "run", "cpu-quick", seeds__source=str(path), seeds__first=20, seeds__held_out=3
    )
    training, held_out = lt.seed(run), run.table(Samples, "held_out", 0)
    assert len(held_out) >= 3 and len(training) + len(held_out) == len({s.id for s in [*training, *held_out]})
    assert not {s.opening for s in training} & {s.opening for s in held_out}


def test_a_missing_seed_file_is_one_paragraph(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", "cpu-quick", seeds__source=str(tmp_path / "gone.jsonl"))
    with pytest.raises(RunError, match=r"gone\.jsonl does not exist.*seeds\.source"):
        lt.seed(run)


def test_settings_change_here_and_on_disk_or_not_at_all(run: Run) -> None:
    run.set(probe__quantile=0.8, compose__hppl=3)
    assert (run.settings.probe.quantile, run.settings.compose.hppl) == (0.8, 3)
    run.set(probe__threshold=1.2)
    assert load_settings(run.path / "run.toml") == run.settings and run.settings.probe.threshold == 1.2
    run.set(probe__threshold=None)
    assert load_settings(run.path / "run.toml").probe.threshold is None
    before = (run.path / "run.toml").read_bytes()
    for wrong, said in (
        ({"probe__quantile": 2}, "probe.quantile"),
        ({"probe__nonsense": 1}, "probe.nonsense"),
        ({"seed__x": 1}, "there is no setting seed.x"),
    ):
        with pytest.raises(ValueError, match=said):
            run.set(**wrong)
    with pytest.raises(RunError, match="read-only"):
        Run.open(run.path, read_only=True).set(seed=1)
    assert (run.path / "run.toml").read_bytes() == before


def test_a_changed_setting_redoes_what_depends_on_it(run: Run) -> None:
    before = lt.seed(run)
    run.set(seeds__first=5)
    assert len(lt.seed(run)) == 5 < len(before)


def test_a_training_begun_anew_no_longer_stands_for_the_policy(
    tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {
        "seeds__first": 8,
        "seeds__fresh": [4],
        "seeds__held_out": 1,
        "sft__epochs": 1,
        "sft__batch": 4,
        "grpo__steps": 1,
    }
    run = Run.create(tmp_path / "run", "cpu-quick", **settings, model=str(tiny_checkpoint))
    lt.train(run, lt.seed(run))
    assert run.manifest("policy", 1) is not None
    run.set(sft__learning_rate=1e-4, grpo__steps_first=1)

    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("looptool_kit.stages.train.grpo.train", stopped)
    with pytest.raises(KeyboardInterrupt):
        lt.train(run)
    assert (run.folder(1) / "policy" / "sft" / "adapter").is_dir()  # half of the new one is there
    with pytest.raises(RunError, match="train"):
        lt.probe(run)


def test_verdicts_on_rows_that_a_new_composition_left_out_do_not_stop_the_summary(run: Run) -> None:
    lt.seed(run)
    Probes().write(run.folder(1) / "probes.parquet")
    Verdicts([Verdict(sample_id="gone", iteration=1, status="unjudged", rationale="no answer")]).write(
        run.folder(1) / "verdicts.parquet"
    )
    assert (judge_against_truth(run) or {})["unjudged"] == 0


def test_every_setting_of_a_room_says_what_it_means() -> None:
    from looptool_kit.config import Settings

    plain = {
        name: get_args(field.annotation)[:1] or (field.annotation,)
        for name, field in Settings.model_fields.items()
    }
    rooms = {name: kind for name, (kind,) in plain.items() if hasattr(kind, "model_fields")}
    assert [
        f"{room}.{name}"
        for room, kind in rooms.items()
        for name, field in kind.model_fields.items()
        if not field.description
    ] == []
    assert {"probe", "sft", "grpo", "compose"} <= set(rooms)
