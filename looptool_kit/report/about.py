"""What stands around the figures of a report: the command, versions, decisions by people, the tools."""

from __future__ import annotations

import json
import platform
from collections import Counter
from collections.abc import Mapping
from typing import Any

from looptool_kit.config import Settings, load_preset, presets
from looptool_kit.core.records import EVIDENCE, TOKENS, Probes, Verdicts
from looptool_kit.core.samples import Label, Samples
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
    offered = _offered_labels(run)
    for subject in (s for s in SUBJECTS if s != "filter"):
        for decision in run.decisions(subject).values():
            if subject == "tag" and not decision.value:
                continue  # of a sample that has no tag any more
            groups.setdefault((subject, _said(decision, offered)), []).append(decision)
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


def _offered_labels(run: Run) -> dict[str, list[Label]]:
    """The labels that a verdict gives a sample without a person writing one.

    They are the policy's answers and the judge's labels, of samples that a person gave a label, by id.
    """
    decided = run.decisions("verdict").items()
    ids = {row for row, d in decided if isinstance(d.value, dict) and "label" in d.value}
    offered: dict[str, list[Label]] = {id: [] for id in ids}
    for j in run.iterations if ids else ():
        if (run.folder(j) / "probes.parquet").exists():
            for probe in run.stored(Probes, "probes", j, without=TOKENS, keep={"sample_id": ids}):
                offered[probe.sample_id].append(probe.answer.label)
        if (run.folder(j) / "verdicts.parquet").exists():
            for verdict in run.stored(Verdicts, "verdicts", j, without=EVIDENCE, keep={"sample_id": ids}):
                offered[verdict.sample_id] += [verdict.label] if verdict.label else []
    return offered


def _said(decision: Decision, offered: Mapping[str, list[Label]]) -> str:
    value = decision.value
    if isinstance(value, dict):
        if "edit" in value:
            return "edited"
        label = Label.model_validate(value["label"]) if "label" in value else None
        written = label is not None and label not in offered.get(decision.row, ())
        return f"{value.get('verdict')}{', label written' if written else ''}"
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
