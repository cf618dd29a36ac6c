"""Stage seed: where samples come from. Writes the pool (D_1 and later slices), the held-out splits, and the truth behind planted noise."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from itertools import count as count_from
from pathlib import Path
from typing import NamedTuple

from looptool_kit.run import Run, RunError, full_disk_explained
from looptool_kit.samples import Frozen, Label, Sample, Samples, Tool
from looptool_kit.stage import Stage
from looptool_kit.tables import Table
from looptool_kit.terminal import visible
from looptool_kit.toolcalls import canonical_calls
from looptool_kit.trust import require_source

DEVELOPMENT_SEED = 3_000_000
"""Added to the run's seed for the development samples."""
HELD_OUT_SEED = 7_000_000
"""Added to the run's seed for the held-out splits: runs of one seed are scored on the same samples, runs of different seeds on independent ones."""
SPLITS = ("unseen_values", "unseen_phrasings", "unseen_tools")
BLOCK = 100
"""Fresh seed samples that are drawn at a time: a longer pool begins with a shorter one."""
TEN = 10
"""Fresh seed samples among which a share of planted errors is kept to."""
TABLES = ("pool.parquet", "held_out.parquet", "development.parquet", "truth.parquet")
SYNTHESIS = ("turns.parquet", "written_tools.parquet", "synthesis.json")
"""What the source `trees` keeps beside its tables."""


class Truth(Frozen):
    """The right label of a sample that carries a planted error."""

    sample_id: str
    label: Label


class Truths(Table[Truth]):
    """The planted errors' right labels."""

    row_type = Truth


Seeded = tuple[Samples, Samples, Samples, Truths]
"""What a source makes: the pool, the held-out samples, the development samples, the truth behind planted errors."""
Reject = Callable[[str, int, str, str], None]
"""As `Run.reject`."""


class Source(NamedTuple):
    """Where samples come from."""

    draw: Callable[[Run, int, Samples | None, Reject], Seeded]
    """(run, count, have, reject) -> seed data with a pool of `count` samples: D_1, then a stream of which fewer are the
    first of more. `have`: the pool that is to be made longer; None: there is none yet."""
    settings: tuple[str, ...]
    """What decides its samples; how long the pool is (`iterations`, `seeds.fresh`) does not."""


def stage(run: Run) -> Stage:
    """The stage as it stands and what decides its result."""
    common = ("seed", "seeds.source", "seeds.first", "seeds.held_out", "seeds.development", "contamination")
    first = run.folder(1) / "samples.parquet"
    return Stage(run, "seed", 0, [*TABLES, first], common + _source(run).settings, tools=[t.canonical for t in _own_tools(run)])


def wanted(run: Run) -> int:
    """How many samples the pool must hold."""
    return run.settings.seeds.first + sum(run.settings.seeds.slices(run.settings.iterations))


def seed(run: Run) -> Samples:
    """D_1, made on the first call: the first slice of the seed pool (method, section 2).

    For more iterations or larger fresh slices the pool is made longer; what was drawn before stays.
    """
    now, count = stage(run), wanted(run)
    drawn = (run.manifest("seed", 0) or {}).get("wanted", count)
    if not now.done:
        with now.making():
            if now.manifest_path.exists():
                run.supersede(*(run.folder(0) / name for name in SYNTHESIS))
            pool, held_out, development, truth = _source(run).draw(run, count, None, run.reject)
            pool, drawn_rows = _guarded(run, pool, run.reject), len(pool)
            if drawn_rows and not pool:
                raise RunError(f"not one of the {drawn_rows} seed samples can be used: {run.path / 'rejected.jsonl'} says of each why not")
            held_out, development = (_fitting(run, table, run.reject) for table in (held_out, development))
            first = run.folder(1) / "samples.parquet"
            tables: dict[str | Path, Table] = dict(zip(TABLES, (pool, held_out, development, truth), strict=True))
            facts = {"held_out": len(held_out), "development": len(development), "planted_errors": len(truth)}
            now.finish(tables | {first: pool[: run.settings.seeds.first]}, rows=len(pool), wanted=count, **facts)
    elif drawn < count:
        _lengthen(run, now, count)
    return run.table(Samples, "samples", 1)


def _lengthen(run: Run, now: Stage, count: int) -> None:
    """Make the pool longer: the rows that there are, and those that follow."""
    run.writable()
    started, facts = time.monotonic(), run.manifest("seed", 0) or {}
    have, truth = run.table(Samples, "pool", 0), run.table(Truths, "truth", 0)

    def known_already(*_: object) -> None:
        pass

    with full_disk_explained(run.path):
        drawn, _, _, more = _source(run).draw(run, count, have, known_already)
        ids = {s.id for s in have}
        pool = Samples([*have, *(s for s in _guarded(run, drawn[len(have) :], run.reject) if s.id not in ids)])
        labels = {t.sample_id: t for t in (*more, *truth)}  # those of rows that were drawn before stay
        errors = Truths(labels[s.id] for s in pool if s.id in labels)
        errors.write(run.folder(0) / "truth.parquet")
        pool.write(run.folder(0) / "pool.parquet")
        kept = {n: facts[n] for n in ("held_out", "development") if n in facts}
        run.finish("seed", 0, now.key, started, made_from=now.made_from, rows=len(pool), wanted=count, planted_errors=len(errors), **kept)


def _source(run: Run) -> Source:
    return _SOURCES.get(run.settings.seeds.source, FILE)


def _stream(block: Callable[[int, list[Sample]], Samples], before: Sequence[Sample], count: int, run: Run) -> tuple[list[Sample], dict[str, Label]]:
    """The first `count` seed samples after D_1, with planted errors, and the truth behind them; fewer where there are no more.

    `block(number, clean rows so far)` draws `BLOCK` samples. A row depends on those before it alone, never on `count`.
    """
    from looptool_kit.seeders import world

    settings = run.settings
    clean: list[Sample] = []
    rows: list[Sample] = []
    truth: dict[str, Label] = {}
    known = {_sense(s) for s in before}
    for number in count_from(0):
        new = [s for s in block(number, clean) if _sense(s) not in known] if len(rows) < count else []
        if not new:
            break
        known |= {_sense(s) for s in new}
        clean += new
        for at in range(0, len(new), TEN):
            few = Samples(new[at : at + TEN])
            errors = round(settings.seeds.noise * (len(rows) + len(few))) - round(settings.seeds.noise * len(rows))
            noised, labels = world.plant_noise(few, errors / len(few), seed=f"{settings.seed}/{len(rows)}")
            rows += noised
            truth |= labels
    return rows[:count], {s.id: truth[s.id] for s in rows[:count] if s.id in truth}


def _sense(sample: Sample) -> tuple[str, tuple[str, ...], int]:
    return sample.request.lower(), tuple(canonical_calls(sample.label.calls)), len(sample.messages)


def _guarded(run: Run, pool: Samples, reject: Reject) -> Samples:
    """The pool without what it shares with a benchmark (setting `contamination`), and what is too long; that goes to `rejected.jsonl`."""
    from looptool_kit import contamination

    if not run.settings.contamination:
        return _fitting(run, pool, reject)
    known = contamination.read(run.settings.contamination)
    hits = {row: check.detail for row, sample in enumerate(pool, 1) if not (check := contamination.check_sample(sample, known)).passed}
    for row, why in hits.items():
        reject(run.settings.seeds.source, row, pool[row - 1].model_dump_json(), f"contamination: {why}")
    return _fitting(run, Samples(s for row, s in enumerate(pool, 1) if row not in hits), reject)


def _fitting(run: Run, samples: Samples, reject: Reject) -> Samples:
    """The samples that fit the model's context; others would end a probe after the training is paid for, and go to `rejected.jsonl`."""
    too_long = _too_long(run)
    faults = {row: why for row, sample in enumerate(samples, 1) if (why := too_long(sample))}
    for row, why in faults.items():
        reject(run.settings.seeds.source, row, samples[row - 1].model_dump_json(), why)
    return Samples(s for row, s in enumerate(samples, 1) if row not in faults)


def _too_long(run: Run) -> Callable[[Sample], str]:
    from looptool_kit.lengths import too_long

    return too_long(run.settings.model)


def _from_world(run: Run, count: int, have: Samples | None, reject: Reject) -> Seeded:
    from looptool_kit.seeders import world

    settings, wanted = run.settings, run.settings.seeds
    # Tool lists that few samples share cover more tools; ones that many share are cheaper to train on.
    per_list = min(world.PER_LIST, max(4, wanted.first // 8))
    clean = world.generate(wanted.first, seed=settings.seed, domains=wanted.domains, per_list=per_list)
    first, truth = world.plant_noise(clean, wanted.noise, seed=settings.seed)
    held_out = Samples(
        row
        for split in SPLITS
        for row in world.generate(
            wanted.held_out,
            seed=HELD_OUT_SEED + settings.seed,
            split=split,
            domains=() if split == "unseen_tools" else wanted.domains,
            per_list=3,
        )
    )
    development = Samples()
    if wanted.development:
        known = {s.id for s in clean}
        like = world.generate(wanted.development, seed=DEVELOPMENT_SEED + settings.seed, domains=wanted.domains, per_list=3)
        development = Samples(s for s in like if s.id not in known)

    def block(number: int, _: list[Sample]) -> Samples:
        return world.generate(BLOCK, seed=f"{settings.seed}/fresh/{number}", domains=wanted.domains, per_list=4)

    fresh, more = _stream(block, [*clean, *development], count - len(first), run)
    return Samples([*first, *fresh]), held_out, development, _truths(truth | more)


def _truths(labels: dict[str, Label]) -> Truths:
    return Truths(Truth(sample_id=i, label=label) for i, label in labels.items())


def _own_tools(run: Run) -> list[Tool]:
    from looptool_kit.own_tools import CATALOGUE, tools_of

    source = run.settings.seeds.source
    return tools_of(run) if source == "templates" or (source == "trees" and (run.path / CATALOGUE).exists()) else []


def _from_templates(run: Run, count: int, have: Samples | None, reject: Reject) -> Seeded:
    from looptool_kit.seeders import templates, world

    settings, wanted, tools = run.settings, run.settings.seeds, _own_tools(run)
    for number, (name, why) in enumerate(templates.usable(tools)[1].items(), 1):
        reject("tools.json", number, name, f"templates leave it out: {why}")
    clean = templates.generate(tools, wanted.first, seed=settings.seed)
    held_out = Samples()
    for split in SPLITS:
        held_out += templates.generate(tools, wanted.held_out, seed=HELD_OUT_SEED + settings.seed, split=split, avoid=[*clean, *held_out])
    first, truth = world.plant_noise(clean, wanted.noise, seed=settings.seed)
    avoid = [*clean, *held_out]
    like = templates.generate(tools, wanted.development, seed=DEVELOPMENT_SEED + settings.seed, avoid=avoid) if wanted.development else Samples()

    def block(number: int, before: list[Sample]) -> Samples:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # a block that is cut short is no news, a pool is
            return templates.generate(tools, BLOCK, seed=f"{settings.seed}/fresh/{number}", avoid=[*avoid, *like, *before])

    fresh, more = _stream(block, [*avoid, *like], count - len(first), run)
    if len(first) + len(fresh) < count:
        warnings.warn(f"templates made a pool of {len(first) + len(fresh)} of {count} different samples from {len(tools)} tools", stacklevel=2)
    return Samples([*first, *fresh]), held_out, like, _truths(truth | more)


def _from_trees(run: Run, count: int, have: Samples | None, reject: Reject) -> Seeded:
    from looptool_kit.seeders.synthesis import synthesise

    return *synthesise(run, pool=have), Samples(), Truths()


def _from_file(run: Run, count: int, have: Samples | None, reject: Reject) -> Seeded:
    from looptool_kit.rules import check_sample

    if have is not None:  # a file's samples are all in the pool
        return have, Samples(), Samples(), Truths()
    path = Path(run.settings.seeds.source)
    if not path.exists():
        raise RunError(
            f"{path} does not exist (seeds.source in {run.path / 'run.toml'}). Give `world`, `templates`, `trees` or a .jsonl or .parquet file of "
            "samples."
        )
    require_source(run.path, run.settings)
    rejected: list[int] = []

    def set_aside(row: int, raw: str, reason: str) -> None:
        rejected.append(row)
        reject(str(path), row, raw, reason)

    too_long = _too_long(run)

    def fault(sample: Sample) -> str:
        wrong = "; ".join(f"{c.name}: {c.detail}" for c in check_sample(sample) if not c.passed and c.name != "grounding")
        return wrong or too_long(sample)

    good = Samples.read(path, set_aside, fault)
    if rejected and len(good) >= 2:
        first = ", ".join(map(str, rejected[:5])) + (", ..." if len(rejected) > 5 else "")
        aside = run.path / "rejected.jsonl"
        print(visible(f"{path}: {len(rejected)} rows set aside (row {first}), {len(good)} go on. {aside} says why; mended, they join a new run."))
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


_SOURCES: dict[str, Source] = {
    "world": Source(_from_world, ("seeds.domains", "seeds.noise")),
    "templates": Source(_from_templates, ("seeds.noise",)),
    "trees": Source(_from_trees, ("synthesis", "generator_llm", "judge_llm")),
}
FILE = Source(_from_file, ())
