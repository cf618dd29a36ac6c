"""Shopping: search, cart, order, track, return."""

from datetime import date

from looptool_kit.world import pools
from looptool_kit.world.pools import one
from looptool_kit.world.spec import Domain, P, T
from looptool_kit.world.types import (
    ADDRESS,
    CITY,
    DATE,
    PAST_DATE,
    RATING,
    Surface,
    boolean,
    constant,
    count,
    enum,
    identifier,
    integer,
    list_of,
    money,
    record,
    text,
)

LOOKS = (*pools.COLOURS, "small", "large", "compact", "lightweight", "sturdy", "simple", "vintage")


def _with_article(value: str, _: date) -> list[Surface]:
    several = value.endswith(("shoes", "headphones", "sunglasses"))
    return [Surface(f"{'a pair of' if several else 'an' if value[0] in 'aeio' else 'a'} {value}")]


GOODS = text(
    "product",
    "something to buy",
    lambda r: f"{one(r, LOOKS)} {one(r, pools.PRODUCT_KINDS)}",
    say=_with_article,
    question="Which product are you looking for?",
    words=("product", "looking for"),
)
ITEM = identifier("IT", "item", 5)
ORDER = identifier("SH", "order", 6)
PLACE = record("{street} in {city}", street=ADDRESS, city=CITY)
BUDGET = money(15, 250)

DOMAIN = Domain.of(
    "shopping",
    T(
        "search_shop",
        "Search the shop for a product.",
        [
            P("query", GOODS),
            P("max_price", BUDGET, "for under {}", "for at most {}", opt=True, desc="USD"),
            P(
                "condition",
                enum(new="in new condition|in brand-new condition", used="in used condition"),
                opt=True,
            ),
        ],
        do=[
            "find {query}",
            "look for {query}",
            "search for {query}",
            "search the shop for {query}",
            "show me offers for {query}",
            "browse the shop for {query}",
            "search for a product",
            "look for something in the shop",
        ],
        why=["I have a birthday coming up.", "I have just moved house.", "My old one is broken."],
        out={"items": list_of(record(item_id=ITEM, price=money(9, 240, cents=True), rating=RATING), 2, 3)},
        refer={
            "items": (
                "the {*} offer for {query}{?max_price}",
                "the {*} offer in the shop for {query}{?max_price}",
            )
        },
        reply="I found {items.n} items, for example {items.0.item_id} at {items.0.price}.",
    ),
    T(
        "add_to_cart",
        "Put an item into the shopping cart.",
        [
            P("item_id", ITEM),
            P(
                "quantity",
                count(2, 12),
                "in a quantity of {}",
                "with a quantity of {}",
                also="I need {} of them",
                default=1,
            ),
            P("gift_wrap", boolean("gift-wrapped|with gift wrapping", "without gift wrapping"), opt=True),
        ],
        do=[
            "add {item_id} to my cart",
            "put {item_id} in the cart",
            "add {item_id} to the basket",
            "put {item_id} into my shopping cart",
            "add {item_id} to my shopping cart",
            "put something in my cart",
            "add an item to the cart",
        ],
        out={"status": constant("added"), "total": money(20, 400, cents=True)},
        reply="The item is {status}; the cart comes to {total}.",
    ),
    T(
        "checkout",
        "Order what is in the shopping cart.",
        [
            P(
                "address",
                PLACE,
                "with delivery to {}",
                "to be delivered to {}",
                ask="What is the delivery address?",
                words=("address", "where"),
            ),
            P(
                "payment",
                enum(
                    card="by card|with my card",
                    paypal="with PayPal|through PayPal",
                    invoice="on invoice|by invoice",
                ),
                ask="How would you like to pay?",
                words=("pay",),
            ),
            P(
                "express",
                boolean(
                    "by express shipping|with express shipping",
                    "by standard shipping|without express shipping",
                ),
                opt=True,
            ),
        ],
        do=[
            "check out",
            "order everything in my cart",
            "check out my cart",
            "buy everything in my cart",
            "place an order for my cart",
            "order what's in my cart",
        ],
        why=["I've got everything I need.", "I'm done choosing."],
        out={"confirmation": integer(10000, 99999), "arrives": DATE},
        refer={"arrives": ("the day everything from the cart arrives",)},
        reply="The order is placed and arrives on {arrives}.",
    ),
    T(
        "list_orders",
        "List the orders since a date.",
        [P("since", PAST_DATE, "since {}", ask="Since which date?", words=("since", "date", "when"))],
        do=[
            "list my orders",
            "show my orders",
            "look up my orders",
            "show the order history",
            "check my past orders",
        ],
        ask=[
            "which orders have been placed",
            "what orders have been placed",
            "which orders have been made from my account",
        ],
        need=["a list of my orders", "an overview of my orders", "the order history"],
        out={
            "orders": list_of(
                record(order_id=ORDER, price=money(12, 600, cents=True), items=count(1, 6)), 2, 3
            )
        },
        lists=ORDER,
        refer={"orders": ("the {*} order I've placed since {since}", "my {*} order since {since}")},
        reply="There are {orders.n} orders; the first one is {orders.0.order_id}.",
    ),
    T(
        "track_order",
        "Find out where an order is.",
        [P("order_id", ORDER)],
        do=[
            "track {order_id}",
            "find out where {order_id} is",
            "check the delivery status of {order_id}",
            "check on {order_id}",
            "see where {order_id} is",
            "track a parcel",
            "check on a delivery",
        ],
        ask=[
            "where is {order_id}",
            "when will {order_id} arrive",
            "what's the status of {order_id}",
            "has {order_id} been shipped",
        ],
        why=["I've been waiting for ages.", "I won't be at home much."],
        out={"location": CITY, "arrives": DATE},
        refer={
            "arrives": ("the day {order_id} arrives",),
            "location": ("the current location of {order_id}",),
        },
        reply="Your order is in {location} and arrives on {arrives}.",
    ),
    T(
        "return_order",
        "Send an order back for a refund.",
        [
            P("order_id", ORDER),
            P(
                "reason",
                enum(
                    damaged="because it's damaged|because it arrived damaged",
                    wrong_size="because it's the wrong size|because the size is wrong",
                    not_needed="because it's not needed any more|because it's no longer needed",
                ),
                ask="Why are you returning it: is it damaged, the wrong size or not needed?",
                words=("why", "reason"),
            ),
            P("pickup_date", DATE, "with pickup {@}", "with a courier pickup {@}", opt=True),
        ],
        do=[
            "return {order_id}",
            "send back {order_id}",
            "send {order_id} back",
            "arrange a return for {order_id}",
            "start a return of {order_id}",
            "return an order",
            "send something back",
        ],
        out={"order_id": "=order_id", "refund": money(12, 300, cents=True)},
        changes=ORDER,
        reply="The return is registered; {refund} will be refunded.",
        held=True,
    ),
)
