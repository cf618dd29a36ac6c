"""Trainer `unsloth`: SFT warm start and GRPO of a LoRA adapter on one GPU.

vLLM writes the completions. Trainer and vLLM share the GPU and the weights. Recipe and reward are those of
the trainer `trl` (`recipe.py`, `reward.py`). The work is done in a process of its own, because Unsloth has to
be imported before transformers, and so that the GPU is free again afterwards.

    python -m looptool_kit.stages.train.unsloth JOB.json      # what `train` starts; JOB.json says everything
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from looptool_kit.config import Settings
from looptool_kit.core.samples import Sample, Samples
from looptool_kit.core.tables import write_json
from looptool_kit.policy import gpu
from looptool_kit.stages.train.common import encode, finished, keep_result, progress, run_to_end
from looptool_kit.stages.train.estimate import estimate
from looptool_kit.stages.train.recipe import REPORT_TO, grpo_arguments, grpo_facts, sft_arguments
from looptool_kit.stages.train.reward import tool_match, weigh_groups_without_hit

PHASES = ("sft", "grpo")


def why_not() -> str:
    """Say why this machine cannot train with Unsloth.

    With the remedy; empty where it can.
    """
    import torch

    if not torch.cuda.is_available():
        return (
            'the unsloth trainer needs a GPU, and torch finds none here. On the CPU take trainer = "trl" with'
            " a cpu preset (`looptool loop runs/mine --preset cpu`); on a machine with a GPU `make setup`"
            " installs what it needs."
        )
    missing = [name for name in ("unsloth", "vllm") if importlib.util.find_spec(name) is None]
    return (
        f"the unsloth trainer needs {' and '.join(missing)}: pip install 'looptool-kit[gpu]', or take trainer"
        ' = "trl".'
        if missing
        else ""
    )


def train(
    settings: Settings,
    adapter: Path | None,
    samples: Samples,
    chosen: Samples,
    epochs: int,
    steps: int,
    folder: Path,
    seed: int,
    say: Callable[[str], None] = print,
) -> list[dict[str, Any]]:
    """Run SFT on `samples`, then GRPO on `chosen`.

    In order; gives the facts of each. Finished phases are not repeated, a stopped one resumes where it
    was saved last.

    Args:
        settings: `sft` and `grpo` are the recipe of this iteration.
        adapter: The policy to start from; None for a new adapter.
        samples: What SFT learns.
        chosen: The prompts of GRPO.
        epochs: Passes of SFT over `samples`; 0 leaves SFT out.
        steps: Steps of GRPO; 0 leaves GRPO out.
        folder: Gets `sft/` and `grpo/`, each with `adapter/`, `history.jsonl` and `result.json`.
        seed: Decides the order and the new adapter's weights.
        say: Gets the estimate first.

    Raises:
        ValueError: This machine cannot train so.
        RuntimeError: The training failed.
    """
    phases = [p for p, wanted in zip(PHASES, (epochs, steps), strict=True) if wanted]
    if not all(finished(folder / p) for p in phases):
        if reason := why_not():
            raise ValueError(reason)
        import torch

        memory = torch.cuda.get_device_properties(0).total_memory / 1e9
        say(estimate(settings, samples, epochs, steps, memory).words())
        folder.mkdir(parents=True, exist_ok=True)
        job = {
            "settings": settings.model_dump(mode="json"),
            "adapter": str(adapter) if adapter else None,
            "samples": str(samples.write(folder / "samples.parquet")),
            "chosen": str(chosen.write(folder / "chosen.parquet")),
            "epochs": epochs,
            "steps": steps,
            "folder": str(folder),
            "seed": seed,
        }
        write_json(folder / "job.json", job)
        code = subprocess.call(
            [sys.executable, "-P", "-m", "looptool_kit.stages.train.unsloth", str(folder / "job.json")]
        )
        if code:
            raise RuntimeError(
                f"the training ended with code {code}; what it printed stands above. The same command"
                " resumes from the last checkpoint."
            )
    return [(finished(folder / p) or {}) | {"folder": p} for p in phases]


# ---------------------------------------------------------- in its own process


def main(path: str) -> None:
    """Do a job."""
    # Weights are shared: sleeping would move the KV cache out and in at every step.
    os.environ.setdefault("UNSLOTH_VLLM_STANDBY", "0")
    os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")
    os.environ.update(gpu.vllm_variables())
    job = json.loads(Path(path).read_text(encoding="utf-8"))
    settings = Settings.model_validate(job["settings"])
    REPORT_TO.set(settings.report_to)
    folder, seed = Path(job["folder"]), job["seed"]
    if job["steps"]:
        print(gpu.START, flush=True)
    model, tokenizer = load(settings, fast=bool(job["steps"]))
    policy = with_adapter(model, settings, seed)
    start = Path(job["adapter"]) if job["adapter"] else None
    if job["epochs"] and not (folder / "sft" / "result.json").exists():
        read_adapter(policy, start)
        run_sft(
            policy, tokenizer, Samples.read(job["samples"]), settings, job["epochs"], folder / "sft", seed
        )
    if job["steps"]:
        read_adapter(policy, folder / "sft" / "adapter" if job["epochs"] else start)
        run_grpo(
            policy, tokenizer, Samples.read(job["chosen"]), settings, job["steps"], folder / "grpo", seed
        )


def load(settings: Settings, fast: bool) -> tuple[Any, Any]:
    """Load base model and tokenizer.

    `fast`: with a vLLM engine on the same weights.
    """
    from unsloth import FastLanguageModel

    from looptool_kit.policy.models import with_template

    own = settings.unsloth
    model, tokenizer = FastLanguageModel.from_pretrained(
        model_name=settings.model,
        max_seq_length=own.max_seq_length,
        load_in_4bit=own.four_bit,
        fast_inference=fast,
        gpu_memory_utilization=own.gpu_memory_utilization,
        max_lora_rank=settings.lora.rank,
        use_exact_model_name=not own.four_bit,
        random_state=settings.seed,
    )
    return model, with_template(tokenizer, settings.model)


def with_adapter(model: Any, settings: Settings, seed: int) -> Any:
    """The model with a new trainable adapter on all linear layers."""
    from unsloth import FastLanguageModel

    from looptool_kit.policy.engines.vllm import MODULES

    return FastLanguageModel.get_peft_model(
        model,
        r=settings.lora.rank,
        target_modules=list(MODULES),
        lora_alpha=settings.lora.alpha,
        lora_dropout=0.0,
        use_gradient_checkpointing="unsloth",
        random_state=seed,
    )


def read_adapter(policy: Any, adapter: Path | None) -> None:
    """Give the policy's adapter the weights of a saved one."""
    if adapter is None:
        return
    from peft import set_peft_model_state_dict
    from safetensors.torch import load_file

    set_peft_model_state_dict(policy, load_file(str(adapter / "adapter_model.safetensors")))


def short_enough(samples: Sequence[Sample], lengths: Sequence[int], most: int) -> list[Sample]:
    """Return the samples that fit.

    A prompt is never cut, for it would lose its tools.

    Raises:
        ValueError: None of them fits.
    """
    kept = [s for s, n in zip(samples, lengths, strict=True) if n <= most]
    if len(kept) < len(samples):
        print(
            f"{len(samples) - len(kept)} of {len(samples)} samples are longer than {most} tokens and are left"
            " out of this training",
            flush=True,
        )
    if not kept:
        raise ValueError(
            f"no sample is short enough for unsloth.max_seq_length: {most} tokens are left for a prompt"
        )
    return kept


def read_as_text(tokenizer: Any, samples: Sequence[Sample]) -> list[Sample]:
    """Return the samples whose prompts survive encoding from text.

    They become the right ids. Unsloth's GRPO is given text alone, and a special token's name in a message
    or a tool would be read as that token. Raises ValueError where no sample is left.
    """
    from looptool_kit.policy.engines.prompts import encode_prompts, render

    right = encode_prompts(tokenizer, samples)
    read = tokenizer([render(tokenizer, s) for s in samples], add_special_tokens=False)["input_ids"]
    kept = [s for s, a, b in zip(samples, right, read, strict=True) if a == b]
    if len(kept) < len(samples):
        lost = len(samples) - len(kept)
        print(
            f"{lost} of {len(samples)} samples spell a special token of the model and are left out of GRPO",
            flush=True,
        )
    if not kept:
        raise ValueError(
            'every sample for GRPO spells a special token of the model; trainer = "trl" keeps that as text'
        )
    return kept


def pass_size(batch: int, most: int) -> int:
    """Return the rows of a forward pass, at most `most`.

    So that passes make up the batch exactly.
    """
    return next(n for n in range(min(most, batch), 0, -1) if batch % n == 0)


def own_arguments() -> dict[str, Any]:
    """Return what this trainer adds to the recipe.

    8-bit AdamW, and the GPU's 16-bit type.
    """
    import torch

    from looptool_kit.policy.models import default_dtype

    half = default_dtype()
    return {"optim": "adamw_8bit", "bf16": half is torch.bfloat16, "fp16": half is torch.float16}


def run_sft(
    policy: Any, tokenizer: Any, samples: Samples, settings: Settings, epochs: int, folder: Path, seed: int
) -> None:
    """Supervised fine-tuning on the labels, the loss on the answer's tokens only."""
    from datasets import Dataset
    from transformers import DataCollatorForSeq2Seq
    from trl import SFTConfig, SFTTrainer

    recipe, own = settings.sft, settings.unsloth
    pairs = [encode(tokenizer, s) for s in samples]
    kept = short_enough(samples, [len(p) + len(c) for p, c in pairs], own.max_seq_length)
    pairs = [encode(tokenizer, s) for s in kept]
    rows = [
        {"input_ids": p + c, "attention_mask": [1] * len(p + c), "labels": [-100] * len(p) + c}
        for p, c in pairs
    ]
    arguments = sft_arguments(recipe, pass_size(recipe.batch, own.micro_batch), folder, seed)
    config = SFTConfig(
        num_train_epochs=epochs,
        max_length=own.max_seq_length,
        packing=False,
        **arguments,
        **own_arguments(),
    )
    trainer = SFTTrainer(
        model=policy,
        args=config,
        train_dataset=Dataset.from_list(rows),
        data_collator=DataCollatorForSeq2Seq(tokenizer, label_pad_token_id=-100),
        processing_class=tokenizer,
        callbacks=[progress(f"train: SFT on {len(rows)} samples")],
    )
    run_to_end(trainer, folder)
    tokens = epochs * sum(len(r["input_ids"]) for r in rows)
    keep_result(trainer, folder, {"trainer": "sft", "samples": len(rows), "tokens": tokens})


def run_grpo(
    policy: Any, tokenizer: Any, chosen: Samples, settings: Settings, steps: int, folder: Path, seed: int
) -> None:
    """Run GRPO on `chosen` in order.

    From the first again when they run out.
    """
    from datasets import Dataset
    from trl import GRPOConfig, GRPOTrainer

    from looptool_kit.policy.engines.prompts import encode_prompts, end_token, render
    from looptool_kit.policy.engines.vllm import end_tokens
    from looptool_kit.policy.models import find_model

    recipe, own = settings.grpo.model_copy(update={"steps": steps}), settings.unsloth
    plain = read_as_text(tokenizer, chosen)
    lengths = [len(ids) for ids in encode_prompts(tokenizer, plain)]
    kept = short_enough(plain, lengths, own.max_seq_length - recipe.max_new_tokens)
    texts = [render(tokenizer, s) for s in kept]
    rows = [{"prompt": texts[i % len(texts)], "row": i % len(texts)} for i in range(steps * recipe.prompts)]
    ends = {
        end_token(tokenizer),
        end_token(tokenizer, calls=True),
        *end_tokens(find_model(settings.model).path),
    }
    passes = pass_size(recipe.prompts * recipe.group, own.micro_batch)
    config = GRPOConfig(
        # Unsloth would set it for this loss; what was cut earns nothing and is to be unlearned.
        mask_truncated_completions=False,
        # A base model's own end need not be that of a turn.
        generation_kwargs={"stop_token_ids": sorted(ends)},
        use_vllm=True,
        vllm_mode="colocate",
        **grpo_arguments(recipe, passes, folder, seed),
        **own_arguments(),
    )
    trainer = GRPOTrainer(
        model=policy,
        args=config,
        reward_funcs=[tool_match(kept, folder, ends, settings.reward.name, tokenizer)],
        train_dataset=Dataset.from_list(rows),
        processing_class=tokenizer,
        callbacks=[progress(f"train: GRPO, {recipe.prompts} x {recipe.group}")],
    )
    weigh_groups_without_hit(trainer, folder, recipe.group, settings.reward.no_hit)
    run_to_end(trainer, folder)
    keep_result(trainer, folder, grpo_facts(trainer, recipe, min(len(texts), len(rows))))


if __name__ == "__main__":
    main(sys.argv[1])
