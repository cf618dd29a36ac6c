"""How words are compared: stems, word families, synonyms, stop words."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

UNSPACED = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7a3\uf900-\ufaff"
"""Kana, Han and Hangul: no space parts a name from what stands around it, so each character is a word."""
_TOKEN = re.compile(rf"[{UNSPACED}]|[^\W_{UNSPACED}]+")
STOP = frozenset(
    re.findall(
        r"\w+",
        "a an the of to in on at for from with by and or is are was be been it its this that these those my"
        " your our me i you we us please can could would will do does need want like get have has any some as"
        " if so just about there here what which who when where how up out also then than hi hello hey okay"
        " ok yes let lets use thanks thank sure well whether",
    )
)
"""Stems that say nothing of a value or a tool."""
COMMANDS = frozenset(
    re.findall(
        r"\w+",
        "find get set book make add show check look cancel change list give tell help move create update send"
        " order search reserve put see",
    )
)
"""Verbs of requests that many tools share."""


class Token(NamedTuple):
    """A word of a passage."""

    stem: str
    start: int
    end: int


@lru_cache(65536)
def stem(word: str) -> str:
    """A word without case, accents, possessive or plural ending."""
    word = "".join(c for c in unicodedata.normalize("NFKD", word.casefold()) if not unicodedata.combining(c))
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and word.endswith(("ches", "shes", "xes", "sses", "oes")):
        return word[:-2]
    return (
        word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")) else word
    )


@lru_cache(65536)
def stems(text: str) -> tuple[str, ...]:
    """The stems of a text's words; `snake_case` and `camelCase` are split."""
    return tuple(t.stem for t in tokens(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", text)))


@lru_cache(65536)
def whole_stems(text: str) -> tuple[str, ...]:
    """Return the stems of a text's words.

    As a dialogue is read: "iPhone" is one word.
    """
    return tuple(t.stem for t in tokens(text))


def is_unspaced(text: str) -> bool:
    """Tell whether a text's script puts no spaces between words.

    For some of its characters.
    """
    return re.search(f"[{UNSPACED}]", text) is not None


def tokens(text: str) -> Iterator[Token]:
    """The words of a text with their places, without a possessive `s`."""
    for m in _TOKEN.finditer(text):
        if m[0].lower() == "s" and m.start() and text[m.start() - 1] in "'’":
            continue
        yield Token(stem(m[0]), m.start(), m.end())


MIN_COMMON = 4
"""Letters that words of one family begin with at least. Three join "book" and "boot"."""
FAMILY_SHARE = 0.6
"""Share of the longer word that a family begins with, by judgement: less joins words of other meanings."""
LONG_COMMON = 5
"""From so many common letters on one fewer will do: "reserve" and "reservation" have 6 of 11."""


def alike(a: str, b: str) -> bool:
    """True for two stems of one word family, as "reserve" and "reservation"."""
    if a == b:
        return True
    letters = zip(a, b, strict=False)
    common = next((n for n, (x, y) in enumerate(letters) if x != y), min(len(a), len(b)))
    needed = FAMILY_SHARE * max(len(a), len(b)) - (common >= LONG_COMMON)
    return common >= MIN_COMMON and common >= needed


_SYNONYMS = """
celsius: °c, c, centigrade, metric
fahrenheit: °f, f, imperial
metric: celsius, kilometers, km
imperial: fahrenheit, miles
usd: dollars, bucks, $, us dollars, american dollars
eur: euros, €
gbp: pounds, £, sterling
jpy: yen, ¥
chf: francs
inr: rupees, ₹
cad: canadian dollars
aud: australian dollars
nzd: new zealand dollars
sgd: singapore dollars
hkd: hong kong dollars
cny: yuan, renminbi, rmb
krw: won
mxn: mexican pesos
brl: reais
sek: swedish kronor, swedish krona
nok: norwegian kroner, norwegian krone
dkk: danish kroner, danish krone
pln: zloty, zlotys
czk: czech koruna, koruna
huf: forint, forints
rub: rubles, roubles
thb: baht
zar: rand
ils: shekel, shekels
km: kilometers, kilometres
m: meters, metres
cm: centimeters, centimetres
mm: millimeters, millimetres
mi: miles
ft: feet, foot
in: inches, inch
kg: kilos, kilograms
lb: pounds, lbs
g: grams
l: liters, litres
ml: milliliters, millilitres
meter: m, metre
kilometer: km, kilometre
centimeter: cm, centimetre
mile: mi
feet: ft, foot
inch: in
kilogram: kg, kilos
pound: lb, lbs
gram: g
liter: l, litre
en: english
fr: french
de: german
es: spanish
it: italian
pt: portuguese
nl: dutch
ja: japanese
zh: chinese, mandarin
ko: korean
ru: russian
pl: polish
sv: swedish
ar: arabic
tr: turkish
hi: hindi
da: danish
no: norwegian
fi: finnish
cs: czech
el: greek
he: hebrew
hu: hungarian
ro: romanian
uk: ukrainian
th: thai
vi: vietnamese
id: indonesian
los angeles: la, lax
new york: nyc, ny, big apple
new york city: new york, nyc, big apple
san francisco: sf, san fran
san diego: sd
washington: dc
one way: single, no return
round trip: return, there and back, both ways
economy: coach, cheapest seats
high: urgent, asap, important, top priority, critical
urgent: asap, right away, high priority, critical
low: no rush, whenever, not urgent, minor
medium: normal, mid, average, regular
standard: normal, regular, ordinary
express: fast, quick, rush, fastest
daily: every day, each day, per day, a day
weekly: every week, each week, once a week, per week
monthly: every month, each month, once a month, per month
yearly: every year, each year, annually, annual, per year, once a year
annual: every year, yearly
hourly: every hour, each hour
small: little, s
large: big, l
asc: ascending, lowest first, cheapest first
desc: descending, highest first
price: cheapest, cheap, cost, least expensive
date: newest, latest, recent
rating: best rated, top rated, highest rated
distance: nearest, closest
male: man, he, his
female: woman, she, her
vegetarian: veggie, no meat, meat free
vegan: plant based
gluten free: no gluten, celiac, without gluten
driving: car, drive, by car
walking: foot, walk, on foot
cycling: bike, bicycle, cycle
transit: bus, train, public transport, public transportation, metro
women: woman
men: man
germany: german
france: french
spain: spanish
italy: italian
japan: japanese
china: chinese
russia: russian
england: english
usa: american, us, united states
chicago: chi-town, windy city
philadelphia: philly
mon: monday, mondays
tue: tuesday, tuesdays
wed: wednesday, wednesdays
thu: thursday, thursdays
fri: friday, fridays
sat: saturday, saturdays
sun: sunday, sundays
jan: january
feb: february
mar: march
apr: april
jun: june
jul: july
aug: august
sep: september
oct: october
nov: november
dec: december
biweekly: every two weeks, every other week, every second week, every fortnight,
  fortnightly, once a fortnight, every 2 weeks
quarterly: every three months, every quarter, each quarter, once a quarter, every 3 months
apartment: flat
repeat: over and over, on a loop, again and again
start: beginning
outdoor: outside, outdoors
indoor: inside, indoors
public: visible to everyone, open to everyone
private: only me, just me, only to me, just to me
cool: cooling
heat: heating
on: turn on, switch on, start, enable
off: turn off, switch off, shut off, disable
"""
SYNONYMS: dict[str, tuple[str, ...]] = {
    " ".join(whole_stems(key)): tuple(words.split(", "))
    for key, words in (line.split(": ") for line in _SYNONYMS.replace("\n  ", " ").strip().splitlines())
}
"""What people say for the values that schemas like to use: value -> other words for it."""
