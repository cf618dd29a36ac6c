"""The relations of the record base and their English: three sentences a fact, questions, and what is replied.

Names stand in the sentences as they are, and every subject is singular, so that nothing has to agree.
"""

from __future__ import annotations

from typing import NamedTuple


class Relation(NamedTuple):
    """A function from an entity to another value.

    That is another entity, a city or a year.
    """

    name: str
    of: str
    """Kind of its subject; `organisation`: a company or a club."""
    facts: tuple[str, str, str]
    """Sentences that state it: {x} is the subject, {sort} its sort, {y} the value."""
    asks: tuple[str, ...]
    """Questions for it; the last one has the relation's own name in it."""
    predicate: str
    """What follows the subject in an answer."""
    indirect: str
    """The question as a clause."""
    phrase: str = ""
    """The value as a noun phrase; empty where no relation starts from it."""
    end_phrase: str = ""
    """The same at the end of a sentence; {sort} is the value's."""


_ALL = (
    Relation(
        "author",
        "work",
        ("{x} is a {sort} by {y}.", "{y} wrote the {sort} {x}.", "The {sort} {x} was written by {y}."),
        ("Who wrote {x}?", "Who is the author of {x}?"),
        "was written by {y}",
        "who wrote {x}",
        "the author of {x}",
    ),
    Relation(
        "publisher",
        "work",
        (
            "{x} was published by {y}.",
            "{y} published the {sort} {x}.",
            "The publisher of the {sort} {x} is {y}.",
        ),
        ("Which company published {x}?", "Who is the publisher of {x}?"),
        "was published by {y}",
        "which company published {x}",
        "the publisher of {x}",
    ),
    Relation(
        "publication_year",
        "work",
        (
            "{x} was published in {y}.",
            "The {sort} {x} came out in {y}.",
            "The {sort} {x} has been in print since {y}.",
        ),
        ("In what year was {x} published?", "When did {x} come out?", "What is the publication year of {x}?"),
        "was published in {y}",
        "when {x} was published",
    ),
    Relation(
        "birthplace",
        "person",
        ("{x} was born in {y}.", "{x} is a native of {y}.", "{y} is the birthplace of {x}."),
        ("Where was {x} born?", "In which city was {x} born?", "What is the birthplace of {x}?"),
        "was born in {y}",
        "where {x} was born",
    ),
    Relation(
        "birth_year",
        "person",
        ("{x} was born in {y}.", "{x} was born in the year {y}.", "The year of birth of {x} is {y}."),
        ("In what year was {x} born?", "When was {x} born?", "What is the birth year of {x}?"),
        "was born in {y}",
        "when {x} was born",
    ),
    Relation(
        "employer",
        "person",
        ("{x} works for {y}.", "{x} is employed by {y}.", "{y} is the employer of {x}."),
        ("Who does {x} work for?", "Which organisation does {x} work for?", "Who is the employer of {x}?"),
        "works for {y}",
        "who {x} works for",
        "the employer of {x}",
        "the {sort} that {x} works for",
    ),
    Relation(
        "headquarters",
        "company",
        ("{x} is based in {y}.", "{x} has its headquarters in {y}.", "The headquarters of {x} are in {y}."),
        (
            "Where is {x} based?",
            "In which city is {x} based?",
            "In which city are the headquarters of {x}?",
        ),
        "is based in {y}",
        "where {x} is based",
    ),
    Relation(
        "founder",
        "organisation",
        ("{x} was founded by {y}.", "{y} founded {x}.", "The founder of {x} is {y}."),
        ("Who founded {x}?", "Who is the founder of {x}?"),
        "was founded by {y}",
        "who founded {x}",
        "the founder of {x}",
    ),
    Relation(
        "founding_year",
        "organisation",
        ("{x} was founded in {y}.", "{x} has existed since {y}.", "The founding of {x} dates from {y}."),
        ("In what year was {x} founded?", "When was {x} founded?", "What was the founding year of {x}?"),
        "was founded in {y}",
        "when {x} was founded",
    ),
    Relation(
        "home_ground",
        "club",
        ("{x} plays its home games at {y}.", "{x} plays at {y}.", "{y} is the home ground of {x}."),
        ("Where does {x} play its home games?", "What is the home ground of {x}?"),
        "plays its home games at {y}",
        "where {x} plays its home games",
        "the home ground of {x}",
    ),
    Relation(
        "city",
        "place",
        ("{x} is in {y}.", "{x} is located in {y}.", "{x} lies in {y}."),
        ("Where is {x} located?", "In which city is {x}?"),
        "is in {y}",
        "which city {x} is in",
    ),
    Relation(
        "opening_year",
        "place",
        ("{x} opened in {y}.", "{x} was opened in {y}.", "{x} has been open since {y}."),
        ("In what year did {x} open?", "When did {x} open?", "What was the opening year of {x}?"),
        "opened in {y}",
        "when {x} opened",
    ),
)
RELATIONS = {r.name: r for r in _ALL}


def concerns(relation: Relation, kind: str) -> bool:
    """Whether a relation may start from an entity of that kind."""
    return relation.of == kind or (relation.of == "organisation" and kind in ("company", "club"))
