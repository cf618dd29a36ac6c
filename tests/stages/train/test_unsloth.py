"""The Unsloth trainer without a GPU: presets, estimates, the way out, every call against real signatures."""

from __future__ import annotations

import ast
import inspect
import json
import re
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import looptool_kit as lt
from looptool_kit import world
from looptool_kit.config import load_preset, presets
from looptool_kit.core.samples import Samples
from looptool_kit.core.toolcalls import render_answer, render_prompt
from looptool_kit.stages.train.estimate import estimate
from looptool_kit.stages.train.shapes import SHAPES, Shape, shape_of

SOURCE = Path(lt.__file__).parent / "stages" / "train" / "unsloth.py"
GPU_PRESETS = sorted(p for p in presets() if p.startswith("single-gpu-") and p != "single-gpu-16gb")
WHEELS = {"unsloth": ">=2026.10.7,<2026.10.9", "unsloth_zoo": ">=2026.10.7"}
"""As in the gpu extra of pyproject.toml."""


# ---------------------------------------------------------------- the recipe


def test_presets_are_the_papers_recipe_on_one_gpu() -> None:
    assert GPU_PRESETS == ["single-gpu-0.6b", "single-gpu-4b", "single-gpu-8b"]
    for name in GPU_PRESETS:
        s = load_preset(name)
        assert s.trainer == "unsloth" and s.model in SHAPES
        assert (s.grpo.clip_low, s.grpo.clip_high, s.grpo.group, s.grpo.prompts, s.grpo.temperature) == (
            0.2,
            0.28,
            16,
            128,
            1.0,
        )
        assert s.unsloth.max_seq_length - s.grpo.max_new_tokens == 4096 and s.grpo.max_new_tokens == 1024
        assert s.grpo.steps * s.grpo.prompts == 2 * s.seeds.first  # two epochs
        assert (
            s.grpo.prompts * s.grpo.group % s.unsloth.micro_batch == 0
            and s.sft.batch % s.unsloth.micro_batch == 0
        )


@pytest.mark.parametrize(
    ("model", "billions"),
    [
        ("Qwen/Qwen3-0.6B", 0.596),
        ("Qwen/Qwen3-1.7B", 1.72),
        ("Qwen/Qwen3-4B", 4.02),
        ("Qwen/Qwen3-8B", 8.19),
    ],
)
def test_parameters_are_those_that_the_models_are_published_with(model: str, billions: float) -> None:
    assert SHAPES[model].parameters / 1e9 == pytest.approx(billions, rel=0.002)


def test_estimates_follow_the_formulas() -> None:
    samples = world.generate(40, seed=2)
    for name in GPU_PRESETS:
        s = load_preset(name)
        e = estimate(s, samples, 1, s.grpo.steps)
        assert (
            e.fits
            and e.total < s.unsloth.gpu_gb
            and e.weights == pytest.approx(2 * SHAPES[s.model].parameters / 1e9)
        )
        assert "KV cache" in e.words() and "assumption" in e.words()
        smaller = s.model_copy(update={"unsloth": s.unsloth.model_copy(update={"four_bit": True})})
        assert estimate(smaller, samples, 1, s.grpo.steps).weights < 0.7 * e.weights
        tight = estimate(s, samples, 1, s.grpo.steps, gpu_gb=0.9 * e.weights)
        assert not tight.fits and "does not fit" in tight.words()
        assert estimate(s, samples, 0, s.grpo.steps).sft_seconds == 0
        assert estimate(s, samples, 1, s.grpo.steps).step_seconds > 0
    tiny = Shape(layers=2, hidden=8, heads=2, kv_heads=1, head_dim=4, inner=16, vocab=100, tied=True)
    assert tiny.linear == 2 * (8 * 4 * 6 + 3 * 8 * 16) and tiny.parameters == tiny.linear + 800
    assert tiny.lora(4) == 2 * 4 * (2 * (8 + 8) + 2 * (8 + 4) + 3 * (8 + 16))


def test_the_shape_of_any_checkpoint_is_read(tiny_checkpoint: Path) -> None:
    config = json.loads((tiny_checkpoint / "config.json").read_text())
    shape = shape_of(str(tiny_checkpoint))
    assert (shape.layers, shape.hidden, shape.vocab) == (
        config["num_hidden_layers"],
        config["hidden_size"],
        config["vocab_size"],
    )


# ----------------------------------------------------------- without a GPU


def test_without_a_gpu_there_is_one_clear_sentence(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    run = lt.Run.create(
        tmp_path / "run", "single-gpu-0.6b", seeds__first=4, seeds__fresh=[2], seeds__held_out=2
    )
    samples = lt.seed(run)
    with pytest.raises(
        ValueError, match=r"needs a GPU, and torch finds none here.*trainer = \"trl\".*preset cpu"
    ):
        lt.train(run, samples)


def test_a_finished_training_is_not_repeated(tmp_path: Path) -> None:
    from looptool_kit.stages.train import unsloth

    for phase in unsloth.PHASES:
        (tmp_path / phase).mkdir()
        (tmp_path / phase / "result.json").write_text(json.dumps({"trainer": phase, "steps": 3, "tokens": 5}))
    facts = unsloth.train(load_preset("single-gpu-0.6b"), None, Samples(), Samples(), 1, 2, tmp_path, 0)
    assert [f["folder"] for f in facts] == ["sft", "grpo"] and facts[0]["steps"] == 3


def test_the_reward_of_completions_and_what_is_kept_of_them(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="torch is not installed")
    from looptool_kit.core.records import Rollouts
    from looptool_kit.stages.train.reward import tool_match
    from looptool_kit.stages.train.unsloth import short_enough

    samples = world.generate(3, seed=5, kinds=["single"])
    twin = samples[0].model_copy(
        update={"id": "twin", "label": samples[2].label}
    )  # the same prompt, another label
    rows = [*samples, twin]
    prompts = [render_prompt(s.tools, s.messages) for s in rows]
    answers = [
        render_answer(samples[0].label),
        "<tool_call>nonsense",
        render_answer(samples[2].label),
        render_answer(samples[0].label),
    ]
    reward = tool_match(rows, tmp_path, {2, 7})
    state = SimpleNamespace(global_step=4)
    ids = [[5, 2], [5, 7], [5, 6], [5, 2]]  # the third one was cut
    given = {"prompts": prompts, "row": [0, 1, 2, 3], "trainer_state": state, "log_metric": None}
    assert reward(completions=answers, completion_ids=ids, **given) == [1.0, 0.0, 0.0, 0.0]
    kept = Rollouts.read(tmp_path / "rollouts" / "step-0005.parquet")
    assert [r.error for r in kept][:3] == ["", "unparsable", "truncated"] and [r.sample_id for r in kept] == [
        s.id for s in rows
    ]
    assert short_enough(samples, [10, 99, 20], 50) == [samples[0], samples[2]]
    with pytest.raises(ValueError, match="no sample is short enough"):
        short_enough(samples, [99] * 3, 50)


def test_passes_make_up_the_batch_exactly() -> None:
    from looptool_kit.stages.train.unsloth import pass_size

    assert [pass_size(*sizes) for sizes in ((2048, 8), (2048, 6), (12, 8), (32, 6), (2, 4), (7, 4))] == [
        8,
        4,
        6,
        4,
        2,
        1,
    ]


# ----------------------------------------------------- calls and signatures


def calls_of(path: Path) -> Iterator[tuple[str, int, set[str]]]:
    """(dotted name, positional arguments, keywords) of each call in a file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), len(node.args), {k.arg for k in node.keywords if k.arg}


@pytest.fixture(scope="module")
def sources() -> dict[str, zipfile.ZipFile]:
    """The wheels' sources, downloaded once without their dependencies (32 MB) and never imported: importing
    them needs a GPU.
    """
    from platformdirs import user_cache_dir

    folder = Path(user_cache_dir("looptool_kit")) / "wheels"
    found = {}
    for name, versions in WHEELS.items():
        if not list(folder.glob(f"{name}-*.whl")):
            command = [
                sys.executable,
                "-m",
                "pip",
                "download",
                "-q",
                "--no-deps",
                "--dest",
                str(folder),
                f"{name}{versions}",
            ]
            done = subprocess.run(command, capture_output=True, text=True, timeout=300)
            if done.returncode:
                pytest.skip(
                    f"the package index does not give {name}{versions}:"
                    f" {done.stderr.strip().splitlines()[-1][:150]}"
                )
        found[name] = zipfile.ZipFile(max(folder.glob(f"{name}-*.whl")))
    return found


def functions(wheel: zipfile.ZipFile, file: str, name: str) -> list[ast.FunctionDef]:
    tree = ast.parse(wheel.read(file).decode("utf-8"))
    return [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name == name]


@pytest.mark.parametrize(
    ("call", "file"),
    [
        ("FastLanguageModel.from_pretrained", "unsloth/models/loader.py"),
        ("FastLanguageModel.get_peft_model", "unsloth/models/llama.py"),
    ],
)
def test_unsloth_takes_every_argument_that_we_give(
    call: str, file: str, sources: dict[str, zipfile.ZipFile]
) -> None:
    given = next(keywords for name, _, keywords in calls_of(SOURCE) if name == call)
    known = functions(sources["unsloth"], file, call.split(".")[1])
    assert known and all(
        given <= {a.arg for a in (*f.args.posonlyargs, *f.args.args, *f.args.kwonlyargs)} for f in known
    )


def test_unsloths_class_is_where_we_import_it(sources: dict[str, zipfile.ZipFile]) -> None:
    text = sources["unsloth"].read("unsloth/models/loader.py").decode()
    assert "class FastLanguageModel(FastLlamaModel)" in text
    assert "from ._gpu_init import *" in sources["unsloth"].read("unsloth/__init__.py").decode()
    assert re.search(
        r"^\s*from \.models import", sources["unsloth"].read("unsloth/_gpu_init.py").decode(), re.MULTILINE
    )
    assert "FastLanguageModel" in sources["unsloth"].read("unsloth/models/__init__.py").decode()


def test_versions_that_we_ask_for_are_ones_that_unsloth_takes(sources: dict[str, zipfile.ZipFile]) -> None:
    from packaging.requirements import Requirement

    wheel = sources["unsloth"]
    meta = wheel.read(next(n for n in wheel.namelist() if n.endswith("dist-info/METADATA"))).decode()
    wanted = [
        Requirement(line.split(":", 1)[1].strip())
        for line in meta.splitlines()
        if line.startswith("Requires-Dist:")
    ]
    for name in ("trl", "transformers", "datasets", "peft"):
        bound = next(r for r in wanted if r.name == name and r.marker is None)
        assert bound.specifier.contains(metadata.version(name)), (
            f"{name} {metadata.version(name)} against unsloth's {bound}"
        )


def test_the_libraries_take_every_argument_that_we_give(tmp_path: Path) -> None:
    pytest.importorskip("trl", reason="trl is not installed")
    import peft
    import transformers
    import trl
    from datasets import Dataset

    from looptool_kit.stages.train import common, recipe, unsloth

    real: dict[str, Any] = {
        "SFTConfig": trl.SFTConfig,
        "GRPOConfig": trl.GRPOConfig,
        "SFTTrainer": trl.SFTTrainer,
        "GRPOTrainer": trl.GRPOTrainer,
        "DataCollatorForSeq2Seq": transformers.DataCollatorForSeq2Seq,
        "Dataset.from_list": Dataset.from_list,
        "set_peft_model_state_dict": peft.set_peft_model_state_dict,
    }
    seen = set()
    for name, positional, keywords in calls_of(SOURCE):
        if name in real:
            parameters = inspect.signature(real[name]).parameters
            assert keywords <= set(parameters), f"{name}: {keywords - set(parameters)}"
            assert positional <= len(parameters)
            seen.add(name)
    assert seen == set(real)
    s = load_preset("single-gpu-0.6b")
    for config, own, arguments in (
        (trl.SFTConfig, common.own_arguments(s.sft), recipe.sft_arguments(s.sft, 4, tmp_path, 0)),
        (trl.GRPOConfig, common.own_arguments(s.grpo), recipe.grpo_arguments(s.grpo, 4, tmp_path, 0)),
    ):
        given = {**own, **unsloth.own_arguments(), **arguments}
        assert set(given) <= set(inspect.signature(config).parameters)
        beside = {
            keyword
            for name, _, keywords in calls_of(SOURCE)
            if name == config.__name__
            for keyword in keywords
        }
        assert not beside & set(given), "said twice"


# ------------------------------------------------------------- checkpoints


def test_adapter_and_merged_checkpoint_of_a_policy(tiny_checkpoint: Path, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from looptool_kit.policy.export import save_adapter, save_merged
    from looptool_kit.policy.policy import Policy, base_policy

    torch.manual_seed(0)
    base = AutoModelForCausalLM.from_pretrained(tiny_checkpoint)
    policy_model = get_peft_model(
        base,
        LoraConfig(
            r=4,
            lora_alpha=8,
            target_modules=["q_proj", "up_proj"],
            init_lora_weights=False,
            task_type="CAUSAL_LM",
        ),
    )
    policy_model.save_pretrained(tmp_path / "adapter")
    ids = torch.tensor([[1, 2, 3, 4]])
    with torch.no_grad():
        expected = policy_model(ids).logits
    policy = Policy(name="D1", iteration=1, model=str(tiny_checkpoint), adapter=str(tmp_path / "adapter"))
    assert (save_adapter(policy, tmp_path / "copy") / "adapter_config.json").exists()
    merged = AutoModelForCausalLM.from_pretrained(save_merged(policy, tmp_path / "merged"), dtype="float32")
    AutoTokenizer.from_pretrained(tmp_path / "merged")
    with torch.no_grad():
        off = (merged(ids).logits - expected).abs().mean() / expected.abs().mean()
        assert (
            off
            < 0.03
            < (AutoModelForCausalLM.from_pretrained(tiny_checkpoint)(ids).logits - expected).abs().mean()
            / expected.abs().mean()
        )
    with pytest.raises(ValueError, match="no adapter"):
        save_adapter(base_policy("embedded"), tmp_path / "x")
