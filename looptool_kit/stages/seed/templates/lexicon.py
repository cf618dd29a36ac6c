"""What words in names and descriptions tell. Data only.

They tell verbs and how else people say them, and units.
"""

from __future__ import annotations

import re
from functools import lru_cache

from looptool_kit.world.pools import words as listed


def word_set(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


# --------------------------------------------------------------------- verbs

SAME: dict[str, tuple[str, ...]] = {
    line.split(":")[0].strip(): listed(line.split(":")[1])
    for line in """
get: show me | look up | give me | pull up
fetch: get | show me | look up | pull up
read: show me
view: show me | look at | pull up
show: show me
display: show me
lookup: look up | find
list: show me | give me a list of
search: look for | find
find: look for | search for
make: create
insert: add
delete: remove
remove: delete
update: edit | modify
modify: edit | update
edit: update | modify
change: update | edit
calculate: work out | compute
compute: work out | calculate
rename: change the name of
generate: create
""".strip().splitlines()
}
"""Verb -> other ways of saying it; one that is the verb of another tool of the catalogue is not used."""
ASKABLE = word_set("""
    calculate compute determine estimate fetch get lookup read show view
    """)
"""Verbs whose object can be asked for: "what is the ..."."""
NEEDABLE = ASKABLE - {"read"} | {"list", "search", "find"}

_VERBS = word_set("""
    abort accept acknowledge activate add adjust allocate analyse analyze announce answer append apply
    approve archive arrange ask assign attach authenticate authorise authorize autocomplete backup ban
    bind block book borrow broadcast browse build buy calculate call cancel capture change charge check
    checkout choose claim classify clean clear clone close collect combine commit compare compile complete
    compose compress compute configure confirm connect contact control convert copy correct count create
    crop decline decode decrypt delay delete deliver demote deny deploy deposit deprovision describe
    destroy detach detect determine diagnose disable disband discard disconnect dismiss dispatch display
    dissolve divide download erase draft draw duplicate edit email enable encode encrypt end enqueue enrol
    enroll estimate evaluate evict exchange execute expand expel expire explain export extend extract feed
    fetch file fill filter find fine finish fix flag flip follow forecast format forward freeze generate
    geocode get give grant group hide identify import increase index insert inspect install invite invoke
    issue join kick kill launch like link list load locate lock log login look lookup mail make mark match
    measure merge message modify monitor mount move multiply mute navigate nominate normalise normalize
    notify obtain open optimise optimize order organise organize parse pause pay perform pick pin ping
    place plan play post predict prepare preview print process produce promote provide provision publish
    pull purchase push put query quote raise rank rate react read rearrange reassign reboot recall
    recommend record redeem redirect reduce refresh refund register reinstate reject release reload remind
    remove rename render renew rent reopen repeat replace reply report request reschedule reserve reset
    resize resolve restart restore resume retrieve retry return reverse revert review revoke rollback
    rotate route run save scale scan schedule scrape search select sell send set share ship show shut sign
    silence simulate skip snooze solve sort spawn split stack star start stop store stream submit
    subscribe subtract suggest sum summarise summarize suspend swap switch sync synchronise synchronize
    tag take terminate test throttle toggle track train transcribe transfer transform translate transmit
    trigger trim turn unarchive unassign unban unblock undo unfollow unhide uninstall unlock unmount
    unmute unpin unshare unsubscribe update upgrade upload validate verify view visit vote wake warn watch
    water withdraw write zip bake boil brew chill cook defrost dispense dock dose drain evacuate fertilise
    fertilize grind harvest heat irrigate knit label lend mix mount mow pack paint plant polish pour preheat
    prescribe prune rinse roast shelve sow stitch stir tow unload vaccinate ventilate warm wash weigh wrap
    """)


@lru_cache
def verb_forms() -> dict[str, str]:
    """ "creates", "creating" and "create" -> "create"."""
    forms: dict[str, str] = {}
    for verb in sorted(_VERBS):  # two verbs may share a form (enrol, enroll): always the same one wins
        third = (
            verb[:-1] + "ies"
            if re.search(r"[^aeiou]y$", verb)
            else verb + ("es" if re.search(r"(?:s|sh|ch|x|z|o)$", verb) else "s")
        )
        stem = verb[:-1] if re.search(r"[^eo]e$", verb) else verb
        gerunds = [stem + "ing"]
        if re.fullmatch(r"\w*[^aeiou][aeiou][bdgklmnprt]", verb):
            gerunds.append(verb + verb[-1] + "ing")
        forms |= dict.fromkeys((third, *gerunds), verb)
    return forms | {v: v for v in _VERBS}


LEADS = re.compile(
    r"(?:(?:this|the) (?:\w+ )?(?:tool|function|endpoint|method|api|operation|action|command)(?: call)?"
    r"(?: (?:is used to|can be used to|is used for|allows (?:you|users?|the user) to|allows for|allows|lets"
    r" (?:you|users?)|will"
    r"|helps (?:you )?(?:to )?|is for))?"
    r"|(?:use|call|invoke) (?:this|it|the \w+ tool)(?: (?:tool|function|endpoint|method|api))?"
    r" (?:to|for|when(?:ever)? (?:you|the user) (?:need|want|wish|ask)s? (?:to|for))"
    r"|(?:an? |the )?(?:tool|function|utility|endpoint|method|helper|api)(?: (?:to|for|that|which))"
    r"(?: (?:allows (?:you|users?) to|lets (?:you|users?)|can))?"
    r"|(?:used|allows (?:you|users?|the user)|enables (?:you|users?)|helps (?:you|users?)?|useful|handy)"
    r" (?:to|for)|lets (?:you|users?|the user)"
    r"|(?:asynchronously|synchronously|quickly|safely|simply|automatically|instantly|securely)) ",
    re.IGNORECASE,
)
"""What introduces a description without telling what the tool does."""

# ------------------------------------------------------------------- numbers

KEEP_COUNT = listed(
    """people|persons|guests|adults|children|kids|passengers|travellers|travelers|nights|days|weeks|months|
    years|hours|minutes|seconds|tickets|copies|seats|rooms|items|units|pieces|players|attendees|participants|
    servings|portions|bags|results|records|rows|entries|pages|words|steps|bedrooms|beds|questions|options|
    points|stars|miles|kilometers|kilometres"""
)
"""Plural nouns that a count is said with: "for 3 nights"."""
UNITS = {
    "seconds": "second", "secs": "second", "sec": "second", "minutes": "minute", "mins": "minute",
    "min": "minute", "hours": "hour", "hrs": "hour", "days": "day", "nights": "night", "weeks": "week",
    "months": "month", "years": "year", "kg": "kg", "kilograms": "kg", "grams": "g", "km": "km",
    "kilometers": "km", "kilometres": "km", "miles": "mile", "meters": "m", "metres": "m", "cm": "cm",
    "centimeters": "cm", "centimetres": "cm", "celsius": "degrees", "fahrenheit": "degrees",
    "degrees": "degrees", "percent": "%", "pct": "%", "percentage": "%", "usd": "$", "dollars": "$",
    "eur": "€", "euros": "€", "gbp": "£", "pounds": "£", "litres": "l", "liters": "l", "mg": "mg",
    "milligrams": "mg", "ml": "ml", "gb": "GB", "mb": "MB", "gigabytes": "GB", "megabytes": "MB",
    "terabytes": "TB", "mm": "mm", "m": "m",
    "m3": "m³", "m2": "m²", "sqm": "m²", "l": "l", "ha": "ha",
    "dpi": "dpi", "px": "px", "kwh": "kWh", "kw": "kW", "rpm": "rpm",
}  # fmt: skip
"""A word in a number's name or description -> the unit that it is said with."""
MONEY = {"$": "dollars", "€": "euros", "£": "pounds"}
UNCOUNTED = frozenset(["kg", "g", "mg", "km", "m", "cm", "mm", "l", "ml", "GB", "MB", "TB", "degrees"]) | {
    "dpi", "ha", "px", "kW", "kWh", "rpm", "m²", "m³"
}  # fmt: skip
