"""The files that a training on verl is given, as texts with places to fill."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def fill(text: str, values: Mapping[str, Any]) -> str:
    """Put values in the places `<name>` of a text."""
    for name, value in values.items():
        text = text.replace(f"<{name}>", str(value))
    return text


CONFIG = """\
# Settings of verl <version>: written by looptool_kit, on top of verl's own ppo_trainer.yaml.
# LoopTool's recipe (arXiv 2511.09148, section 3.2): GRPO, clip higher, no KL term, no entropy bonus.
hydra:
  searchpath: [pkg://verl.trainer.config]
defaults: [ppo_trainer, _self_]

data:
  max_prompt_length: <prompt>
  max_response_length: <response>
  # A prompt cut from the left would lose its tools.
  truncation: error
  filter_overlong_prompts: false
  train_batch_size: <batch>
  # The rows stand in the order in which looptool_kit's own trainer takes them.
  shuffle: false
  seed: <seed>

algorithm:
  adv_estimator: grpo
  use_kl_in_reward: false
  norm_adv_by_std_in_grpo: true

actor_rollout_ref:
  model:
    # The rows hold the whole prompt as the run's own template writes it.
    custom_chat_template: "{{ messages[0].content }}"
    lora_rank: <rank>
    lora_alpha: <alpha>
    target_modules: <modules>
    enable_gradient_checkpointing: <checkpointing>
  actor:
    optim:
      lr: <rate>
      weight_decay: 0.0
      lr_scheduler_type: constant
    ppo_mini_batch_size: <batch>
    use_dynamic_bsz: true
    ppo_max_token_len_per_gpu: <tokens>
    clip_ratio_low: <low>
    clip_ratio_high: <high>
    use_kl_loss: false
    entropy_coeff: 0
    loss_agg_mode: token-mean
  rollout:
    name: vllm
    n: <group>
    temperature: <temperature>
    tensor_model_parallel_size: 1
    # With an adapter the engine needs the base model's weights from the start.
    load_format: safetensors
    seed: <seed>

reward:
  custom_reward_function:
    name: compute_score
    reward_kwargs:
      reward: <reward>

trainer:
  project_name: looptool
  experiment_name: grpo
  logger: [console, file]
  total_epochs: 1
  total_training_steps: <steps>
  save_freq: <save>
  max_actor_ckpt_to_keep: 2
  test_freq: -1
  val_before_train: false
  resume_mode: auto
"""

SCRIPT = """\
#!/bin/sh
# GRPO on verl <version>, in its own environment, where looptool_kit can be imported (docs/verl.md).
# PYTHON: verl's. MODEL: the base model, a folder or a name of the hub. What follows goes to verl as settings.
# On several machines this folder lies on a file system that all of them see.
set -eu
cd "$(dirname "$0")"
here="$PWD"
PYTHON="${PYTHON:-python3}"
MODEL="${MODEL:-}"
[ -n "$MODEL" ] || MODEL=<model>
mkdir -p logs
log="$here/logs/$(date +%Y%m%d-%H%M%S).jsonl"
export VERL_FILE_LOGGER_PATH="$log"

"$PYTHON" -m verl.trainer.main_ppo --config-path "$here" --config-name config \\
  hydra.run.dir="'$here/hydra'" \\
  data.train_files="'$here/train.parquet'" data.val_files="'$here/val.parquet'" \\
  reward.custom_reward_function.path="'$here/reward.py'" \\
  actor_rollout_ref.model.path="'$MODEL'" \\
<start>\
  trainer.default_local_dir="'$here/checkpoints'" \\
  trainer.n_gpus_per_node=<gpus> trainer.nnodes=<machines> \\
  +ray_kwargs.ray_init.runtime_env.env_vars.VERL_FILE_LOGGER_PATH="'$log'" "$@"

step=$(cat checkpoints/latest_checkpointed_iteration.txt)
"$PYTHON" -m verl.model_merger merge --backend fsdp \\
  --local_dir "checkpoints/global_step_$step/actor" --target_dir merged
"$PYTHON" keep.py "$step"
"""

REWARD = '''\
"""The reward of looptool_kit, where verl looks for it."""

from looptool_kit.stages.train.reward import compute_score  # noqa: F401
'''

KEEP = '''\
"""Write `back/`: the trained adapter, verl's logs, and where both come from."""

import hashlib
import json
import platform
import shutil
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

HERE = Path(__file__).resolve().parent
PACKAGES = ("verl", "looptool-kit", "torch", "transformers", "peft", "vllm", "ray")


def installed(name):
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def main(step):
    beside, back = HERE / "back.part", HERE / "back"
    shutil.rmtree(beside, ignore_errors=True)
    shutil.copytree(HERE / "merged" / "lora_adapter", beside / "adapter")
    if (HERE / "logs").is_dir():
        shutil.copytree(HERE / "logs", beside / "logs")
    weights = (beside / "adapter" / "adapter_model.safetensors").read_bytes()
    facts = {
        "request": json.loads((HERE / "request.json").read_text(encoding="utf-8")),
        "steps": step,
        "adapter": hashlib.sha256(weights).hexdigest(),
        "versions": {name: installed(name) for name in PACKAGES},
        "python": platform.python_version(),
        "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
    (beside / "provenance.json").write_text(json.dumps(facts, indent=2), encoding="utf-8")
    shutil.rmtree(back, ignore_errors=True)
    beside.rename(back)
    print("done: bring this folder back:", back)


if __name__ == "__main__":
    main(int(sys.argv[1]))
'''
