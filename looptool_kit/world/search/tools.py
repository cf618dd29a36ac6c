"""Virtual search tools, each with variants that are alike in meaning and unlike in words (ToolForge).

A tool takes the name of what is looked for and, as a choice, what to find out about it. So a call has one
right form, which a free query has not.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from random import Random
from typing import Any, NamedTuple

from looptool_kit.core.samples import Tool
from looptool_kit.text.bm25 import BM25
from looptool_kit.text.similar import Similarity, tool_text
from looptool_kit.world.search.relations import RELATIONS, concerns

GENERAL = "general"
"""The tool that searches everything; it is never on offer beside one that can do the same."""


class Virtual(NamedTuple):
    """A search tool before it has a name.

    It says what the tool searches, in words to choose from.
    """

    noun: tuple[str, ...]
    """What its name may speak of."""
    about: tuple[str, ...]
    """What can be found out."""
    descriptions: tuple[str, ...]
    entity: tuple[str, ...]
    """Descriptions of the name that it takes."""


def _relations(*kinds: str) -> tuple[str, ...]:
    return tuple(r.name for r in RELATIONS.values() if any(concerns(r, k) for k in kinds))


VIRTUAL = {
    "person": Virtual(
        ("person", "people", "biography", "profile", "human"),
        _relations("person"),
        (
            "Search facts about a person: place and year of birth, and the employer.",
            "Person finder. Gives the birthplace, birth year or employer of somebody by full name.",
            "Looks up one fact about a person, such as the birthplace or the employer.",
            "Retrieve biographical facts of persons: birth, employer.",
        ),
        ("Full name of the person.", "Whom to look up, by full name.", "The person's name as it is written."),
    ),
    "work": Virtual(
        ("work", "book", "literature", "title", "library"),
        _relations("work"),
        (
            "Search facts about a written work: its author, its publisher, the publication year.",
            "Literature finder. Gives author, publisher or publication year of a work by its title.",
            "Looks up one fact about a book, play or poem, such as the author of the work.",
            "Retrieve catalogue facts of written works: author, publisher, publication year.",
        ),
        ("Title of the work.", "The written work, by its full title.", "The title as it is printed."),
    ),
    "organisation": Virtual(
        ("organisation", "company", "firm", "business", "institution"),
        _relations("company", "club"),
        (
            "Search facts about a company or a club: headquarters, founder, founding year, home ground.",
            "Organisation finder. Gives founder, founding year, headquarters or home ground by name.",
            "Looks up one fact about an organisation, be it a company or a sports club.",
            "Retrieve register facts of organisations: founder, founding year, headquarters, home ground.",
        ),
        (
            "Name of the organisation.",
            "Which company or club, by its full name.",
            "The organisation's registered name.",
        ),
    ),
    "place": Virtual(
        ("place", "venue", "ground", "location", "site"),
        _relations("place"),
        (
            "Search facts about a sports ground: the city it is in, its opening year.",
            "Venue finder. Gives the city or the opening year of a stadium, park or arena by name.",
            "Looks up one fact about a place where sports are played, such as its city.",
            "Retrieve facts of grounds and stadiums: city, opening year.",
        ),
        ("Name of the place.", "Which ground or stadium, by its full name.", "The place's official name."),
    ),
    GENERAL: Virtual(
        ("general", "knowledge", "encyclopedia", "fact", "universal"),
        _relations("person", "work", "company", "club", "place"),
        (
            "Search facts about anything that has a name: persons, written works, organisations, places.",
            "Fact finder. Gives one fact about a person, a work, an organisation or a place by name.",
            "Looks up one fact about somebody or something by name, whatever it is.",
            "Retrieve encyclopedic facts of persons, works, organisations and sports grounds.",
        ),
        ("Name of what is looked for.", "Whom or what to look up, by full name.", "The exact name."),
    ),
    "recipe": Virtual(
        ("recipe", "dish", "cooking"),
        ("ingredients", "cooking_time", "servings"),
        ("Search facts about a dish: its ingredients, the cooking time, how many it serves.",),
        ("Name of the dish.",),
    ),
    "product": Virtual(
        ("product", "item", "article"),
        ("price", "weight", "warranty"),
        ("Search facts about a product on sale: price, weight, warranty.",),
        ("Name of the product.",),
    ),
    "species": Virtual(
        ("species", "animal", "wildlife"),
        ("habitat", "diet", "lifespan"),
        ("Search facts about an animal: habitat, diet, lifespan.",),
        ("Name of the species.",),
    ),
    "weather": Virtual(
        ("weather", "climate", "forecast"),
        ("temperature", "rainfall", "wind"),
        ("Search the weather of a region: temperature, rainfall, wind.",),
        ("Name of the region.",),
    ),
}
SPECIFIC = ("person", "work", "organisation", "place")
ASIDE = ("recipe", "product", "species", "weather")
"""Tools on offer that answer none of the questions."""
NAMES = (
    "{noun}_search",
    "search_{noun}",
    "find_{noun}",
    "{noun}_lookup",
    "lookup_{noun}",
    "{noun}_finder",
    "query_{noun}",
    "get_{noun}_fact",
    "fetch_{noun}",
    "{noun}_info",
)
ENTITY = ("entity", "name", "subject", "full_name", "target", "item", "entry")
ABOUT = ("about", "topic", "attribute", "field", "aspect", "relation", "property")
ABOUT_WORDS = (
    "What to find out.",
    "The fact that is wanted.",
    "Which of its facts to return.",
    "Wanted information.",
)
LIMIT = ("limit", "max_results", "top_k", "result_count")
"""Names of the optional parameter that a request may speak of."""
OPTIONAL: dict[str, dict[str, Any]] = {
    **{n: {"type": "integer", "minimum": 1, "description": "Most results."} for n in LIMIT},
    "language": {"type": "string", "description": "Language."},
    "source": {"type": "string", "description": "Collection."},
    "sort_by": {"type": "string", "enum": ["relevance", "date"], "description": "Order."},
    "exact_match": {"type": "boolean", "description": "Same spelling."},
    "include_archived": {"type": "boolean", "description": "Older entries too."},
    "updated_after": {"type": "string", "format": "date", "description": "YYYY-MM-DD."},
    "snippet_length": {"type": "integer", "minimum": 1, "description": "Characters."},
    "region": {"type": "string", "description": "Country."},
    "verified_only": {"type": "boolean", "description": "Confirmed facts alone."},
    "page": {"type": "integer", "minimum": 1, "description": "Number."},
    "format": {"type": "string", "enum": ["short", "long"], "description": "Length."},
}
KEPT, CAMEL = 0.6, 0.3
"""How often a part of a tool stays in a variant, and how often its name is in camelCase."""
BOUNDED = 0.6
"""How often a variant can bound its results: requests speak of no other optional parameter."""
EXTRAS = (1, 5)
"""Fewest and most optional parameters that a variant has more."""
MAX_TRIES, CHUNK = 3000, 50
"""Variants of a tool that are drawn at the most, and at a time."""


class Search(NamedTuple):
    """A tool on offer and how it is called."""

    kind: str
    """Key of `VIRTUAL`."""
    tool: Tool
    entity: str
    """Its parameter for the name."""
    about: str
    limit: str
    """Its parameter for the most results; empty where it has none."""


def original(kind: str) -> Search:
    """A tool as it is before it is varied."""
    virtual = VIRTUAL[kind]
    words = (virtual.descriptions[0], virtual.entity[0], ABOUT_WORDS[0])
    return _search(kind, (f"{kind}_search", ENTITY[0], ABOUT[0]), words, [])


def _search(
    kind: str,
    names: tuple[str, str, str],
    words: tuple[str, str, str],
    extras: Sequence[str],
    order: Random | None = None,
) -> Search:
    """A tool of these names and descriptions, each for tool, entity and about; with `order` shuffled."""
    name, entity, about = names
    properties: dict[str, Any] = {
        entity: {"type": "string", "description": words[1]},
        about: {"type": "string", "enum": list(VIRTUAL[kind].about), "description": words[2]},
        **{n: dict(OPTIONAL[n]) for n in extras},
    }
    if order:
        places = list(properties)
        order.shuffle(places)
        properties = {n: properties[n] for n in places}
        order.shuffle(properties[about]["enum"])
    parameters = {"type": "object", "properties": properties, "required": [entity, about]}
    tool = Tool(name=name, description=words[0], parameters=parameters)
    return Search(kind, tool, entity, about, next((n for n in extras if n in LIMIT), ""))


def variant(kind: str, rng: Random) -> Search:
    """A tool renamed and reordered, with one to five more optional parameters."""
    virtual = VIRTUAL[kind]

    def some(pool: Sequence[str]) -> str:
        return pool[0] if rng.random() < KEPT else rng.choice(pool[1:] or pool)

    name = rng.choice(NAMES).format(noun=some(virtual.noun))
    if rng.random() < CAMEL:
        head, *rest = name.split("_")
        name = head + "".join(part.title() for part in rest)
    limit, others = rng.choice(LIMIT), [n for n in OPTIONAL if n not in LIMIT]
    count, bounded = rng.randint(*EXTRAS), rng.random() < BOUNDED
    extras = [limit, *rng.sample(others, count - 1)] if bounded else rng.sample(others, count)
    words = (some(virtual.descriptions), some(virtual.entity), some(ABOUT_WORDS))
    return _search(kind, (name, some(ENTITY), some(ABOUT)), words, extras, rng)


def common_words(new: Tool, others: Sequence[Tool]) -> list[float]:
    """How far each other tool has a new one's words.

    It is the other's BM25 over that of the new one itself.
    """
    text = tool_text(new)
    *scores, own = BM25([*(tool_text(t) for t in others), text]).scores(text)
    return [score / own for score in scores]


def _letters(search: Search) -> str:
    return search.tool.name.replace("_", "").lower()


@lru_cache(16)
def bank(variants: int, same: float, words: float, seed: int | str) -> dict[str, list[Search]]:
    """Kind of tool -> the tool and its variants.

    A variant is kept where it is like the original, by the cosine, and where of every one that is there
    already, the original among them, at most a share `words` of its words are common by BM25. ToolForge takes
    the mean of raw scores, which have no scale, and lets a copy of one among many pass.

    Raises:
        ValueError: There are not as many variants.
    """
    similarity = Similarity([tool_text(original(kind).tool) for kind in VIRTUAL])
    made: dict[str, list[Search]] = {}
    for kind in VIRTUAL:
        rng, kept = Random(f"{seed}/variants/{kind}"), [original(kind)]
        text = [tool_text(kept[0].tool)]
        for _ in range(MAX_TRIES // CHUNK):
            if len(kept) > variants:
                break
            new = [variant(kind, rng) for _ in range(CHUNK)]
            likeness = similarity.cosines(text, [tool_text(s.tool) for s in new])[0]
            for search in (s for s, cosine in zip(new, likeness, strict=True) if cosine >= same):
                if len(kept) > variants or _letters(search) in {_letters(s) for s in kept}:
                    continue
                if max(common_words(search.tool, [s.tool for s in kept])) <= words:
                    kept.append(search)
        if len(kept) <= variants:
            raise ValueError(
                f"{len(kept) - 1} of {variants} variants of {kept[0].tool.name} are like it (search.same ="
                f" {same:g}) and unlike each other in words (search.words = {words:g}): lower the one, raise"
                " the other, or ask for fewer (search.variants)"
            )
        made[kind] = kept
    return made
