"""What a tool does, from its description or its name.

It is a verb and the rest of a sentence.
"""

from __future__ import annotations

import re
from functools import lru_cache

from looptool_kit.core.samples import Tool
from looptool_kit.stages.seed.templates import lexicon as lex
from looptool_kit.stages.seed.templates.cuts import cut, head_of, says_nothing_of_it
from looptool_kit.stages.seed.templates.names import Unusable, acronyms, words_of
from looptool_kit.stages.seed.templates.nouns import in_plural, plural
from looptool_kit.stages.seed.templates.routes import from_route
from looptool_kit.stages.seed.templates.verbs import (
    CHANGING,
    DETERMINED,
    LOOKED_UP,
    MAKING,
    READING,
    ambiguous,
    is_sure,
)
from looptool_kit.text.words import STOP, stem

_EMPTY = lex.word_set("""
    about across after against all along another api around before between data default detail during format
    function given id info information into list matching more name near new number one optional other over
    result return specified string tool two under until value via whose within
    """)
_SAID_AS = {
    "return": "get",
    "retrieve": "get",
    "obtain": "get",
    "provide": "get",
    "output": "get",
    "display": "show",
    "execute": "run",
    "perform": "do",
}
"""Verbs that an interface uses and a person does not."""


_TAKING = lex.word_set("add send move transfer post return resume remove copy assign put take")
"""Verbs that say nothing without an object."""
_ONE_OF_SEVERAL = re.compile(
    r"\w+ (?:an?|the) (?:[\w'-]+ ){0,2}[\w'-]+(?:, [\w' -]+)*,? or (?!more\b)\w", re.IGNORECASE
)
"""A verb with several objects: "Save an album, playlist or track"."""
_LIGHT = ("give", "let", "put", "take", "make", "keep", "bring", "hand", "have")
"""Verbs that say little by themselves."""
_ENTANGLED = re.compile(
    r"\b(?:or|and|which|that|who|whose|where|when|if|unless|until|while|not|no|never|without|except|only"
    r"|optional(?:ly)?|once|after|before|during|within|because|as soon|one|another|others?|several"
    r"|either|both|whether|all|any|every|plus|including|as well|instead|already|yet|otherwise|same|per"
    r"|than|today|tomorrow|yesterday|back (?:to|from|in|into)|you|how)\b"
    r"|[(\[,;:/]|\d| - |\w'(?!s\b)",
    re.IGNORECASE,
)
"""What a value of a call, or one that is left out, may contradict."""
_BY_ID = re.compile(
    r" (?:by|using|given|with|from) (?:(?:its|the|an?|their) )?(?:unique )?(?:[\w-]+ )?(?:ids?"
    r"|identifiers?|numbers?|names?|code)$",
    re.IGNORECASE,
)
_ALL = re.compile(r"\ball (?:of )?(?:the )?", re.IGNORECASE)
_AFTER = re.compile(
    r"[,;:]? (?:given|including|incl\.|sorted|ordered|returning|using|based on) |, (?:with|by|newest"
    r"|oldest)\b| [-–—] ",
    re.IGNORECASE,
)
"""Where a sentence has said what a tool does, and tells how."""
MAX_PLAIN = 12
"""Words of a sentence that says one thing."""


def _is_plain(text: str) -> bool:
    return not _ENTANGLED.search(text) and len(text.split()) <= MAX_PLAIN


@lru_cache(maxsize=20_000)
def _headline(name: str, description: str) -> tuple[str, str] | None:
    told, named = _from_description(description, name), from_name(name, description)
    if says_nothing_of_it(description):
        told = None
    if route := re.match(r"([A-Z]+) /", description):
        own = named and name.lower().startswith(route[1].lower())
        return told[:2] if told and (named is None or own) else named
    first = re.split(r"[.!?](?:\s|$)|\n", description.strip(), maxsplit=1)[0]
    said = (_SAID_AS.get(told[0], told[0]), told[1]) if told and told[2] and told[1] else None
    if said and told and told[0] == "return" and re.search(r"return|refund|back", words_of(name)):
        said = told[0], told[1]  # something is given back
    if said and named and said[0] in _LIGHT and named[1] and named[0] != said[0]:
        said = None  # "give a family more time", which `renew_loan` calls by its name
    named = None if named and _lacks_an_object(*named) else named
    if said and (
        re.match(r"(?:the )?(?:at|by|during|via|within|until|under|as)\b", said[1]) or _lacks_an_object(*said)
    ):
        said = None  # "cancel at the end of the period", and what is cancelled is in the name
    if said and _ONE_OF_SEVERAL.match(first):
        said = None  # "save an album" is not what is meant where a track may be
    if said and said[0] in READING:  # "List all orders", of one state
        said, first = (said[0], _ALL.sub("", said[1])), _ALL.sub("", first)
    first = _AFTER.split(lex.LEADS.sub("", re.sub(r"\s*\([^)]*\)", "", first)), maxsplit=1)[0]
    if said and _is_plain(_BY_ID.sub("", first)):
        return said
    if named and named[1] and _is_plain(" ".join(named)):
        return named
    return said if said and _is_plain(" ".join(said)) else None


def _lacks_an_object(verb: str, rest: str) -> bool:
    """Whether a verb that says nothing alone has no object: "send to charger"."""
    return verb in _TAKING and re.match(r"(?:to|from|into|after|before)\b", rest) is not None


def headline(tool: Tool) -> tuple[str, str]:
    """Verb and rest of what a tool does.

    As in ("get", "the current weather for a city"). It comes from the description where its first sentence
    says one thing; else from the name, or from what stands before the first comma or clause.

    Raises:
        Unusable: None of them surely begins with a verb, or all say more than a request for one call would.
    """
    if (found := _headline(tool.name, tool.description)) is None:
        raise Unusable(
            "neither its name nor its description says plainly, with a verb first, what it does: begin its"
            " description with a short sentence as 'Cancel an order.'"
        )
    return found


def subject_of(tool: Tool) -> frozenset[str]:
    """Stems of what a tool is about.

    They are the words of its headline and name without the verb.
    """
    verb, rest = headline(tool)
    forms = lex.verb_forms()
    name = words_of(tool.name).split()
    first = next((i for i, w in enumerate(name) if w in forms), None)
    words = [w for i, w in enumerate(name) if i != first] + [w.lower() for w in re.findall(r"[^\W_]+", rest)]
    return frozenset(stem(w) for w in words if len(w) > 2 and stem(w) not in STOP | _EMPTY and w != verb)


_ID_OF = re.compile(
    r"(?:the )?(?:unique )?(?:id|identifier) (?:of|for) (?:the|an?) ((?:[\w-]+ ){0,2}[\w-]+?)"
    r"(?= (?:to|that|which|whose|you|in|on|from)\b|[.,;:(]|$)",
    re.IGNORECASE,
)


def owner_of(tool: Tool, description: str = "") -> str:
    """What a tool acts on, from its name: "delete_task" -> "task".

    With a parameter's description, what that is an ID of: "ID of the session" -> "session".
    """
    if named := _ID_OF.match(description):
        return named[1].lower()
    words = words_of(tool.name).split()
    forms = lex.verb_forms()
    own = headline(tool)[0].replace("look up", "lookup").split()[0]
    first = next((i for i, w in enumerate(words) if forms.get(w, w) == own), None)
    if first is None:
        first = next((i for i, w in enumerate(words) if w in forms), None)
    rest = [w for i, w in enumerate(words) if i != first]
    for word in ("by", "for", "from", "with", "in", "to", "of"):
        if word in rest[1:]:
            rest = rest[: rest.index(word)]
    owner = stem(rest[-1]) if rest else ""
    told = headline(tool)[1]
    if headline(tool)[0] in ("add", "attach", "append") and (to := re.search(r" to an? ([a-z]+)$", told)):
        return stem(to[1])  # what something is added to has the ID
    if of := re.search(r"^(?:the|an?) [\w ]+ of an? ([a-z]+)\b(?! of)", told):
        return stem(of[1])  # "the delay of a sailing"
    if not owner or owner not in {stem(w) for w in re.findall(r"[^\W_]+", told.lower())}:
        # "changeQuota" of "the observing time of a user": whose it is
        whose = re.search(
            r"(?:^| of | for )(?:an?|the) ([a-z]+)(?='s | (?:and|to|in|on|from|at|for|by|with|into)\b|$)",
            told,
        )
        return stem(whose[1]) if whose else owner
    return owner


_NO_VERB = lex.word_set("""
    a about above after all an and any at before below between both by each every for from given half how if
    in into it its list many most my no of on one only or other our out over some such than that the their
    there these this those through to under up what when where which while who whose with within without you
    your
    """)


def _lemma(word: str, name: str) -> str:
    """The base form of a word that seems to be a verb: the name's, or without its ending."""
    forms = lex.verb_forms()
    if word in forms:
        return forms[word]
    for own in words_of(name).split():
        if word in (own, own + "s", own + "es", own + "ing", own[:-1] + "ing", own + own[-1] + "ing"):
            return own
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if re.search(r"(?:ch|sh|ss|x|zz|o)es$", word):
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith("ss") else word


def _from_description(text: str, name: str) -> tuple[str, str, bool] | None:
    """Verb, rest, and whether the text has the verb; without one it is a noun phrase, to get."""
    if route := re.fullmatch(r"(GET|PUT|POST|DELETE|PATCH|HEAD|OPTIONS|TRACE) (/\S*)", text.strip()):
        return from_route(route[1], route[2])
    first = re.split(r"(?<=[^.\s]{2})(?<!incl)(?<!excl)[.!?](?:\s|$)|\n", text.strip(), maxsplit=1)[0]
    first = first.replace("incl.", "including")
    first = re.sub(r"\s*[(\[][^)\]]*[)\]]", "", first)
    first = re.sub(r"[`*]| by time of (?:the )?day\b", "", first).strip().rstrip(".")
    first = re.sub(r"\b[Yy]our\b", "my", first)  # what an interface calls "your account"
    first = whole = _in_lower_case(first)
    for _ in range(2):
        if lead := lex.LEADS.match(first):
            first = first[lead.end() :]
    first = re.sub(r"(?<=\w )(?:that )?you (?=\w)", "I ", first)  # "a dish you made"
    if not first:
        return None
    first = re.sub(
        r"^(\w+) or (?:overwrite|replace|update|extend|amend)s? (?=(?:an?|the|my) )", r"\1 ", first
    )  # "create or overwrite an entry"
    head, _, rest = first.partition(" ")
    if (
        head.lower().endswith("ly") and rest and head.lower() not in lex.verb_forms()
    ):  # "Permanently delete a card"
        head, _, rest = rest.partition(" ")
    rest = rest.strip()
    low = re.sub(r"\W+$", "", head.lower())
    base = _lemma(low, name)
    own = words_of(name).split()
    led = first != whole and low in lex.verb_forms()  # "a tool for converting units"
    known = (led or is_sure(low, rest, own)) and bool(rest or low == base)
    particle = (
        "" if low.endswith("s") and base not in own[:1] else f"(?:{_PARTICLE} )?"
    )  # "Invoices on an account"
    leads = bool(re.match(rf"{particle}{DETERMINED.pattern}", rest, re.IGNORECASE)) or (
        own[:1] == [base] and low == base + "s"
    )
    if known or (
        rest
        and leads
        and re.fullmatch(r"[a-z]+(?:-[a-z]+)?", low)
        and low not in _NO_VERB
        and not low.endswith(("ed", "al"))
    ):
        return (*_of_verb(base, rest), True)
    if re.match(r"how (?:much|many|long|far|often) ", first.lower()):
        return "tell", cut(first[0].lower() + first[1:]), True
    if len(first.split()) <= 12 and not re.search(
        r"(?<!that )(?<!which )(?<!who )\b(is|are|can|must|will|should|you)\b", first
    ):
        noun = first if head.isupper() or head[1:] != head[1:].lower() else first[0].lower() + first[1:]
        noun = noun if re.match(r"(the|a|an|all|my|your)\b", noun) or plural(noun) else f"the {noun}"
        return "get", cut(noun), False
    return None


def _in_lower_case(text: str) -> str:
    """A heading ("List All Block Storage Volumes") as a sentence; other texts keep their names."""
    words = re.findall(r"[A-Za-z][\w'-]*", text)[1:]
    titled = [w for w in words if w[0].isupper() and w[1:].islower()]
    small = sum(len(w) > 3 and w.islower() for w in words)
    if len(titled) < 2 or small:
        return text
    return re.sub(r"(?<=[ (])[A-Z][a-z'-]+\b", lambda m: m[0].lower(), text)


def _of_verb(verb: str, rest: str) -> tuple[str, str]:
    """Verb and rest of a sentence that begins with the verb."""
    forms = lex.verb_forms()
    if (match := re.match(r"(or|and|/) (\w+) ", rest)) and match[2].lower() in forms:
        verb = (
            f"{verb} {'or' if match[1] == '/' else match[1]} {forms[match[2].lower()]}"  # "create or update"
        )
        rest = rest[match.end() :]
    apart = re.fullmatch(rf"((?:an?|the) )?((?:[\w-]+ ){{0,2}}[\w-]+) ({_PARTICLE})", rest)
    if apart and verb in ("check", "sign", "log", "clock"):  # "check a guest in"
        return f"{verb} {apart[3]}", (apart[1] or "the ") + apart[2]
    phrasal = rf"({_PARTICLE}) " if verb in _PARTICLES else rf"({_PARTICLE}) (?={DETERMINED.pattern})"
    if match := re.match(phrasal, rest):  # "log in", "roll back a service"
        return f"{verb} {match[1]}", cut(rest[match.end() :])
    if verb == "search":
        rest = re.sub(r"^(?:for|through) |^(?:the|our|all|your|my) (?:[\w']+ ){1,3}for (?=\w)", "", rest)
    if verb in READING and not DETERMINED.match(rest):  # "search logs by text and time", and say neither
        rest = re.sub(r" by (?!\w+ing\b)[^,]*$", "", rest)
    if verb == "return" and rest.startswith("whether"):
        return "check", cut(rest)
    rest = cut(rest)
    head = head_of(rest)
    bare = not DETERMINED.match(rest) and head.islower() and len(head.split()) <= 3
    return verb, _with_article(verb, head) + rest[len(head) :] if bare and verb in _ONE | _THE else rest


_PARTICLE = r"(?:up|in|out|on|off|down|back|away|over)"
_PARTICLES = ("look", "log", "sign", "turn", "switch", "shut", "set", "clean", "back", "power")
_COMMANDS = lex.word_set("check find list search set start stop update upload view")
"""Of the verbs that are nouns as well those that names begin with as verbs."""


@lru_cache(maxsize=20_000)
def from_name(name: str, description: str = "") -> tuple[str, str] | None:
    """Verb and rest from a name that surely has one.

    None where it does not. It stands first or last: "create_issue" -> ("create", "an issue"), "users.list"
    -> ("list", "users"). A noun, too, is a verb where the description begins with it as one.
    """
    own = re.split(r"__|[./:]", name)[-1]  # "accounts__get_invoice"
    words = words_of(own if len(words_of(own).split()) > 1 else name).split()
    forms = lex.verb_forms()
    if not words:
        return None
    low, _, later = re.sub(r"^\W+", "", description.lower()).partition(" ")
    told = forms.get(low) if is_sure(low, later, []) else None

    def surely(word: str) -> bool:
        alike = any(word in group and told in group for group in (READING, CHANGING, MAKING))
        return forms.get(word) == word and (
            not ambiguous(word) or word in _COMMANDS or word == told or alike or word == low == "move"
        )

    if surely(words[0]):
        verb, rest = words[0], words[1:]
    elif forms.get(low) == words[0]:
        return None  # `reportReject`, "Report torn items": nothing is rejected
    elif (
        len(words) > 1
        and surely(words[-1])
        and (not ambiguous(words[-1]) or words[-1] in (*_COMMANDS, told))
        and (words[-1] not in LOOKED_UP or plural(words[-2]))
    ):
        verb, rest = words[-1], words[:-1]
    else:
        return None
    verb = _SAID_AS.get(verb, verb)
    if len(rest) > 1 and re.fullmatch(_PARTICLE, rest[0]):  # "check_in_guest"
        verb, rest = f"{verb} {rest[0]}", rest[1:]
    if "by" in rest:
        rest = rest[: rest.index("by")]
    if not rest:
        return verb, ""
    if verb in ("find", "search", "list") and rest[-1] not in LOOKED_UP | _WHOLES:
        rest = [*rest[:-1], in_plural(rest[-1])]  # "find_instructor"
    return verb, acronyms(_with_article(verb.split()[0], " ".join(rest)))


_MASS = lex.word_set("""
    balance code content data feedback help history info information inventory mail money music news stock
    text traffic weather equipment feedback luggage furniture software access staff
    advice research waste food clothing jewellery machinery catering insurance flour
    """)
_WHOLES = _MASS | lex.word_set(
    "archive base catalog catalogue collection database formulary index library mailbox"
)
"""What is searched, and not searched for."""
_ONE = lex.word_set("""
    add book buy create generate insert issue log make open place post record register rent request reserve
    schedule send start submit write
    """)
_THE = lex.word_set("""
    activate appeal approve archive assign cancel change clear close confirm deactivate delete edit extend get
    modify pause publish reject remove rename renew restart restore resume revoke set stop unlock update
    """)
"""Verbs after which a thing without an article is a known one: "remove patient record"."""


def _with_article(verb: str, noun: str) -> str:
    first = noun.split()[0]
    if first.endswith("ing") and (re.match(r"\w+ (?:the|an?|all|my)\b", noun) or lex.verb_forms().get(first)):
        return noun  # "start cleaning the tank"
    if noun.endswith(("ed", "en")) and plural(first):  # "hours worked"
        return noun
    if plural(noun) or re.match(r"(for|to|in|all|my|up|out|on|off)\b", noun):
        return noun
    if verb in _ONE | {"send", "move"} and noun.split()[0] in _MASS:
        return noun
    if verb in _ONE and noun.split()[-1] not in _MASS:
        return f"a{'n' if noun[0] in 'aeiou' or noun == 'sms' else ''} {noun}"
    return f"the {noun}"
