"""Stage seed: where samples come from. Writes the pool (D_1 and later slices), the held-out splits, and the truth behind planted noise."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from looptool_kit.run import Run, RunError, full_disk_explained, key
from looptool_kit.samples import Frozen, Label, Sample, Samples, Tool
from looptool_kit.tables import Table

DEVELOPMENT_SEED = 3_000_000
"""Added to the run's seed for the development samples."""
HELD_OUT_SEED = 7_000_000
"""Added to the run's seed for the held-out splits: runs of one seed are scored on the same samples, runs of different seeds on independent ones."""
SPLITS = ("unseen_values", "unseen_phrasings", "unseen_tools")


class Truth(Frozen):
    """The right label of a sample that carries a planted error."""

    sample_id: str
    label: Label


class Truths(Table[Truth]):
    """The planted errors' right labels."""

    row_type = Truth


Seeded = tuple[Samples, Samples, Samples, Truths]
"""What a source makes: the pool, the held-out samples, the development samples, the truth behind planted errors."""


def seed(run: Run) -> Samples:
    """D_1, made on the first call: the first slice of the seed pool (method, section 2)."""
    wanted = run.settings.seeds
    made_from = key(wanted, run.settings.seed, run.settings.iterations, *_own_tools(run), *_writers(run))
    if not run.done("seed", 0, made_from):
        started = time.monotonic()
        with full_disk_explained(run.path):
            pool, held_out, development, truth = _SOURCES.get(wanted.source, _from_file)(run)
            pool = _guarded(run, pool)
            folder = run.folder(0)
            pool.write(folder / "pool.parquet")
            held_out.write(folder / "held_out.parquet")
            development.write(folder / "development.parquet")
            truth.write(folder / "truth.parquet")
            pool[: wanted.first].write(run.folder(1) / "samples.parquet")
            facts = {"held_out": len(held_out), "development": len(development), "planted_errors": len(truth)}
            run.finish("seed", 0, made_from, started, rows=len(pool), **facts)
    return run.table(Samples, "samples", 1)


def _guarded(run: Run, pool: Samples) -> Samples:
    """The pool without what it shares with a benchmark (setting `contamination`); that goes to `rejected.jsonl`."""
    from looptool_kit import contamination

    if not run.settings.contamination:
        return pool
    known = contamination.read(run.settings.contamination)
    hits = {row: check.detail for row, sample in enumerate(pool, 1) if not (check := contamination.check_sample(sample, known)).passed}
    for row, why in hits.items():
        run.reject(run.settings.seeds.source, row, pool[row - 1].model_dump_json(), f"contamination: {why}")
    if len(hits) == len(pool):
        raise RunError(f"every seed sample shares something with the benchmark of {run.settings.contamination}: see {run.path / 'rejected.jsonl'}")
    return Samples(s for row, s in enumerate(pool, 1) if row not in hits)


def _from_world(run: Run) -> Seeded:
    from looptool_kit.seeders import world

    settings = run.settings
    wanted = settings.seeds.first + sum(settings.seeds.slices(settings.iterations))
    # Tool lists that few samples share cover more tools; ones that many share are cheaper to train on.
    clean = world.generate(wanted, seed=settings.seed, domains=settings.seeds.domains, per_list=min(world.PER_LIST, max(4, wanted // 8)))
    pool, truth = world.plant_noise(clean, settings.seeds.noise, seed=settings.seed)
    held_out = Samples(
        row
        for split in SPLITS
        for row in world.generate(
            settings.seeds.held_out,
            seed=HELD_OUT_SEED + settings.seed,
            split=split,
            domains=() if split == "unseen_tools" else settings.seeds.domains,
            per_list=3,
        )
    )
    development = Samples()
    if count := settings.seeds.development:
        known = {s.id for s in clean}
        like = world.generate(count, seed=DEVELOPMENT_SEED + settings.seed, domains=settings.seeds.domains, per_list=3)
        development = Samples(s for s in like if s.id not in known)
    return pool, held_out, development, Truths(Truth(sample_id=i, label=label) for i, label in truth.items())


def _own_tools(run: Run) -> list[Tool]:
    from looptool_kit.own_tools import tools_of

    return tools_of(run) if run.settings.seeds.source == "templates" else []


def _from_templates(run: Run) -> Seeded:
    from looptool_kit.seeders import templates, world

    settings, tools = run.settings, _own_tools(run)
    for number, (name, why) in enumerate(templates.usable(tools)[1].items(), 1):
        run.reject("tools.json", number, name, f"templates leave it out: {why}")
    wanted = settings.seeds.first + sum(settings.seeds.slices(settings.iterations))
    clean = templates.generate(tools, wanted, seed=settings.seed)
    held_out = Samples()
    for split in SPLITS:
        held_out += templates.generate(tools, settings.seeds.held_out, seed=HELD_OUT_SEED + settings.seed, split=split, avoid=[*clean, *held_out])
    pool, truth = world.plant_noise(clean, settings.seeds.noise, seed=settings.seed)
    count, avoid = settings.seeds.development, [*clean, *held_out]
    development = templates.generate(tools, count, seed=DEVELOPMENT_SEED + settings.seed, avoid=avoid) if count else Samples()
    return pool, held_out, development, Truths(Truth(sample_id=i, label=label) for i, label in truth.items())


def _writers(run: Run) -> list[object]:
    """What else decides on seed data: the guard, and who writes; nothing where there is neither, so that other runs keep their keys."""
    settings = run.settings
    if settings.seeds.source != "trees":
        return [settings.contamination] if settings.contamination else []
    return [[e.base_url, e.model] if e else None for e in (settings.generator_llm, settings.judge_llm)] + [settings.synthesis, settings.contamination]


def _from_trees(run: Run) -> Seeded:
    from looptool_kit.seeders.synthesis import synthesise

    return *synthesise(run), Samples(), Truths()


def _from_file(run: Run) -> Seeded:
    from looptool_kit.rules import check_sample

    path = Path(run.settings.seeds.source)
    if not path.exists():
        raise RunError(
            f"{path} does not exist (seeds.source in {run.path / 'run.toml'}). Give `world`, `templates`, `trees` or a .jsonl or .parquet file of "
            "samples."
        )
    rejected: list[int] = []

    def set_aside(row: int, raw: str, reason: str) -> None:
        rejected.append(row)
        run.reject(str(path), row, raw, reason)

    def fault(sample: Sample) -> str:
        return "; ".join(f"{c.name}: {c.detail}" for c in check_sample(sample) if not c.passed and c.name != "grounding")

    good = Samples.read(path, set_aside, fault)
    if rejected and len(good) >= 2:
        first = ", ".join(map(str, rejected[:5])) + (", ..." if len(rejected) > 5 else "")
        aside = run.path / "rejected.jsonl"
        print(f"{path}: {len(rejected)} rows set aside (row {first}), {len(good)} go on. {aside} says why; mended, they join a new run.")
    if len(good) < 2:
        raise RunError(
            f"{path} holds {len(good)} usable samples; {len(rejected)} were set aside in {run.path / 'rejected.jsonl'}, each with its reason."
        )
    unique = list({s.id: s for s in good}.values())
    development = [s for s in unique if s.split == "development"]
    marked = [s for s in unique if s.split not in ("train", "development")]
    if not marked:
        marked = _set_apart([s for s in unique if s.split == "train"], max(1, min(run.settings.seeds.held_out, len(unique) // 5)))
    apart = {s.id for s in (*marked, *development)}
    rest = [s for s in unique if s.id not in apart]
    if not development and (count := min(run.settings.seeds.development, len(rest) // 5)):
        development = _set_apart(rest, count)
        apart = {s.id for s in development}
    return Samples(s for s in rest if s.id not in apart), Samples(marked), Samples(development), Truths()


def _set_apart(samples: Sequence[Sample], count: int) -> list[Sample]:
    """About `count` samples in the order of their ids, as by chance. Turns of one dialogue stay together: later ones hold earlier ones' answers."""
    by_id = sorted(samples, key=lambda s: s.id)
    talks: dict[str, list[Sample]] = {}
    for sample in by_id:
        talks.setdefault(sample.opening, []).append(sample)
    apart: list[Sample] = []
    for turns in talks.values():
        if len(apart) < count and len(apart) + len(turns) <= max(count, len(samples) // 2):
            apart += turns
    return apart or by_id[:count]


_SOURCES: dict[str, Callable[[Run], Seeded]] = {"world": _from_world, "templates": _from_templates, "trees": _from_trees}
