"""What the name and description of a parameter tell."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from looptool_kit.stages.seed.templates import lexicon as lex


class Unusable(Exception):
    """No value can be drawn and said; the message says why."""


def words_of(name: str) -> str:
    """A name's words in lower case between single spaces.

    "maxPrice_USD" -> "max price usd".
    """
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)
    return " ".join(re.findall(r"[^\W_]+", parted)).lower()


_ACRONYMS = lex.word_set("""
    api cpu css csv cta dns eta etd ev gps gpu guid html http https iban imo ip isbn json pdf pin sid sku sms
    sql ssh tls ts uri url usb uuid vat vin vm vpn xml yaml
    """)


def acronyms(text: str) -> str:
    """Write a text's abbreviations in capitals.

    "send an sms" -> "send an SMS".
    """
    return re.sub(r"\w+", lambda m: m[0].upper() if m[0] in _ACRONYMS else m[0], text)


def examples_of(schema: Mapping[str, Any]) -> list[Any]:
    """The schema's own examples."""
    examples = schema.get("examples")
    return [v for v in examples if v is not None and v != ""] if isinstance(examples, list) else []


def asked(words: str) -> dict[str, Any]:
    return {"question": "", "words": tuple(w for w in words.split() if len(w) > 2)}


LETTER_UNITS = {"c": "degrees", "f": "degrees", "g": "g", "l": "l", "m": "m", "h": "hour", "s": "second"}
"""The last letter of a name -> unit: "weight_g"."""


def unit_of(words: str, description: str) -> str:
    """The unit that a number is said with, empty if unknown.

    Name or description tell it: "timeout_seconds" -> "second".
    """
    if (ratio := re.search(r"(\w+) per (\w+)$", words)) and {ratio[1], ratio[2]} <= lex.UNITS.keys():
        return f"{lex.UNITS[ratio[1]]}/{lex.UNITS[ratio[2]]}"
    if power := re.search(r"\b(square|cubic) met(?:er|re)s?\b", f"{words} {description.lower()}"):
        return "m²" if power[1] == "square" else "m³"
    parts = words.split()
    if parts[:1] == ["per"]:
        parts = [""]  # "per km": a price, and no distance
    if (
        len(parts) > 1
        and parts[-1] == "min"
        and not re.search(
            r"\b(?:duration|length|time|interval|delay|period|walk|drive|ride|travel|prep|cook|boil|rest"
            r"|break)\b",
            words,
        )
    ):
        parts = parts[:-1]  # "price_min"
    if parts[-1:] == ["m"] and re.search(r"\bmilli(?!m)", description.lower()):
        return ""  # `cpu_m` is in millicores
    if len(parts) > 1 and parts[-1] in LETTER_UNITS:
        return LETTER_UNITS[parts[-1]]
    for word in reversed(parts if len(parts) == 1 else parts[parts[0] in ("min", "max") :]):
        if word in lex.UNITS:
            return lex.UNITS[word]
    if re.search(r"\bin \w+ or \S+$", description.strip(" .")):
        return ""  # "in kWh or m³"
    told = re.finditer(r"\bin (?:us |degrees )?(\w+)|\((\w+)\)|^(\w+)(?=[.,;]|$)", description.lower())
    return next((lex.UNITS[w] for m in told for w in m.groups() if w in lex.UNITS), "")


def short_noun(words: str) -> str:
    """A name without its unit.

    "dose mg" -> "dose"; `lat` and `lon` are written in full.
    """
    kept = words.split()
    if len(kept) > 1 and (kept[-1] in lex.UNITS or kept[-1] in LETTER_UNITS):
        kept = kept[:-1]
    return " ".join(
        {"lat": "latitude", "lon": "longitude", "lng": "longitude", "qty": "quantity", "id": "ID"}.get(w, w)
        for w in kept
    )


_IDS = re.compile(
    r"(?:^| )(?:id|ids|identifier|uuid|guid|sid)$"
    r"|(?:order|account|invoice|booking|ticket|reservation|tracking|confirmation|card|issue|case|part|policy"
    r"|serial|member|membership|customer|client|employee|personnel|staff|student|patient|contract"
    r"|registration"
    r"|meter|receipt|claim|file|record|delivery|shipment|parcel|consignment|job|batch|lot|subscriber)"
    r" (?:number|no|code|reference)$"
)


def is_id(words: str) -> bool:
    return _IDS.search(words) is not None
