"""The data of the model `embedded`: samples of the world and of made-up tools, in passes of equal size."""

from __future__ import annotations

import multiprocessing
from array import array
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from itertools import count
from random import Random
from typing import Any, NamedTuple

import made_up_tools

from looptool_kit import world
from looptool_kit.checks import contamination
from looptool_kit.config import load_preset
from looptool_kit.core.samples import Sample, Samples
from looptool_kit.policy.models import load_tokenizer
from looptool_kit.stages.train.common import encode
from looptool_kit.stages.train.packing import Packed, pack

OTHERS = sorted({d for name in ("cpu", "cpu-quick") for d in load_preset(name).seeds.domains})
"""The domains that the CPU presets adapt to: no sample of theirs may be in the data. Of the six of `cpu-hard`
these two alone are left out: without all six there would be half of the world to learn from.
"""
MAX_ADDED = 5
"""Tools of other domains that a tool list of the world may get beside its own."""


class Row(NamedTuple):
    """A sample as token ids."""

    prompt: array[int]
    completion: array[int]
    kind: str


class Chunk(NamedTuple):
    """The passes of one seed's samples."""

    passes: list[list[Row]]
    bad_tools: list[str]
    """Tools that a benchmark has as well: no sample offers them."""
    left_out: int
    """Samples that were left out because a benchmark has their text or one of their tools."""


def domains() -> list[str]:
    """The domains to train on: those with tools in the split `train`, less those of the CPU presets."""
    open_to = {t.name for t in world.catalogue("train")}
    return [d for d, tools in world.domains().items() if d not in OTHERS and open_to & set(tools)]


def encoded(tokenizer: Any, samples: Sequence[Sample]) -> list[Row]:
    """The samples as training encodes them."""
    pairs = [encode(tokenizer, s) for s in samples]
    return [Row(array("i", p), array("i", a), s.kind) for (p, a), s in zip(pairs, samples, strict=True)]


def seed_of(spec: dict[str, Any], number: int) -> str:
    """The world's seed of a chunk."""
    return f"{spec['seed']}-{number * spec['samples_each']}"


def in_words(sample: Sample) -> bool:
    """Whether the user says some value otherwise than the call has it ("half past six" for 18:30)."""
    calls: Any = sample.meta.get("calls", ())
    return any(call["implicit"] for call in calls)


def widened(samples: Sequence[Sample], of: Sequence[str], share: float, rng: Random) -> list[Sample]:
    """The samples, with tools of other domains beside their own on a share of the tool lists.

    Samples of one list stay together, and the list's tools are shuffled. No domain that one of the list's
    samples is about gives a tool, so what was right to answer still is.
    """
    home = {tool: d for d, tools in world.domains().items() for tool in tools}
    open_to = [t for t in world.catalogue("train") if home[t.name] in of]
    lists: dict[tuple[str, ...], list[Sample]] = {}
    for sample in samples:
        lists.setdefault(tuple(t.name for t in sample.tools), []).append(sample)
    out: list[Sample] = []
    for names, rows in lists.items():
        calls: list[Any] = [s.meta.get("calls", ()) for s in rows]
        about = {home[name] for name in (*names, *(call["tool"] for of_one in calls for call in of_one))}
        more = rng.sample([t for t in open_to if home[t.name] not in about], rng.randint(1, MAX_ADDED))
        tools = rng.sample([*rows[0].tools, *more], len(names) + len(more))
        wide = rng.random() < share
        out += [s.model_copy(update={"tools": tuple(tools)}) if wide else s for s in rows]
    return out


def prepare(spec: dict[str, Any], number: int, model: str, limit: int) -> Chunk:
    """The passes of chunk `number`, shuffled, of at most `limit` tokens; a longer sample stands alone."""
    seed, wanted = seed_of(spec, number), spec["kinds"]
    kinds = [k for k in world.KINDS if wanted[k] > 0]
    made = world.generate(spec["samples_each"], seed, spec["split"], kinds, spec["domains"], spec["per_list"])
    # Weights are met by leaving samples out, so that the kinds stay mixed on every tool list.
    rng = Random(f"{seed}/passes")
    made = Samples(widened(made, spec["domains"], spec["wide"], rng))
    if extra := round(spec["samples_each"] * spec["made_up"] / (1 - spec["made_up"])):
        made = Samples([*made, *made_up_tools.generate(extra, f"{seed}/made up", spec["per_list"])])
    top = max(wanted.values()) * max(1, spec["words"])
    samples = [s for s in made if rng.random() < wanted[s.kind] * (spec["words"] if in_words(s) else 1) / top]
    bad: set[str] = set()
    before = len(samples)
    if spec["contamination"]:
        known = contamination.read(spec["contamination"])
        offered = {t.name: t for s in samples for t in s.tools}
        bad = {name for name, tool in offered.items() if not contamination.check_tool(tool, known).passed}
        samples = [s for s in samples if not bad & {t.name for t in s.tools}]
        samples = [s for s in samples if contamination.check_sample(s, known).passed]
    lists: dict[tuple[str, ...], list[Row]] = {}
    for sample, row in zip(samples, encoded(load_tokenizer(model), samples), strict=True):
        lists.setdefault(tuple(t.canonical for t in sample.tools), []).append(row)
    runs = [run for rows in lists.values() for run in _runs(rng.sample(rows, len(rows)), limit)]
    rng.shuffle(runs)
    passes: list[list[Row]] = []
    held = limit + 1
    for rows, size in runs:
        if held + size > limit:
            passes.append([])
            held = 0
        passes[-1] += rows
        held += size
    if len(passes) > 1 and held < limit / 2:
        passes.pop()  # a step on a few samples would weigh as much as one on many
    return Chunk(passes, sorted(bad), before - len(samples))


def _runs(rows: list[Row], limit: int) -> list[tuple[list[Row], int]]:
    """The samples of one tool list, cut in halves until they fit, each run with its tokens."""
    size = pack([r.prompt for r in rows], [r.completion for r in rows]).input_ids.shape[1]
    if len(rows) == 1 or size <= limit:
        return [(rows, size)]
    half = len(rows) // 2
    return _runs(rows[:half], limit) + _runs(rows[half:], limit)


def stream(spec: dict[str, Any], model: str, limit: int, first: int, workers: int) -> Generator[Any]:
    """(number, chunk) from chunk `first` on, without end; `workers` processes work ahead (0: this one)."""
    if not workers:
        yield from ((n, prepare(spec, n, model, limit)) for n in count(first))
    # A pool's processes end with it, whatever they do.
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        waiting: deque[Any] = deque()
        for n in count(first):
            while len(waiting) <= workers:
                waiting.append(pool.apply_async(prepare, (spec, n + len(waiting), model, limit)))
            yield n, waiting.popleft().get()


def passes(
    spec: dict[str, Any], model: str, limit: int, workers: int, state: dict[str, Any]
) -> Iterator[tuple[list[Row], dict[str, Any]]]:
    """The passes that `state` has not seen, each with what it changes in `state`.

    Ends the script where a chunk is empty.
    """
    first, left_out, bad_tools = state["chunk"], dict(state["left_out"]), set(state["bad_tools"])
    with closing(stream(spec, model, limit, first, workers)) as chunks:
        for number, chunk in chunks:
            if not chunk.passes:
                raise SystemExit(
                    f"No sample of seed {seed_of(spec, number)} is left: a benchmark has them all."
                )
            left_out[number] = chunk.left_out
            bad_tools |= set(chunk.bad_tools)
            for at in range(state["at"] if number == first else 0, len(chunk.passes)):
                now = {
                    "chunk": number,
                    "at": at + 1,
                    "left_out": dict(left_out),
                    "bad_tools": sorted(bad_tools),
                }
                yield chunk.passes[at], now


def packed_of(rows: Sequence[Row]) -> Packed:
    """A pass as one row."""
    return pack([r.prompt for r in rows], [r.completion for r in rows])
