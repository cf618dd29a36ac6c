"""What stands around the figures of a report: the command, versions, decisions by people, the tools."""

from __future__ import annotations

import json
import platform
from collections import Counter
from typing import Any

from looptool_kit.config import Settings, load_preset, presets
from looptool_kit.core.samples import Samples
from looptool_kit.core.versions import version
from looptool_kit.report.data import Decided, ToolUse
from looptool_kit.run.decisions import SUBJECTS, Decision
from looptool_kit.run.folder import Run

PACKAGES = ("torch", "transformers", "trl", "peft", "vllm", "unsloth")
MAX_REASONS = 5
"""Reasons of one kind of decision that are shown, the last ones."""


def made_with(run: Run) -> list[tuple[str, str]]:
    """Return pairs (what, value) about how a run was made.

    The command that makes such a run, and the versions here.
    """
    found = [("looptool-kit", version()), ("Python", platform.python_version())]
    found += [(name, number) for name in PACKAGES if (number := version(name))]
    return [("command", command(run.settings)), *found]


def command(settings: Settings) -> str:
    """The command that starts another run with these settings."""
    preset = settings.preset if settings.preset in presets() else "cpu"
    here, there = _flat(settings.model_dump(mode="json")), _flat(load_preset(preset).model_dump(mode="json"))
    changed = [
        f"--set {name}={_quoted(value)}"
        for name, value in here.items()
        if name != "preset" and value is not None and there.get(name) != value
    ]
    return " ".join(["looptool loop runs/again", f"--preset {preset}", *changed])


def _flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    out: dict[str, Any] = {}
    for name, value in values.items():
        out |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return out


def _quoted(value: Any) -> str:
    """A value for a shell."""
    import shlex

    return shlex.quote(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))


def decided(run: Run) -> list[Decided]:
    """Count the decisions in force by what they say.

    A saved filter decides nothing.
    """
    groups: dict[tuple[str, str], list[Decision]] = {}
    for subject in (s for s in SUBJECTS if s != "filter"):
        for decision in run.decisions(subject).values():
            if subject == "tag" and not decision.value:
                continue  # of a sample that has no tag any more
            groups.setdefault((subject, _said(decision)), []).append(decision)
    return [
        Decided(
            subject,
            value,
            ", ".join(f"{name} {n}" for name, n in Counter(d.author for d in those).most_common()),
            len(those),
            list(dict.fromkeys(d.reason for d in those if d.reason))[-MAX_REASONS:],
        )
        for (subject, value), those in groups.items()
    ]


def _said(decision: Decision) -> str:
    value = decision.value
    if isinstance(value, dict):
        return "edited" if "edit" in value else f"{value.get('verdict')}, label written"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def tools(run: Run) -> list[ToolUse]:
    """The tools of the newest dataset, those most called for first."""
    if not run.iterations:
        return []
    offered, called, words = Counter[str](), Counter[str](), dict[str, str]()
    for sample in run.stored(Samples, "samples", run.iteration):
        for tool in sample.tools:
            offered[tool.name] += 1
            words.setdefault(tool.name, tool.description)
        called.update({call.name for call in sample.label.calls})
    names = sorted(words, key=lambda name: (-called[name], -offered[name], name))
    return [ToolUse(name, words[name], offered[name], called[name]) for name in names]
