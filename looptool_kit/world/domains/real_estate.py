"""Homes: search, view, value, finance, make an offer."""

from dataclasses import replace
from typing import Any

from looptool_kit.world.spec import Domain, P, T
from looptool_kit.world.types import (
    ADDRESS,
    CITY,
    DATE,
    DATETIME,
    boolean,
    clock,
    constant,
    count,
    duration,
    enum,
    identifier,
    integer,
    list_of,
    money,
    number,
    percent,
    record,
)

LISTING = identifier("HM", "listing", 5)
VIEWING = identifier("VW", "viewing")
START = replace(DATETIME, draw=lambda r, today: f"{DATE.draw(r, today)}T{clock(9, 18).draw(r, today)}")
PLACE = replace(
    ADDRESS,
    draw=lambda r, today: f"{ADDRESS.draw(r, today)}, {CITY.draw(r, today)}",
    accepts=lambda v: isinstance(v, str) and ", " in v,
)
OFFER = identifier("OFR", "offer")
PRICE = replace(money(150_000, 900_000), draw=lambda r, _: r.randrange(150, 901, 5) * 1000)


def _near_price(a: dict[str, Any], listing: dict[str, Any]) -> bool:
    """Tell whether an offer makes sense to both sides."""
    price = listing.get("price", a["amount"])
    return bool(0.8 * price <= a["amount"] <= 1.05 * price)


DOMAIN = Domain.of(
    "real_estate",
    T(
        "search_homes",
        "Search for homes for sale in a city.",
        [
            P("city", CITY),
            P(
                "home_type",
                enum(apartment="apartments|flats", house="houses", villa="villas", townhouse="townhouses"),
                "for {}",
                ask="What type of home are you looking for?",
                words=("type", "kind", "home", "what"),
            ),
            P("max_price", PRICE, "for at most {}", "with a price of at most {}", opt=True),
            P("min_bedrooms", count(2, 5), "with at least {#bedroom}", "with {} or more bedrooms", opt=True),
        ],
        do=[
            "find {home_type} for sale",
            "search for {home_type} for sale",
            "look for {home_type} for sale in {city}",
            "show me {home_type} for sale",
            "list {home_type} for sale in {city}",
            "search the property listings",
            "go through the property listings",
        ],
        ask=[
            "which {home_type} are for sale",
            "are there any {home_type} for sale",
            "what {home_type} are on the market",
            "which {home_type} could I buy in {city}",
        ],
        why=["We're thinking of moving.", "Our lease ends soon.", "I'm tired of renting."],
        out={"homes": list_of(record(listing_id=LISTING, price=PRICE, bedrooms=count(2, 6)), 2, 3)},
        refer={
            "homes": (
                "the {*} of the {home_type} for sale{?max_price}{?min_bedrooms} in {city}",
                "the {*} of the {home_type}{?min_bedrooms}{?max_price} in {city}",
            )
        },
        reply="I found {homes.n} homes; {homes.0.listing_id} costs {homes.0.price}.",
    ),
    T(
        "schedule_viewing",
        "Schedule a viewing of a home.",
        [
            P("listing_id", LISTING, "for {}"),
            P("date", DATE),
            P("time", clock(9, 19)),
            P("virtual", boolean("by video call|as a video tour"), default=False),
        ],
        do=[
            "schedule a viewing",
            "arrange a viewing of {listing_id}",
            "book a viewing of {listing_id}",
            "set up a viewing",
            "get me a viewing of {listing_id}",
            "book a home viewing",
        ],
        need=["a viewing of {listing_id}", "a viewing", "a viewing appointment"],
        why=["It looks lovely in the photos.", "I think that this could be the one."],
        out={"viewing_id": VIEWING, "duration": duration(20, 60, 10)},
        makes=VIEWING,
        reply="Your viewing {viewing_id} is booked and takes {duration}.",
    ),
    T(
        "move_viewing",
        "Move a home viewing to another date and time.",
        [P("viewing_id", VIEWING), P("new_start", START, "to {}", ask="To what date and time?")],
        do=[
            "move {viewing_id}",
            "reschedule {viewing_id}",
            "shift {viewing_id}",
            "change {viewing_id}",
            "postpone a home viewing",
            "reschedule a home viewing",
        ],
        why=["Something came up at work.", "I can't make it."],
        out={
            "viewing_id": "=viewing_id",
            "status": constant("rescheduled"),
            "duration": duration(20, 60, 10),
        },
        changes=VIEWING,
        reply="Your viewing is rescheduled and takes {duration}.",
    ),
    T(
        "estimate_mortgage",
        "Estimate the monthly payment of a mortgage.",
        [
            P(
                "price",
                PRICE,
                "for a home that costs {}",
                "on a home priced at {}",
                ask="How much does the home cost?",
                words=("how much", "cost", "price"),
            ),
            P(
                "down_payment",
                percent(5, 60),
                "with {} down",
                "with a down payment of {}",
                desc="Percent of the price",
                ask="What percentage would you pay down?",
            ),
            P(
                "years",
                integer(8, 40),
                "over {} years",
                "paid back over {} years",
                ask="Over how many years?",
                words=("how many", "years"),
            ),
            P(
                "rate",
                number(1.5, 7.5, 2),
                "at {}% interest",
                "at an interest rate of {}%",
                desc="Annual rate in percent",
                opt=True,
            ),
        ],
        do=[
            "estimate the mortgage payments",
            "calculate the monthly mortgage payment",
            "work out a mortgage",
            "run the numbers on a mortgage",
            "calculate the payments on a mortgage",
        ],
        ask=[
            "what would a mortgage cost a month",
            "how much would I pay a month on a mortgage",
            "what would the monthly mortgage payment be",
        ],
        need=["a mortgage estimate", "a mortgage calculation", "the monthly mortgage payment"],
        why=["I want to know what we can afford.", "We're comparing our options."],
        out={"monthly_payment": money(600, 3900, cents=True), "total_interest": PRICE},
        reply="You would pay about {monthly_payment} a month.",
    ),
    T(
        "value_home",
        "Estimate what a home is worth.",
        [
            P("address", PLACE),
            P(
                "details",
                record(
                    "{bedrooms} bedrooms, {bathrooms} bathrooms and {area} square metres",
                    bedrooms=count(2, 6),
                    bathrooms=count(2, 4),
                    area=integer(60, 320),
                ),
                "with {}",
                ask="How many bedrooms, bathrooms and square metres does it have?",
                words=("bedrooms", "bathrooms", "square metres", "how many"),
            ),
        ],
        do=[
            "estimate the value of the home",
            "estimate what the home is worth",
            "value the house",
            "appraise the house",
            "get a valuation of the house",
            "work out the market value of the home",
        ],
        ask=[
            "how much is the house worth",
            "what is the market value of the home",
            "what could I get for the house",
        ],
        need=["a valuation of the house", "a price estimate for the home", "an appraisal of the house"],
        why=["I might sell.", "The bank has asked about it."],
        out={"value": PRICE, "confidence": percent(50, 95)},
        where=lambda a: "details" not in a or a["details"]["area"] >= 30 * a["details"]["bedrooms"],
        reply="The home is worth about {value}.",
    ),
    T(
        "make_offer",
        "Make an offer to buy a listed home.",
        [
            P("listing_id", LISTING, "on {}", "for {}"),
            P("amount", PRICE, ask="How much do you want to offer?"),
            P(
                "conditions",
                list_of(
                    enum(inspection="an inspection", financing="financing", appraisal="an appraisal"), 1, 2
                ),
                "subject to {}",
                "conditional on {}",
                opt=True,
            ),
        ],
        do=[
            "make an offer of {amount} on {listing_id}",
            "submit an offer of {amount}",
            "put in an offer of {amount}",
            "offer {amount} for {listing_id}",
            "bid {amount} on {listing_id}",
            "make an offer on {listing_id}",
            "make an offer",
        ],
        why=["We've made up our minds.", "We loved the place."],
        out={"offer_id": OFFER, "answer_by": DATE},
        fits=_near_price,
        makes=OFFER,
        reply="Your offer {offer_id} is in; expect an answer by {answer_by}.",
    ),
)
