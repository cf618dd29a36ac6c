"""Samples that a person made from a policy's answers: `tried.jsonl` of a run, which only grows."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from looptool_kit.core.samples import Label, Sample, Samples
from looptool_kit.core.tables import append_lines
from looptool_kit.run.decisions import user_name, whole
from looptool_kit.run.folder import Run

FILE = "tried.jsonl"
STRATEGY = "try"


def keep_tried(run: Run, sample: Sample, label: Label, policy: str, answer: str) -> Sample:
    """Append a sample under the label that a person gave.

    It is on disk when this returns, once however often it is kept.

    Args:
        sample: Tools and dialogue that the policy answered.
        label: The right answer.
        policy: Name of the policy that answered.
        answer: What it wrote.

    Returns:
        The sample, with who made it, when, and from which answer in its `meta`.

    Raises:
        RunError: The run is read-only.
    """
    run.writable()
    about = {
        "policy": policy,
        "answer": answer,
        "author": whole(run.annotator or user_name()),
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    origin = {"source": "person", "strategy": STRATEGY, "iteration": run.iteration, "parent": None}
    made = sample.model_copy(update={"label": label, "split": "train", "meta": about, **origin})
    if made.id not in {kept.id for kept in tried(run)}:  # a second press of the button
        append_lines(tried_file(run), [json.loads(made.model_dump_json())])
    return made


def tried_file(run: Run) -> Path:
    """Where they are kept; `seeds.source` of another run may name it."""
    return run.path / FILE


def tried(run: Run) -> Samples:
    """The samples that were kept so far."""
    return Samples.read(tried_file(run)) if tried_file(run).exists() else Samples()
