"""Kinds of text whose values are right for any tool that plainly asks for them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from random import Random

from looptool_kit.world import types as wt
from looptool_kit.world.core import Type, pool, quoted, text
from looptool_kit.world.moments import DATE, DATETIME, TIME
from looptool_kit.world.pools import COMPANIES, FIRST, LAST, TOPICS, one
from looptool_kit.world.pools import words as listed


def gone_by(t: Type) -> Type:
    """Turn a day to come into one of the last months."""

    def make(r: Random, today: date) -> str:
        return (today - timedelta(days=r.randint(2, 75))).isoformat() + str(t.draw(r, today))[10:]

    return replace(t, draw=make)


def of_today(t: Type) -> Type:
    """Turn a day to come into today.

    For a date of which nobody knows whether it is over.
    """

    def make(r: Random, today: date) -> str:
        return today.isoformat() + str(t.draw(r, today))[10:]

    return replace(t, name=TODAY, draw=make, splits=False)


TODAY = "today"
"""Name of the types whose only day is today."""
_CLOCK = re.compile(r"\d\d:\d\d")
OFFICE = ("08:00", "18:30")
"""Between these hours most things are open that anything is booked or looked up for."""


def _in_the_day(t: Type) -> Type:
    def make(r: Random, today: date) -> str:
        every: Callable[[], str] = lambda: str(t.draw(r, today))  # noqa: E731
        return next(
            v for v in (every() for _ in range(10_000)) if OFFICE[0] <= _CLOCK.findall(v)[0] <= OFFICE[1]
        )

    return replace(t, draw=make)


AT, CLOCK = _in_the_day(DATETIME), _in_the_day(TIME)


def with_seconds(t: Type) -> Type:
    """A time or date-time whose values end in seconds; said without them."""
    return replace(
        t,
        draw=lambda r, today: t.draw(r, today) + ":00",
        say=lambda v, today: t.say(v[:-3], today),
        accepts=lambda v: isinstance(v, str),
    )


LAST_NAME = pool("last name", "family name", LAST)
UUID = text(
    "uuid",
    "UUID",
    lambda r: (
        "-".join(f"{r.getrandbits(4 * n):0{n}x}" for n in (8, 4))
        + f"-4{r.getrandbits(12):03x}-a{r.getrandbits(12):03x}-{r.getrandbits(48):012x}"
    ),
)
IP = text("ip", "IPv4 address", lambda r: f"10.{r.randint(1, 250)}.{r.randint(1, 250)}.{r.randint(2, 250)}")
DOMAIN = text("domain", "name of a domain", lambda r: f"{one(r, TOPICS)}.{one(r, COMPANIES).lower()}.example")
HOST = text(
    "host",
    "name of a host",
    lambda r: f"{one(r, TOPICS)}{r.randint(2, 40)}.{one(r, COMPANIES).lower()}.example",
)
E164 = replace(
    wt.PHONE,
    draw=lambda r, today: wt.PHONE.draw(r, today).replace(" ", ""),
    accepts=lambda v: isinstance(v, str),
)
COUNTRY_CODE = pool(
    "country code",
    "ISO 3166 code",
    listed("NO|SE|DK|FI|DE|FR|ES|PT|IT|CH|AT|NL|BE|PL|CZ|GR|IE|GB|US|CA|MX|BR|AR|JP|KR|IN|AU|NZ|ZA|KE"),
    question="Which country?",
    words=("country",),
)
LANGUAGE_CODE = pool(
    "language code",
    "ISO 639 code",
    listed("en|fr|de|es|it|pt|nl|sv|no|da|fi|pl|cs|el|tr|ar|hi|ja|ko|zh|uk|ro|hu|bg|hr"),
    say=quoted,
    question="Which language?",
    words=("language",),
)


def _iban(r: Random) -> str:
    """A German number, with the two digits that check it."""
    account = str(r.randrange(10**17, 10**18))
    return f"DE{98 - int(f'{account}131400') % 97:02d}{account}"


IBAN = text("iban", "number of a bank account", _iban)
FLIGHT = text(
    "flight",
    "number of a flight",
    lambda r: f"{r.choice(('LH', 'KL', 'AF', 'IB', 'SK'))}{r.randint(100, 2999)}",
)
USER_NAME = text(
    "user name",
    "name of an account",
    lambda r: f"{one(r, FIRST).lower()}{r.choice(('_', '.', ''))}{one(r, LAST).lower()}{r.randint(1, 99)}",
)

_ROLE = (
    r"^(?:person|user|customer|client|guest|patient|passenger|recipient|sender|contact|author|owner|assignee"
    r"|employee|attendee|member|participant|student|teacher|doctor|driver|traveller|traveler|payee|tenant"
    r"|landlord|buyer|seller|speaker|applicant|visitor|caller|subscriber|volunteer|donor|technician|inspector"
    r"|reporter|holder|signer|cardholder|account holder|contact person)s?(?: names?)?$"
)
BY_NAME: tuple[tuple[str, Type], ...] = (
    (r"(?:^| )e ?mails?(?: address(?:es)?)?$", wt.EMAIL),
    (r"(?:^| )(?:phone|mobile|telephone)(?: number| no)?$", wt.PHONE),
    (r"(?:^| )iban$", IBAN),
    (r"^ip(?: address)?$", IP),
    (r"^domain(?: name)?$", DOMAIN),
    (r"^(?:user ?name|login)$", USER_NAME),
    (r"(?:^| )(?:first|given) name$", wt.FIRST_NAME),
    (r"(?:^| )(?:last|family) name$|(?:^| )surname$", LAST_NAME),
    (r"(?:^| )full name$", wt.PERSON),
    (_ROLE, wt.PERSON),
    (r"^(?:\w+ )?name$", wt.PERSON),
    (r"^(?:\w+ )?(?:city|town)$", wt.CITY),
    (r"^(?:location|place)$", wt.CITY),
    (r"^(?:\w+ )?country$", wt.COUNTRY),
    (r"^(?:\w+ )?country code$", COUNTRY_CODE),
    (r"^(?!programming|query|markup|template|source code)(?:\w+ )?language$", wt.LANGUAGE),
    (r"^(?:\w+ )?(?:language|lang) code$", LANGUAGE_CODE),
    (r"^(?:\w+ )?currency(?: code)?$", wt.CURRENCY),
    (r"^(?:\w+ )?airport(?: code)?$", wt.AIRPORT),
    (r"^time ?zone$|^tz$", wt.TIME_ZONE),
    (r"^ticker(?: symbol)?$|^stock symbol$", wt.TICKER),
    (r"^flight(?: number| no)?$", FLIGHT),
    (r"^restaurant(?: name)?$", wt.RESTAURANT),
    (r"^hotel(?: name)?$", wt.HOTEL),
    (r"^(?:book|film|movie|song|album)(?: title| name)?$", wt.WORK),
    (r"^(?:street |delivery |shipping |billing |home |postal )?address$", wt.ADDRESS),
)
"""Pattern on a parameter's whole name -> kind."""
STATED: tuple[tuple[str, Type], ...] = (
    (r"\be\.?164\b", E164),
    (r"\bfull name\b|\bfirst and last name\b", wt.PERSON),
    (r"\bsurname\b|\b(?:last|family) name\b", LAST_NAME),
    (r"\bfirst name\b|\bgiven name\b", wt.FIRST_NAME),
    (r"^e-?mail address\b", wt.EMAIL),
    (r"^(?:phone|telephone|mobile) number\b", wt.PHONE),
    (r"\b(?:iana|olson)\b", wt.TIME_ZONE),
    (r"\biata (?:airport )?code\b(?!.*\bairline)", wt.AIRPORT),
    (r"\biso[- ]?4217\b", wt.CURRENCY),
    (r"\biso[- ]?3166(?:-1)?(?: alpha-2)?\b(?!-2)(?! alpha-3)|two-letter country", COUNTRY_CODE),
    (r"\biso[- ]?639(?:-1)?\b(?!-[23])|two-letter language", LANGUAGE_CODE),
    (r"\buuid\b|\bguid\b", UUID),
)
"""Pattern on a description -> the format that it states; it holds whatever the name says."""
STATED_MOMENTS: tuple[tuple[str, Type], ...] = (
    (
        r"yyyy-mm-dd[t ]hh:mm:ss|iso[- ]?8601[^.]{0,20}date-?time|rfc ?3339|iso[- ]?8601 timestamp",
        with_seconds(AT),
    ),
    (r"yyyy-mm-dd[t ]hh:mm", AT),
    (r"yyyy-mm-dd|iso[- ]?8601 date\b(?!-?time)|iso date\b(?!-?time)", DATE),
    (r"\bhh:mm(?!:ss)\b", CLOCK),
)
MOMENT_NAMES: tuple[tuple[str, Type], ...] = (
    (r"^(?:\w+ )*(?:date ?time|timestamp)$", AT),
    (r"^(?:\w+ )*date$|^date (?:from|to|of \w+)$|^(?:\w+ )?(?:deadline|birthday|dob)$", DATE),
)
TAKES_BACK = re.compile(
    r"\b(?:codes?|number|ids?|identifiers?|initials|abbreviat\w+|short|internal|district|area|zone"
    r"|branch(?:es)?|office"
    r"|site|depot|warehouse|or|alpha-?3|bcp|tag|locale|surname|handle|slug|user ?name|login|team"
    r"|department|company|firm"
    r"|organi[sz]ation"
    r"|business|project|group|role|model|brand|device|wallet|crypto\w*|mac|only|must|starts?|lower ?case)\b"
)
"""What a description says of a name, a place or a language that is not simply one."""
_HUMAN = re.compile(
    r"(?:recipient|guest|patient|passenger|attendee|participant|visitor|tenant|travell?er|student"
    r"|employee|teacher"
    r"|doctor|driver|nurse|candidate|applicant)s?"
)
_NOT_A_NAME = re.compile(r"\be-?mail|\b(?:phone|address|account|iban|they|their|each)\b|[\[{<]")
_BARE = re.compile(r"\bname|\bwho\b|\bwhom\b|\bperson\b")
_ANY_NAME = re.compile(
    r"\bfull name|\b(?:first and last|person's) name|\bwhom?\b|\bperson\b"
    r"|\bname of (?:the |a |an )?(?:\w+ )?(?:person|customer|guest|patient|caller|applicant|tenant|owner"
    r"|employee|student)\b"
)


def is_told(kind: Type, words: str, told: str) -> bool:
    """Tell whether a name is surely a person's, a place a city."""
    if kind is wt.CITY and words in ("location", "place"):
        more = re.search(r"\b(?:and|state|country|region)\b|[,;(]", told)
        return more is None and re.search(r"\b(?:city|town)\b", told) is not None
    if kind is wt.CITY and re.search(r"\bcity(?:,| and|/) ?(?:st|state|country|province|zip)\b", told):
        return False
    role = re.search(_ROLE, words) is not None
    if kind is not wt.PERSON or words == "full name" or (role and words.endswith("name")):
        return True
    if _HUMAN.fullmatch(words) and not _NOT_A_NAME.search(told):
        return True
    return (_BARE if role else _ANY_NAME).search(told) is not None
