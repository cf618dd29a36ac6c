"""An adapter is taken from its policy's folder alone, and is what its files say or is refused."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from looptool_kit.cli import app
from looptool_kit.core.errors import RunError
from looptool_kit.core.samples import Label, Sample, Samples
from looptool_kit.policy.adapters import CONFIG, WEIGHTS, with_adapter
from looptool_kit.policy.engines import Completion
from looptool_kit.policy.policy import policy_of
from looptool_kit.report.summary import history
from looptool_kit.run.folder import Run
from looptool_kit.stages.probe import judge_completion
from looptool_kit.stages.train.common import keep_result
from looptool_kit.stages.train.stage import stage

RECORDED = Path(__file__).parents[2] / "sample_data" / "run"


@pytest.mark.parametrize(
    "name", ["../../../../outside", "..", ".", "", "sft/../../../../../outside", "/{}", "link"]
)
def test_no_adapter_is_taken_from_outside_of_the_policy(tmp_path: Path, name: Any) -> None:
    (tmp_path / "outside" / "adapter").mkdir(parents=True)
    (tmp_path / "outside" / "adapter" / "private").touch()
    folder = tmp_path / "run"
    shutil.copytree(RECORDED, folder)
    (folder / "iterations/01/policy").mkdir(exist_ok=True)
    (folder / "iterations/01/policy/link").symlink_to(tmp_path / "outside")
    manifest = folder / "iterations/01/policy.json"
    facts = json.loads(manifest.read_text())
    facts["trainings"][-1]["folder"] = f"{tmp_path}/outside" if name == "/{}" else name
    manifest.write_text(json.dumps(facts))
    run = Run.open(folder, read_only=True)
    for use in (
        lambda: policy_of(run, 1),
        lambda: history(run, 1),
        lambda: stage(run, run.table(Samples, "samples", 1), 1),
    ):
        with pytest.raises(RunError, match=r"policy\.json says that a training lies in"):
            use()
    said = CliRunner().invoke(
        app, ["export", str(folder), str(tmp_path / "out"), "--form", "adapter", "--iteration", "1"]
    )
    assert said.exit_code and not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["notes.txt", "adapter_model.safetensors", "folder"])
def test_an_export_carries_off_nothing_that_an_adapter_links_to(tmp_path: Path, name: str) -> None:
    secret = tmp_path / "secret"
    secret.write_text("mine")
    folder = shutil.copytree(RECORDED, tmp_path / "run")
    with Run.open(folder) as run:
        adapter = Path(str(policy_of(run, 1).adapter))
        adapter.mkdir(parents=True, exist_ok=True)
        (adapter / name).unlink(missing_ok=True)
        (adapter / name).symlink_to(tmp_path if name == "folder" else secret)
        with pytest.raises(RunError, match=f"{name} is a link to .*plain files"):
            policy_of(run, 1)
    said = CliRunner().invoke(
        app, ["export", str(folder), str(tmp_path / "out"), "--form", "adapter", "--iteration", "1"]
    )
    assert said.exit_code and not (tmp_path / "out").exists()


def _config(**changes: Any) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        config = json.loads((folder / CONFIG).read_text())
        (folder / CONFIG).write_text(json.dumps(config | changes))

    return change


def _weights(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Callable[[Path], object]:
    def write(folder: Path) -> None:
        from safetensors.torch import load_file, save_file

        save_file(change(load_file(folder / WEIGHTS)), folder / WEIGHTS)

    return write


def _pickled(folder: Path) -> None:
    import torch
    from safetensors.torch import load_file

    torch.save(load_file(folder / WEIGHTS), folder / "adapter_model.bin")
    (folder / WEIGHTS).unlink()


DAMAGES: dict[str, Callable[[Path], object]] = {
    "no weights": lambda f: (f / WEIGHTS).unlink(),
    "pickled weights": _pickled,
    "cut weights": lambda f: (f / WEIGHTS).write_bytes((f / WEIGHTS).read_bytes()[:100]),
    "empty weights": _weights(lambda w: {}),
    "weights of other layers": _weights(lambda w: {k.replace("q_proj", "z"): v for k, v in w.items()}),
    "weights of one layer": _weights(lambda w: dict(list(w.items())[:2])),
    "no numbers": _weights(lambda w: {k: v * math.nan for k, v in w.items()}),
    "endless": _weights(lambda w: {k: v + math.inf for k, v in w.items()}),
    "no settings": lambda f: (f / CONFIG).write_text("{"),
    "settings that are a list": lambda f: (f / CONFIG).write_text("[]"),
    "another rank": _config(r=8),
    "a rank that is a word": _config(r="x"),
    "a scale that is a word": _config(lora_alpha="x"),
    "another method": _config(peft_type="XLORA"),
    "an unknown method": _config(peft_type="NOPE"),
    "no such layers": _config(layers_to_transform=[99]),
    "a pattern without an end": _config(target_modules="([a-z_.0-9]+)+Z"),
    "an initialisation that wants a file": _config(init_lora_weights="corda"),
    "code": _config(megatron_config={"a": 1}, megatron_core="evil"),
}


@pytest.fixture(scope="module")
def tiny_adapter(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    folder = tmp_path_factory.mktemp("adapter")
    model = AutoModelForCausalLM.from_pretrained(tiny_checkpoint)
    get_peft_model(model, LoraConfig(r=4, target_modules=["q_proj"])).save_pretrained(folder)
    return folder


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_adapter_is_refused_and_never_the_base_model_under_its_name(
    tiny_checkpoint: Path, tiny_adapter: Path, tmp_path: Path, damage: str
) -> None:
    from transformers import AutoModelForCausalLM

    folder = shutil.copytree(tiny_adapter, tmp_path / "adapter")
    model = AutoModelForCausalLM.from_pretrained(tiny_checkpoint)
    DAMAGES[damage](folder)
    with pytest.raises(RunError, match=r"adapter.*[Tt]rain (that policy )?again"):
        with_adapter(model, folder)


def test_a_whole_adapter_is_taken(tiny_checkpoint: Path, tiny_adapter: Path) -> None:
    from transformers import AutoModelForCausalLM

    for trainable in (False, True):
        model = with_adapter(AutoModelForCausalLM.from_pretrained(tiny_checkpoint), tiny_adapter, trainable)
        assert any(p.requires_grad for p in model.parameters()) == trainable


def test_a_training_that_diverged_is_no_policy(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    layer = torch.nn.Linear(2, 2)
    layer.weight.data[0, 0] = math.nan
    trainer = SimpleNamespace(model=layer, state=SimpleNamespace(log_history=[], global_step=1))
    with pytest.raises(RunError, match=r"diverged.*Lower the learning rate \(section \[sft\]"):
        keep_result(trainer, tmp_path / "sft", {})
    assert not (tmp_path / "sft").exists()


def test_probabilities_that_are_no_numbers_are_no_certainty() -> None:
    sample = Samples.read(RECORDED / "iterations" / "01" / "samples.parquet")[0]
    text, ids = "I cannot do that.", (1, 2)
    assert isinstance(sample, Sample) and isinstance(sample.label, Label)
    for logprobs in ((math.nan, -0.1), (-0.1, math.nan)):
        with pytest.raises(RunError, match=f"sample {sample.id} are not numbers"):
            judge_completion(sample, Completion(text, ids, logprobs, ("a", "b"), "stop"), 1)
    assert judge_completion(sample, Completion(text, ids, (-0.1, -0.1), ("a", "b"), "stop"), 1).perplexity > 1
