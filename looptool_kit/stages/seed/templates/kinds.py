"""Kinds of text that tools of programmers want, and formats that a description states."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from random import Random

from looptool_kit.stages.seed.templates import lexicon as lex
from looptool_kit.world import types as wt
from looptool_kit.world.core import Type, pool, quoted, text
from looptool_kit.world.moments import BIRTH_DATE, DATE, DATETIME, TIME
from looptool_kit.world.pools import COMPANIES, FILE_STEMS, FIRST, TOPICS, one
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
PAST = replace(DATE, draw=lambda r, today: (today - timedelta(days=r.randint(30, 3000))).isoformat())
"""A day of the last eight years."""


YOUNG = replace(BIRTH_DATE, draw=lambda r, today: (today - timedelta(days=r.randint(2600, 5800))).isoformat())
"""A child's birth date: of one at school."""


def with_seconds(t: Type) -> Type:
    """A time or date-time whose values end in seconds; said without them."""
    return replace(
        t,
        draw=lambda r, today: t.draw(r, today) + ":00",
        say=lambda v, today: t.say(v[:-3], today),
        accepts=lambda v: isinstance(v, str),
    )


def _sql(r: Random) -> str:
    table, column = one(r, TOPICS), r.choice(("status", "owner", "created_at", "total", "region"))
    return r.choice(
        (
            f"SELECT {column}, count(*) FROM {table} GROUP BY {column}",
            f"SELECT * FROM {table} ORDER BY {column} LIMIT {r.randint(3, 90)}",
            f"SELECT max({column}) FROM {table} WHERE id > {r.randint(10, 900)}",
        )
    )


SQL = text("sql", "an SQL query", _sql, say=quoted)
SELECTOR = text(
    "selector",
    "a CSS selector",
    lambda r: r.choice(
        (
            f"#{one(r, TOPICS)}-{r.choice(('button', 'link', 'form', 'menu'))}",
            f"button.{one(r, TOPICS)}-{one(r, FILE_STEMS)}",
            f"input[name='{one(r, TOPICS)}{r.randint(2, 60)}']",
        )
    ),
    say=quoted,
)
EMOJI = pool(
    "emoji",
    "name of an emoji",
    listed(
        "thumbsup|heart|tada|rocket|eyes|fire|wave|smile|raised_hands|clap|pray|star|bulb|warning|bug|sparkles"
        "|coffee|pizza|100|joy|thinking_face|ok_hand|muscle|snowflake"
    ),
    say=quoted,
    question="Which emoji?",
    words=("emoji",),
)
CRON = text(
    "cron",
    "a cron expression",
    lambda r: f"{r.randrange(60)} {r.randrange(24)} * * {r.choice(('*', '1-5', '0', '6'))}",
    say=quoted,
)
COMMAND = text(
    "command",
    "a shell command",
    lambda r: r.choice(
        (
            f"ls -la /srv/{one(r, TOPICS)}{r.randint(2, 40)}",
            f"tail -n {r.randint(5, 90)} /var/log/{one(r, TOPICS)}.log",
            f"df -h /mnt/{one(r, TOPICS)}{r.randint(2, 40)}",
        )
    ),
    say=quoted,
)
COMMIT = text("commit", "a commit", lambda r: f"{r.getrandbits(28):07x}")
BRANCH = text(
    "branch",
    "name of a branch",
    lambda r: f"{r.choice(('fix', 'feature', 'chore'))}/{one(r, TOPICS)}-{one(r, FILE_STEMS)}",
)
RELEASE = text("release", "a version", lambda r: f"{r.randint(1, 12)}.{r.randint(0, 20)}.{r.randint(0, 30)}")
_PARTS = listed(
    "auth|billing|checkout|search|orders|inventory|payments|email|users|sessions|catalog|shipping|analytics"
    "|reports|images|notifications|exports|webhooks|pricing|media"
)
SERVICE = text(
    "name",
    "name of a program that runs",
    lambda r: (
        f"{one(r, _PARTS)}-{r.choice(('api', 'service', 'worker', 'gateway', 'cache', 'proxy', 'scheduler'))}"
    ),
)
SLUG = text("slug", "a short name", lambda r: f"{one(r, TOPICS)}-{one(r, FILE_STEMS)}-{r.randint(2, 60)}")
HEX_COLOUR = text("hex colour", "a colour in hexadecimal", lambda r: f"#{r.getrandbits(24):06x}")
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
MIME = pool(
    "media type",
    "a MIME type",
    listed("text/plain|text/html|text/csv|application/json|application/pdf|image/png|image/jpeg|audio/mpeg"),
)
DOMAIN = text("domain", "name of a domain", lambda r: f"{one(r, TOPICS)}.{one(r, COMPANIES).lower()}.example")

APP = pool(
    "app",
    "name of an app",
    listed(
        "Camera|Calendar|Maps|Notes|Music|Mail|Photos|Weather|Clock|Contacts|Settings|Calculator|Podcasts|Wallet"
    ),
    question="Which app?",
    words=("app",),
)

ROOM = pool(
    "room",
    "a room",
    listed(
        "kitchen|living room|bedroom|bathroom|hall|office|attic|cellar|dining room|guest room|study"
        "|laundry room|meeting room|lobby|workshop|storeroom"
    ),
    question="Which room?",
    words=("room",),
)


def _iban(r: Random) -> str:
    """A German number, with the two digits that check it."""
    account = str(r.randrange(10**17, 10**18))
    return f"DE{98 - int(f'{account}131400') % 97:02d}{account}"


IBAN = text("iban", "number of a bank account", _iban)
MONTH = replace(
    text("month", "a month of a year", str, question="Which month?", words=("month",)),
    draw=lambda r, today: (today.replace(day=15) + timedelta(days=30 * r.randint(1, 5))).isoformat()[:7],
)
"""One of the next months."""
PAST_MONTH = replace(
    MONTH,
    draw=lambda r, today: (today.replace(day=15) - timedelta(days=30 * r.randint(1, 20))).isoformat()[:7],
)
THIS_MONTH = replace(MONTH, name=TODAY, draw=lambda r, today: today.isoformat()[:7], splits=False)
STREET = text(
    "street", "a street without a number", lambda r: str(wt.ADDRESS.draw(r, date.min)).split(" ", 1)[1]
)
SMALL_NUMBER = text("number", "number of a place", lambda r: str(r.randint(1, 180)), splits=False)
FLIGHT = text(
    "flight",
    "number of a flight",
    lambda r: f"{r.choice(('LH', 'KL', 'AF', 'IB', 'SK'))}{r.randint(100, 2999)}",
)
ROOM_NUMBER = text(
    "room number", "a room of a building", lambda r: f"{r.choice('ABCDE')}{r.randint(101, 420)}"
)
ELAPSED = text(
    "elapsed time",
    "how long it took",
    lambda r: f"{r.randint(0, 4):02d}:{r.randint(10, 59)}:{r.randint(10, 59)}",
)
SHORT_ELAPSED = replace(
    ELAPSED, draw=lambda r, _: f"{r.randint(0, 1)}:{r.randint(30, 59)}:{r.randint(10, 59)}"
)
CIDR = text(
    "cidr",
    "range of addresses",
    lambda r: f"10.{r.randint(1, 250)}.{r.randint(0, 250)}.0/{r.randint(20, 28)}",
)
REPOSITORY = text(
    "repository", "owner/name", lambda r: f"{one(r, COMPANIES).lower()}/{one(r, TOPICS)}-{one(r, FILE_STEMS)}"
)
SEASON = replace(
    text("season", "two years in a row", str, splits=False),
    draw=lambda r, today: f"{(year := today.year + r.randint(-2, 1))}/{(year + 1) % 100:02d}",
)
WEEKDAY = pool(
    "weekday",
    "day of the week",
    listed("Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday"),
    splits=False,
)
ISBN = text(
    "isbn",
    "number of a book",
    lambda r: f"978{r.randrange(10**9, 10**10)}",
    question="What is the ISBN?",
    words=("ISBN",),
)
BARCODE = text("barcode", "digits of a barcode", lambda r: f"{r.randrange(10**12, 10**13)}")
VIN = text(
    "vin",
    "number of a vehicle",
    lambda r: "".join(r.choice("ABCDEFGHJKLMNPRSTUVWXYZ0123456789") for _ in range(17)),
)
MAC = text(
    "mac", "address of a network card", lambda r: ":".join(f"{r.randrange(256):02x}" for _ in range(6))
)
PET_NAME = pool(
    "pet name",
    "name of an animal",
    listed("Bella|Max|Luna|Rocky|Milo|Daisy|Charlie|Coco|Buddy|Ginger|Nala|Simba|Rosie|Toby|Pepper|Rex"),
    say=quoted,
    question="",
    words=(),
)
VESSEL = pool(
    "vessel",
    "name of a ship",
    listed(
        "Albatross|Sea Breeze|Northern Star|Morning Tide|Blue Heron|Catriona|Wind Rose|Amphitrite|Petrel"
        "|Ocean Spirit|Seagull|Marie Louise|Good Hope|Nordkap|Stella Maris|Kittiwake"
    ),
    say=quoted,
    question="",
    words=(),
)
MESSAGE = replace(
    wt.MESSAGE,
    draw=lambda r, _: (
        r.choice(
            (
                "please call me back",
                "thanks for your help",
                "see you tomorrow",
                "let me know if that works",
                "I will be in touch",
                "thank you for waiting",
                "sorry for the delay",
                "have a good weekend",
            )
        )
        + r.choice(("", f", {one(r, FIRST)}"))
    ),
)
"""What any person may write to any other."""
BY_NAME: tuple[tuple[str, Type], ...] = (
    (r"\bcidr\b|\bsubnet$|\bip range$", CIDR),
    (r"\biban$", IBAN),
    (r"\bisbn(?: 13)?$", ISBN),
    (r"\b(?:barcode|ean|gtin|upc)$", BARCODE),
    (r"^vin$|\bvehicle identification number$", VIN),
    (r"\bmac(?: address)?$", MAC),
    (r"\bsql\b", SQL),
    (r"\bemojis?$|\breaction$", EMOJI),
    (r"\bcron\b", CRON),
    (r"^(?:shell |bash )?(?:command|cmd)$", COMMAND),
    (r"^(?:commit|sha|commit sha|commit hash|revision)$", COMMIT),
    (r"\bbranch( name)?$", BRANCH),
    (r"^version$|\b(?:app|release|package) version$|^(?:release|release tag)$", RELEASE),
    (r"\bslug$|^repo(?:sitory)?(?: name)?$", SLUG),
    (r"\b(?:service|microservice|deployment|pod|container|workload)(?: name)?s?$", SERVICE),
    (r"\b(?:repo|repository|project|work|working|base|root) (?:path|dir|directory)$", lex.FOLDER),
    (r"\bflight (?:number|no|code)$|^flight$", FLIGHT),
    (
        r"\b(?:house|street|table|seat|gate|platform|track|lane|line|stall|bay|locker|apartment|flat|unit|suite|court"
        r"|desk|berth|dock|pitch|box) (?:number|no|nr)$",
        SMALL_NUMBER,
    ),
    (r"\broom (?:number|no|nr)$", ROOM_NUMBER),
    (r"^room(?: name)?$", ROOM),
    (r"^app(?:lication)?(?: name)?$", APP),
    (r"\bdomain( name)?s?$", DOMAIN),
    (r"\b(?:mime|media|content) type$", MIME),
    (r"country code$", COUNTRY_CODE),
    (r"\b(?:language|lang|locale) code$", LANGUAGE_CODE),
    (r"\b(?:vessel|ship|boat|yacht|ferry)( name)?s?$", VESSEL),
    (r"^(?:pet|dog|cat|animal|horse|puppy|kitten)(?: s)? name$", PET_NAME),
)
"""Pattern on a parameter's name -> kind; these come before the lexicon's."""
STATED: tuple[tuple[str, Type], ...] = (
    (r"^room number\b", ROOM_NUMBER),
    (r"\bsql statement\b", SQL),
    (r"\bh:mm:ss\b", SHORT_ELAPSED),
    (r"\be\.?164\b", E164),
    (r"\bsurname\b|\b(?:last|family) name\b", lex.LAST_NAME),
    (r"\bfirst name\b|\bgiven name\b", wt.FIRST_NAME),
    (r"\bfull name\b", wt.PERSON),
    (
        r"yyyy-mm-dd[t ]hh:mm:ss|iso[- ]?8601[^.]{0,20}date-?time|rfc ?3339|iso[- ]?8601 timestamp",
        with_seconds(DATETIME),
    ),
    (r"yyyy-mm-dd[t ]hh:mm|\bdate-?time\b|date and time", DATETIME),
    (r"yyyy-mm(?!-)", MONTH),
    (r"yyyy-mm-dd|iso[- ]?8601 date\b|iso date\b", DATE),
    (r"\b(?:elapsed|net|duration)\b[^.]*hh:mm:ss", ELAPSED),
    (r"hh:mm:ss", with_seconds(TIME)),
    (r"\bhh:mm\b|24-?h(?:our)?\b", TIME),
    (r"\be-?mail address\b", wt.EMAIL),
    (r"\b(?:phone|telephone|mobile) number\b", wt.PHONE),
    (r"\b(?:iana|olson)\b", wt.TIME_ZONE),
    (r"\biata\b", wt.AIRPORT),
    (r"\biso[- ]?4217\b", wt.CURRENCY),
    (r"\biso[- ]?3166\b|two-letter country|\b(?:iso|country) (?:country )?code\b", COUNTRY_CODE),
    (r"\biso[- ]?639\b|two-letter language|\blanguage code\b", LANGUAGE_CODE),
    (
        r"lower-?case.{0,60}(?:letters|numbers|hyphen|dash)"
        r"|only (?:letters|alphanumeric).{0,40}(?:hyphen|dash)",
        SLUG,
    ),
    (r"\bcss selector\b", SELECTOR),
    (r"\bcron (?:expression|schedule|syntax)\b", CRON),
    (r"\b(?:sql|select) (?:query|statement)\b", SQL),
    (r"\bhex(?:adecimal)? colou?r\b", HEX_COLOUR),
    (r"\bemoji\b", EMOJI),
    (r"\buuid\b|\bguid\b", lex.UUID),
)
"""Pattern on a description -> the format that it states; it holds whatever the name says."""
