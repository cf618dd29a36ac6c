"""The record base: made-up people, works, organisations and places, and what is true of them.

Every relation is a function and every name is unique, so that a question has exactly one answer.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from functools import cached_property, lru_cache
from random import Random
from typing import NamedTuple

from looptool_kit.checks.searches import Passage
from looptool_kit.world import pools
from looptool_kit.world.search.relations import RELATIONS, Relation, concerns

HELD_OUT_ONE_IN = 4
"""One name in so many belongs to held-out records alone, by its checksum."""
WORK_SORTS = ("novel", "play", "poem", "memoir", "cookbook", "travel guide")
PUBLISHER_KINDS = ("Books", "Press", "Publishing", "House", "Editions")
CLUB_KINDS = ("Football Club", "Hockey Club", "Rugby Club", "Handball Club", "Basketball Club")
GROUND_KINDS = ("Park", "Stadium", "Arena", "Field")
BIRTHS, FOUNDINGS, OPENINGS = (1930, 1995), (1955, 2015), (1890, 2015)
NEWEST_WORK = 2024
"""No work is newer: requests are made later than that."""
HELD_OUT_WORKS = 200
"""Works of the base that held-out records come from, whatever `search.records` is."""
MIN_WORKS, MAX_WORKS = 20, 1500
"""Bounds of `search.records`: with fewer a relation is missing, for more there are no titles."""
ADULT = 20
"""Years from a birth to a first book, or to founding something."""
FIRST_NAMES = tuple(n for n in pools.FIRST if n not in pools.CITIES)
"""Without those that are cities too: nobody could tell which is meant."""


class Entity(NamedTuple):
    """Somebody or something that has a name."""

    name: str
    kind: str
    """person, work, company, club or place"""
    sort: str
    """What it is called in a sentence: `novel`, `company`."""

    @property
    def mention(self) -> str:
        """How a question names it."""
        return f'the {self.sort} "{self.name}"' if self.kind == "work" else self.name


class Fact(NamedTuple):
    """What a relation gives for a subject."""

    subject: Entity
    relation: Relation
    value: str
    """A name or a year."""


class Base:
    """All entities and facts."""

    def __init__(self) -> None:
        self.entities: dict[str, Entity] = {}
        self.facts: dict[tuple[str, str], Fact] = {}
        """(name of the subject, relation) -> fact"""
        self.wordings: dict[tuple[str, str], int] = {}
        """Which of its three sentences states it."""

    def add(self, name: str, kind: str, sort: str = "") -> Entity:
        """A new entity."""
        entity = self.entities[name] = Entity(name, kind, sort or kind)
        return entity

    def state(self, subject: Entity, relation: str, value: str, rng: Random) -> None:
        """Let a fact hold, in one of its wordings."""
        assert concerns(RELATIONS[relation], subject.kind)
        self.facts[subject.name, relation] = Fact(subject, RELATIONS[relation], value)
        self.wordings[subject.name, relation] = rng.randrange(3)

    def passage(self, fact: Fact) -> Passage:
        """The sentence of a fact."""
        text = fact.relation.facts[self.wordings[fact.subject.name, fact.relation.name]]
        words = text.format(x=fact.subject.name, y=fact.value, sort=fact.subject.sort)
        return Passage(title=fact.subject.name, text=words, kind=fact.subject.kind)

    def chains(self, length: int) -> dict[tuple[str, ...], list[tuple[Fact, ...]]]:
        """Names of relations -> the chains of facts along them.

        Each chain is over different entities.
        """
        return self._chains[length]

    @cached_property
    def _chains(self) -> dict[int, dict[tuple[str, ...], list[tuple[Fact, ...]]]]:
        of: dict[str, list[Fact]] = {}
        for fact in self.facts.values():
            of.setdefault(fact.subject.name, []).append(fact)

        def longer(chain: tuple[Fact, ...], length: int) -> Iterator[tuple[Fact, ...]]:
            if len(chain) == length:
                yield chain
                return
            passed = {f.subject.name for f in chain}
            for fact in of.get(chain[-1].value, ()):
                if fact.value not in passed:
                    yield from longer((*chain, fact), length)

        found: dict[int, dict[tuple[str, ...], list[tuple[Fact, ...]]]] = {}
        for length in (1, 2, 3):
            paths = found[length] = {}
            for first in self.facts.values():
                for chain in longer((first,), length):
                    paths.setdefault(tuple(f.relation.name for f in chain), []).append(chain)
        return found


def is_held(name: str) -> bool:
    """Whether a name belongs to held-out records."""
    return zlib.crc32(name.encode()) % HELD_OUT_ONE_IN == 0


@lru_cache(16)
def base(works: int, seed: int | str, held: bool = False) -> Base:
    """A record base; people, organisations and grounds come with the works.

    Args:
        works: The number of works.
        seed: What names and facts are drawn from.
        held: Whether names are of held-out records; no other base has them.

    Raises:
        ValueError: There are not as many names.
    """
    rng, made = Random(f"{seed}/records/{held}"), Base()
    name = _names(rng, held, made)
    publishers = [name(_publisher, "company") for _ in range(_share(works, 8, 20))]
    companies = [name(_company, "company") for _ in range(_share(works, 6, 60))]
    clubs = [name(_club, "club") for _ in range(_share(works, 12, 20))]
    grounds = [name(_ground, "place", "ground") for _ in clubs]
    authors = [name(_person, "person") for _ in range(works * 2 // 3)]
    others = [name(_person, "person") for _ in range(works // 3)]
    organisations = [*publishers, *companies, *clubs]
    founders = [name(_person, "person") for _ in organisations]
    born = {p.name: rng.randint(*BIRTHS) for p in (*authors, *others, *founders)}
    for person in (*authors, *others, *founders):
        made.state(person, "birthplace", rng.choice(pools.CITIES), rng)
        made.state(person, "birth_year", str(born[person.name]), rng)
    for person in authors:
        made.state(person, "employer", rng.choice(companies).name, rng)
    for number, person in enumerate(others):
        made.state(person, "employer", rng.choice(clubs if number % 2 else companies).name, rng)
    for organisation, founder in zip(organisations, founders, strict=True):
        made.state(organisation, "founder", founder.name, rng)
        earliest = max(FOUNDINGS[0], born[founder.name] + ADULT)
        made.state(
            organisation, "founding_year", str(rng.randint(earliest, max(earliest, FOUNDINGS[1]))), rng
        )
    for company in (*publishers, *companies):
        made.state(company, "headquarters", rng.choice(pools.CITIES), rng)
    for club, ground in zip(clubs, grounds, strict=True):
        made.state(club, "home_ground", ground.name, rng)
        made.state(ground, "city", rng.choice(pools.CITIES), rng)
        made.state(ground, "opening_year", str(rng.randint(*OPENINGS)), rng)
    for _ in range(works):
        work, author = name(_title, "work", rng.choice(WORK_SORTS)), rng.choice(authors)
        publisher = rng.choice(publishers)
        founded = int(made.facts[publisher.name, "founding_year"].value)
        earliest = max(born[author.name] + ADULT, founded)
        made.state(work, "author", author.name, rng)
        made.state(work, "publisher", publisher.name, rng)
        made.state(work, "publication_year", str(rng.randint(earliest, NEWEST_WORK)), rng)
    return made


MAX_TRIES = 5000
"""Names that are drawn for one that is still free."""


def _share(works: int, one_in: int, most: int) -> int:
    """How many organisations of a sort there are: names of theirs are fewer than titles."""
    return max(2, min(most, works // one_in))


def _names(rng: Random, held: bool, made: Base) -> Callable[..., Entity]:
    """What adds an entity under a name that nobody has."""

    def add(draw: Callable[[Random], str], kind: str, sort: str = "") -> Entity:
        for _ in range(MAX_TRIES):
            name = draw(rng)
            if is_held(name) == held and name not in made.entities:
                return made.add(name, kind, sort)
        raise ValueError(f"there are not enough names of a {sort or kind}: ask for fewer (search.records)")

    return add


def _person(rng: Random) -> str:
    return f"{rng.choice(FIRST_NAMES)} {rng.choice(pools.LAST)}"


def _company(rng: Random) -> str:
    return f"{rng.choice(pools.COMPANIES)} {rng.choice(pools.COMPANY_KINDS)}"


def _publisher(rng: Random) -> str:
    return f"{rng.choice(pools.COMPANIES)} {rng.choice(PUBLISHER_KINDS)}"


def _club(rng: Random) -> str:
    return f"{rng.choice(pools.COMPANIES)} {rng.choice(CLUB_KINDS)}"


def _ground(rng: Random) -> str:
    return f"{rng.choice(pools.NOUNS)} {rng.choice(GROUND_KINDS)}"


def _title(rng: Random) -> str:
    return f"The {rng.choice(pools.ADJECTIVES)} {rng.choice(pools.NOUNS)}"
