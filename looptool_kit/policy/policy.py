"""The policy in its states: weights, adapter, engine."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from threading import RLock
from typing import Any

from looptool_kit import cluster
from looptool_kit.config import EngineName, Settings
from looptool_kit.core.endpoint import Endpoint
from looptool_kit.core.errors import RunError
from looptool_kit.core.samples import Frozen
from looptool_kit.core.terminal import visible
from looptool_kit.policy.engines import Engine
from looptool_kit.policy.recorded_form import key_of, of_model, of_run
from looptool_kit.run.folder import Run
from looptool_kit.trust import require_endpoint

_open: dict[tuple[str, ...], Engine] = {}
"""The one engine that is open, by what it was opened for: loading takes long, and memory holds one."""

in_use = RLock()
"""Held while an engine is opened or closed, and by a thread of its own as long as it uses one."""

_failed: dict[str, str] = {}
"""Model -> why vLLM does not run it on this GPU: the sentence is said once, and no start waited for twice."""


class Policy(Frozen):
    """One state of the model being trained."""

    name: str
    """`base`, or `D1`, `D2`, ... after the dataset it was last trained on."""
    iteration: int
    """j of D_j; 0 for the base model."""
    model: str
    """`embedded`, `embedded-base`, a path or a hub name."""
    adapter: str | None = None
    """Folder of the LoRA adapter; None for the base model."""
    key: str = ""
    """Hash of all that made it; equal keys mean equal weights."""
    engine: EngineName = "transformers"
    """Who runs it: no part of what it is, so no part of its key."""
    server: Endpoint | None = None
    """Where, for the engine `served`."""
    folder: str | None = None
    """Of the run whose settings name the server."""

    def __repr__(self) -> str:
        return f"Policy({self.name!r}, {self.adapter or self.model!r})"


def base_policy(model: str, engine: EngineName = "transformers", server: Endpoint | None = None) -> Policy:
    """Return the model that training starts from."""
    key = key_of(model, of_model(model))
    return Policy(name="base", iteration=0, model=model, key=key, engine=engine, server=server)


def untrained(settings: Settings) -> Policy:
    """The model that a run with these settings starts from."""
    return base_policy(settings.model, settings.engine, settings.policy_server)


def policy_of(run: Run, iteration: int) -> Policy:
    """Return the policy of a finished iteration, for 0 the base.

    Raises:
        RunError: The iteration has no trained policy yet, or its adapter does not fit the model of
            the run.
    """
    model = run.settings.model
    own = key_of(model, of_run(run))
    if iteration == 0:
        return untrained(run.settings).model_copy(update={"folder": str(run.path), "key": own})
    manifest = run.manifest("policy", iteration)
    if manifest is None or not manifest.get("trainings") or "key" not in manifest:
        file = run.folder(iteration) / "policy.json"
        broken = f" ({file} is damaged)" if file.exists() else ""
        raise RunError(
            f"iteration {iteration} of {run.path} has no trained policy yet{broken}:"
            f" run `looptool train {run.path}`."
        )
    if (base := manifest.get("base", own)) != own:
        raise RunError(
            f"the policy of iteration {iteration} of {run.path} was trained from {base} (its policy.json),"
            f" and {model!r} now is {own}: its adapter does not fit."
            f" Train again (looptool train {run.path} --iteration {iteration}), or use the version of"
            " looptool_kit that trained it."
        )
    adapter = training_folder(run, iteration, manifest["trainings"][-1]) / "adapter"
    about = {"name": f"D{iteration}", "iteration": iteration, "adapter": str(adapter), "key": manifest["key"]}
    return untrained(run.settings).model_copy(update=about | {"folder": str(run.path)})


def training_folder(run: Run, iteration: int, facts: Mapping[str, Any]) -> Path:
    """The folder of one training of an iteration's policy.

    Raises `RunError` where its manifest names one outside of `policy/`, or a link in its adapter leads there:
    an export would carry off what it leads to.
    """
    place, name = run.folder(iteration) / "policy", str(facts.get("folder"))
    plain = name not in ("", "..") and Path(name).name == name
    if not plain or not (place / name / "adapter").resolve().is_relative_to(place.resolve()):
        raise RunError(
            f"{place}.json says that a training lies in {name!r}, which is not a folder inside {place}. This"
            " package writes no such name: find out who changed it. Without that file, `looptool train"
            f" {run.path} --iteration {iteration}` trains again."
        )
    for file in (place / name / "adapter").rglob("*"):
        if file.is_symlink() and not file.resolve().is_relative_to(place.resolve()):
            raise RunError(
                f"{file} is a link to {os.readlink(file)}, and an adapter is made of plain files. This"
                " package writes no links there: find out who did, and put the file in its place."
            )
    return place / name


def load_base(model: str, dtype: str = "float32") -> tuple[Any, Any]:
    """(model, tokenizer) of the base weights, for training."""
    from looptool_kit.policy.models import find_model, load

    return load(find_model(model), dtype=dtype)


def open_engine(policy: Policy, batch: int) -> Engine:
    """Open the engine of a policy; the last one stays open.

    So probe, verify and evaluate load it once. vLLM's serve all policies of one base model, by swapping
    adapters. On a cluster its workers open it. Raises ValueError where the policy's engine is not installed
    or not named, ConnectionError where its server does not answer.
    """
    with in_use:
        if cluster.running():
            from looptool_kit.policy.remote import RemoteEngine

            _trusted(policy)
            return RemoteEngine(
                policy.model, policy.adapter, batch, policy.engine, partial(_engine, policy, batch)
            )
        return _engine(policy, batch)


def _engine(policy: Policy, batch: int) -> Engine:
    """The engine in this process."""
    opening = {"vllm": _vllm, "served": _served, "transformers": _transformers}[policy.engine]
    engine = opening(policy, batch)
    engine.use(policy.adapter)
    return engine


def close_engines() -> None:
    """Free the open engine's memory.

    It sleeps where it can, else it is closed.
    """
    import gc

    with in_use:
        if not _open:
            return
        if not all(engine.sleep() for engine in _open.values()):
            _close()
        gc.collect()


def _transformers(policy: Policy, batch: int) -> Engine:
    from looptool_kit.policy.engines.transformers import TransformersEngine
    from looptool_kit.policy.models import find_model

    def load() -> Engine:
        adapter = Path(policy.adapter) if policy.adapter else None
        return TransformersEngine.load(find_model(policy.model).path, adapter=adapter, batch_size=batch)

    # The adapter is merged into the weights, so each is an engine of its own.
    return _opened(("transformers", policy.model, str(batch), policy.adapter or ""), load)


def _vllm(policy: Policy, batch: int) -> Engine:
    from looptool_kit.policy import gpu
    from looptool_kit.policy.engines.vllm import VllmEngine, rank_of, why_not
    from looptool_kit.policy.models import find_model

    share = gpu.free_share() if importlib.util.find_spec("torch") else None
    if reason := why_not() or _failed.get(policy.model, ""):
        if share is None:
            raise ValueError(reason)
        return _instead(policy, batch, reason)
    key = ("vllm", policy.model, str(batch))
    rank = rank_of(policy.adapter) if policy.adapter else 1
    engine = _open.get(key)
    # vLLM fixes the largest rank of its adapters when it starts.
    if isinstance(engine, VllmEngine) and (engine.rank < rank or not engine.can_wake()):
        _close()
        share = gpu.free_share() if share is not None else None

    def load() -> Engine:
        if share is not None:
            os.environ.update(gpu.vllm_variables())
            print(gpu.START, flush=True)
        path = find_model(policy.model).path
        # 32 is the rank of the single-gpu presets, so that their adapters need no second start.
        return VllmEngine(path, batch_size=batch, rank=max(32, rank), memory=share)

    try:
        return _opened(key, load)
    except Exception as error:
        if share is None:
            raise
        lines = str(error).strip().splitlines() or [type(error).__name__]
        return _instead(policy, batch, f"the engine vllm does not start here: {lines[0][:300]}")


def _instead(policy: Policy, batch: int, reason: str) -> Engine:
    """The engine `transformers` on a GPU where vLLM does not work: its answers are equal up to ties."""
    if policy.model not in _failed:
        _failed[policy.model] = reason
        print(f"The engine transformers takes over, which is slower: {visible(reason)}", flush=True)
    return _transformers(policy, batch)


def _served(policy: Policy, batch: int) -> Engine:
    from looptool_kit.policy.engines.served import ServedEngine
    from looptool_kit.policy.models import find_model

    server = policy.server
    if server is None:
        raise ValueError(
            'engine = "served" needs a vLLM server: give base_url and model under [policy_server] in run.toml'
            " (docs/engines.md)."
        )
    _trusted(policy)
    key = ("served", policy.model, str(batch), server.model_dump_json())
    return _opened(key, lambda: ServedEngine(server, find_model(policy.model).path, batch_size=batch))


def _trusted(policy: Policy) -> None:
    """Raise `RunError` where a policy would send data to a server that nobody has confirmed."""
    place = policy.folder or policy.adapter
    # The driver has asked before it sends a worker the policy.
    if place and policy.engine == "served" and policy.server and not cluster.Worker.inside:
        require_endpoint(Path(place), policy.server)


def _opened(key: tuple[str, ...], load: Callable[[], Engine]) -> Engine:
    """The engine under `key`, loaded after any other is closed."""
    if key not in _open:
        _close()
        _open[key] = load()
    return _open[key]


def _close() -> None:
    while _open:
        _open.popitem()[1].close()
