"""An iteration's GRPO on verl, beside this package: what verl is given, and what is taken back.

`looptool train RUN --on verl` marks the iteration (`on.json`), and the stage then trains there. What verl
needs lies in one folder that can be copied to another machine, `policy/verl/there/`:

    train.parquet, val.parquet   GRPO's prompts in the order in which this package's trainer takes them
    config.yaml, train.sh        the settings, and the command; `PYTHON` is verl's, `MODEL` the base model
    reward.py, keep.py           the reward, and what writes `back/` in the end
    start/                       the adapter that the training starts from, where there is one
    back/                        the trained adapter with its provenance: this is taken back

verl 0.9.1 and this package ask for different versions of transformers, so verl has an environment of its own.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shlex
import shutil
import subprocess
import sys
from contextvars import ContextVar
from pathlib import Path
from typing import Any, NamedTuple

from looptool_kit import trust
from looptool_kit.config import Settings, deciding
from looptool_kit.core.errors import RunError
from looptool_kit.core.samples import Sample, Samples
from looptool_kit.core.tables import read_json, write_json, write_text
from looptool_kit.core.terminal import visible
from looptool_kit.policy.models import EMBEDDED, EMBEDDED_BASE, find_model, hub_id, load_tokenizer
from looptool_kit.policy.policy import Policy
from looptool_kit.run.folder import Run
from looptool_kit.stages.train._verl_back import WEIGHTS, hash_of, take_back
from looptool_kit.stages.train._verl_files import CONFIG, KEEP, REWARD, SCRIPT, fill
from looptool_kit.stages.train.common import finished

VERSION = "0.9.1"
"""The version of verl whose data, settings, reward manager and checkpoints this was tested with."""
MARK = "on.json"
FILES = frozenset(
    {
        "train.parquet",
        "val.parquet",
        "config.yaml",
        "train.sh",
        "reward.py",
        "keep.py",
        "request.json",
        "start",
    }
)
"""What is written for verl; what else lies there came from verl."""


class Launch(NamedTuple):
    """How a training on verl is started."""

    python: str | None = None
    """The Python of verl's environment; None: this one, where verl is installed in it."""
    gpus: int = 8
    """Of a machine."""
    machines: int = 1
    back: Path | None = None
    """A folder `back` that another machine has filled."""


LAUNCH: ContextVar[Launch | None] = ContextVar("LAUNCH", default=None)
"""Who trains now; None: nobody starts verl, and a training that has come back is taken."""


class Waiting(RunError):
    """The training is to be made elsewhere, or taken back."""


def marked(run: Run, j: int) -> dict[str, str]:
    """Return where an iteration trains, where that is not here."""
    file = run.folder(j) / MARK
    if not file.exists():
        return {}
    kept = read_json(file, dict[str, str], "Delete the file to train here.")
    if kept != {"trainer": "verl"}:
        raise RunError(f"{file} does not say verl. Delete the file to train here.")
    return kept


def mark(run: Run, j: int, on: str) -> None:
    """Say that iteration j trains on verl, or here again."""
    run.writable()
    if j not in run.iterations:
        raise RunError(f"{run.path} has no D{j} to train on: `looptool seed {run.path}` makes D1.")
    file = run.folder(j) / MARK
    if on == "verl":
        write_json(file, {"trainer": "verl"})
    else:
        file.unlink(missing_ok=True)


def check(settings: Settings, epochs: int, steps: int, passes: int) -> None:
    """Say what verl cannot do before anything is written. Raises `ValueError`."""
    if epochs or passes:
        name = "SFT" if epochs else "preference training"
        raise ValueError(
            f"verl is given GRPO alone, and the settings ask for {name} in this iteration. Set sft.epochs (in"
            " later iterations sft.epochs_later) and preference.epochs to 0, or train this iteration here"
            " first: the next one starts from its adapter."
        )
    if not steps:
        raise ValueError(
            "the settings have no GRPO steps in this iteration: set grpo.steps, for D1 grpo.steps_first"
        )
    if used := deciding(settings, ["fission", "episodes"]):
        raise ValueError(f"a training on verl has no {', '.join(used)}: leave them out of run.toml")
    if settings.reward.no_hit != 1.0:
        raise ValueError("reward.no_hit weighs advantages, which are verl's own there: set it to 1.0")


def train(
    run: Run, j: int, chosen: Samples | list[Sample], before: Policy, steps: int, folder: Path, seed: int
) -> list[dict[str, Any]]:
    """Train on verl, or say how; take the adapter back.

    Args:
        run: Its settings are the recipe.
        j: The iteration.
        chosen: The samples in GRPO's order.
        before: The policy that the training starts from.
        steps: Optimiser steps.
        folder: The iteration's `policy/`.
        seed: Of the training.

    Raises:
        Waiting: The training is to be made elsewhere; the message has the command.
        RunError: verl failed, or what came back is not this training's.
        ValueError: A sample cannot be trained on there.
    """
    place = folder / "verl"
    if facts := finished(place):
        return [facts | {"folder": "verl"}]
    launch, there = LAUNCH.get() or Launch(), place / "there"
    request = prepare(run, j, chosen, before, steps, there, seed, launch)
    back = launch.back or there / "back"
    if launch.back and not (back / "provenance.json").is_file():
        raise RunError(f"{back} holds no provenance.json: name the folder `back` that train.sh has filled.")
    if not (back / "provenance.json").is_file():
        _start(launch, there, run, j)
    return [take_back(back, request, place, str(find_model(run.settings.model).path)) | {"folder": "verl"}]


def prepare(
    run: Run,
    j: int,
    chosen: Samples | list[Sample],
    before: Policy,
    steps: int,
    there: Path,
    seed: int,
    launch: Launch,
) -> dict[str, Any]:
    """Write the folder for verl; returns what is asked for.

    What is there already is kept where it is the same request.
    """
    settings = run.settings
    rows = [chosen[i % len(chosen)] for i in range(steps * settings.grpo.prompts)] if len(chosen) else []
    if not rows:
        raise ValueError(f"D{j} has no sample to train on")
    start = _adapter_of(before)
    longest, table = _rows(settings, rows)
    there.mkdir(parents=True, exist_ok=True)
    for name, part in (("train.parquet", table), ("val.parquet", table[:1])):
        # Another version of pyarrow would write other bytes of the same rows.
        if not _same_rows(part, there / name):
            _write_rows(part, there / name)
    grpo = settings.grpo
    request: dict[str, Any] = {
        "verl": VERSION,
        "iteration": j,
        "steps": steps,
        "prompts": grpo.prompts,
        "group": grpo.group,
        "learning_rate": grpo.learning_rate,
        "temperature": grpo.temperature,
        "clip": [grpo.clip_low, grpo.clip_high],
        "max_new_tokens": grpo.max_new_tokens,
        "reward": settings.reward.name,
        "seed": seed % 2**31,
        "samples": len({s.id for s in rows}),
        "rank": start["r"] if start else settings.lora.rank,
        "alpha": start["lora_alpha"] if start else settings.lora.alpha,
        "start": hash_of(Path(str(before.adapter)) / WEIGHTS) if start else "",
        "policy": before.key,
        "data": hash_of(there / "train.parquet"),
    }
    write_text(there / "config.yaml", fill(CONFIG, _values(settings, request, longest, start)))
    if start and not (there / "start").exists():
        shutil.copytree(str(before.adapter), there / "start")
    write_text(there / "reward.py", REWARD)
    write_text(there / "keep.py", KEEP)
    write_json(there / "request.json", request)
    write_text(there / "train.sh", fill(SCRIPT, _command(settings, launch, bool(start))))
    return request


# ------------------------------------------------------------------ what verl is given


def _rows(settings: Settings, rows: list[Sample]) -> tuple[int, list[dict[str, Any]]]:
    """The longest prompt in tokens, and the rows in the form of the model."""
    from looptool_kit.formats.verl import in_own_form
    from looptool_kit.policy.engines.prompts import encode_prompts

    tokenizer = load_tokenizer(settings.model)
    distinct = Samples(Samples(rows).by_id().values())
    table = dict(zip(distinct.by_id(), in_own_form(distinct, tokenizer), strict=True))
    ids = encode_prompts(tokenizer, list(distinct))
    for sample, ours in zip(distinct, ids, strict=True):
        text = table[sample.id]["prompt"][0]["content"]
        if tokenizer(text, add_special_tokens=False)["input_ids"] != ours:
            raise ValueError(
                f"sample {sample.id}: its text spells one of the model's special tokens, and verl would read"
                " it as one. Leave the sample out, or train this iteration here."
            )
    return max(map(len, ids)), [table[s.id] for s in rows]


def _same_rows(rows: list[dict[str, Any]], path: Path) -> bool:
    """Tell whether these rows are written already."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return bool(pq.read_table(path).to_pylist() == rows)
    except (OSError, pa.ArrowInvalid):
        return False


def _write_rows(rows: list[dict[str, Any]], path: Path) -> None:
    from looptool_kit.formats._files import write_rows

    path.unlink(missing_ok=True)
    write_rows(lambda: rows, path, True, "train")


def _values(
    settings: Settings, request: dict[str, Any], longest: int, start: dict[str, Any] | None
) -> dict[str, Any]:
    """What `CONFIG` is filled with."""
    grpo = settings.grpo
    return {
        "version": VERSION,
        "prompt": longest,
        "response": grpo.max_new_tokens,
        "batch": grpo.prompts,
        "steps": request["steps"],
        "group": grpo.group,
        "temperature": grpo.temperature,
        "rate": grpo.learning_rate,
        "low": grpo.clip_low,
        "high": grpo.clip_high,
        "rank": request["rank"],
        "alpha": request["alpha"],
        "modules": json.dumps(_modules(settings, start)),
        "tokens": max(16_384, longest + grpo.max_new_tokens),
        "checkpointing": json.dumps(grpo.gradient_checkpointing),
        "save": grpo.save_steps,
        "reward": json.dumps(settings.reward.name),
        "seed": request["seed"],
    }


def _modules(settings: Settings, start: dict[str, Any] | None) -> str | list[str]:
    """The linear layers with an adapter: all, those of the upper layers, or those that the first one has."""
    if start:
        named = start["target_modules"]
        return named if isinstance(named, str) else sorted(named)
    if settings.lora.upper == 1:
        return "all-linear"
    from looptool_kit.stages.train.shapes import shape_of

    count = shape_of(settings.model).layers
    upper = range(count - max(1, round(count * settings.lora.upper)), count)
    return rf".*\.layers\.({'|'.join(map(str, upper))})\.(self_attn|mlp)\..*_proj"


def _command(settings: Settings, launch: Launch, start: bool) -> dict[str, Any]:
    """What `SCRIPT` is filled with."""
    model = settings.model
    own = model in (EMBEDDED, EMBEDDED_BASE) or hub_id(model) is None
    path = str(find_model(model).path.resolve()) if own else model
    adapter = "  actor_rollout_ref.model.lora_adapter_path=\"'$here/start'\" \\\n" if start else ""
    return {
        "version": VERSION,
        "model": shlex.quote(path),
        "start": adapter,
        "gpus": launch.gpus,
        "machines": launch.machines,
    }


def _adapter_of(before: Policy) -> dict[str, Any] | None:
    """PEFT's settings of the adapter that is trained on; None for the base model."""
    from looptool_kit.policy.export import adapter_config

    if before.adapter is None:
        return None
    config = adapter_config(Path(before.adapter))
    if not isinstance(config.get("r"), int) or not isinstance(config.get("lora_alpha"), int):
        raise RunError(f"{before.adapter} is not a LoRA adapter with r and lora_alpha. Train it again.")
    return config


def _start(launch: Launch, there: Path, run: Run, j: int) -> None:
    """Run `train.sh`, or say how to. Raises `Waiting` or `RunError`."""
    python = launch.python or (sys.executable if importlib.util.find_spec("verl") else None)
    again = f"looptool train {run.path} --iteration {j} --on verl"
    if LAUNCH.get() is None or python is None:
        raise Waiting(
            f"D{j} of {run.path} is to be trained on verl {VERSION}. Copy {there} to a machine with its"
            " environment, run there\n\n"
            f"    PYTHON=/path/to/verl/bin/python MODEL={shlex.quote(run.settings.model)} sh"
            f" {there.name}/train.sh\n\nand bring its folder `back` here:\n\n    {again} --back FOLDER\n\n"
            f"On this machine: {again} --python /path/to/verl/bin/python"
        )
    _own(there, run)
    environment = {**os.environ, "PYTHON": python, "PYTHONSAFEPATH": "1"}
    code = subprocess.call(["sh", str(there / "train.sh")], env=environment, cwd=there)
    if code or not (there / "back" / "provenance.json").is_file():
        raise RunError(
            f"verl ended with code {code}; its messages stand above. Fix what they say and repeat the"
            f" command: it resumes from the last checkpoint in {there / 'checkpoints'}."
        )


def _own(there: Path, run: Run) -> None:
    """Refuse a folder that this user has not filled: verl reads its checkpoints as code (pickle).

    Raises:
        RunError: The run came from elsewhere with more in it than is written here.
    """
    act = trust.Act("on.json", f"starts verl in {there}", hashlib.sha256(b"verl").hexdigest(), ())
    others = sorted(p.name for p in there.iterdir() if p.name not in FILES)
    if others and not trust.confirmed(run.path, act):
        raise RunError(
            f"{there} holds {visible(others[0])}, which was not made on this machine, and verl would run what"
            f" stands in it. Delete {there} and repeat the command: the training then begins from its start."
        )
    trust.confirm(run.path, [act])
