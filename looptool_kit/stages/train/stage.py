"""Stage train: from policy pi_{j-1} and dataset D_j to pi_j, by SFT, GRPO and preference training."""

from __future__ import annotations

import importlib.util
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from looptool_kit.config import Settings, deciding
from looptool_kit.core.errors import RunError
from looptool_kit.core.samples import Sample, Samples
from looptool_kit.core.tables import write_text
from looptool_kit.policy.engines import Engine
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
from looptool_kit.run.inputs import dataset, iteration_of
from looptool_kit.run.keys import marked
from looptool_kit.run.stage import Stage
from looptool_kit.stages._find import own_domains
from looptool_kit.stages.train import frontier, verl
from looptool_kit.stages.train.budget import fitted
from looptool_kit.stages.train.common import training_dtype
from looptool_kit.stages.train.recipe import REPORT_TO
from looptool_kit.stages.train.rewards import find_reward
from looptool_kit.world.spec import Spec


def recipe(settings: Settings, iteration: int) -> list[str]:
    """Return the settings that decide an iteration's policy.

    Its epochs and steps, and what these use.
    """
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
            names += ["targets.key_weight", "targets.order"]
            names += ["seeds.source", "seeds.domains", "contamination"] if sft.rehearsal else []
    if getattr(grpo, steps):
        rest = ("prompts", "group", "temperature", "learning_rate", "clip_low", "clip_high", "max_new_tokens")
        names += [*(f"grpo.{name}" for name in rest), "reward"]
        names += [] if first else ["frontier.prompts"]  # D1 has nothing before it that was measured
        names += ["fission", "episodes"] if settings.trainer == "trl" else []
        names += ["procedural"] if settings.episodes.prompts else []
    passes = "epochs_first" if first else "epochs"
    if getattr(settings.preference, passes):
        others = type(settings.preference).model_fields.keys() - {"epochs", "epochs_first"}
        names += [f"preference.{name}" for name in (passes, *(others - settings.preference.machine))]
        names += ["pairs", "grpo.max_new_tokens"]
    names += [] if first else ["budget"]
    return names + (["trainer", "unsloth"] if settings.trainer == "unsloth" else [])


def stage(run: Run, samples: Samples, j: int) -> Stage:
    """The stage as it stands and what decides its result."""
    done = (run.manifest("policy", j) or {}).get("trainings") or []
    files = [f"policy/{training_folder(run, j, done[-1]).name}/adapter"] if done else []
    return Stage(
        run,
        "policy",
        j,
        files,
        recipe(run.settings, j),
        samples=samples,
        policy=policy_of(run, j - 1).key,
        frontier=frontier.before(run, j),
        elsewhere=verl.marked(run, j),
    )


def train(run: Run, samples: Samples | None = None, iteration: int | None = None) -> Policy:
    """Train the policy of iteration j - 1 on D_j.

    LoopTool, section 3.2. A stopped training resumes from its last checkpoint. Raises `ValueError` where
    the samples are only a part of D_j, hold rows of it twice, are another dataset than `iteration` says,
    or none and no iteration is named.
    """
    j = iteration_of(run, samples, iteration=iteration)
    samples = dataset(run, samples, j)
    now, settings = stage(run, samples, j), run.settings
    if not now.done:
        with now.making():
            close_engines()
            folder = run.folder(j) / "policy"
            _restart_if_other_inputs(now, folder)
            facts = _train(run, samples, policy_of(run, j - 1), folder, settings.seed * 1000 + j, j == 1)
            now.record(base=policy_of(run, 0).key, trainings=facts)
    return policy_of(run, j)


def _train(
    run: Run, samples: Samples, before: Policy, folder: Path, seed: int, first: bool
) -> list[dict[str, Any]]:
    settings = run.settings
    adapter = Path(before.adapter) if before.adapter else None
    facts: list[dict[str, Any]] = []
    epochs = settings.sft.epochs if first else settings.sft.epochs_later
    steps = settings.grpo.steps_first if first else settings.grpo.steps
    rate = settings.sft.learning_rate if first else settings.sft.learning_rate_later
    _can_do(settings, steps)
    REPORT_TO.set(settings.report_to)
    if passes := settings.preference.epochs_first if first else settings.preference.epochs:
        from looptool_kit.stages.train import phase

        phase.check(run)
    measured = frontier.before(run, before.iteration + 1)
    chosen, places = frontier.chosen(grpo_order(samples, seed), measured)
    if verl.marked(run, j := before.iteration + 1):
        verl.check(settings, epochs, steps, passes)
        facts = verl.train(run, j, chosen, before, steps, folder, seed)
        return [f | ({"places": places} if measured else {}) for f in facts]
    prompts = [chosen[i % len(chosen)] for i in range(steps * settings.grpo.prompts)] if chosen else []
    rows = _sft_rows(run, samples, before.iteration + 1, seed, epochs, prompts) if epochs else Samples()
    epochs = epochs if rows else 0
    if settings.trainer == "unsloth" and (epochs or steps):
        from looptool_kit.stages.train import unsloth

        now = settings.model_copy(update={"sft": settings.sft.model_copy(update={"learning_rate": rate})})
        return unsloth.train(now, adapter, rows or samples, chosen, epochs, steps, folder, seed)
    _say_what_it_takes(settings, samples, epochs, steps)

    def load() -> tuple[Any, Any]:
        return load_base(settings.model, training_dtype())

    if epochs:
        from looptool_kit.stages.train import sft

        recipe = settings.sft.model_copy(update={"epochs": epochs, "learning_rate": rate})
        result = sft.train(load, adapter, rows, recipe, settings.lora, folder / "sft", seed, settings.targets)
        facts.append(result | {"folder": "sft"})
        adapter = folder / "sft" / "adapter"
    if steps:
        from looptool_kit.stages.train import grpo

        result = grpo.train(
            load,
            _writer(settings, folder),
            adapter,
            chosen,
            settings.grpo.model_copy(update={"steps": steps}),
            settings.lora,
            folder / "grpo",
            seed,
            settings.reward,
            settings.fission,
            settings.episodes,
            _running_tools(settings, chosen) if settings.episodes.prompts else None,
        )
        facts.append(result | {"folder": "grpo"} | ({"places": places} if measured else {}))
        adapter = folder / "grpo" / "adapter"
    if passes:
        result = phase.train(run, before.iteration + 1, samples, adapter, folder, seed, passes)
        facts.append(result | {"folder": "preference"})
    return facts or _nothing(run, before.iteration + 1)


def _running_tools(settings: Settings, samples: Samples) -> dict[str, Spec]:
    from looptool_kit.stages.train.episodes import known_tools
    from looptool_kit.world.procedural import Procedural

    return known_tools(samples, Procedural(**settings.procedural.model_dump(), seed=settings.seed))


def _nothing(run: Run, j: int) -> NoReturn:
    raise RunError(
        f"{run.path / 'run.toml'} leaves SFT, GRPO and preference training out of iteration {j}: give"
        " sft.epochs, grpo.steps or preference.epochs."
    )


def _writer(settings: Settings, folder: Path) -> Callable[[Any, Any], Engine | None]:
    """Who writes GRPO's completions."""
    if settings.engine != "transformers":
        return _swapping(settings, folder / "rollout-adapter")
    from looptool_kit.stages.train import grpo

    return grpo.merged_engine()


def _say_what_it_takes(settings: Settings, samples: Samples, epochs: int, steps: int) -> None:
    """Print the estimate where there is a GPU; on a CPU `looptool plan` forecasts by what was measured."""
    import torch

    if torch.cuda.is_available() and (epochs or steps):
        from looptool_kit.stages.train.estimate import estimate

        memory = torch.cuda.get_device_properties(0).total_memory / 1e9
        print(estimate(settings, samples, epochs, steps, memory).words(), flush=True)


def _sft_rows(run: Run, samples: Samples, j: int, seed: int, epochs: int, prompts: list[Sample]) -> Samples:
    """What SFT passes over: D_j with its rehearsal, cut or repeated where there is a budget.

    `prompts` are those that GRPO will take of the budget.
    """
    settings = run.settings

    def rehearse(count: int) -> Samples:
        return rehearsal(settings, count, seed) if settings.trainer == "trl" else Samples()

    if j == 1 or not settings.budget.tokens:
        return Samples([*samples, *rehearse(len(samples))])
    return fitted(run, samples, j, epochs, prompts, rehearse)


def _can_do(settings: Settings, steps: int) -> None:
    """Say what the trainer cannot do before anything is trained. Raises `ValueError`."""
    if steps:
        find_reward(settings.reward.name)
    if steps and settings.fission.group and settings.grpo.prompts < 2:
        raise ValueError(
            "recoveries take at most half of a step's prompts: set grpo.prompts to 2 or more, or"
            " fission.group to 0"
        )
    if steps and settings.fission.group and settings.episodes.prompts:
        raise ValueError(
            "recoveries are from answers of one turn, and episodes have many: set fission.group = 0 or"
            " episodes.prompts = false"
        )
    if (to := settings.report_to) != "none" and importlib.util.find_spec(to) is None:
        raise ValueError(
            f'report_to = "{to}" needs the package {to}, which is not installed: `pip install {to}`, or give'
            ' report_to = "none"'
        )
    if settings.trainer == "unsloth" and (
        used := deciding(settings, ["targets.key_weight", "targets.order", "fission", "episodes"])
    ):
        raise ValueError(
            f'the trainer unsloth has no {", ".join(used)}: set trainer = "trl", or leave them out'
        )


REHEARSAL_CHUNK = 100
"""Samples that are drawn at a time for rehearsal: a longer stream begins with a shorter one."""


def rehearsal(settings: Settings, count: int, seed: int) -> Samples:
    """Draw samples of other tools for SFT on `count` rows.

    Tools that are not the run's own. The setting `sft.rehearsal` is their share. Datasets of different
    sizes rehearse the same ones, as far as they go. Raises `RunError` where no domain is left.
    """
    from looptool_kit import world
    from looptool_kit.checks import contamination

    wanted = round(count * settings.sft.rehearsal)
    if not wanted:
        return Samples()
    domains = own_domains(settings)
    own = () if domains is None else domains or tuple(world.domains())
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
        shutil.rmtree(folder, ignore_errors=True)  # a planted link in it would be written through
        policy.save_pretrained(folder)
        return open_engine(
            untrained(settings).model_copy(update={"adapter": str(folder)}), settings.probe.batch
        )

    return engine_for


def _restart_if_other_inputs(now: Stage, folder: Path) -> None:
    if now.manifest_path.exists() or (folder.exists() and marked(folder) != now.key):
        # Or what is half trained would stand for the policy that it describes.
        now.run.supersede(folder, now.manifest_path)
    write_text(folder / "key", now.key)
    for place in folder.glob("*/*"):
        if place.is_symlink():
            raise RunError(
                f"{place} is a link, and a training would write through it. Move it away; if the run folder"
                " is not your own, look through it first."
            )
