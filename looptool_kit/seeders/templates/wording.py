"""From a tool's name, description and parameters to what people say to get it called: a `Spec` as the world's grammar takes it.

Phrases are written from the description's first sentence and from the name. Where a phrase speaks of a parameter ("the weather for a city"), its value
takes that place; what else a call needs is said in clauses of their own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from looptool_kit.samples import Tool
from looptool_kit.seeders.templates import lexicon as lex
from looptool_kit.seeders.templates.values import Group, Many, Type, Unusable, type_of, unit_of, words_of
from looptool_kit.seeders.world.spec import NOTHING, SLOT, Param, Spec
from looptool_kit.seeders.world.types import CITY, DATE, DATETIME, EMAIL, PERSON, TIME
from looptool_kit.words import STOP, alike, stem, stems


class Able(NamedTuple):
    """A tool that can be spoken of."""

    tool: Tool
    spec: Spec
    subject: frozenset[str]
    """Stems of what it is about: the words of name and description without verbs and stop words."""


_EMPTY = frozenset(
    [
        "id",
        "name",
        "number",
        "value",
        "list",
        "data",
        "information",
        "info",
        "detail",
        "new",
        "given",
        "specified",
        "api",
        "default",
        "optional",
        "format",
        "string",
        "list",
        "result",
        "return",
    ]
)


def able(tool: Tool, others: Iterable[Tool] = ()) -> Able:
    """The tool with its wordings. `others` are the tools of the catalogue, whose verbs stay theirs. Raises `Unusable` where a required parameter has
    no values."""
    verb, said = headline(tool)
    owner = owner_of(tool)
    params: list[Param] = []
    for name, schema in tool.properties.items():
        try:
            kind = type_of(name, schema, owner)
        except Unusable:
            if name in tool.required:
                raise
            continue
        schema = schema if isinstance(schema, dict) else {}
        params.append(_param(name, schema, kind, name not in tool.required, owner))
    verbs = {headline(o)[0] for o in others if o.name != tool.name}
    do, ask, need = phrases(verb, said, tool, params, verbs)
    gist = _plain(said)
    spec = Spec(tool.name, f"{verb} {gist}".strip(), tuple(params), do, ask, need, {}, "")
    return Able(tool, spec, subject_of(tool))


def subject_of(tool: Tool) -> frozenset[str]:
    """Stems of what a tool is about."""
    forms = lex.verb_forms()
    said = [*words_of(tool.name).split(), *(w.lower() for w in re.findall(r"[^\W_]+", tool.description.split(". ")[0]))]
    return frozenset(stem(w) for w in said if w not in forms and stem(w) not in STOP | _EMPTY)


def owner_of(tool: Tool) -> str:
    """What a tool acts on, from its name: "delete_task" -> "task"."""
    words = words_of(tool.name).split()
    forms = lex.verb_forms()
    rest = [w for w in words if w not in forms or (w in ("order", "book", "record", "test") and words.index(w))]
    for cut in ("by", "for", "from", "with", "in", "to", "of"):
        if cut in rest[1:]:
            rest = rest[: rest.index(cut)]
    return stem(rest[-1]) if rest else ""


# ------------------------------------------------------------------ headline


def headline(tool: Tool) -> tuple[str, str]:
    """Verb and rest of what a tool does: ("get", "the current weather for a city"). From the description, or else from the name."""
    return _from_description(tool.description) or _from_name(tool.name) or ("run", words_of(tool.name) or tool.name)


def _from_description(text: str) -> tuple[str, str] | None:
    first = re.split(r"(?<=[^.\s]{2})[.!?](?:\s|$)|\n", text.strip(), maxsplit=1)[0]
    first = re.sub(r"\s*[(\[][^)\]]*[)\]]", "", first)
    first = re.sub(r"[`*]", "", first).strip().rstrip(".")
    for _ in range(2):
        first = lex.LEADS.sub("", first, count=1) if lex.LEADS.match(first) else first
    if not first:
        return None
    head, _, rest = first.partition(" ")
    rest = rest.strip()
    forms = lex.verb_forms()
    low = head.lower().rstrip(",")
    if low in forms and (rest or low == forms[low]):
        if found := re.match(r"(?:or|and|/) (\w+) ", rest):  # "Create or update a task"
            rest = rest[found.end() :] if found[1].lower() in forms else rest
        if forms[low] in ("look", "log", "sign") and (found := re.match(r"(up|in|out) ", rest)):
            return f"{forms[low]} {found[1]}", _cut(rest[found.end() :])
        if forms[low] == "search" and rest.startswith("for "):
            rest = rest[4:]
        if forms[low] == "return" and rest.startswith("whether"):
            return "check", _cut(rest)
        return forms[low], _cut(rest)
    if len(first.split()) <= 12 and not re.search(r"\b(is|are|can|must|will|should|you)\b", first):
        noun = first if head.isupper() or head[1:] != head[1:].lower() else first[0].lower() + first[1:]
        return "get", _cut(noun if re.match(r"(the|a|an|all|my|your)\b", noun) or _plural(noun) else f"the {noun}")
    return None


_TAIL = re.compile(
    r"(?:[,;:]| - | – | given | based on | according to | so that | which | that (?!day)| if | when | where | returning | and (?:then )?(?:return|get|give|provide|show)s? "
    r"| along with | including | as well as | using (?:the|a|an|its|their) | by (?:its|their|the|name|id|providing|specifying|\w+ing)\b| with (?:the )?(?:given|specified|provided|optional|following|its|various)\b"
    r"| from (?:the|a) (?:database|system|server|api|store|catalog(?:ue)?)\b| in (?:the|a) (?:database|system|store)\b| to (?:the|a) (?:database|system)\b| via | through ).*$",
    re.IGNORECASE,
)


def _cut(text: str) -> str:
    """The text up to where it begins to explain."""
    short = _TAIL.sub("", text).strip()
    return short if short else text.strip()


def _from_name(name: str) -> tuple[str, str] | None:
    words = words_of(name).split()
    forms = lex.verb_forms()
    at = next((i for i, w in enumerate(words) if w in forms), None)
    if at is None:
        return None
    verb = forms[words[at]]
    rest = words[at + 1 :] or words[:at]  # "users.list"
    if "by" in rest:
        rest = rest[: rest.index("by")]
    if not rest:
        return (verb, "") if verb != "run" else None
    return verb, _with_article(verb, " ".join(rest))


def _plural(noun: str) -> bool:
    head = re.split(r" (?:for|of|in|at|from|to|on|by|with|about|near|between) ", noun)[0].split()
    return bool(head) and head[-1].endswith("s") and not head[-1].endswith(("ss", "us", "is"))


_MASS = frozenset(
    [
        "weather",
        "information",
        "info",
        "data",
        "money",
        "email",
        "mail",
        "music",
        "news",
        "traffic",
        "feedback",
        "inventory",
        "history",
        "stock",
        "text",
        "content",
        "help",
        "code",
        "balance",
    ]
)


def _with_article(verb: str, noun: str) -> str:
    if _plural(noun) or re.match(r"(for|to|in|all|my|up|out|on|off)\b", noun):
        return noun
    if verb in ("create", "add", "make", "book", "schedule", "send", "start", "open", "place", "set", "generate", "insert", "write", "post", "buy", "submit",
                "register", "request", "issue", "reserve") and noun.split()[-1] not in _MASS:  # fmt: skip
        return f"a{'n' if noun[0] in 'aeiou' else ''} {noun}"
    return f"the {noun}"


# ------------------------------------------------------------------- phrases

_DETERMINER = r"(?:an?|the|your|my|their|its|his|her|any|one|each|some|another)"
_VAGUE = r"(?:given|specified|specific|particular|provided|certain|single|selected|chosen|existing|desired|requested|named)"
_PREPOSITION = (
    r"(?:for|in|at|from|to|on|by|with|between|into|near|within|during|about|of|as|under|against|over|after|before|until|along|across|around)"
)


def phrases(verb: str, said: str, tool: Tool, params: Sequence[Param], verbs: set[str]) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """(commands, questions, needs) of a tool; slots are written `{name}`. `verbs` are those of the other tools."""
    bodies = _bodies(said, params)
    named = _from_name(tool.name)
    if named and named[0] == verb and named[1] and len(named[1]) < len(said):
        bodies += [b for b in _bodies(named[1], params) if b not in bodies]
    bodies = list(dict.fromkeys(bodies))
    ways = [w for w in lex.SAME.get(verb, ()) if w.split()[0] not in verbs]
    first = "search for" if verb == "search" else verb
    do = [f"{first} {b}".strip() for b in bodies]
    for body in bodies:
        if body:
            do += [f"{w} {body}" for w in ways]
    ask: list[str] = []
    need: list[str] = []
    for body in bodies:
        if not body or body.startswith(("whether", "if ", "how ", "up ", "out ", "{", "that ")):
            continue
        if verb in lex.ASKABLE and not re.match(r"(?:a|an|all|my|details|information|info|every|detailed|one|multiple)\b", body):
            noun = body if re.match(rf"{_DETERMINER}\b", body) else f"the {body}"
            ask += [f"what are {noun}"] if _plural(noun) else [f"what is {noun}", f"what's {noun}"]
        if verb in lex.NEEDABLE:
            need.append(body)
    return tuple(dict.fromkeys(do)), tuple(dict.fromkeys(ask)), tuple(dict.fromkeys(need))


def _bodies(said: str, params: Sequence[Param]) -> list[str]:
    """The rest of a phrase in several forms: with the values of parameters in their places, and without what clauses will say."""
    slotted = said
    used: list[str] = []
    for p in sorted(params, key=lambda p: (p.optional, -len(p.name))):
        if isinstance(p.type, Group | Many) or p.type.schema.get("type") == "boolean" or p.clauses[:1] == ("{@}",) and p.type.name == "boolean":
            continue
        for noun in _nouns(p):
            pattern = rf"\b(?:{_DETERMINER} )?(?:{_VAGUE} )?{re.escape(noun)}(?! {_PREPOSITION}\b| \w+s?\b(?<!\bby))(?:'s)?(?: (?:by|with) (?:{_DETERMINER} )?(?:unique )?(?:id|identifier|name|number))?\b"
            outside = re.sub(r"\{[^}]*\}", lambda m: "#" * len(m[0]), slotted)
            found = re.search(pattern + rf"(?= {_PREPOSITION}\b|$| and )", outside, re.IGNORECASE)
            if found and _fits_slot(p, outside, found.start()):
                lead = f"{noun} " if _names_thing(p) else ""
                slotted = slotted[: found.start()] + f"{lead}{{{p.name}}}" + slotted[found.end() :]
                used.append(p.name)
                break
    out = []
    for text in dict.fromkeys((slotted, said)):
        inside = {m[1] for m in SLOT.finditer(text)}
        out.append(_without_hints(text, [p for p in params if p.name not in inside]))
    if used:  # the same with fewer slots, for calls that leave some out
        for name in used:
            p = next(q for q in params if q.name == name)
            if p.optional or len(used) > 1:
                single = _bodies(said, [q for q in params if q.name != name])
                out += [_without_hints(b, [p]) for b in single]
    return [o for o in dict.fromkeys(out) if o or not said]


def _names_thing(p: Param) -> bool:
    return "id" in words_of(p.name).split() or p.type.name in ("id", "uuid", "code")


def _fits_slot(p: Param, text: str, at: int) -> bool:
    before = text[:at].rstrip().rsplit(" ", 1)[-1].lower()
    if p.type in (DATE, DATETIME, TIME):
        return before in ("for", "on", "at")
    if p.type.name == "number":
        return False
    return bool(before) or _names_thing(p) or p.type in (lex.QUERY, lex.KEYWORD)


def _nouns(p: Param) -> list[str]:
    """What a description calls a parameter: "user_id" -> "user id", "user"."""
    words = words_of(p.name)
    bare = re.sub(r" (?:id|name|code|number|address|symbol|title|key|ids)$", "", words)
    out = [words, bare] if bare != words else [words]
    if _names_thing(p):
        owner = p.words[0] if p.words else ""
        out = [bare, owner] if bare not in ("id", "") else [owner]
    if p.type is CITY and words in ("location", "place", "city name", "city", "town"):
        out += ["city", "location", "place"]
    return [o for o in dict.fromkeys(out) if len(o) > 2 and o not in ("from", "with", "text", "name", "type")]


def _without_hints(text: str, params: Sequence[Param]) -> str:
    """The text without prepositional phrases about parameters: a clause will say them."""
    about = {w for p in params for w in (*stems(p.name), *stems(p.description)) if w not in STOP | {"id", "name"}}
    parts = re.split(rf"\s+(?={_PREPOSITION}\b)", text)
    kept = parts[:1]
    for part in parts[1:]:
        words = [w for w in stems(re.sub(r"\{[^}]*\}", "", part)) if w not in STOP]
        vague = bool(re.search(rf"\b{_VAGUE}\b", part))
        if "{" in part or (words and not vague and not any(w in about or any(alike(w, a) for a in about) for w in words)) or not words and not vague:
            kept.append(part)
    joined = " ".join(kept).strip()
    return re.sub(rf"\s+(?:{_PREPOSITION}|and|or)$", "", re.sub(rf"\b(?:{_VAGUE}) ", "", joined))


def _plain(said: str) -> str:
    return re.sub(rf"\b(?:{_VAGUE}) ", "", said)


# ---------------------------------------------------------------- parameters

_FROM = re.compile(r"^(from|origin|source|departure|pickup|sender|start)\b|\b(origin|source|sender)$")
_TO = re.compile(r"^(to|destination|target|dest|dropoff|recipient|receiver|arrival|payee|beneficiary)\b|\b(destination|recipient|receiver)$")


def _param(name: str, schema: dict[str, Any], kind: Type, optional: bool, owner: str) -> Param:
    words = words_of(name)
    told = str(schema.get("description") or "")
    default = schema["default"] if schema.get("default") is not None else NOTHING
    noun = noun_of(words, owner)
    clauses = clauses_of(words, told, kind, noun)
    question = kind.question if kind.question and not kind.schema.get("enum") and kind.question not in ("", "Which number?") else ""
    if "enum" in kind.schema:
        question = kind.question.replace(f"Which {words}", f"Which {noun}")
    if not question or (kind.question and not set(stems(kind.question)) & set(stems(f"{words} {told}"))):
        question = f"How many {noun}?" if noun in lex.KEEP_COUNT else f"What is the {noun}?" if not _plural(noun) else f"Which {noun}?"
    asks = tuple(
        dict.fromkeys([w for w in (noun, *noun.split()) if len(w) > 2 and w not in ("the", "for")] + [w for w in kind.words if w in question.lower()])
    )
    heads = (noun.removesuffix(" ID"), *asks) if "id" in words.split() or kind.name in ("id", "uuid", "code") else asks
    return Param(name, kind, clauses, (), told, optional, default, question, tuple(dict.fromkeys(heads)))


def noun_of(words: str, owner: str = "") -> str:
    """A parameter's name as a noun: "order_id" -> "order ID", "num_guests" -> "guests", "id" of an order -> "order ID"."""
    if words in ("id", "identifier", "uuid", "guid"):
        return f"{owner} ID".strip()
    noun = re.sub(r"\bid$", "ID", re.sub(r"^(?:num|number of|n|no of|total) |^(?:the|new|is|user defined) (?=\w)", "", words))
    noun = re.sub(r" (?:count|str|string|value|param|parameter|in|usd|eur)$", "", noun)
    for short, full in (("max", "maximum"), ("min", "minimum"), ("qty", "quantity"), ("lat", "latitude"), ("lng", "longitude"), ("lon", "longitude"),
                        ("lang", "language"), ("desc", "description"), ("addr", "address"), ("msg", "message"), ("temp", "temperature"), ("dest", "destination"),
                        ("src", "source"), ("tz", "time zone"), ("q", "query"), ("url", "URL"), ("ids", "IDs"), ("dob", "date of birth"), ("ip", "IP")):  # fmt: skip
        noun = re.sub(rf"\b{short}\b", full, noun)
    return noun or words


def clauses_of(words: str, told: str, kind: Type, noun: str) -> tuple[str, ...]:
    """How a request mentions the parameter, `{}` being its value."""
    if kind.clauses == ("{@}",) and kind.name == "boolean":
        return kind.clauses
    generic = _generic(noun, kind, told)
    if kind in (DATE, DATETIME) or kind.draw is DATE.draw or kind.question == DATETIME.question:
        return _when(words, noun)
    if kind.question == TIME.question:
        return (
            ("starting {@}", f"with {noun} {{}}")
            if re.match(r"start|begin|from", words)
            else ("ending {@}", "until {}")
            if re.match(r"end|until|to\b", words)
            else ("{@}",)
        )
    if kind.name == "number":
        return _amount(words, told, noun, kind)
    if kind.name in ("id", "uuid", "code"):
        thing = noun.removesuffix(" ID")
        return (
            (f"for {thing} {{}}", f"with {noun} {{}}", f"using {noun} {{}}")
            if thing != noun
            else (f"with {noun} {{}}", f"using {noun} {{}}", f"with {{}} as the {noun}")
        )
    if kind.question in (CITY.question, lex.COUNTRY.question, lex.AIRPORT.question) or kind is lex.LANDMARK:
        if _FROM.search(words):
            return ("from {}",)
        if _TO.search(words):
            return ("to {}",)
        return ("in {}", "in {}", f"with {{}} as the {noun}") if kind.question != lex.AIRPORT.question else ("at {}", f"for {noun} {{}}")
    if _FROM.search(words) and not isinstance(kind, Group):
        return ("from {}",)
    if _TO.search(words) and not isinstance(kind, Group):
        return ("to {}",)
    if kind is lex.LANGUAGE or kind is lex.CURRENCY:
        return ("in {}", f"with {noun} {{}}", f"with {{}} as the {noun}")
    if kind is EMAIL or kind is lex.PHONE:
        return (f"with {noun} {{}}", f"using {{}} as the {noun}", f"with {{}} as the {noun}")
    if kind is PERSON or isinstance(kind, Many) and kind.each is PERSON:
        if re.search(r"attendee|participant|invitee|guests$|people|members|friends", words):
            return ("with {}", f"with {{}} as {noun}", "together with {}")
        if re.search(r"author|sender|organi[sz]er|host|artist|director", words):
            return ("by {}", f"with {{}} as the {noun}")
        if re.search(r"assignee|owner|driver|doctor|teacher|manager", words):
            return (f"with {{}} as the {noun}", f"with {noun} {{}}")
        return ("for {}", "under the name {}", f"with {{}} as the {noun}") if re.search(r"name|customer|guest|patient|passenger", words) else generic
    if kind in (lex.QUERY, lex.KEYWORD):
        return ("for {}", f"with the {noun} {{}}", "matching {}")
    if kind is lex.MESSAGE:
        return ("saying {}", f"with the {noun} {{}}", "that says {}")
    if kind in (lex.TITLE, lex.NAME, lex.WORK) and re.search(r"(title|name)$", words) and not re.search(r"\w+ (title|name)$", words):
        return ("called {}", f"with the {noun} {{}}", "named {}") if "name" in words else ("titled {}", f"with the {noun} {{}}", "called {}")
    return generic


def _generic(noun: str, kind: Type, told: str) -> tuple[str, ...]:
    if isinstance(kind, Group):
        return (f"with this {noun}: {{}}", f"using the {noun} {{}}", f"with {noun} as follows: {{}}")
    if isinstance(kind, Many):
        return (f"with the {noun} {{}}", f"with {{}} as the {noun}", f"with {noun}: {{}}")
    out = [f"with {noun} {{}}", f"with {{}} as the {noun}", f"with the {noun} set to {{}}", f"using {{}} as the {noun}"]
    what = re.sub(r"\([^)]*\)", "", told.split(". ")[0].split(",")[0]).strip().rstrip(".")
    if (
        re.match(r"(the|The) [\w' -]+$", what)
        and 3 <= len(what.split()) <= 6
        and not re.search(r"\b(optional|default|string|number|must|should|whether)\b", what)
    ):
        out.append(f"with {{}} as {what[0].lower() + what[1:]}")
    return tuple(out)


def _when(words: str, noun: str) -> tuple[str, ...]:
    if re.search(r"\b(birth|born|dob)\b", words):
        return ("born {@}", "with date of birth {}")
    if re.search(r"\b(due|deadline)\b", words):
        return ("due {@}", "due {@}", f"with {{}} as the {noun}")
    if re.search(r"^(start|from|begin|since|after|check in|checkin|departure|depart|arrival|pickup)\b|\bstart\b", words):
        lead = {"check": "checking in {@}", "checkin": "checking in {@}", "departure": "leaving {@}", "depart": "leaving {@}", "arrival": "arriving {@}",
                "since": "since {}", "after": "after {}", "pickup": "picking up {@}"}.get(words.split()[0])  # fmt: skip
        return (lead, lead, f"with {{}} as the {noun}") if lead else ("starting {@}", "from {}", f"with {{}} as the {noun}")
    if re.search(r"^(end|until|to|before|check out|checkout|return|dropoff|finish)\b|\bend\b", words):
        lead = {
            "check": "checking out {@}",
            "checkout": "checking out {@}",
            "return": "returning {@}",
            "before": "before {}",
            "dropoff": "dropping off {@}",
        }.get(words.split()[0])
        return (lead, lead, f"with {{}} as the {noun}") if lead else ("until {}", "ending {@}", f"with {{}} as the {noun}")
    if len(words.split()) == 1 or words in ("date time", "event date", "reservation date", "booking date", "appointment date", "travel date"):
        return ("{@}", "{@}", "{@}")
    return (f"with {noun} {{}}", f"with {{}} as the {noun}")


def _amount(words: str, told: str, noun: str, kind: Type) -> tuple[str, ...]:
    unit = unit_of(words, told)
    if re.search(r"^(limit|top k|k|n|count|page size|per page|size)$|^(max|num|number of|limit) ?(results?|items|rows|records|entries)$", words):
        what = re.sub(r"^(?:max|num|number of|limit) ?", "", words) if " " in words else "results"
        what = what if what.endswith("s") and what != "results" else "results"
        return (f"limited to {{}} {what}", f"and give me at most {{}} {what}", f"with at most {{}} {what}")
    if unit == "" and noun in lex.KEEP_COUNT:
        return (f"for {{}} {noun}", f"with {{}} {noun}")
    short = re.sub(
        r" ?(?:in )?(?:seconds|secs|sec|minutes|mins|min|hours|hrs|days|nights|weeks|months|years|kg|km|usd|eur|gbp|celsius|fahrenheit|percent|miles|meters|metres|cm|dollars)$",
        "",
        noun,
    )
    if unit in ("second", "minute", "hour", "day", "night", "week", "month", "year") and (
        not short or re.search(r"duration|length|stay|period", short)
    ):
        return ("for {}", "for {}") if not short else ("for {}", f"with a {short} of {{}}", "lasting {}")
    noun = short or noun
    if re.match(r"maximum ", noun) and "minimum" not in noun:
        return (f"with a {noun} of {{}}", f"with {{}} as the {noun}", f"with {noun[8:]} at most {{}}")
    if re.match(r"minimum ", noun):
        return (f"with a {noun} of {{}}", f"with {{}} as the {noun}", f"with {noun[8:]} at least {{}}")
    if noun == "page" or noun == "year":
        return (f"with {noun} {{}}", f"for {noun} {{}}") if noun == "year" else ("on page {}", "with page {}")
    a = "an" if noun[:1] in "aeiou" else "a"
    if _plural(noun):
        return (f"with {noun} {{}}", f"with {noun} set to {{}}", f"with {{}} as {noun}")
    return (f"with {a} {noun} of {{}}", f"with {noun} {{}}", f"with the {noun} set to {{}}", f"with {{}} as the {noun}")
