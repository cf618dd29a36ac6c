"""Flights: search, book, check in, status, baggage."""

from looptool_kit.world.spec import Domain, P, T
from looptool_kit.world.types import (
    AIRPORT,
    DATE,
    EMAIL,
    PERSON,
    TIME,
    Surface,
    boolean,
    constant,
    count,
    duration,
    enum,
    identifier,
    integer,
    list_of,
    money,
    nullable,
    record,
    text,
)

FLIGHT = text(
    "flight number",
    "airline code and number",
    lambda r: (
        f"{r.choice(('LH', 'BA', 'AF', 'TP', 'KL', 'SK', 'UA', 'DL', 'IB', 'LX'))}{r.randint(100, 1999)}"
    ),
    pattern=r"[A-Z]{2}\d{3,4}",
    noun="flight",
    say=lambda v, _: [Surface(f"flight {v}"), Surface(f"flight {v}"), Surface(v)],
    question="What is the flight number?",
    words=("flight", "number"),
)
TICKET = identifier("TK", "ticket", 6)
CABIN = enum(
    "economy",
    "business",
    "first",
    clauses=("in {} class", "in {}"),
    premium_economy="premium economy",
    question="Which cabin?",
    words=("cabin", "class"),
)

DOMAIN = Domain.of(
    "flights",
    T(
        "searchFlights",
        "Search for flights between two airports.",
        [
            P(
                "origin",
                AIRPORT,
                "from {}",
                ask="From which airport will you leave?",
                words=("from", "airport", "where"),
            ),
            P(
                "destination",
                AIRPORT,
                "to {}",
                ask="To which airport?",
                words=("to which", "destination", "where"),
            ),
            P("date", DATE, "{@}", "leaving {@}", ask="On which day do you want to fly?"),
            P("nonstop", boolean("nonstop only|without layovers|with no stops"), opt=True),
            P("max_price", money(100, 900), "for at most {}", "under {}", desc="USD", opt=True),
        ],
        do=[
            "search for flights",
            "find flights",
            "look up flights from {origin} to {destination}",
            "show me flights",
            "find a flight from {origin} to {destination}",
            "look for plane tickets",
            "list the flights",
        ],
        ask=[
            "which flights are there",
            "what flights go from {origin} to {destination}",
            "are there any flights from {origin} to {destination}",
            "which planes fly from {origin} to {destination}",
        ],
        need=["a flight", "a flight from {origin} to {destination}", "flight options", "plane tickets"],
        why=["I'm planning a trip.", "My sister is getting married.", "I have to travel for work."],
        out={"flights": list_of(record(flight=FLIGHT, departs=TIME, price=money(80, 900)), 2, 3)},
        refer={
            "flights": (
                "the {*} flight from {origin} to {destination} {date@}{?max_price}",
                "the {*} flight {date@} from {origin} to {destination}{?max_price}",
            )
        },
        reply="I found {flights.n} flights; the first is {flights.0.flight} at {flights.0.price}.",
    ),
    T(
        "bookFlightSeat",
        "Book a seat on a flight for one passenger.",
        [
            P("flight", FLIGHT),
            P(
                "passenger",
                PERSON,
                "for {}",
                also="The passenger is {}.",
                ask="What is the passenger's full name?",
                words=("name", "passenger"),
            ),
            P("cabin", CABIN, opt=True),
            P("checked_bags", count(1, 3), "with {#checked bag}", opt=True),
        ],
        do=[
            "book {flight}",
            "reserve a seat on {flight}",
            "get a ticket for {flight}",
            "buy a seat on {flight}",
            "book a seat on {flight}",
            "book a flight",
            "buy a plane ticket",
        ],
        need=["a seat on {flight}", "a ticket for {flight}", "one seat on {flight}"],
        out={"ticket_id": TICKET, "price": money(80, 900)},
        makes=TICKET,
        reply="The flight is booked under ticket {ticket_id} for {price}.",
    ),
    T(
        "cancelTicket",
        "Cancel a plane ticket.",
        [
            P("ticket_id", TICKET),
            P(
                "refund",
                enum(
                    "cash",
                    voucher="a voucher",
                    bank_transfer="a bank transfer|a transfer to my bank",
                    clauses=("with the refund as {}", "and have it refunded as {}"),
                ),
                opt=True,
            ),
        ],
        do=[
            "cancel {ticket_id}",
            "void {ticket_id}",
            "get {ticket_id} cancelled",
            "cancel my plane ticket",
            "call off the trip on {ticket_id}",
            "cancel a plane ticket",
        ],
        why=["I can't travel after all.", "The trip is off."],
        out={"ticket_id": "=ticket_id", "refund_amount": money(50, 800)},
        cancels=TICKET,
        reply="The ticket is cancelled and {refund_amount} will be refunded.",
    ),
    T(
        "changeSeat",
        "Choose another seat for a plane ticket.",
        [
            P("ticket_id", TICKET),
            P(
                "seat",
                enum(
                    window="a window seat|a seat by the window",
                    aisle="an aisle seat|a seat on the aisle",
                    middle="a middle seat",
                    clauses=("to {}",),
                    question="Window, middle or aisle?",
                    words=("window", "seat"),
                ),
            ),
            P("row", nullable(integer(4, 32), "in any row|in whatever row"), "in row {}", opt=True),
        ],
        do=[
            "change {ticket_id}",
            "switch {ticket_id}",
            "move {ticket_id}",
            "change the seat on {ticket_id}",
            "change my seat",
            "switch the seat on {ticket_id}",
        ],
        out={"status": constant("changed"), "fee": money(5, 60)},
        changes=TICKET,
        reply="Your seat is changed for a fee of {fee}.",
    ),
    T(
        "getFlightStatus",
        "Get the current status of a flight on a day.",
        [P("flight", FLIGHT), P("date", DATE)],
        do=[
            "check the status of {flight}",
            "see whether {flight} is on time",
            "look up {flight}",
            "check if {flight} is delayed",
            "check on a flight",
            "see whether a flight is on time",
        ],
        ask=[
            "is {flight} on time",
            "is {flight} delayed",
            "what's the status of {flight}",
            "does {flight} leave on time",
        ],
        why=["I'm picking someone up.", "I don't want to wait at the airport."],
        out={"status": enum("delayed", "boarding"), "delay": duration(10, 180)},
        reply="The flight is {status} with a delay of {delay}.",
    ),
    T(
        "sendBoardingPass",
        "Send the boarding pass of a ticket by e-mail.",
        [P("ticket_id", TICKET), P("email", EMAIL)],
        do=[
            "send the boarding pass for {ticket_id}",
            "email the boarding pass of {ticket_id}",
            "forward the boarding pass for {ticket_id}",
            "send out the boarding pass of {ticket_id}",
            "send a boarding pass",
            "email a boarding pass",
        ],
        out={
            "sent": constant("yes"),
            "gate": text("gate", "an airport gate", lambda r: f"{r.choice('ABCD')}{r.randint(1, 48)}"),
        },
        reply="The boarding pass is on its way; the gate is {gate}.",
        held=True,
    ),
)
