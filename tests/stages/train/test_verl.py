"""GRPO on verl without verl: what it is given, that the loop waits, and what is taken back or refused.

verl's own code over the same files: test_verl_real.py.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner
from verl_runs import Given, adapter_of, back_of, prepared, run_on_verl

from looptool_kit.cli import app
from looptool_kit.core.errors import RunError
from looptool_kit.core.samples import Samples
from looptool_kit.policy.policy import policy_of
from looptool_kit.run.folder import Run
from looptool_kit.stages.train import verl
from looptool_kit.stages.train.stage import grpo_order, stage, train


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory, tiny_checkpoint: Path) -> Given:
    return prepared(tmp_path_factory.mktemp("given") / "run", tiny_checkpoint)


@pytest.fixture(scope="module")
def adapter(given: Given, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return adapter_of(given, tmp_path_factory.mktemp("adapter") / "adapter")


@pytest.fixture
def run(tmp_path: Path, tiny_checkpoint: Path) -> Run:
    return run_on_verl(tmp_path / "run", tiny_checkpoint)


def waiting(run: Run) -> Path:
    """Mark D1 and train: the folder that verl is given."""
    verl.mark(run, 1, "verl")
    with pytest.raises(verl.Waiting):
        train(run, iteration=1)
    return run.folder(1) / "policy" / "verl" / "there"


# ------------------------------------------------------------------ what verl is given


def test_the_rows_are_those_of_our_trainer_in_its_order(given: Given) -> None:
    import pyarrow.parquet as pq

    rows = pq.read_table(given.there / "train.parquet").to_pylist()
    order = list(grpo_order(given.samples, 1001))
    assert [r["extra_info"]["sample_id"] for r in rows] == [order[i % len(order)].id for i in range(2 * 3)]
    assert given.request["samples"] == 5 and given.request["data"] == verl.hash_of(
        given.there / "train.parquet"
    )


def test_the_recipe_is_that_of_the_run(given: Given) -> None:
    import yaml

    kept = yaml.safe_load((given.there / "config.yaml").read_text())
    grpo = given.run.settings.grpo
    assert kept["data"]["train_batch_size"] == grpo.prompts and kept["data"]["shuffle"] is False
    assert kept["data"]["truncation"] == "error"
    part = kept["actor_rollout_ref"]
    assert part["rollout"]["n"] == grpo.group and part["rollout"]["temperature"] == grpo.temperature
    assert (part["actor"]["clip_ratio_low"], part["actor"]["clip_ratio_high"]) == (0.2, 0.28)
    assert part["model"]["lora_rank"] == 4 and part["model"]["target_modules"] == "all-linear"
    assert part["model"]["custom_chat_template"] == "{{ messages[0].content }}"
    assert kept["trainer"]["total_training_steps"] == 2
    for file in given.there.iterdir():
        if file.suffix in (".yaml", ".sh", ".py"):
            assert not __import__("re").search(r"<[a-z]+>", file.read_text()), file


def test_a_part_of_the_layers_is_named_by_their_numbers(tmp_path: Path, tiny_checkpoint: Path) -> None:
    import re

    import yaml

    some = prepared(tmp_path / "run", tiny_checkpoint, lora__upper=0.34)
    named = yaml.safe_load((some.there / "config.yaml").read_text())["actor_rollout_ref"]["model"]
    wanted = re.compile(named["target_modules"])
    assert wanted.fullmatch("model.layers.2.self_attn.q_proj")
    assert wanted.fullmatch("model.layers.2.mlp.down_proj")
    assert not wanted.fullmatch("model.layers.1.mlp.down_proj") and not wanted.fullmatch("lm_head")


def test_a_later_iteration_starts_from_the_adapter_before_it(run: Run, adapter: Path, given: Given) -> None:
    before = policy_of(run, 0).model_copy(update={"adapter": str(adapter), "iteration": 1, "key": "k"})
    there = run.folder(1) / "policy" / "verl" / "there"
    rows = grpo_order(run.table(Samples, "samples", 1), 1)
    request = verl.prepare(run, 2, rows, before, 2, there, 1, verl.Launch())
    assert request["start"] == verl.hash_of(adapter / "adapter_model.safetensors")
    assert (there / "start" / "adapter_config.json").exists()
    assert "lora_adapter_path=\"'$here/start'\"" in (there / "train.sh").read_text()
    assert "lora_adapter_path" not in (given.there / "train.sh").read_text()


def test_a_text_that_spells_a_special_token_is_not_given(run: Run) -> None:
    table = run.table(Samples, "samples", 1)
    rows = list(table)
    evil = rows[0].messages[-1].model_copy(update={"content": "end <|im_end|> here"})
    rows[0] = rows[0].model_copy(update={"messages": (*rows[0].messages[:-1], evil)})
    there = run.folder(1) / "policy" / "verl" / "there"
    with pytest.raises(ValueError, match="spells one of the model's special tokens"):
        verl.prepare(run, 1, Samples(rows), policy_of(run, 0), 2, there, 1, verl.Launch())


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"sft__epochs": 1}, "GRPO alone"),
        ({"preference__epochs_first": 1, "pairs__strategy": "tree"}, "GRPO alone"),
        ({"grpo__steps_first": 0}, "no GRPO steps"),
        ({"fission__group": 4}, "has no fission"),
        ({"episodes__prompts": True}, "has no episodes"),
        ({"reward__no_hit": 0.5}, "reward.no_hit"),
    ],
)
def test_what_verl_cannot_do_is_said_before_anything_is_written(
    run: Run, change: dict[str, Any], said: str
) -> None:
    run.set(**change)
    verl.mark(run, 1, "verl")
    with pytest.raises(ValueError, match=said):
        train(run, iteration=1)
    assert not (run.folder(1) / "policy" / "verl").exists()


# ------------------------------------------------------------------ the mark and the wait


def test_only_the_marked_iteration_has_another_key(run: Run) -> None:
    samples = run.table(Samples, "samples", 1)
    before = stage(run, samples, 1).key
    verl.mark(run, 1, "verl")
    assert stage(run, samples, 1).key != before
    verl.mark(run, 1, "here")
    assert stage(run, samples, 1).key == before
    with pytest.raises(RunError, match="has no D7"):
        verl.mark(run, 7, "verl")
    (run.folder(1) / "on.json").write_text('{"trainer": "somebody"}')
    with pytest.raises(RunError, match="does not say verl"):
        verl.marked(run, 1)


def test_the_command_says_what_to_do_elsewhere_and_takes_back(
    run: Run, given: Given, adapter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    path = str(run.path)
    run.close()
    said = CliRunner().invoke(app, ["train", path, "--on", "verl"])
    assert said.exit_code == 0, said.output
    assert "sh there/train.sh" in said.output and "--back FOLDER" in said.output
    there = run.folder(1) / "policy" / "verl" / "there"
    back = back_of(there, adapter, 2)
    moved = back.rename(run.path.parent / "back")
    monkeypatch.undo()
    done = CliRunner().invoke(app, ["train", path, "--on", "verl", "--back", str(moved)])
    assert done.exit_code == 0, done.output
    policy = policy_of(Run.open(path, read_only=True), 1)
    assert policy.adapter and policy.adapter.endswith("policy/verl/adapter")
    manifest = Run.open(path, read_only=True).manifest("policy", 1)
    assert manifest is not None
    (facts,) = manifest["trainings"]
    assert facts["trainer"] == "verl" and facts["steps"] == 2 and facts["tokens"] == 200
    assert facts["adapter_sha256"] == verl.hash_of(adapter / "adapter_model.safetensors")
    assert facts["generated"] == 2 * 5 * 12 and facts["steps_without_log"] == 0


def test_options_that_need_verl_say_so(run: Run) -> None:
    path = str(run.path)
    run.close()
    for words in (["--python", "x"], ["--back", "x"], ["--on", "ray"], ["--on", "here", "--python", "x"]):
        done = CliRunner().invoke(app, ["train", path, *words])
        assert isinstance(done.exception, ValueError), words


PRETEND = """#!/bin/sh
# In place of verl's Python: writes what verl and its merger write; runs keep.py.
case "$2" in
  verl.trainer.main_ppo)
    mkdir -p checkpoints && printf 2 > checkpoints/latest_checkpointed_iteration.txt
    printf '%s\\n' "$@" > said
    [ ! -e fail ] || exit 3 ;;
  verl.model_merger)
    mkdir -p merged && cp -r ADAPTER merged/lora_adapter ;;
  *) exec REAL "$@" ;;
esac
"""


def test_it_is_started_here_and_resumed_after_a_failure(run: Run, adapter: Path, tmp_path: Path) -> None:
    python = tmp_path / "verl's python"
    python.write_text(PRETEND.replace("ADAPTER", str(adapter)).replace("REAL", sys.executable))
    python.chmod(0o755)
    verl.mark(run, 1, "verl")
    there = run.folder(1) / "policy" / "verl" / "there"
    there.mkdir(parents=True)
    (there.parent.parent / "key").write_text(stage(run, run.table(Samples, "samples", 1), 1).key)
    token = verl.LAUNCH.set(verl.Launch(str(python), gpus=4, machines=2))
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(verl, "FILES", verl.FILES | {"fail"})
            (there / "fail").touch()
            with pytest.raises(RunError, match="ended with code 3"):
                train(run, iteration=1)
        (there / "fail").unlink()
        policy = train(run, iteration=1)
    finally:
        verl.LAUNCH.reset(token)
    words = (there / "said").read_text().splitlines()
    assert "trainer.n_gpus_per_node=4" in words and "trainer.nnodes=2" in words
    assert f"data.train_files='{there}/train.parquet'" in words
    assert policy.adapter and train(run, iteration=1).key == policy.key


def test_files_of_somebody_else_are_not_run(run: Run) -> None:
    there = waiting(run)
    (there / "checkpoints").mkdir()
    token = verl.LAUNCH.set(verl.Launch(sys.executable))
    try:
        with pytest.raises(RunError, match="was not made on this machine"):
            train(run, iteration=1)
    finally:
        verl.LAUNCH.reset(token)


def test_the_script_is_a_shell_script(given: Given) -> None:
    subprocess.run(["sh", "-n", str(given.there / "train.sh")], check=True)


def test_the_reward_is_found_by_a_file_of_its_own(given: Given) -> None:
    """verl loads it by its path; transformers and torch are not needed for it."""
    code = (
        "import sys, importlib.util\n"
        "for name in ('torch', 'transformers', 'trl', 'peft'): sys.modules[name] = None\n"
        f"spec = importlib.util.spec_from_file_location('r', {str(given.there / 'reward.py')!r})\n"
        "module = importlib.util.module_from_spec(spec); spec.loader.exec_module(module)\n"
        "print(module.compute_score('looptool', 'Hi.', '{\"calls\": [], \"reply\": \"Hi.\"}')['score'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=dict(os.environ))
    assert done.stdout.strip() == "1.0", done.stderr


# ------------------------------------------------------------------ what comes back


def _changed(file: Path, **values: Any) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


def _factors(back: Path, change: Callable[[str, Any], Any]) -> None:
    from safetensors.torch import load_file, save_file

    file = back / "adapter" / "adapter_model.safetensors"
    save_file({n: change(n, t) for n, t in load_file(file).items()}, file)
    _changed(back / "provenance.json", adapter=verl.hash_of(file))


def _request(back: Path, **values: Any) -> None:
    kept = json.loads((back / "provenance.json").read_text())["request"]
    _changed(back / "provenance.json", request=kept | values)


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda b: _request(b, learning_rate=1.0), "another training: learning_rate differ"),
        (lambda b: _changed(b / "provenance.json", steps=1), "has 1 of 2 steps"),
        (lambda b: _changed(b / "provenance.json", adapter="0"), "damaged on its way"),
        (lambda b: (b / "provenance.json").write_text("{"), "provenance.json"),
        (lambda b: (b / "adapter" / "adapter_model.safetensors").unlink(), "is not there"),
        (lambda b: _factors(b, lambda n, t: t * 0), "was never trained"),
        (lambda b: _factors(b, lambda n, t: t / 0 if "lora_A" in n else t), "is not finite"),
        (
            lambda b: _factors(b, lambda n, t: t[:2].clone() if "lora_A" in n else t[:, :2].clone()),
            "has rank",
        ),
    ],
)
def test_what_is_not_this_training_is_refused(
    given: Given, adapter: Path, tmp_path: Path, harm: Callable[[Path], Any], said: str
) -> None:
    import shutil

    place = tmp_path / "verl"
    shutil.copytree(given.there, place / "there")
    back = back_of(place / "there", adapter, 2)
    harm(back)
    with pytest.raises(RunError, match=said):
        verl.take_back(back, given.request, place)
    assert not (place / "result.json").exists() and not (place / "adapter").exists()


def test_logs_of_several_starts_add_up_and_half_a_line_is_no_step(
    given: Given, adapter: Path, tmp_path: Path
) -> None:
    import shutil

    place = tmp_path / "verl"
    shutil.copytree(given.there, place / "there")
    back = back_of(place / "there", adapter, 2)
    first = {"step": 1, "data": {"perf/total_num_tokens": 70, "critic/score/mean": 0.5}}
    (back / "logs" / "0.jsonl").write_text(json.dumps(first) + "\n" + '{"step": 2, "da')
    again = {"step": 1, "data": {"perf/total_num_tokens": 80, "critic/score/mean": 0.6}}
    (back / "logs" / "1.jsonl").write_text(json.dumps(again) + "\n")
    facts = verl.take_back(back, given.request, place)
    assert facts["tokens"] == 80 and facts["steps_without_log"] == 1
    rows = [json.loads(line) for line in (place / "history.jsonl").read_text().splitlines()]
    assert rows == [{"step": 1, "reward": 0.6}]
