"""The band of complexity for every source: what lies outside does not join, and drawing is steered.

ToolACE, section 2.2. Complexity is the loss of the label under the policy to be tuned
(`policy.label_loss`). Sources that draw (`world`, `evolved`, `templates`) are steered by three knobs: a tool
on offer that is near the right one, wording, and the reverse of both.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from random import Random
from typing import NamedTuple

from looptool_kit import world
from looptool_kit.augment.edits import calls_of
from looptool_kit.augment.perturb import perturb
from looptool_kit.core.errors import RunError
from looptool_kit.core.samples import Frozen, Sample, Samples, Tool
from looptool_kit.core.tables import Table, read_json
from looptool_kit.policy.label_loss import Score, under_base
from looptool_kit.policy.lengths import too_long
from looptool_kit.run.folder import Run
from looptool_kit.stages.seed.trees.complexity import Band
from looptool_kit.text.similar import Similarity, tool_text

FILE = "complexity.parquet"
"""All that was measured, in the folder `seed`; a stopped stage does not measure it again."""
ESTIMATE = "band.json"
"""The estimated band, in the folder `seed` (`looptool_kit.pilot`)."""
ROUND, MIN_ROUND = 100, 20
"""Samples that are measured before the knobs are turned again, and the fewest where fewer are wanted."""
MAX_ROUNDS = 12
"""Rounds without enough samples inside, for each `ROUND` of them that are wanted."""
MOST_OUTSIDE = 0.5
"""Share of a round that may lie on one side of the band before the knobs are turned."""


class Estimated(Frozen):
    """What `ESTIMATE` holds: the band, and what it was estimated from."""

    low: float
    high: float
    right_before: int
    wrong_after: int
    samples: int
    model: str


class Knobs(NamedTuple):
    """What makes samples harder; the opposite is less than 0."""

    distractors: int = 0
    """Tools on offer that are near the right one, more than the source gives; fewer where negative."""
    wording: int = 0
    """1: values said implicitly or in other formats; -1: values said as they are."""


HARDER = (Knobs(), Knobs(1, 0), Knobs(1, 1), Knobs(2, 1), Knobs(3, 1))
SIMPLER = (Knobs(), Knobs(-1, 0), Knobs(-1, -1), Knobs(-2, -1))
"""How far the knobs go on either side, more tools before other wording as in ToolACE, figure 2."""


class Complexity(Frozen):
    """What was measured of one drawn sample."""

    sample_id: str
    model: str
    loss: float
    place: str
    """simple, inside, hard"""
    distractors: int = 0
    wording: int = 0


class Complexities(Table[Complexity]):
    """One row for each sample that was measured, in order."""

    row_type = Complexity


def band_of(run: Run) -> Band | None:
    """Return the band of the settings, or the estimated one.

    None where there is none, or not yet.
    """
    wanted = run.settings.band
    if wanted.low is not None and wanted.high is not None:
        return Band(wanted.low, wanted.high)
    path = run.folder(0) / ESTIMATE
    if not wanted.estimate or not path.exists():
        return None
    facts = estimated(path)
    return Band(facts.low, facts.high)


def estimated(path: Path) -> Estimated:
    """What an estimate found; `RunError` where its file is damaged."""
    return read_json(
        path, Estimated, "Put it back, or move it away: `looptool loop` estimates the band again."
    )


def steered(level: int, places: Iterable[str]) -> int:
    """Return the next level of the knobs.

    Up where more than half is too simple, down where more than half is too hard.
    """
    count = Counter(places)
    if count["simple"] > MOST_OUTSIDE * count.total():
        return min(level + 1, len(HARDER) - 1)
    if count["hard"] > MOST_OUTSIDE * count.total():
        return max(level - 1, 1 - len(SIMPLER))
    return level


def knobs_at(level: int) -> Knobs:
    """Return the knobs of a level.

    0 is as the source draws, above is harder.
    """
    return HARDER[level] if level >= 0 else SIMPLER[-level]


class Sieve:
    """Keeps what lies inside the band, and adjusts the knobs.

    Between batches of drawing.
    """

    def __init__(self, run: Run, band: Band, score: Score | None = None) -> None:
        self._run, self._band, self._score = run, band, score
        self._path = run.folder(0) / FILE
        before = Complexities.read(self._path) if self._path.exists() else Complexities()
        self._known = {row.sample_id: row.loss for row in before if row.model == run.settings.model}
        self._rows = {row.sample_id: row for row in before if row.sample_id in self._known}
        self._overlong = too_long(run.settings.model)
        self.level = 0

    @staticmethod
    def of(run: Run) -> Sieve | None:
        """The sieve of a run; None where `[band]` is off.

        Raises:
            RunError: The band is to be estimated, and was not yet.
        """
        band = band_of(run)
        if band is None and run.settings.band.estimate:
            raise RunError(
                f"{run.folder(0) / ESTIMATE} does not exist: with band.estimate the band is taken from a"
                " first training. `looptool loop` does it, and so does looptool_kit.pilot.estimate(run); or"
                " set band.low and band.high."
            )
        return Sieve(run, band) if band else None

    def fill(
        self, draw: Callable[[int, int, Knobs], Sequence[Sample]], count: int, fewer: bool = False
    ) -> Samples:
        """`count` samples inside of the band.

        Args:
            draw: Draws a round: its number, how many samples, and with which knobs.
            count: The number of samples.
            fewer: Whether fewer will do.

        Raises:
            RunError: Hardly anything lies inside, however the knobs are turned.
        """
        kept: dict[str, Sample] = {}
        seen: Counter[str] = Counter()
        most = MAX_ROUNDS * -(-count // ROUND)
        for number in range(most):
            if len(kept) >= count:
                break
            size = min(ROUND, max(MIN_ROUND, count))
            rows = [s for s in draw(number, size, knobs_at(self.level)) if s.id not in kept]
            places = self.places([s for s in rows if not self._overlong(s)])
            kept |= {s.id: s for s in rows if places.get(s.id) == "inside"}
            seen.update(places.values())
            self.level = steered(self.level, places.values())
        self._tell(seen)
        if len(kept) < count and not fewer:
            raise RunError(
                f"{len(kept)} of {count} samples lie inside of the band {self._words()} after {most} rounds"
                f" ({dict(seen)}); {self._path} has every loss. Widen band.low to band.high, or take another"
                " seeds.source."
            )
        return Samples(list(kept.values())[:count])

    def losses(self, samples: Sequence[Sample]) -> dict[str, float]:
        """Sample id -> loss; what is measured is kept at once."""
        self.places(samples)
        return {s.id: self._known[s.id] for s in samples}

    def places(self, samples: Sequence[Sample]) -> Mapping[str, str]:
        """Place each sample: id -> `simple`, `inside` or `hard`.

        What is measured is kept at once.
        """
        for at in range(0, len(samples), ROUND):
            new = [s for s in samples[at : at + ROUND] if s.id not in self._known]
            if new:
                measure = self._score or under_base(self._run)
                self._known |= zip((s.id for s in new), measure(new), strict=True)
                self._keep(new)
        return {s.id: self._band.place(self._known[s.id]) for s in samples}

    def _keep(self, samples: Sequence[Sample]) -> None:
        knobs = knobs_at(self.level)
        found = {s.id: self._band.place(self._known[s.id]) for s in samples}
        for name, place in found.items():
            row = {"sample_id": name, "model": self._run.settings.model, "loss": self._known[name]}
            self._rows[name] = Complexity(**row, place=place, **knobs._asdict())
        Complexities(self._rows.values()).write(self._path)

    def outside(self, samples: Sequence[Sample]) -> dict[str, str]:
        """Say why samples do not join, by id.

        For samples that nobody can draw again.
        """
        places = self.places(samples)
        self._tell(Counter(places.values()))
        return {
            name: f"too {place}: loss {self._known[name]:.3f} is outside of {self._words()}"
            for name, place in places.items()
            if place != "inside"
        }

    def _words(self) -> str:
        return f"{self._band.low:g} to {self._band.high:g}"

    def _tell(self, seen: Counter[str]) -> None:
        turned = ", ".join(
            f"{name} {value:+d}" for name, value in knobs_at(self.level)._asdict().items() if value
        )
        print(
            f"band {self._words()}: of {seen.total()} samples {seen['inside']} inside, {seen['simple']} too"
            f" simple, {seen['hard']} too hard{f'; knobs now: {turned}' if turned else ''}",
            flush=True,
        )


# ------------------------------------------------------------------------ knobs


def turned(
    samples: Sequence[Sample], knobs: Knobs, catalogue: Sequence[Tool], seed: int | str
) -> list[Sample]:
    """Return the samples with the knobs applied.

    Where a sample does not allow it, it stays.

    Args:
        samples: Of the world or of templates, labels right.
        knobs: How far.
        catalogue: The tools that more may be taken from.
        seed: What is drawn by chance comes from it.
    """
    if knobs.wording:
        samples = [_reworded(s, knobs.wording, Random(f"{seed}/{s.id}")) for s in samples]
    if knobs.distractors < 0:
        return [_with_fewer(s, -knobs.distractors) for s in samples]
    if not knobs.distractors:
        return list(samples)
    similarity = Similarity([tool_text(t) for t in catalogue])
    out: list[Sample] = []
    for tools, group in groupby(samples, key=lambda s: s.tools):  # so that they share a list as before
        rows = list(group)
        more = _with_more(tools, rows, knobs.distractors, catalogue, similarity)
        # A tool more could be the one that is missing, or find out what is asked for.
        out += [s.model_copy(update={"tools": more}) if _acts(s) else s for s in rows]
    return out


def _acts(sample: Sample) -> bool:
    return bool(sample.label.calls) or (bool(sample.messages) and sample.messages[-1].role == "tool")


def _with_more(
    tools: Sequence[Tool],
    samples: Sequence[Sample],
    count: int,
    catalogue: Sequence[Tool],
    similarity: Similarity,
) -> tuple[Tool, ...]:
    """The list with the tools that are nearest to those that are called."""
    called = {c.name for s in samples for c in calls_of(s)}
    targets = [tool_text(t) for t in tools if t.name in called] or [tool_text(t) for t in tools]
    others = [t for t in catalogue if t.name not in {o.name for o in tools}]
    if not others or not targets:
        return tuple(tools)
    nearest = similarity.cosines(targets, [tool_text(t) for t in others]).max(axis=0)
    chosen = sorted(zip(-nearest, (t.name for t in others), others, strict=True), key=lambda row: row[:2])[
        :count
    ]
    out = list(tools)
    for _, name, tool in chosen:
        out.insert(Random(f"{name}/{len(out)}").randint(0, len(out)), tool)
    return tuple(out)


def _with_fewer(sample: Sample, count: int) -> Sample:
    """The sample without some of the tools that it does not call; a request to decline keeps its tools."""
    called = {c.name for c in calls_of(sample)}
    spare = [t.name for t in sample.tools if t.name not in called][:count] if _acts(sample) and called else []
    return sample.model_copy(update={"tools": tuple(t for t in sample.tools if t.name not in spare)})


def _reworded(sample: Sample, wording: int, rng: Random) -> Sample:
    """The plan of a sample of the world with all values said implicitly, or none; else other formats."""
    if "calls" not in sample.meta:
        other = perturb("formats", sample, rng, Samples()) if wording > 0 else None
        kept = {name: getattr(sample, name) for name in ("split", "source", "strategy", "parent", "meta")}
        return other.model_copy(update=kept) if other else sample
    plan = [{**c, "implicit": c["mention"] if wording > 0 else []} for c in sample.meta["calls"]]  # type: ignore
    planned = sample.model_copy(update={"meta": {**sample.meta, "calls": plan}})
    try:
        other = world.variant(planned, rng, tools=[t.name for t in sample.tools])
    except ValueError:  # nothing to say otherwise
        return sample
    same = {t.name for t in other.tools} == {t.name for t in sample.tools}
    return other.model_copy(update={"parent": sample.parent, "tools": sample.tools if same else other.tools})
