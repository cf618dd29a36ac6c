"""Restaurants: find one, book, change, cancel, order in."""

from looptool_kit.world.spec import Domain, P, T
from looptool_kit.world.types import (  # fmt: skip
    ADDRESS,
    CITY,
    DATE,
    DISH,
    PERSON,
    RATING,
    RESTAURANT,
    clock,
    constant,
    count,
    duration,
    enum,
    identifier,
    list_of,
    money,
    record,
)

BOOKING = identifier("RES", "reservation")
EVENING = clock(17, 22)
ORDER = identifier("ORD", "food order", 5)
CUISINE = enum(
    "italian",
    "japanese",
    "indian",
    "mexican",
    "thai",
    "greek",
    "vietnamese",
    "french",
    question="Which cuisine would you like?",
    words=("cuisine", "food"),
)
SEATING = enum(
    bar="at the bar|seated at the bar",
    outdoor="outdoors|on the terrace|outside",
    indoor="indoors|inside",
    clauses=("{}",),
    question="Inside, outside or at the bar?",
    words=("inside", "outside"),
)

DOMAIN = Domain.of(
    "restaurants",
    T(
        "search_restaurants",
        "Search for restaurants in a city.",
        [
            P("city", CITY),
            P("cuisine", CUISINE, "serving {} food", "with {} cuisine", "that do {} food"),
            P(
                "max_price",
                money(15, 90),
                "for at most {} a person",
                "under {} per head",
                opt=True,
                desc="USD per person",
            ),
        ],
        do=[
            "find restaurants",
            "search for restaurants",
            "find places to eat",
            "look for restaurants in {city}",
            "show me {cuisine} restaurants",
            "find somewhere to eat in {city}",
            "list {cuisine} places",
        ],
        ask=[
            "which {cuisine} restaurants are there",
            "where can I get good {cuisine} food",
            "are there any nice {cuisine} places",
            "what are some restaurants in {city}",
        ],
        need=["a restaurant", "a place to eat", "restaurant ideas", "a good {cuisine} place"],
        why=["I'm getting hungry.", "We want to go out tonight.", "I'm tired of cooking."],
        out={
            "restaurants": list_of(
                record(restaurant=RESTAURANT, rating=RATING, price=money(10, 80, cents=True)), 2, 3
            )
        },
        refer={
            "restaurants": (
                "the {*} {cuisine} restaurant{?max_price} in {city}",
                "the {*} restaurant serving {cuisine} food{?max_price} in {city}",
            )
        },
        reply="I found {restaurants.n} restaurants, for example {restaurants.0.restaurant}.",
    ),
    T(
        "book_table",
        "Book a table at a restaurant.",
        [
            P("restaurant", RESTAURANT),
            P("date", DATE),
            P("time", EVENING),
            P(
                "guests",
                count(2, 14),
                "for {#person/people}",
                "for a party of {}",
                also="There will be {} of us",
                ask="How many people will come?",
                words=("how many", "people"),
            ),
            P("seating", SEATING, opt=True),
        ],
        do=[
            "book a table",
            "reserve a table",
            "make a reservation",
            "book a table at {restaurant}",
            "reserve a table at {restaurant} for {guests#person/people}",
            "get us a table",
            "make a booking at {restaurant}",
        ],
        need=["a table", "a reservation", "a table at {restaurant}", "a table for {guests}"],
        why=[
            "My parents are coming to town.",
            "We have something to celebrate.",
            "Our anniversary is coming up.",
            "Some clients are visiting.",
        ],
        out={"reservation_id": BOOKING, "restaurant": "=restaurant", "status": constant("confirmed")},
        makes=BOOKING,
        reply="Your table at {restaurant} is booked, reference {reservation_id}.",
    ),
    T(
        "update_reservation",
        "Change the date, time or size of a table reservation.",
        [
            P("reservation_id", BOOKING),
            P("date", DATE, "to {}", opt=True),
            P("time", EVENING, "to {}", opt=True),
            P("guests", count(2, 14), "to {#person/people}", opt=True),
        ],
        do=[
            "change {reservation_id}",
            "modify {reservation_id}",
            "update {reservation_id}",
            "adjust {reservation_id}",
            "amend {reservation_id}",
        ],
        why=["Our plans have changed.", "Someone can't make it."],
        out={"reservation_id": "=reservation_id", "status": constant("updated"), "hold_until": clock(17, 22)},
        changes=BOOKING,
        reply="Your reservation is updated; the table is held until {hold_until}.",
    ),
    T(
        "cancel_reservation",
        "Cancel a table reservation.",
        [
            P("reservation_id", BOOKING),
            P(
                "reason",
                enum(
                    "illness",
                    "weather",
                    change_of_plans="a change of plans|other plans",
                    clauses=("because of {}", "due to {}"),
                ),
                opt=True,
            ),
        ],
        do=[
            "cancel {reservation_id}",
            "call off {reservation_id}",
            "get rid of {reservation_id}",
            "drop {reservation_id}",
            "cancel a table reservation",
            "call off a restaurant reservation",
        ],
        out={"reservation_id": "=reservation_id", "fee": money(0, 20)},
        cancels=BOOKING,
        reply="Your reservation is cancelled; the fee is {fee}.",
    ),
    T(
        "list_reservations",
        "List the table reservations made under a name.",
        [P("name", PERSON, "for {}", "under the name {}", ask="Under which name?", words=("name",))],
        do=[
            "list the table reservations",
            "show the restaurant reservations",
            "look up the table bookings",
            "check the restaurant bookings",
        ],
        ask=[
            "which tables are reserved",
            "what restaurant bookings are there",
            "are there any table reservations",
        ],
        out={"reservations": list_of(record(reservation_id=BOOKING, date=DATE, time=EVENING), 2, 3)},
        lists=BOOKING,
        refer={
            "reservations": (
                "the {*} table reservation under the name {name}",
                "the {*} reservation for {name}",
            ),
            "reservations.date": ("the day of {}",),
        },
        reply="There are {reservations.n} reservations; the first is {reservations.0.reservation_id}.",
    ),
    T(
        "order_food_delivery",
        "Order food for delivery to an address.",
        [
            P("restaurant", RESTAURANT, "from {}"),
            P(
                "items",
                list_of(record("{quantity} x {dish}", dish=DISH, quantity=count(1, 4)), 1, 3),
                "with {}",
                ": {}",
                ask="Which dishes would you like?",
                words=("dish", "what"),
            ),
            P("address", ADDRESS, "to {}", "delivered to {}"),
        ],
        do=[
            "order {items}",
            "order {items} from {restaurant}",
            "get {items} delivered",
            "place a delivery order",
            "order some food",
            "order food from {restaurant}",
        ],
        why=["Nobody here wants to cook.", "The fridge is empty."],
        out={"order_id": ORDER, "minutes": duration(20, 75), "total": money(15, 120, cents=True)},
        makes=ORDER,
        reply="Your order {order_id} is on its way and should take {minutes}.",
    ),
    T(
        "track_food_order",
        "Get the delivery status of a food order.",
        [P("order_id", ORDER)],
        do=[
            "track {order_id}",
            "check on {order_id}",
            "find out how far {order_id} is",
            "check the status of {order_id}",
            "track a food order",
            "see where my food is",
        ],
        ask=["where is {order_id}", "how long until {order_id} arrives", "what's the status of {order_id}"],
        out={"status": enum("in the kitchen", "on the way"), "minutes_left": duration(5, 60)},
        reply="Your order is {status} and should arrive in {minutes_left}.",
    ),
)
