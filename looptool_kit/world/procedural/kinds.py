"""The things that procedural tools are about: base types of the world, each with the words for it."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

from looptool_kit.world import types as t
from looptool_kit.world.types import Surface, Type, identifier

HELD_SHARE = 8
"""One kind in so many is kept for the split `unseen_types`, chosen by a hash."""


class Kind(NamedTuple):
    """One kind of thing."""

    noun: str
    type: Type
    said: str = "{}"
    """How a request names one: `{}` is the value; with `{@}` it stands at the end ("on December 4")."""

    @property
    def parameter(self) -> str:
        """The name of a parameter or an output of this kind."""
        slug = self.noun.replace("-", "").replace(" ", "_")
        return f"{slug}_id" if self.type.record_id else slug

    @property
    def a(self) -> str:
        """The noun with "a" or "an"."""
        return _a(self.noun)

    @property
    def late(self) -> bool:
        """Whether it stands behind the others."""
        return "@" in self.said


class Either(NamedTuple):
    """Either of two kinds, for a parameter."""

    members: tuple[Kind, Kind]
    type: Type

    @property
    def a(self) -> str:
        """Both nouns, each with its article."""
        return f"either {self.members[0].a} or {self.members[1].a}"

    @property
    def parameter(self) -> str:
        """The name of the parameter."""
        return "_or_".join(m.parameter.removesuffix("_id") for m in self.members)


_RECORDS = """
parcel PRC|invoice INV|order ORD|device DEV|ticket TCK|contract CTR|project PRJ|patient PAT|vehicle VEH|
shipment SHP|warehouse WHS|sensor SNS|course CRS|member MBR|lease LSE|claim CLM|machine MCH|batch BTC|
recipe RCP|playlist PLS|survey SRV|locker LCK|permit PRM|container CNT|meter MTR|account ACC|licence LIC|
crate CRT|desk DSK|badge BDG|route RTE|plot PLT|voucher VCH|refund RFD|supplier SUP|workshop WRK
"""
_NAMED = (
    Kind("city", t.CITY, "the city of {}"),
    Kind("country", t.COUNTRY, "the country {}"),
    Kind("language", t.LANGUAGE, "the language {}"),
    Kind("currency", t.CURRENCY, "the currency {}"),
    Kind("contact person", t.PERSON),
    Kind("company", t.COMPANY, "the company {}"),
    Kind("e-mail address", t.EMAIL),
    Kind("phone number", t.PHONE),
    Kind("street address", t.ADDRESS),
    Kind("hotel", t.HOTEL, "the hotel {}"),
    Kind("restaurant", t.RESTAURANT, "the restaurant {}"),
    Kind("product", t.PRODUCT, "the product {}"),
    Kind("file", t.FILE, "the file {}"),
    Kind("airport", t.AIRPORT, "the airport {}"),
    Kind("colour", t.COLOUR, "the colour {}"),
    Kind("time zone", t.TIME_ZONE, "the time zone {}"),
    Kind("date", t.DATE, "{@}"),
    Kind("time", t.TIME, "{@}"),
)


@lru_cache
def kinds() -> tuple[Kind, ...]:
    """All kinds, in order.

    Each is one object, as types are compared by identity.
    """
    pairs = [entry.split() for entry in _RECORDS.replace("\n", "").split("|")]
    return (*(_record(noun, prefix) for noun, prefix in pairs), *_NAMED)


def _a(noun: str) -> str:
    return f"an {noun}" if noun[0] in "aeio" else f"a {noun}"


def _record(noun: str, prefix: str) -> Kind:
    """A record by its reference code, which is never said without the noun."""
    own = identifier(prefix, noun)
    said = [Surface(f"{noun} {{}}"), Surface(f"the {noun} {{}}")]
    return Kind(
        noun,
        replace(
            own,
            description=f"reference code of {_a(noun)}",
            say=lambda v, _: [Surface(s.text.format(v)) for s in said],
        ),
    )


@lru_cache
def is_held(kind: Kind) -> bool:
    """True for the kinds of the split `unseen_types`."""
    return hashlib.blake2b(kind.noun.encode(), digest_size=4).digest()[-1] % HELD_SHARE == 0


@lru_cache(maxsize=4096)
def either(a: Kind, b: Kind) -> Either:
    """The union of two kinds, whichever comes first."""
    a, b = sorted((a, b), key=lambda k: k.noun)
    return Either((a, b), t.union(a.type, b.type))
