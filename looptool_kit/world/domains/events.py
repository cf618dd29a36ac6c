"""Event tickets: concerts, theatre, comedy, sports."""

from random import Random

from looptool_kit.world import pools
from looptool_kit.world.pools import one
from looptool_kit.world.spec import Domain, P, T
from looptool_kit.world.types import (
    CITY,
    DATE,
    EMAIL,
    MESSAGE,
    clock,
    constant,
    count,
    enum,
    identifier,
    list_of,
    money,
    nullable,
    record,
    text,
)

ORDER = identifier("TKT", "ticket order", 5)
ALERT = identifier("ALT", "ticket alert")
TEAMS = pools.words("Tigers|Hawks|Rovers|Wolves|Rangers|Giants|Comets|Dragons|Falcons|Bears|Sharks|Lions")
HALLS = pools.words("Hall|Arena|Theatre|Playhouse|Stadium|Opera House|Club|Pavilion")


def _show(rng: Random) -> str:
    a, b, c = one(rng, pools.ADJECTIVES), *rng.sample(pools.NOUNS, 2)
    home, away = rng.sample(pools.CITIES, 2)
    return rng.choice(
        (
            f"The {a} {b} Band",
            f"The {b} Quartet",
            f"The {b} and the {c}",
            f"{a} {b} Live",
            f"{one(rng, pools.FIRST)} {one(rng, pools.LAST)} on Stage",
            f"{home} {one(rng, TEAMS)} vs {away} {one(rng, TEAMS)}",
        )
    )


SHOW = text(
    "show",
    "name of a concert, play or match",
    _show,
    noun="show",
    question="Which show?",
    words=("show", "event", "which"),
)
ARTIST = text(
    "artist",
    "name of a band",
    lambda r: (
        f"The {one(r, pools.ADJECTIVES)} {one(r, pools.NOUNS)}"
        f" {r.choice(('Band', 'Orchestra', 'Trio', 'Choir'))}"
    ),
    question="Which band or artist?",
    words=("band", "artist", "who"),
)
VENUE = text("venue", "name of a venue", lambda r: f"{one(r, pools.NOUNS)} {one(r, HALLS)}")
TICKETS = count(2, 12)

DOMAIN = Domain.of(
    "events",
    T(
        "search_events",
        "Search for concerts, plays, comedy and matches in a city.",
        [
            P("city", CITY),
            P(
                "category",
                enum(
                    concert="concerts",
                    theatre="theatre plays|theatre shows",
                    comedy="comedy shows|comedy nights",
                    sports="sports matches|sports events",
                ),
                "like {}",
                "such as {}",
                ask="What kind of event are you looking for?",
                words=("kind", "what", "category"),
            ),
            P("date", DATE),
            P(
                "max_price",
                money(15, 120),
                "with tickets for at most {}",
                "with tickets up to {}",
                opt=True,
                desc="USD per ticket",
            ),
        ],
        do=[
            "find {category}",
            "search for {category} in {city}",
            "look for {category}",
            "show me {category} in {city}",
            "list the {category} in {city}",
            "find live events",
            "search for live events in {city}",
        ],
        ask=[
            "which {category} are on",
            "are there any {category}",
            "what {category} could we go to",
            "which {category} are there in {city}",
        ],
        why=["We want to go out.", "It has been a long week.", "We could do with a night out."],
        out={"events": list_of(record(show=SHOW, venue=VENUE, price=money(12, 110, cents=True)), 2, 3)},
        refer={
            "events": (
                "the {*} of the {category}{?max_price} {date@} in {city}",
                "the {*} of the {category} {date@}{?max_price} in {city}",
            )
        },
        reply="I found {events.n} events, for example {events.0.show} at {events.0.venue}.",
    ),
    T(
        "buy_tickets",
        "Buy tickets for a show.",
        [
            P("show", SHOW),
            P("date", DATE),
            P(
                "quantity",
                TICKETS,
                "for {#person/people}",
                also="We need {#ticket}.",
                ask="How many tickets do you need?",
                words=("how many", "number"),
            ),
            P(
                "section",
                enum(
                    balcony="up on the balcony",
                    stalls="down in the stalls",
                    front_row="right in the front row",
                    standing="in the standing area",
                ),
                opt=True,
            ),
        ],
        do=[
            "buy tickets for {show}",
            "get {quantity#ticket} for {show}",
            "buy {quantity#ticket} for {show}",
            "order tickets for {show}",
            "book seats for {show}",
            "book {quantity#seat} for {show}",
            "buy tickets for a show",
            "get us some tickets",
        ],
        need=["tickets for {show}", "{quantity#ticket} for {show}", "{quantity#seat} for {show}"],
        why=["I've wanted to see this for years.", "It's a birthday present."],
        out={"order_id": ORDER, "total": money(40, 600, cents=True)},
        makes=ORDER,
        reply="Your tickets are booked under {order_id} for {total}.",
    ),
    T(
        "check_seats",
        "Check how many seats are left for a show.",
        [P("show", SHOW), P("date", DATE)],
        do=[
            "check the seats left for {show}",
            "check how many seats are left for {show}",
            "see whether {show} is sold out",
            "find out how many seats are left for {show}",
            "look up the remaining seats for {show}",
            "check how many seats are left for a show",
        ],
        ask=[
            "how many seats are left for {show}",
            "is {show} sold out",
            "are there any seats left for {show}",
            "are seats still available for {show}",
        ],
        why=["I've heard that it's nearly full."],
        out={"seats_left": count(2, 90), "doors_open": clock(17, 20)},
        reply="There are {seats_left} seats left; doors open at {doors_open}.",
    ),
    T(
        "refund_tickets",
        "Return a ticket order for a refund.",
        [
            P("order_id", ORDER),
            P(
                "reason",
                enum(
                    "illness",
                    schedule="a schedule conflict|a clash in my schedule",
                    travel="travel problems",
                    clauses=("because of {}", "due to {}"),
                ),
                opt=True,
            ),
        ],
        do=[
            "refund {order_id}",
            "return {order_id}",
            "cancel {order_id}",
            "get a refund for {order_id}",
            "return a ticket order",
            "get a refund for some tickets",
        ],
        need=["a refund for {order_id}", "my money back for {order_id}", "{order_id} refunded", "a refund"],
        out={"order_id": "=order_id", "refund": money(20, 500, cents=True)},
        cancels=ORDER,
        reply="The tickets are returned and {refund} is on its way back to you.",
    ),
    T(
        "transfer_tickets",
        "Transfer a ticket order to somebody else by e-mail.",
        [
            P("order_id", ORDER),
            P("recipient", EMAIL),
            P("note", MESSAGE, "with the note {}", "with a note saying {}", opt=True),
        ],
        do=[
            "transfer {order_id}",
            "send {order_id}",
            "forward {order_id}",
            "hand {order_id} over",
            "pass {order_id} on",
            "transfer a ticket order",
            "transfer my tickets",
        ],
        why=["I can't go after all.", "A friend is taking my place."],
        out={"order_id": "=order_id", "status": constant("transferred"), "expires": DATE},
        reply="The tickets are transferred; they must be accepted by {expires}.",
    ),
    T(
        "set_ticket_alert",
        "Get an alert when a band announces a concert.",
        [
            P("artist", ARTIST),
            P(
                "cities",
                list_of(CITY, 1, 3),
                "in {}",
                ask="In which cities?",
                words=("cities", "city", "where"),
            ),
            P(
                "until",
                nullable(DATE, "with no end date|without an end date"),
                "until {}",
                ask="Until when should the alert run?",
                words=("until", "when", "date"),
            ),
        ],
        do=[
            "set a ticket alert for {artist}",
            "set up a ticket alert for {artist}",
            "create a concert alert for {artist}",
            "watch for concerts by {artist}",
            "look out for concerts by {artist}",
            "set up a concert alert",
            "set a ticket alert",
        ],
        need=[
            "a ticket alert for {artist}",
            "a concert alert for {artist}",
            "alerts for concerts by {artist}",
        ],
        why=["They never seem to tour.", "I missed them last time."],
        out={"alert_id": ALERT, "followers": count(40, 900)},
        reply="The alert {alert_id} is set; {followers} people follow this band.",
    ),
)
