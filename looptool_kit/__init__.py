"""LoopTool Workbench: the loop between data and training, for tool-calling models.

    import looptool_kit as lt
    run = lt.Run.create("runs/demo", preset="cpu")
    lt.Loop(run).run()

The public names below are imported on first use, in the order of the loop, so that `import looptool_kit`
stays light.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

# Torch's CPU threads spin while they wait for each other; beside any other busy process that makes two
# threads slower than one. Has to be set before torch loads.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
# Torch asks for huge pages (Linux): a training step frees and takes gigabytes, and page by page that is up to
# half of it. Has to be set before torch makes its first tensor.
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
# Arrow's own allocator takes 1 GB of address space with the first table that it reads, which a limit on
# memory counts.
os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")

_HOME = {
    "Run": "run.folder",
    "RunError": "core.errors",
    "Loop": "loop",
    "seed": "stages.seed.stage",
    "train": "stages.train.stage",
    "probe": "stages.probe",
    "frontier": "stages.train.frontier",
    "verify": "stages.verify.stage",
    "expand": "stages.expand.stage",
    "compose": "stages.compose",
    "composition": "stages.compose",
    "evaluate": "stages.evaluate.stage",
    "scores": "stages.evaluate.stage",
    "failures": "stages.evaluate.stage",
    "Policy": "policy.policy",
    "base_policy": "policy.policy",
    "policy_of": "policy.policy",
    "open_engine": "policy.policy",
    "Sampling": "policy.engines",
    "save_merged": "policy.export",
    "Tool": "core.samples",
    "ToolCall": "core.samples",
    "Message": "core.samples",
    "Label": "core.samples",
    "Sample": "core.samples",
    "Samples": "core.samples",
    "Probes": "core.records",
    "Frontier": "core.records",
    "Verdicts": "core.records",
    "Expansions": "core.records",
    "Members": "core.records",
    "Scores": "core.records",
    "Answer": "core.toolcalls",
    "parse": "core.toolcalls",
    "render_answer": "core.toolcalls",
    "render_prompt": "core.toolcalls",
    "match": "core.toolcalls",
    "diagnose": "core.grading",
    "grade": "core.grading",
    "load_tools": "tools.catalog",
    "init": "tools.own_tools",
    "check_sample": "checks.rules",
    "call_errors": "checks.rules",
    "Deduplicator": "checks.dedup",
    "flips": "core.stats",
    "paired": "core.stats",
    "scoreboard": "core.stats",
    "print_scoreboard": "report.summary",
    "report_run": "report.summary",
    "judge_against_truth": "report.planted",
    "load_preset": "config",
}
__all__ = sorted(_HOME)  # noqa: PLE0605

if TYPE_CHECKING:
    from looptool_kit.checks.dedup import Deduplicator
    from looptool_kit.checks.rules import call_errors, check_sample
    from looptool_kit.config import load_preset
    from looptool_kit.core.errors import RunError
    from looptool_kit.core.grading import diagnose, grade
    from looptool_kit.core.records import Expansions, Frontier, Members, Probes, Scores, Verdicts
    from looptool_kit.core.samples import Label, Message, Sample, Samples, Tool, ToolCall
    from looptool_kit.core.stats import flips, paired, scoreboard
    from looptool_kit.core.toolcalls import Answer, match, parse, render_answer, render_prompt
    from looptool_kit.loop import Loop
    from looptool_kit.policy.engines import Sampling
    from looptool_kit.policy.export import save_merged
    from looptool_kit.policy.policy import Policy, base_policy, open_engine, policy_of
    from looptool_kit.report.planted import judge_against_truth
    from looptool_kit.report.summary import print_scoreboard, report_run
    from looptool_kit.run.folder import Run
    from looptool_kit.stages.compose import compose, composition
    from looptool_kit.stages.evaluate.stage import evaluate, failures, scores
    from looptool_kit.stages.expand.stage import expand
    from looptool_kit.stages.probe import probe
    from looptool_kit.stages.seed.stage import seed
    from looptool_kit.stages.train.frontier import frontier
    from looptool_kit.stages.train.stage import train
    from looptool_kit.stages.verify.stage import verify
    from looptool_kit.tools.catalog import load_tools
    from looptool_kit.tools.own_tools import init


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'looptool_kit' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"looptool_kit.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*globals(), *_HOME]
