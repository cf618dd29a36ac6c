"""The card (README.md) of an exported policy: base model, data, recipe, figures, limits, versions."""

from __future__ import annotations

import platform
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from looptool_kit.core.samples import Samples
from looptool_kit.core.stats import aligned, paired, wilson
from looptool_kit.core.versions import version
from looptool_kit.policy.export import adapter_config
from looptool_kit.policy.models import hub_id
from looptool_kit.policy.policy import Policy
from looptool_kit.report.dataset_card import (
    Written,
    bullets,
    grid,
    licence_words,
    mix,
    name_of,
    with_header,
)  # fmt: skip
from looptool_kit.report.summary import doubt, signed_points, views
from looptool_kit.run.folder import Run
from looptool_kit.stages.evaluate.stage import best, scores

_PACKAGES = ("looptool-kit", "torch", "transformers", "peft", "trl", "unsloth")


def data_mix(run: Run, iteration: int) -> str:
    """Count a dataset's rows by part, in words.

    As `198 samples (22 error seeds (ES), ...)`.
    """
    samples = run.table(Samples, "samples", iteration)
    written = Written(samples, [s.id for s in samples], iteration, "looptool", 0)
    parts = ", ".join(f"{count} {words}" for words, count in mix(run, written).items())
    return f"{len(samples)} samples ({parts})"


def model_card(run: Run, policy: Policy, folder: Path, merged: bool, licence: str) -> str:
    """The card of a policy that was exported to a folder.

    Args:
        run: The run that trained it.
        policy: The policy.
        folder: Where it lies; its `adapter_config.json` is read.
        merged: Whether it is a whole checkpoint and not an adapter.
        licence: An identifier of the hub, `unknown` where nobody has named one.
    """
    base = hub_id(policy.model)
    header: dict[str, Any] = {"license": licence}
    if base:
        header |= {"base_model": base, "base_model_relation": "finetune" if merged else "adapter"}
    header |= {
        "library_name": "transformers" if merged else "peft",
        "pipeline_tag": "text-generation",
        "tags": ["tool-calling", "function-calling", "looptool"] + ([] if merged else ["lora"]),
    }
    kind = "weights" if merged else "LoRA adapter"
    origin = f"`{name_of(policy.model)}`" + ("" if base else ", a checkpoint that no hub was named for")
    sections = [
        f"# {policy.name}: {kind} for calling tools",
        f"Base model: {origin}. Trained by looptool-kit {version()} in the loop of LoopTool"
        " (arXiv 2511.09148).",
        "## Data\n\n" + _data(run, policy),
        "## Recipe\n\n" + _recipe(run, policy, folder),
        "## Figures\n\n" + _figures(run, policy),
        f"## Licence\n\n{licence_words(licence)} The base model's licence holds as well.",
        "## Limits\n\n" + bullets(_limits(run, policy)),
        "## Versions\n\nOf the machine that exported it: " + ", ".join(_versions()) + ".",
    ]
    return with_header(header, sections)


def _data(run: Run, policy: Policy) -> str:
    if not policy.iteration:
        return "None: this is the model that the run starts from."
    rows = [[f"D{j}", data_mix(run, j)] for j in range(1, policy.iteration + 1)]
    return grid(["dataset", "rows"], rows) + f"\n\nSeed samples: `{_place(run.settings.seeds.source)}`."


def _place(source: str) -> str:
    return source.rsplit("/", 1)[-1]


def _recipe(run: Run, policy: Policy, folder: Path) -> str:
    trainings = [
        [
            f"D{j}",
            *(f"{facts[k]:,}" if isinstance(facts.get(k), int) else str(facts.get(k, "–")) for k in KEYS),
        ]
        for j in range(1, policy.iteration + 1)
        for facts in (run.manifest("policy", j) or {}).get("trainings", [])
    ]
    if not trainings:
        return "Nothing was trained."
    settings = run.settings
    lines = [
        f"random seed: {settings.seed}",
        f"trainer: {settings.trainer}",
        f"adapter: {_adapter(run, folder)}",
    ]
    used = {facts[1] for facts in trainings}
    for name in ("sft", "grpo", "preference"):
        if name in used:
            section = getattr(settings, name)
            values = {k: v for k, v in section.model_dump().items() if k not in section.machine}
            lines.append(f"{name}: " + ", ".join(f"{k} {v}" for k, v in values.items()))
    return grid(["dataset", *KEYS], trainings) + "\n\n" + bullets(lines)


KEYS = ("trainer", "samples", "steps", "tokens")
"""What a training's facts hold, as far as its trainer counts it."""


def _adapter(run: Run, folder: Path) -> str:
    if not (folder / "adapter_config.json").exists():
        return f"LoRA, rank {run.settings.lora.rank}, alpha {run.settings.lora.alpha}"
    config = adapter_config(folder)
    modules = config.get("target_modules") or []
    where = ", ".join(sorted(modules)) if isinstance(modules, list) else str(modules)
    return f"LoRA, rank {config.get('r')}, alpha {config.get('lora_alpha')}, on {where}"


def _figures(run: Run, policy: Policy) -> str:
    """Held-out exact match before and after, with 95% intervals."""
    scores_of = scores(run)
    if policy.name not in scores_of:
        return (
            f"Not run: this run holds no held-out scores of {policy.name} (`looptool evaluate` makes them)."
        )
    own, start = scores_of[policy.name], next(iter(scores_of))
    rows = []
    for name, splits in views(s.split for s in own).items():
        _, before, after = aligned(
            *([s for s in scores_of[p] if s.split in splits] for p in (start, policy.name))
        )
        if not after:
            continue
        change = paired(before, after)
        difference = (
            f"{signed_points(change.difference)} [{signed_points(change.lo)}, {signed_points(change.hi)}]"
            f"{doubt(change)}"
        )
        row = [name, str(len(after)), _share(after)]
        rows.append(row if policy.name == start else [row[0], row[1], _share(before), row[2], difference])
    head = ["held-out samples", "n", f"{policy.name}, %"]
    if policy.name != start:
        head = ["held-out samples", "n", f"{start}, %", f"{policy.name}, %", "difference, points"]
    lines = [
        "Exact match of greedy answers (ToolMatch: the same calls, by JSON value). Shares with Wilson's 95%"
        " interval, paired differences with Bonett and Price's (`looptool report`).",
        grid(head, rows),
    ]
    if best(run) == policy.name:
        lines.append("By the development samples, which are others, it is the run's best policy.")
    return "\n\n".join(lines)


def _share(results: list[bool]) -> str:
    low, high = wilson(sum(results), len(results))
    return f"{100 * sum(results) / len(results):.0f} [{100 * low:.0f}, {100 * high:.0f}]"


def _limits(run: Run, policy: Policy) -> Iterable[str]:
    yield "The figures are about requests like those of its training, not other tools or people's own words."
    yield f"They are of one random seed ({run.settings.seed}); another may give other figures."
    yield "A right answer means the right calls. Nobody has checked that a call is safe: ask before it acts."
    if run.settings.seeds.noise and policy.iteration:
        share = f"{100 * run.settings.seeds.noise:.0f}%"
        yield f"{share} of the seed labels were planted wrong to measure verification (`seeds.noise`)."
    if policy.model == "embedded":
        yield "It was trained on rounded base weights (Q4_1); on the full ones it differs a little."


def _versions() -> Iterable[str]:
    yield f"Python {platform.python_version()}"
    for package in _PACKAGES:
        if number := version(package):
            yield f"{package} {number}"
