"""verl's own code over what we write: its dataset, reward manager, settings and merger, as far as a CPU goes.

Runs where verl 0.9.1 is installed, which wants an environment of its own; elsewhere the reason is said. Not
seen: its rollouts with vLLM, its FSDP workers, a whole step.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import shutil
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("verl", reason="verl is not installed: it wants an environment of its own (docs/verl.md)")

from verl_runs import prepared

from looptool_kit.core.toolcalls import render_answer
from looptool_kit.policy.engines.prompts import encode_prompt
from looptool_kit.policy.models import load_tokenizer
from looptool_kit.stages.train.verl import VERSION

TEMPLATE = "{{ messages[0].content }}"


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory, tiny_checkpoint: Path) -> Any:
    return prepared(tmp_path_factory.mktemp("given") / "run", tiny_checkpoint)


@pytest.fixture(scope="module")
def config(given: Any) -> Any:
    """verl's whole configuration, as its command composes it from our file and our command's overrides."""
    import re

    from hydra import compose, initialize_config_dir

    script = (given.there / "train.sh").read_text()
    words = script.partition("verl.trainer.main_ppo")[2].partition('"$@"')[0]
    overrides = [w.replace('"', "") for w in re.findall(r"^\s+(\S+=\S+|\S+=\".*?\")", words, re.MULTILINE)]
    overrides += re.findall(r"(trainer\.nnodes=\d+)", words)
    overrides += re.findall(r"(data\.val_files=\S+)", words.replace('"', ""))
    overrides = [o.replace("$here", str(given.there)).replace("$MODEL", str(given.model)) for o in overrides]
    overrides = [o.replace("$log", "log.jsonl") for o in overrides if not o.startswith("hydra.")]
    with initialize_config_dir(str(given.there), version_base=None):
        return compose("config", sorted(set(overrides)))


def test_the_version_is_the_one_that_is_named() -> None:
    assert version("verl") == VERSION


def test_verls_settings_take_ours_and_its_check_passes(config: Any, given: Any) -> None:
    from verl.trainer.ppo.utils import need_critic, need_reference_policy
    from verl.utils.config import omega_conf_to_dataclass, validate_config

    run = given.run
    assert config.actor_rollout_ref.rollout.n == run.settings.grpo.group
    assert config.data.train_files == str(given.there / "train.parquet")
    assert config.trainer.total_training_steps == run.settings.grpo.steps_first
    assert config.ray_kwargs.ray_init.runtime_env.env_vars.VERL_FILE_LOGGER_PATH
    assert not need_critic(config) and not need_reference_policy(config)
    # What it asks of vLLM is the largest rank alone, and vLLM is not on a CPU: without the adapter's rank.
    plain = config.copy()
    plain.actor_rollout_ref.model.lora_rank = 0
    validate_config(plain, use_reference_policy=False, use_critic=False)
    actor = omega_conf_to_dataclass(config.actor_rollout_ref.actor)
    assert (actor.clip_ratio_low, actor.clip_ratio_high) == (0.2, 0.28) and not actor.use_kl_loss
    assert actor.optim.weight_decay == 0 and actor.optim.lr == run.settings.grpo.learning_rate


def test_verls_dataset_gives_the_prompts_that_we_probe_with(config: Any, given: Any) -> None:
    from verl.utils.dataset.rl_dataset import RLHFDataset

    ours = load_tokenizer(str(given.model))
    tokenizer = load_tokenizer(str(given.model))
    tokenizer.chat_template = TEMPLATE  # what HFModelConfig makes of custom_chat_template
    assert config.actor_rollout_ref.model.custom_chat_template == TEMPLATE
    data = RLHFDataset([config.data.train_files], tokenizer, config.data)
    assert len(data) == given.request["steps"] * given.request["prompts"]
    by_id = given.samples.by_id()
    for at in range(len(data)):
        row = data[at]
        sample = by_id[row["extra_info"]["sample_id"]]
        ids = tokenizer.apply_chat_template(row["raw_prompt"], add_generation_prompt=True, tokenize=True)
        ids = ids["input_ids"] if hasattr(ids, "keys") else ids
        assert list(ids) == encode_prompt(ours, sample)
        assert len(ids) <= config.data.max_prompt_length


def test_a_filter_of_verls_own_drops_none_of_our_prompts(config: Any, given: Any) -> None:
    from verl.utils.dataset.rl_dataset import RLHFDataset

    tokenizer = load_tokenizer(str(given.model))
    tokenizer.chat_template = TEMPLATE
    strict = config.data.copy()
    strict.filter_overlong_prompts = True
    assert len(RLHFDataset([strict.train_files], tokenizer, strict)) == len(
        RLHFDataset([config.data.train_files], tokenizer, config.data)
    )


def test_verls_reward_manager_calls_our_reward(config: Any, given: Any) -> None:
    import torch
    from tensordict import TensorDict
    from verl import DataProto
    from verl.trainer.ppo.reward import load_reward_manager
    from verl.utils.dataset.rl_dataset import RLHFDataset, collate_fn

    tokenizer = load_tokenizer(str(given.model))
    data = RLHFDataset([config.data.train_files], tokenizer, config.data)
    by_id = given.samples.by_id()

    async def scores(row: dict[str, Any], text: str) -> dict[str, Any]:
        manager = load_reward_manager(config, tokenizer)
        ids = torch.tensor([tokenizer(text, add_special_tokens=False)["input_ids"]])
        batch = TensorDict({"responses": ids, "attention_mask": torch.ones_like(ids)}, batch_size=[1])
        rest = {k: v for k, v in collate_fn([row]).items() if not torch.is_tensor(v)}
        return await manager.run_single(DataProto(batch=batch, non_tensor_batch=rest))

    for at in range(4):
        sample = by_id[data[at]["extra_info"]["sample_id"]]
        right = asyncio.run(scores(data[at], render_answer(sample.label)))
        assert right["reward_score"] == 1.0
        assert right["reward_extra_info"] == {"score": 1.0, "acc": 1.0, "parsed": 1.0}
        wrong = asyncio.run(scores(data[at], '<tool_call>{"name": "other", "arguments": {}}</tool_call>'))
        assert wrong["reward_score"] == 0.0


@pytest.mark.parametrize("meta", [True, False])
def test_what_verls_merger_writes_is_taken_back_and_answers_as_it_was_trained(
    given: Any, tmp_path: Path, meta: bool
) -> None:
    """A checkpoint as verl's FSDP workers write it, on one of them; without `meta` the alpha is lost, and
    verl writes 0: an adapter that does nothing.
    """
    import torch
    from peft import PeftModel
    from verl.model_merger.base_model_merger import ModelMergerConfig
    from verl.model_merger.fsdp_model_merger import FSDPModelMerger
    from verl_runs import back_of, trained_model

    from looptool_kit.policy.policy import load_base
    from looptool_kit.stages.train.verl import take_back

    model, tokenizer = trained_model(given)
    actor = tmp_path / "actor"
    (actor / "huggingface").mkdir(parents=True)
    torch.save(model.state_dict(), actor / "model_world_size_1_rank_0.pt")
    (actor / "fsdp_config.json").write_text('{"world_size": 1}')
    load_base(str(given.model))[0].config.save_pretrained(actor / "huggingface")
    tokenizer.save_pretrained(actor / "huggingface")
    if meta:
        kept = {"r": given.request["rank"], "lora_alpha": given.request["alpha"], "task_type": "CAUSAL_LM"}
        (actor / "lora_train_meta.json").write_text(json.dumps(kept))
    asked = ModelMergerConfig(
        operation="merge",
        backend="fsdp",
        target_dir=str(tmp_path / "merged"),
        local_dir=str(actor),
        hf_model_config_path=str(actor / "huggingface"),
    )
    FSDPModelMerger(asked).merge_and_save()
    written = json.loads((tmp_path / "merged" / "lora_adapter" / "adapter_config.json").read_text())
    assert written["lora_alpha"] == (given.request["alpha"] if meta else 0)
    place = tmp_path / "policy" / "verl"
    shutil.copytree(given.there, place / "there")
    back = back_of(place / "there", tmp_path / "merged" / "lora_adapter", given.request["steps"])
    facts = take_back(back, given.request, place, str(given.model))
    assert facts["steps"] == given.request["steps"] and facts["trainer"] == "verl"
    base, _ = load_base(str(given.model))
    again = PeftModel.from_pretrained(base, str(place / "adapter")).eval()
    ids = torch.tensor([[5, 6, 7, 8, 9]])
    with torch.no_grad():
        want, have = model.eval()(ids).logits, again(ids).logits
        plain = load_base(str(given.model))[0].eval()(ids).logits
    # verl's merger keeps weights in bfloat16.
    assert (want - have).abs().max() < 0.05 * (want - plain).abs().max()


def test_what_is_not_run_here_still_has_the_signatures_that_we_rely_on() -> None:
    """The parts behind a GPU: the trainer, its checkpoints, the adapter that a training starts from."""
    import ast

    import verl

    root = Path(inspect.getfile(verl)).parent
    trainer = (root / "trainer/ppo/v1/trainer_base.py").read_text()
    assert (
        '"latest_checkpointed_iteration.txt"' in trainer and 'f"global_step_{self.global_steps}"' in trainer
    )
    engine = (root / "workers/engine/fsdp/transformer_impl.py").read_text()
    assert "PeftModel.from_pretrained(module, local_adapter_path, is_trainable=True)" in engine
    names = {n.value for n in ast.walk(ast.parse((root / "utils/tracking.py").read_text()))
             if isinstance(n, ast.Constant)}  # fmt: skip
    assert {"VERL_FILE_LOGGER_PATH", "file"} <= names
    metrics = (root / "trainer/ppo/metric_utils.py").read_text()
    for name in ("critic/score/mean", "response_length/mean", "perf/total_num_tokens"):
        assert name in metrics
