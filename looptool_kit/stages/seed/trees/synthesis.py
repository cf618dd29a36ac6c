"""The pool and the held-out splits from trees and dialogues.

See LoopTool, section 3.1. All that was asked for is kept with its result: `seed/written_tools.parquet`,
`seed/turns.parquet`, and their sums in `seed/synthesis.json`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from random import Random

from looptool_kit.checks import contamination
from looptool_kit.checks.dedup import Deduplicator
from looptool_kit.core.errors import RunError
from looptool_kit.core.samples import Sample, Samples, Tool
from looptool_kit.core.tables import write_json
from looptool_kit.llm.store import spent_words
from looptool_kit.policy.label_loss import Score, under_base
from looptool_kit.run.folder import Run
from looptool_kit.stages.seed._band import band_of
from looptool_kit.stages.seed.templates import held_tools
from looptool_kit.stages.seed.trees.agents import Agents
from looptool_kit.stages.seed.trees.complexity import Band
from looptool_kit.stages.seed.trees.dialogue import jobs, simulate
from looptool_kit.stages.seed.trees.tools import write_tools
from looptool_kit.stages.seed.trees.turns import Job, Turn, Turns
from looptool_kit.tools.catalog import load_tools
from looptool_kit.tools.own_tools import refuse_other_tools
from looptool_kit.trust import require_tools

SPLITS = ("unseen_dialogues", "unseen_tools")
PILOT = 20
"""Dialogues that are simulated before all others: what is paid to learn that a model does not do."""
MIN_SHARE = 0.05
"""Samples per dialogue, in the pilot and at any time after, below which no more is asked."""
FIRST_YIELD, MIN_YIELD = 2.0, 0.25
"""Samples per dialogue that the first round counts on, and the fewest that a later one does."""
OTHER_MODEL = "Set another model under [generator_llm] or [judge_llm], or another seeds.source."


def synthesise(run: Run, score: Score | None = None, pool: Samples | None = None) -> tuple[Samples, Samples]:
    """Make the pool and the held-out samples.

    The latter are two splits: other dialogues over the tools of the pool, and dialogues over tools that are
    nowhere in it.

    Args:
        run: The run.
        score: Measures complexity where `synthesis.band` is set; by default the untrained policy of the run.
        pool: A pool to be made longer. Its samples come first, and no held-out ones are made.

    Raises:
        RunError: There is no generator, or hardly anything passed; it tells what was spent.
    """
    settings, folder = run.settings, run.folder(0)
    agents = _agents(run)
    fingerprints = contamination.read_if_set(settings.contamination)
    tools = _tools(run, agents, fingerprints)
    offered = _offered(tools)
    total = settings.seeds.first + sum(settings.seeds.slices(settings.iterations))
    held_out = settings.seeds.held_out if pool is None else 0
    wanted = {"train": total - len(pool or ())} | dict.fromkeys(SPLITS, held_out)
    turns_file = folder / "turns.parquet"
    earlier = Turns.read(turns_file) if pool is not None and turns_file.exists() else Turns()
    first = max((t.dialogue for t in earlier), default=-1) + 1
    have: dict[str, list[Sample]] = {split: [] for split in wanted}
    seen, rows, level, number, passed, failing = Deduplicator(pool or ()), list[Turn](), "", 0, 0, False
    for attempt in range(settings.synthesis.rounds):
        yielded = max(MIN_YIELD, sum(map(len, have.values())) / number) if number else FIRST_YIELD
        work: list[Job] = []
        for split, few in offered.items():
            short = wanted[split] - len(have[split])
            if short > 0 and few:
                rng = Random(f"{settings.seed}/dialogues/{attempt}/{split}" + (f"/{first}" if first else ""))
                work += jobs(few, math.ceil(short / yielded), first + number + len(work), split, rng, level)
        if not work or failing:
            break
        for some in (work,) if number else (work[:PILOT], work[PILOT:]):
            if not some or failing:
                continue
            mask, reflect = settings.targets.mask_errors, settings.synthesis.reflect
            candidates, turns = simulate(some, agents, settings.synthesis.turns, fingerprints, mask, reflect)
            number, passed = number + len(some), passed + len(candidates)
            failing = number >= PILOT and passed < MIN_SHARE * number
            short_of = {s: wanted[s] - len(have[s]) for s in SPLITS}
            refused, level = _refuse(run, candidates, seen, short_of, score)
            for sample in candidates:
                if sample.id not in refused:
                    have[sample.split].append(sample)
            rows += [_outcome(t, refused) for t in turns]
    Turns([*earlier, *rows]).write(turns_file)
    write_json(folder / "synthesis.json", _sums(rows, number, have, wanted, len(tools)))
    if failing or (pool is None and len(have["train"]) < 2):
        outcome = f"{number} simulated dialogues gave {len(have['train'])} usable samples: {_reasons(rows)}."
        raise RunError(f"{outcome} Every turn stands in {turns_file}. {_spent(agents)} {OTHER_MODEL}")
    Random(f"{settings.seed}/order").shuffle(have["train"])
    return Samples([*(pool or ()), *have["train"]]), Samples(s for split in SPLITS for s in have[split])


def _offered(tools: Sequence[Tool]) -> dict[str, list[Tool]]:
    """Split -> the tools that its dialogues are over."""
    apart = held_tools(tools)
    kept = [t for t in tools if t.name not in apart]
    return {"train": kept, "unseen_dialogues": kept, "unseen_tools": [t for t in tools if t.name in apart]}


def _reasons(rows: Sequence[Turn]) -> str:
    """The most frequent reasons why turns were not accepted."""
    reasons = Counter(t.reason.split(":")[0] for t in rows if t.reason and t.outcome != "accepted")
    return "; ".join(f"{reason} ({count})" for reason, count in reasons.most_common(4))


def _spent(agents: Agents) -> str:
    """What was paid before the end, in a sentence."""
    paid = {e.model: spent_words(agents.store, e) for e in (agents.endpoint, agents.judge)}
    return (
        "It stopped there, after "
        + " and ".join(f"{words} of {model}" for model, words in paid.items())
        + "."
    )


def _agents(run: Run) -> Agents:
    writer = run.settings.generator_llm
    if writer is None:
        raise RunError(
            "seeds.source is `trees`, which needs a model that writes: give base_url and model under"
            f" [generator_llm] in {run.path / 'run.toml'}, or take another source (`world`, `templates`)."
        )
    return Agents(
        writer,
        run.settings.judge_llm or writer,
        run.path / "calls.sqlite",
        run.settings.calls.most,
        run.settings.check.experts,
    )


def _tools(run: Run, agents: Agents, fingerprints: contamination.Fingerprints | None) -> list[Tool]:
    """The run's own tools, or else tools written along the trees."""
    own, settings = run.path / "tools.json", run.settings.synthesis
    refuse_other_tools(run)
    if own.exists() or settings.tools:
        if not own.exists():
            require_tools(run.path, settings.tools)
        return load_tools(own if own.exists() else settings.tools)
    written = write_tools(
        settings.count, agents.endpoint, agents.store, run.settings.seed, fingerprints, agents.most
    )
    written.write(run.folder(0) / "written_tools.parquet")
    tools = [w.tool for w in written if w.accepted and w.tool]
    if len(tools) < 2:
        raise RunError(
            f"of {len(written)} written tools {len(tools)} passed the checks; each stands in"
            f" {run.folder(0) / 'written_tools.parquet'}. {_spent(agents)} Set another model under"
            " [generator_llm], or give tools of your own (synthesis.tools)."
        )
    return tools


def _refuse(
    run: Run, made: Sequence[Sample], seen: Deduplicator, room: dict[str, int], score: Score | None
) -> tuple[dict[str, str], str]:
    """Why samples do not join, by id; and the next level.

    It repeats another dialogue, is outside of the band, or is more than a held-out split wants.
    """
    refused: dict[str, str] = {}
    placed: Counter[str] = Counter()
    band = Band(*run.settings.synthesis.band) if run.settings.synthesis.band else band_of(run)
    measured = (
        dict(zip((s.id for s in made), (score or under_base(run))(made), strict=True))
        if band and made
        else {}
    )
    # Turns of one dialogue share most of their words, so each dialogue is compared with the others only.
    twins: dict[str, str | None] = {}
    for _, group in groupby(made, key=lambda s: s.meta["dialogue"]):
        turns = list(group)
        twins |= {s.id: seen.duplicate_of(s) for s in turns}
        for sample in (s for s in turns if not twins[s.id]):
            seen.add(sample)
    for sample in made:
        if twin := twins[sample.id]:
            refused[sample.id] = f"repeats {twin}"
        elif sample.split != "train":
            room[sample.split] -= 1
            if room[sample.split] < 0:
                refused[sample.id] = "more than the split wants"
        elif band and (place := band.place(measured[sample.id])) != "inside":
            placed[place] += 1
            refused[sample.id] = (
                f"too {place}: loss {measured[sample.id]:.3f} is outside of {band.low:g} to {band.high:g}"
            )
    return refused, "harder" if placed["simple"] > placed["hard"] else "simpler" if placed["hard"] else ""


def _outcome(turn: Turn, refused: dict[str, str]) -> Turn:
    """The turn, rejected where its sample does not join."""
    if turn.outcome != "accepted" or turn.sample_id not in refused:
        return turn
    return turn.model_copy(update={"outcome": "rejected", "reason": refused[turn.sample_id]})


def _sums(
    rows: Sequence[Turn], dialogues: int, have: dict[str, list[Sample]], wanted: dict[str, int], tools: int
) -> dict[str, object]:
    outcomes = Counter(t.outcome for t in rows)
    return {
        "tools": tools,
        "dialogues": dialogues,
        "turns": {outcome: outcomes[outcome] for outcome in ("accepted", "masked", "rejected")},
        "reflected": dict(Counter(t.outcome for t in rows if t.reflected)),
        "samples": {split: len(samples) for split, samples in have.items()},
        "wanted": wanted,
    }
