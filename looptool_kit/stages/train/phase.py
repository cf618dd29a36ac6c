"""The third phase of a training, after SFT and GRPO: pairs are made, and the policy is trained on them."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from looptool_kit.core.errors import RunError
from looptool_kit.core.records import Pairs
from looptool_kit.core.samples import Samples
from looptool_kit.core.tables import read_json, write_json
from looptool_kit.policy.engines import Engine
from looptool_kit.policy.policy import close_engines, load_base, open_engine, untrained
from looptool_kit.policy.rollouts import of_grpo
from looptool_kit.run.folder import Run
from looptool_kit.run.keys import marked
from looptool_kit.stages.train import preference
from looptool_kit.stages.train.common import training_dtype
from looptool_kit.stages.train.pairs import LOSSES, ROLLOUTS, Asked, find_strategy


def check(run: Run) -> None:
    """Say before anything is trained that preference training cannot be done.

    Raises:
        RunError: The settings name nobody who makes pairs, or a trainer that has no preference training.
        ValueError: There is no such strategy.
    """
    settings, file = run.settings, run.path / "run.toml"
    if settings.pairs.strategy == "none":
        raise RunError(
            f"{file} asks for preference training and names nobody who makes its pairs: give pairs.strategy ="
            ' "tree", or set preference.epochs and epochs_first to 0.'
        )
    if settings.trainer != "trl":
        raise RunError(
            f"{file} asks for preference training by the trainer {settings.trainer}, and only trl has it:"
            " give preference.epochs = 0, or the trainer trl."
        )
    find_strategy(settings.pairs.strategy)


def train(
    run: Run, j: int, samples: Samples, adapter: Path | None, folder: Path, seed: int, epochs: int
) -> dict[str, Any]:
    """Make pairs of D_j's samples and train the adapter on them.

    Pairs stand in `pairs.parquet` before the training starts, and are not made again when it resumes.

    Args:
        run: Its settings say how.
        j: The iteration.
        samples: D_j.
        adapter: The policy after SFT and GRPO; None: the base model.
        folder: The iteration's `policy/`; `key` in it says what decides the training.
        seed: Of the training.
        epochs: Passes over the pairs.

    Returns:
        The facts of the training and of the pairs, `generated` (tokens of new rollouts) among them.
    """
    settings, place = run.settings, folder / "preference"
    table, facts_file = place / "pairs.parquet", place / "pairs.json"
    if not table.exists():
        made = _make(run, j, samples, adapter, folder, seed)
        write_json(facts_file, made.facts)
        made.pairs.write(table)
    for name in (LOSSES, ROLLOUTS):
        shutil.rmtree(run.folder(j) / f"{name}.parts", ignore_errors=True)
    result = preference.train(
        lambda: load_base(settings.model, training_dtype()),
        adapter,
        Pairs.read(table),
        samples,
        settings.preference.model_copy(update={"epochs": epochs}),
        settings.lora,
        place,
        seed,
    )
    again = f"Move {place} away, and pairs and training are made again."
    return result | read_json(facts_file, dict[str, Any], again)


def _make(run: Run, j: int, samples: Samples, adapter: Path | None, folder: Path, seed: int) -> Any:
    settings = run.settings
    about = {"adapter": str(adapter) if adapter else None, "folder": str(run.path)}
    policy = untrained(settings).model_copy(update=about)

    def engine() -> Engine:
        return open_engine(policy, settings.probe.batch)

    key = marked(folder) or ""
    rows = Samples(samples.by_id().values())
    grpo = of_grpo(run, j)
    try:
        return find_strategy(settings.pairs.strategy)(Asked(run, j, key, rows, grpo, engine, seed))
    finally:
        close_engines()
