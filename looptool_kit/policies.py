"""The policy in its states: which weights, which adapter, and the engine that runs it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from looptool_kit.engines import Engine
from looptool_kit.run import Run, RunError
from looptool_kit.samples import Frozen

_open: dict[tuple[str, str | None, int], Engine] = {}


class Policy(Frozen):
    """One state of the model being trained."""

    name: str
    """`base`, or `D1`, `D2`, ... after the dataset it was last trained on."""
    iteration: int
    """j of D_j; 0 for the base model."""
    model: str
    """`embedded`, a path or a hub name."""
    adapter: str | None = None
    """Folder of the LoRA adapter; None for the base model."""
    key: str = ""
    """Hash of all that made it; equal keys mean equal weights."""


def base_policy(model: str) -> Policy:
    """The untrained model."""
    return Policy(name="base", iteration=0, model=model, key=model)


def policy_of(run: Run, iteration: int) -> Policy:
    """The policy of a finished iteration; the base model for 0."""
    if iteration == 0:
        return base_policy(run.settings.model)
    manifest = run.manifest("policy", iteration)
    if manifest is None:
        raise RunError(f"iteration {iteration} of {run.path} has no trained policy yet: run `looptool train {run.path}`.")
    adapter = run.folder(iteration) / "policy" / manifest["trainings"][-1]["folder"] / "adapter"
    return Policy(name=f"D{iteration}", iteration=iteration, model=run.settings.model, adapter=str(adapter), key=manifest["key"])


def load_base(model: str) -> tuple[Any, Any]:
    """(model, tokenizer) of the base weights, for training: float32, the project's chat template set."""
    from looptool_kit.models import find_model, load

    return load(find_model(model), dtype="float32")


def open_engine(policy: Policy, batch: int) -> Engine:
    """The engine of a policy; the last one is kept open, so that probe, verify and evaluate load it once."""
    from looptool_kit.engines.transformers import TransformersEngine
    from looptool_kit.models import find_model

    at = (policy.model, policy.adapter, batch)
    if at not in _open:
        _open.clear()
        adapter = Path(policy.adapter) if policy.adapter else None
        _open[at] = TransformersEngine.load(find_model(policy.model).path, adapter=adapter, batch_size=batch)
    return _open[at]


def close_engines() -> None:
    """Let go of the open engine's memory (before training)."""
    import gc

    _open.clear()
    gc.collect()
