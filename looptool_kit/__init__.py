"""LoopTool Workbench: close the loop between data and training until a small language model calls your tools reliably.

    import looptool_kit as lt
    run = lt.Run.create("runs/tour", preset="cpu")
    lt.Loop(run).run()

The public names below are imported on first use, in the order of the loop, so that `import looptool_kit` stays light.
"""

from __future__ import annotations

import importlib
import os
import sys
import types
from typing import TYPE_CHECKING, Any

# Torch's CPU threads spin while they wait for each other; beside any other busy process that makes two threads slower than one.
# Has to be set before torch loads.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
# Torch asks for huge pages (Linux): a training step frees and takes gigabytes, and page by page that is up to half of it.
# Has to be set before torch makes its first tensor.
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
# Arrow's own allocator takes 1 GB of address space with the first table that it reads, which a limit on memory counts.
os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")

_HOME = {
    "Run": "run",
    "RunError": "run",
    "Loop": "loop",
    "seed": "seed",
    "train": "train",
    "probe": "probe",
    "verify": "verify",
    "expand": "expand",
    "compose": "compose",
    "composition": "compose",
    "evaluate": "evaluate",
    "Policy": "policies",
    "base_policy": "policies",
    "policy_of": "policies",
    "Tool": "samples",
    "ToolCall": "samples",
    "Message": "samples",
    "Label": "samples",
    "Sample": "samples",
    "Samples": "samples",
    "Answer": "toolcalls",
    "parse": "toolcalls",
    "render_answer": "toolcalls",
    "render_prompt": "toolcalls",
    "match": "toolcalls",
    "diagnose": "toolcalls",
    "grade": "toolcalls",
    "load_tools": "catalog",
    "init": "own_tools",
    "flips": "stats",
    "paired": "stats",
    "scoreboard": "stats",
}
__all__ = sorted(_HOME)  # noqa: PLE0605

if TYPE_CHECKING:
    from looptool_kit.catalog import load_tools
    from looptool_kit.compose import compose, composition
    from looptool_kit.evaluate import evaluate
    from looptool_kit.expand import expand
    from looptool_kit.loop import Loop
    from looptool_kit.own_tools import init
    from looptool_kit.policies import Policy, base_policy, policy_of
    from looptool_kit.probe import probe
    from looptool_kit.run import Run, RunError
    from looptool_kit.samples import Label, Message, Sample, Samples, Tool, ToolCall
    from looptool_kit.seed import seed
    from looptool_kit.stats import flips, paired, scoreboard
    from looptool_kit.toolcalls import Answer, diagnose, grade, match, parse, render_answer, render_prompt
    from looptool_kit.train import train
    from looptool_kit.verify import verify


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'looptool_kit' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"looptool_kit.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*globals(), *_HOME]


class _Package(types.ModuleType):
    """Importing `looptool_kit.seed` would put the module where the stage `looptool_kit.seed(run)` belongs; this keeps the function there."""

    def __setattr__(self, name: str, value: Any) -> None:
        if isinstance(value, types.ModuleType) and _HOME.get(name) == name:
            value = getattr(value, name)
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
