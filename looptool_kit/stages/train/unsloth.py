"""Trainer `unsloth`: SFT warm start and GRPO of a LoRA adapter on one GPU with Unsloth, completions by vLLM
on the same GPU and weights.

The recipe is LoopTool's (section 3.2): binary ToolMatch reward, clip 0.2 / 0.28, no KL, no entropy bonus,
optimiser reset each iteration. The work is done in a process of its own, because Unsloth has to be imported
before transformers, and so that the GPU is free again afterwards.

    python -m looptool_kit.stages.train.unsloth JOB.json      # what `train` starts; JOB.json says everything
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

from looptool_kit.config import Settings
from looptool_kit.core.samples import Sample, Samples
from looptool_kit.core.tables import write_json
from looptool_kit.stages.train.estimate import estimate

PHASES = ("sft", "grpo")


def why_not() -> str:
    """Why this machine cannot train with Unsloth, with the way out; empty where it can."""
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
    settings: Settings, adapter: Path | None, samples: Samples, chosen: Samples, epochs: int, steps: int, folder: Path, seed: int,
    say: Callable[[str], None] = print,
) -> list[dict[str, Any]]:  # fmt: skip
    """SFT on `samples` for `epochs` passes, then GRPO on `chosen`, in order, for `steps`, from `adapter` or
    from a new one.

    `settings.sft` and `settings.grpo` are the recipe of this iteration. Leaves `sft/` and `grpo/` in
    `folder`, each with `adapter/`, `history.jsonl` and `result.json`, and returns the facts of both; finished
    phases are not repeated, a stopped one goes on where it was saved last. Says what it will need first.
    Raises `ValueError` where this machine cannot do it, `RuntimeError` where the training failed.
    """
    phases = [p for p, wanted in zip(PHASES, (epochs, steps), strict=True) if wanted]
    if not all((folder / p / "result.json").exists() for p in phases):
        if reason := why_not():
            raise ValueError(reason)
        import torch

        say(
            estimate(
                settings, samples, epochs, steps, torch.cuda.get_device_properties(0).total_memory / 1e9
            ).words()
        )
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
                f"the training ended with code {code}; what it said stands above. The same command goes on"
                " from the last checkpoint."
            )
    return [json.loads((folder / p / "result.json").read_text()) | {"folder": p} for p in phases]


# ---------------------------------------------------------- in its own process


def main(path: str) -> None:
    """Do a job."""
    os.environ.setdefault(
        "UNSLOTH_VLLM_STANDBY", "0"
    )  # weights are shared; sleeping would move the KV cache out and in at every step
    os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")
    job = json.loads(Path(path).read_text(encoding="utf-8"))
    settings = Settings.model_validate(job["settings"])
    folder = Path(job["folder"])
    model, tokenizer = load(settings, fast=bool(job["steps"]))
    policy = with_adapter(model, settings, job["seed"])
    start = Path(job["adapter"]) if job["adapter"] else None
    if job["epochs"] and not (folder / "sft" / "result.json").exists():
        read_adapter(policy, start)
        run_sft(
            policy,
            tokenizer,
            Samples.read(job["samples"]),
            settings,
            job["epochs"],
            folder / "sft",
            job["seed"],
        )
    if job["steps"]:
        read_adapter(policy, folder / "sft" / "adapter" if job["epochs"] else start)
        run_grpo(
            policy,
            tokenizer,
            Samples.read(job["chosen"]),
            settings,
            job["steps"],
            folder / "grpo",
            job["seed"],
        )


def load(settings: Settings, fast: bool) -> tuple[Any, Any]:
    """(base model, tokenizer); `fast`: with a vLLM engine on the same weights for generation."""
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

    return FastLanguageModel.get_peft_model(
        model,
        r=settings.lora.rank,
        target_modules=["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
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
    """The samples that fit; a prompt is never cut, for it would lose its tools."""
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
    """The samples whose prompts become the right ids from their text, which is all that Unsloth's GRPO is
    given.

    A special token's name in a message or a tool would be read as that token. Raises ValueError where none is
    left.
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
    """Rows of a forward pass: as many as `most` allows so that passes make up the batch exactly."""
    return next(n for n in range(min(most, batch), 0, -1) if batch % n == 0)


def half_precision() -> dict[str, Any]:
    """The 16 bits that this GPU computes in, as TRL's configurations take them."""
    import torch

    from looptool_kit.policy.models import default_dtype

    return {"bf16": default_dtype() is torch.bfloat16, "fp16": default_dtype() is torch.float16}


def run_sft(
    policy: Any, tokenizer: Any, samples: Samples, settings: Settings, epochs: int, folder: Path, seed: int
) -> None:
    """Supervised fine-tuning on the labels, the loss on the answer's tokens only."""
    from datasets import Dataset
    from transformers import DataCollatorForSeq2Seq
    from trl import SFTConfig, SFTTrainer

    from looptool_kit.stages.train.common import encode, keep_result, last_checkpoint, progress

    recipe, own = settings.sft, settings.unsloth
    pairs = [encode(tokenizer, s) for s in samples]
    kept = short_enough(samples, [len(p) + len(c) for p, c in pairs], own.max_seq_length)
    pairs = [encode(tokenizer, s) for s in kept]
    rows = [
        {"input_ids": p + c, "attention_mask": [1] * len(p + c), "labels": [-100] * len(p) + c}
        for p, c in pairs
    ]
    per_device = pass_size(recipe.batch, own.micro_batch)
    config = SFTConfig(
        output_dir=str(folder),
        num_train_epochs=epochs,
        per_device_train_batch_size=per_device,
        gradient_accumulation_steps=recipe.batch // per_device,
        learning_rate=recipe.learning_rate,
        lr_scheduler_type="cosine",
        warmup_steps=recipe.warmup_steps,
        optim="adamw_8bit",
        weight_decay=0.0,
        max_grad_norm=1.0,
        logging_steps=1,
        save_strategy="steps",
        save_steps=recipe.save_steps,
        save_total_limit=2,
        report_to=[],
        disable_tqdm=True,
        seed=seed,
        **half_precision(),
        max_length=own.max_seq_length,
        packing=False,
        remove_unused_columns=False,
        dataset_kwargs={"skip_prepare_dataset": True},
    )
    trainer = SFTTrainer(
        model=policy,
        args=config,
        train_dataset=Dataset.from_list(rows),
        data_collator=DataCollatorForSeq2Seq(tokenizer, label_pad_token_id=-100),
        processing_class=tokenizer,
        callbacks=[progress(f"train: SFT on {len(rows)} samples")],
    )
    trainer.train(resume_from_checkpoint=last_checkpoint(folder))
    keep_result(
        trainer,
        folder,
        {"trainer": "sft", "samples": len(rows), "tokens": epochs * sum(len(r["input_ids"]) for r in rows)},
    )


def run_grpo(
    policy: Any, tokenizer: Any, chosen: Samples, settings: Settings, steps: int, folder: Path, seed: int
) -> None:
    """GRPO: each step takes `grpo.prompts` samples in order (around again when they run out) and `grpo.group`
    completions of each.
    """
    from datasets import Dataset
    from trl import GRPOConfig, GRPOTrainer

    from looptool_kit.policy.engines.prompts import encode_prompts, end_token, render
    from looptool_kit.policy.engines.vllm import end_tokens
    from looptool_kit.policy.models import find_model
    from looptool_kit.stages.train.common import keep_result, last_checkpoint, progress

    recipe, own = settings.grpo, settings.unsloth
    plain = read_as_text(tokenizer, chosen)
    lengths = [len(ids) for ids in encode_prompts(tokenizer, plain)]
    kept = short_enough(plain, lengths, own.max_seq_length - recipe.max_new_tokens)
    texts = [render(tokenizer, s) for s in kept]
    rows = [{"prompt": texts[i % len(texts)], "row": i % len(texts)} for i in range(steps * recipe.prompts)]
    size = recipe.prompts * recipe.group
    per_device = pass_size(size, own.micro_batch)
    ends = {end_token(tokenizer), *end_tokens(find_model(settings.model).path)}
    config = GRPOConfig(
        output_dir=str(folder),
        max_steps=steps,
        per_device_train_batch_size=per_device,
        gradient_accumulation_steps=size // per_device,
        num_generations=recipe.group,
        max_completion_length=recipe.max_new_tokens,
        temperature=recipe.temperature,
        learning_rate=recipe.learning_rate,
        lr_scheduler_type="constant",
        optim="adamw_8bit",
        weight_decay=0.0,
        max_grad_norm=1.0,
        epsilon=recipe.clip_low,
        epsilon_high=recipe.clip_high,
        beta=0.0,
        loss_type="dapo",
        scale_rewards="group",
        shuffle_dataset=False,
        mask_truncated_completions=False,  # Unsloth would set it for this loss; what was cut earns nothing and is to be unlearned
        generation_kwargs={
            "stop_token_ids": sorted(ends)
        },  # a base model's own end need not be that of a turn
        use_vllm=True,
        vllm_mode="colocate",
        logging_steps=1,
        save_strategy="steps",
        save_steps=recipe.save_steps,
        save_total_limit=2,
        report_to=[],
        disable_tqdm=True,
        seed=seed,
        **half_precision(),
        remove_unused_columns=False,
    )
    trainer = GRPOTrainer(
        model=policy,
        args=config,
        reward_funcs=[tool_match(kept, ends, folder)],  # type: ignore[list-item]
        train_dataset=Dataset.from_list(rows),
        processing_class=tokenizer,
        callbacks=[progress(f"train: GRPO, {recipe.prompts} x {recipe.group}")],
    )
    trainer.train(resume_from_checkpoint=last_checkpoint(folder))
    history = [row for row in trainer.state.log_history if "reward" in row]
    facts = {
        "trainer": "grpo",
        "samples": min(len(texts), len(rows)),
        "tokens": int(trainer.state.num_input_tokens_seen),
        "groups": len(history) * recipe.prompts,
        "groups_without_variance": sum(
            round(row.get("frac_reward_zero_std", 0.0) * recipe.prompts) for row in history
        ),
        "reward_first": history[0]["reward"] if history else None,
        "reward_last": history[-1]["reward"] if history else None,
    }
    keep_result(trainer, folder, facts)


def tool_match(samples: Sequence[Sample], ends: Collection[int], folder: Path) -> Callable[..., list[float]]:
    """TRL's reward function: 1.0 where a completion matches the label of the sample at its `row`. Keeps the
    rollouts.

    A completion that does not end in one of `ends` was cut and earns nothing.
    """
    from looptool_kit.core.toolcalls import grade, parse
    from looptool_kit.stages.train.grpo import Rollout, Rollouts

    def reward(
        completions: Sequence[str],
        completion_ids: Sequence[Sequence[int]],
        row: Sequence[int],
        trainer_state: Any,
        **_: Any,
    ) -> list[float]:
        rows = []
        for at, text, ids in zip(row, completions, completion_ids, strict=True):
            sample = samples[at]
            how = "stop" if len(ids) and ids[-1] in ends else "length"
            graded = grade(parse(text, how), sample.label, sample.tools)
            kind = graded.error
            step = trainer_state.global_step + 1
            rows.append(
                Rollout(
                    step=step,
                    sample_id=sample.id,
                    text=text,
                    finish_reason=how,
                    reward=float(graded.correct),
                    error=kind,
                )
            )
        Rollouts(rows).write(folder / "rollouts" / f"step-{rows[0].step:04d}.parquet")
        return [r.reward for r in rows]

    return reward


if __name__ == "__main__":
    main(sys.argv[1])
