"""Stage train: from policy pi_{j-1} and dataset D_j to pi_j, by SFT and GRPO."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from looptool_kit.config import Settings
from looptool_kit.core.errors import RunError
from looptool_kit.core.samples import Sample, Samples
from looptool_kit.core.tables import write_text
from looptool_kit.policy.engines import Engine
from looptool_kit.policy.models import weights_id
from looptool_kit.policy.policy import (
    Policy,
    close_engines,
    load_base,
    open_engine,
    policy_of,
    training_folder,
    untrained,
)
from looptool_kit.run.folder import Run
from looptool_kit.run.inputs import iteration_of, whole
from looptool_kit.run.stage import Stage
from looptool_kit.stages.train.common import training_dtype


def recipe(settings: Settings, iteration: int) -> list[str]:
    """The settings that decide the policy of an iteration: its epochs and steps, and what these use."""
    first, sft, grpo = iteration == 1, settings.sft, settings.grpo
    epochs, steps, rate = (
        ("epochs", "steps_first", "learning_rate")
        if first
        else ("epochs_later", "steps", "learning_rate_later")
    )
    names = ["seed", "lora", f"sft.{epochs}", f"grpo.{steps}"]
    if getattr(sft, epochs):
        names += [f"sft.{rate}", "sft.batch", "sft.warmup_steps"]
        if settings.trainer == "trl":
            names += ["sft.micro_batch", "sft.rehearsal"]  # who shares a pass decides on the order
            names += ["seeds.source", "seeds.domains", "contamination"] if sft.rehearsal else []
    if getattr(grpo, steps):
        rest = ("prompts", "group", "temperature", "learning_rate", "clip_low", "clip_high", "max_new_tokens")
        names += [f"grpo.{name}" for name in rest]
    return names + (["trainer", "unsloth"] if settings.trainer == "unsloth" else [])


def stage(run: Run, samples: Samples, j: int) -> Stage:
    """The stage as it stands and what decides its result."""
    done = (run.manifest("policy", j) or {}).get("trainings") or []
    files = [f"policy/{training_folder(run, j, done[-1]).name}/adapter"] if done else []
    return Stage(
        run, "policy", j, files, recipe(run.settings, j), samples=samples, policy=policy_of(run, j - 1).key
    )


def train(run: Run, samples: Samples | None = None, iteration: int | None = None) -> Policy:
    """Train the policy of iteration j - 1 on D_j (LoopTool, section 3.2).

    A stopped training resumes from its last checkpoint. Raises `ValueError` where the samples are only a part
    of D_j, or no dataset of the run and no iteration is named.
    """
    j = iteration_of(run, samples, iteration=iteration)
    if samples is None:
        samples = run.table(Samples, "samples", j)
    elif iteration and iteration in run.iterations:
        whole({s.id for s in samples}, {s.id for s in run.table(Samples, "samples", j)}, f"D{j}", run)
    now, settings = stage(run, samples, j), run.settings
    if not now.done:
        with now.making():
            close_engines()
            folder = run.folder(j) / "policy"
            _restart_if_other_inputs(now, folder)
            facts = _train(run, samples, policy_of(run, j - 1), folder, settings.seed * 1000 + j, j == 1)
            run.finish(
                "policy",
                j,
                now.key,
                now.started,
                made_from=now.made_from,
                base=weights_id(settings.model),
                trainings=facts,
            )
    return policy_of(run, j)


def _train(
    run: Run, samples: Samples, before: Policy, folder: Path, seed: int, first: bool
) -> list[dict[str, Any]]:
    settings = run.settings
    adapter = Path(before.adapter) if before.adapter else None
    facts: list[dict[str, Any]] = []
    epochs = settings.sft.epochs if first else settings.sft.epochs_later
    steps = settings.grpo.steps_first if first else settings.grpo.steps
    if settings.trainer == "unsloth" and (epochs or steps):
        from looptool_kit.stages.train import unsloth

        rate = settings.sft.learning_rate if first else settings.sft.learning_rate_later
        recipe_of_now = settings.model_copy(
            update={"sft": settings.sft.model_copy(update={"learning_rate": rate})}
        )
        return unsloth.train(
            recipe_of_now, adapter, samples, grpo_order(samples, seed), epochs, steps, folder, seed
        )
    _say_what_it_takes(settings, samples, epochs, steps)

    def load() -> tuple[Any, Any]:
        return load_base(settings.model, training_dtype())

    if epochs:
        from looptool_kit.stages.train import sft

        rate = settings.sft.learning_rate if first else settings.sft.learning_rate_later
        recipe = settings.sft.model_copy(update={"epochs": epochs, "learning_rate": rate})
        rows = Samples([*samples, *rehearsal(settings, len(samples), seed)])
        result = sft.train(load, adapter, rows, recipe, settings.lora, folder / "sft", seed)
        facts.append(result | {"folder": "sft"})
        adapter = folder / "sft" / "adapter"
    if steps:
        from looptool_kit.stages.train import grpo

        recipe_rl = settings.grpo.model_copy(update={"steps": steps})
        chosen = grpo_order(samples, seed)
        writer = (
            grpo.merged_engine()
            if settings.engine == "transformers"
            else _swapping(settings, folder / "rollout-adapter")
        )
        result = grpo.train(
            load,
            writer,
            adapter,
            chosen,
            recipe_rl,
            settings.lora,
            folder / "grpo",
            seed,
        )
        facts.append(result | {"folder": "grpo"})
    if not facts:
        raise RunError(
            f"{run.path / 'run.toml'} leaves both SFT and GRPO out of iteration {before.iteration + 1}: give"
            " sft.epochs or grpo.steps."
        )
    return facts


def _say_what_it_takes(settings: Settings, samples: Samples, epochs: int, steps: int) -> None:
    """Print the estimate where there is a GPU; on a CPU `looptool plan` forecasts by what was measured."""
    import torch

    if torch.cuda.is_available() and (epochs or steps):
        from looptool_kit.stages.train.estimate import estimate

        memory = torch.cuda.get_device_properties(0).total_memory / 1e9
        print(estimate(settings, samples, epochs, steps, memory).words(), flush=True)


REHEARSAL_CHUNK = 100
"""Samples that are drawn at a time for rehearsal: a longer stream begins with a shorter one."""


def rehearsal(settings: Settings, count: int, seed: int) -> Samples:
    """Samples of other tools than the run's own, for SFT on `count` rows.

    The setting `sft.rehearsal` is their share. Datasets of different sizes rehearse the same ones, as far as
    they go. Raises `RunError` where no domain is left.
    """
    from looptool_kit import world
    from looptool_kit.checks import contamination

    wanted = round(count * settings.sft.rehearsal)
    if not wanted:
        return Samples()
    own = (settings.seeds.domains or tuple(world.domains())) if settings.seeds.source == "world" else ()
    held = {t.name for t in world.catalogue("unseen_tools")}
    others = [name for name, tools in world.domains().items() if name not in own and not set(tools) <= held]
    if not others:
        raise RunError(
            "sft.rehearsal takes samples of the world's other domains, and the seed data come from all: set"
            " it to 0 or name domains."
        )
    rows: list[Sample] = []
    known = contamination.read_if_set(settings.contamination)
    for number in range(-(-wanted // REHEARSAL_CHUNK)):
        # Few samples a tool list: there are a hundred tools to remember.
        drawn = world.generate(REHEARSAL_CHUNK, seed=f"rehearsal/{seed}/{number}", domains=others, per_list=2)
        rows += [s for s in drawn if not known or contamination.check_sample(s, known).passed]
    return Samples(rows[:wanted])


def grpo_order(samples: Samples, seed: int) -> Samples:
    """The dataset shuffled, in the order in which GRPO takes its prompts."""
    rows = list(samples)
    random.Random(seed).shuffle(rows)
    return Samples(rows)


def _swapping(settings: Settings, folder: Path) -> Callable[[Any, Any], Engine]:
    """Rollouts by the engine of the settings.

    It takes the policy's adapter from `folder` before each step.
    """

    def engine_for(policy: Any, _: Any) -> Engine:
        policy.save_pretrained(folder)
        return open_engine(
            untrained(settings).model_copy(update={"adapter": str(folder)}), settings.probe.batch
        )

    return engine_for


def _restart_if_other_inputs(now: Stage, folder: Path) -> None:
    mark = folder / "key"
    if now.manifest_path.exists() or (folder.exists() and (not mark.exists() or mark.read_text() != now.key)):
        # Or what is half trained would stand for the policy that it describes.
        now.run.supersede(folder, now.manifest_path)
    write_text(mark, now.key)
