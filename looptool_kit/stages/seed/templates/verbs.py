"""Whether the first word of a text is surely a verb: "Heat demand forecast" heats nothing."""

from __future__ import annotations

import re

from looptool_kit.stages.seed.templates import lexicon as lex

READING = lex.word_set("""
    analyse analyze browse calculate check compare compute count describe detect determine diagnose estimate
    evaluate explain fetch find forecast get give identify inspect list locate look lookup monitor navigate
    obtain predict preview print query read recommend retrieve review scan search show summarise summarize
    track validate verify view
    """)
"""Verbs that change nothing."""
CHANGING = lex.word_set("""
    adjust alter amend change configure correct edit extend modify move patch postpone reassign rename
    reschedule resize revise set update
    """)
MAKING = lex.word_set("""
    add apply book buy create enter file generate insert issue launch lodge log make open order place plan
    post raise record register rent report request reserve schedule send start submit write
    """)
"""Verbs whose object is new: it is called something, and is for somebody."""
TO_A_VALUE = ("set", "change", "adjust", "update")
"""Verbs that give something a value."""
DETERMINED = re.compile(
    r"(?:an?|the|all|any|our|your|my|this|these|every|each|one|some|somebody|someone|its|it|them"
    r"|multiple|several|up to|\d+)\b",
    re.IGNORECASE,
)
_NOUNS_TOO = lex.word_set("""
    abort answer archive ban bind block book broadcast build call capture change charge check claim clean
    clear clone close commit complete contact control copy correct count crop decline delay deposit dispatch
    display dock dose download draft drain draw dry email end estimate exchange expire export extract feed
    file fill filter fine finish fix flag flip follow forecast format forward freeze grant grind group
    harvest heat import increase index invoice issue join kick kill label launch like link list load lock log
    login look mail mark match measure message mix monitor mount move open order pack paint pause pay pick
    pin ping place plan plant play polish post preview print process produce prune pull purchase push query
    quote raise rank rate recall record refund release rent repeat reply report request reserve reset restart
    return reverse review roast roll route run sample save scale scan schedule search seed select sell set
    share ship sign skip sort spawn split stack star start stir stitch stop store stream sum swap switch
    tag take test throttle toggle tow track train transfer trigger trim turn update upgrade upload view visit
    vote wake warm wash watch water withdraw wrap zip
    """)
"""Verbs that are common nouns or adjectives as well: alone they do not tell which is meant."""
_AFTER_A_VERB = re.compile(
    rf"{DETERMINED.pattern}|(?:that|whether|how|what|which|when|where|up|out|back|off|down|away)\b"
    rf"|\w+ing {DETERMINED.pattern}"
)
""""Report that", "pay out"."""
LOOKED_UP = lex.word_set("""
    availability balance budget calendar catalog catalogue chart count details directory estimate forecast
    hierarchy history info information inventory list menu overview plan price prices pricing
    programme progress quote rate rates report schedule statement statistics stats status stock summary
    timeline timetable value version weather
    """)
"""Nouns for what nobody does, and everybody looks up."""
KNOWN = LOOKED_UP | lex.word_set("""
    address age amount capacity climate cost coverage date distance duration eta fee height humidity
    length level limit link location name number occupancy position queue rating score size speed state
    temperature time total usage value volume weight
    """)
"""Nouns for what can be told in an answer: "what is the fee?"."""


def ambiguous(verb: str) -> bool:
    """Whether a verb is a common noun or an adjective, too."""
    return verb in _NOUNS_TOO


def names_a_thing(words: list[str]) -> bool:
    """Whether a name is that of something to look up: "order_status", "heat_demand_forecast"."""
    known = READING | CHANGING | {"download", "export", "import", "open"}
    return len(words) > 1 and words[-1] in LOOKED_UP and words[0] in _NOUNS_TOO - known


def is_sure(word: str, rest: str, own: list[str]) -> bool:
    """Tell whether `word`, before `rest`, is a verb.

    The word is nothing else, or is the verb of the name, whose words are `own`; or what follows goes with
    verbs alone.
    """
    forms = lex.verb_forms()
    base = forms.get(word)
    if base is None or re.match(r"of\b", rest) or (word.endswith("ing") and not DETERMINED.match(rest)):
        return False
    if word != base and base not in READING and base not in own[:1] and re.match(_PREPOSITION, rest):
        return False  # "Invoices on an account"
    second = re.match(r"(?:or|and|/) (\w+) ", rest.lower())  # "lock or unlock a door"
    if base not in _NOUNS_TOO or _AFTER_A_VERB.match(rest.lower()) or (second and second[1] in forms):
        return True
    if word != base and base in READING | {"return"} and not re.match(_PREPOSITION, rest):
        return True  # "Lists bikes"
    if names_a_thing(own) or base in own[1:-1]:
        return False  # "Order status" of `get_order_status`
    verbs = {forms[w] for w in (*own[:1], *own[-1:]) if w in forms}
    return base in verbs or any(base in group and verbs & group for group in (READING, CHANGING))


_PREPOSITION = r"(?:about|and|as|at|between|by|for|from|in|of|on|per|to|with)\b"
