"""Public library: search, reserve, renew, fines, reading rooms."""

from dataclasses import replace
from datetime import date
from random import Random

from looptool_kit.world import pools
from looptool_kit.world.pools import one
from looptool_kit.world.spec import Domain, P, T
from looptool_kit.world.types import (
    DATE,
    LANGUAGE,
    PERSON,
    RATING,
    Surface,
    boolean,
    clock,
    constant,
    count,
    duration,
    enum,
    identifier,
    list_of,
    money,
    pool,
    record,
    text,
)

CARD = identifier("LC", "library card", 6)
LOAN = identifier("LN", "loan", 5)
HOLD = identifier("HLD", "hold")
ROOM = identifier("RR", "room booking")


def _title(rng: Random) -> str:
    a, b, c = one(rng, pools.ADJECTIVES), *rng.sample(pools.NOUNS, 2)
    return rng.choice(
        (
            f"The {a} {b}",
            f"{b} of the {c}",
            f"The {b} and the {c}",
            f"Beyond the {a} {b}",
            f"Letters from the {b}",
            f"{one(rng, pools.FIRST)}'s {b}",
            f"The Last {b}",
        )
    )


def _say(title: str, _: date) -> list[Surface]:
    return [Surface(title), Surface(f'"{title}"')]


TITLE = text("book title", "title of a book", _title, say=_say)
BOOK = text(
    "book",
    "title of a book",
    _title,
    parent=TITLE,
    say=_say,
    noun="book",
    question="Which book?",
    words=("book", "title"),
)
SUBJECT = pool(
    "subject",
    "what a book is about",
    pools.words(
        """astronomy|beekeeping|woodworking|chess|Roman history|medieval history|modern art|calligraphy|
        photography|gardening|bread baking|knitting|sailing|climbing|marine biology|dinosaurs|volcanoes|
        climate change|nutrition|meditation|philosophy|linguistics|sign language|statistics|robotics|
        electronics|architecture|urban planning|economics|personal finance|law|journalism|film history|
        music theory|opera|jazz|folk tales|mythology|birdwatching|dog training|horses|butterflies|mushrooms|
        bridges|railways|aviation|space travel|cryptography|game design|watercolour painting|pottery|origami|
        public speaking|leadership|parenting|sleep|memory|ancient Egypt|the Vikings"""
    ),
    clauses=("on {}", "on the subject of {}"),
    question="What should the books be about?",
    words=("about", "subject", "topic"),
)
BRANCH = text(
    "branch",
    "name of a library branch",
    lambda r: f"{one(r, pools.STREETS)} {one(r, pools.STREET_KINDS)}",
    clauses=("at the {} branch", "at the {} library"),
    question="At which library branch?",
    words=("branch", "library", "where"),
)
# "The book for Ada Cohen" is not the one that she wrote: an author has no part in telling results apart.
AUTHOR = replace(PERSON, name="author", parent=PERSON)

DOMAIN = Domain.of(
    "libraries",
    T(
        "search_books",
        "Search the library catalogue for books on a subject.",
        [
            P("subject", SUBJECT),
            P("language", LANGUAGE, "in {}", "written in {}", opt=True),
            P(
                "available_only",
                boolean("on the shelf now|available right now"),
                "that are {}",
                default=False,
            ),
        ],
        do=[
            "find library books",
            "search the library for books",
            "look for library books",
            "look up library books about {subject}",
            "search the library for books about {subject}",
            "show me library books",
        ],
        ask=[
            "which books does the library have",
            "what books does the library have",
            "does the library have any books",
            "are there any library books",
        ],
        why=[
            "I want to learn something new.",
            "It's for a school project.",
            "I've run out of things to read.",
        ],
        out={"books": list_of(record(book=BOOK, author=AUTHOR, rating=RATING), 2, 3)},
        refer={
            "books": (
                "the {*} library book on {subject}{?language}",
                "the {*} book on {subject}{?language} in the library",
            ),
        },
        reply="There are {books.n} books, for example {books.0.book} by {books.0.author}.",
    ),
    T(
        "reserve_book",
        "Reserve a library book for pickup.",
        [
            P("book", BOOK),
            P("branch", BRANCH),
            P(
                "format",
                enum(large_print="in large print", audiobook="as an audiobook", paperback="as a paperback"),
                opt=True,
            ),
        ],
        do=[
            "reserve {book}",
            "put {book} on hold",
            "set {book} aside for me",
            "place a hold on {book}",
            "request {book}",
            "reserve a library book",
            "place a hold on a library book",
        ],
        why=["A friend recommended it.", "Our book club meets soon."],
        out={"hold_id": HOLD, "ready_on": DATE, "queue": count(1, 9)},
        refer={"ready_on": ("the day the book is ready",)},
        reply="Your hold {hold_id} should be ready on {ready_on}.",
    ),
    T(
        "list_loans",
        "List the books borrowed on a library card.",
        [
            P("card_id", CARD, "on {}"),
            P(
                "order",
                enum(due_date="sorted by due date", title="sorted by title|in order of title"),
                opt=True,
            ),
        ],
        do=[
            "list the books borrowed on {card_id}",
            "list the library loans",
            "show the loans on {card_id}",
            "look up the loans on {card_id}",
            "check the library loans",
        ],
        ask=[
            "which books are borrowed on {card_id}",
            "what is out on {card_id}",
            "which loans are there on {card_id}",
        ],
        out={"loans": list_of(record(loan_id=LOAN, title=TITLE, days_left=count(1, 20)), 2, 3)},
        lists=LOAN,
        refer={"loans": ("the loan of {.title} on {card_id}",)},
        reply="There are {loans.n} loans; {loans.0.title} has {loans.0.days_left} days left.",
    ),
    T(
        "renew_loan",
        "Renew a library loan.",
        [P("loan_id", LOAN), P("weeks", count(1, 8), "for {#week}", "by {#week}", default=2)],
        do=[
            "renew {loan_id}",
            "extend {loan_id}",
            "prolong {loan_id}",
            "renew a library loan",
            "extend a library loan",
            "get {loan_id} extended",
        ],
        why=["I haven't finished it.", "I'm a slow reader."],
        out={"loan_id": "=loan_id", "due": DATE},
        reply="The loan is renewed and now due on {due}.",
    ),
    T(
        "pay_library_fine",
        "Pay fines on a library card.",
        [
            P("card_id", CARD, "on {}", "for {}"),
            P("amount", money(2, 45), ask="How much do you want to pay?"),
            P("method", enum(card="by card", cash="in cash", voucher="with a voucher"), opt=True),
        ],
        do=[
            "pay {amount} of library fines",
            "pay {amount} in library fines on {card_id}",
            "settle {amount} of the fines on {card_id}",
            "pay off {amount} in late fees on {card_id}",
            "pay library fines",
            "pay the library fines on {card_id}",
        ],
        why=["I returned something late.", "I want to clear my account."],
        out={"receipt": identifier("RCP", "receipt"), "balance": money(1, 30, cents=True)},
        reply="The payment went through; {balance} is still open.",
    ),
    T(
        "book_reading_room",
        "Book a reading room at a library branch.",
        [
            P("branch", BRANCH),
            P("date", DATE),
            P("time", clock(9, 18)),
            P("duration", duration(30, 240, 30), desc="minutes", opt=True),
            P(
                "equipment",
                list_of(
                    enum(projector="a projector", whiteboard="a whiteboard", screen="a large screen"), 1, 2
                ),
                "with {}",
                opt=True,
            ),
        ],
        do=[
            "book a reading room",
            "reserve a reading room",
            "get me a reading room",
            "book a reading room at the {branch} branch",
            "reserve a reading room at the {branch} library",
        ],
        need=["a reading room", "a room to read in", "a reading room at the {branch} branch"],
        why=["I need some quiet.", "Our study group is meeting."],
        out={"booking_id": ROOM, "room": count(1, 30), "status": constant("booked")},
        makes=ROOM,
        reply="Room {room} is booked, reference {booking_id}.",
    ),
)
