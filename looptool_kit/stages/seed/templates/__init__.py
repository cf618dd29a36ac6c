"""The source `templates`: samples for anybody's tools without a language model.

    samples = generate(load_tools("my_tools.py"), 200, seed=1)
    held = generate(tools, 30, seed=1, split="unseen_values")

Templates are written from names, descriptions and schemas. Values are drawn from the schemas, and requests
are composed from the descriptions by the world's grammar. Every sample has passed the rule tier and a check
that no other tool on offer fits its request. One seed gives the same samples byte for byte. With
`seeds.paraphrase` a language model words a share of the requests again.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

from looptool_kit.core.records import HELD_OUT_SPLITS
from looptool_kit.core.samples import Sample, Samples, Tool
from looptool_kit.run.folder import Run
from looptool_kit.stages.seed._band import Knobs, Sieve, turned
from looptool_kit.stages.seed._draw import BLOCK, Reject, Seeded, development_seed, held_out_seed, pool_of
from looptool_kit.stages.seed.templates.generate import SPLITS, WEIGHTS, generate, held_tools, usable
from looptool_kit.stages.seed.templates.paraphrase import paraphrased
from looptool_kit.stages.seed.templates.room import Fits, room_of
from looptool_kit.stages.seed.templates.trial import trial
from looptool_kit.tools.own_tools import tools_of

SETTINGS = ("seeds.noise", "seeds.paraphrase")
MADE_UP = True
__all__ = ["SETTINGS", "SPLITS", "WEIGHTS", "draw", "generate", "held_tools", "usable"]


def draw(run: Run, count: int, have: Samples | None, reject: Reject) -> Seeded:
    """Draw seed data of the run's own tools, as `_draw` says.

    Tools that cannot be asked for, and those without a sample, are rejected with the reason.
    """
    settings, wanted, tools = run.settings, run.settings.seeds, tools_of(run)
    fits = room_of(settings.model)
    sieve = Sieve.of(run)
    first_drawn = _within(sieve, tools, wanted.first, settings.seed, fits)
    clean = paraphrased(first_drawn, run, reject)
    drawn = list(first_drawn)  # in the templates' words, whatever a model makes of them
    held_out = Samples()
    for split in HELD_OUT_SPLITS:
        seed, before = held_out_seed(run), [*drawn, *clean, *held_out]
        held_out += generate(tools, wanted.held_out, seed=seed, split=split, avoid=before, fits=fits)
    avoid = [*drawn, *clean, *held_out]
    like = Samples()
    if settings.development:
        seed = development_seed(run)
        like = generate(tools, settings.development, seed=seed, avoid=avoid, fits=fits)

    def block(number: int, before: list[Sample]) -> Samples:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # only a pool that is cut short is worth a word
            name = f"{settings.seed}/fresh/{number}"
            new = _within(sieve, tools, BLOCK, name, fits, [*avoid, *like, *drawn, *before], fewer=True)
        drawn.extend(new)
        wanted_now = max(0, count - len(clean) - len(before))  # what nobody will read is not paid for
        return Samples([*paraphrased(new[:wanted_now], run, reject), *new[wanted_now:]])

    pool, truth = pool_of(run, clean, [*drawn, *held_out, *like], block, count)
    if len(pool) < count:
        warnings.warn(
            f"templates made a pool of {len(pool)} of {count} different samples from {len(tools)} tools",
            stacklevel=2,
        )
    _name_the_rest(tools, [*clean, *pool[len(clean) :], *held_out], fits, reject)
    return pool, held_out, like, truth


def _name_the_rest(tools: Sequence[Tool], samples: Sequence[Sample], fits: Fits, reject: Reject) -> None:
    """Reject the tools that cannot be asked for, and those for which every request was refused."""
    pool, reasons = usable(tools, fits)
    asked = {c.name for s in samples for c in s.label.calls}
    missing = [a for a in pool if a.tool.name not in asked]
    never = trial(missing, fits, pool).without if missing else {}
    if left := len(missing) - len(never):
        warnings.warn(
            f"{left} of {len(tools)} tools are called in none of the {len(samples)} samples: for more raise"
            " seeds.first",
            stacklevel=3,
        )
    for number, tool in enumerate(tools, 1):
        if reason := reasons.get(tool.name) or never.get(tool.name):
            reject("tools.json", number, tool.name, f"templates leave it out: {reason}")


def _within(
    sieve: Sieve | None,
    tools: Sequence[Tool],
    count: int,
    seed: int | str,
    fits: Fits,
    avoid: Sequence[Sample] = (),
    fewer: bool = False,
) -> Samples:
    """`count` train samples, inside of the band where there is one; `fewer` as for `Sieve.fill`."""
    if sieve is None:
        return generate(tools, count, seed=seed, avoid=avoid, fits=fits)
    held = held_tools([able.tool for able in usable(tools)[0]])

    def draw(number: int, size: int, knobs: Knobs) -> list[Sample]:
        name = f"{seed}/band/{number}"
        rows = generate(tools, size, seed=name, avoid=avoid, fits=fits)
        return turned(rows, knobs, [t for t in tools if t.name not in held], name)

    return sieve.fill(draw, count, fewer)
