"""What a parameter is called in a request: its name as a noun."""

from __future__ import annotations

import re

from looptool_kit.stages.seed.templates import lexicon as lex
from looptool_kit.stages.seed.templates.names import LETTER_UNITS, Unusable, acronyms, unit_of
from looptool_kit.stages.seed.templates.verbs import ambiguous
from looptool_kit.world.types import AIRPORT, CITY, COUNTRY, CURRENCY, DATE, DATETIME, TIME, Type

DAYS = (DATE.question, DATETIME.question)
PLACES = (CITY.question, COUNTRY.question, AIRPORT.question)

_LONE: dict[str, dict[str, str]] = {
    "day": {
        "from": "start date", "to": "end date", "start": "start date", "end": "end date", "due": "due date",
        "when": "date", "until": "end date", "since": "start date", "at": "time", "on": "date",
        "begin": "start date", "by": "deadline", "before": "latest date", "after": "earliest date",
        "as of": "date",
    },
    "place": {
        "from": "place of departure", "to": "destination", "start": "place of departure",
        "end": "destination", "where": "place", "at": "place",
    },
    "other": {
        "from": "sender", "to": "recipient", "cc": "copy recipients", "bcc": "hidden copy recipients",
        "start": "starting point", "end": "end point", "what": "thing", "who": "person", "why": "reason",
    },
}  # fmt: skip
_SHORT = {
    "max": "maximum", "min": "minimum", "qty": "quantity", "lat": "latitude", "lng": "longitude",
    "lon": "longitude", "lang": "language", "desc": "description", "addr": "address", "msg": "message",
    "temp": "temperature", "dest": "destination", "src": "source", "tz": "time zone",
    "timezone": "time zone", "q": "query", "ids": "IDs", "ts": "timestamp", "dob": "date of birth",
    "born": "date of birth", "repo": "repository", "fmt": "format", "txn": "transaction", "acct": "account",
    "amt": "amount", "dept": "department", "org": "organization", "env": "environment", "img": "image",
    "doc": "document", "docs": "documents", "cfg": "configuration", "config": "configuration",
    "pwd": "password", "freq": "frequency", "prio": "priority", "usr": "user", "grp": "group",
    "dur": "duration", "stmt": "statement", "cust": "customer", "appt": "appointment", "pkg": "package",
    "vol": "volume", "wt": "weight", "ht": "height", "dist": "distance", "loc": "location",
    "pct": "percentage",
    "tel": "telephone", "dir": "folder", "lvl": "level", "mgr": "manager", "emp": "employee",
    "avg": "average", "est": "estimated", "attr": "attribute", "spec": "specification", "mins": "minutes",
    "secs": "seconds", "hrs": "hours", "num": "number", "nr": "number", "evt": "event", "rsvp": "RSVP",
    "uom": "unit",
}  # fmt: skip
"""Abbreviations in names -> words."""
_UNIT = f"(?:{'|'.join(lex.UNITS)})"
UNIT_WORDS = re.compile(rf" (?:in )?{_UNIT}(?: per {_UNIT})?$")
_QUANTITY = {
    "cubic metres": "volume", "cubic meters": "volume", "m3": "volume", "square metres": "area",
    "square meters": "area", "m2": "area", "sqm": "area", "cubic": "volume", "square": "area",
    "kilograms": "weight", "kg": "weight", "grams": "weight", "km": "distance", "kilometers": "distance",
    "kilometres": "distance", "miles": "distance", "meters": "distance", "metres": "distance", "cm": "length",
    "mm": "length", "kwh": "energy", "kw": "power",
    "celsius": "temperature", "fahrenheit": "temperature", "degrees": "temperature",
    "percent": "percentage", "percentage": "percentage", "usd": "amount", "eur": "amount", "euros": "amount",
    "seconds": "duration", "minutes": "duration", "hours": "duration", "nights": "duration",
    "dollars": "amount", "litres": "volume", "liters": "volume", "ml": "volume", "mg": "dose",
}  # fmt: skip
"""A parameter that is called by its unit alone -> what it is."""
_ENDS = ({"from": "source ", "to": "target "}, {"from": "start ", "to": "end "})
"""What `from_...` and `to_...` begin with in words: of anything, and of days and times."""
_OF_VERB = {
    "deliver": "delivery", "publish": "publication", "ship": "shipping", "expire": "expiry",
    "pay": "payment", "paid": "payment",
    "ends": "end", "starts": "start", "begins": "start", "expires": "expiry", "start": "start", "end": "end",
    "arrive": "arrival", "depart": "departure", "renew": "renewal", "invoice": "invoice",
    "opens": "opening", "open": "opening", "closes": "closing", "close": "closing",
}  # fmt: skip


_BARE_IDS = {"ref": "reference", "no": "number"}
_LASTING = (
    r"\b(duration|length|time|interval|delay|period|age|walk|drive|ride|travel|prep|cook|boil|rest|break)"
)


_GERUND_NOUNS = lex.word_set("""
    billing booking building ceiling clothing drawing earning filling flooring heading hearing lighting
    listing meeting opening packaging painting parking pricing rating reading recording screening seating
    setting shipping spelling training warning wedding string spring ring king wing offering ranking
    """)


def is_noun(noun: str) -> bool:
    """Whether it goes behind "with": no "ridden on", "expires" or "collect by"."""
    last = noun.split()[-1].lower()
    if last.endswith("ing") and last not in _GERUND_NOUNS:
        return False
    verbal = last in ("on", "at", "by", "in", "of", "for", "to", "from", "until", "since", "after", "before")
    return (
        not verbal
        and last not in ("expires", "starts", "ends", "opens", "closes", "begins", "applies")
        and not (last.endswith("s") and last in lex.verb_forms() and not ambiguous(lex.verb_forms()[last]))
        and not (
            last.endswith("ed")
            and last not in ("speed", "seed", "feed", "bed", "breed", "need", "shed", "weed")
        )
    )


_NO_NOUNS = lex.word_set("""
    maximum minimum extra additional more total remaining elapsed past last next first estimated average
    expected new old overdue free working number daily weekly
    """)


def label_of(words: str, description: str, kind: Type, owner: str) -> str:
    """Return what a parameter is called.

    Of a number, without the unit that its value is said with.

    Raises:
        Unusable: The name is an abbreviation that nobody says, and the description has no noun for it.
    """
    noun = noun_of(words, kind, owner)
    if words.startswith("per "):  # "perKm"
        if ratio := re.match(r"(?:the )?([a-z]+ per [a-z]+)\b", description, re.IGNORECASE):
            return ratio[1].lower()
        return f"price {words}" if unit_of(words, description) in lex.MONEY else words
    if kind.name == "number" and noun not in lex.UNITS:
        bare = UNIT_WORDS.sub("", noun)
        noun = noun if bare in _NO_NOUNS else bare
        if not is_noun(noun) and f" in {words.rsplit(' ', 1)[-1]}" in words:
            noun = f"{noun} in"  # "expires in: 4 days"
    if "enum" in kind.schema and all(isinstance(v, int | float) for v in kind.schema["enum"]):
        noun = UNIT_WORDS.sub("", noun)
    end = re.match(r"(minimum|maximum|min|max)\b", description.lower())
    if kind.name == "number" and end and not re.search(r"min|max|limit", noun):
        noun = f"{_SHORT.get(end[1], end[1])} {noun}"  # `rooms`: "Minimum number of rooms"
    if kind.name == "number" and re.search(r"\w \w$", noun) and noun[-1] in LETTER_UNITS:
        noun = noun[:-2]  # "threshold c"
    if kind.name == "number" and noun in _QUANTITY:  # "kilograms: 42 kg"
        noun = _QUANTITY[noun]
    if not is_opaque(noun):
        return noun
    if (told := _told(description)) and not is_opaque(told):
        return told
    raise Unusable(f"{words} is an abbreviation that nobody says; its description names it with no noun")


_SAID_LETTERS = lex.word_set("""
    id ids sid api cpu css csv cta dns ev gps gpu guid html http https iban imo ip isbn json pdf pin rsvp
    sku sms sql ssh tls tv url usb uuid vat vin vm vpn xml xl x y z b2b ph bmi hr pr mb gb kb km mm cm kg hz
    khz mhz ppm psi rpm kwh kw dpi px wpm bpm nth s m at by in of on or to up is it my no out per pa tv ai
    os ui ad ph ha a
    """)


def is_opaque(noun: str) -> bool:
    """Tell whether a noun has a word that nobody says.

    As "txn", "fmt" or "k".
    """
    return any(
        re.fullmatch(r"[b-df-hj-np-tv-xz]+|[a-z]{1,2}", word) and word not in _SAID_LETTERS
        for word in noun.lower().split()
    )


def _told(description: str) -> str:
    """The noun that a short description is, as in "Output format (csv or ofx)"; else empty."""
    first = re.split(r"[.,;:(\n]| - | – ", description, maxsplit=1)[0].strip()
    match = re.fullmatch(r"(?:the |an? )?([a-z]+(?: [a-z]+){0,3})", first, re.IGNORECASE)
    noun = match[1] if match else ""
    if re.search(r"\b(?:to|if|whether|is|are|must|can|default|optional|required)\b", noun.lower()):
        return ""
    return noun if noun[1:2].isupper() else noun[:1].lower() + noun[1:]


def noun_of(words: str, kind: Type, owner: str = "") -> str:
    """A parameter's name as a noun.

    "order_id" -> "order ID", "num_guests" -> "number of guests", "id" of an order -> "order ID".
    """
    if words in ("id", "identifier", "uuid", "guid", "sid"):
        return f"{owner} {'SID' if words == 'sid' else 'ID'}".strip()
    if kind.name == "number" and (things := counted(words)):
        return f"number of {things}"
    if words in ("ref", "reference", "number", "no", "code") and kind.name in ("id", "code") and owner:
        return f"{owner} {_BARE_IDS.get(words, words)}"
    words = re.sub(r"^(?:the|is|has|user defined) (?=\w)", "", words)
    if words in ("from", "to") and kind.schema.get("type") == "object":
        return words
    if last := re.fullmatch(r"(?:(.+) )?last ?(?:4|four)(?: digits)?", words):
        return "last four digits" + (f" of the {last[1]}" if last[1] else "")
    timed = kind.question in (DATETIME.question, TIME.question)
    sort = (
        "day" if kind.question in (*DAYS, TIME.question) else "place" if kind.question in PLACES else "other"
    )
    if kind is CURRENCY and words in ("from", "to", "from currency", "to currency"):
        return "source currency" if words.startswith("from") else "target currency"
    if words == "what" and kind.name == "fault":
        return "problem"
    if words in _LONE[sort]:
        noun = _LONE[sort][words]
        return noun.replace("date", "time") if timed else noun
    if words in ("per page", "items per page", "results per page"):
        return "page size"
    ends = sort == "day" or re.search(r"\b(?:hour|day|week|month|year|minute|date|time|page)$", words)
    words = re.sub(r"^(from|to) (?=\w)", lambda m: _ENDS[bool(ends)][m[1]], words)
    if sort == "day" and words in ("opens", "closes", "starts", "ends", "begins", "expires"):
        return f"{_OF_VERB[words]} {'time' if timed else 'date'}"
    if sort == "day" and (planned := re.fullmatch(r"(\w+) (?:on|at|by)", words)):
        if planned[1] in _OF_VERB:
            return f"{_OF_VERB[planned[1]]} {'time' if timed else 'date'}"
        return words  # "harvested on"
    words = re.sub(rf"{_LASTING} min$", r"\1", words)
    noun = re.sub(r" (?:str|string|param|parameter)$", "", words)
    noun = " ".join(_SHORT.get(w, "ID" if w == "id" else w) for w in noun.split())
    noun = re.sub(
        r"\b(\w+) no$",
        r"\1 number",
        noun,
    )
    if noun == "best before":
        return "best-before date"
    if kind.name == "number" and (bound := re.fullmatch(r"(.+) (minimum|maximum)", noun)):
        noun = f"{bound[2]} {bound[1]}"  # "price_min"
    return acronyms(noun or words)


def counted(words: str) -> str:
    """Return what a parameter counts, in the plural.

    "parcel count" -> "parcels"; empty where it counts nothing.
    """
    if match := re.fullmatch(r"(?:num|nr|number of|no of|n|nb|total|count of) (.+s)", words):
        return match[1]
    if (match := re.fullmatch(r"(.+) (?:count|cnt|nr)", words)) and match[1] not in ("max", "min", "word"):
        return in_plural(match[1])
    return ""


def in_plural(noun: str) -> str:
    """The plural of a noun that is not one yet."""
    irregular = {"person": "people", "child": "children"}
    if plural(noun) or noun in irregular.values():
        return noun
    if noun in irregular:
        return irregular[noun]
    if re.search(r"[^aeiou]y$", noun):
        return noun[:-1] + "ies"
    return noun + ("es" if re.search(r"(?:s|x|ch|sh)$", noun) else "s")


def in_singular(noun: str) -> str:
    """The singular of a plural noun."""
    if noun in ("children", "people"):
        return {"children": "child", "people": "person"}[noun]
    if not plural(noun):
        return noun
    if noun.endswith("IDs"):
        return noun[:-1]
    if noun.endswith("ies") and len(noun) > 4:
        return noun[:-3] + "y"
    return noun[:-2] if re.search(r"(?:ss|x|ch|sh)es$", noun) else noun[:-1]


_NO_PLURAL = lex.word_set("""
    address aws css dns gps https news ops pants series sms species status tls always
    """)


def plural(noun: str) -> bool:
    """True where the head of a noun phrase is plural."""
    head = re.split(r" (?:for|of|in|at|from|to|on|by|with|about|around|near|between|that|per) ", noun)[
        0
    ].split()
    return (
        bool(head)
        and head[-1].endswith("s")
        and not head[-1].endswith(("ss", "us", "is"))
        and head[-1].lower() not in _NO_PLURAL
    )
