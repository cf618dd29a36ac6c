"""Banking: transfers, balances, standing orders, currencies."""

from dataclasses import replace
from datetime import date

from looptool_kit.world.spec import Domain, P, T
from looptool_kit.world.types import (
    CURRENCY,
    DATE,
    PERSON,
    boolean,
    constant,
    enum,
    identifier,
    list_of,
    money,
    nullable,
    number,
    quoted,
    record,
    text,
)

ACCOUNT = enum(
    "checking",
    "savings",
    "business",
    "joint",
    question="Which account: checking, savings, business or joint?",
    words=("account",),
)
_PAID_FOR = ("Rent", "Invoice", "Tickets", "Dinner", "Groceries", "Deposit", "Membership", "Gift", "Lessons")
STANDING_ORDER = identifier("STO", "standing order", 5)
REFERENCE = text(
    "payment reference",
    "a line on the statement",
    lambda r: f"{r.choice(_PAID_FOR)} {r.randint(100, 9999)}",
    say=quoted,
    clauses=("with the reference {}", "with the note {}"),
    question="Which reference should I add?",
    words=("reference",),
)
RHYTHM = enum(
    weekly="every week|each week|once a week",
    biweekly="every two weeks|every other week",
    monthly="every month|each month|once a month",
    question="How often: every week, every two weeks or every month?",
    words=("how often", "every week", "frequency"),
)


FOREIGN = replace(
    number(5, 900, 2),
    draw=lambda r, _: min(
        900, r.randint(5, 900) + r.choice((0, 0, 0, r.randint(1, 9) / 10, r.randint(1, 19) * 5 / 100))
    ),
)


def _lasts(a: dict[str, str]) -> bool:
    """A standing order that ends runs for a month at least."""
    end = a.get("end_date")
    return (
        not end
        or "start_date" not in a
        or (date.fromisoformat(end) - date.fromisoformat(a["start_date"])).days >= 30
    )


DOMAIN = Domain.of(
    "banking",
    T(
        "transfer_money",
        "Transfer money to another person once.",
        [
            P(
                "recipient",
                PERSON,
                "to {}",
                ask="Who should receive the money?",
                words=("who", "recipient", "name"),
            ),
            P("amount", money(20, 2000), ask="How much should I transfer?", words=("how much", "amount")),
            P("account", ACCOUNT, "from my {} account", "out of my {} account", default="checking"),
            P("reference", REFERENCE, opt=True),
        ],
        do=[
            "transfer {amount}",
            "send {amount}",
            "wire {amount}",
            "make a transfer of {amount}",
            "pay {recipient} {amount}",
            "make a payment of {amount}",
            "transfer some money",
            "make a bank transfer",
        ],
        why=["It's time to settle my debts.", "Someone paid for me last night."],
        out={"status": constant("sent"), "arrives": DATE},
        reply="The transfer of {amount} is sent and arrives on {arrives}.",
    ),
    T(
        "get_account_balance",
        "Get the balance of a bank account.",
        [
            P("account", ACCOUNT, "of my {} account", "for my {} account"),
            P("currency", CURRENCY, "in {}", opt=True),
        ],
        do=[
            "check the balance",
            "look up the balance",
            "check how much money is in my {account} account",
            "get the balance",
            "show the current balance",
            "look up how much is left in my {account} account",
        ],
        ask=[
            "what's the balance",
            "how much money is in my {account} account",
            "how much is left in my {account} account",
            "what's the current balance",
        ],
        need=["the balance", "the current balance", "the account balance"],
        why=["The rent is due soon.", "I'd like to buy something big."],
        out={"balance": money(100, 9000, cents=True), "pending": money(0, 300)},
        reply="The balance of your {account} account is {balance}.",
    ),
    T(
        "create_standing_order",
        "Set up a recurring payment to a person.",
        [
            P(
                "recipient",
                PERSON,
                "to {}",
                ask="Who should receive the payments?",
                words=("who", "recipient", "name"),
            ),
            P("amount", money(20, 900), ask="How much should each payment be?", words=("how much", "amount")),
            P("frequency", RHYTHM),
            P(
                "start_date",
                DATE,
                "starting {@}",
                "beginning {@}",
                ask="On which date should it start?",
                words=("date", "when", "start"),
            ),
            P("end_date", nullable(DATE, "with no end date|until further notice"), "until {}", opt=True),
        ],
        do=[
            "set up a standing order of {amount} {frequency}",
            "create a standing order of {amount}",
            "start a standing order of {amount} {frequency}",
            "pay {recipient} {amount} {frequency}",
            "schedule a recurring payment of {amount}",
            "set up a recurring payment of {amount}",
            "arrange a recurring transfer of {amount} {frequency}",
            "set up a standing order",
            "create a recurring payment",
        ],
        why=["I keep forgetting to pay.", "I've moved in with someone."],
        out={"order_id": STANDING_ORDER, "status": constant("active")},
        where=_lasts,
        makes=STANDING_ORDER,
        reply="The standing order is active as {order_id}.",
    ),
    T(
        "list_standing_orders",
        "List the standing orders of an account.",
        [P("account", ACCOUNT, "on my {} account", "for my {} account")],
        do=[
            "list the standing orders",
            "show all standing orders",
            "look up the standing orders",
            "check the standing orders",
            "get an overview of the standing orders",
        ],
        ask=[
            "which standing orders are there",
            "what standing orders are active",
            "which standing orders are set up",
        ],
        need=["a list of the standing orders", "an overview of the standing orders", "the standing orders"],
        out={"orders": list_of(record(order_id=STANDING_ORDER, recipient=PERSON, frequency=RHYTHM), 2, 3)},
        lists=STANDING_ORDER,
        refer={
            "orders": (
                "the standing order to {.recipient} on my {account} account",
                "the standing order on my {account} account to {.recipient}",
            )
        },
        reply="There are {orders.n} standing orders; the first one is {orders.0.order_id}.",
    ),
    T(
        "cancel_standing_order",
        "Cancel a standing order.",
        [
            P("order_id", STANDING_ORDER),
            P(
                "notify_recipient",
                boolean(
                    "and notify the recipient|and let the recipient know",
                    "without notifying the recipient|without telling the recipient",
                ),
                opt=True,
            ),
        ],
        do=[
            "cancel {order_id}",
            "stop {order_id}",
            "end {order_id}",
            "delete {order_id}",
            "call off {order_id}",
            "cancel a standing order",
            "stop a standing order",
        ],
        why=["I don't have to pay that any more.", "I'm cutting down on costs."],
        out={"order_id": "=order_id", "last_payment": DATE},
        cancels=STANDING_ORDER,
        reply="The standing order is cancelled; the last payment is on {last_payment}.",
    ),
    T(
        "convert_money",
        "Convert an amount of money into another currency.",
        [
            P("amount", FOREIGN, "{}", ask="How much should I convert?", words=("how much", "amount")),
            P("from_currency", CURRENCY, "{}", ask="Which currency is the amount in?", words=("currency",)),
            P(
                "to_currency",
                CURRENCY,
                "{}",
                ask="Which currency should I convert it to?",
                words=("currency",),
            ),
        ],
        do=[
            "convert {amount} {from_currency} to {to_currency}",
            "convert {amount} {from_currency} into {to_currency}",
            "work out how much {amount} {from_currency} is in {to_currency}",
            "calculate {amount} {from_currency} in {to_currency}",
            "find out what {amount} {from_currency} is worth in {to_currency}",
            "convert {amount} {from_currency} to another currency",
            "work out what {amount} is worth in {to_currency}",
            "convert some {from_currency} to {to_currency}",
        ],
        ask=[
            "how much is {amount} {from_currency} in {to_currency}",
            "what's {amount} {from_currency} in {to_currency}",
            "what is {amount} {from_currency} worth in {to_currency}",
            "how many {to_currency} is {amount} {from_currency}",
        ],
        why=["I'm preparing a trip.", "I found something in a foreign shop."],
        out={"result": number(5, 2000, 2)},
        reply="{amount} {from_currency} is {result} {to_currency}.",
    ),
)
