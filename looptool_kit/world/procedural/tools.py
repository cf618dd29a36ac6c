"""Procedural tools: sampled signatures over the kinds of things (RandomWorld, arXiv 2506.11045).

A tool finds a thing of one kind by things of other kinds: `find_invoice_by_order_city(order_id, city)`. Its
body is a draw of the output type, memoised on its arguments (`world.execute`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from random import Random
from typing import NamedTuple

from looptool_kit.world.grammar import listed
from looptool_kit.world.procedural.kinds import Either, Kind, either, is_held, kinds
from looptool_kit.world.spec import P, Spec, T

SPLITS = ("train", "unseen_tools", "unseen_types")
VERBS = ("find", "get", "fetch", "look_up")
UNION_SHARE = 0.15
"""Share of the parameters that take either of two kinds."""
HELD_SHARE = 5
"""One tool in so many is kept for the split `unseen_tools`, chosen by a hash."""
MAX_NAME = 60
"""Characters of a name; inputs that would make it longer are left out of it."""
MAX_TRIES = 50
"""Draws for one new signature, after which there are no more."""


class Signature(NamedTuple):
    """A tool by the kinds that it takes and gives."""

    spec: Spec
    inputs: tuple[Kind | Either, ...]
    output: Kind

    @property
    def split(self) -> str:
        """Which split it serves.

        Held-out kinds make `unseen_types`, a hash of its name `unseen_tools`.
        """
        members = [m for i in self.inputs for m in (i.members if isinstance(i, Either) else (i,))]
        if any(map(is_held, (*members, self.output))):
            return "unseen_types"
        digest = hashlib.blake2b(self.spec.name.encode(), digest_size=4).digest()
        return "unseen_tools" if digest[-1] % HELD_SHARE == 0 else "train"


@lru_cache(maxsize=8)
def signatures(tools: int, inputs: tuple[int, int], unions: bool, seed: int | str) -> tuple[Signature, ...]:
    """Draw `tools` different signatures.

    Args:
        tools: How many.
        inputs: Fewest and most parameters of a tool.
        unions: Whether a parameter may take either of two kinds.
        seed: What they are drawn from.

    Raises:
        ValueError: There are not so many, as with no or one parameter.
    """
    rng = Random(f"{seed}/signatures")
    found: dict[str, Signature] = {}
    names: set[str] = set()
    for _ in range(MAX_TRIES * tools):
        if len(found) == tools:
            break
        output = rng.choice(kinds())
        few = rng.sample([k for k in kinds() if k is not output], 2 * inputs[1])
        count = rng.randint(*inputs)
        taken: list[Kind | Either] = []
        for at in range(count):
            one, other = few[2 * at : 2 * at + 2]
            # "The hotel X" stands before what it belongs to, "at 6 pm" behind.
            both = unions and rng.random() < UNION_SHARE and not (one.late or other.late)
            taken.append(either(one, other) if both else one)
        made = Signature(_spec(rng.choice(VERBS), output, taken), tuple(taken), output)
        if made.spec.name not in names and _key(made) not in found:
            found[_key(made)] = made
            names.add(made.spec.name)
    if len(found) < tools:
        raise ValueError(
            f"there are only {len(found)} of {tools} signatures with {inputs[0]} to {inputs[1]} parameters;"
            " lower procedural.tools or raise procedural.inputs"
        )
    return tuple(found.values())


def _key(made: Signature) -> str:
    return " ".join([made.output.noun, *sorted(i.a for i in made.inputs)])


def _spec(verb: str, output: Kind, inputs: Sequence[Kind | Either]) -> Spec:
    """The tool itself, with the words that its kinds give."""
    what = output.parameter.removesuffix("_id")
    name = f"{verb}_{what}_by" if inputs else f"{verb}_own_{what}"
    for taken in inputs:
        longer = f"{name}_{taken.parameter.removesuffix('_id')}"
        name = longer if len(longer) <= MAX_NAME else name
    of = f" that belongs to {listed([i.a for i in inputs])}" if inputs else " of the user"
    words = verb.replace("_", " ")
    return T(
        name,
        f"{words.capitalize()} the {output.noun}{of}.",
        [P(i.parameter, i.type, desc=i.type.description) for i in inputs],
        do=(f"{words} the {output.noun}",),
        out={output.parameter: output.type},
        reply=f"The {output.noun} is {{{output.parameter}}}.",
    )


def pool(all_of: Sequence[Signature], split: str) -> list[Signature]:
    """The tools of a split.

    All splits but `unseen_tools` and `unseen_types` share theirs.
    """
    return [s for s in all_of if s.split == (split if split in SPLITS else "train")]
