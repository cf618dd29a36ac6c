"""How to write a domain: one module here that sets `DOMAIN`.

`DOMAIN = Domain.of("name", T(...), T(...), ...)`. The module is found by listing this package.

    from looptool_kit.world.spec import Domain, P, T
    from looptool_kit.world.types import DATE, PERSON, RESTAURANT, boolean, clock, count, enum, identifier

    # One object, used wherever a reservation is meant.
    BOOKING = identifier("RES", "reservation")

    # A name like a real API's, and one short sentence that starts with a verb: a refusal says
    # "I can't book a table at a restaurant".
    T(
        "book_table",
        "Book a table at a restaurant.",
        [
            # Required; wordings of its type ("at {}") unless you give clauses.
            P("restaurant", RESTAURANT),
            P(
                "guests",
                count(2, 12),
                "for {#person/people}",
                also="There will be {} of us.",
                ask="How many people will come?",
                words=("how many", "people"),
            ),
            P("seating", enum("bar", outdoor="outside|on the terrace", indoor="inside"), opt=True),
        ],
        # At least 4 verb phrases in base form, lower case, no final punctuation.
        do=["book a table", "reserve {restaurant} for {guests#person/people}", ...],
        # 0 or 3+: complete questions without "?", for tools that look something up; lower case.
        ask=["what's ...", ...],
        # 0 or 3+: noun phrases that fit "I need ___", "Can I get ___?".
        need=["a table", "a reservation", ...],
        # 0-4 sentences that may stand before the request. They name no value and ask for nothing;
        # no "I've just left the gym" where the tool has a date.
        why=["My parents are in town."],
        # Field -> type, or "=param" to give an argument back.
        out={"reservation_id": BOOKING, "restaurant": "=restaurant", "status": constant("confirmed")},
        # One sentence about the result, with required arguments and outputs only. Of a list:
        # {flights.n} its length, {flights.0.price} a field of its first entry.
        reply="Your table at {restaurant} is booked, reference {reservation_id}.",
        # State: makes / changes / cancels / lists a kind of record (an identifier).
        makes=BOOKING,
    )

Phrases and clauses:

- Phrases hold slots of *required* parameters or none. The clauses of the parameters add what a phrase does
  not mention, in varied order, so each phrase has to read well with any of them after it. At least two `do`
  phrases hold no slots at all (for questions about a missing parameter).
- A parameter without clauses (its type has none either: identifiers, tasks, products, lists of them ...) is
  only said inside phrases. Then *every* phrase holds its slot, but for one or two slotless ones that serve
  when it is missing ("cancel a reservation").
- Clauses are prepositional ("for {}", "on {}", "with {}") and must also stand alone in "Do the same
  {clause}." Optional parameters are only ever mentioned by their clauses.
- `{}` is the value ("December 4"). `{@}` is the value with its own preposition, for dates and times
  ("on December 4", "tomorrow", "at 6:30 pm"). `{#night}` or `{#person/people}` is the value counted.
- The request must determine the label exactly: texts in quotes (MESSAGE, TITLE and TASK do that themselves),
  names as they stand, no value that could be said in two ways. Say units.
- No "please", "can you" or "I" in phrases; frames add them. Use times that make sense: `clock(17, 22)`.
  `money(low, high)` is round; `money(low, high, cents=True)` is for prices in results.
- Booleans and enums word their values: `boolean("with breakfast|breakfast included", "without breakfast")`,
  `enum("bus", "train", on_foot="on foot|walking")`. A clause list may be left out when these wordings are
  clauses already. In `enum` a wording that lacks the value itself counts as implicit.

Tools and their results:

- Never two tools in one domain that could both fulfil one request. Do make near ones (search / book,
  create / update / cancel / list) so that choosing is a task.
- At least one pair of tools is linked by type: the output of one (an `identifier`, or a type with a noun like
  EMAIL) is a required parameter of the other. The other's phrases then say "cancel {reservation_id}", which
  becomes "cancel reservation RES-4821" or "cancel that reservation". Give linked list items a money, time,
  duration or rating field: "book the cheapest one". A TITLE, CITY or PERSON in the items allows "the event
  called ...", "the ticket for ...".
- An optional argument max_price or min_rating (any max_x, min_x) bounds the field `price`, `rating` of the
  listed items. An output with an argument's name and type is that argument. But for `picks`, outputs have no
  other tie to the arguments.
- Where an argument lists the outputs that are wanted, `picks=("figures", {"steps": "{steps} steps", ...})`
  gives back those alone; `{*}` in `reply` stands for the wordings of those that came.
- `fits=lambda a, found: ...` is for what must hold between the arguments and the result (of a list, its
  entry) that the call builds on: an offer near the price. `later=True`: nobody asks for it right after making
  such a record (damage to a car that is still to be picked up).
- `refer={"flights": ("the {*} flight from {origin} to {destination} {date@}{?max_price}",)}` names what a
  call finds by what it is asked, so that longer tasks need not say the call ("book the cheapest flight from
  FCO to LHR tomorrow"). Of a list `{*}` is a word like "cheapest", `{.title}` a field that tells its entries
  apart; `{?max_price}` is the clause of an optional parameter. `"list.field"` names a field of an entry ("the
  day of {}"). A result of what acts names itself: "the day the transfer arrives".
- `where=lambda a: a["origin"] != a["destination"]` is for what must hold between required arguments.
  Arguments of one type are different anyway. For optional ones use `a.get`.
- A tool costs 60-110 tokens: 2-4 parameters, descriptions only where the name does not say it. Outputs are
  short too: 1-4 fields, lists of 2-3 items with 2-3 fields.
- Keep tools back for the split `unseen_tools` with `held=True` on a `T` or a whole
  `Domain.of(..., held=True)`. Tool names are unique over all domains.
- Check with `python -m looptool_kit.world.show DOMAIN [n]`, and read what it prints.
"""
