"""Stage seed: where samples come from.

It writes the pool (D_1 and later slices), the held-out splits, and the truth behind planted noise.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, cast

from looptool_kit.augment.perturb import names as names_of_perturbations
from looptool_kit.core.errors import RunError, full_disk_explained
from looptool_kit.core.records import Truths
from looptool_kit.core.samples import Sample, Samples, Tool
from looptool_kit.core.tables import Table
from looptool_kit.policy.lengths import too_long
from looptool_kit.run.folder import Run
from looptool_kit.run.stage import Stage
from looptool_kit.stages._find import source_of
from looptool_kit.stages.seed._band import FILE as BAND_FILE
from looptool_kit.stages.seed._band import band_of
from looptool_kit.stages.seed._draw import Reject, Seeded
from looptool_kit.tools.merge import FILE as MERGES

TABLES = ("pool.parquet", "held_out.parquet", "development.parquet", "truth.parquet")
SYNTHESIS = ("turns.parquet", "written_tools.parquet", "synthesis.json", "records.json", BAND_FILE, MERGES)
"""What sources keep beside their tables, what was measured for `[band]`, and merged tools."""


class Source(Protocol):
    """Where samples come from: a module of this folder."""

    SETTINGS: tuple[str, ...]
    """What decides its samples; how long the pool is (`iterations`, `seeds.fresh`) does not.

    Beside it a source says `MADE_UP = True` where rules write its requests, with made-up values, and
    `OF_DOMAINS = True` where its tools are those of the world's domains `seeds.domains`.
    """

    def draw(self, run: Run, count: int, have: Samples | None, reject: Reject) -> Seeded:
        """Draw seed data with a pool of `count` samples.

        The pool is D_1, then a stream: a shorter pool is the beginning of a longer one.

        Args:
            run: The run.
            count: The number of samples in the pool.
            have: The pool that is to be made longer; None where there is none yet.
            reject: `Run.reject`.
        """


def stage(run: Run) -> Stage:
    """The stage as it stands and what decides its result."""
    common = ("seed", "seeds.source", "seeds.first", "seeds.held_out", "seeds.development", "contamination")
    first = run.folder(1) / "samples.parquet"
    # Losses are the model's: with a band it decides which samples join.
    band = band_of(run)
    settings = _source(run).SETTINGS
    if "seeds.paraphrase" in settings and run.settings.seeds.paraphrase:
        settings += ("generator_llm", "judge_llm")
    if "search.file" in settings and run.settings.search.file:
        settings += ("generator_llm", "judge_llm", "check")
    return Stage(
        run,
        "seed",
        0,
        [*TABLES, first],
        common + (("band", "model") if band else ()) + settings,
        tools=[t.canonical for t in _tools(run)],
        band=list(band or ()),
        development=[]
        if run.settings.development == run.settings.seeds.development
        else [run.settings.development],
    )


def wanted(run: Run) -> int:
    """How many samples the pool must hold."""
    return run.settings.seeds.first + sum(run.settings.seeds.slices(run.settings.iterations))


def seed(run: Run) -> Samples:
    """Return D_1, the first slice of the seed pool.

    It is made on the first call.

    See LoopTool, section 2. For more iterations or larger fresh slices the pool is made longer; what was
    drawn before stays.

    Raises:
        RunError: Not one of the drawn samples can be used; `rejected.jsonl` says of each why not.
    """
    names_of_perturbations(run.settings.augment.perturbations)  # a wrong name is an error before training
    now, count = stage(run), wanted(run)
    drawn = (run.manifest("seed", 0) or {}).get("wanted", count)
    if not now.done:
        with now.making():
            if now.manifest_path.exists():
                run.supersede(*(run.folder(0) / name for name in SYNTHESIS))
            pool, held_out, development, truth = _source(run).draw(run, count, None, run.reject)
            pool, drawn_rows = _guarded(run, pool), len(pool)
            if drawn_rows and not pool:
                raise RunError(
                    f"not one of the {drawn_rows} seed samples can be used: {run.path / 'rejected.jsonl'}"
                    " says of each why not"
                )
            if count and not pool:
                raise RunError(
                    f"seeds.source = {run.settings.seeds.source!r} has no sample to train on ({len(held_out)}"
                    " held out for scores): give more samples"
                )
            held_out, development = (_fitting(run, table) for table in (held_out, development))
            first = run.folder(1) / "samples.parquet"
            tables: dict[str | Path, Table[Any]] = dict(
                zip(TABLES, (pool, held_out, development, truth), strict=True)
            )
            facts = {"held_out": len(held_out), "development": len(development), "planted_errors": len(truth)}
            now.finish(
                tables | {first: pool[: run.settings.seeds.first]}, rows=len(pool), wanted=count, **facts
            )
    elif drawn < count:
        _lengthen(run, now, count)
    return run.table(Samples, "samples", 1)


def _lengthen(run: Run, now: Stage, count: int) -> None:
    """Make the pool longer; its rows stay, and the seconds that they took count on."""
    run.writable()
    facts = run.manifest("seed", 0) or {}
    started = time.monotonic() - facts.get("seconds", 0.0)
    have, truth = run.table(Samples, "pool", 0), run.table(Truths, "truth", 0)

    def known_already(*_: object) -> None:
        pass

    with full_disk_explained(run.path):
        drawn, _, _, more = _source(run).draw(run, count, have, known_already)
        ids = {s.id for s in have}
        pool = Samples([*have, *(s for s in _guarded(run, drawn[len(have) :]) if s.id not in ids)])
        labels = {t.sample_id: t for t in (*more, *truth)}  # those of rows that were drawn before stay
        errors = Truths(labels[s.id] for s in pool if s.id in labels)
        errors.write(run.folder(0) / "truth.parquet")
        pool.write(run.folder(0) / "pool.parquet")
        kept = {n: facts[n] for n in ("held_out", "development") if n in facts}
        run.finish(
            "seed",
            0,
            now.key,
            started,
            made_from=now.made_from,
            rows=len(pool),
            wanted=count,
            planted_errors=len(errors),
            **kept,
        )


def _source(run: Run) -> Source:
    """The strategy that `seeds.source` names; anything else is a file's path."""
    return cast(Source, source_of(run.settings.seeds.source))


def _guarded(run: Run, pool: Samples) -> Samples:
    """The pool without what is a benchmark's or too long.

    The setting `contamination` names the benchmarks' fingerprints.
    """
    from looptool_kit.checks import contamination

    fingerprints = contamination.read_if_set(run.settings.contamination)
    if fingerprints is None:
        return _fitting(run, pool)

    def fault(sample: Sample) -> str:
        check = contamination.check_sample(sample, fingerprints)
        return "" if check.passed else f"contamination: {check.detail}"

    return _fitting(run, _without(run, pool, fault))


def _fitting(run: Run, samples: Samples) -> Samples:
    """The samples that fit the model's context.

    Others would end a probe after the training is paid for.
    """
    return _without(run, samples, too_long(run.settings.model))


def _without(run: Run, samples: Samples, fault: Callable[[Sample], str]) -> Samples:
    """The samples without a fault; the others go to `rejected.jsonl`."""
    faults = {row: reason for row, sample in enumerate(samples, 1) if (reason := fault(sample))}
    for row, reason in faults.items():
        run.reject(run.settings.seeds.source, row, samples[row - 1].model_dump_json(), reason)
    return Samples(s for row, s in enumerate(samples, 1) if row not in faults)


def _tools(run: Run) -> list[Tool]:
    from looptool_kit.tools.own_tools import CATALOGUE, tools_of

    source = run.settings.seeds.source
    return (
        tools_of(run)
        if source == "templates" or (source == "trees" and (run.path / CATALOGUE).exists())
        else []
    )
