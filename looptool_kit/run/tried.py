"""Samples that a person made from a policy's answers, and takes back: `tried.jsonl` of a run."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from looptool_kit.core.errors import RunError
from looptool_kit.core.samples import Label, Sample, Samples
from looptool_kit.core.tables import append_lines, atomic, json_line
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
        The sample as it is in the file, with who made it, when, and from which answer in its `meta`.

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
    for kept in tried(run):
        if kept.id == made.id:  # a second press of the button
            return kept
    append_lines(tried_file(run), [json.loads(made.model_dump_json())])
    return made


def take_back(run: Run, sample: Sample) -> None:
    """Remove a sample that was kept.

    Every other byte of the file stays.

    Args:
        sample: As `keep_tried` returned it.

    Raises:
        RunError: The run is read-only, or the file has no such line any more.
    """
    run.writable()
    file = tried_file(run)
    line = json_line(json.loads(sample.model_dump_json())).encode("utf-8")
    lines = file.read_bytes().split(b"\n") if file.exists() else []
    if line not in lines:
        raise RunError(
            f"Sample {sample.id} is not in {file} as it was kept: somebody has changed or removed that line"
            " since. Nothing was taken back; remove it there by hand."
        )
    lines.remove(line)
    rest = b"\n".join(lines)
    if not rest.strip():
        file.unlink()
        return
    with atomic(file) as fresh:
        fresh.write_bytes(rest)


def tried_file(run: Run) -> Path:
    """Where they are kept; `seeds.source` of another run may name it."""
    return run.path / FILE


def tried(run: Run) -> Samples:
    """The samples that were kept so far."""
    return Samples.read(tried_file(run)) if tried_file(run).exists() else Samples()
