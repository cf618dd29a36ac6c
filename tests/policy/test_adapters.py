"""An adapter is taken from its policy's folder alone, and is what its files say or is refused."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from damaged_adapters import DAMAGES, REFUSED, tiny_adapter
from typer.testing import CliRunner

from looptool_kit.cli import app
from looptool_kit.core.errors import RunError
from looptool_kit.core.samples import Label, Sample, Samples
from looptool_kit.policy.adapters import check_adapter, with_adapter
from looptool_kit.policy.engines import MAX_PERPLEXITY, Completion
from looptool_kit.policy.policy import policy_of
from looptool_kit.report.figures import perplexity_figure
from looptool_kit.report.summary import history
from looptool_kit.run.folder import Run
from looptool_kit.stages.probe import judge_completion, threshold
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


@pytest.fixture(scope="module")
def whole(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_adapter(tiny_checkpoint, tmp_path_factory.mktemp("adapter"))


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_adapter_is_refused_and_never_the_base_model_under_its_name(
    tiny_checkpoint: Path, whole: Path, tmp_path: Path, damage: str
) -> None:
    from transformers import AutoModelForCausalLM

    folder = shutil.copytree(whole, tmp_path / "adapter")
    model = AutoModelForCausalLM.from_pretrained(tiny_checkpoint)
    check_adapter(folder, tiny_checkpoint)
    DAMAGES[damage](folder)
    for take in (lambda: with_adapter(model, folder), lambda: check_adapter(folder, tiny_checkpoint)):
        with pytest.raises(RunError, match=REFUSED):
            take()


def test_an_adapter_of_another_model_is_refused(tiny_checkpoint: Path, whole: Path, tmp_path: Path) -> None:
    from transformers import AutoConfig, AutoModelForCausalLM

    sizes = AutoConfig.from_pretrained(tiny_checkpoint)
    layers, width = sizes.num_hidden_layers, sizes.hidden_size
    changes = {
        "deeper": {"num_hidden_layers": layers + 1, "layer_types": None},
        "flatter": {"num_hidden_layers": layers - 1, "layer_types": None},
        "wider": {"hidden_size": 2 * width},
    }
    for name, change in changes.items():
        config = AutoConfig.from_pretrained(tiny_checkpoint, **change)
        AutoModelForCausalLM.from_config(config).save_pretrained(tmp_path / name)
        with pytest.raises(RunError, match=REFUSED):
            check_adapter(whole, tmp_path / name)
        with pytest.raises(RunError, match=REFUSED):
            with_adapter(AutoModelForCausalLM.from_pretrained(tmp_path / name), whole)


def test_a_whole_adapter_is_taken(tiny_checkpoint: Path, whole: Path) -> None:
    from transformers import AutoModelForCausalLM

    for trainable in (False, True):
        model = with_adapter(AutoModelForCausalLM.from_pretrained(tiny_checkpoint), whole, trainable)
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


def test_an_answer_as_good_as_impossible_has_a_perplexity_that_all_else_can_use() -> None:
    """vLLM's server says -9999 where it has no number, and exp(9999) is none."""
    sample = Samples.read(RECORDED / "iterations" / "01" / "samples.parquet")[0]
    answer = Completion("I cannot do that.", (1, 2), (-9999.0, -1e308), ("a", "b"), "stop")
    probes = [
        judge_completion(sample, answer._replace(logprobs=logprobs), 1).model_copy(update={"correct": right})
        for right in (True, True, False)
        for logprobs in ((-9999.0, -9999.0), (-math.inf, -1e308), (-700.0, -0.1))
    ]
    assert [p.perplexity for p in probes] == pytest.approx([MAX_PERPLEXITY] * len(probes))
    assert threshold(probes, 0.8) == pytest.approx(MAX_PERPLEXITY)
    json.dumps([p.perplexity for p in probes], allow_nan=False)
    assert "<svg" in perplexity_figure(probes, threshold(probes, 0.8))
    assert answer._replace(logprobs=()).perplexity == 1
    assert answer._replace(logprobs=(-1.0, -3.0)).perplexity == pytest.approx(math.exp(2))
