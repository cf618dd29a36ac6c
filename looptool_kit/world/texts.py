"""Base types that are strings: names, titles, messages, places, addresses, codes."""

from __future__ import annotations

from random import Random

from looptool_kit.world import pools
from looptool_kit.world.core import Surface, Type, pool, quoted, text
from looptool_kit.world.pools import one


def _news(rng: Random) -> str:
    headline = one(rng, pools.NEWS)
    return (
        headline[0].upper() + headline[1:] + (", " + one(rng, pools.NEWS_TAILS) if rng.random() < 0.7 else "")
    )


def _chore(rng: Random) -> str:
    tail = one(rng, ("", *pools.CHORE_TAILS)) if rng.random() < 0.4 else ""
    chore = f"{one(rng, pools.CHORES)} {tail}".strip()
    return chore[0].upper() + chore[1:]


def _name(rng: Random) -> str:
    return f"{one(rng, pools.FIRST)} {one(rng, pools.LAST)}"


def _email(rng: Random) -> str:
    first, last, host = (
        one(rng, pools.FIRST).lower(),
        one(rng, pools.LAST).lower(),
        one(rng, pools.MAIL_HOSTS),
    )
    numbered = f"{first}{rng.randint(2, 99)}"
    return f"{rng.choice((f'{first}.{last}', f'{first[0]}{last}', numbered, f'{last}.{first}'))}@{host}"


def _place(rng: Random, kinds: tuple[str, ...]) -> str:
    return rng.choice(
        (
            f"The {one(rng, pools.ADJECTIVES)} {one(rng, pools.NOUNS)}",
            f"{one(rng, pools.FIRST)}'s {one(rng, kinds)}",
            " & ".join(rng.sample(pools.NOUNS, 2)),
        )
    )


def _title(rng: Random) -> str:
    a, b, c = one(rng, pools.ADJECTIVES), *rng.sample(pools.NOUNS, 2)
    return rng.choice(
        (
            f"The {a} {b}",
            f"{a} {b}",
            f"The {b} and the {c}",
            f"{b} of the {c}",
            f"The {b} in the {c}",
            f"{a} {b} {c}",
        )
    )


MESSAGE = text(
    "message",
    "a short free text",
    _news,
    say=quoted,
    clauses=("saying {}",),
    question="What should it say?",
    words=("say", "text", "message", "content"),
)
TITLE = text(
    "title",
    "a short title",
    lambda r: f"{one(r, pools.TOPICS).title()} {one(r, pools.MEETINGS)}",
    say=quoted,
    clauses=("called {}", "titled {}"),
    question="What should the title be?",
    words=("title", "called", "name"),
)
TASK = text(
    "task", "something to do", _chore, say=quoted, question="What is the task?", words=("task", "what")
)
PERSON = text(
    "person",
    "full name of a person",
    _name,
    pattern=r"\S+ \S+",
    clauses=("for {}",),
    question="What is the person's full name?",
    words=("name", "who"),
)
FIRST_NAME = pool(
    "first name",
    "first name of a person",
    pools.FIRST,
    clauses=("for {}",),
    question="Who is it for?",
    words=("name", "who"),
)
EMAIL = text(
    "e-mail",
    "e-mail address",
    _email,
    pattern=r"[\w.]+@[\w.]+",
    schema={"type": "string", "format": "email"},
    clauses=("to {}",),
    noun="address",
    question="Which email address should I use?",
    words=("email", "e-mail", "address"),
)
PHONE = text(
    "phone",
    "phone number",
    lambda r: f"+{r.choice((1, 31, 33, 34, 44, 49, 351))} {r.randint(200, 799)} 555 {r.randint(1000, 9999)}",
    pattern=r"\+\d+( \d+)+",
    clauses=("at {}",),
    noun="number",
    question="Which phone number should I use?",
    words=("phone", "number"),
)
CITY = pool(
    "city",
    "name of a city",
    pools.CITIES,
    clauses=("in {}",),
    question="Which city?",
    words=("city", "where", "which place", "location"),
)
AIRPORT = pool(
    "airport",
    "IATA airport code",
    pools.AIRPORTS,
    schema={"type": "string", "description": "IATA code"},
    question="Which airport?",
    words=("airport", "where"),
)
COUNTRY = pool(
    "country",
    "name of a country",
    pools.COUNTRIES,
    clauses=("in {}",),
    question="Which country?",
    words=("country", "where"),
)
LANGUAGE = pool(
    "language",
    "name of a language",
    pools.LANGUAGES,
    clauses=("in {}",),
    question="Which language?",
    words=("language",),
)
COLOUR = pool(
    "colour",
    "a colour",
    pools.COLOURS,
    clauses=("in {}",),
    question="Which colour?",
    words=("colour", "color"),
)
CURRENCY = pool(
    "currency",
    "ISO 4217 currency code",
    pools.CURRENCIES,
    schema={"type": "string", "description": "ISO 4217"},
    clauses=("in {}",),
    question="Which currency?",
    words=("currency",),
)
TICKER = pool(
    "ticker",
    "stock ticker symbol",
    pools.TICKERS,
    question="Which stock?",
    words=("stock", "ticker", "symbol"),
)
GENRE = pool("genre", "a music genre", pools.GENRES, question="Which genre?", words=("genre", "music"))
DISH = pool("dish", "name of a dish", pools.DISHES, question="Which dish?", words=("dish", "what"))
INGREDIENT = pool(
    "ingredient",
    "something to cook with",
    pools.INGREDIENTS,
    question="Which ingredient?",
    words=("ingredient", "what"),
)
PRODUCT = text(
    "product",
    "something sold in a shop",
    lambda r: f"{one(r, pools.COLOURS)} {one(r, pools.PRODUCT_KINDS)}",
    question="Which product?",
    words=("product", "item", "what"),
)
COMPANY = text(
    "company",
    "name of a company",
    lambda r: f"{one(r, pools.COMPANIES)} {one(r, pools.COMPANY_KINDS)}",
    question="Which company?",
    words=("company",),
)
RESTAURANT = text(
    "restaurant",
    "name of a restaurant",
    lambda r: _place(r, ("Kitchen", "Bistro", "Table", "Diner", "Grill", "Trattoria")),
    clauses=("at {}",),
    noun="restaurant",
    question="Which restaurant?",
    words=("restaurant", "where"),
)
HOTEL = text(
    "hotel",
    "name of a hotel",
    lambda r: r.choice(("Hotel {}", "{} Inn", "The {} Hotel", "{} Suites")).format(
        f"{one(r, pools.ADJECTIVES)} {one(r, pools.NOUNS)}"
    ),
    clauses=("at {}",),
    noun="hotel",
    question="Which hotel?",
    words=("hotel",),
)
WORK = text(
    "work",
    "title of a book, film or song",
    _title,
    clauses=("called {}",),
    say=lambda v, _: [Surface(v), Surface(f'"{v}"')],
    question="Which title?",
    words=("title", "which"),
)
ADDRESS = text(
    "address",
    "street address",
    lambda r: f"{r.randint(1, 240)} {one(r, pools.STREETS)} {one(r, pools.STREET_KINDS)}",
    pattern=r"\d+ \w+ \w+",
    clauses=("at {}",),
    noun="address",
    question="What is the address?",
    words=("address", "where"),
)
FILE = text(
    "file",
    "name of a file",
    lambda r: (
        f"{one(r, pools.TOPICS)}_{one(r, pools.FILE_STEMS)}{r.choice(('', '', '_v2', '_final', '_old'))}"
        f".{one(r, pools.FILE_KINDS)}"
    ),
    pattern=r"\w+\.\w+",
    noun="file",
    question="Which file?",
    words=("file",),
)
URL = text(
    "url",
    "web address",
    lambda r: (
        f"https://{one(r, pools.COMPANIES).lower()}.example/{one(r, pools.TOPICS)}"
        f"/{one(r, pools.FILE_STEMS)}-{r.randint(2, 99)}"
    ),
    pattern=r"https://\S+",
    noun="link",
    question="Which link?",
    words=("link", "url", "address"),
)
TIME_ZONE = pool(
    "time zone",
    "IANA time zone",
    pools.words(
        """Europe/Lisbon|Europe/Berlin|Europe/Paris|Europe/London|America/New_York|America/Chicago|
        America/Sao_Paulo|Asia/Tokyo|Asia/Seoul|Asia/Kolkata|Asia/Dubai|Australia/Sydney|Africa/Nairobi|
        Africa/Lagos|Pacific/Auckland|America/Lima"""
    ),
    question="Which time zone?",
    words=("time zone", "zone"),
)


def identifier(prefix: str, noun: str, digits: int = 4) -> Type:
    """Reference codes such as "RES-4821".

    They are said "booking RES-4821" or referred to as "that booking". Keep one object and use it wherever the
    same thing is meant.
    """
    low = 10 ** (digits - 1)
    return text(
        f"{noun} id",
        f"reference code of a {noun}",
        lambda r: f"{prefix}-{r.randint(low, 10 * low - 1)}",
        pattern=rf"{prefix}-\d{{{digits}}}",
        noun=noun,
        record_id=True,
        say=lambda v, _: [
            Surface(f"{noun} {v}"),
            Surface(f"{noun} {v}"),
            Surface(f"the {noun} {v}"),
            Surface(v),
        ],
        question=f"What is the {noun} ID?",
        words=(noun, "id", "reference", "number"),
    )
