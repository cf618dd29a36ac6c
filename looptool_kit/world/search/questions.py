"""Questions over the record base: one to three relations from a named entity, or two questions at once."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import NamedTuple

from looptool_kit.world.search.facts import Base, Fact

MAX_TRIES = 200
"""Chains that are drawn for one whose answer does not stand in its question."""
FRAMES = (
    "{0}",
    "{0}",
    "{0}",
    "I need to know this: {0}",
    "A question for you: {0}",
    "Can you look this up? {0}",
)
"""What may stand around a question."""
NAMED_SHARE = 0.1
"""Questions that say a relation by its name, as in "the founding year of": fewer, since people do so less."""
END_PHRASE_SHARE = 0.8
"""How often a phrase that reads well at the end of a question alone is taken there."""


class Question(NamedTuple):
    """A question and the facts that answer it."""

    text: str
    facts: tuple[Fact, ...]
    """In the order in which they have to be found; at once, where `both`."""
    both: bool = False
    """Whether these are two questions, neither of which waits for the other."""

    @property
    def answers(self) -> tuple[str, ...]:
        """What has to be said in the end."""
        return tuple(f.value for f in self.facts) if self.both else (self.facts[-1].value,)


def chain(base: Base, hops: int, rng: Random, named: bool = False, path: tuple[str, ...] = ()) -> Question:
    """Draw a question over so many relations.

    Each kind of chain comes as often as any other.

    Args:
        base: Where the facts are from.
        hops: The number of relations.
        rng: The random stream.
        named: As for `asked`.
        path: The relations by name, instead of any.

    Raises:
        ValueError: The base has none.
    """
    paths = base.chains(hops)
    if path and path not in paths:
        raise ValueError(f"the base has no chain of {', '.join(path)}")
    for _ in range(MAX_TRIES):
        facts = rng.choice(paths[path or rng.choice(sorted(paths))])
        question = Question(rng.choice(FRAMES).format(asked(base, facts, rng, named)), facts)
        if _is_open(question):
            return question
    raise ValueError(f"no question over {hops} relations hides its answer: ask for more (search.records)")


def pair(base: Base, rng: Random) -> Question:
    """Two questions of one relation each, about different entities."""
    paths = base.chains(1)
    for _ in range(MAX_TRIES):
        facts = tuple(rng.choice(paths[rng.choice(sorted(paths))])[0] for _ in range(2))
        first, second = (asked(base, (f,), rng) for f in facts)
        text = f"{first.removesuffix('?')}, and {second[0].lower()}{second[1:]}"
        question = Question(text, facts, both=True)
        if facts[0].subject != facts[1].subject and facts[0].value != facts[1].value and _is_open(question):
            return question
    raise ValueError("no two questions hide their answers: ask for more (search.records)")


def _is_open(question: Question) -> bool:
    """Whether no value to be found stands in the question, nor gives away its name in part."""
    text = question.text.casefold()
    return not any(f.value.casefold() in text for f in question.facts)


def asked(base: Base, facts: Sequence[Fact], rng: Random, named: bool = False) -> str:
    """A chain of facts as one question.

    Args:
        base: Where the facts are from.
        facts: Each is about the value of the one before.
        rng: The random stream.
        named: Whether it says each relation by its name, so that words tell the choices of one tool apart.
    """
    *usual, by_name = facts[-1].relation.asks
    ask = by_name if named or rng.random() < NAMED_SHARE else rng.choice(usual)
    at_end = not named and ask.endswith("{x}?")
    phrase = facts[0].subject.mention
    for fact in facts[:-1]:
        longer = fact.relation.phrase
        if fact.relation.end_phrase and at_end and rng.random() < END_PHRASE_SHARE:
            longer = fact.relation.end_phrase
        phrase = longer.format(x=phrase, sort=base.entities[fact.value].sort)
    return ask.format(x=phrase)


def told(facts: Sequence[Fact]) -> str:
    """A chain of facts as one sentence, without its full stop."""
    words = f"{_capital(facts[0].subject.mention)} {_predicate(facts[0])}"
    for fact in facts[1:]:
        words += f", {'who' if fact.subject.kind == 'person' else 'which'} {_predicate(fact)}"
    return words


def _predicate(fact: Fact) -> str:
    return fact.relation.predicate.format(y=fact.value)


def missed(facts: Sequence[Fact]) -> str:
    """A reply where the last fact of a chain is not there."""
    last = facts[-1]
    lacking = f"could not find {last.relation.indirect.format(x=last.subject.mention)}"
    if len(facts) > 1:
        return f"{told(facts[:-1])}, but I {lacking}."
    return f"I {lacking}."


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]
