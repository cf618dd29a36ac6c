"""Proposers of plans, one strategy a file, chosen by `reverse.proposer`; the expander `reverse` asks them.

A proposer is a module of this package with one function

    make(run, iteration, place, key, seed) -> Proposer

`place` is a folder of its own, to be resumed in; `key` is what decides all that it does. They lie here, and
not beside the expanders, since the policy's own trainers train them.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any, Protocol

from looptool_kit.world.proposed import Line, Preferred, Prompt


class Proposer(Protocol):
    """Writes plans, and learns which of its plans were wanted."""

    def propose(self, prompt: Prompt, kinds: Sequence[str | None], rng: Random) -> list[Line]:
        """Write a line for each of `kinds`, that of such a plan.

        None leaves the kind to the proposer. Nothing has been checked: a line may be no plan at all, or a
        kind another one where the tools allow none of that.
        """
        ...

    def learn(self, pairs: Sequence[Preferred], number: int) -> None:
        """Learn from the round's pairs.

        The chosen ones become more likely than the rejected ones.
        """
        ...

    def facts(self) -> dict[str, Any]:
        """Return what `proposer.json` tells.

        `trained` is the number of tokens of its own trainings, where it has any.
        """
        ...
