"""The source `file`: a person's own samples.

`seeds.source` is the path of a .jsonl or .parquet file.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from looptool_kit.checks.rules import form_faults
from looptool_kit.core.errors import RunError
from looptool_kit.core.records import Truths
from looptool_kit.core.samples import Sample, Samples
from looptool_kit.core.terminal import visible
from looptool_kit.policy.lengths import too_long
from looptool_kit.run.folder import Run
from looptool_kit.stages._find import sources
from looptool_kit.stages.seed._band import Sieve
from looptool_kit.stages.seed._draw import Reject, Seeded
from looptool_kit.tools.merge import FILE as MERGES
from looptool_kit.tools.merge import merge, merged_sample
from looptool_kit.trust import require_source

SETTINGS: tuple[str, ...] = ("merge",)


def draw(run: Run, count: int, have: Samples | None, reject: Reject) -> Seeded:
    """Read the samples that pass the rules and fit the model.

    A file without a held-out split gives some of its samples away by chance.
    """
    if have is not None:  # a file's samples are all in the pool
        return have, Samples(), Samples(), Truths()
    path = Path(run.settings.seeds.source)
    if not path.exists():
        raise RunError(
            f"{path} does not exist (seeds.source in {run.path / 'run.toml'}). Give a .jsonl or .parquet file"
            f" of samples, or one of {', '.join(sources())}."
        )
    require_source(run.path, run.settings)
    rejected: list[int] = []

    def on_reject(row: int, raw: str, reason: str) -> None:
        rejected.append(row)
        reject(str(path), row, raw, reason)

    overlong = too_long(run.settings.model)

    def fault(sample: Sample) -> str:
        return "; ".join(form_faults(sample)) or overlong(sample)

    good = Samples.read(path, on_reject, fault)
    if rejected and len(good) >= 2:
        first = ", ".join(map(str, rejected[:5])) + (", ..." if len(rejected) > 5 else "")
        reasons = run.path / "rejected.jsonl"
        print(
            visible(
                f"{path}: {len(rejected)} rows rejected (row {first}), {len(good)} kept. {reasons} says why;"
                " fixed, they join a new run."
            )
        )
    if len(good) < 2:
        raise RunError(
            f"{path} holds {len(good)} usable samples; {len(rejected)} were rejected:"
            f" {run.path / 'rejected.jsonl'} gives each one's reason."
        )
    if run.settings.merge.tools:
        good = _over_merged_tools(run, path, good, reject)
    unique = list({s.id: s for s in good}.values())
    development = [s for s in unique if s.split == "development"]
    marked = [s for s in unique if s.split not in ("train", "development")]
    if not marked:
        marked = _set_apart(
            [s for s in unique if s.split == "train"],
            max(1, min(run.settings.seeds.held_out, len(unique) // 5)),
        )
    apart = {s.id for s in (*marked, *development)}
    rest = _within(run, path, [s for s in unique if s.id not in apart], reject)
    if not development and (count := min(run.settings.development, len(rest) // 5)):
        development = _set_apart(rest, count)
        apart = {s.id for s in development}
    return Samples(s for s in rest if s.id not in apart), Samples(marked), Samples(development), Truths()


def _over_merged_tools(run: Run, path: Path, samples: Samples, reject: Reject) -> Samples:
    """The samples over one tool for each group of near-duplicates; what cannot follow is rejected."""
    merging = merge([t for s in samples for t in s.tools], run.settings.merge.same)
    merging.merges.write(run.folder(0) / MERGES)
    kept = []
    for row, sample in enumerate(samples, 1):
        made = merged_sample(sample, merging)
        if isinstance(made, Sample):
            kept.append(made)
        else:
            reject(str(path), row, sample.model_dump_json(), f"merge: {made}")
    merged = merging.merges.where(lambda r: r.fate == "merged")
    print(
        f"{path}: {len(merged)} tools merged into others, {len(samples) - len(kept)} samples rejected;"
        f" {run.folder(0) / MERGES} has every one"
    )
    return Samples(kept)


def _within(run: Run, path: Path, samples: list[Sample], reject: Reject) -> list[Sample]:
    """The samples inside of the band, where there is one; the others are rejected."""
    sieve = Sieve.of(run)
    outside = sieve.outside(samples) if sieve else {}
    for row, sample in enumerate(samples, 1):
        if sample.id in outside:
            reject(str(path), row, sample.model_dump_json(), outside[sample.id])
    if samples and len(outside) == len(samples):
        raise RunError(
            f"not one of the {len(samples)} samples of {path} lies inside of the band; widen band.low to"
            f" band.high, or leave both out. {run.path / 'rejected.jsonl'} gives each one's loss."
        )
    return [s for s in samples if s.id not in outside]


def _set_apart(samples: Sequence[Sample], count: int) -> list[Sample]:
    """Take about `count` samples in the order of their ids.

    That order is as good as chance. Turns of one dialogue stay together: later ones hold earlier ones'
    answers.
    """
    by_id = sorted(samples, key=lambda s: s.id)
    talks: dict[str, list[Sample]] = {}
    for sample in by_id:
        talks.setdefault(sample.opening, []).append(sample)
    apart: list[Sample] = []
    for turns in talks.values():
        if len(apart) < count and len(apart) + len(turns) <= max(count, len(samples) // 2):
            apart += turns
    return apart or by_id[:count]
