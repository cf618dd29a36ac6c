"""What a tool does, from its description or its name.

It is a verb and the rest of a sentence.
"""

from __future__ import annotations

import re

from looptool_kit.core.samples import Tool
from looptool_kit.stages.seed.templates import lexicon as lex
from looptool_kit.stages.seed.templates.clauses import plural
from looptool_kit.stages.seed.templates.names import words_of
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


def headline(tool: Tool) -> tuple[str, str]:
    """Verb and rest of what a tool does.

    As in ("get", "the current weather for a city"). It comes from the description, or else from the name.
    """
    verb, rest = (
        _from_description(tool.description)
        or from_name(tool.name)
        or ("run", words_of(tool.name) or tool.name)
    )
    if verb == "return" and re.search(r"return|refund|back", words_of(tool.name)):
        return verb, rest  # something is given back
    return _SAID_AS.get(verb, verb), rest


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


def owner_of(tool: Tool) -> str:
    """What a tool acts on, from its name: "delete_task" -> "task"."""
    words = words_of(tool.name).split()
    forms = lex.verb_forms()
    first = next((i for i, w in enumerate(words) if w in forms), None)
    rest = [w for i, w in enumerate(words) if i != first]
    for cut in ("by", "for", "from", "with", "in", "to", "of"):
        if cut in rest[1:]:
            rest = rest[: rest.index(cut)]
    return stem(rest[-1]) if rest else ""


def _from_description(text: str) -> tuple[str, str] | None:
    first = re.split(r"(?<=[^.\s]{2})[.!?](?:\s|$)|\n", text.strip(), maxsplit=1)[0]
    first = re.sub(r"\s*[(\[][^)\]]*[)\]]", "", first)
    first = re.sub(r"[`*]", "", first).strip().rstrip(".")
    for _ in range(2):
        first = lex.LEADS.sub("", first, count=1)
    if not first:
        return None
    head, _, rest = first.partition(" ")
    rest = rest.strip()
    forms = lex.verb_forms()
    low = head.lower().rstrip(",")
    if low in forms and (rest or low == forms[low]):
        verb = forms[low]
        if (match := re.match(r"(?:or|and|/) (\w+) ", rest)) and match[
            1
        ].lower() in forms:  # "Create or update a task"
            rest = rest[match.end() :]
        if verb in ("look", "log", "sign", "turn") and (match := re.match(r"(up|in|out|on|off) ", rest)):
            return f"{verb} {match[1]}", _cut(rest[match.end() :])
        if verb == "search":
            rest = re.sub(r"^(?:for|through) |^(?:the|our|all|your) (?:\w+ ){1,3}for (?=\w)", "", rest)
        if verb == "return" and rest.startswith("whether"):
            return "check", _cut(rest)
        return verb, _cut(rest)
    if len(first.split()) <= 12 and not re.search(r"\b(is|are|can|must|will|should|you)\b", first):
        noun = first if head.isupper() or head[1:] != head[1:].lower() else first[0].lower() + first[1:]
        return "get", _cut(
            noun if re.match(r"(the|a|an|all|my|your)\b", noun) or plural(noun) else f"the {noun}"
        )
    return None


_TAIL = re.compile(
    r"(?:[,;:]| - | – |(?<!\ba)(?<!\ban)(?<!\bthe) given | based on | according to | so that | which | whose"
    r" | that (?!day|are \w+\b|is \w+\b)"
    r"| if | when | where | returning | and (?:then )?(?:return|get|give|provide|show)s? | along with |"
    r" including | as well as"
    r"| using (?:the|a|an|its|their) | by (?:its|their|the|name|id|providing|specifying|\w+ing)\b"
    r"| with (?:the )?(?:given|specified|provided|optional|following|its|various)\b"
    r"| (?:from|in|to) (?:the|a) (?:database|system|server|api|store|catalog(?:ue)?)\b| via | through ).*$",
    re.IGNORECASE,
)


def _cut(text: str) -> str:
    """The text up to where it begins to explain."""
    short = _TAIL.sub("", text).strip()
    return short if short else text.strip()


def from_name(name: str) -> tuple[str, str] | None:
    """Verb and rest from a name, None without a verb.

    "github_create_issue" -> ("create", "an issue").
    """
    words = words_of(name).split()
    forms = lex.verb_forms()
    at = next((i for i, w in enumerate(words) if w in forms), None)
    if at is None:
        return None
    verb = _SAID_AS.get(forms[words[at]], forms[words[at]])
    rest = words[at + 1 :] or words[:at]  # "users.list"
    if "by" in rest:
        rest = rest[: rest.index("by")]
    if not rest:
        return (verb, "") if verb != "run" else None
    return verb, _with_article(verb, " ".join(rest))


_MASS = lex.word_set("""
    balance code content data feedback help history info information inventory mail money music news stock
    text traffic weather
    """)
_ONE = lex.word_set("""
    add book buy create generate insert issue make open place post register rent request reserve schedule send
    start submit write
    """)


def _with_article(verb: str, noun: str) -> str:
    if plural(noun) or re.match(r"(for|to|in|all|my|up|out|on|off)\b", noun):
        return noun
    if verb in _ONE and noun.split()[-1] not in _MASS:
        return f"a{'n' if noun[0] in 'aeiou' else ''} {noun}"
    return f"the {noun}"
