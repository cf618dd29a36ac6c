"""What words in names and descriptions tell. Data only.

They tell verbs and how else people say them, and what kind of value a parameter wants.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from functools import lru_cache

from looptool_kit.world.pools import (
    COLOURS,
    COMPANIES,
    FILE_STEMS,
    FIRST,
    LAST,
    NOUNS,
    TOPICS,
    one,
)
from looptool_kit.world.pools import words as listed
from looptool_kit.world.types import (
    ADDRESS,
    AIRPORT,
    BIRTH_DATE,
    CITY,
    COLOUR,
    COMPANY,
    COUNTRY,
    CURRENCY,
    DATE,
    DATETIME,
    DISH,
    EMAIL,
    FILE,
    FIRST_NAME,
    GENRE,
    HOTEL,
    INGREDIENT,
    LANGUAGE,
    MESSAGE,
    PERSON,
    PHONE,
    RESTAURANT,
    TASK,
    TICKER,
    TIME,
    TIME_ZONE,
    TITLE,
    URL,
    WORK,
    Type,
    pool,
    quoted,
    text,
)


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
update: change | edit | modify
modify: change | edit | update
edit: change | update | modify
change: update | edit
schedule: set up
calculate: work out | compute
compute: work out | calculate
estimate: work out
rename: change the name of
track: keep track of
generate: create
transfer: move
notify: alert
""".strip().splitlines()
}
"""Verb -> other ways of saying it; one that is the verb of another tool of the catalogue is not used."""
ASKABLE = word_set("""
    calculate check compute determine estimate fetch get lookup read show view
    """)
"""Verbs whose object can be asked for: "what is the ..."."""
NEEDABLE = ASKABLE - {"check", "read"} | {"list", "search", "find"}

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

# -------------------------------------------------------------------- values


FIRM = replace(
    COMPANY,
    draw=lambda r, _: (
        one(r, LAST) + r.choice((" & Sons", " Brothers", " Ltd", " & Co", " Group", " Partners"))
    ),
    accepts=lambda v: isinstance(v, str),
)
"""Companies whose names tell no trade: a mill, a bank, a supplier of anything."""
LAST_NAME = pool("last name", "family name", LAST)
USER_NAME = text(
    "user name",
    "name of an account",
    lambda r: f"{one(r, FIRST).lower()}{r.choice(('_', '.', ''))}{one(r, LAST).lower()}{r.randint(1, 99)}",
)
POSTCODE = text("postcode", "postal code", lambda r: f"{r.randint(10000, 99899)}")
PATH = text(
    "path", "path of a file", lambda r: f"/{one(r, TOPICS)}/{one(r, FILE_STEMS)}/{FILE.draw(r, date.min)}"
)
FOLDER = text(
    "folder", "path of a folder", lambda r: f"/{one(r, TOPICS)}/{one(r, FILE_STEMS)}{r.randint(2, 99)}"
)
HOST = text(
    "host",
    "name of a host",
    lambda r: f"{one(r, TOPICS)}{r.randint(2, 40)}.{one(r, COMPANIES).lower()}.example",
)
IP = text("ip", "IPv4 address", lambda r: f"10.{r.randint(1, 250)}.{r.randint(1, 250)}.{r.randint(2, 250)}")
UUID = text(
    "uuid",
    "UUID",
    lambda r: (
        "-".join(f"{r.getrandbits(4 * n):0{n}x}" for n in (8, 4))
        + f"-4{r.getrandbits(12):03x}-a{r.getrandbits(12):03x}-{r.getrandbits(48):012x}"
    ),
)
PASSWORD = text(
    "password", "a secret", lambda r: f"{one(r, NOUNS)}-{r.randint(100, 999)}-{one(r, COLOURS)}", say=quoted
)
CHANNEL = text("channel", "name of a channel", lambda r: f"#{one(r, TOPICS)}-{one(r, FILE_STEMS)}")
SPECIES = pool(
    "animal",
    "kind of animal",
    listed("dog|cat|rabbit|hamster|parrot|canary|goldfish|turtle|guinea pig|ferret|pony|goat"),
)
DRUG = pool(
    "drug",
    "name of a medication",
    listed(
        "ibuprofen|amoxicillin|omeprazole|metformin|paracetamol|prednisone|doxycycline|cetirizine|meloxicam"
        "|aspirin|loratadine|gabapentin|furosemide|insulin|diazepam|clindamycin"
    ),
)
BY_NAME: tuple[tuple[str, Type], ...] = (
    (r"e ?mails?( address(es)?)?$|^mail$", EMAIL),
    (r"phone|mobile|fax|telephone", PHONE),
    (r"\bip\b", IP),
    (r"\b(host|hostname|domain|server)$", HOST),
    (r"\b(url|uri|link|website|webpage|webhook|href)$", URL),
    (r"time ?zone|\btz\b", TIME_ZONE),
    (r"\b(birth|born|birthday|dob)\b", BIRTH_DATE),
    (r"date ?time|timestamp|\b(starts?|ends?|created|updated|scheduled|sent) at$", DATETIME),
    (r"\b(date|day|deadline|due|check ?in|check ?out|arrival|departure)$|^when$", DATE),
    (r"\btime$|^(start|end)s?$", TIME),
    (r"air ?port|\biata\b", AIRPORT),
    (r"\b(user ?name|login|handle|nick ?name|account name|screen name)$", USER_NAME),
    (r"\bpassword|passphrase|\bsecret$", PASSWORD),
    (r"\bfirst name|given name|forename", FIRST_NAME),
    (r"\b(last|family) name|surname", LAST_NAME),
    (r"\b(post ?code|zip|zip ?code|postal ?code)$", POSTCODE),
    (r"\b(city|town|municipality)( name)?$", CITY),
    (r"\bcountry( name)?$|nationality", COUNTRY),
    (r"\b(street|address)( address| line)?( 1)?$", ADDRESS),
    (r"\b(language|lang|locale)$", LANGUAGE),
    (r"\bcurrency( code)?$|\bcurrencies$", CURRENCY),
    (r"\b(ticker|stock)( symbol)?$|^symbols?$", TICKER),
    (r"\bcolou?rs?$", COLOUR),
    (r"\b(drug|medication|medicine|pill|active substance)s?( name)?$", DRUG),
    (r"\b(food|foodstuff|grocery)( name| item)?s?$", INGREDIENT),
    (r"\bgenres?$", GENRE),
    (r"\b(dish|meal)(es|s)?( name)?$", DISH),
    (r"\bingredients?$", INGREDIENT),
    (r"\b(restaurant|bistro)( name)?$", RESTAURANT),
    (r"\bhotel( name)?$", HOTEL),
    (r"\b(company|organi[sz]ation|employer|vendor|supplier|brand|manufacturer|contractor)( name)?$", FIRM),
    (r"\b(film|movie|book|song|album)( name| title)?s?$", WORK),
    (r"\bpet type$", SPECIES),
    (r"\b(file|document|attachment)( ?name)?s?$|\bfilename$", FILE),
    (r"\b(file ?path|path)$", PATH),
    (r"\b(directory|folder|dir)$", FOLDER),
    (r"\bchannel$", CHANNEL),
    (r"\b(message|text|content|sms|reply)$", MESSAGE),
    (r"\b(title|meeting)$", TITLE),
    (r"\b(todo|to do|reminder|chore)$", TASK),
    (r"\b(destination|origin)$", CITY),
    (
        r"\b(person|user|customer|client|guest|patient|passenger|recipient|receiver|sender|contact|author"
        r"|owner|assignee|employee|attendee|member|participant|student|teacher|doctor|driver|traveller|traveler"
        r"|invitee|host|organi[sz]er|payee|beneficiary|friend|candidate|artist|mechanic|technician|nurse"
        r"|dentist|plumber|lawyer|agent|manager|assistant|coach|trainer|instructor|tutor|therapist|tenant"
        r"|landlord|buyer|seller|reviewer|speaker|player|reporter|approver|chef|waiter|stylist|vet"
        r"|photographer|director|editor|worker|singer|operator|picker|musician|conductor|composer|pilot|captain|clerk"
        r"|cashier|inspector|translator|mentor|pupil|courier|cleaner|gardener|electrician|borrower|donor|sponsor"
        r"|curator|supervisor|keeper|volunteer|pharmacist|surgeon|midwife|soldier|officer|colleague|rep|representative)"
        r"s?( names?)?$|\bfull name$|\b(attendees|participants|people)$",
        PERSON,
    ),
)
"""Pattern on a parameter's name (words between single spaces) -> what its values are; the first that fits."""
BY_DESCRIPTION: tuple[tuple[str, Type], ...] = (
    (r"\be-?mail address", EMAIL),
    (r"\b(phone|telephone|mobile) number", PHONE),
    (r"\b(iana|olson)\b.*time ?zone|\btime ?zone\b", TIME_ZONE),
    (r"\biata\b|airport code", AIRPORT),
    (r"yyyy-mm-dd[t ]hh:mm|iso[- ]?8601 (?:date-?time|timestamp)|date and time", DATETIME),
    (r"yyyy-mm-dd|iso[- ]?8601 date\b|\b(?:calendar )?date\b(?! of birth)", DATE),
    (r"hh:mm|24-?hour", TIME),
    (r"\biso[- ]?4217\b|currency code", CURRENCY),
    (r"\bstock (symbol|ticker)|ticker symbol", TICKER),
    (r"\b(zip|postal) code", POSTCODE),
    (r"\b(file ?name|name of (?:the|a) file)\b", FILE),
    (r"\b(url|web address)\b", URL),
    (r"\b(city|town)\b", CITY),
    (r"\bcountry\b", COUNTRY),
    (r"\bstreet address|\baddress\b", ADDRESS),
    (r"\blanguage\b", LANGUAGE),
    (
        r"\b(?:full )?name of (?:the |a |an )?"
        r"(?:person|user|customer|client|guest|patient|passenger|recipient|owner|author|member|employee)",
        PERSON,
    ),
    (r"\b(message|text) to (?:send|post|write)", MESSAGE),
    (r"^(?:the )?(?:sales |account )?rep\b|\b(?:person|one|teacher) in charge\b", PERSON),
    (r"\b(?:who|whom|person|people)\b.*\b(?:invite|call|notify|contact)\b|^who\b", PERSON),
)
"""The same for descriptions, where the name tells nothing."""

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
